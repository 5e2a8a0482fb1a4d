#include "importer/restore_storage.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/archive/archive.h"
#include "importer/archive/contents.h"
#include "importer/archive/entry_lines.h"
#include "importer/archive/entry_name.h"
#include "importer/archive/storage_row.h"
#include "importer/embedded/files_stage.h"
#include "importer/format/format.h"
#include "importer/value/refusal.h"

/* Files are unpacked in pieces of this size. */
#define PIECE_SIZE ((size_t)256 << 10)

CVX_DEFINE_CLEANUP(struct archive_stream, archive_stream_free)
CVX_DEFINE_CLEANUP(struct file_writer, file_writer_free)

/* What is known of a file besides its row. */
struct origin {
	uint64_t entry;
	uint32_t number; /* of the table, in its id */
	uint64_t row;	 /* about it; 0: none */
	uint64_t rows;	 /* the entry that has the row */
	bool has_time, has_sha256;
};

struct restore_storage {
	struct stage_folder *stage; /* NULL: there are no files */
	struct file_row *files;	    /* in the order of the archive */
	struct origin *origins;	    /* likewise */
	size_t *by_key;		    /* their places, by their keys */
	size_t count;
	uint64_t row_count;
};

void restore_storage_free(struct restore_storage *s)
{
	size_t i;

	if (!s)
		return;
	stage_folder_free(s->stage);
	for (i = 0; s->files && i < s->count; i++)
		stored_file_fini(&s->files[i].file);
	free(s->files);
	free(s->origins);
	free(s->by_key);
	free(s);
}

CVX_DEFINE_CLEANUP(struct restore_storage, restore_storage_free)

static const char *entry_name(const struct restore_work *w, uint64_t index)
{
	struct archive_entry entry = {.name = ""};

	(void)archive_entry(w->a, index, &entry, NULL);
	return entry.name;
}

static int check_canceled(const struct restore_work *w, struct cvx_err *err)
{
	if (!*w->canceled)
		return 0;
	return cvx_fail(err, -ECANCELED, "the import was canceled");
}

/* --- the files' names ---------------------------------------------------- */

static int compare_places(const void *a, const void *b, void *ctx)
{
	const struct restore_storage *s = ctx;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	int order = id_compare(&s->files[x].key, &s->files[y].key);

	return order ? order : (x > y) - (x < y);
}

/* The id in the name of the nth file's entry, which contents.h has checked. */
static int read_name(const struct restore_work *w, struct restore_storage *s,
		     size_t nth, uint64_t index, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf component = CVX_BUF_INIT(CONTENTS_PATH_MAX);
	const char *text = entry_name(w, index);
	struct entry_name name;
	int r = entry_name_read(text, strlen(text), "", &name, &component, err);

	if (r < 0)
		return r;
	s->origins[nth].entry = index;
	if (!name.is_storage_file ||
	    id_decode(name.storage_id, name.storage_id_size,
		      &s->origins[nth].number, &s->files[nth].key) < 0)
		return refuse(err, "InvalidStorageId",
			      "%.200s: it is not the name of a stored file",
			      text);
	return 0;
}

static int refuse_same(const struct restore_work *w,
		       const struct restore_storage *s, struct cvx_err *err)
{
	const struct origin *a, *b;
	size_t i;

	for (i = 1; i < s->count; i++) {
		if (id_compare(&s->files[s->by_key[i - 1]].key,
			       &s->files[s->by_key[i]].key) != 0)
			continue;
		a = &s->origins[s->by_key[i - 1]];
		b = &s->origins[s->by_key[i]];
		return refuse(err, "DocumentExists",
			      "%.150s: the entry %.150s is of the same id",
			      entry_name(w, b->entry), entry_name(w, a->entry));
	}
	return 0;
}

static int check_numbers(const struct restore_work *w,
			 const struct restore_storage *s, uint32_t number,
			 struct cvx_err *err)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		if (s->origins[i].number != number)
			return refuse(err, "ImportConflict",
				      "%.200s: its id is of the table number "
				      "%u, but _storage has the number %u",
				      entry_name(w, s->origins[i].entry),
				      s->origins[i].number, number);
	return 0;
}

static int read_names(const struct restore_work *w,
		      const struct contents_table *t, struct restore_storage *s,
		      struct cvx_err *err)
{
	size_t i;
	int r = 0;

	s->count = t->file_count;
	s->files = calloc(s->count + 1, sizeof(*s->files));
	s->origins = calloc(s->count + 1, sizeof(*s->origins));
	s->by_key = calloc(s->count + 1, sizeof(*s->by_key));
	if (!s->files || !s->origins || !s->by_key)
		return cvx_fail_memory(err);
	for (i = 0; r == 0 && i < s->count; i++) {
		s->by_key[i] = i;
		r = read_name(w, s, i, t->files[i], err);
	}
	if (r < 0)
		return r;
	qsort_r(s->by_key, s->count, sizeof(*s->by_key), compare_places, s);
	return 0;
}

/* The place of the file with the key, or SIZE_MAX. */
static size_t find_file(const struct restore_storage *s,
			const struct internal_id *key)
{
	size_t low = 0, high = s->count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (id_compare(&s->files[s->by_key[middle]].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < s->count &&
	    id_compare(&s->files[s->by_key[low]].key, key) == 0)
		return s->by_key[low];
	return SIZE_MAX;
}

/* --- the rows ------------------------------------------------------------ */

struct row_reader {
	struct restore_work *w;
	struct restore_storage *s;
	uint32_t number;
	uint64_t entry, row; /* under way */
};

/* The row tells of the nth file. */
static int take_row(struct row_reader *rd, size_t nth, struct storage_row *row,
		    struct cvx_err *err)
{
	struct stored_file *file = &rd->s->files[nth].file;
	struct origin *origin = &rd->s->origins[nth];
	int r;

	if (origin->row != 0)
		return refuse(err, "DuplicateId",
			      "row %" PRIu64
			      " of %.150s is about the same file",
			      origin->row, entry_name(rd->w, origin->rows));
	r = storage_row_check_time(row, err);
	if (r < 0)
		return r;
	origin->row = rd->row;
	origin->rows = rd->entry;
	origin->has_time = row->has_time;
	origin->has_sha256 = row->has_sha256;
	file->creation_time = row->creation_time;
	memcpy(file->sha256, row->sha256, sizeof(file->sha256));
	memcpy(file->internal_id, row->internal_id, sizeof(file->internal_id));
	file->content_type = CVX_TAKE(row->content_type);
	return 0;
}

static int read_row(void *ctx, const char *line, size_t size,
		    struct cvx_err *err)
{
	struct row_reader *rd = ctx;
	CVX_AUTO(storage_row_fini)
	struct storage_row row = {.content_type = NULL};
	size_t nth;
	int r = storage_row_read(line, size, &row, err);

	if (r < 0)
		return r;
	rd->s->row_count++;
	if (row.number != rd->number)
		return refuse(err, "InvalidId",
			      "its _id is of the table number %u, but _storage "
			      "has the number %u",
			      row.number, rd->number);
	nth = find_file(rd->s, &row.key);
	/* A row without a file stores nothing. */
	return nth == SIZE_MAX ? 0 : take_row(rd, nth, &row, err);
}

static int read_progress(void *ctx, size_t size, struct cvx_err *err)
{
	const struct row_reader *rd = ctx;

	restore_note_read(rd->w, size);
	return check_canceled(rd->w, err);
}

static int read_rows(struct restore_work *w, const struct contents_table *t,
		     struct restore_storage *s, uint32_t number,
		     struct cvx_err *err)
{
	struct row_reader rd = {.w = w, .s = s, .number = number};
	const struct entry_lines_hooks hooks = {&rd, read_row, read_progress};
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < t->document_count; i++) {
		rd.entry = t->documents[i];
		rd.row = 0;
		r = entry_lines_read(w->a, rd.entry, FORMAT_ROW_MAX, &hooks,
				     &rd.row, err);
	}
	return r;
}

/* --- the bytes ----------------------------------------------------------- */

static int unpack(struct restore_work *w, uint64_t index,
		  struct file_writer *writer, char *piece, struct cvx_err *err)
{
	CVX_AUTO(archive_stream_freep) struct archive_stream *stream = NULL;
	size_t n = 1;
	int r = archive_stream_new(w->a, index, &stream, err);

	while (r == 0 && n > 0) {
		r = archive_stream_read(stream, piece, PIECE_SIZE, &n, err);
		if (r == 0)
			r = file_writer_add(writer, piece, n, err);
		restore_note_read(w, n);
		if (r == 0)
			r = check_canceled(w, err);
	}
	return r;
}

static int store_file(struct restore_work *w, struct restore_storage *s,
		      size_t nth, char *piece, struct cvx_err *err)
{
	CVX_AUTO(file_writer_freep) struct file_writer *writer = NULL;
	const struct origin *origin = &s->origins[nth];
	struct stored_file *file = &s->files[nth].file, facts;
	int r = file_writer_new(s->stage, nth, &writer, err);

	if (r == 0)
		r = unpack(w, origin->entry, writer, piece, err);
	if (r < 0)
		return r;
	file_writer_finish(writer, &facts);
	if (origin->has_sha256 &&
	    memcmp(file->sha256, facts.sha256, sizeof(facts.sha256)) != 0)
		return refuse(err, "Sha256Mismatch",
			      "%.200s: its SHA-256 is not the one that row "
			      "%" PRIu64 " of %.150s has",
			      entry_name(w, origin->entry), origin->row,
			      entry_name(w, origin->rows));
	file->size = facts.size;
	memcpy(file->sha256, facts.sha256, sizeof(facts.sha256));
	return file->internal_id[0] ? 0
				    : file_make_uuid(file->internal_id, err);
}

static int store_files(struct restore_work *w, struct restore_storage *s,
		       struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *piece = NULL;
	size_t i;
	int r;

	if (s->count == 0)
		return 0;
	piece = malloc(PIECE_SIZE);
	if (!piece)
		return cvx_fail_memory(err);
	r = files_stage_new(w->d, &s->stage, err);
	for (i = 0; r == 0 && i < s->count; i++)
		r = store_file(w, s, i, piece, err);
	return r < 0 ? r : files_stage_sync(s->stage, s->count, err);
}

int restore_storage_convert(struct restore_work *w, struct restore_table *t,
			    const struct plan *plan, struct cvx_err *err)
{
	CVX_AUTO(restore_storage_freep)
	struct restore_storage *s = calloc(1, sizeof(*s));
	uint32_t number = plan->stamp.table_number;
	int r;

	if (!s)
		return cvx_fail_memory(err);
	r = read_names(w, t->contents, s, err);
	if (r == 0)
		r = read_rows(w, t->contents, s, number, err);
	if (r == 0)
		r = check_numbers(w, s, number, err);
	if (r == 0)
		r = refuse_same(w, s, err);
	if (r == 0)
		r = store_files(w, s, err);
	if (r < 0)
		return r;
	t->plan = *plan;
	t->rows.document_count = s->row_count;
	restore_storage_free(t->storage);
	t->storage = CVX_TAKE(s);
	return 0;
}

int restore_storage_replan(struct restore_work *w, struct restore_table *t,
			   const struct plan *plan, struct cvx_err *err)
{
	t->plan = *plan;
	/* With rows the number is that of the first one; all have it. */
	return check_numbers(w, t->storage, plan->stamp.table_number, err);
}

struct files_change restore_storage_change(struct restore_table *t)
{
	struct restore_storage *s = t->storage;
	const struct document_stamp *stamp = &t->plan.stamp;
	struct files_change change = {
		.component = t->target.component,
		.number = stamp->table_number,
		.replaces = t->target.mode != IMPORT_APPEND,
		.stage = s->stage,
		.files = s->files,
		.count = s->count,
	};
	uint64_t given = 0;
	size_t i;

	for (i = 0; i < s->count; i++) {
		if (s->origins[i].has_time)
			continue;
		change.last = plan_last_stamp(stamp, ++given);
		s->files[i].file.creation_time = change.last.time;
	}
	return change;
}

const char *restore_storage_entry(const struct restore_work *w,
				  const struct restore_table *t,
				  const struct file_row *file)
{
	return entry_name(w,
			  t->storage->origins[file - t->storage->files].entry);
}
