/* gil.c - making and deleting a global lock, and the list of them. */
#include "gil/gil.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOCK(name) extern const struct gil_class gil_##name;
#include "gen/locks.h"
#undef LOCK

const struct named_gil gil_list[] = {
#define LOCK(name) { #name, &gil_##name },
#include "gen/locks.h"
#undef LOCK
    { NULL, NULL },
};

enum { CACHE_LINES = 128 }; /* two lines: the prefetcher fetches them in pairs */

struct gil *gil_new(const struct gil_class *class, const int64_t *param)
{
    size_t size_bytes = (class->size_bytes + CACHE_LINES - 1) / CACHE_LINES * CACHE_LINES;
    struct gil *gil = aligned_alloc(CACHE_LINES, size_bytes);

    if (!gil)
        return NULL;
    memset(gil, 0, size_bytes);
    gil->class = class;
    for (int i = 0; i < PARAM_MAX; i++)
        gil->param[i] = param ? param[i] : class->param[i].standard;
    if (class->init(gil) < 0) {
        int error = errno;

        free(gil);
        errno = error;
        return NULL;
    }
    return gil;
}

void gil_delete(struct gil *gil)
{
    gil->class->fini(gil);
    free(gil);
}
