/* catalogue.h - what can be chosen, as JSON: the same facts that `lab list` tells people.
 *
 * Each returns a new array of objects that have at least a name and what is said about it, null
 * if that was left out; NULL if there was no memory.
 */
#ifndef LAB_CATALOGUE_H
#define LAB_CATALOGUE_H

#include <jansson.h>

json_t *catalogue_modes(void);
json_t *catalogue_policies(void);
json_t *catalogue_locks(void);
json_t *catalogue_workloads(void);
json_t *catalogue_units(void);
json_t *catalogue_heaps(void);
json_t *catalogue_demos(void);
json_t *catalogue_micros(void);

#endif
