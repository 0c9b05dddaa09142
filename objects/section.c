/* section.c - taking and giving back the locks of a section. */
#include "objects/section.h"

void section_enter(struct section *s)
{
    s->outer = thread_self->sections;
    thread_self->sections = s;
    bytelock_lock(s->first);
    if (s->second)
        bytelock_lock(s->second);
}

void section_leave(struct section *s)
{
    if (s->second)
        bytelock_unlock(s->second);
    bytelock_unlock(s->first);
    thread_self->sections = s->outer;
}
