#include "fs/expected.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/err.h"
#include "importer/archive/storage_rows.h"

/* Of one component; there are few. */
struct list {
	struct list *next;
	char *component;
	struct storage_rows rows;
};

struct expected {
	pthread_mutex_t lock;
	/* guarded by lock: */
	struct list *lists;
};

int expected_new(struct expected **ret, struct cvx_err *err)
{
	struct expected *e = calloc(1, sizeof(*e));

	if (!e)
		return cvx_fail_memory(err);
	pthread_mutex_init(&e->lock, NULL);
	*ret = e;
	return 0;
}

static void list_free(struct list *l)
{
	storage_rows_fini(&l->rows);
	free(l->component);
	free(l);
}

void expected_free(struct expected *e)
{
	if (!e)
		return;
	while (e->lists) {
		struct list *next = e->lists->next;

		list_free(e->lists);
		e->lists = next;
	}
	pthread_mutex_destroy(&e->lock);
	free(e);
}

static struct list *find(struct expected *e, const char *component)
{
	struct list *l = e->lists;

	while (l && strcmp(l->component, component) != 0)
		l = l->next;
	return l;
}

static struct list *add(struct expected *e, const char *component)
{
	struct list *l = calloc(1, sizeof(*l));

	if (!l || !(l->component = strdup(component))) {
		free(l);
		return NULL;
	}
	l->next = e->lists;
	e->lists = l;
	return l;
}

int expected_put(struct expected *e, const char *component,
		 struct storage_rows *rows, struct cvx_err *err)
{
	struct storage_rows old = *rows;
	struct list *l;

	pthread_mutex_lock(&e->lock);
	l = find(e, component);
	if (!l)
		l = add(e, component);
	if (l) {
		old = l->rows;
		l->rows = *rows;
	}
	pthread_mutex_unlock(&e->lock);
	storage_rows_fini(&old);
	*rows = (struct storage_rows){NULL, 0};
	return l ? 0 : cvx_fail_memory(err);
}

int expected_find(struct expected *e, const char *component, uint32_t number,
		  const struct internal_id *key, struct storage_row *ret,
		  struct cvx_err *err)
{
	const struct storage_row *row = NULL;
	const struct list *l;
	int r = 0;

	pthread_mutex_lock(&e->lock);
	l = find(e, component);
	if (l)
		row = storage_rows_find(&l->rows, number, key);
	if (row) {
		r = 1;
		*ret = *row;
		if (row->content_type &&
		    !(ret->content_type = strdup(row->content_type)))
			r = cvx_fail_memory(err);
	}
	pthread_mutex_unlock(&e->lock);
	return r;
}
