/*
 * json: lines of generated JSON files, printed with cJSON.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_EMBEDDED_JSON_H
#define CVX_IMPORTER_EMBEDDED_JSON_H

#include <stdint.h>

struct cJSON;
struct cvx_buf;
struct cvx_err;

/* Appends the object and LF, and deletes it. NULL: memory ran out. */
int json_print_line(struct cJSON *object, struct cvx_buf *out,
		    struct cvx_err *err);

/* "2026-11-22T10:28:14.123Z" */
#define JSON_TIME_SIZE 64
void json_print_time(int64_t ns, char text[JSON_TIME_SIZE]);

#endif
