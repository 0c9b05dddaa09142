/* peer.h - what a micro-benchmark of another library defines.
 *
 * One file in peers/ is one such benchmark: `const struct micro peer_<file name>`. It is
 * linked into build/MODE/bench-peers alone, with the libraries that it needs; `make peers`
 * and `make figures` install them. Its name begins with its library's: where that is not installed
 * (Makefile, peer_header), the file is left out.
 */
#ifndef BENCHES_PEERS_PEER_H
#define BENCHES_PEERS_PEER_H

#ifdef __cplusplus
extern "C" {
#endif
#include "benches/micro.h"

#include <stdlib.h>
#ifdef __cplusplus
}
#endif

/* Makes the compiler believe that what `p` points to may have changed and been read. */
#define peer_barrier(p) __asm__ volatile("" : "+r"(p) : : "memory")

/* A library that did not do what is measured has no figure. */
#define peer_must(condition) ((condition) ? (void)0 : abort())

#endif
