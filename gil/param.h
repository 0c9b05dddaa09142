/* param.h - a number that a lock or a workload lets its user set.
 *
 * On the command line `interval:interval_us=500:force=0` names the variant, then
 * its parameters. Values are kept in an array in the order of the table.
 */
#ifndef GIL_PARAM_H
#define GIL_PARAM_H

#include <stdint.h>

enum { PARAM_MAX = 4 };

struct param {
    const char *name; /* with its unit; NULL ends a table that is not full */
    const char *about;
    int64_t standard, least, most;
};

#endif
