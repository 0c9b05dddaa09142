/* measure_seats.c - who sits where: workers in seats, seats in stations, stations at places. */
#include "lab/measure_private.h"

#include "lab/topology.h"

#include <stdio.h>
#include <string.h>

/* Those that keep away are counted in `apart`. */
static int choose_place(const struct run *run, const struct role *role, int number, int *apart)
{
    if (run->window->bind != BIND_ROLES)
        return number;
    return role->shares_core ? 0 : topology_apart((*apart)++);
}

static const struct unit *thread_unit(const struct run *run)
{
    const struct named_unit *named = run->runtime->units;

    while (named->unit->carried != CARRIED_BY_ITSELF)
        named++;
    return named->unit;
}

int seats_pool(const struct cell *cell)
{
    return cell->units && cell->kind_of_unit->carried == CARRIED_BY_A_POOL ? cell->threads : 0;
}

static struct station *add_station(struct run *run, const struct unit *unit, int share, int number)
{
    int index = run->stations++, pool = seats_pool(run->cell);
    struct station *s = &run->station[index];

    s->run = run;
    s->share = share;
    s->gil = run->share[share].gil;
    s->gauge = &run->gauge[index * (pool + 1)];
    s->thread.name = s->name;
    s->carrier = (struct carrier){
        .unit = unit, .param = run->cell->unit_param, .job = &run->share[share].job,
        .phase = run->phase,
        .thread = &s->thread, .number = number, .seat = &run->seat[run->seats],
        .pool = unit->carried == CARRIED_BY_A_POOL ? pool : 0, /* what is fixed has none */
        .helper = &run->helper[index * pool], .socket = -1,
    };
    return s;
}

/* The last station gets another seat. */
static void add_seat(struct run *run, int role, int index)
{
    struct station *s = &run->station[run->stations - 1];
    struct seat *seat = &run->seat[run->seats];

    if (run->arrivals && role == 0) /* others send nothing */
        seat->worker.ops_elsewhere = &run->arrivals[run->seats].ops;
    run->seats++;
    s->carrier.seats++;
    seat->role = &run->cell->work->roles[role];
    seat->worker.thread = &s->thread;
    seat->worker.job = s->carrier.job;
    seat->worker.carrier = &s->carrier;
    seat->worker.role = role;
    seat->worker.index = index;
    seat->worker.random = 0x9E3779B97F4A7C15u * (uint64_t)run->seats;
    if (seat->role->records_latency)
        s->carrier.latency[role] = &run->latency[(run->stations - 1) * ROLE_MAX + role];
}

/* One worker that is a thread. */
static void add_thread(struct run *run, const struct unit *unit, int role, int index, int *apart)
{
    const struct role *its = &run->cell->work->roles[role];
    struct station *s = add_station(run, unit, 0, 0);

    snprintf(s->name, sizeof s->name, "%s %d", its->name, index);
    s->place = choose_place(run, its, run->stations - 1, apart);
    add_seat(run, role, index);
}

/* One of `hosts`: the first worker of each role, the one after `hosts` others, and so on. So
 * those of one index are together. */
static void add_host(struct run *run, int number, int hosts, int *apart)
{
    const struct cell *cell = run->cell;
    const struct role *roles = cell->work->roles;
    struct station *s = add_station(run, cell->kind_of_unit, 0, number);

    snprintf(s->name, sizeof s->name, "carrier %d", number);
    s->place = choose_place(run, &roles[0], run->stations - 1, apart);
    for (int r = 0; r < ROLE_MAX && roles[r].name; r++)
        for (int i = roles[r].fixed + number; i < cell_workers(cell, &roles[r]); i += hosts)
            if (roles[r].per_thread)
                add_seat(run, r, i);
}

/* One worker that is a thread of a share: the `number`-th. */
static void add_apart(struct run *run, int share, int role, int index, int number, int *apart)
{
    const struct role *its = &run->cell->work->roles[role];
    struct station *s = add_station(run, run->cell->kind_of_unit, share, number);

    snprintf(s->name, sizeof s->name, "%s %d.%d", its->name, share, index);
    s->place = choose_place(run, its, run->stations - 1, apart);
    add_seat(run, role, index);
}

static void add_receiver(struct run *run, int share, int first_seat, int seats)
{
    struct station *s = add_station(run, run->cell->kind_of_unit, share, share);

    snprintf(s->name, sizeof s->name, RECEIVER " %d", share);
    s->receives = true;
    s->gil = run->gil;
    s->carrier.seat = &run->seat[first_seat];
    s->carrier.seats = seats;
    s->carrier.arrivals = &run->arrivals[first_seat];
}

/* Share after share; then those that receive what they send. */
static void lay_out_shares(struct run *run)
{
    const struct cell *cell = run->cell;
    const struct role *roles = cell->work->roles;
    int apart = 0, jobs = cell_jobs(cell);

    for (int k = 0; k < jobs; k++) {
        struct job *job = &run->all_shares[k].job;

        job->threads = cell_share_units(cell, k);
        for (int r = 0; r < ROLE_MAX && roles[r].name; r++)
            for (int i = 0; i < cell_share(cell, &roles[r], k); i++)
                add_apart(run, k, r, i, job->workers++, &apart);
    }
    for (int k = 0, first = 0; k < cell_receivers(cell); first += run->all_shares[k++].job.workers)
        add_receiver(run, k, first, run->all_shares[k].job.workers);
}

static void lay_out_stations(struct run *run)
{
    const struct cell *cell = run->cell;
    const struct role *roles = cell->work->roles;
    int apart = 0, hosts = cell->kind_of_unit->carried == CARRIED_BY_ALL ? cell->threads : 1;

    for (int i = 0; cell->units && i < hosts; i++)
        add_host(run, i, hosts, &apart);
    for (int r = 0; r < ROLE_MAX && roles[r].name; r++) {
        int count = cell->units ? roles[r].fixed : cell_workers(cell, &roles[r]);

        for (int i = 0; i < count; i++)
            add_thread(run, thread_unit(run), r, i, &apart);
    }
}

void seats_lay_out(struct run *run)
{
    const struct cell *cell = run->cell;

    for (int k = 0; k < cell_jobs(cell); k++) {
        struct job *job = &run->share[k].job;

        *job = (struct job){ .workload = cell->work };
        memcpy(job->param, cell->work_param, sizeof job->param);
    }
    if (cell_is_apart(cell)) {
        lay_out_shares(run);
        return;
    }
    run->share[0].job.threads = cell->units ? cell->units : cell->threads;
    run->share[0].job.workers = cell->workers;
    lay_out_stations(run);
}
