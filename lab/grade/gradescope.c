/* gradescope.c - results.json as Gradescope reads it (its page "Autograder specifications"). */
#include "lab/grade/sheet.h"

#include "lab/json.h"
#include "lab/output.h"

#include <stdio.h>

/* What could not be judged has neither status nor score: it is no failure. */
static json_t *test_json(const struct finding *f, int number)
{
    json_t *test =
        json_pack("{s:o, s:o, s:f, s:s, s:o}", "number", json_sprintf("%d", number), "name",
                  json_text(f->name), "max_score", f->points, "visibility", "visible", "output",
                  json_text(f->said ? f->said : result_names[f->result]));

    if (!test || f->result == RESULT_AGAIN)
        return test;
    json_object_set_new(test, "score", json_finite(f->score));
    json_object_set_new(test, "status",
                        json_string(f->result == RESULT_PASSED ? "passed" : "failed"));
    if (f->data)
        json_object_set(test, "extra_data", f->data);
    return test;
}

static json_t *tests_json(const struct sheet *s)
{
    json_t *array = json_array();

    for (int i = 0; i < s->findings; i++)
        array = json_with(array, test_json(&s->finding[i], i));
    return array;
}

/* The board ranks what was measured, of those that passed all gates. */
static json_t *board_json(const struct sheet *s)
{
    json_t *array = json_with(json_array(), json_pack("{s:s, s:o}", "name", "score", "value",
                                                      json_finite(sheet_score(s))));

    for (int i = 0; i < s->findings; i++) {
        json_t *ratio = json_object_get(s->finding[i].data, "slowdown");

        if (ratio && s->finding[i].result != RESULT_AGAIN)
            array =
                json_with(array, json_pack("{s:o, s:O, s:s}", "name", json_text(s->finding[i].name),
                                           "value", ratio, "order", "asc"));
    }
    return array;
}

int sheet_gradescope(const struct sheet *s, const char *path, struct mistake *m)
{
    json_t *data =
        json_pack("{s:o, s:o, s:b, s:o}", "seed", json_sprintf("%llu", (unsigned long long)s->seed),
                  "confined", json_text(s->confined), "run_again", sheet_again(s), "assignment",
                  json_text(s->assignment->folder));
    json_t *all = json_pack(
        "{s:o, s:o, s:s, s:s, s:o, s:o, s:o}", "score", json_finite(sheet_score(s)), "output",
        json_text(sheet_again(s)
                      ? "Run again: the machine could not judge all of it. Nothing was failed for "
                        "that, and the score is what was had so far."
                      : "Each line below says what was observed, and how to see it again."),
        "visibility", "visible", "stdout_visibility", "hidden", "tests", tests_json(s),
        "leaderboard", board_json(s), "extra_data", data);
    struct output output;
    int status = all ? 0 : mistake_set(m, "no memory for %.300s", path);

    if (status == 0 && (status = output_open(&output, path, true, m)) == 0) {
        json_dumpf(all, output.out, JSON_INDENT(2));
        status = output_finish(&output, m);
    }
    json_decref(all);
    return status;
}
