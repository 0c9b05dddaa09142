/* sites.c - asks addr2line, once for all addresses, and reads what it says. */
#include "lab/sites.h"

#include "gil/mutex.h"
#include "lab/process.h"

#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ADDRESS_BYTES = 20, TIME_S = 20, OUTPUT_BYTES = 16 << 20 };

/* The addresses that are asked for, and what was said of each. */
struct question {
    uintptr_t *address;  /* owned; sorted, each once; the first `count` */
    const char **answer; /* owned; of each, into what was said: pairs of lines; NULL: nothing */
    size_t count, room;
    uintptr_t bias; /* where the program stands beyond the addresses in its file */
    char root[256]; /* of the source, as the compiler was told; ends with a slash */
    struct process_report report;
};

static int take_bias(struct dl_phdr_info *info, size_t size, void *bias)
{
    (void)size;
    *(uintptr_t *)bias = info->dlpi_addr;
    return 1; /* the first is the program itself */
}

static int by_address(const void *a, const void *b)
{
    uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;

    return (x > y) - (x < y);
}

/* In the file, and within the call: behind it stands what may belong to another line. */
static uintptr_t in_file(const struct question *q, const void *frame)
{
    return (uintptr_t)frame - 1 - q->bias;
}

/* One of our own, by which the source's root is found. */
static uintptr_t own_address(const struct question *q)
{
    return (uintptr_t)sites_name + 1 - q->bias;
}

static int collect(struct question *q, const struct site *site, size_t count)
{
    size_t kept = 0;

    q->room = 1;
    for (size_t i = 0; i < count; i++)
        q->room += site[i].frames;
    q->address = calloc(q->room, sizeof *q->address);
    q->answer = calloc(q->room, sizeof *q->answer);
    if (!q->address || !q->answer)
        return -1;
    q->address[q->count++] = own_address(q);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < site[i].frames; k++)
            q->address[q->count++] = in_file(q, site[i].frame[k]);
    qsort(q->address, q->count, sizeof *q->address, by_address);
    for (size_t i = 0; i < q->count; i++)
        if (!kept || q->address[kept - 1] != q->address[i])
            q->address[kept++] = q->address[i];
    q->count = kept;
    return 0;
}

/* Its words: the program by our number, for its /proc/self is another. */
static int ask(struct question *q)
{
    static const volatile int never;
    static const struct process_limits limits = { (uint64_t)TIME_S * NS_PER_S, 0, OUTPUT_BYTES };
    const char *const head[] = { "env", "addr2line", "-a", "-f", "-i", "-e" };
    enum { HEAD = sizeof head / sizeof *head };
    const char **words = calloc(HEAD + q->count + 2, sizeof *words);
    char(*text)[ADDRESS_BYTES] = calloc(q->count, sizeof *text);
    char self[32];
    int status = -1;

    if (words && text) {
        memcpy(words, head, sizeof head);
        snprintf(self, sizeof self, "/proc/%d/exe", (int)getpid());
        words[HEAD] = self;
        for (size_t i = 0; i < q->count; i++) {
            snprintf(text[i], sizeof text[i], "0x%zx", (size_t)q->address[i]);
            words[HEAD + 1 + i] = text[i];
        }
        process_run(&(struct program){ "/usr/bin/env", (char *const *)words, environ }, &limits,
                    &never, &q->report);
        status = q->report.end == PROCESS_ENDED && q->report.wait_status == 0 ? 0 : -1;
    }
    free(words);
    free(text);
    return status;
}

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');

    return end ? end + 1 : line + strlen(line);
}

static const char **answer_of(struct question *q, uintptr_t address)
{
    const uintptr_t *found =
        bsearch(&address, q->address, q->count, sizeof *q->address, by_address);

    return found ? &q->answer[found - q->address] : NULL;
}

/* "0x12ab", then pairs of lines, a function's name and FILE:LINE, from the innermost of what
 * was inlined outwards. No name begins with a digit. */
static void read_answers(struct question *q)
{
    const char *line = q->report.out.bytes;

    while (*line) {
        if (line[0] == '0') {
            const char **answer = answer_of(q, (uintptr_t)strtoull(line, NULL, 16));

            if (answer)
                *answer = next_line(line);
        }
        line = next_line(line);
    }
}

static void find_root(struct question *q)
{
    const char **own = answer_of(q, own_address(q));
    const char *path = own && *own ? next_line(*own) : "";
    const char *end = strstr(path, "lab/sites.c:");

    snprintf(q->root, sizeof q->root, "%.*s", end ? (int)(end - path) : 0, path);
}

/* Without what the compiler was told of the way to the tree; headers it found by -I. */
static const char *from_root(const struct question *q, const char *path)
{
    size_t length = strlen(q->root);

    if (strncmp(path, q->root, length) == 0)
        path += length;
    return strncmp(path, "./", 2) ? path : path + 2;
}

/* Whether the line that follows the name is known. */
static bool is_known(const char *path)
{
    return *path && *path != '?';
}

/* "benches/fibonacci.c:41 in fibonacci_init" of a pair; addr2line may add " (discriminator 2)". */
static void say(const struct question *q, const char *name, char text[SITE_BYTES])
{
    const char *path = from_root(q, next_line(name));

    snprintf(text, SITE_BYTES, "%.*s in %.*s", (int)strcspn(path, " \n"), path,
             (int)strcspn(name, "\n"), name);
}

/* The pairs of one address; true: one of them stands outside objects/. The last that is known
 * is said. */
static bool say_frame(struct question *q, uintptr_t address, char text[SITE_BYTES])
{
    const char **answer = answer_of(q, address);
    const char *line = answer && *answer ? *answer : "";

    for (; *line && *line != '0'; line = next_line(next_line(line))) {
        const char *path = next_line(line);

        if (!is_known(path))
            continue;
        say(q, line, text);
        if (strncmp(from_root(q, path), "objects/", 8) != 0)
            return true;
    }
    return false;
}

static void name_one(struct question *q, struct site *site)
{
    size_t used = 0;

    site->text[0] = '\0';
    for (size_t k = 0; k < site->frames; k++)
        if (say_frame(q, in_file(q, site->frame[k]), site->text))
            return;
    if (site->text[0])
        return;
    for (size_t k = 0; k < site->frames && used < SITE_BYTES; k++)
        used += (size_t)snprintf(site->text + used, SITE_BYTES - used, "%s0x%zx", k ? " < " : "",
                                 (size_t)in_file(q, site->frame[k]));
}

void sites_name(struct site *site, size_t count)
{
    struct question q = { 0 };

    dl_iterate_phdr(take_bias, &q.bias);
    if (count && collect(&q, site, count) == 0 && ask(&q) == 0) {
        read_answers(&q);
        find_root(&q);
    }
    for (size_t i = 0; i < count; i++)
        name_one(&q, &site[i]);
    process_report_free(&q.report);
    free(q.address);
    free(q.answer);
}
