/*
 * model: values and validators once more, slow and plain, straight from
 * import.md 4.1 and 8.3, on trees of strict.h; and random ones to compare
 * importer/schema with. It shares no code with it.
 *
 * A value is the tree of a canonical text, a validator that of its JSON.
 */
#ifndef CVX_TESTS_UNIT_MODEL_H
#define CVX_TESTS_UNIT_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/unit/strict.h"

struct cvx_buf;

/* Random numbers, the same in every run; never 0. */
struct model_random {
	uint64_t state;
};

uint64_t model_next(struct model_random *r);
uint32_t model_below(struct model_random *r, uint32_t limit);

/* The number of the tables that ids of random values are of: "users" and
 * "posts"; ids of MODEL_NO_TABLE are of none. */
#define MODEL_USERS 10001
#define MODEL_POSTS 10002
#define MODEL_NO_TABLE 20000
const char *model_table_name(void *ctx, uint32_t number);

/* Appends the JSON text of the tree. */
void model_print(const struct strict *v, struct cvx_buf *out);

/* Appends a random value in canonical text. */
void model_random_value(struct model_random *r, unsigned depth,
			struct cvx_buf *out);

/* Appends the JSON of a random validator. */
void model_random_validator(struct model_random *r, unsigned depth,
			    struct cvx_buf *out);

/* Appends a value that the validator accepts, now and then with a mistake. */
void model_random_match(struct model_random *r, const struct strict *validator,
			struct cvx_buf *out);

/* Whether the validator accepts the value. root: it is that of documents. */
bool model_accepts(const struct strict *validator, const struct strict *value,
		   bool root);

/* <0, 0, >0 in the order of import.md 4.1; NULL is an absent value. */
int model_compare(const struct strict *a, const struct strict *b);

/* The value at the path in the document, NULL if there is none. */
const struct strict *model_at(const struct strict *document, const char *path);

#endif
