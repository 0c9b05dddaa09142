/* dict_look_up_str.c - one str looked up among 1024, by an equal object. */
#include "benches/dict_bench.h"
#include "benches/micro.h"

const struct micro micro_dict_look_up_str = {
    .about = "one str looked up among 1024, by an equal object",
    .setup = dict_bench_strs, .run = dict_bench_look_up, .teardown = dict_bench_end,
};
