/*
 * compose: canonical text of small values, put together with cJSON.
 *
 * Numbers are added as their text, for what is a number to cJSON would lose
 * the difference of int64 and float64. Members must be added in the order of
 * their names.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_SERVER_COMPOSE_H
#define CVX_IMPORTER_SERVER_COMPOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cJSON;
struct cvx_buf;
struct cvx_err;

bool compose_add_int64(struct cJSON *object, const char *key, int64_t n);
bool compose_add_float64(struct cJSON *object, const char *key, double n);
/* text is JSON. */
bool compose_add_raw(struct cJSON *object, const char *key, const char *text);
/* NULL or "": null. */
bool compose_add_text_or_null(struct cJSON *object, const char *key,
			      const char *text);

/* Appends the value and deletes it. NULL: memory ran out. */
int compose_print(struct cJSON *value, struct cvx_buf *out,
		  struct cvx_err *err);

/* Appends the text as a JSON string. */
int compose_print_string(const char *text, struct cvx_buf *out);

/* The end of a function that appends: its error. */
int compose_fail_append(int r, struct cvx_err *err);

/* base64 of the number's 8 bytes, little-endian (VAL-7), and NUL. */
#define STAMP_TEXT_SIZE 13
void compose_print_stamp(uint64_t ns, char text[STAMP_TEXT_SIZE]);
/* False: that is not one. */
bool compose_read_stamp(const char *text, uint64_t *ret);

#endif
