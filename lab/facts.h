/* facts.h - an ordered list of names and values, as the record keeps them.
 *
 * A fact that is absent (no such file, no such variable) is in the list as well, without a
 * value: that we looked and found nothing is worth knowing, and is not the same as zero.
 */
#ifndef LAB_FACTS_H
#define LAB_FACTS_H

enum { FACTS_MAX = 96 };

struct fact {
    const char *name; /* of static life */
    char *value;      /* owned; NULL: absent. One line of printable ASCII */
};

struct facts {
    int count;
    struct fact fact[FACTS_MAX];
};

/* `value` is copied up to the end of its first line, without blanks at its ends; what cannot
 * be printed becomes a question mark. NULL, and a line of blanks, are absent. */
void facts_add(struct facts *f, const char *name, const char *value);

__attribute__((format(printf, 3, 4)))
void facts_format(struct facts *f, const char *name, const char *format, ...);

/* NULL: absent, or not in the list. */
const char *facts_get(const struct facts *f, const char *name);

/* The number with which it begins; `missing` if it begins with none. */
double facts_number(const struct facts *f, const char *name, double missing);

void facts_free(struct facts *f);

#endif
