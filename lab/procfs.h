/* procfs.h - reading what the kernel tells in /proc and /sys.
 *
 * A missing file is normal there (no cpufreq in a virtual machine, another version of
 * cgroups), and a file's size is not known before it is read: both are said once, here.
 * `root` stands before each path: "" is this machine, a folder is what a test laid out.
 */
#ifndef LAB_PROCFS_H
#define LAB_PROCFS_H

#include <stdint.h>
#include <sys/types.h>

enum { PROCFS_TEXT_BYTES = 16 * 1024 };

/* As text with its end, cut if it is longer. Its length, or -1 and errno. */
ssize_t procfs_read(const char *root, const char *path, char *text, size_t size_bytes);

/* Where the value stands in a text of lines "NAME: VALUE", of which NAME is one; NULL: none
 * is. It ends with its line. */
const char *procfs_field(const char *text, const char *name);

/* The same as a number; -1 if there is none. All that is read here is positive. */
int64_t procfs_number(const char *text, const char *name);

#endif
