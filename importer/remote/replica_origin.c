/* What a copy asks its deployment before it answers (origin.h). */
#include "importer/remote/replica_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/base/log.h"
#include "importer/archive/subtree.h"
#include "importer/archive/writer.h"
#include "importer/deployment.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/held.h"
#include "importer/embedded/listed.h"
#include "importer/origin.h"
#include "importer/remote/halt.h"
#include "importer/remote/holder.h"
#include "importer/remote/lister.h"
#include "importer/remote/listing.h"
#include "importer/remote/provision.h"
#include "importer/remote/remote_export.h"
#include "importer/source.h"
#include "importer/stored_file.h"

/* A deployment that was away a moment ago is not asked again, where the copy
 * may answer for it: else each file read would wait for it. */
#define AWAY_MS 2000

/* --- when it is away ----------------------------------------------------- */

static bool is_away(int code)
{
	return code == -ECONNREFUSED || code == -ECONNRESET ||
	       code == -EHOSTUNREACH || code == -EHOSTDOWN ||
	       code == -ENETUNREACH || code == -ENETDOWN ||
	       code == -ETIMEDOUT || code == -EPIPE;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static bool was_away_just_now(struct replica *r)
{
	bool was;

	(void)pthread_mutex_lock(&r->lock);
	was = r->is_away &&
	      now_ns() - r->asked_ns < AWAY_MS * UINT64_C(1000000);
	(void)pthread_mutex_unlock(&r->lock);
	return was;
}

/* The copy answers in its place, unless that is not wanted. */
static bool answers_offline(struct replica *r)
{
	return r->settings.offline_reads && was_away_just_now(r);
}

/* What came of a question. 0: it was answered, or the copy may answer. */
static int note(struct replica *r, int code, const struct cvx_err *why)
{
	bool went = is_away(code), was;

	if (code < 0 && !went)
		return code;
	(void)pthread_mutex_lock(&r->lock);
	was = r->is_away;
	r->is_away = went;
	r->away_code = code;
	r->asked_ns = now_ns();
	if (went && !was)
		r->away_ns = embedded_now_ns();
	(void)pthread_mutex_unlock(&r->lock);
	if (went && !was)
		log_warning("%s: is away: %s%s", r->settings.access->name,
			    why ? why->msg : "",
			    r->settings.offline_reads
				    ? "; what is here is shown as it was"
				    : "");
	else if (was && !went)
		log_info("%s: is back", r->settings.access->name);
	return went && !r->settings.offline_reads ? code : 0;
}

/* The copy answers for what it was told about: nothing there is not the same as
 * nothing known. */
static int answer_offline(struct replica *r, const char *component,
			  enum listed what, struct cvx_err *err)
{
	int code = listed_find(r->records, component, what, err);

	if (code == 1 || code == -ENOENT)
		return 0;
	if (code < 0)
		return code;
	(void)pthread_mutex_lock(&r->lock);
	code = r->away_code;
	(void)pthread_mutex_unlock(&r->lock);
	/* Back in between: whoever asks again is answered. */
	return cvx_fail(err, code < 0 ? code : -EAGAIN,
			"%s is away, and which %s %s%s has was never asked "
			"on this machine; try again when it is back",
			r->settings.access->name,
			what == LISTED_FILES ? "files" : "tables",
			component[0] ? "component " : "it", component);
}

static bool is_stale(void *ctx, int64_t *ret_since_ns)
{
	struct replica *r = ctx;
	bool stale;

	(void)pthread_mutex_lock(&r->lock);
	stale = r->is_away;
	*ret_since_ns = r->away_ns;
	(void)pthread_mutex_unlock(&r->lock);
	return stale;
}

/* --- questions ----------------------------------------------------------- */

static int list(void *ctx, const char *component, enum origin_age age,
		const struct patience *patience, struct cvx_err *err)
{
	CVX_AUTO(halt_freep) struct halt *halt = NULL;
	struct cvx_err own = CVX_ERR_INIT;
	struct replica *r = ctx;
	/* A name on the way to a file is not shown yet; behind it there may be
	 * one that needs no deployment, such as what was refused. */
	bool is_on_the_way = age == ORIGIN_RECENT;
	int code;
	bool went;

	if (is_on_the_way && was_away_just_now(r))
		return 0;
	if (answers_offline(r))
		return answer_offline(r, component, LISTED_NAMES, err);
	code = halt_of_patience(patience, &halt, &own);
	if (code == 0)
		code = lister_list(r->lister, component, age, halt, &own);
	went = is_away(code);
	code = note(r, code, &own);
	if (is_on_the_way && went)
		return 0;
	if (code == 0 && went)
		code = answer_offline(r, component, LISTED_NAMES, &own);
	if (code < 0 && err)
		*err = own;
	return code;
}

/* A table that is not here cannot be answered for. */
static bool is_held(struct replica *r, const char *component, const char *table)
{
	struct held held = {.cursor = NULL};
	int found = held_find(r->records, component, table, &held, NULL);

	held_fini(&held);
	return found == 1;
}

/* A name on the way, as for list(). */
static int find_table(void *ctx, const char *component, const char *table,
		      const struct patience *patience, struct cvx_err *err)
{
	CVX_AUTO(halt_freep) struct halt *halt = NULL;
	struct cvx_err own = CVX_ERR_INIT;
	struct replica *r = ctx;
	int code;

	if (was_away_just_now(r))
		return 0;
	if (lister_is_recent(r->lister, component))
		return 0;
	code = halt_of_patience(patience, &halt, err);
	if (code < 0)
		return code;
	code = holder_look(r->holder, component, table, halt, &own);
	if (code == -ECANCELED) {
		*err = own;
		return code;
	}
	if (code == 1 || is_away(code)) {
		(void)note(r, code < 0 ? code : 0, &own);
		return 0;
	}
	/* What is wrong with its documents is told to who reads them. */
	return list(ctx, component, ORIGIN_RECENT, patience, err);
}

static int hold_table(void *ctx, const char *component, const char *table,
		      enum origin_age age, uint64_t since_ns,
		      const struct patience *patience, struct cvx_err *err)
{
	CVX_AUTO(halt_freep) struct halt *halt = NULL;
	struct cvx_err own = CVX_ERR_INIT;
	struct replica *r = ctx;
	int code, away;

	if (answers_offline(r) && is_held(r, component, table))
		return 0;
	code = halt_of_patience(patience, &halt, &own);
	if (code == 0)
		code = holder_hold_table(r->holder, component, table, age,
					 since_ns, halt, &own);
	away = code;
	code = note(r, code, &own);
	if (code == 0 && away < 0 && !is_held(r, component, table))
		code = away;
	if (code < 0 && err)
		*err = own;
	return code;
}

static int count_documents(void *ctx, const char *component, const char *table,
			   const struct patience *patience, uint64_t *ret,
			   struct cvx_err *err)
{
	CVX_AUTO(halt_freep) struct halt *halt = NULL;
	CVX_AUTO(cvx_freep) char *id = NULL;
	struct table_info info;
	struct replica *r = ctx;
	int code = halt_of_patience(patience, &halt, err);

	if (code == 0)
		code = lister_list(r->lister, component, ORIGIN_KNOWN, halt,
				   err);
	if (code == 0)
		code = lister_component_id(r->lister, component, &id, err);
	if (code == 0)
		code = remote_count_documents(r->reader, id, table, halt, ret,
					      err);
	if (code == 0 || code == -ECANCELED)
		return code;
	/* Where it cannot be asked for, it can be counted. */
	code = hold_table(ctx, component, table, ORIGIN_NOW, 0, patience, err);
	if (code == 0)
		code = deployment_stat_table(r->copy, component, table, &info,
					     err);
	if (code == 0)
		*ret = info.document_count;
	return code;
}

static int list_files(void *ctx, const char *component, enum origin_age age,
		      const struct patience *patience, struct cvx_err *err)
{
	CVX_AUTO(halt_freep) struct halt *halt = NULL;
	struct cvx_err own = CVX_ERR_INIT;
	struct replica *r = ctx;
	int code;
	bool went;

	if (answers_offline(r))
		return answer_offline(r, component, LISTED_FILES, err);
	code = halt_of_patience(patience, &halt, &own);
	if (code == 0)
		code = lister_list_files(r->lister, component, age, halt, &own);
	went = is_away(code);
	code = note(r, code, &own);
	if (code == 0 && went)
		code = answer_offline(r, component, LISTED_FILES, &own);
	if (code < 0 && err)
		*err = own;
	return code;
}

static int has_files(void *ctx, const char *component,
		     const struct patience *patience, bool *ret,
		     struct cvx_err *err)
{
	CVX_AUTO(halt_freep) struct halt *halt = NULL;
	CVX_AUTO(cvx_freep) char *id = NULL;
	struct cvx_err own = CVX_ERR_INIT;
	struct replica *r = ctx;
	struct storage_info info;
	uint64_t count = 0;
	int code = deployment_stat_storage(r->copy, component, &info, &own);

	*ret = code == 0 && info.file_count > 0;
	if (code == 0 && !answers_offline(r)) {
		code = halt_of_patience(patience, &halt, &own);
		if (code == 0)
			code = lister_component_id(r->lister, component, &id,
						   &own);
		if (code == 0)
			code = remote_count_files(r->reader, id, halt, &count,
						  &own);
		if (code == 0)
			*ret = count > 0;
		if (code == -EREMOTEIO || code == -EPERM || code == -ENOENT)
			code = 0; /* it is not told; what is known stays */
		code = note(r, code, &own);
	}
	if (code < 0 && err)
		*err = own;
	return code;
}

/* A file that is here needs no question; else only the deployment has it. */
static int hold_file(void *ctx, const char *component, const char *id,
		     const struct patience *patience, struct cvx_err *err)
{
	CVX_AUTO(halt_freep) struct halt *halt = NULL;
	struct replica *r = ctx;
	int code = halt_of_patience(patience, &halt, err);

	return code < 0 ? code
			: file_keeper_hold(&r->files, component, id, halt, err);
}

static void settle_imports(void *ctx, const struct patience *patience,
			   void (*imported)(void *ctx, const char *path),
			   void *imported_ctx)
{
	CVX_AUTO(halt_freep) struct halt *halt = NULL;
	struct replica *r = ctx;
	int code;

	if (was_away_just_now(r) || halt_of_patience(patience, &halt, NULL) < 0)
		return;
	code = unknown_imports_settle(&r->unknown, r->reader, r->records, halt,
				      imported, imported_ctx);
	if (is_away(code))
		(void)note(r, code, NULL);
}

/* Of a backup that is being cut. */
static int go_on(void *ctx, uint64_t done __attribute__((unused)),
		 uint64_t settled __attribute__((unused)), struct cvx_err *err)
{
	const struct halt *halt = ctx;

	return halt_is_requested(halt)
		       ? cvx_fail(err, -ECANCELED, "interrupted")
		       : 0;
}

/* Deployments export all components, whichever one they are asked for
 * (import.md 13.1): of a component, its part. */
static int export(struct replica *r, const char *component,
		  const struct remote_export_settings *settings, int fd,
		  struct remote_export_result *ret, struct cvx_err *err)
{
	CVX_AUTO(cvx_closep) int whole_fd = -1;
	const struct import_source whole = source_of_fd(&whole_fd);
	const struct archive_watcher watcher = {go_on, (void *)settings->halt};
	int code;

	if (!component[0])
		return remote_export(r->reader, settings, fd, ret, err);
	whole_fd = file_open_unnamed(r->dir_fd);
	if (whole_fd < 0)
		return cvx_fail(err, whole_fd,
				"cannot make a file in the cache: %s",
				strerror(-whole_fd));
	code = remote_export(r->reader, settings, whole_fd, ret, err);
	return code < 0 ? code
			: subtree_write(&whole, ret->size, component, fd,
					&watcher, &ret->size, err);
}

static int make_backup(void *ctx, const char *component, bool with_files,
		       int fd, const struct patience *patience,
		       uint64_t *ret_size, int64_t *ret_ns, struct cvx_err *err)
{
	CVX_AUTO(halt_freep) struct halt *halt = NULL;
	CVX_AUTO(cvx_freep) char *id = NULL;
	struct remote_export_result result = {.file_name = NULL};
	struct replica *r = ctx;
	struct remote_export_settings settings = {
		.include_storage = with_files,
		.busy_ms = r->settings.timeout_ms,
		.stall_ms = r->settings.timeout_ms,
	};
	int code = halt_of_patience(patience, &halt, err);

	settings.halt = halt;
	if (code == 0)
		code = lister_list(r->lister, component, ORIGIN_KNOWN, halt,
				   err);
	if (code == 0)
		code = lister_component_id(r->lister, component, &id, err);
	settings.component_id = id;
	if (code == 0)
		code = export(r, component, &settings, fd, &result, err);
	if (code == 0) {
		*ret_size = result.size;
		*ret_ns = result.start_ts;
	}
	free(result.file_name);
	return code;
}

const struct origin_ops replica_origin_ops = {
	.list = list,
	.find_table = find_table,
	.hold_table = hold_table,
	.count_documents = count_documents,
	.list_files = list_files,
	.has_files = has_files,
	.hold_file = hold_file,
	.make_backup = make_backup,
	.settle_imports = settle_imports,
	.is_stale = is_stale,
};
