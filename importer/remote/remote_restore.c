#include "importer/remote/remote_restore.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "cache/base/cancel.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/archive/storage_row.h"
#include "importer/embedded/files_stage.h"
#include "importer/intake.h"
#include "importer/remote/archive_import.h"
#include "importer/remote/listing.h"
#include "importer/remote/remote_files.h"
#include "importer/remote/storage_archive.h"
#include "importer/stored_file.h"
#include "importer/value/refusal.h"

/* One file on its way. */
struct restoring {
	const struct archive_place *place;
	const struct halt *halt;
	struct archived_file file;
	char id[ID_TEXT_MAX + 1];
};

static int read_file(struct restoring *q, struct cvx_err *err)
{
	const struct storage_row *row = q->file.row;
	struct stored_file facts = {.size = 0};
	int r = file_hash(q->file.fd, q->file.size, &facts, err);

	if (r < 0)
		return r;
	memcpy(q->file.sha256, facts.sha256, sizeof(q->file.sha256));
	if (row->has_sha256 &&
	    memcmp(row->sha256, facts.sha256, sizeof(row->sha256)) != 0)
		return refuse(err, "Sha256Mismatch",
			      "%s: its SHA-256 is not the one that its row has",
			      q->id);
	return 0;
}

static int fail_other(const struct restoring *q, struct cvx_err *err)
{
	return cvx_fail(err, -EPERM,
			"another file is stored as %s, and stored files do not "
			"change",
			q->id);
}

/* Reads the file. 1: the very file is there; 0: none of its id is. */
static int find_same(struct restoring *q, struct stored_file *ret,
		     struct cvx_err *err)
{
	CVX_AUTO(stored_file_fini) struct stored_file had = {.size = 0};
	const struct archive_place *p = q->place;
	int found = remote_find_stored_file(p->http, p->component, q->id,
					    q->halt, &had, err);
	int r;

	if (found < 0)
		return found;
	if (found == 1 && had.size != q->file.size)
		return fail_other(q, err);
	r = read_file(q, err);
	if (r < 0 || found == 0)
		return r;
	if (memcmp(had.sha256, q->file.sha256, sizeof(had.sha256)) != 0)
		return fail_other(q, err);
	*ret = had;
	had.content_type = NULL;
	return 1;
}

/* Whether the storage has files; then they have the number of the id. */
static int check_number(const struct restoring *q, bool *ret_has_files,
			struct cvx_err *err)
{
	const struct archive_place *p = q->place;
	struct internal_id key;
	struct stored_file any;
	uint32_t number = 0;
	int r = remote_find_any_file(p->http, p->component, q->halt, &any, err);

	if (r < 0)
		return r;
	*ret_has_files = r == 1;
	if (r == 0)
		return 0;
	(void)id_decode(any.id, strlen(any.id), &number, &key);
	stored_file_fini(&any);
	if (number == q->file.row->number)
		return 0;
	return refuse(err, "InvalidId",
		      "the id has the table number %u, but the stored files "
		      "here have the number %u",
		      q->file.row->number, number);
}

static int import(const struct restoring *q, bool has_files,
		  struct cvx_err *err)
{
	CVX_AUTO(cvx_closep) int fd = file_open_unnamed(q->place->dir_fd);
	struct archive_import how = {
		.http = q->place->http,
		.component = q->place->path,
		.mode = IMPORT_APPEND,
	};
	uint64_t size;
	int r;

	if (fd < 0)
		return cvx_fail(err, fd, "cannot keep what is to be sent: %s",
				strerror(-fd));
	r = storage_archive_write(&q->file, fd, &size, err);
	if (r == 0)
		r = archive_import_run(&how, fd, size, err);
	if (r != -EINVAL || has_files)
		return r;
	/* What else it may be that was refused is refused again. */
	how.mode = IMPORT_REQUIRE_EMPTY;
	return archive_import_run(&how, fd, size, err);
}

/* Somebody else may have stored it meanwhile, or it was stored but the answer
 * was lost. */
static int look_again(struct restoring *q, int result, struct stored_file *ret)
{
	int r = find_same(q, ret, NULL);

	return r == 1 ? 0 : result;
}

int remote_restore_file(const struct archive_place *place,
			const struct storage_row *row, int fd, uint64_t size,
			const struct halt *halt, struct stored_file *ret,
			struct cvx_err *err)
{
	struct restoring q = {
		.place = place,
		.halt = halt,
		.file = {.row = row, .fd = fd, .size = size},
	};
	bool has_files = false;
	int r = storage_row_check_time(row, err);

	(void)id_encode(row->number, &row->key, q.id);
	if (r == 0)
		r = check_number(&q, &has_files, err);
	if (r == 0)
		r = has_files ? find_same(&q, ret, err) : read_file(&q, err);
	if (r != 0)
		return r == 1 ? 0 : r;
	r = import(&q, has_files, err);
	return r == 0 ? 1 : look_again(&q, r, ret);
}

/* --- a row that came later ----------------------------------------------- */

/* So often the archive is imported whose file was deleted. */
#define SETTLE_TRIES 5

struct settling {
	struct restoring q;
	const atomic_bool *watched; /* who may give up, until it is deleted */
	bool may_be_gone;
};

/* In place of which the archive will come. */
static int take_out(void *ctx, struct cvx_err *err)
{
	struct settling *s = ctx;
	const struct archive_place *p = s->q.place;
	struct cvx_err why = CVX_ERR_INIT;
	int r;

	if (s->may_be_gone)
		return 0;
	if (cancel_is_asked())
		return cvx_fail(err, -ECANCELED, "interrupted");
	s->watched = cancel_watch(NULL);
	r = remote_delete_file(p->http, p->component, s->q.id, NULL, &why);
	s->may_be_gone = r == 0 || intake_is_unknown(&why);
	if (s->may_be_gone)
		return 0;
	*err = why;
	(void)cancel_watch(s->watched);
	return r;
}

static bool is_same_type(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Whether it is there as its row says. */
static bool is_back(const struct settling *s)
{
	const struct storage_row *row = s->q.file.row;
	const struct archive_place *p = s->q.place;
	struct stored_file now;
	bool is_new;

	if (remote_find_stored_file(p->http, p->component, s->q.id, NULL, &now,
				    NULL) != 1)
		return false;
	is_new = now.creation_time == row->creation_time &&
		 strcmp(now.internal_id, row->internal_id) == 0 &&
		 is_same_type(now.content_type, row->content_type);
	stored_file_fini(&now);
	return is_new;
}

static int bring_back(struct settling *s, int fd, uint64_t size,
		      struct cvx_err *err)
{
	const struct archive_import how = {
		.http = s->q.place->http,
		.component = s->q.place->path,
		.mode = IMPORT_APPEND,
		.confirm = take_out,
		.ctx = s,
	};
	int r = 0, tries;

	for (tries = 0; tries < SETTLE_TRIES; tries++) {
		r = archive_import_run(&how, fd, size, err);
		if (r == 0 || !s->may_be_gone)
			return r;
		if (is_back(s))
			return 0;
	}
	return cvx_err_prefix(err,
			      "%s was deleted to come back with its row, and "
			      "may be gone; write that file once more",
			      s->q.id);
}

int remote_settle_file(const struct archive_place *place,
		       const struct storage_row *row, int fd,
		       const struct stored_file *file, const struct halt *halt,
		       struct cvx_err *err)
{
	CVX_AUTO(cvx_closep) int archive = file_open_unnamed(place->dir_fd);
	struct storage_row whole = *row; /* its type is the caller's */
	struct settling s = {
		.q = {.place = place,
		      .halt = halt,
		      .file = {.row = &whole, .fd = fd, .size = file->size}},
	};
	uint64_t size;
	int r;

	if (archive < 0)
		return cvx_fail(err, archive,
				"cannot keep what is to be sent: %s",
				strerror(-archive));
	if (!whole.has_time)
		whole.creation_time = file->creation_time;
	if (!whole.has_internal_id)
		memcpy(whole.internal_id, file->internal_id,
		       sizeof(whole.internal_id));
	whole.has_time = whole.has_internal_id = true;
	memcpy(s.q.file.sha256, file->sha256, sizeof(file->sha256));
	(void)id_encode(row->number, &row->key, s.q.id);
	r = storage_archive_write(&s.q.file, archive, &size, err);
	if (r == 0)
		r = bring_back(&s, archive, size, err);
	if (s.may_be_gone)
		(void)cancel_watch(s.watched);
	return r;
}
