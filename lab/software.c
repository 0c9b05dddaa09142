/* software.c - the build, the libraries, the allocator, the environment. */
#include "lab/provenance.h"

#include "gil/attributes.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <hwloc.h>
#include <jansson.h>
#include <jemalloc/jemalloc.h>
#include <link.h>
#include <sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The Makefile's own words, from files that it rewrites only if they change. They hold them
 * without quotes; the commit's is empty where there is no git. */
#define FLAGS(...) #__VA_ARGS__
static const char flags[] =
#include "gen/flags"
    ;
#undef FLAGS

#define COMMIT(...) #__VA_ARGS__
static const char commit[] = ""
#include "gen/commit.h"
    ;
#undef COMMIT

static void add_build(struct facts *f)
{
    const char *space = strchr(commit, ' ');

    facts_add(f, "build_mode", BUILD_MODE);
#ifdef __clang__
    facts_add(f, "build_compiler", __VERSION__);
#else
    facts_add(f, "build_compiler", "gcc " __VERSION__);
#endif
    facts_add(f, "build_flags", flags);
    facts_format(f, "commit", "%.*s", (int)strcspn(commit, " "), commit);
    facts_add(f, "commit_dirty", !*commit ? NULL : space ? "yes" : "no");
}

static void add_binary(struct facts *f)
{
    char digest[SHA256_DIGEST_STRING_LENGTH];

    facts_add(f, "binary_sha256", SHA256File("/proc/self/exe", digest));
}

/* The version that a shared library was built with against that which runs. */
static void add_versions(struct facts *f)
{
    facts_format(f, "libc_built", "%d.%d", __GLIBC__, __GLIBC_MINOR__);
    facts_add(f, "libc_running", gnu_get_libc_version());
    facts_format(f, "hwloc_api_built", "%#x", HWLOC_API_VERSION);
    facts_format(f, "hwloc_api_running", "%#x", hwloc_get_api_version());
    facts_add(f, "jansson_built", JANSSON_VERSION);
    facts_add(f, "jansson_running", jansson_version_str());
}

/* With the paths they really have, in whose names Debian has the version, and with those
 * that somebody preloads. */
static int list_library(struct dl_phdr_info *library, size_t size, void *list)
{
    char *path = *library->dlpi_name ? realpath(library->dlpi_name, NULL) : NULL;
    FILE *out = list;

    (void)size;
    if (path)
        fprintf(out, "%s%s", ftell(out) ? " " : "", path);
    free(path);
    return 0;
}

static void add_libraries(struct facts *f)
{
    char *text = NULL;
    size_t size_bytes;
    FILE *out = open_memstream(&text, &size_bytes);

    if (out) {
        dl_iterate_phdr(list_library, out);
        fclose(out);
    }
    facts_add(f, "libraries", text);
    free(text);
}

/* Whose malloc it is that the linker found. */
static const char *owner_of_malloc(void)
{
    Dl_info info;

    return dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info) ? info.dli_fname : NULL;
}

#if SANITIZED
/* jemalloc is not in these builds. */
static void add_jemalloc(struct facts *f)
{
    static const char *const names[] = { "jemalloc_built", "jemalloc_running",
                                         "jemalloc_config", "jemalloc_options" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        facts_add(f, names[i], NULL);
}
#else
static void collect(void *out, const char *text)
{
    fputs(text, out);
}

static void add_object(struct facts *f, const char *name, json_t *parent, const char *key)
{
    char *text = json_dumps(json_object_get(parent, key), JSON_COMPACT);

    facts_add(f, name, text);
    free(text);
}

/* jemalloc describes itself, so that there is no list of its options here to grow old. The
 * letters leave out its statistics. */
static json_t *ask_jemalloc(void)
{
    char *text = NULL;
    size_t size_bytes;
    FILE *out = open_memstream(&text, &size_bytes);
    json_t *said;

    if (!out)
        return NULL;
    malloc_stats_print(collect, out, "Jmdablxeh");
    said = fclose(out) ? NULL : json_loads(text, 0, NULL);
    free(text);
    return said;
}

static void add_jemalloc(struct facts *f)
{
    json_t *said = ask_jemalloc(), *about = json_object_get(said, "jemalloc");

    facts_add(f, "jemalloc_built", JEMALLOC_VERSION);
    facts_add(f, "jemalloc_running", json_string_value(json_object_get(about, "version")));
    add_object(f, "jemalloc_config", about, "config");
    add_object(f, "jemalloc_options", about, "opt");
    json_decref(said);
}
#endif

static void add_environment(struct facts *f)
{
    static const char *const names[] = {
        "MALLOC_CONF", "LD_PRELOAD", "LD_LIBRARY_PATH", "GLIBC_TUNABLES", "HWLOC_SYNTHETIC",
        "HWLOC_XMLFILE", "SLURM_CLUSTER_NAME", "SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID",
        "SLURM_ARRAY_TASK_ID", "SLURM_STEP_ID", "SLURM_JOB_PARTITION", "SLURMD_NODENAME",
        "SLURM_CPU_BIND",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        facts_add(f, names[i], getenv(names[i]));
}

void provenance_software(struct facts *f)
{
    add_build(f);
    add_binary(f);
    add_versions(f);
    add_libraries(f);
    facts_add(f, "malloc_owner", owner_of_malloc());
    add_jemalloc(f);
    add_environment(f);
}
