/*
 * source: which deployment a command works on (filesystem.md C-1).
 *
 * What is selected elsewhere is never replaced by the embedded deployment on
 * this machine: where a command cannot work with it, that is an error.
 *
 * Threads: any, as long as nobody changes the environment.
 */
#ifndef CVX_FS_SOURCE_H
#define CVX_FS_SOURCE_H

#include <stdbool.h>

#include "importer/remote/provision.h"

struct cvx_err;

/* The words of a command line; NULL or false: not given. */
struct source_flags {
	const char *source;
	const char *env_file;
	const char *url;
	const char *admin_key; /* NULL: the settings have it */
	bool prod;
	const char *preview_name;
	const char *deployment_name;
	const char *deployment;
};

struct source {
	char *dir; /* of the embedded deployment; NULL: it is elsewhere */
	struct remote_access access; /* if it is */
};

/*
 * Decides, and asks for the way to a deployment that is elsewhere. Without any
 * words the environment, .env.local and .env of the current folder decide, or
 * env_file alone; when nothing selects a deployment it is the embedded one.
 * Errors are those of settings_load(), selection_decide() and provision().
 */
int source_select(const struct source_flags *flags, struct source *ret,
		  struct cvx_err *err);
void source_fini(struct source *s);

/*
 * The same for what works with embedded deployments only: the folder,
 * resolved; the caller frees it. -ENOTSUP: another one is selected.
 */
int source_find(const char *source, const char *env_file, char **ret_dir,
		struct cvx_err *err);

#endif
