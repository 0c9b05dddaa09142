/* trace.c - moments into slices, slices into JSON. */
#include "lab/trace.h"

#include "lab/json.h"
#include "lab/output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char head[] = "{\"traceEvents\":[\n";

/* What a thread does from such a moment on, and why it waits; NULL: of no slice. */
static const struct {
    const char *does, *why;
} after[MOMENT_KINDS] = {
    [MOMENT_ATTACH] = { "waiting", "attach" }, [MOMENT_YIELD] = { "waiting", "yield" },
    [MOMENT_GOT] = { "running", NULL },        [MOMENT_DETACH] = { "waiting", "detach" },
    [MOMENT_RELEASED] = { "detached", NULL },
};

/* One cell's part while it is written. */
struct part {
    FILE *file;
    int number;
    struct gil_window window;
    struct watch *watch;
    trace_name *name;
    const void *with;
    bool failed;
};

/* A line each, with a comma behind: another follows. Takes over (steals) the event. */
static void write_event(struct part *p, json_t *event)
{
    /* As many digits as a nanosecond of some days needs. */
    if (!event || json_dumpf(event, p->file, JSON_COMPACT | JSON_REAL_PRECISION(15)) < 0 ||
        fputs(",\n", p->file) == EOF)
        p->failed = true;
    json_decref(event);
}

static double microseconds(const struct part *p, uint64_t ns)
{
    return (double)(ns - p->window.from_ns) / 1000;
}

/* What of it lies in the window. */
static void write_slice(struct part *p, int lane, const struct moment *from, uint64_t to_ns)
{
    uint64_t from_ns = from->ns < p->window.from_ns ? p->window.from_ns : from->ns;
    const char *why = after[from->kind].why;
    json_t *event;

    if (to_ns > p->window.to_ns)
        to_ns = p->window.to_ns;
    if (to_ns <= from_ns)
        return;
    event = json_pack("{s:s, s:s, s:s, s:i, s:i, s:f, s:f}", "ph", "X", "name",
                      after[from->kind].does, "cat", "gil", "pid", p->number, "tid", lane, "ts",
                      microseconds(p, from_ns), "dur", (double)(to_ns - from_ns) / 1000);
    if (event && why)
        json_object_set_new(event, "args", json_pack("{s:s}", "for", why));
    write_event(p, event);
}

/* Lanes begin with 1, in the order in which they are to be seen; that of those from outside
 * the runtime is 0. */
static int lane_of(const struct part *p, const struct watched *t, const char **name)
{
    int place = 0;

    *name = p->name(p->with, t->thread, &place);
    return place + 1;
}

static const char *name_of_number(const struct part *p, uint32_t number)
{
    const char *name = NULL;

    for (const struct watched *t = p->watch->first; t && !name; t = t->next)
        if (t->number == number)
            lane_of(p, t, &name);
    return name ? name : "?";
}

static void write_request(struct part *p, int lane, const struct moment *m)
{
    if (gil_window_has(&p->window, m->ns))
        write_event(p, json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:f, s:{s:o}}", "ph", "i", "s",
                                 "t", "name", "drop request", "cat", "gil", "pid", p->number, "tid",
                                 lane, "ts", microseconds(p, m->ns), "args", "to",
                                 json_text(name_of_number(p, m->whom))));
}

/* After the last moment a thread is gone, and so is the window. */
static void write_moments(struct part *p, int lane, const struct trace_ring *r)
{
    const struct moment *last = NULL;

    for (size_t i = 0; i < trace_ring_count(r); i++) {
        const struct moment *m = trace_ring_at(r, i);

        if (m->kind == MOMENT_REQUEST) {
            write_request(p, lane, m);
            continue;
        }
        if (last)
            write_slice(p, lane, last, m->ns);
        last = m;
    }
}

static void write_names(struct part *p, int lane, const char *name, const struct trace_ring *r)
{
    write_event(p, json_pack("{s:s, s:s, s:i, s:i, s:{s:o}}", "ph", "M", "name", "thread_name",
                             "pid", p->number, "tid", lane, "args", "name", json_text(name)));
    write_event(p,
                json_pack("{s:s, s:s, s:i, s:i, s:{s:i}}", "ph", "M", "name", "thread_sort_index",
                          "pid", p->number, "tid", lane, "args", "sort_index", lane));
    if (r->dropped)
        write_event(p, json_pack("{s:s, s:s, s:s, s:i, s:i, s:f, s:{s:I}}", "ph", "i", "s", "t",
                                 "name", "dropped", "pid", p->number, "tid", lane, "ts",
                                 microseconds(p, trace_ring_at(r, 0)->ns), "args", "moments",
                                 (json_int_t)r->dropped));
}

static void write_lane(struct part *p, int lane, const char *name, const struct trace_ring *r,
                       struct trace_sum *sum)
{
    write_names(p, lane, name, r);
    write_moments(p, lane, r);
    sum->moments += trace_ring_count(r);
    sum->dropped += r->dropped;
}

static char *part_of(const char *path)
{
    char *part;

    return asprintf(&part, "%s.part", path) < 0 ? NULL : part;
}

static FILE *open_part(const char *path, const char *mode)
{
    char *name = part_of(path);
    FILE *file = name ? fopen(name, mode) : NULL;

    free(name);
    return file;
}

int trace_write_part(const char *path, int number, struct watch *w, trace_name *name,
                     const void *with, struct trace_sum *sum)
{
    struct part p = { .file = open_part(path, "w"),
                      .number = number,
                      .watch = w,
                      .name = name,
                      .with = with,
                      .window = { atomic_load_explicit(&w->from_ns, memory_order_relaxed),
                                  atomic_load_explicit(&w->to_ns, memory_order_relaxed) } };

    *sum = (struct trace_sum){ 0 };
    if (!p.file)
        return -1;
    for (const struct watched *t = w->first; t; t = t->next) {
        const char *called;
        int lane = lane_of(&p, t, &called);

        if (called)
            write_lane(&p, lane, called, &t->ring, sum);
    }
    if (trace_ring_count(&w->outsiders))
        write_lane(&p, 0, "outside the runtime", &w->outsiders, sum);
    if (fclose(p.file) || p.failed) {
        errno = errno ? errno : EIO;
        return -1;
    }
    return 0;
}

struct trace_file {
    FILE *file;
    const char *path;
};

struct trace_file *trace_begin(const char *path, bool replace, struct mistake *m)
{
    struct trace_file *f = calloc(1, sizeof *f);

    if (!f || (replace && !output_may_replace(path, head))) {
        mistake_set(m,
                    f ? "--trace: '%s' is there and is no trace of the lab; it is not replaced"
                      : "--trace: no memory for '%s'",
                    path);
        free(f);
        return NULL;
    }
    f->path = path;
    f->file = fopen(path, replace ? "w" : "wx");
    if (f->file && fputs(head, f->file) != EOF)
        return f;
    if (errno == EEXIST)
        mistake_set(m, "--trace: '%s' is there already; --replace writes over it", path);
    else
        mistake_set(m, "--trace: '%s' cannot be written: %s", path, strerror(errno));
    if (f->file)
        fclose(f->file);
    free(f);
    return NULL;
}

void trace_clear_part(struct trace_file *f)
{
    char *name = part_of(f->path);

    if (name)
        unlink(name);
    free(name);
}

static int cannot_write(const struct trace_file *f, struct mistake *m)
{
    return mistake_set(m, "--trace: '%s' cannot be written: %s", f->path, strerror(errno));
}

static int write_title(struct trace_file *f, int number, const char *title)
{
    struct part p = { .file = f->file, .number = number };

    write_event(&p, json_pack("{s:s, s:s, s:i, s:{s:o}}", "ph", "M", "name", "process_name", "pid",
                              number, "args", "name", json_text(title)));
    return p.failed ? -1 : 0;
}

int trace_take_part(struct trace_file *f, int number, const char *title, struct mistake *m)
{
    FILE *part = open_part(f->path, "r");
    char bytes[1 << 14];
    size_t got;
    int status = part ? write_title(f, number, title) : -1;

    while (status == 0 && (got = fread(bytes, 1, sizeof bytes, part)) > 0)
        if (fwrite(bytes, 1, got, f->file) != got)
            status = -1;
    if (part && ferror(part))
        status = -1;
    if (status < 0)
        cannot_write(f, m);
    if (part)
        fclose(part);
    trace_clear_part(f);
    return status;
}

/* Each event has a comma behind it; so the last one is ours. */
int trace_end(struct trace_file *f, struct mistake *m)
{
    int status = 0;

    fputs("{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":0,\"args\":{\"name\":\"lab\"}}\n"
          "],\"displayTimeUnit\":\"ns\",\"otherData\":{\"clock\":\"CLOCK_MONOTONIC\"}}\n",
          f->file);
    if (ferror(f->file) | fclose(f->file))
        status = cannot_write(f, m);
    free(f);
    return status;
}
