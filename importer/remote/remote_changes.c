/* The changes of a deployment behind a URL, and what it has no call for. */

#include <errno.h>

#include "cache/base/err.h"
#include "importer/changes.h"
#include "importer/remote/provision.h"
#include "importer/remote/replica_inside.h"

#define IN_CODE                                                                \
	"an admin key cannot change it, only code can: change the app's "      \
	"convex/ folder and run `npx convex deploy`"

static int refuse(const struct replica *r, const char *why, struct cvx_err *err)
{
	return cvx_fail(err, -EROFS, "%s is elsewhere: %s",
			r->settings.access->name, why);
}

static int register_tables(void *ctx,
			   const char *component __attribute__((unused)),
			   const char *text __attribute__((unused)),
			   size_t size __attribute__((unused)),
			   struct cvx_err *err)
{
	return refuse(ctx,
		      "it gives tables their numbers itself, but for those of "
		      "a backup; write the backup as one .zip file",
		      err);
}

static int create_component(void *ctx,
			    const char *component __attribute__((unused)),
			    struct cvx_err *err)
{
	return refuse(ctx,
		      "which components it has is written in code; " IN_CODE,
		      err);
}

static int delete_component(void *ctx,
			    const char *component __attribute__((unused)),
			    struct cvx_err *err)
{
	return refuse(ctx,
		      "which components it has is written in code; " IN_CODE,
		      err);
}

static int set_schema(void *ctx, const char *component __attribute__((unused)),
		      const char *text __attribute__((unused)),
		      size_t size __attribute__((unused)), struct cvx_err *err)
{
	return refuse(ctx, "its schema is written in code; " IN_CODE, err);
}

static int store_file(void *ctx, const char *component __attribute__((unused)),
		      const char *content_type __attribute__((unused)),
		      int fd __attribute__((unused)),
		      uint64_t size __attribute__((unused)),
		      char ret_id[ID_TEXT_MAX + 1] __attribute__((unused)),
		      struct cvx_err *err)
{
	return refuse(ctx, "files are not stored there yet", err);
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

static int delete_nothing(void *ctx,
			  const char *component __attribute__((unused)),
			  const char *name __attribute__((unused)),
			  struct cvx_err *err)
{
	return refuse(ctx, "nothing is deleted there yet", err);
}

const struct change_ops remote_change_ops = {
	.begin_intake = remote_intake_begin,
	.record_failure = remote_intake_record_failure,
	.create_table = remote_intake_make_table,
	.delete_table = delete_nothing,
	.register_tables = register_tables,
	.create_component = create_component,
	.delete_component = delete_component,
	.set_schema = set_schema,
	.store_file = store_file,
	.restore_file = restore_file,
	.describe_files = describe_files,
	.delete_file = delete_nothing,
};
