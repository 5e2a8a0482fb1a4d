/* The changes of a deployment on this machine: it has a function for each. */

#include <stdlib.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/archive/storage_row.h"
#include "importer/changes.h"
#include "importer/deployment.h"
#include "importer/deployment_schema.h"
#include "importer/intake.h"
#include "importer/restore.h"
#include "importer/stored_file.h"

/* --- rows ---------------------------------------------------------------- */

struct rows_intake {
	struct intake intake;
	struct import *import;
};

static struct import *import_of(struct intake *in)
{
	return ((struct rows_intake *)in)->import;
}

static void rows_free(struct intake *in)
{
	import_free(import_of(in));
	free(in);
}

static void rows_available(struct intake *in, uint64_t size)
{
	import_available(import_of(in), size);
}

static void rows_restart(struct intake *in)
{
	import_restart(import_of(in));
}

static int rows_check(struct intake *in, uint64_t size, struct cvx_err *err)
{
	return import_check(import_of(in), size, err);
}

static int rows_commit(struct intake *in, uint64_t size, uint64_t *ret_count,
		       struct cvx_err *err)
{
	struct import_result result;
	int r = import_commit(import_of(in), size, &result, err);

	if (r == 0)
		*ret_count = result.document_count;
	return r;
}

static void rows_cancel(struct intake *in)
{
	import_cancel(import_of(in));
}

static int rows_print_error(struct intake *in, struct cvx_buf *out)
{
	return import_print_error(import_of(in), out);
}

static const struct intake_ops rows_ops = {
	.free = rows_free,
	.available = rows_available,
	.restart = rows_restart,
	.check = rows_check,
	.commit = rows_commit,
	.cancel = rows_cancel,
	.print_error = rows_print_error,
};

/* --- an archive ---------------------------------------------------------- */

struct archive_intake {
	struct intake intake;
	struct restore *restore;
};

static struct restore *restore_of(struct intake *in)
{
	return ((struct archive_intake *)in)->restore;
}

static void archive_intake_free(struct intake *in)
{
	restore_free(restore_of(in));
	free(in);
}

static int archive_commit(struct intake *in, uint64_t size, uint64_t *ret_count,
			  struct cvx_err *err)
{
	struct restore_result result;
	int r = restore_commit(restore_of(in), size, &result, err);

	if (r == 0)
		*ret_count = result.document_count;
	return r;
}

static void archive_cancel(struct intake *in)
{
	restore_cancel(restore_of(in));
}

static int archive_print_error(struct intake *in, struct cvx_buf *out)
{
	return restore_print_error(restore_of(in), out);
}

static const struct intake_ops archive_ops = {
	.free = archive_intake_free,
	.commit = archive_commit,
	.cancel = archive_cancel,
	.print_error = archive_print_error,
};

/* --- the deployment ------------------------------------------------------ */

static struct restore_target archive_target(const struct intake_target *target)
{
	return (struct restore_target){
		.component = target->rows.component,
		.path = target->rows.path,
		.mode = target->rows.mode,
	};
}

static int begin_rows(struct deployment *d, const struct intake_target *target,
		      const struct import_source *source, struct intake **ret,
		      struct cvx_err *err)
{
	struct rows_intake *in = calloc(1, sizeof(*in));
	int r;

	if (!in)
		return cvx_fail_memory(err);
	in->intake.ops = &rows_ops;
	r = import_new(d, &target->rows, source, &in->import, err);
	if (r < 0)
		free(in);
	else
		*ret = &in->intake;
	return r;
}

static int begin_archive(struct deployment *d,
			 const struct intake_target *target,
			 const struct import_source *source,
			 struct intake **ret, struct cvx_err *err)
{
	const struct restore_target archive = archive_target(target);
	struct archive_intake *in = calloc(1, sizeof(*in));
	int r;

	if (!in)
		return cvx_fail_memory(err);
	in->intake.ops = &archive_ops;
	r = restore_new(d, &archive, source, &in->restore, err);
	if (r < 0)
		free(in);
	else
		*ret = &in->intake;
	return r;
}

static int begin_intake(void *ctx, const struct intake_target *target,
			const struct import_source *source, struct intake **ret,
			struct cvx_err *err)
{
	return target->is_archive ? begin_archive(ctx, target, source, ret, err)
				  : begin_rows(ctx, target, source, ret, err);
}

static void record_failure(void *ctx, const struct intake_target *target,
			   const struct cvx_err *cause)
{
	const struct restore_target archive = archive_target(target);

	/* It is told in other places as well. */
	if (target->is_archive)
		(void)restore_record_failure(ctx, &archive, cause);
	else
		(void)import_record_failure(ctx, &target->rows, cause);
}

static int create_table(void *ctx, const char *component, const char *table,
			struct cvx_err *err)
{
	return deployment_create_table(ctx, component, table, err);
}

static int delete_table(void *ctx, const char *component, const char *table,
			struct cvx_err *err)
{
	return deployment_delete_table(ctx, component, table, err);
}

static int register_tables(void *ctx, const char *component, const char *text,
			   size_t size, struct cvx_err *err)
{
	return deployment_register_tables(ctx, component, text, size, err);
}

static int create_component(void *ctx, const char *component,
			    struct cvx_err *err)
{
	return deployment_create_component(ctx, component, err);
}

static int delete_component(void *ctx, const char *component,
			    struct cvx_err *err)
{
	return deployment_delete_component(ctx, component, err);
}

static int set_schema(void *ctx, const char *component, const char *text,
		      size_t size, struct cvx_err *err)
{
	return deployment_set_schema(ctx, component, text, size, err);
}

static int store_file(void *ctx, const char *component,
		      const char *content_type, int fd, uint64_t size,
		      char ret_id[ID_TEXT_MAX + 1], struct cvx_err *err)
{
	return deployment_store_file(ctx, component, content_type, fd, size,
				     ret_id, err);
}

static int restore_file(void *ctx, const char *component,
			const struct storage_row *row, int fd, uint64_t size,
			char **ret_type, struct cvx_err *err)
{
	char id[ID_TEXT_MAX + 1] = "";
	struct stored_file now;
	int r = deployment_restore_stored_file(ctx, component, row, fd, size,
					       err);

	if (r < 0)
		return r;
	*ret_type = NULL;
	(void)id_encode(row->number, &row->key, id);
	/* It is stored, even if it is gone again. */
	if (deployment_find_stored_file(ctx, component, id, &now, NULL) == 0) {
		*ret_type = CVX_TAKE(now.content_type);
		stored_file_fini(&now);
	}
	return 0;
}

static int describe_files(void *ctx, const char *component,
			  const struct storage_row *rows, size_t count,
			  struct cvx_err *err)
{
	return deployment_describe_stored_files(ctx, component, rows, count,
						err);
}

static int delete_file(void *ctx, const char *component, const char *id,
		       struct cvx_err *err)
{
	return deployment_delete_stored_file(ctx, component, id, err);
}

static const struct change_ops ops = {
	.begin_intake = begin_intake,
	.record_failure = record_failure,
	.create_table = create_table,
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

struct changes deployment_changes(struct deployment *d)
{
	return (struct changes){&ops, d};
}
