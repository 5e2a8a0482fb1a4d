#include "importer/remote/unknown_imports.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/err.h"
#include "cache/base/log.h"
#include "importer/embedded/records.h"
#include "importer/remote/remote_import.h"

struct unknown_import {
	struct unknown_import *next;
	struct remote_import *import;
	int64_t record;
	char *path;
	bool is_superseded; /* guarded by the lock */
};

void unknown_imports_init(struct unknown_imports *u)
{
	*u = (struct unknown_imports){.first = NULL};
	(void)pthread_mutex_init(&u->lock, NULL);
}

static void free_one(struct unknown_import *one)
{
	remote_import_free(one->import);
	free(one->path);
	free(one);
}

static void free_list(struct unknown_import *list)
{
	struct unknown_import *next;

	for (; list; list = next) {
		next = list->next;
		free_one(list);
	}
}

void unknown_imports_fini(struct unknown_imports *u)
{
	free_list(u->first);
	(void)pthread_mutex_destroy(&u->lock);
}

/* With the lock held. What is behind the newest ones goes, later while they are
 * looked up. */
static struct unknown_import *cut(struct unknown_imports *u)
{
	struct unknown_import **link = &u->first, *rest;
	size_t n = 0;

	if (u->is_settling)
		return NULL;
	while (*link && n < UNKNOWN_IMPORTS_MAX) {
		link = &(*link)->next;
		n++;
	}
	rest = *link;
	*link = NULL;
	return rest;
}

void unknown_imports_add(struct unknown_imports *u,
			 struct remote_import *import, int64_t record,
			 const char *path)
{
	struct unknown_import *one = calloc(1, sizeof(*one)), *rest;

	if (one)
		one->path = strdup(path);
	if (!one || !one->path) { /* it stays unknown */
		free(one);
		remote_import_free(import);
		return;
	}
	one->import = import;
	one->record = record;
	(void)pthread_mutex_lock(&u->lock);
	one->next = u->first;
	u->first = one;
	rest = cut(u);
	(void)pthread_mutex_unlock(&u->lock);
	free_list(rest);
}

/* 1: it is settled; 0: it is still open. */
static int settle_one(struct unknown_import *one, struct http *http,
		      struct deployment *records, const struct halt *halt,
		      bool *ret_imported)
{
	struct cvx_err err = CVX_ERR_INIT;
	enum remote_outcome outcome;
	const char *text;
	uint64_t count = 0;
	int r = remote_import_look_up(one->import, http, halt, &outcome, &count,
				      &err);

	if (r < 0)
		return r;
	if (outcome == REMOTE_OPEN)
		return 0;
	*ret_imported = outcome == REMOTE_IMPORTED;
	text = remote_import_error(one->import);
	log_info("%s: import %s %s", one->path, remote_import_id(one->import),
		 *ret_imported ? "was done after all" : "came to nothing");
	if (one->record != 0 &&
	    record_settle(records, one->record, count == UINT64_MAX ? 0 : count,
			  *ret_imported ? "" : "ImportFailed",
			  *ret_imported ? ""
			  : text	? text
					: "it was never confirmed",
			  &err) < 0)
		log_warning("%s: how its import ended cannot be recorded: %s",
			    one->path, err.msg);
	return 1;
}

void unknown_imports_supersede(struct unknown_imports *u, const char *path)
{
	struct unknown_import *one;

	(void)pthread_mutex_lock(&u->lock);
	for (one = u->first; one; one = one->next)
		one->is_superseded |= strcmp(one->path, path) == 0;
	(void)pthread_mutex_unlock(&u->lock);
}

/* With the lock held. */
static void take_out(struct unknown_imports *u,
		     const struct unknown_import *one)
{
	struct unknown_import **link = &u->first;

	while (*link != one)
		link = &(*link)->next;
	*link = one->next;
}

int unknown_imports_settle(struct unknown_imports *u, struct http *http,
			   struct deployment *records, const struct halt *halt,
			   void (*imported)(void *ctx, const char *path),
			   void *ctx)
{
	struct unknown_import *one, *next;
	bool was_done;
	int r = 0;

	(void)pthread_mutex_lock(&u->lock);
	if (u->is_settling || !u->first) {
		(void)pthread_mutex_unlock(&u->lock);
		return 0;
	}
	u->is_settling = true;
	for (one = u->first; r >= 0 && one; one = next) {
		next = one->next;
		was_done = false;
		(void)pthread_mutex_unlock(&u->lock);
		r = settle_one(one, http, records, halt, &was_done);
		(void)pthread_mutex_lock(&u->lock);
		if (r != 1)
			continue;
		take_out(u, one);
		/* Nothing else is kept at the path before this is over. */
		if (was_done && !one->is_superseded)
			imported(ctx, one->path);
		free_one(one);
	}
	u->is_settling = false;
	one = cut(u);
	(void)pthread_mutex_unlock(&u->lock);
	free_list(one);
	return r < 0 ? r : 0;
}
