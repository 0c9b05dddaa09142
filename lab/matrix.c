/* matrix.c - an experiment that is described in a file. */
#include "lab/matrix.h"

#include "lab/exclusion.h"
#include "lab/factor.h"
#include "lab/names.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MATRICES_MOST = 100, EXCLUSIONS_MOST = 256, KEYS_MOST = 128 };

struct item {
    struct exclusion *exclusion; /* owned */
    size_t line;
    bool inherited;
};

struct matrix {
    const char *path;
    char *source; /* owned */
    char name[LABEL_MAX];
    int excludes;
    struct item exclude[EXCLUSIONS_MOST];
};

/* A matrix of the file. */
struct named {
    const char *name; /* NULL ends the table */
    yaml_node_t *node;
    enum { NEW, BEGUN, DONE } state;
};

/* A key with its value, after all that was extended. */
struct entry {
    const char *key;
    yaml_node_t *at, *value;
    int owner; /* in the table of matrices */
};

struct reader {
    struct document document;
    struct experiment *experiment;
    struct matrix *matrix; /* to be filled */
    int count, chosen;
    struct named named[MATRICES_MOST + 1];
    int lineage[MATRICES_MOST], ancestors; /* whom the chosen one extends, before it; it */
    struct entry entry[KEYS_MOST];
    int entries;
    struct levels levels;
};

/* Keys that are neither dials nor settings. */
static const char *const own_keys[] = { "about", "extends", "exclude", NULL };

static bool is_own(const char *key)
{
    for (int i = 0; own_keys[i]; i++)
        if (strcmp(own_keys[i], key) == 0)
            return true;
    return false;
}

static const char *text_of(const yaml_node_t *scalar)
{
    return (const char *)scalar->data.scalar.value;
}

/* 0; or -1 and the nearest of all that there are. */
static int check_key(const char *key, struct mistake *m)
{
    const char *all[KEYS_MOST + 1] = { NULL };
    struct names names = NAMES_OF("key", all);
    struct param param;
    int count = 0;

    if (factor_is(key))
        return factor_find(key, &param, m);
    for (const struct argp_option *o = experiment_options; o->name; o++)
        if (!experiment_withheld(o) && count < KEYS_MOST)
            all[count++] = o->name;
    for (int i = 0; own_keys[i] && count < KEYS_MOST; i++)
        all[count++] = own_keys[i];
    return names_find(&names, key, m) < 0 ? factor_explain(key, m) : 0;
}

/* It names a file, too. */
static bool is_name(const char *name)
{
    size_t length =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");

    return isalnum((unsigned char)name[0]) && !name[length] && length < LABEL_MAX;
}

/* Keys are looked at in all matrices, values only where they are used. */
static int add_matrix(struct reader *r, const yaml_node_pair_t *pair, struct mistake *m)
{
    struct document *d = &r->document;
    const yaml_node_t *at = document_node(d, pair->key);
    yaml_node_t *body = document_node(d, pair->value);

    if (!is_name(text_of(at)))
        return document_mistake(
            d, at, m, "a matrix's name is of letters, digits, _ - . and not '%.100s'", text_of(at));
    if (document_check_mapping(d, body, "a mapping of keys such as \"workload: fib\"", m) < 0)
        return -1;
    for (const yaml_node_pair_t *p = body->data.mapping.pairs.start;
         p < body->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = document_node(d, p->key);

        if (check_key(text_of(key), m) < 0)
            return document_locate(d, key, m);
    }
    if (r->count == MATRICES_MOST)
        return document_mistake(d, at, m, "more than %d matrices", MATRICES_MOST);
    r->named[r->count++] = (struct named){ text_of(at), body, NEW };
    return 0;
}

static int add_matrices(struct reader *r, struct mistake *m)
{
    const yaml_node_t *root = r->document.root;

    if (document_check_mapping(&r->document, root, "a mapping of matrices by their names", m) < 0)
        return -1;
    for (const yaml_node_pair_t *p = root->data.mapping.pairs.start;
         p < root->data.mapping.pairs.top; p++)
        if (add_matrix(r, p, m) < 0)
            return -1;
    return 0;
}

/* Whether "benches/matrices/quick.yaml" is called as the matrix. */
static bool file_is_named(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    size_t length = strlen(name);

    return strncmp(file, name, length) == 0 && (file[length] == '.' || !file[length]);
}

static int choose(struct reader *r, const char *name, struct mistake *m)
{
    struct names names = NAMES_OF("matrix", r->named);
    struct mistake unknown;

    if (!name && r->count == 1)
        return 0;
    for (int i = 0; i < r->count; i++)
        if (name ? !strcmp(r->named[i].name, name)
                 : file_is_named(r->document.path, r->named[i].name))
            return i;
    names_unknown(&names, name ? name : "", &unknown);
    return name ? mistake_set(m, "%.300s: %s", r->document.path, unknown.text)
                : mistake_set(m, "%.300s: it has several matrices; say which: %s", r->document.path,
                              strstr(unknown.text, "there are: ") + strlen("there are: "));
}

static yaml_node_t *value_of(struct reader *r, const yaml_node_t *mapping, const char *key)
{
    for (const yaml_node_pair_t *p = mapping->data.mapping.pairs.start;
         p < mapping->data.mapping.pairs.top; p++)
        if (strcmp(text_of(document_node(&r->document, p->key)), key) == 0)
            return document_node(&r->document, p->value);
    return NULL;
}

static int find_parent(struct reader *r, const yaml_node_t *at, struct mistake *m)
{
    struct names names = NAMES_OF("matrix", r->named);
    const char *name = document_text(&r->document, at, "extends: a matrix's name", m);
    int i;

    if (!name)
        return -1;
    i = names_find(&names, name, m);
    if (i < 0)
        return document_locate(&r->document, at, m);
    if (r->named[i].state == BEGUN)
        return document_mistake(&r->document, at, m, "'%s' would extend itself; that is a circle",
                                name);
    return i;
}

/* Whom it extends comes before it, each once, however many ways lead there: so the later wins. */
static int trace(struct reader *r, int i, struct mistake *m)
{
    struct named *named = &r->named[i];
    yaml_node_t *extends = value_of(r, named->node, "extends");

    if (extends && !document_items(extends))
        return document_mistake(&r->document, extends, m, "extends: the list is empty");
    named->state = BEGUN;
    for (int k = 0; extends && k < document_items(extends); k++) {
        int parent = find_parent(r, document_item(&r->document, extends, k), m);

        if (parent < 0 || (r->named[parent].state == NEW && trace(r, parent, m) < 0))
            return -1;
    }
    named->state = DONE;
    r->lineage[r->ancestors++] = i;
    return 0;
}

static void drop(struct reader *r, const char *key, int except)
{
    for (int i = 0; i < r->entries; i++)
        if (r->entry[i].owner != except && strcmp(r->entry[i].key, key) == 0) {
            memmove(&r->entry[i], &r->entry[i + 1],
                    (size_t)(--r->entries - i) * sizeof r->entry[0]);
            return;
        }
}

/* What it says goes before what was there. Modes can be said in two ways: as such, or as
 * policies with locks. */
static int put(struct reader *r, const struct entry *entry, struct mistake *m)
{
    drop(r, entry->key, entry->owner);
    if (strcmp(entry->key, "mode") == 0) {
        drop(r, "policy", entry->owner);
        drop(r, "gil", entry->owner);
    } else if (!strcmp(entry->key, "policy") || !strcmp(entry->key, "gil"))
        drop(r, "mode", entry->owner);
    if (r->entries == KEYS_MOST)
        return document_mistake(&r->document, entry->at, m, "more than %d keys", KEYS_MOST);
    r->entry[r->entries++] = *entry;
    return 0;
}

static int exclude(struct reader *r, yaml_node_t *list, bool inherited, struct mistake *m)
{
    struct matrix *matrix = r->matrix;

    if (!document_items(list))
        return document_mistake(&r->document, list, m, "exclude: the list is empty");
    for (int i = 0; i < document_items(list); i++) {
        const yaml_node_t *node = document_item(&r->document, list, i);
        struct item *item = &matrix->exclude[matrix->excludes];

        if (matrix->excludes == EXCLUSIONS_MOST)
            return document_mistake(&r->document, node, m, "more than %d items of exclude",
                                    EXCLUSIONS_MOST);
        item->exclusion = exclusion_read(&r->document, node, &r->levels, m);
        if (!item->exclusion)
            return -1;
        item->line = node->start_mark.line + 1;
        item->inherited = inherited;
        matrix->excludes++;
    }
    return 0;
}

/* All that one matrix says. */
static int gather(struct reader *r, int i, struct mistake *m)
{
    const yaml_node_t *node = r->named[i].node;

    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
         p < node->data.mapping.pairs.top; p++) {
        yaml_node_t *at = document_node(&r->document, p->key);
        struct entry entry = { text_of(at), at, document_node(&r->document, p->value), i };

        if (strcmp(entry.key, "about") == 0 &&
            !document_text(&r->document, entry.value, "about: a text", m))
            return -1;
        if (strcmp(entry.key, "exclude") == 0 && exclude(r, entry.value, i != r->chosen, m) < 0)
            return -1;
        if (!is_own(entry.key) && put(r, &entry, m) < 0)
            return -1;
    }
    return 0;
}

/* Each level alone first: then a mistake is where it is. */
static int set(struct reader *r, const struct entry *entry, struct mistake *m)
{
    struct levels *l = &r->levels;
    char *all;
    int status;

    if (levels_read(l, &r->document, entry->value, entry->key, m) < 0)
        return -1;
    for (int i = 0; i < l->count; i++)
        if (experiment_set(r->experiment, entry->key, l->item[i].text, m) < 0)
            return document_locate(&r->document, l->item[i].at, m);
    all = levels_join(l);
    if (!all)
        return document_mistake(&r->document, entry->at, m, "no memory for its levels");
    status = experiment_set(r->experiment, entry->key, all, m);
    free(all);
    return status < 0 ? document_locate(&r->document, entry->value, m) : 0;
}

static int check_values(struct reader *r, const struct entry *entry, struct mistake *m)
{
    struct levels *l = &r->levels;
    struct numbers numbers;
    struct param param;

    if (levels_read(l, &r->document, entry->value, entry->key, m) < 0)
        return -1;
    factor_find(entry->key, &param, m); /* its name has been looked at */
    for (int i = 0; i < l->count; i++)
        if (parse_numbers(entry->key, l->item[i].text, param.least, param.most, &numbers, m) < 0)
            return document_locate(&r->document, l->item[i].at, m);
    return 0;
}

/* After the dials. An inherited factor may find nothing left to multiply. */
static int cross(struct reader *r, const struct entry *entry, struct mistake *m)
{
    char *values;
    int crossed;

    if (check_values(r, entry, m) < 0)
        return -1;
    values = levels_join(&r->levels);
    if (!values)
        return document_mistake(&r->document, entry->at, m, "no memory for its levels");
    crossed = factor_cross(&r->experiment->dials, entry->key, values, m);
    free(values);
    if (crossed < 0)
        return document_locate(&r->document, entry->at, m);
    if (!crossed && entry->owner == r->chosen)
        return document_mistake(&r->document, entry->at, m, "no level of %s has the parameter '%s'",
                                factor_is_of_lock(entry->key) ? "'mode' or 'gil'" : "'workload'",
                                factor_name(entry->key));
    return 0;
}

static int apply(struct reader *r, struct mistake *m)
{
    for (int i = 0; i < r->ancestors; i++)
        if (gather(r, r->lineage[i], m) < 0)
            return -1;
    for (int i = 0; i < r->entries; i++)
        if (!factor_is(r->entry[i].key) && set(r, &r->entry[i], m) < 0)
            return -1;
    for (int i = 0; i < r->entries; i++)
        if (factor_is(r->entry[i].key) && cross(r, &r->entry[i], m) < 0)
            return -1;
    return 0;
}

static int read_all(struct reader *r, const char *name, struct mistake *m)
{
    if (add_matrices(r, m) < 0)
        return -1;
    r->chosen = choose(r, name, m);
    if (r->chosen < 0 || trace(r, r->chosen, m) < 0 || apply(r, m) < 0)
        return -1;
    strcpy(r->matrix->name, r->named[r->chosen].name);
    return 0;
}

static bool excluded(const struct cell *cell, const void *with)
{
    const struct matrix *matrix = with;

    for (int i = 0; i < matrix->excludes; i++)
        if (exclusion_holds(matrix->exclude[i].exclusion, cell))
            return true;
    return false;
}

struct matrix *matrix_parse(const char *text, size_t size_bytes, const char *path, const char *name,
                            struct experiment *e, struct mistake *m)
{
    struct reader *r = calloc(1, sizeof *r);
    struct matrix *matrix = calloc(1, sizeof *matrix);
    int status = -1;

    if (matrix)
        matrix->source = strndup(text, size_bytes);
    if (!r || !matrix || !matrix->source) {
        mistake_set(m, "%.300s: no memory to read it", path);
        goto done;
    }
    matrix->path = path;
    r->matrix = matrix;
    r->experiment = e;
    if (document_load(&r->document, path, text, size_bytes, m) < 0)
        goto done;
    status = read_all(r, name, m);
    document_free(&r->document);
    if (status < 0)
        goto done;
    e->name = matrix->name;
    e->source = matrix->source;
    e->excluded = excluded;
    e->with = matrix;

done:
    free(r);
    if (status == 0)
        return matrix;
    matrix_free(matrix);
    return NULL;
}

struct matrix *matrix_read(const char *path, const char *name, struct experiment *e,
                           struct mistake *m)
{
    FILE *file = fopen(path, "r");
    char *text = malloc(DOCUMENT_BYTES_MOST + 1); /* one more shows that it is too long */
    struct matrix *matrix = NULL;
    size_t size_bytes;

    if (file && text) {
        size_bytes = fread(text, 1, DOCUMENT_BYTES_MOST + 1, file);
        if (!ferror(file))
            matrix = matrix_parse(text, size_bytes, path, name, e, m);
    }
    if (!file || !text || ferror(file))
        mistake_set(m, "%.300s: %s", path, strerror(errno));
    if (file)
        fclose(file);
    free(text);
    return matrix;
}

void matrix_free(struct matrix *matrix)
{
    for (int i = 0; matrix && i < matrix->excludes; i++)
        exclusion_free(matrix->exclude[i].exclusion);
    if (matrix)
        free(matrix->source);
    free(matrix);
}

void matrix_warn(const struct matrix *matrix, const struct experiment *e, FILE *out)
{
    struct dials *dials = malloc(sizeof *dials);
    struct mistake ignored;

    if (!dials)
        return;
    *dials = e->dials;
    if (dials_complete(dials, &ignored) == 0)
        for (int i = 0; i < matrix->excludes; i++)
            if (!matrix->exclude[i].inherited &&
                !exclusion_is_of_use(matrix->exclude[i].exclusion, dials))
                fprintf(out, "%s: %s:%zu: this item of exclude leaves out no cell\n", e->command,
                        matrix->path, matrix->exclude[i].line);
    free(dials);
}
