/* levels.h - a list in a matrix file: the words that a dial's option takes between commas.
 *
 * One word need not stand in a list. A list of numbers may be continued as it has begun:
 *
 *     [2, 4, .., 8]          by equal steps: 2 4 6 8
 *     [1, 2, 4, .., 64]      by equal factors: three numbers show which
 *     [1, 2, 4, .., cores]   on six cores: 1 2 4 6
 *
 * The end is a level even if the steps miss it, and nothing is beyond it.
 */
#ifndef LAB_LEVELS_H
#define LAB_LEVELS_H

#include "lab/document.h"
#include "lab/parse.h"

struct level {
    char text[LABEL_MAX];
    const yaml_node_t *at; /* where it was written */
};

struct levels {
    int count;
    struct level item[NUMBERS_MAX];
};

/* `what` begins the mistake: the key. At least one level. 0, or -1 and a mistake. After
 * topology_load. */
int levels_read(struct levels *levels, struct document *d, yaml_node_t *node, const char *what,
                struct mistake *m);

/* "fib,echo", to be freed. NULL: no memory. */
char *levels_join(const struct levels *levels);

#endif
