#include "fs/paths.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"

static int fail_path(const char *path, int code, struct cvx_err *err)
{
	return cvx_fail(err, code, "%s: %s", path, strerror(-code));
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* dir is resolved, name a single name or "". */
static int join(const char *dir, const char *name, char **ret)
{
	const char *slash = strcmp(dir, "/") == 0 || !*name ? "" : "/";

	return asprintf(ret, "%s%s%s", dir, slash, name) < 0 ? -ENOMEM : 0;
}

int path_resolve(const char *path, char **ret, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *parent = strdup(path), *base = NULL;
	const char *name;
	char *slash;
	int r;

	*ret = realpath(path, NULL);
	if (*ret)
		return 0;
	if (errno != ENOENT || !*path)
		return fail_path(path, -errno, err);
	if (!parent)
		return cvx_fail_memory(err);
	while (strlen(parent) > 1 && parent[strlen(parent) - 1] == '/')
		parent[strlen(parent) - 1] = '\0';
	slash = strrchr(parent, '/');
	name = slash ? slash + 1 : parent;
	if (is_dots(name)) /* of a folder that is not there */
		return fail_path(path, -ENOENT, err);
	/* Each turn shortens the path, so this ends: at "/", which exists, or
	 * at ".". */
	if (!slash) {
		r = path_resolve(".", &base, err);
	} else {
		*slash = '\0';
		r = path_resolve(slash == parent ? "/" : parent, &base, err);
	}
	if (r < 0)
		return r;
	return join(base, name, ret) < 0 ? cvx_fail_memory(err) : 0;
}

static const char *home(char *buf, size_t size)
{
	const char *dir = getenv("HOME");
	struct passwd pw, *found = NULL;

	if (dir && dir[0] == '/')
		return dir;
	/* Programs started at boot have no HOME. */
	if (getpwuid_r(geteuid(), &pw, buf, size, &found) != 0 || !found ||
	    found->pw_dir[0] != '/')
		return NULL;
	return found->pw_dir;
}

int path_in_home(const char *variable, const char *fallback, const char *name,
		 char **ret, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *path = NULL;
	const char *dir = getenv(variable);
	char buf[4096];
	int n;

	if (dir && dir[0] == '/') { /* the rules say to ignore others */
		n = asprintf(&path, "%s/convexfs/%s", dir, name);
	} else {
		dir = home(buf, sizeof(buf));
		if (!dir)
			return cvx_fail(err, -ENOENT,
					"neither $%s nor a home folder is "
					"known",
					variable);
		n = asprintf(&path, "%s/%s/convexfs/%s", dir, fallback, name);
	}
	if (n < 0) {
		path = NULL;
		return cvx_fail_memory(err);
	}
	return path_resolve(path, ret, err);
}

bool path_is_inside(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return true;
	return strncmp(path, dir, n) == 0 &&
	       (path[n] == '/' || path[n] == '\0');
}
