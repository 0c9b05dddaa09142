/* crossovers.c - where one way of running work overtakes another. */
#include "lab/crossovers.h"

#include "lab/json.h"
#include "lab/paragraph.h"
#include "lab/waiting.h"

#include <math.h>
#include <string.h>

enum { LEVELS_MAX = 64, WORDS_BYTES = 640, PLACE_BYTES = 200, INDENT = 4 };

/* One place on the axis, and how the one compares with the other there. */
struct level {
    int at; /* share of waiting, or how many in parallel */
    struct estimate ratio;
    enum standing standing;
};

/* A question. What is compared with what is for `other` to find: the point that a point of the
 * question's line is divided by, or NULL. */
struct question {
    const char *name, *asks, *of; /* of: what the figures in brackets are */
    const char *wants;            /* what a file must have that can answer it */
    quantity *compared;
    bool over_parallel;                 /* the axis; else it is the share of waiting */
    enum standing before;               /* on the near side; the other one is on the far side */
    const char *all_before, *all_after; /* of a line without a crossover, as it begins */
    const struct point *(*other)(const struct waiting *w, const struct point *p);
};

static bool has_mode(const struct point *p, const char *mode)
{
    return !strcmp(p->outcome->cell.mode, mode);
}

static bool is_unit(const struct point *p, const char *unit)
{
    const char *own = p->outcome->cell.execution_unit;
    size_t length = strcspn(own, ":"); /* then its parameters */

    return strlen(unit) == length && !strncmp(own, unit, length);
}

/* Where nobody shares a lock it cannot cost. */
static const struct point *without_lock(const struct waiting *w, const struct point *p)
{
    const struct cell *c = &p->outcome->cell;

    if (!has_mode(p, "gil") || p->parallel < 2 || (c->units && c->threads < 2) ||
        is_unit(p, "process") || is_unit(p, "interpreter"))
        return NULL;
    return waiting_find(w, p, "nolock", c->execution_unit, point_carriers(p));
}

/* Where everybody waits as much as was measured: there the unit's own costs are seen best. */
static const struct point *thread_in_place(const struct waiting *w, const struct point *p)
{
    int most = 0;

    if (is_unit(p, "thread") || is_unit(p, "process") || is_unit(p, "interpreter") ||
        !p->outcome->cell.safe)
        return NULL;
    for (size_t i = 0; i < w->count; i++)
        if (w->point[i].waits_percent > most && w->point[i].operation_us == p->operation_us)
            most = w->point[i].waits_percent;
    return p->waits_percent == most ? waiting_find(w, p, p->outcome->cell.mode, "thread", 0) : NULL;
}

static const struct point *apart(const struct waiting *w, const struct point *p)
{
    int most = 0;

    if (!is_unit(p, "thread") || !has_mode(p, "gil") || p->parallel < 2)
        return NULL;
    for (size_t i = 0; i < w->count; i++)
        if (is_unit(&w->point[i], "process") && point_carriers(&w->point[i]) > most)
            most = point_carriers(&w->point[i]);
    return waiting_find(w, p, "gil", "process", most);
}

static const struct question questions[] = {
    { "gil", "At what share of waiting does the GIL stop costing anything?",
      "the rate under gil, of that under nolock",
      "cpu_fraction under gil and nolock on two threads or more, at two shares of waiting",
      rate_of_window, false, LESS, "the GIL costs up to the most that was measured",
      "the GIL costs nothing at any share that was measured", without_lock },
    { "unit", "From how many in parallel does another unit take less processor time than a thread?",
      "the processor time for each operation, of that of threads",
      "cpu_fraction in threads and in another unit, with two counts that both have",
      cpu_per_operation, true, NOT_LESS, "it takes no less up to the most that was measured",
      "it takes less at every count that was measured", thread_in_place },
    { "process",
      "Up to what share of waiting do processes beat threads, in spite of their messages?",
      "the rate of threads under gil, of that of processes",
      "cpu_fraction under gil in threads and in processes, at two shares of waiting",
      rate_of_window, false, LESS, "processes do more up to the most that was measured",
      "processes do no more at any share that was measured", apart },
};

enum { QUESTIONS = sizeof questions / sizeof *questions };

/* A question of one line. */
struct answer {
    const struct question *question;
    const struct point *first; /* of the line */
    int count;
    struct level level[LEVELS_MAX];
    int before, after; /* indices; -1: there is no such level */
    bool told;
    char words[WORDS_BYTES];
};

/* Whether the two stand on one axis. */
static bool same_line(const struct question *q, const struct point *a, const struct point *b)
{
    if (by_line(a, b))
        return false;
    return q->over_parallel ? a->waits_percent == b->waits_percent : a->parallel == b->parallel;
}

static void add_level(struct answer *a, const struct point *p, const struct point *other,
                      double margin)
{
    struct level *level = &a->level[a->count++];

    level->at = a->question->over_parallel ? p->parallel : p->waits_percent;
    level->ratio = ratio_of(p->outcome, other->outcome, a->question->compared);
    level->standing = standing_of(&level->ratio, margin);
}

/* From `after` on every level is on the far side; `before` is the last on the near one. */
static void find_crossover(struct answer *a)
{
    enum standing before = a->question->before, far = before == LESS ? NOT_LESS : LESS;

    a->after = a->before = -1;
    for (int i = a->count; i-- > 0 && a->level[i].standing == far;)
        a->after = i;
    for (int i = 0; i < (a->after < 0 ? a->count : a->after); i++)
        if (a->level[i].standing == before)
            a->before = i;
    a->told = a->after == 0 || a->before >= 0;
    if (a->after < 0)
        a->told = a->before == a->count - 1;
}

/* "50 % of waiting: 0.61 (0.58 to 0.66)" */
static const char *place(const struct answer *a, int i, char text[PLACE_BYTES])
{
    char ratio[64];

    snprintf(text, PLACE_BYTES, "%d%s [%s]", a->level[i].at,
             a->question->over_parallel ? " in parallel" : " % of waiting",
             ratio_words(&a->level[i].ratio, ratio, sizeof ratio));
    return text;
}

/* Of what is not told: the level that hides it. */
static int hidden_at(const struct answer *a)
{
    return a->after < 0 ? a->count - 1 : a->after - 1;
}

static void say_hidden(struct answer *a, double margin)
{
    int i = hidden_at(a);
    const struct estimate *ratio = &a->level[i].ratio;
    char here[PLACE_BYTES], there[PLACE_BYTES] = "";

    place(a, i, here);
    if (a->after > 0)
        place(a, a->after, there);
    if (ratio->count && standing_of(ratio, margin) == CANNOT_TELL && ratio->count < 5)
        snprintf(a->words, WORDS_BYTES,
                 "cannot tell: at %s there are %zu windows, and it takes five", here, ratio->count);
    else if (a->after > 0)
        snprintf(
            a->words, WORDS_BYTES,
            "cannot tell where: from %s on the far side is reached, but below, at %s, the interval "
            "leaves open whether it is",
            there, here);
    else
        snprintf(a->words, WORDS_BYTES,
                 "cannot tell: at %s, the most that was measured, the interval leaves it open",
                 here);
}

/* The last level on the far side of a line that does not stay there; -1: there is none. */
static int far_at(const struct answer *a)
{
    enum standing far = a->question->before == LESS ? NOT_LESS : LESS;
    int i = a->count - 1;

    while (i >= 0 && a->level[i].standing != far)
        i--;
    return i;
}

static void say(struct answer *a, double margin)
{
    char here[PLACE_BYTES], there[PLACE_BYTES];

    if (!a->told)
        say_hidden(a, margin);
    else if (a->after < 0 && far_at(a) >= 0)
        snprintf(a->words, WORDS_BYTES,
                 "none that holds: the far side is reached at %s, and left again at %s, the most that "
                 "was measured",
                 place(a, far_at(a), here), place(a, a->before, there));
    else if (a->after < 0)
        snprintf(a->words, WORDS_BYTES, "%s, %s", a->question->all_before,
                 place(a, a->before, here));
    else if (a->after == 0)
        snprintf(a->words, WORDS_BYTES, "%s, from %s to %s", a->question->all_after,
                 place(a, 0, here), place(a, a->count - 1, there));
    else
        snprintf(a->words, WORDS_BYTES, "between %s and %s", place(a, a->before, here),
                 place(a, a->after, there));
}

/* Of the question and the line of this point; the number of levels. */
static int answer_line(const struct waiting *w, const struct question *q, const struct point *first,
                       double margin, struct answer *a)
{
    *a = (struct answer){ .question = q, .first = first };
    for (size_t i = 0; i < w->count && a->count < LEVELS_MAX; i++) {
        const struct point *p = &w->point[i], *other;

        if (same_line(q, first, p) && (other = q->other(w, p)) != NULL)
            add_level(a, p, other, margin);
    }
    if (a->count) {
        find_crossover(a);
        say(a, margin);
    }
    return a->count;
}

/* Whether an earlier point has had this line. */
static bool begins(const struct waiting *w, const struct question *q, const struct point *p)
{
    for (const struct point *earlier = w->point; earlier < p; earlier++)
        if (same_line(q, earlier, p))
            return false;
    return true;
}

/* Calls `take` with each answer of at least two levels; how many there were. */
static int each_answer(const struct waiting *w, const struct question *q, double margin,
                       void (*take)(const struct answer *a, void *with), void *with)
{
    struct answer a;
    int answers = 0;

    for (size_t i = 0; i < w->count; i++)
        if (begins(w, q, &w->point[i]) && answer_line(w, q, &w->point[i], margin, &a) > 1) {
            take(&a, with);
            answers++;
        }
    return answers;
}

/* "thread, gil, 16 in parallel" */
static void print_answer(const struct answer *a, void *out)
{
    const struct cell *c = &a->first->outcome->cell;
    char text[WORDS_BYTES + 3 * LABEL_MAX], line[LABEL_MAX + 32];
    int used =
        snprintf(text, sizeof text, "%s, %s, %d%s", line_words(a->first, line, sizeof line),
                 c->mode, a->question->over_parallel ? a->first->waits_percent : a->first->parallel,
                 a->question->over_parallel ? " % of waiting" : " in parallel");

    if (a->first->operation_us != 1000)
        used += snprintf(text + used, sizeof text - (size_t)used, ", operations of %d us",
                         a->first->operation_us);
    snprintf(text + used, sizeof text - (size_t)used, ": %s.", a->words);
    print_paragraph(text, INDENT, out);
}

static void print_question(const struct waiting *w, const struct question *q, double margin,
                           FILE *out)
{
    char text[WORDS_BYTES];

    snprintf(text, sizeof text, "%s In brackets: %s.", q->asks, q->of);
    fputc('\n', out);
    print_paragraph(text, 0, out);
    if (!each_answer(w, q, margin, print_answer, out)) {
        snprintf(text, sizeof text, "Not in this file: it takes %s.", q->wants);
        print_paragraph(text, INDENT, out);
    }
}

static void print_all(const struct waiting *w, double margin, FILE *out)
{
    char text[WORDS_BYTES];

    for (int i = 0; i < QUESTIONS; i++)
        print_question(w, &questions[i], margin, out);
    snprintf(
        text, sizeof text,
        "A ratio is of pairs of windows of one block, its interval with 93 %% confidence or more. "
        "What lies within %.1f %% of 1 counts as no difference: the noise floor, and at least 5 "
        "%%. The crossover lies between the two levels; where, was not measured.",
        100 * margin);
    fputc('\n', out);
    print_paragraph(text, 0, out);
}

void show_crossovers(const struct results *r, FILE *out)
{
    struct waiting w;
    char why[120];
    double margin = waiting_margin(r, why, sizeof why);

    if (waiting_init(&w, r) < 0)
        fputs("no memory\n", out);
    else if (margin < 0)
        fprintf(out, "\nCannot tell: %s.\n", why);
    else {
        print_all(&w, margin, out);
        if (results_simulated(r))
            fprintf(out, "The machine was simulated: %d cores that are not there.\n", r->cores);
    }
    waiting_free(&w);
}

static json_t *level_json(const struct answer *a, int i)
{
    static const char *const standings[] = { "cannot tell", "less", "not less" };
    const struct level *level;
    const struct estimate *e;

    if (i < 0)
        return json_null();
    level = &a->level[i];
    e = &level->ratio;
    return json_pack("{s:i, s:o, s:o, s:o, s:I, s:s}", "at", level->at, "ratio",
                     json_finite(e->count ? e->median : NAN), "low",
                     json_finite(e->count ? e->low : NAN), "high",
                     json_finite(e->count ? e->high : NAN), "windows", (json_int_t)e->count,
                     "standing", standings[level->standing]);
}

static void add_json(const struct answer *a, void *with)
{
    json_t **array = with, *levels = json_array();
    const struct cell *c = &a->first->outcome->cell;
    bool over_parallel = a->question->over_parallel;

    for (int i = 0; i < a->count && levels; i++)
        levels = json_with(levels, level_json(a, i));
    *array = json_with(
        *array,
        json_pack("{s:s, s:o, s:b, s:o, s:o, s:i, s:o, s:o, s:i, s:o, s:o, s:o}", "question",
                  a->question->name, "words", json_text(a->words), "told", a->told, "unit",
                  json_text(c->execution_unit), "mode", json_text(c->mode), "carriers",
                  point_carriers(a->first), "parallel",
                  over_parallel ? json_null() : json_integer(a->first->parallel), "waits_percent",
                  over_parallel ? json_integer(a->first->waits_percent) : json_null(),
                  "operation_us", a->first->operation_us, "before",
                  level_json(a, a->told ? a->before : -1), "after",
                  level_json(a, a->told ? a->after : -1), "levels", levels));
}

json_t *crossovers_json(const struct results *r)
{
    json_t *array = json_array();
    struct waiting w;
    char why[120];
    double margin = waiting_margin(r, why, sizeof why);

    if (waiting_init(&w, r) == 0 && margin >= 0)
        for (int i = 0; i < QUESTIONS; i++)
            each_answer(&w, &questions[i], margin, add_json, &array);
    waiting_free(&w);
    return array;
}
