/* refcount.c - the one place where a policy's tables and slow paths are compiled. */
#define RC_IMPLEMENTATION 1
#include "objects/refcount.h"
