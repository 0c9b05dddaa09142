/* dict_insert_int.c - one int inserted, from an empty dict on, of 1024. */
#include "benches/dict_bench.h"
#include "benches/micro.h"

const struct micro micro_dict_insert_int = {
    .about = "one int inserted, from an empty dict on, of 1024",
    .setup = dict_bench_ints, .run = dict_bench_insert, .teardown = dict_bench_end,
};
