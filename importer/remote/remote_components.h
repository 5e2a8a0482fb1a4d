/*
 * remote_components: components of a deployment behind a URL.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_REMOTE_REMOTE_COMPONENTS_H
#define CVX_IMPORTER_REMOTE_REMOTE_COMPONENTS_H

struct cvx_err;
struct halt;
struct http;

/* The id of the component at the path, to be freed; NULL for the root. -ENOENT
 * if there is none. */
int remote_find_component(struct http *http, const char *path,
			  const struct halt *halt, char **ret,
			  struct cvx_err *err);

#endif
