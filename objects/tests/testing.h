/* testing.h - what the tests of counted objects share.
 *
 * `run_attached` runs a table of tests on a thread of the runtime that is attached
 * under the lock `none`, as a program of its own policy.
 */
#ifndef OBJECTS_TESTS_TESTING_H
#define OBJECTS_TESTS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gil/gil.h"
#include "gil/thread.h"
#include "objects/exception.h"
#include "objects/object.h"

extern const struct gil_class gil_none;

#define run_attached(tests) run_attached_count(tests, sizeof(tests) / sizeof *(tests))

static inline int run_attached_count(const struct CMUnitTest *tests, size_t count)
{
    struct gil *gil = gil_new(&gil_none, NULL);
    struct thread self = { 0 };
    int failed;

    if (!gil || thread_start(&self, gil, &object_hooks) < 0)
        return 1;
    failed = _cmocka_run_group_tests("objects", tests, count, NULL, NULL);
    thread_stop(&self);
    gil_delete(gil);
    return failed;
}

#endif
