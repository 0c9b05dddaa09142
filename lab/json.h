/* json.h - results for programs, by jansson.
 *
 * Values are built by jansson's own functions. Those here close its gaps: a number that is
 * not finite, an array that is built of values which may have failed, and a text that
 * nobody could print. All take over (steal) what they are given.
 */
#ifndef LAB_JSON_H
#define LAB_JSON_H

#include <jansson.h>

/* Of each command that prints a table. A macro, for C has no constant structs to name. */
#define JSON_OPTION { "json", 'j', NULL, 0, "print JSON, for programs, instead of a table", 0 }

/* A number; null if it is not finite, as JSON has no word for that. */
json_t *json_finite(double value);

/* A text; null if it is NULL. If it is not UTF-8, as a file's name need not be, with a question
 * mark for each byte that is not ASCII: one name must not void all the rest. */
json_t *json_text(const char *text);

/* A number; null if it is 0, which stands for none. */
json_t *json_count(int count);

/* The array with the value at its end; NULL if either is NULL. */
json_t *json_with(json_t *array, json_t *value);

/* Prints it on standard output, keys in the order in which they were set. The exit status:
 * 0, or 1 if there is no value or no room; it has been said then, or is at exit. */
int json_print(json_t *value);

#endif
