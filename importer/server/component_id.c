#include "importer/server/component_id.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/deployment.h"

/* Number of the system table _components (import.md 2.4). */
#define COMPONENTS_TABLE_NUMBER 544

/* Two times FNV-1a, from two starts. */
static uint64_t hash(const char *text, uint64_t h)
{
	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3;
	return h;
}

void component_id_make(const char *path, char id[ID_TEXT_MAX + 1])
{
	const uint64_t halves[2] = {hash(path, 0xcbf29ce484222325),
				    hash(path, 0x9ae16a3b2f90404f)};
	struct internal_id internal;

	memcpy(internal.bytes, halves, sizeof(internal.bytes));
	id[id_encode(COMPONENTS_TABLE_NUMBER, &internal, id)] = '\0';
}

struct list {
	char **paths;
	size_t count;
};

static int add_path(struct list *l, const char *path, struct cvx_err *err)
{
	char **more = reallocarray(l->paths, l->count + 2, sizeof(*more));

	if (!more)
		return cvx_fail_memory(err);
	l->paths = more;
	l->paths[l->count] = strdup(path);
	if (!l->paths[l->count])
		return cvx_fail_memory(err);
	l->paths[++l->count] = NULL; /* what deployment_free_… looks for */
	return 0;
}

/* The component and those below it. Paths end somewhere, and so does this. */
static int add_below(struct deployment *d, struct list *l, const char *path,
		     struct cvx_err *err)
{
	char **children = NULL;
	size_t count = 0, i;
	int r = add_path(l, path, err);

	if (r == 0)
		r = deployment_list_components(d, path, &children, &count, err);
	for (i = 0; r == 0 && i < count; i++)
		r = add_below(d, l, children[i], err);
	deployment_free_components(children);
	return r;
}

int component_id_list(struct deployment *d, char ***ret, size_t *ret_count,
		      struct cvx_err *err)
{
	struct list l = {NULL, 0};
	int r = add_below(d, &l, "", err);

	if (r < 0) {
		deployment_free_components(l.paths);
		return r;
	}
	*ret = l.paths;
	*ret_count = l.count;
	return 0;
}

int component_id_find(struct deployment *d, const char *id, char **ret,
		      struct cvx_err *err)
{
	char other[ID_TEXT_MAX + 1];
	char **paths = NULL;
	size_t count = 0, i;
	int r = id && *id ? component_id_list(d, &paths, &count, err) : 0;

	if (r < 0)
		return r;
	*ret = NULL;
	for (i = 0; i < count && !*ret; i++) {
		component_id_make(paths[i], other);
		if (strcmp(other, id) == 0)
			*ret = strdup(paths[i]);
	}
	deployment_free_components(paths);
	if (!id || !*id)
		*ret = strdup("");
	if (*ret)
		return 0;
	return cvx_fail_named(err, -ENOENT, "ComponentNotFound",
			      "there is no component of this id");
}
