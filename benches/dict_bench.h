/* dict_bench.h - inserting and looking up 1024 keys, for the micro-benchmarks of dict.
 *
 * Each key is looked up by another object than the one that was inserted, so that keys are
 * compared and not only found to be the same.
 */
#ifndef BENCHES_DICT_BENCH_H
#define BENCHES_DICT_BENCH_H

#include <stdint.h>

/* 0, or -1 with an exception pending. */
int dict_bench_ints(void);
int dict_bench_strs(void);

/* Of each 1024 iterations a dict is made, filled from empty, and dropped. */
void dict_bench_insert(uint64_t iterations);

void dict_bench_look_up(uint64_t iterations);

void dict_bench_end(void);

#endif
