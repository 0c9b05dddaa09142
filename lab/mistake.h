/* mistake.h - what a user got wrong, in one line.
 *
 * Whoever reads a command line fills a mistake and returns -1; the command prints it
 * and ends with status 2 before anything has run. The line says what was wrong and
 * what would be right.
 */
#ifndef LAB_MISTAKE_H
#define LAB_MISTAKE_H

struct mistake {
    char text[1024]; /* one line without its end; cut if it is longer */
};

/* Always -1. What the user typed may hold anything: control characters, a line's end
 * among them, become question marks. */
__attribute__((format(printf, 2, 3)))
int mistake_set(struct mistake *m, const char *format, ...);

/* Prints "COMMAND: TEXT" on standard error; ends the process with status 2. */
_Noreturn void mistake_exit(const char *command, const struct mistake *m);

#endif
