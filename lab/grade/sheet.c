/* sheet.c - points, and the sheet as people read it. */
#include "lab/grade/sheet.h"

#include "lab/colour.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const result_names[] = { "passed", "partly", "failed", "not looked at", "run again" };

/* A compiler quotes what stands in a file, and that could do things to a terminal. */
static void make_harmless(char *text)
{
    for (; *text; text++)
        if ((*text < ' ' || *text > '~') && !strchr("\t\n", *text))
            *text = '?';
}

struct finding *sheet_add(struct sheet *s, const char *name, double points, double share,
                          enum result result, const char *format, ...)
{
    struct finding *f = &s->finding[s->findings++];
    va_list arguments;

    /* Whole tenths: what is printed is what is summed. */
    *f = (struct finding){
        .name = name, .points = points, .result = result, .score = round(10 * points * share) / 10
    };
    va_start(arguments, format);
    if (format && vasprintf(&f->said, format, arguments) < 0)
        f->said = NULL;
    va_end(arguments);
    if (f->said)
        make_harmless(f->said);
    return f;
}

double slope(double value, double full, double zero)
{
    if (value <= full)
        return 1;
    return value < zero ? (zero - value) / (zero - full) : 0;
}

double sheet_score(const struct sheet *s)
{
    double sum = 0;

    for (int i = 0; i < s->findings; i++)
        sum += s->finding[i].score;
    return sum;
}

bool sheet_again(const struct sheet *s)
{
    for (int i = 0; i < s->findings; i++)
        if (s->finding[i].result == RESULT_AGAIN)
            return true;
    return false;
}

void sheet_free(struct sheet *s)
{
    for (int i = 0; i < s->findings; i++) {
        free(s->finding[i].said);
        json_decref(s->finding[i].data);
    }
}

static void print_said(const char *said, FILE *out)
{
    for (const char *line = said, *end; line && *line; line = *end ? end + 1 : end) {
        end = strchrnul(line, '\n');
        fprintf(out, "      %.*s\n", (int)(end - line), line);
    }
}

static void print_finding(const struct finding *f, FILE *out)
{
    bool bad = f->result == RESULT_FAILED || f->result == RESULT_PARTLY;

    fprintf(out, "  %s%-13s%s ", colour(out, bad ? TONE_BAD : TONE_PLAIN), result_names[f->result],
            colour(out, TONE_PLAIN));
    if (f->result == RESULT_AGAIN)
        fprintf(out, "   ? of %3g", f->points);
    else if (f->points > 0)
        fprintf(out, "%4g of %3g", f->score, f->points);
    else
        fprintf(out, "%11s", "");
    fprintf(out, "  %s\n", f->name);
    print_said(f->said, out);
}

void sheet_print(const struct sheet *s, FILE *out)
{
    fprintf(out, "%s: %s, seed %llu\n%s\n", s->assignment->title, s->submission,
            (unsigned long long)s->seed, s->confined);
    for (int i = 0; i < s->findings; i++)
        print_finding(&s->finding[i], out);
    if (sheet_again(s))
        fprintf(out,
                "Run again: %g of %g points so far, and the machine could not judge the rest.\n",
                sheet_score(s), assignment_points(s->assignment));
    else
        fprintf(out, "Score: %g of %g\n", sheet_score(s), assignment_points(s->assignment));
}
