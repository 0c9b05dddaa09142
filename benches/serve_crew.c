#include "benches/serve_crew.h"

#include "objects/exception.h"

#include <errno.h>

void crew_give_up(struct crew *crew)
{
    struct object *why = exception_take();

    publish(why);
    mutex_lock(&crew->lock);
    if (!crew->why) {
        crew->why = why;
        why = NULL;
    }
    mutex_unlock(&crew->lock);
    xdecref(why);
}

static bool has_given_up(struct crew *crew)
{
    bool gave_up;

    mutex_lock(&crew->lock);
    gave_up = crew->why != NULL;
    mutex_unlock(&crew->lock);
    return gave_up;
}

static void end_carrier(struct crew *crew)
{
    mutex_lock(&crew->lock);
    crew->carriers--;
    pthread_cond_broadcast(&crew->changed);
    mutex_unlock(&crew->lock);
}

static void carry(struct thread *self, struct recruit *r)
{
    struct crew *crew = r->kept;

    (void)self;
    if (crew->carry(crew, r) < 0)
        crew_give_up(crew);
    end_carrier(crew);
}

static int start_carriers(struct crew *crew)
{
    for (int i = 0; i < crew->order->threads; i++) {
        struct recruit r = { .name = "carrier", .body = carry, .kept = crew };

        mutex_lock(&crew->lock);
        crew->carriers++;
        mutex_unlock(&crew->lock);
        errno = recruit_start(&r);
        if (!errno)
            continue;
        exception_set_errno("pthread_create");
        end_carrier(crew);
        return -1;
    }
    return 0;
}

static void stop(struct crew *crew)
{
    mutex_lock(&crew->lock);
    atomic_store_explicit(&crew->stopping, true, memory_order_release);
    crew->end(crew);
    mutex_unlock(&crew->lock);
}

static int say_why(struct object *why /* steals */, const char *what)
{
    if (exception_is(why, &memory_error))
        exception_set_no_memory();
    else
        exception_set(&os_error, "%s: %s", what, exception_message(why));
    decref(why);
    return -1;
}

int crew_run(struct crew *crew, const char *what)
{
    struct serve_order *o = crew->order;
    int result = start_carriers(crew);

    thread_detach(thread_self);
    if (result == 0) {
        o->begun(o);
        while (!has_given_up(crew) && o->goes_on(o))
            if (crew->look)
                crew->look(crew);
    }
    stop(crew);
    thread_attach(thread_self);
    recruit_join_all();
    mutex_fini(&crew->lock);
    if (result == 0 && crew->why)
        return say_why(crew->why, what);
    xdecref(crew->why);
    return result;
}
