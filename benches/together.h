/* together.h - threads of a demonstration, which all begin at once.
 *
 * Each is attached and, where there are enough, on a processor of its own: on a busy machine
 * the kernel may else leave all on one, where they take turns and nothing races.
 */
#ifndef BENCHES_TOGETHER_H
#define BENCHES_TOGETHER_H

struct thread;

/* Runs `play(number, self, argument)` in `count` threads, at most 8, numbers from 0; under the
 * caller's lock, and with locked containers if its thread has them. The caller is attached, and
 * waits detached until all have ended. `play` returns 0, or -1 with an exception pending, which
 * is lost but for the fact. 0, or -1 with an exception pending. */
int together(int count, int (*play)(int number, struct thread *self, void *argument),
             void *argument);

#endif
