/* way.c - the list of the ways, and which is the standard one. */
#include "coroutines/switch/way.h"

#include "gil/attributes.h"

#include <stdatomic.h>
#include <string.h>

#define WAY(name) extern const struct way way_##name;
#include "gen/ways.h"
#undef WAY

const struct named_way way_list[] = {
#define WAY(name) { #name, &way_##name },
#include "gen/ways.h"
#undef WAY
    { NULL, NULL },
};

static const struct way *_Atomic used; /* NULL: not known yet */

static const struct way *usual(void)
{
    return way_native.refusal() ? &way_ucontext : &way_native;
}

/* Relaxed: what it points to never changes. */
void way_use(const struct way *way)
{
    atomic_store_explicit(&used, way ? way : usual(), memory_order_relaxed);
}

const struct way *way_standard(void)
{
    if (unlikely(!atomic_load_explicit(&used, memory_order_relaxed)))
        way_use(NULL);
    return atomic_load_explicit(&used, memory_order_relaxed);
}

const struct way *way_named(const char *name)
{
    for (const struct named_way *w = way_list; w->name; w++)
        if (strcmp(w->name, name) == 0)
            return w->way;
    return NULL;
}
