/* runtimes.c - the list of the policies that were built in. */
#include "lab/runtimes.h"

#include <stdio.h>
#include <string.h>

#define POLICY(name) extern const struct runtime runtime_##name;
#include "gen/policies.h"
#undef POLICY

const struct named_runtime runtime_list[] = {
#define POLICY(name) { #name, &runtime_##name },
#include "gen/policies.h"
#undef POLICY
    { NULL, NULL },
};

const struct runtime *runtime_named(const char *name)
{
    for (const struct named_runtime *r = runtime_list; r->name; r++)
        if (strcmp(r->name, name) == 0)
            return r->runtime;
    return NULL;
}

bool policy_known(const char *name)
{
    static const char *const known[] = {
#define POLICY(name) #name,
#include "gen/known_policies.h"
#undef POLICY
        NULL,
    };

    for (const char *const *k = known; *k; k++)
        if (strcmp(*k, name) == 0)
            return true;
    return false;
}

static const struct runtime *build_of(const struct runtime *runtime, const char *suffix)
{
    char name[64];

    snprintf(name, sizeof name, "%s_%s", runtime->name, suffix);
    return runtime_named(name);
}

const struct runtime *runtime_audited(const struct runtime *runtime)
{
    return build_of(runtime, "audit");
}

const struct runtime *runtime_counting(const struct runtime *runtime)
{
    return build_of(runtime, "stats");
}
