/*
 * component_id: the ids by which functions name components (SCH-7). The root
 * has one, too, but is mostly named by null.
 *
 * An id is made from the path, so it is the same in every process.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_SERVER_COMPONENT_ID_H
#define CVX_IMPORTER_SERVER_COMPONENT_ID_H

#include "importer/value/id.h"

struct cJSON;
struct cvx_err;
struct deployment;

void component_id_make(const char *path, char id[ID_TEXT_MAX + 1]);

/* The path of a component, the caller's to free(). NULL, "" and the id of the
 * root are the root; -ENOENT, with a name, if there is none. */
int component_id_find(struct deployment *d, const char *id, char **ret,
		      struct cvx_err *err);

/* All paths, the root first; free with deployment_free_components(). */
int component_id_list(struct deployment *d, char ***ret, size_t *ret_count,
		      struct cvx_err *err);

#endif
