/* junit.c - the sheet as JUnit's XML: one test suite, a test case for each check. */
#include "lab/grade/sheet.h"

#include "lab/output.h"

#include <stdio.h>

/* What XML 1.0 cannot hold becomes a question mark. */
static void print_text(const char *text, FILE *out)
{
    for (; text && *text; text++) {
        const unsigned char c = (unsigned char)*text;

        if (c == '<' || c == '>' || c == '&' || c == '"')
            fprintf(out, "&#%d;", c);
        else
            fputc((c < ' ' && c != '\n') || c > '~' ? '?' : c, out);
    }
}

static void print_case(const struct sheet *s, const struct finding *f, FILE *out)
{
    bool failed = f->result == RESULT_FAILED || f->result == RESULT_PARTLY;
    const char *element = failed ? "failure" : "skipped";

    fprintf(out, "  <testcase classname=\"");
    print_text(s->assignment->folder, out);
    fprintf(out, "\" name=\"");
    print_text(f->name, out);
    if (f->result == RESULT_PASSED) {
        fprintf(out, "\"/>\n");
        return;
    }
    fprintf(out, "\">\n    <%s message=\"%g of %g points, %s\">", element, f->score, f->points,
            result_names[f->result]);
    print_text(f->said, out);
    fprintf(out, "</%s>\n  </testcase>\n", element);
}

static int count(const struct sheet *s, bool failed)
{
    int sum = 0;

    for (int i = 0; i < s->findings; i++) {
        const enum result r = s->finding[i].result;

        sum += failed ? r == RESULT_FAILED || r == RESULT_PARTLY
                      : r == RESULT_SKIPPED || r == RESULT_AGAIN;
    }
    return sum;
}

int sheet_junit(const struct sheet *s, const char *path, struct mistake *m)
{
    struct output output;

    if (output_open(&output, path, true, m) < 0)
        return -1;
    fprintf(output.out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"");
    print_text(s->assignment->title, output.out);
    fprintf(output.out, "\" tests=\"%d\" failures=\"%d\" skipped=\"%d\">\n", s->findings,
            count(s, true), count(s, false));
    for (int i = 0; i < s->findings; i++)
        print_case(s, &s->finding[i], output.out);
    fprintf(output.out, "</testsuite>\n");
    return output_finish(&output, m);
}
