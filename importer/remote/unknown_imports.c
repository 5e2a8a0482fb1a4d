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

/* With the lock held. What is behind the newest ones goes. */
static struct unknown_import *cut(struct unknown_imports *u)
{
	struct unknown_import **link = &u->first, *rest;
	size_t n = 0;

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

/* Behind those that came meanwhile, which are newer. */
static void put_back(struct unknown_imports *u, struct unknown_import *list)
{
	struct unknown_import **link, *rest;

	(void)pthread_mutex_lock(&u->lock);
	for (link = &u->first; *link; link = &(*link)->next)
		continue;
	*link = list;
	rest = cut(u);
	(void)pthread_mutex_unlock(&u->lock);
	free_list(rest);
}

int unknown_imports_settle(struct unknown_imports *u, struct http *http,
			   struct deployment *records, const struct halt *halt,
			   void (*imported)(void *ctx, const char *path),
			   void *ctx)
{
	struct unknown_import *list, **link, *one;
	int r = 0;

	(void)pthread_mutex_lock(&u->lock);
	list = u->first;
	u->first = NULL;
	(void)pthread_mutex_unlock(&u->lock);
	for (link = &list; r >= 0 && *link;) {
		bool was_done = false;

		one = *link;
		r = settle_one(one, http, records, halt, &was_done);
		if (r != 1) {
			link = &one->next;
			continue;
		}
		*link = one->next;
		if (was_done)
			imported(ctx, one->path);
		free_one(one);
	}
	if (list)
		put_back(u, list);
	return r < 0 ? r : 0;
}
