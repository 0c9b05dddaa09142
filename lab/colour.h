/* colour.h - colour where somebody looks, chosen by what it means.
 *
 * None where the stream is no terminal, where TERM is "dumb" or unset, and where NO_COLOR
 * is not empty (https://no-color.org). Colour only adds: the words say it too.
 */
#ifndef LAB_COLOUR_H
#define LAB_COLOUR_H

#include <stdio.h>

enum tone { TONE_PLAIN, TONE_HEADING, TONE_FAINT, TONE_GOOD, TONE_WARNING, TONE_BAD };

/* What to print so that the text that follows has this tone, TONE_PLAIN to end it; "" where
 * there is no colour. It takes no column, but printf counts it in a field's width. */
const char *colour(FILE *stream, enum tone tone);

#endif
