/* dict.h - from keys to values, in the order in which the keys came.
 *
 * Each call is one step for other threads: under a GIL since there is no safe point
 * in it, without one since it locks the dict (section.h). Where neither protects it,
 * dict_get and dict_set of a key that is there still read and replace its value as one
 * machine word: two threads that race on them get counts wrong, never the table. Adding
 * and deleting keys without any protection is not allowed.
 *
 * A dict is iterable: its iterator gives the keys. If keys come or go meanwhile, its next
 * step is RuntimeError.
 *
 * A key is found by object_hash and object_equal: 1, 1.0 and True are three keys.
 *
 * `dict` must be a dict in all of these. A key that cannot be hashed is TypeError.
 */
#ifndef OBJECTS_DICT_H
#define OBJECTS_DICT_H

#include "objects/object.h"

extern const struct type dict_type;

/* An empty one; NULL: MemoryError. */
struct object *dict_new(void);

/* How many keys. */
size_t dict_length(borrowed dict);

/* A new reference to the value; NULL: KeyError, TypeError. */
struct object *dict_get(borrowed dict, borrowed key);

/* 1, and a new reference to the value in *value; 0: there is no such key, which raises
 * nothing; -1: TypeError. */
int dict_find(borrowed dict, borrowed key, struct object **value);

/* 1 or 0; -1: TypeError. */
int dict_contains(borrowed dict, borrowed key);

/* Replaces the value of an equal key, which stays, or adds the key at the end.
 * 0, or -1: TypeError, MemoryError. */
int dict_set(borrowed dict, borrowed key, borrowed value);

/* 0, or -1: KeyError, TypeError. */
int dict_delete(borrowed dict, borrowed key);

/* The next key and value after *cursor, which begins at 0; false: there is none, and
 * *key and *value are not set. Both are new references. Replacing values meanwhile is
 * fine; if keys come or go meanwhile, some may be missed or seen again. */
bool dict_next(borrowed dict, size_t *cursor, struct object **key, struct object **value);

#endif
