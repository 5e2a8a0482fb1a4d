/*
 * value: any value as JSON text in each encoding of import.md 4.4, and its
 * canonical text in those of 4.5.
 *
 * Canonical is the text in export encoding: what documents.jsonl shows. It is
 * what the program keeps; the other output encodings are printed from it.
 *
 * Errors:  refusals (refusal.h), as document.h has them; canonical text is
 *          trusted, and -EINVAL without more words if it is damaged.
 * Limits:  those of values in import.md 4.2.
 * Threads: a reader belongs to one thread at a time; the rest any.
 */
#ifndef CVX_IMPORTER_VALUE_VALUE_H
#define CVX_IMPORTER_VALUE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cvx_buf;
struct cvx_err;

enum value_encoding { VALUE_PLAIN, VALUE_UNIFORM, VALUE_INTERNAL };

struct value_reader;

int value_reader_new(enum value_encoding encoding, struct value_reader **ret,
		     struct cvx_err *err);
void value_reader_free(struct value_reader *r);

/*
 * Appends the canonical text of the value in text, which holds exactly one
 * JSON value and white space, to out.
 */
int value_read(struct value_reader *r, const char *text, size_t size,
	       struct cvx_buf *out, struct cvx_err *err);

/* Size and nesting as import.md 4.2 counts them. */
struct value_size {
	uint64_t size;
	unsigned nesting;
};

int value_measure(const char *canonical, size_t size, struct value_size *ret);

/* Appends the value in internal or clean encoding. */
int value_print_internal(const char *canonical, size_t size,
			 struct cvx_buf *out);
int value_print_clean(const char *canonical, size_t size, struct cvx_buf *out);

#endif
