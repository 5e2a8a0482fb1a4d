/* The changes of a deployment behind a URL, and what it has no call for. */

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/archive/storage_row.h"
#include "importer/changes.h"
#include "importer/embedded/copy.h"
#include "importer/intake.h"
#include "importer/remote/archive_import.h"
#include "importer/remote/halt.h"
#include "importer/remote/lister.h"
#include "importer/remote/provision.h"
#include "importer/remote/remote_components.h"
#include "importer/remote/remote_files.h"
#include "importer/remote/remote_register.h"
#include "importer/remote/remote_restore.h"
#include "importer/remote/remote_tables.h"
#include "importer/remote/replica_inside.h"
#include "importer/stored_file.h"

/* --- what it has no call for --------------------------------------------- */

static int refuse(const struct replica *r, const char *why, struct cvx_err *err)
{
	return cvx_fail(err, -EROFS, "%s is elsewhere: %s",
			r->settings.access->name, why);
}

static int set_schema(void *ctx, const char *component __attribute__((unused)),
		      const char *text __attribute__((unused)),
		      size_t size __attribute__((unused)), struct cvx_err *err)
{
	return refuse(ctx,
		      "its schema is written in code; an admin key cannot "
		      "change it, only code can: change the app's convex/ "
		      "folder and run `npx convex deploy`",
		      err);
}

/* --- what it does -------------------------------------------------------- */

/* A change under way, in one component. */
struct changing {
	struct replica *replica;
	struct halt *halt;
	char *component; /* its id; NULL: the root */
};

static int begin(struct changing *c, struct replica *r, const char *component,
		 struct cvx_err *err)
{
	int result;

	*c = (struct changing){.replica = r};
	result = halt_new(&c->halt, err);
	if (result < 0)
		return result;
	halt_follow_thread(c->halt);
	return remote_find_component(r->http, component, c->halt, &c->component,
				     err);
}

/* Shows it. After an outcome that is not known, whatever came of it. */
static int end(struct changing *c, int result, const struct cvx_err *why,
	       struct cvx_err *err)
{
	if (result == 0 || intake_is_unknown(why))
		replica_show(c->replica);
	if (result < 0 && err)
		*err = *why;
	halt_free(c->halt);
	free(c->component);
	return result;
}

static int register_tables(void *ctx, const char *component, const char *text,
			   size_t size, struct cvx_err *err)
{
	struct cvx_err why = CVX_ERR_INIT;
	struct replica *r = ctx;
	struct archive_place place = {
		.http = r->http, .path = component, .dir_fd = r->dir_fd};
	struct changing c;
	int result = begin(&c, r, component, &why);

	place.component = c.component;
	if (result == 0)
		result = remote_register_tables(&place, text, size, c.halt,
						&why);
	return end(&c, result, &why, err);
}

static int create_component(void *ctx, const char *component,
			    struct cvx_err *err)
{
	struct cvx_err why = CVX_ERR_INIT;
	struct replica *r = ctx;
	int result =
		remote_create_component(r->http, component, r->dir_fd, &why);

	if (result == 0 || intake_is_unknown(&why))
		replica_show(r);
	if (result < 0 && err)
		*err = why;
	return result;
}

static int delete_component(void *ctx, const char *component,
			    struct cvx_err *err)
{
	struct cvx_err why = CVX_ERR_INIT;
	struct replica *r = ctx;
	struct changing c;
	int result = begin(&c, r, component, &why);

	if (result == 0)
		result = remote_delete_component(r->http, component,
						 c.component, c.halt, &why);
	return end(&c, result, &why, err);
}

static int delete_table(void *ctx, const char *component, const char *table,
			struct cvx_err *err)
{
	struct cvx_err why = CVX_ERR_INIT;
	struct replica *r = ctx;
	struct changing c;
	int result = begin(&c, r, component, &why);

	if (result == 0)
		result = remote_delete_table(r->http, c.component, table,
					     c.halt, &why);
	return end(&c, result, &why, err);
}

static int store_file(void *ctx, const char *component,
		      const char *content_type, int fd, uint64_t size,
		      char ret_id[ID_TEXT_MAX + 1], struct cvx_err *err)
{
	struct cvx_err why = CVX_ERR_INIT;
	struct replica *r = ctx;
	struct changing c;
	int result = begin(&c, r, component, &why);

	if (result == 0)
		result = remote_store_file(r->http, c.component, content_type,
					   fd, size, c.halt, ret_id, &why);
	return end(&c, result, &why, err);
}

/* What a backup tells of its files. */
static bool is_whole(const struct storage_row *row)
{
	return row->has_time && row->has_internal_id;
}

static const char *print_id(const struct storage_row *row,
			    char id[ID_TEXT_MAX + 1])
{
	id[id_encode(row->number, &row->key, id)] = '\0';
	return id;
}

static int restore_file(void *ctx, const char *component,
			const struct storage_row *row, int fd, uint64_t size,
			char **ret_type, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *type = NULL;
	CVX_AUTO(stored_file_fini) struct stored_file had = {.size = 0};
	char id[ID_TEXT_MAX + 1];
	struct cvx_err why = CVX_ERR_INIT;
	struct replica *r = ctx;
	struct archive_place place = {
		.http = r->http, .path = component, .dir_fd = r->dir_fd};
	struct changing c;
	int result = begin(&c, r, component, &why);

	place.component = c.component;
	if (result == 0 && row->content_type &&
	    !(type = strdup(row->content_type)))
		result = cvx_fail_memory(&why);
	if (result == 0)
		result = remote_restore_file(&place, row, fd, size, c.halt,
					     &had, &why);
	if (result >= 0)
		*ret_type = result == 1 ? CVX_TAKE(type)
					: CVX_TAKE(had.content_type);
	if (result == 1 && !is_whole(row))
		loose_files_add(&r->loose, component, print_id(row, id));
	return end(&c, result < 0 ? result : 0, &why, err);
}

static int fail_settled(const struct replica *r, const char *id,
			struct cvx_err *err)
{
	return cvx_fail(err, -EROFS,
			"%s is elsewhere: there, time, type and internal id of "
			"a stored file are settled when it is stored, and %s "
			"has others; delete that file and write it again "
			"behind its row",
			r->settings.access->name, id);
}

/* All or none: the rows may change only what has come without a row. */
static int check_loose(struct replica *r, const char *component,
		       const struct storage_row *rows, size_t count,
		       const bool *changes, struct cvx_err *err)
{
	char id[ID_TEXT_MAX + 1];
	size_t i;

	for (i = 0; i < count; i++)
		if (changes[i] && !loose_files_has(&r->loose, component,
						   print_id(&rows[i], id)))
			return fail_settled(r, id, err);
	return 0;
}

static int settle_file(struct changing *c, const struct archive_place *place,
		       const struct storage_row *row, struct cvx_err *err)
{
	CVX_AUTO(stored_file_fini) struct stored_file file = {.size = 0};
	CVX_AUTO(cvx_closep) int fd = -1;
	struct replica *r = c->replica;
	char id[ID_TEXT_MAX + 1];
	int result = file_keeper_hold(&r->files, place->path, print_id(row, id),
				      c->halt, err);

	if (result == 0)
		result = deployment_open_stored_file(r->copy, place->path, id,
						     &fd, &file, err);
	if (result == 0)
		result =
			remote_settle_file(place, row, fd, &file, c->halt, err);
	if (result == 0 && is_whole(row))
		loose_files_remove(&r->loose, place->path, id);
	return result;
}

/* Rows change what is there here. There they tell of files to come, and of
 * those that have come from here before them. */
static int describe_files(void *ctx, const char *component,
			  const struct storage_row *rows, size_t count,
			  struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) bool *changes = calloc(count + 1, sizeof(*changes));
	struct cvx_err why = CVX_ERR_INIT;
	struct replica *r = ctx;
	struct archive_place place = {
		.http = r->http, .path = component, .dir_fd = r->dir_fd};
	struct changing c;
	size_t i;
	int result = begin(&c, r, component, &why);

	place.component = c.component;
	if (result == 0 && !changes)
		result = cvx_fail_memory(&why);
	if (result == 0)
		result = lister_list_files(r->lister, component, ORIGIN_NOW,
					   c.halt, &why);
	if (result == 0)
		result = copy_compare_files(r->records, component, rows, count,
					    changes, &why);
	if (result == 0)
		result = check_loose(r, component, rows, count, changes, &why);
	for (i = 0; result == 0 && i < count; i++)
		if (changes[i])
			result = settle_file(&c, &place, &rows[i], &why);
	return end(&c, result, &why, err);
}

static int delete_file(void *ctx, const char *component, const char *id,
		       struct cvx_err *err)
{
	struct cvx_err why = CVX_ERR_INIT;
	struct replica *r = ctx;
	struct changing c;
	int result = begin(&c, r, component, &why);

	if (result == 0)
		result = remote_delete_file(r->http, c.component, id, c.halt,
					    &why);
	return end(&c, result, &why, err);
}

const struct change_ops remote_change_ops = {
	.begin_intake = remote_intake_begin,
	.record_failure = remote_intake_record_failure,
	.create_table = remote_intake_make_table,
	.delete_table = delete_table,
	.register_tables = register_tables,
	.create_component = create_component,
	.delete_component = delete_component,
	.set_schema = set_schema,
	.store_file = store_file,
	.restore_file = restore_file,
	.describe_files = describe_files,
	.delete_file = delete_file,
};
