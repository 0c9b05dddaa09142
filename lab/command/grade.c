/* grade.c - `lab grade`: what a submission gets, and why. */
#include "lab/command.h"

#include "lab/grade/ending.h"
#include "lab/grade/judge.h"
#include "lab/options.h"
#include "lab/output.h"
#include "lab/parse.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct options {
    const char *assignment, *results, *junit;
    int64_t seed;
    bool student, quiet;
};

enum { STATUS_AGAIN = 3 };

static const struct argp_option options[] = {
    { "assignment", 'a', "NN", 0, "of which assignment (that in whose folder DIR lies)", 0 },
    { "seed", 's', "N", 0, "of hidden inputs and schedules (what follows from the files)", 0 },
    { "results", 'r', "FILE", 0, "write results.json for Gradescope there, too", 0 },
    { "junit", 'j', "FILE", 0, "write JUnit's XML there, too", 0 },
    { "student", 't', NULL, 0, "commands are for the student's own tree, and not for DIR", 0 },
    { "quiet", 'q', NULL, 0, "do not say what is looked at meanwhile", 0 },
    { 0 },
};

static int take(void *input, int key, char *value, struct mistake *m)
{
    struct options *o = input;

    switch (key) {
    case 'a':
        o->assignment = value;
        return 0;
    case 's':
        return parse_number("--seed", value, 1, INT64_MAX, &o->seed, m);
    case 'r':
        o->results = value;
        return output_check("--results", value, true, m);
    case 'j':
        o->junit = value;
        return output_check("--junit", value, true, m);
    case 't':
        o->student = true;
        return 0;
    default:
        o->quiet = true;
        return 0;
    }
}

/* A folder that is, or lies in, that of an assignment says of which it is. */
static int find_assignment(const struct options *o, const char *folder, struct assignment *a,
                           struct mistake *m)
{
    char above[PATH_MAX];

    if (o->assignment)
        return assignment_read(a, o->assignment, m);
    snprintf(above, sizeof above, "%s", folder);
    for (;;) {
        char yaml[PATH_MAX + 32], *slash;

        snprintf(yaml, sizeof yaml, "%s/assignment.yaml", above);
        if (access(yaml, R_OK) == 0)
            return assignment_read(a, above, m);
        slash = strrchr(above, '/');
        if (!slash || slash == above)
            return mistake_set(m, "of which assignment is '%.200s'? --assignment 02 says so",
                               folder);
        *slash = '\0';
    }
}

static int find_all(const struct options *o, const char *folder, struct assignment *a,
                    struct mistake *m)
{
    if (access("Makefile", R_OK) || access("lab/assignments", R_OK))
        return mistake_set(m, "run it in the root of the lab's tree, which builds the submission");
    if (access(folder, R_OK | X_OK))
        return mistake_set(m, "there is no folder '%.200s' to grade", folder);
    return find_assignment(o, folder, a, m);
}

static int write_all(const struct options *o, const struct sheet *sheet, const char *command)
{
    struct mistake m;

    sheet_print(sheet, stdout);
    if ((o->results && sheet_gradescope(sheet, o->results, &m) < 0) ||
        (o->junit && sheet_junit(sheet, o->junit, &m) < 0)) {
        fprintf(stderr, "%s: %s\n", command, m.text);
        return 1;
    }
    return sheet_again(sheet) ? STATUS_AGAIN : 0;
}

static int run(const struct command *self, int argc, char **argv)
{
    static struct assignment assignment;
    struct options o = { 0 };
    const char *folder = argv[options_parse(self, argc, argv, &o)];
    struct sheet sheet = { .assignment = &assignment, .submission = folder };
    struct mistake m;
    int status;

    if (find_all(&o, folder, &assignment, &m) < 0)
        mistake_exit(argv[0], &m);
    sheet.seed = (uint64_t)o.seed;
    sheet.typed = o.student ? assignment.folder : folder;
    ending_heed();
    if (geteuid() == 0)
        umask(022); /* user nobody runs what is built */
    if (judge_submission(&sheet, folder, !o.quiet && isatty(STDERR_FILENO), &m) < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], m.text);
        status = 1;
    } else if (ending_signal) {
        fprintf(stderr, "%s: interrupted, and nothing was judged\n", argv[0]);
        status = 128 + ending_signal;
    } else {
        status = write_all(&o, &sheet, argv[0]);
    }
    sheet_free(&sheet);
    assignment_free(&assignment);
    return status;
}

static const struct explained examples[] = {
    { "lab grade lab/assignments/04-write-the-interval-gil", "what you have written so far" },
    { "lab grade /autograder/submission -a 04 --results results.json", "as Gradescope wants it" },
    { NULL, NULL },
};

static const struct explained statuses[] = {
    { "3", "the machine was too noisy to judge speed, or could not run it: run it again" },
    { "130", "interrupted, and nothing was judged" },
    { NULL, NULL },
};

const struct command command_grade = {
    .about = "grade a submission of an assignment",
    .doc =
        "Grades what was written for an assignment, in the root of the lab's tree. First come the "
        "rules, then tests under sanitizers and disturbed schedules, then counts, then speed as "
        "a ratio to the lab's own, which is measured beside it. It says of each check what was "
        "observed, and of a test one command that shows it again. docs/course.md says more.",
    .options = options,
    .take = take,
    .arguments = "DIR",
    .least = 1,
    .most = 1,
    .examples = examples,
    .statuses = statuses,
    .run = run,
};
