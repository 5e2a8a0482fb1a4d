/* The changes of a deployment behind a URL, and what it has no call for. */

#include <errno.h>
#include <stdlib.h>

#include "cache/base/err.h"
#include "importer/changes.h"
#include "importer/intake.h"
#include "importer/remote/halt.h"
#include "importer/remote/provision.h"
#include "importer/remote/remote_components.h"
#include "importer/remote/remote_files.h"
#include "importer/remote/remote_register.h"
#include "importer/remote/remote_tables.h"
#include "importer/remote/replica_inside.h"

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

static int restore_file(void *ctx,
			const char *component __attribute__((unused)),
			const struct storage_row *row __attribute__((unused)),
			int fd __attribute__((unused)),
			uint64_t size __attribute__((unused)),
			struct cvx_err *err)
{
	return refuse(ctx,
		      "it gives stored files their ids itself, but for those "
		      "of a backup; write the backup as one .zip file, or the "
		      "file under a name that is no id",
		      err);
}

static int
describe_files(void *ctx, const char *component __attribute__((unused)),
	       const struct storage_row *rows __attribute__((unused)),
	       size_t count __attribute__((unused)), struct cvx_err *err)
{
	return refuse(ctx,
		      "time and type of a stored file are settled when it is "
		      "stored; write a backup as one .zip file, or the file "
		      "again with the right ending",
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
	struct register_place place = {
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
