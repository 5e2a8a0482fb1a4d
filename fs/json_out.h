/*
 * json_out: JSON objects of a few fields, for what commands print.
 *
 * A name that is "" begins an object or a text in an array. Commas are put
 * where they belong.
 *
 * Threads: not locked.
 */
#ifndef CVX_FS_JSON_OUT_H
#define CVX_FS_JSON_OUT_H

#include <stdint.h>

#include "cache/base/buf.h"

/* What fails is kept: only json_out_flush() needs to be looked at. */
struct json_out {
	struct cvx_buf text;
	int failure; /* negative errno */
};

void json_out_init(struct json_out *j);
void json_out_fini(struct json_out *j);

/* Bytes of the text that are no UTF-8 become U+FFFD. NULL: null. */
void json_out_text(struct json_out *j, const char *name, const char *text);
void json_out_number(struct json_out *j, const char *name, uint64_t number);

/* A value that is JSON already. */
void json_out_raw(struct json_out *j, const char *name, const char *json,
		  size_t size);

/* bracket is "{", "[", "}" or "]". */
void json_out_open(struct json_out *j, const char *name, const char *bracket);
void json_out_close(struct json_out *j, const char *bracket);

/* Prints the line on standard output; 0 or a negative errno. */
int json_out_flush(struct json_out *j);

#endif
