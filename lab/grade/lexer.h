/* lexer.h - so much of C as is needed to see what a file may not say.
 *
 * Not a compiler's: it knows comments, literals, spliced lines, directives and identifiers.
 */
#ifndef LAB_GRADE_LEXER_H
#define LAB_GRADE_LEXER_H

#include <stdbool.h>
#include <stddef.h>

/* Makes blanks of comments and of what stands in literals, but for a file's name behind
 * #include, or in a line marker; joins lines that end in a backslash. The text may get shorter. */
void lexer_strip(char *text);

/* The next identifier from *at on, which moves behind it; its length goes to *length. NULL: there
 * is none before `end`. In a stripped text. */
const char *lexer_identifier(const char **at, const char *end, size_t *length);

/* Whether `name` is the identifier of that length. */
bool lexer_is(const char *identifier, size_t length, const char *name);

#endif
