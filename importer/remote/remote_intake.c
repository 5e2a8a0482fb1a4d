/*
 * A file on its way to the deployment behind a replica.
 *
 * How the rows of documents.jsonl are encoded shows in the first of them, and
 * in the table (M-7): parts are uploaded as soon as that is known. Rows of
 * uniform encoding wait for the whole file, and travel as an archive.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/base/log.h"
#include "importer/deployment.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/records.h"
#include "importer/remote/archive_import.h"
#include "importer/remote/halt.h"
#include "importer/remote/provision.h"
#include "importer/remote/remote_components.h"
#include "importer/remote/remote_import.h"
#include "importer/remote/remote_register.h"
#include "importer/remote/replica_inside.h"
#include "importer/remote/uniform_archive.h"
#include "importer/value/document.h"

/* As much of a file is there before its first row is looked at. A longer first
 * row has the file wait for its end. */
#define FIRST_SIZE ((size_t)64 << 10)

#define BOM "\xef\xbb\xbf"
#define BOM_SIZE ((size_t)3)

struct remote_intake {
	struct intake intake;
	struct replica *replica;
	struct intake_target target; /* its texts are our own */
	char *component, *table, *path;
	struct import_source source;
	struct running_import running;
	bool is_listed; /* in the list of imports; else it only makes a table */
	struct halt *halt;

	bool is_known; /* how the rows are encoded */
	bool is_export_line;
	bool is_uniform;
	bool looked;	     /* at a part of the first row, in vain */
	uint32_t row_number; /* of the table in the first row's _id; or 0 */

	int archive_fd; /* of uniform rows; -1: none */

	pthread_mutex_t lock;
	/* guarded by lock, for who cancels: */
	struct remote_import *import;
};

static struct remote_intake *of(struct intake *in)
{
	return (struct remote_intake *)in;
}

/* --- the import ---------------------------------------------------------- */

static void drop_import(struct remote_intake *in)
{
	struct remote_import *import;

	(void)pthread_mutex_lock(&in->lock);
	import = CVX_TAKE(in->import);
	(void)pthread_mutex_unlock(&in->lock);
	remote_import_free(import);
}

static enum remote_format format_of(const struct remote_intake *in)
{
	if (in->target.is_archive || in->is_uniform)
		return REMOTE_ZIP;
	switch (in->target.rows.format) {
	case FORMAT_CSV:
		return REMOTE_CSV;
	case FORMAT_JSONL:
		return REMOTE_JSON_LINES;
	case FORMAT_JSON:
		return REMOTE_JSON_ARRAY;
	}
	return REMOTE_JSON_LINES;
}

static int need_import(struct remote_intake *in, struct cvx_err *err)
{
	const enum remote_format format = format_of(in);
	const struct remote_import_target target = {
		.component = in->component,
		.table = format == REMOTE_ZIP ? NULL : in->table,
		.format = format,
		.mode = in->target.rows.mode,
	};
	const struct replica_settings *replica = &in->replica->settings;
	const struct remote_import_settings settings = {
		.part_size = replica->access->part_size,
		.keeps_records = replica->keeps_uploads,
		.record_dir_fd = replica->uploads_fd,
	};
	const struct import_source archive = source_of_fd(&in->archive_fd);
	struct remote_import *import;
	int r;

	if (in->import)
		return 0;
	r = remote_import_new(in->replica->http, &target,
			      in->is_uniform ? &archive : &in->source,
			      &settings, &import, err);
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&in->lock);
	in->import = import;
	if (halt_is_requested(in->halt))
		remote_import_cancel(import);
	(void)pthread_mutex_unlock(&in->lock);
	return 0;
}

/* --- encoding (M-7) ------------------------------------------------------ */

static bool may_be_uniform(const struct remote_intake *in)
{
	return in->target.rows.canonical && !in->target.is_archive &&
	       in->target.rows.format == FORMAT_JSONL;
}

/* 1 if the first row is in the first bytes of size or, with whole, in the
 * file; 0 if more bytes are needed. */
static int look_at_first(struct remote_intake *in, uint64_t size, bool whole,
			 struct cvx_err *err)
{
	size_t max = whole ? FORMAT_ROW_MAX : FIRST_SIZE;
	size_t want = size < max ? (size_t)size : max, n = 0;
	CVX_AUTO(cvx_freep) char *buf = malloc(want + 1);
	const char *text = buf, *lf;
	int r;

	if (!buf)
		return cvx_fail_memory(err);
	r = in->source.read(in->source.ctx, 0, buf, want, &n, err);
	if (r < 0)
		return r;
	if (n >= BOM_SIZE && memcmp(text, BOM, BOM_SIZE) == 0) { /* M-8 */
		text += BOM_SIZE;
		n -= BOM_SIZE;
	}
	lf = memchr(text, '\n', n);
	if (!lf && !whole)
		return 0;
	if (lf)
		n = (size_t)(lf - text);
	in->is_export_line = document_is_export_line(text, n);
	if (!document_peek_table_number(text, n, &in->row_number))
		in->row_number = 0;
	return 1;
}

static int choose_encoding(struct remote_intake *in, bool *ret_uniform,
			   struct cvx_err *err)
{
	int r = 0;

	*ret_uniform = false;
	if (in->is_export_line)
		r = deployment_takes_uniform(in->replica->copy, in->component,
					     in->table, ret_uniform, err);
	if (r == -ENOENT) { /* the component is not there yet */
		*ret_uniform = true;
		r = 0;
	}
	return r;
}

/* Of the bytes that are there: how they are to be read, if they tell. */
static int guess_encoding(struct remote_intake *in, uint64_t size,
			  struct cvx_err *err)
{
	int r;

	if (!may_be_uniform(in)) {
		in->is_known = true;
		return 0;
	}
	if (in->looked || size < FIRST_SIZE)
		return 0;
	in->looked = true;
	r = look_at_first(in, size, false, err);
	if (r == 1) {
		r = choose_encoding(in, &in->is_uniform, err);
		in->is_known = r == 0;
	}
	return r;
}

/* Of the whole file, and the table as it is now. */
static int settle_encoding(struct remote_intake *in, uint64_t size,
			   struct cvx_err *err)
{
	bool uniform = false;
	int r = 0;

	if (may_be_uniform(in)) {
		r = look_at_first(in, size, true, err);
		if (r >= 0 && in->is_export_line &&
		    in->target.rows.base_revision == 0) /* else it was */
			r = replica_hold(in->replica, in->component, in->table,
					 in->halt, err);
		if (r >= 0)
			r = choose_encoding(in, &uniform, err);
	}
	if (r < 0)
		return r;
	if (in->import && uniform != in->is_uniform)
		drop_import(in);
	in->is_uniform = uniform;
	in->is_known = true;
	return 0;
}

/* --- while it is written ------------------------------------------------- */

static void available(struct intake *intake, uint64_t size)
{
	struct remote_intake *in = of(intake);
	struct cvx_err err = CVX_ERR_INIT;

	in->running.available_size = size;
	/* What fails here fails again in the commit. */
	if (!in->is_known && guess_encoding(in, size, &err) < 0)
		return;
	if (!in->is_known || in->is_uniform || need_import(in, &err) < 0)
		return;
	remote_import_available(in->import, size);
	in->running.consumed_size = remote_import_consumed(in->import);
}

static void restart(struct intake *intake)
{
	struct remote_intake *in = of(intake);

	drop_import(in);
	in->is_known = in->is_uniform = in->looked = false;
	in->running.consumed_size = 0;
}

/* --- the commit ---------------------------------------------------------- */

/* W-8 */
static int check_base(struct remote_intake *in, struct cvx_err *err)
{
	const uint64_t revision = in->target.rows.base_revision;
	struct table_info now = {.revision = 0};
	int r;

	if (revision == 0)
		return 0;
	r = replica_hold(in->replica, in->component, in->table, in->halt, err);
	if (r == 0)
		r = deployment_stat_table(in->replica->copy, in->component,
					  in->table, &now, err);
	if (r < 0 && r != -ENOENT)
		return r;
	if (now.revision == revision)
		return 0;
	return cvx_fail(err, -ESTALE,
			"table %s was changed by someone else since it was "
			"opened; open it again and repeat the edit",
			in->table);
}

/* Whether another table has the number, as far as it was told. */
static int is_taken(const struct remote_intake *in, bool *ret,
		    struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct table_info *tables = NULL;
	size_t count = 0, i;
	int r = deployment_list_tables(in->replica->copy, in->component,
				       &tables, &count, err);

	*ret = false;
	for (i = 0; r == 0 && i < count; i++)
		*ret |= tables[i].number == in->row_number &&
			strcmp(tables[i].name, in->table) != 0;
	return r == -ENOENT ? 0 : r; /* the component is not there yet */
}

/* As plan_numbers.c does it for a deployment on this machine: an empty table
 * makes room for rows of uniform encoding, which bring its number. */
static int make_room(struct remote_intake *in, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *id = NULL;
	struct archive_place place = {.http = in->replica->http,
				      .path = in->component,
				      .dir_fd = in->replica->dir_fd};
	bool taken = false;
	int r = 0;

	if (in->is_uniform && in->row_number != 0)
		r = is_taken(in, &taken, err);
	if (r < 0 || !taken)
		return r;
	r = remote_find_component(in->replica->http, in->component, in->halt,
				  &id, err);
	place.component = id;
	if (r == 0)
		r = remote_make_room(&place, in->table, in->row_number,
				     in->halt, err);
	if (r == 0)
		replica_show(in->replica);
	return r;
}

/* Rows that only an archive can carry, at the end of the file. */
static int pack(struct remote_intake *in, uint64_t *size, struct cvx_err *err)
{
	if (!in->is_uniform)
		return 0;
	in->archive_fd = file_open_unnamed(in->replica->dir_fd);
	if (in->archive_fd < 0)
		return cvx_fail(err, in->archive_fd,
				"cannot keep what is to be sent: %s",
				strerror(-in->archive_fd));
	return uniform_archive_write(in->table, &in->source, *size,
				     in->archive_fd, size, err);
}

static int send(struct remote_intake *in, uint64_t size, uint64_t *ret_count,
		struct cvx_err *err)
{
	int r = check_base(in, err);

	if (r == 0)
		r = settle_encoding(in, size, err);
	if (r == 0)
		r = make_room(in, err);
	if (r == 0)
		r = pack(in, &size, err);
	if (r == 0)
		r = need_import(in, err);
	return r < 0 ? r
		     : remote_import_commit(in->import, size, ret_count, err);
}

/* Whether the deployment may show something else than before. */
static bool may_have_changed(const struct remote_intake *in,
			     const struct cvx_err *why)
{
	if (why->code == 0 || intake_is_unknown(why))
		return true;
	return in->target.rows.mode == IMPORT_APPEND && in->import &&
	       remote_import_id(in->import);
}

/* Shows what came of it. What the deployment has taken stands there, whether
 * the copy follows or not. */
static void show_outcome(struct remote_intake *in, const struct cvx_err *why)
{
	if (may_have_changed(in, why))
		replica_show(in->replica);
}

static struct import_subject subject_of(const struct intake_target *target)
{
	struct import_subject subject = record_subject(&target->rows);

	if (target->is_archive) {
		subject.table = "";
		subject.format = "zip";
	}
	return subject;
}

/* The record's id; 0: there is none. */
static int64_t record(struct remote_intake *in, uint64_t size, uint64_t count,
		      const struct cvx_err *why)
{
	const char *text = in->import ? remote_import_error(in->import) : NULL;
	const struct import_record record = {
		.subject = in->running.subject,
		.row_count = count == UINT64_MAX ? 0 : count,
		.size = size,
		.started_ns = in->running.started_ns,
		.error_code = why->code < 0 ? record_error_code(why) : "",
		.error_text = why->code == 0 ? ""
			      : text	     ? text
					     : why->msg,
	};
	struct cvx_err err = CVX_ERR_INIT;
	int64_t id = 0;

	if (record_commit(in->replica->records, &record, &id, &err) < 0) {
		log_warning("%s: its import cannot be recorded: %s", in->path,
			    err.msg);
		return 0;
	}
	return id;
}

/* It is looked up when the deployment is back. */
static void keep_unknown(struct remote_intake *in, int64_t record)
{
	struct remote_import *import;

	(void)pthread_mutex_lock(&in->lock);
	import = CVX_TAKE(in->import);
	(void)pthread_mutex_unlock(&in->lock);
	remote_import_detach(import);
	unknown_imports_add(&in->replica->unknown, import, record, in->path);
}

static int commit(struct intake *intake, uint64_t size,
		  uint64_t *ret_document_count, struct cvx_err *err)
{
	struct remote_intake *in = of(intake);
	struct cvx_err why = CVX_ERR_INIT;
	uint64_t count = 0;
	int64_t id = 0;
	int r = send(in, size, &count, &why);

	in->running.available_size = in->running.consumed_size = size;
	unknown_imports_supersede(&in->replica->unknown, in->path);
	if (in->is_listed)
		id = record(in, size, count, &why);
	show_outcome(in, &why);
	if (in->is_listed && in->import && intake_is_unknown(&why))
		keep_unknown(in, id);
	if (r < 0 && err)
		*err = why;
	if (r == 0)
		*ret_document_count = count;
	return r;
}

static void cancel(struct intake *intake)
{
	struct remote_intake *in = of(intake);

	halt_request(in->halt);
	(void)pthread_mutex_lock(&in->lock);
	if (in->import)
		remote_import_cancel(in->import);
	(void)pthread_mutex_unlock(&in->lock);
}

/* In the deployment's own words. */
static int print_error(struct intake *intake, struct cvx_buf *out)
{
	struct remote_intake *in = of(intake);
	const char *text = in->import ? remote_import_error(in->import) : NULL;

	return text ? cvx_buf_printf(out, "%s\n", text) : 0;
}

static void intake_free_remote(struct intake *intake)
{
	struct remote_intake *in = of(intake);

	if (in->is_listed)
		running_remove(in->replica->copy, &in->running);
	drop_import(in);
	halt_free(in->halt);
	cvx_closep(&in->archive_fd);
	(void)pthread_mutex_destroy(&in->lock);
	free(in->component);
	free(in->table);
	free(in->path);
	free(in);
}

static const struct intake_ops ops = {
	.free = intake_free_remote,
	.available = available,
	.restart = restart,
	.commit = commit,
	.cancel = cancel,
	.print_error = print_error,
};

/* --- what the replica has ------------------------------------------------ */

static int copy_target(struct remote_intake *in,
		       const struct intake_target *target, struct cvx_err *err)
{
	const struct import_target *rows = &target->rows;

	in->target = *target;
	in->component = strdup(rows->component);
	in->table = strdup(rows->table ? rows->table : "");
	in->path = strdup(rows->path);
	if (!in->component || !in->table || !in->path)
		return cvx_fail_memory(err);
	in->target.rows.component = in->component;
	in->target.rows.table = in->table;
	in->target.rows.path = in->path;
	return 0;
}

static int begin(struct replica *replica, const struct intake_target *target,
		 const struct import_source *source, bool is_listed,
		 struct intake **ret, struct cvx_err *err)
{
	struct remote_intake *in = calloc(1, sizeof(*in));
	int r;

	if (!in)
		return cvx_fail_memory(err);
	in->intake.ops = &ops;
	in->replica = replica;
	in->is_listed = is_listed;
	in->source = *source;
	in->archive_fd = -1;
	(void)pthread_mutex_init(&in->lock, NULL);
	r = copy_target(in, target, err);
	in->running.subject = subject_of(&in->target);
	in->running.started_ns = embedded_now_ns();
	if (is_listed)
		running_add(replica->copy, &in->running);
	if (r == 0)
		r = halt_new(&in->halt, err);
	if (r == 0)
		halt_follow_thread(in->halt);
	if (r < 0)
		intake_free_remote(&in->intake);
	else
		*ret = &in->intake;
	return r;
}

int remote_intake_begin(void *ctx, const struct intake_target *target,
			const struct import_source *source, struct intake **ret,
			struct cvx_err *err)
{
	return begin(ctx, target, source, true, ret, err);
}

void remote_intake_record_failure(void *ctx, const struct intake_target *target,
				  const struct cvx_err *cause)
{
	struct replica *replica = ctx;
	const struct import_record record = {
		.subject = subject_of(target),
		.started_ns = embedded_now_ns(),
		.error_code = record_error_code(cause),
		.error_text = cause->msg,
	};

	unknown_imports_supersede(&replica->unknown, target->rows.path);
	/* It is told in other places as well. */
	(void)record_commit(replica->records, &record, NULL, NULL);
}

static int read_nothing(void *ctx __attribute__((unused)),
			uint64_t off __attribute__((unused)),
			void *buf __attribute__((unused)),
			size_t size __attribute__((unused)), size_t *ret_n,
			struct cvx_err *err __attribute__((unused)))
{
	*ret_n = 0;
	return 0;
}

/* An import of nothing makes the table (import.md 7.1). */
int remote_intake_make_table(void *ctx, const char *component,
			     const char *table, struct cvx_err *err)
{
	const struct intake_target target = {
		.rows = {.component = component,
			 .table = table,
			 .path = table,
			 .format = FORMAT_JSONL,
			 .mode = IMPORT_APPEND},
	};
	const struct import_source source = {NULL, read_nothing};
	struct intake *in;
	uint64_t count;
	int r = begin(ctx, &target, &source, false, &in, err);

	if (r < 0)
		return r;
	r = intake_commit(in, 0, &count, err);
	intake_free(in);
	return r;
}
