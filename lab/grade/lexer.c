/* lexer.c - comments, literals and identifiers of C. */
#include "lab/grade/lexer.h"

#include <ctype.h>
#include <string.h>

static const char blanks[] = " \t\f\v\r";

/* A backslash at a line's end goes with that; blanks between them change nothing for gcc. */
static void splice(char *text)
{
    char *to = text;

    for (const char *from = text; *from;) {
        const size_t blank = *from == '\\' ? strspn(from + 1, blanks) : 0;

        if (*from == '\\' && from[1 + blank] == '\n')
            from += 2 + blank;
        else
            *to++ = *from++;
    }
    *to = '\0';
}

/* Behind a literal that begins at `at`; what is in it becomes blanks. A line ends it, too. */
static char *blank_literal(char *at, bool keep)
{
    const char quote = *at++;

    for (; *at && *at != quote && *at != '\n'; at++) {
        if (at[0] == '\\' && at[1] && at[1] != '\n') {
            at[0] = at[1] = ' ';
            at++;
        } else if (!keep) {
            *at = ' ';
        }
    }
    return *at == quote ? at + 1 : at;
}

static char *blank_until(char *at, const char *mark, size_t with)
{
    char *end = strstr(at, mark);

    end = end ? end + with : at + strlen(at);
    for (; at < end; at++)
        if (*at != '\n')
            *at = ' ';
    return at;
}

/* Whether the line up to here is `#include`, or the compiler's `# 12`. */
static bool names_a_file(const char *line, const char *at)
{
    line += strspn(line, blanks);
    if (*line != '#' && strncmp(line, "%:", 2))
        return false;
    line += *line == '#' ? 1 : 2;
    line += strspn(line, blanks);
    return line < at && (isdigit((unsigned char)*line) || strncmp(line, "include", 7) == 0);
}

void lexer_strip(char *text)
{
    const char *line = text;
    char *at = text;

    splice(text);
    while (*at) {
        if (at[0] == '/' && at[1] == '*')
            at[0] = at[1] = ' ', at = blank_until(at + 2, "*/", 2);
        else if (at[0] == '/' && at[1] == '/')
            at = blank_until(at, "\n", 0);
        else if (*at == '"' || *at == '\'')
            at = blank_literal(at, names_a_file(line, at));
        else if (*at++ == '\n')
            line = at;
    }
}

static bool in_identifier(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

const char *lexer_identifier(const char **at, const char *end, size_t *length)
{
    const char *c = *at, *begin;

    for (;;) {
        while (c < end && !in_identifier(*c))
            c++;
        for (begin = c; c < end && in_identifier(*c);)
            c++;
        *at = c;
        *length = (size_t)(c - begin);
        if (!*length)
            return NULL;
        if (!isdigit((unsigned char)*begin)) /* that is a number, with its suffix */
            return begin;
    }
}

bool lexer_is(const char *identifier, size_t length, const char *name)
{
    return strlen(name) == length && memcmp(identifier, name, length) == 0;
}
