/* procfs.c - reading what the kernel tells in /proc and /sys. */
#include "lab/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ssize_t procfs_read(const char *root, const char *path, char *text, size_t size_bytes)
{
    char whole[PATH_MAX];
    ssize_t used = 0, got = 1;
    int fd;

    snprintf(whole, sizeof whole, "%s%s", root, path);
    fd = open(whole, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    while (got > 0 && used < (ssize_t)size_bytes - 1) {
        got = read(fd, text + used, size_bytes - 1 - (size_t)used);
        if (got > 0)
            used += got;
        else if (got < 0 && errno == EINTR)
            got = 1;
    }
    text[used] = '\0';
    close(fd);
    return got < 0 ? -1 : used;
}

const char *procfs_field(const char *text, const char *name)
{
    size_t length = strlen(name);

    for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
        if (!strncmp(text, name, length) && strchr(" \t:", text[length]))
            return text + length + strspn(text + length, " \t:");
    return NULL;
}

int64_t procfs_number(const char *text, const char *name)
{
    const char *value = procfs_field(text, name);
    char *end;
    int64_t number;

    if (!value)
        return -1;
    errno = 0;
    number = strtoll(value, &end, 10);
    return end > value && !errno ? number : -1;
}
