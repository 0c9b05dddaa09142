/* peers.c - the micro-benchmarks of other libraries, for the program that has them. */
#include "benches/micro.h"

#include <stddef.h>

#define PEER(name) extern const struct micro peer_##name;
#include "gen/peers.h"
#undef PEER

extern const struct named_micro peer_list[];

const struct named_micro peer_list[] = {
#define PEER(name) { #name, &peer_##name },
#include "gen/peers.h"
#undef PEER
    { NULL, NULL },
};
