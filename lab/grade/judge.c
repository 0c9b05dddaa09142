/* judge.c - one check after the other. */
#include "lab/grade/judge.h"

#include "lab/grade/ending.h"
#include "lab/grade/rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int judge_folders(const struct assignment *a, char folder[WORDS_MOST][32])
{
    const char *slash = strrchr(a->file[0].path, '/'), *at = a->policies;
    const char *name = slash ? slash + 1 : a->file[0].path;
    int count = 0, length;

    if (a->work == WORK_LOCK)
        strcpy(folder[count++], "once");
    else if (a->work == WORK_POLICY)
        snprintf(folder[count++], 32, "%.*s", (int)strcspn(name, "."), name);
    else
        for (; count < WORDS_MOST && sscanf(at, "%31s%n", folder[count], &length) == 1;
             at += length)
            count++;
    return count;
}

static void say_progress(const struct judge *j, const char *what)
{
    if (j->progress)
        fprintf(stderr, "  ... %s\n", what);
}

static bool look_at_rules(struct judge *j)
{
    char *said;
    enum result result;

    say_progress(j, "the rules");
    result = rules_look(&j->submission, &said);
    sheet_add(j->sheet, "the rules", 0, 0, result, said ? "%s" : NULL, said);
    free(said);
    return result == RESULT_PASSED;
}

static void look_at_checks(struct judge *j, bool open)
{
    const struct assignment *a = j->sheet->assignment;

    for (int i = 0; i < a->checks && !ending_signal; i++) {
        const struct check *c = &a->check[i];

        if (!open) {
            sheet_add(j->sheet, c->name, c->points, 0, RESULT_SKIPPED, NULL);
            continue;
        }
        say_progress(j, c->name);
        if (!(c->choice ? judge_choice : c->speed ? judge_speed : judge_test)(j, c) && c->gate)
            open = false;
    }
}

int judge_submission(struct sheet *sheet, const char *folder, bool progress, struct mistake *m)
{
    struct judge j = { .sheet = sheet, .progress = progress };
    struct mistake wrong;
    int taken = submission_take(&j.submission, sheet->assignment, folder, &wrong);
    int status = 0;

    if (taken < 0 || prison_open(&j.prison, j.submission.home) < 0) {
        status = mistake_set(m, "cannot write what is needed to build it: %s", strerror(errno));
    } else {
        memcpy(sheet->confined, j.prison.how, sizeof sheet->confined);
        if (!sheet->seed)
            sheet->seed = j.submission.hash >> 33;
        if (taken > 0)
            sheet_add(sheet, "the rules", 0, 0, RESULT_FAILED, "%s", wrong.text);
        look_at_checks(&j, taken == 0 && look_at_rules(&j));
    }
    prison_close(&j.prison);
    submission_drop(&j.submission);
    return status;
}
