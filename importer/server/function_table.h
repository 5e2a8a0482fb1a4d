/*
 * function_table: what functions are, for those who write them.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_SERVER_FUNCTION_TABLE_H
#define CVX_IMPORTER_SERVER_FUNCTION_TABLE_H

#include <stdbool.h>

#include "importer/deployment.h"
#include "importer/server/functions.h"

struct function {
	const char *path; /* "module:export" */
	bool is_mutation;
	/* Appends the result, as canonical text. */
	int (*run)(const struct function_call *call, struct cvx_buf *out,
		   struct cvx_err *err);
};

/* The tables of the other files; each ends with an entry without a path. */
extern const struct function table_functions[];
extern const struct function schema_functions[];
extern const struct function clear_functions[];
extern const struct function stored_functions[];

/* QRY-9; returns -EINVAL. */
int function_fail_argument(const char *key, const char *what,
			   struct cvx_err *err);

/* The path of the component whose id is the argument, which may be null or not
 * there: then the call's own. The caller's to free(). */
int function_component(const struct function_call *call, const char *key,
		       char **ret, struct cvx_err *err);

/* The table that the arguments tableName and componentId name. One that is not
 * there, nor its component, is without documents. The component is the caller's
 * to free(), after a failure as well. */
struct function_table {
	char *component; /* NULL: there is none */
	const char *name;
	struct table_info info;
};

int function_find_table(const struct function_call *call,
			struct function_table *ret, struct cvx_err *err);

#endif
