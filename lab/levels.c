/* levels.c - a list in a matrix file. */
#include "lab/levels.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 3 }; /* numbers show how a list goes on */

static int add(struct levels *l, const struct document *d, const yaml_node_t *at, const char *what,
               const char *text, struct mistake *m)
{
    struct level *level = &l->item[l->count];

    if (l->count == NUMBERS_MAX)
        return document_mistake(d, at, m, "%s: more than %d levels", what, NUMBERS_MAX);
    if (strlen(text) >= sizeof level->text)
        return document_mistake(d, at, m, "%s: '%.40s...' is longer than %d characters", what, text,
                                LABEL_MAX - 1);
    if (strchr(text, ','))
        return document_mistake(d, at, m, "%s: a list stands in brackets: [%s]", what, text);
    strcpy(level->text, text);
    level->at = at;
    l->count++;
    return 0;
}

/* What multiplies into 64 bits. */
static int read_number(const struct level *level, const struct document *d, const char *what,
                       int64_t *out, struct mistake *m)
{
    struct numbers numbers;

    if (parse_numbers(what, level->text, 0, INT32_MAX, &numbers, m) < 0)
        return document_locate(d, level->at, m);
    if (numbers.count > 1)
        return document_mistake(d, level->at, m, "%s: '..' goes on from numbers, not from a range",
                                what);
    *out = numbers.item[0];
    return 0;
}

/* How a list goes on. */
struct series {
    int64_t step, factor; /* the next is the last times the factor plus the step */
};

/* Of `shown` numbers, two or three. */
static bool find_series(const int64_t *number, int shown, struct series *s)
{
    const int64_t *last = &number[shown - 1];

    *s = (struct series){ last[0] - last[-1], 1 };
    if (shown == SHOWN && last[-1] - last[-2] != s->step) {
        if (!last[-1] || !last[-2])
            return false;
        *s = (struct series){ 0, last[0] / last[-1] };
        return s->factor > 1 && last[-2] * s->factor == last[-1] && last[-1] * s->factor == last[0];
    }
    return s->step > 0;
}

static int add_series(struct levels *l, const struct document *d, const struct level *end,
                      const char *what, int64_t from, int64_t to, const struct series *s,
                      struct mistake *m)
{
    char text[24];

    for (int64_t next = from; next < to;) {
        next = next * s->factor + s->step;
        if (next > to)
            next = to;
        snprintf(text, sizeof text, "%lld", (long long)next);
        if (add(l, d, end->at, what, text, m) < 0)
            return -1;
    }
    return 0;
}

/* The list goes on to its last level, which is taken off and is the end. */
static int go_on(struct levels *l, const struct document *d, const char *what, struct mistake *m)
{
    struct level end = l->item[--l->count];
    int shown = l->count < SHOWN ? l->count : SHOWN;
    int64_t number[SHOWN], to;
    struct series series;

    if (shown < 2)
        return document_mistake(d, end.at, m,
                                "%s: '..' goes on from two or three numbers, as in "
                                "[1, 2, 4, .., 64]",
                                what);
    for (int i = 0; i < shown; i++)
        if (read_number(&l->item[l->count - shown + i], d, what, &number[i], m) < 0)
            return -1;
    if (read_number(&end, d, what, &to, m) < 0)
        return -1;
    if (!find_series(number, shown, &series))
        return document_mistake(d, end.at, m,
                                "%s: the numbers before '..' grow neither by equal "
                                "steps nor by equal factors",
                                what);
    /* On a small machine the end may be before what was shown. */
    while (shown && number[shown - 1] > to)
        shown--, l->count--;
    if (!shown)
        return add(l, d, end.at, what, end.text, m);
    return add_series(l, d, &end, what, number[shown - 1], to, &series, m);
}

int levels_read(struct levels *l, struct document *d, yaml_node_t *node, const char *what,
                struct mistake *m)
{
    int count = document_items(node);
    bool goes_on = false;

    l->count = 0;
    if (!count)
        return document_mistake(d, node, m, "%s: the list is empty", what);
    for (int i = 0; i < count; i++) {
        yaml_node_t *item = document_item(d, node, i);
        const char *text = document_text(d, item, "a word or a number", m);
        bool dots = text && strcmp(text, "..") == 0;

        if (!text)
            return -1;
        if (dots && (goes_on || i + 1 == count))
            return document_mistake(d, item, m, "%s: '..' wants a number behind it", what);
        if (!dots && (add(l, d, item, what, text, m) < 0 || (goes_on && go_on(l, d, what, m) < 0)))
            return -1;
        goes_on = dots;
    }
    return 0;
}

char *levels_join(const struct levels *l)
{
    char *text = malloc((size_t)l->count * LABEL_MAX), *end = text;

    for (int i = 0; text && i < l->count; i++) {
        if (i)
            *end++ = ',';
        end = stpcpy(end, l->item[i].text);
    }
    return text;
}
