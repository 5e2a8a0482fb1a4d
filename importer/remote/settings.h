/*
 * settings: the variables that a deployment is selected by, as they are seen
 * from the environment and from the files of a folder (protocol.md SEL-0 to
 * SEL-4), and the access token of the official client's login.
 *
 * Where they come from is remembered, for messages. Values may be secrets.
 *
 * Threads: fixed after init, as long as nobody changes the environment.
 */
#ifndef CVX_IMPORTER_REMOTE_SETTINGS_H
#define CVX_IMPORTER_REMOTE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/remote/dotenv.h"

struct cvx_err;

struct settings_places {
	const char *const *environment; /* "NAME=value", NULL behind the last */
	const char *dir;		/* of .env.local, .env and .convex */
	const char *env_file; /* NULL: none; else it alone counts (SEL-3) */
	bool no_files;	      /* neither .env.local nor .env is read */
};

enum { SETTINGS_FILE_MAX = 2 };

struct settings {
	const char *const *environment;
	int dir_fd;
	bool env_file_only;
	struct {
		char *path; /* as it stands in messages */
		struct dotenv pairs;
	} files[SETTINGS_FILE_MAX]; /* the first one that has a name decides */
	size_t file_count;
	char *home;	     /* ~/.convex, or another (SEL-1); NULL: no HOME */
	char *access_token;  /* NULL: not logged in */
	const char *warning; /* static: what was passed over; NULL: nothing */
};

/* The environment must live as long as s. An env file must be its owner's
 * alone (filesystem.md C-5): else -EPERM. */
int settings_load(struct settings *s, const struct settings_places *places,
		  struct cvx_err *err);
void settings_fini(struct settings *s);

/* The value of a name; NULL if there is none, or it is empty. As long as s. */
const char *settings_find(const struct settings *s, const char *name);

/* The same, from the process environment alone. */
const char *settings_find_in_environment(const struct settings *s,
					 const char *name);

/* CONVEX_DEPLOY_KEY, else its alias, but for <ignore_deploy_key>; NULL if
 * there is none. *ret_name is the variable's name. */
const char *settings_find_deploy_key(const struct settings *s,
				     const char **ret_name);

/* " in .env.local", or "" for the environment; behind the name of a variable
 * in messages. */
void settings_place(const struct settings *s, const char *name, char *text,
		    size_t size);

/* CONVEX_IMPORT_CHUNK_SIZE (IMP-4); 0: it is not set. -EINVAL: it is no size.
 */
int settings_find_part_size(const struct settings *s, uint64_t *ret,
			    struct cvx_err *err);

#endif
