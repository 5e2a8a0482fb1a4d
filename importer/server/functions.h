/*
 * functions: the system functions that clients call (protocol.md 5.2), by
 * /api/query, /api/mutation and over the socket.
 *
 * Results are canonical text (value.h). They see what is committed when they
 * are called.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_SERVER_FUNCTIONS_H
#define CVX_IMPORTER_SERVER_FUNCTIONS_H

#include <stdbool.h>

struct cJSON;
struct cvx_buf;
struct cvx_err;
struct function;
struct server;

/* By its path, "module:export"; the export and ".js" may be left out (QRY-1).
 * NULL: there is none. */
const struct function *function_find(const char *path);
bool function_is_mutation(const struct function *f);

/* Whether the path is a system function's, known or not. */
bool function_is_system(const char *path);

struct function_call {
	struct server *server;
	const struct cJSON *args; /* an object */
	const char *component;	  /* its path; "": the root */
};

/*
 * Appends the result to out. An error without a name is a function error
 * (QRY-5), one with a name is the answer's own: ComponentPathNotFound.
 */
int function_run(const struct function *f, const struct function_call *call,
		 struct cvx_buf *out, struct cvx_err *err);

/* The arguments of a request: an object, or an array of one (QRY-2). NULL:
 * they are neither; the value lives as long as args. */
const struct cJSON *function_args(const struct cJSON *args);

#endif
