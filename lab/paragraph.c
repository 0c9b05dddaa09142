/* paragraph.c - text in lines that fit. */
#include "lab/paragraph.h"

#include <string.h>

void print_paragraph(const char *text, int indent, FILE *out)
{
    size_t column = 0;

    while (*text) {
        size_t length = strcspn(text, " \n");

        if (column && column + 1 + length > PARAGRAPH_WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        if (length)
            column += (size_t)fprintf(out, "%*s%.*s", column ? 1 : indent, "", (int)length, text);
        text += length;
        if (*text == '\n') {
            fputc('\n', out);
            column = 0;
        }
        text += *text != '\0';
    }
    if (column)
        fputc('\n', out);
}
