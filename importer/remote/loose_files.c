#include "importer/remote/loose_files.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"

void loose_files_init(struct loose_files *l)
{
	*l = (struct loose_files){.tree = NULL};
	(void)pthread_mutex_init(&l->lock, NULL);
}

void loose_files_fini(struct loose_files *l)
{
	tdestroy(l->tree, free);
	(void)pthread_mutex_destroy(&l->lock);
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* No id has a slash in it. */
static char *print_key(const char *component, const char *id)
{
	char *key;

	return asprintf(&key, "%s/%s", component, id) < 0 ? NULL : key;
}

void loose_files_add(struct loose_files *l, const char *component,
		     const char *id)
{
	char *key = print_key(component, id);
	char *const *found = NULL;

	if (!key)
		return;
	(void)pthread_mutex_lock(&l->lock);
	if (l->count < LOOSE_FILES_MAX)
		found = tsearch(key, &l->tree, compare);
	if (found && *found == key) {
		l->count++;
		key = NULL;
	}
	(void)pthread_mutex_unlock(&l->lock);
	free(key);
}

void loose_files_remove(struct loose_files *l, const char *component,
			const char *id)
{
	CVX_AUTO(cvx_freep) char *key = print_key(component, id);
	char *const *found;
	char *gone = NULL;

	if (!key)
		return;
	(void)pthread_mutex_lock(&l->lock);
	found = tfind(key, &l->tree, compare);
	if (found) {
		gone = *found;
		(void)tdelete(key, &l->tree, compare);
		l->count--;
	}
	(void)pthread_mutex_unlock(&l->lock);
	free(gone);
}

bool loose_files_has(struct loose_files *l, const char *component,
		     const char *id)
{
	CVX_AUTO(cvx_freep) char *key = print_key(component, id);
	bool has;

	if (!key)
		return false;
	(void)pthread_mutex_lock(&l->lock);
	has = tfind(key, &l->tree, compare) != NULL;
	(void)pthread_mutex_unlock(&l->lock);
	return has;
}
