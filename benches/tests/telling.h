/* telling.h - what a demo prints, for the tests of demos. */
#ifndef BENCHES_TESTS_TELLING_H
#define BENCHES_TESTS_TELLING_H

#include "benches/demo.h"
#include "objects/tests/testing.h"

#include <stdio.h>
#include <unistd.h>

static char text[8192]; /* of the last one that was told */

static inline int run_under(const struct demo *demo, struct gil *gil)
{
    const struct gil_class *class = gil->class;
    struct thread self = { .locks_containers = !class->excludes && !RC_NEEDS_GIL };
    int result;

    assert_int_equal(thread_start(&self, gil, &object_hooks), 0);
    result = demo->run("this mode", gil, &object_hooks);
    thread_stop(&self);
    gil_delete(gil);
    return result;
}

/* What the demo prints, in `text`. */
static inline void tell_under(const struct demo *demo, struct gil *gil /* steals */)
{
    FILE *file = tmpfile();
    int result, kept = dup(STDOUT_FILENO);

    assert_true(file && kept >= 0);
    fflush(stdout);
    dup2(fileno(file), STDOUT_FILENO);
    result = run_under(demo, gil);
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_int_equal(result, 0);
}

static inline void tell(const struct demo *demo, const struct gil_class *class)
{
    struct gil *gil = gil_new(class, NULL);

    assert_non_null(gil);
    tell_under(demo, gil);
}

#endif
