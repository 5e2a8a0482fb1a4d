/*
 * remote_components: components of a deployment behind a URL come and go
 * (protocol.md 7.3, 11.4).
 *
 * There is no request that makes one: an import into it does (IMP-14). Nothing
 * mounts it, so an admin key may delete it again (SCH-9); those that the app's
 * code mounts stay. The deployment deletes components with all that is in them.
 * So it is asked first whether there is anything; what others write between the
 * two requests goes with the component. When an answer is lost, it is asked
 * again what is there.
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

/* As deployment_create_component(). dir_fd: where a file can be made. An error
 * named INTAKE_UNKNOWN: it may have been made. */
int remote_create_component(struct http *http, const char *path, int dir_fd,
			    struct cvx_err *err);

/* As deployment_delete_component(): an empty one, of this id. An error named
 * INTAKE_UNKNOWN: the answer was lost, and so is the deployment. */
int remote_delete_component(struct http *http, const char *path, const char *id,
			    const struct halt *halt, struct cvx_err *err);

#endif
