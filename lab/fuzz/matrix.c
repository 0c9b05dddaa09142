/* matrix.c - whatever a matrix file may hold, it is read, or refused in one line. */
#include "lab/matrix.h"
#include "lab/topology.h"

#include <stdlib.h>
#include <string.h>

enum { CELLS_SMALL = 1000 }; /* what is planned so often */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

/* What is written must not depend on this machine. */
static void load(void)
{
    static bool loaded;
    struct mistake m;

    if (loaded)
        return;
    setenv("HWLOC_SYNTHETIC", "core:4 pu:1", 1);
    if (topology_load(&m) < 0)
        abort();
    loaded = true;
}

static void plan(struct experiment *e)
{
    struct plan plan;
    struct mistake m;

    if (dials_complete(&e->dials, &m) < 0 || dials_count(&e->dials) > CELLS_SMALL)
        return;
    if (plan_make(&plan, e->name, e->source, &e->dials, &e->settings, e->excluded, e->with, &m) ==
        0)
        plan_free(&plan);
}

/* Returns 0, always: as libFuzzer wants it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct experiment *e = malloc(sizeof *e);
    struct mistake m = { "" };
    struct matrix *matrix;
    FILE *nowhere = fopen("/dev/null", "w");

    load();
    if (!e || !nowhere)
        abort();
    experiment_init(e, "lab matrix");
    matrix = matrix_parse((const char *)data, size_bytes, "chosen.yaml", NULL, e, &m);
    if (matrix) {
        if (strlen(e->source) != size_bytes)
            abort();
        matrix_warn(matrix, e, nowhere);
        plan(e);
    } else if (strncmp(m.text, "chosen.yaml:", 12) != 0)
        abort();
    matrix_free(matrix);
    fclose(nowhere);
    free(e);
    return 0;
}
