/* ring_generators.h - ring.h with generators for units, stackless or stackful. */
#ifndef BENCHES_RING_GENERATORS_H
#define BENCHES_RING_GENERATORS_H

#include "benches/ring.h"
#include "coroutines/generator.h"

/* For `begin`: generators of this body, each of which is resumed with the token, and yields it. */
int ring_generators_begin(struct worker *w, const struct body *body);

/* One lap. */
int ring_generators_step(struct worker *w);
void ring_generators_end(struct worker *w);

#endif
