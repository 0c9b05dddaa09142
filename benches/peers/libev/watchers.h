/* watchers.h - what libev's macros do, as functions: they write through pointers of other types. */
#ifndef BENCHES_PEERS_LIBEV_WATCHERS_H
#define BENCHES_PEERS_LIBEV_WATCHERS_H

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-aliasing"
#include <ev.h>

static inline void libev_watcher_init(ev_watcher *w,
                                      void (*call)(struct ev_loop *, ev_watcher *, int))
{
    ev_init(w, call);
}

static inline void libev_timer_init(ev_timer *w, void (*call)(struct ev_loop *, ev_timer *, int),
                                    ev_tstamp after_s)
{
    ev_timer_init(w, call, after_s, 0.);
}

static inline void libev_async_init(ev_async *w, void (*call)(struct ev_loop *, ev_async *, int))
{
    ev_async_init(w, call);
}

#pragma GCC diagnostic pop
#endif
