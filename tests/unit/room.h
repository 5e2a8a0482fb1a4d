/*
 * room: a folder of a project, a home and an environment, for tests of what a
 * deployment is selected by. Whatever fails here fails the case.
 */
#ifndef CVX_TESTS_UNIT_ROOM_H
#define CVX_TESTS_UNIT_ROOM_H

#include <stddef.h>

#include "importer/remote/settings.h"

struct room {
	char dir[256];
	char home[256];
	char *environment[16]; /* NULL behind the last */
	size_t environment_count;
};

/* Empty, but for HOME. */
void room_init(struct room *r);
void room_fini(struct room *r);

/* "NAME=value" */
void room_set(struct room *r, const char *name, const char *value);

/* A file below the folder or the home, with its folders; mode 0600. */
void room_put(const struct room *r, const char *path, const char *text);
void room_put_home(const struct room *r, const char *path, const char *text);

struct settings_places room_places(const struct room *r, const char *env_file);

#endif
