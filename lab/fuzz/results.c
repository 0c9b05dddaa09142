/* results.c - whatever a results file may hold, it is shown, or refused in one line. */
#include "lab/results.h"
#include "lab/store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

/* Where it costs no disk. SQLite follows /proc/self/fd to a name that is not there. */
static const char *write_file(const uint8_t *data, size_t size_bytes)
{
    static char path[64];
    FILE *file;

    snprintf(path, sizeof path, "/dev/shm/lab-fuzz-%d", getpid());
    file = fopen(path, "w");
    if (!file || fwrite(data, 1, size_bytes, file) != size_bytes || fclose(file))
        abort();
    return path;
}

/* One that says it has a log gets one, even from who only reads. */
static void remove_file(const char *path)
{
    static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
    char name[80];

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static void show(struct store *store, struct mistake *m)
{
    struct results results;
    struct run run;
    FILE *nowhere;

    if (store_find(store, NULL, &run, m) < 0 || store_load(store, &run, &results, m) < 0)
        return;
    nowhere = fopen("/dev/null", "w");
    if (!nowhere)
        abort();
    table_print(&results, nowhere);
    answer_print(&results, nowhere);
    fclose(nowhere);
    results_free(&results);
    snprintf(m->text, sizeof m->text, "%s", "/dev/shm/lab-fuzz-: was shown");
}

/* Returns 0, always: as libFuzzer wants it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    const char *path = write_file(data, size_bytes);
    struct mistake m = { "" };
    struct store *store = store_open(path, STORE_READ, &m);

    if (store)
        show(store, &m);
    store_close(store);
    remove_file(path);
    if (strncmp(m.text, "/dev/shm/lab-fuzz-", 18) != 0)
        abort();
    return 0;
}
