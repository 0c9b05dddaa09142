/* open_files.h - whether a test leaves descriptors behind. After cmocka.h. */
#ifndef GIL_TESTS_OPEN_FILES_H
#define GIL_TESTS_OPEN_FILES_H

#include <dirent.h>

/* How many entries /proc/self/fd has: to be compared with what it had before. */
static int open_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

#endif
