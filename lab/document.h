/* document.h - a text in YAML, and where in it a mistake is.
 *
 * A node of libyaml knows its line and column. So every mistake that is found here, or that
 * somebody finds in what a node says, begins with "FILE:LINE:COLUMN: ". What YAML has and we
 * have no use for is refused rather than misread: tags, several documents, encodings other
 * than UTF-8.
 *
 * Functions that return an int: 0, or -1 and a mistake.
 */
#ifndef LAB_DOCUMENT_H
#define LAB_DOCUMENT_H

#include "lab/mistake.h"

#include <stddef.h>
#include <yaml.h>

/* libyaml compares each anchor with all before it: more could take minutes. */
enum { DOCUMENT_BYTES_MOST = 65536 };

struct document {
    const char *path; /* as mistakes say it; not owned */
    yaml_document_t yaml;
    yaml_node_t *root;
};

/* To be freed, unless it fails. `path` must live as long. */
int document_load(struct document *d, const char *path, const char *text, size_t size_bytes,
                  struct mistake *m);
void document_free(struct document *d);

/* By the index that a list or a mapping holds. */
yaml_node_t *document_node(struct document *d, int index);

/* A list has items; anything else is the only item of itself. */
int document_items(const yaml_node_t *node);
yaml_node_t *document_item(struct document *d, yaml_node_t *node, int number);

/* Puts the node's place in front of the mistake. Always -1. */
int document_locate(const struct document *d, const yaml_node_t *node, struct mistake *m);

/* A mistake at this node. Always -1. */
__attribute__((format(printf, 4, 5)))
int document_mistake(const struct document *d, const yaml_node_t *node, struct mistake *m,
                     const char *format, ...);

/* The text of a node that is one, and not empty; it lives as long as the document. NULL and a
 * mistake that says what it should have been: `what`, as "a matrix's name". */
const char *document_text(const struct document *d, const yaml_node_t *node, const char *what,
                          struct mistake *m);

/* Is it a mapping, not empty, whose keys are texts, none of them twice? */
int document_check_mapping(struct document *d, const yaml_node_t *node, const char *what,
                           struct mistake *m);

#endif
