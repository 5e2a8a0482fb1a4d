#include "fs/components.h"

#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/err.h"

struct components {
	pthread_mutex_t lock;
	/* guarded by lock: */
	void *paths; /* tsearch tree of strings */
};

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

int components_new(struct components **ret, struct cvx_err *err)
{
	struct components *cs = calloc(1, sizeof(*cs));

	if (!cs)
		return cvx_fail_memory(err);
	pthread_mutex_init(&cs->lock, NULL);
	*ret = cs;
	return 0;
}

void components_free(struct components *cs)
{
	if (!cs)
		return;
	tdestroy(cs->paths, free);
	pthread_mutex_destroy(&cs->lock);
	free(cs);
}

/* NULL without memory. */
static const char *add(struct components *cs, const char *path)
{
	char *copy = strdup(path);

	if (copy && tsearch(copy, &cs->paths, compare))
		return copy;
	free(copy);
	return NULL;
}

int components_keep(struct components *cs, const char *path, const char **ret,
		    struct cvx_err *err)
{
	char *const *found;
	const char *kept;

	pthread_mutex_lock(&cs->lock);
	found = tfind(path, &cs->paths, compare);
	kept = found ? *found : add(cs, path);
	pthread_mutex_unlock(&cs->lock);
	if (!kept)
		return cvx_fail_memory(err);
	*ret = kept;
	return 0;
}
