/* paragraph.h - text in lines that fit. */
#ifndef LAB_PARAGRAPH_H
#define LAB_PARAGRAPH_H

#include <stdio.h>

enum { PARAGRAPH_WIDTH = 100 };

/* Prints `text` in lines of at most so many columns, of which the first `indent` are empty; broken
 * between words, and where the text is. Ends the last line, if it has not ended. */
void print_paragraph(const char *text, int indent, FILE *out);

#endif
