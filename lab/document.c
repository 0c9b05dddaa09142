/* document.c - a text in YAML, and where in it a mistake is. */
#include "lab/document.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Lines and columns are counted from 0, as libyaml does. Always -1. */
static int locate(const char *path, size_t line, size_t column, struct mistake *m)
{
    struct mistake bare = *m;

    return mistake_set(m, "%.300s:%zu:%zu: %s", path, line + 1, column + 1, bare.text);
}

int document_locate(const struct document *d, const yaml_node_t *node, struct mistake *m)
{
    return locate(d->path, node->start_mark.line, node->start_mark.column, m);
}

int document_mistake(const struct document *d, const yaml_node_t *node, struct mistake *m,
                     const char *format, ...)
{
    struct mistake bare;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(bare.text, sizeof bare.text, format, arguments);
    va_end(arguments);
    mistake_set(m, "%s", bare.text);
    return document_locate(d, node, m);
}

static bool continues(char octet)
{
    return ((unsigned char)octet & 0xc0) == 0x80;
}

/* What is wrong with the bytes is found before there are lines. */
static int explain_bytes(const yaml_parser_t *parser, const char *path, const char *text,
                         struct mistake *m)
{
    size_t line = 0, column = 0;

    for (size_t i = 0; i < parser->problem_offset; i++)
        if (text[i] == '\n')
            line++, column = 0;
        else
            column += !continues(text[i]);
    mistake_set(m, "%s: it must be text in UTF-8", parser->problem);
    return locate(path, line, column, m);
}

/* The character with this number, '\0' at the end: libyaml counts characters, not bytes. */
static char character_at(const char *text, size_t size_bytes, size_t number)
{
    size_t i = 0;

    while (i < size_bytes && (continues(text[i]) || number--))
        i++;
    return i < size_bytes ? text[i] : '\0';
}

/* What is behind most of what libyaml cannot read; NULL: something else is. */
static const char *hint(char at)
{
    if (at == '\t')
        return "YAML is indented with blanks, not with a tab";
    if (at && strchr(">|*&!%@`", at))
        return "what begins with one of > | * & ! % @ ` stands in quotes";
    return NULL;
}

static int explain_syntax(const yaml_parser_t *parser, const char *path, const char *text,
                          size_t size_bytes, struct mistake *m)
{
    const yaml_mark_t *at = &parser->problem_mark, *since = &parser->context_mark;
    const char *why = hint(character_at(text, size_bytes, at->index));

    /* It complains of what stands behind the sign. */
    if (!why && parser->context &&
        (strstr(parser->context, "block scalar") || strstr(parser->context, "alias")))
        why = hint(character_at(text, size_bytes, since->index));
    if (why)
        mistake_set(m, "%s: %s", parser->problem, why);
    else if (parser->context && since->line < at->line)
        mistake_set(m, "%s, %s that begins in line %zu", parser->problem, parser->context,
                    since->line + 1);
    else
        mistake_set(m, "%s", parser->problem);
    return locate(path, at->line, at->column, m);
}

static int explain(const yaml_parser_t *parser, const char *path, const char *text,
                   size_t size_bytes, struct mistake *m)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return mistake_set(m, "%.300s: no memory to read it", path);
    if (parser->error == YAML_READER_ERROR)
        return explain_bytes(parser, path, text, m);
    return explain_syntax(parser, path, text, size_bytes, m);
}

/* libyaml would drop what follows the first. */
static int check_alone(struct document *d, yaml_parser_t *parser, const char *text,
                       size_t size_bytes, struct mistake *m)
{
    yaml_document_t next;
    int status = 0;

    if (!yaml_parser_load(parser, &next))
        return explain(parser, d->path, text, size_bytes, m);
    if (yaml_document_get_root_node(&next)) {
        mistake_set(m, "a second document begins; a file holds one");
        status = locate(d->path, next.start_mark.line, next.start_mark.column, m);
    }
    yaml_document_delete(&next);
    return status;
}

static int check_first(struct document *d, yaml_parser_t *parser, const char *text,
                       size_t size_bytes, struct mistake *m)
{
    d->root = yaml_document_get_root_node(&d->yaml);
    if (d->root)
        return check_alone(d, parser, text, size_bytes, m);
    mistake_set(m, "there is nothing in it but comments");
    return locate(d->path, 0, 0, m);
}

int document_load(struct document *d, const char *path, const char *text, size_t size_bytes,
                  struct mistake *m)
{
    yaml_parser_t parser;
    int status = -1;

    *d = (struct document){ .path = path };
    if (size_bytes > DOCUMENT_BYTES_MOST)
        return mistake_set(m, "%.300s: longer than %d bytes", path, DOCUMENT_BYTES_MOST);
    if (!yaml_parser_initialize(&parser))
        return mistake_set(m, "%.300s: no memory to read it", path);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size_bytes);
    if (!yaml_parser_load(&parser, &d->yaml))
        explain(&parser, path, text, size_bytes, m);
    else {
        status = check_first(d, &parser, text, size_bytes, m);
        if (status < 0)
            document_free(d);
    }
    yaml_parser_delete(&parser);
    return status;
}

void document_free(struct document *d)
{
    yaml_document_delete(&d->yaml);
}

yaml_node_t *document_node(struct document *d, int index)
{
    return yaml_document_get_node(&d->yaml, index);
}

int document_items(const yaml_node_t *node)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return 1;
    return (int)(node->data.sequence.items.top - node->data.sequence.items.start);
}

yaml_node_t *document_item(struct document *d, yaml_node_t *node, int number)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return node;
    return document_node(d, node->data.sequence.items.start[number]);
}

/* Only what libyaml itself gives: "threads: != 4" is the text 4, tagged "!=". */
static int check_tag(const struct document *d, const yaml_node_t *node, struct mistake *m)
{
    static const char *const usual[] = {
        [YAML_SCALAR_NODE] = YAML_DEFAULT_SCALAR_TAG,
        [YAML_SEQUENCE_NODE] = YAML_DEFAULT_SEQUENCE_TAG,
        [YAML_MAPPING_NODE] = YAML_DEFAULT_MAPPING_TAG,
    };
    const char *tag = (const char *)node->tag;

    if (strcmp(tag, usual[node->type]) == 0)
        return 0;
    return document_mistake(d, node, m, "the tag '%.100s' says nothing here; %s", tag, hint('!'));
}

static const char *kind_of(const yaml_node_t *node)
{
    if (node->type == YAML_SCALAR_NODE)
        return *node->data.scalar.value ? "a text" : "nothing";
    return node->type == YAML_MAPPING_NODE ? "a mapping" : "a list";
}

static int check_text(const struct document *d, const yaml_node_t *node, const char *what,
                      struct mistake *m)
{
    if (check_tag(d, node, m) < 0)
        return -1;
    if (node->type != YAML_SCALAR_NODE || !*node->data.scalar.value)
        return document_mistake(d, node, m, "%s is wanted here, not %s", what, kind_of(node));
    if (strlen((const char *)node->data.scalar.value) != node->data.scalar.length)
        return document_mistake(d, node, m, "%s has no NUL in it", what);
    return 0;
}

const char *document_text(const struct document *d, const yaml_node_t *node, const char *what,
                          struct mistake *m)
{
    if (check_text(d, node, what, m) < 0)
        return NULL;
    return (const char *)node->data.scalar.value;
}

static int check_key(struct document *d, const yaml_node_pair_t *first,
                     const yaml_node_pair_t *pair, struct mistake *m)
{
    const yaml_node_t *node = document_node(d, pair->key);
    const char *key = document_text(d, node, "a key", m);

    if (!key)
        return -1;
    for (; first < pair; first++) {
        const yaml_node_t *before = document_node(d, first->key);

        if (strcmp((const char *)before->data.scalar.value, key) == 0)
            return document_mistake(d, node, m, "'%.100s' is there twice: in line %zu, too", key,
                                    before->start_mark.line + 1);
    }
    return 0;
}

int document_check_mapping(struct document *d, const yaml_node_t *node, const char *what,
                           struct mistake *m)
{
    const yaml_node_pair_t *first = node->data.mapping.pairs.start;

    if (check_tag(d, node, m) < 0)
        return -1;
    if (node->type != YAML_MAPPING_NODE)
        return document_mistake(d, node, m, "%s is wanted here, not %s", what, kind_of(node));
    if (first == node->data.mapping.pairs.top)
        return document_mistake(d, node, m, "%s is wanted here, and this is empty", what);
    for (const yaml_node_pair_t *p = first; p < node->data.mapping.pairs.top; p++)
        if (check_key(d, first, p, m) < 0)
            return -1;
    return 0;
}
