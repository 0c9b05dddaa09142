/* table.h - GLib's GHashTable given the keys of dict_bench.h.
 *
 * It keeps what it is given: the keys, boxed ints (int64_t *) or strings, each a block of its
 * own as our objects are, belong to the benchmark. It counts nothing, where our dict takes two references for each entry.
 */
#ifndef BENCHES_PEERS_GLIB_TABLE_H
#define BENCHES_PEERS_GLIB_TABLE_H

#include <stdint.h>

int glib_table_ints(void);
int glib_table_strs(void);
void glib_table_insert(uint64_t iterations);
void glib_table_look_up(uint64_t iterations);
void glib_table_end(void);

#endif
