/* laid_out.h - a folder that stands for / in tests of what reads /proc and /sys. */
#ifndef LAB_TESTS_LAID_OUT_H
#define LAB_TESTS_LAID_OUT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An empty one; its name is valid until the next call. */
static const char *lay_out(void)
{
    static char root[] = "/tmp/lab_test.XXXXXX";

    memcpy(root + sizeof root - 7, "XXXXXX", 6);
    if (!mkdtemp(root))
        abort();
    return root;
}

/* Writes ROOT/PATH, and the folders that lead there. */
static void put(const char *root, const char *path, const char *text, size_t length)
{
    char whole[512];
    FILE *out;

    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *slash = strchr(whole + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(whole, 0700);
        *slash = '/';
    }
    out = fopen(whole, "w");
    if (!out || fwrite(text, 1, length, out) != length || fclose(out))
        abort();
}

static void put_line(const char *root, const char *path, const char *line)
{
    put(root, path, line, strlen(line));
}

static void clear_away(const char *root)
{
    char command[64];

    snprintf(command, sizeof command, "rm -rf '%s'", root);
    if (system(command))
        abort();
}

#endif
