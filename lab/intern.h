/* intern.h - one copy of each text, for as long as the process lives.
 *
 * Names and labels of a hundred thousand cells are a few dozen texts. Whoever holds
 * one need not own it. For one thread.
 */
#ifndef LAB_INTERN_H
#define LAB_INTERN_H

/* The one copy; equal texts give equal pointers. Ends the process if there is no memory. */
const char *intern(const char *text);

#endif
