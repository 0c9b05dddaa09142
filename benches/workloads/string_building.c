/* string_building.c - a text is built in two ways: word by word, and by one join.
 *
 * `text = text + word` copies all that is there each time, into a block of another size; a
 * join allocates once, for which a list of all words must stand first. Numbers are turned
 * into strs on the way. What programs that write HTML, JSON or logs do all day.
 */
#include "benches/workload.h"
#include "objects/exception.h"
#include "objects/int.h"
#include "objects/list.h"
#include "objects/str.h"

enum { WORDS = 32, BUILDS = 2 };
enum { LENGTH = 86 }; /* "0 1 2 ... 31 " */
static const uint32_t known_checksum = 0x2d9ad881;

static struct object *make_word(int number)
{
    struct object *o = int_new(number), *digits = o ? str_of_number(o) : NULL;

    xdecref(o);
    return digits;
}

/* text + word + separator */
static struct object *add_word(struct object *text /* steals */, borrowed word,
                               borrowed separator)
{
    struct object *longer = str_concat(text, word), *whole = NULL;

    decref(text);
    if (longer)
        whole = str_concat(longer, separator);
    xdecref(longer);
    return whole;
}

static struct object *concatenate(struct thread *t, borrowed separator)
{
    struct object *text = str_new("");

    for (int i = 0; i < WORDS && text; i++) {
        struct object *word = make_word(i);

        if (word) {
            text = add_word(text, word, separator);
            decref(word);
        } else {
            decref(text);
            text = NULL;
        }
        safepoint(t);
    }
    return text;
}

static int append_word(borrowed list, struct object *word /* steals; may be NULL */)
{
    int result = word ? list_append(list, word) : -1;

    xdecref(word);
    return result;
}

/* An empty word at the end, so that a separator follows the last one here, too. */
static struct object *join(struct thread *t, borrowed separator)
{
    struct object *list = list_new(), *text = NULL;
    int result = list ? 0 : -1;

    for (int i = 0; i < WORDS && result == 0; i++) {
        result = append_word(list, make_word(i));
        safepoint(t);
    }
    if (result == 0 && append_word(list, str_new("")) == 0)
        text = str_join(separator, list);
    xdecref(list);
    return text;
}

/* FNV-1a (G. Fowler, L. Noll, K.-P. Vo, 1991): a letter in another place is another sum. */
static uint32_t checksum(borrowed text)
{
    uint32_t sum = 2166136261u;

    for (const char *c = str_text(text); *c; c++)
        sum = (sum ^ (unsigned char)*c) * 16777619u;
    return sum;
}

static int expect_text(struct object *text /* steals; may be NULL */)
{
    size_t length;
    uint32_t sum;

    if (!text)
        return -1;
    length = str_length(text);
    sum = checksum(text);
    decref(text);
    if (length == LENGTH && sum == known_checksum)
        return 0;
    exception_set(&runtime_error, "a text of %zu bytes, checksum %08x", length, sum);
    return -1;
}

static int begin(struct worker *w)
{
    w->state = str_new(" ");
    return w->state ? 0 : -1;
}

static int step(struct worker *w)
{
    if (expect_text(concatenate(w->thread, w->state)) < 0 ||
        expect_text(join(w->thread, w->state)) < 0)
        return -1;
    worker_count(w, BUILDS);
    return 0;
}

static void end(struct worker *w)
{
    xdecref(w->state);
}

const struct workload workload_string_building = {
    .about = "a text is built in two ways: word by word, and by one join",
    .unit = "text", .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .roles = { { .name = "worker", .per_thread = 1, .begin = begin, .step = step, .end = end } },
};
