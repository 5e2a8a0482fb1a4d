#include "importer/restore_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/segment.h"
#include "importer/archive/archive.h"
#include "importer/archive/contents.h"
#include "importer/archive/entry_lines.h"
#include "importer/archive/entry_source.h"
#include "importer/archive/generated_schema.h"
#include "importer/embedded/publish.h"
#include "importer/embedded/records.h"
#include "importer/import.h"
#include "importer/load.h"
#include "importer/pipeline.h"
#include "importer/restore_storage.h"
#include "importer/shelf.h"
#include "importer/value/refusal.h"

/* Entries are read in pieces of this size, where they are not blocks. */
#define PIECE_SIZE ((size_t)64 << 10)

/* A row with what its shape adds to it. */
#define RESHAPED_MAX (2 * FORMAT_ROW_MAX)

CVX_DEFINE_CLEANUP(struct archive_stream, archive_stream_free)
CVX_DEFINE_CLEANUP(struct generated_schema, generated_schema_free)
CVX_DEFINE_CLEANUP(struct pipeline, pipeline_free)

/* Where the pipeline reads the rows: one entry, or a file made from entries
 * that cannot be read as they stand. */
struct rows_source {
	struct restore_work *w;
	const char *path; /* for messages */
	struct entry_source *entry;
	struct segment_stage *made;
	uint64_t size;
	uint64_t counted; /* bytes of the entry that w->read_size has */
	enum document_encoding encoding;
};

static void rows_source_fini(struct rows_source *s)
{
	entry_source_free(s->entry);
	segment_stage_free(s->made);
}

static int check_canceled(const struct restore_work *w, struct cvx_err *err)
{
	if (!*w->canceled)
		return 0;
	return cvx_fail(err, -ECANCELED, "the import was canceled");
}

static const char *entry_name(const struct restore_work *w, uint64_t index)
{
	struct archive_entry entry = {.name = ""};

	(void)archive_entry(w->a, index, &entry, NULL);
	return entry.name;
}

void restore_note_read(struct restore_work *w, uint64_t size)
{
	uint64_t done = atomic_fetch_add(&w->read_size, size) + size;

	/* What is converted again is read again. */
	if (done <= w->total_size)
		w->running->consumed_size =
			(uint64_t)((double)w->archive_size * (double)done /
				   (double)w->total_size);
}

/* import.md 6.5: a byte order mark is no JSON. */
static int refuse_mark(const struct rows_source *s, const char *bytes,
		       size_t size, struct cvx_err *err)
{
	if (size < 3 || memcmp(bytes, "\xef\xbb\xbf", 3) != 0)
		return 0;
	return refuse(err, "JsonInvalidRow",
		      "%.200s: row 1: column 1: a byte order mark is no JSON",
		      s->path);
}

static int read_rows(void *ctx, uint64_t off, void *buf, size_t size,
		     size_t *ret_n, struct cvx_err *err)
{
	struct rows_source *s = ctx;
	struct import_source entry;
	int r = check_canceled(s->w, err);

	if (r < 0)
		return r;
	if (s->made) {
		r = file_pread(segment_stage_fd(s->made), buf, size, off,
			       ret_n);
		if (r < 0)
			return cvx_fail(err, r, "cannot read the rows: %s",
					strerror(-r));
	} else {
		entry = entry_source_get(s->entry);
		r = entry.read(entry.ctx, off, buf, size, ret_n, err);
		if (r < 0)
			return r;
		if (off + *ret_n > s->counted) {
			restore_note_read(s->w, off + *ret_n - s->counted);
			s->counted = off + *ret_n;
		}
	}
	return off == 0 ? refuse_mark(s, buf, *ret_n, err) : 0;
}

/* The schema's text: all of it, or only its first line if that is enough. */
static int read_schema_text(struct restore_work *w, uint64_t index,
			    struct cvx_buf *text, struct cvx_err *err)
{
	CVX_AUTO(archive_stream_freep) struct archive_stream *stream = NULL;
	size_t n = 1;
	int r = archive_stream_new(w->a, index, &stream, err);

	while (r == 0 && n > 0) {
		if (cvx_buf_reserve(text, PIECE_SIZE) < 0)
			return refuse(err, "ValueTooLargeError",
				      "%.200s: it has more than %zu bytes",
				      entry_name(w, index), text->limit);
		r = archive_stream_read(stream, text->data + text->size,
					PIECE_SIZE, &n, err);
		if (r < 0)
			break;
		if (text->size == 0 &&
		    generated_schema_is_uniform(text->data, n)) {
			text->size = n;
			break;
		}
		text->size += n;
		r = check_canceled(w, err);
	}
	return r;
}

/* *ret_encoding, and for rows of an old export *ret, which needs text. */
static int read_schema(struct restore_work *w, const struct contents_table *t,
		       struct cvx_buf *text,
		       enum document_encoding *ret_encoding,
		       struct generated_schema **ret, struct cvx_err *err)
{
	int r;

	*ret_encoding = DOCUMENT_PLAIN;
	if (!t->has_schema)
		return 0;
	*ret_encoding = DOCUMENT_UNIFORM;
	r = read_schema_text(w, t->schema, text, err);
	if (r < 0)
		return r;
	r = generated_schema_read(text->data, text->size, ret, err);
	if (r < 0 && err && err->name)
		(void)cvx_err_prefix(err, "%.200s", entry_name(w, t->schema));
	return r;
}

/* Rows on their way to a file. */
struct maker {
	struct restore_work *w;
	struct generated_schema *schema; /* NULL: rows stay as they are */
	struct cvx_buf out;
	struct segment_stage *made;
	uint64_t size; /* of made */
};

static int flush(struct maker *m, struct cvx_err *err)
{
	int r = file_pwrite(segment_stage_fd(m->made), m->out.data, m->out.size,
			    m->size);

	if (r < 0)
		return cvx_fail(err, r, "cannot store the rows: %s",
				strerror(-r));
	m->size += m->out.size;
	cvx_buf_clear(&m->out);
	return 0;
}

static int make_row(void *ctx, const char *row, size_t size,
		    struct cvx_err *err)
{
	struct maker *m = ctx;
	int r;

	if (m->schema)
		r = generated_schema_apply(m->schema, row, size, &m->out, err);
	else
		r = cvx_buf_append(&m->out, row, size) < 0
			    ? cvx_fail_memory(err)
			    : 0;
	if (r < 0)
		return r;
	if (cvx_buf_append(&m->out, "\n", 1) < 0)
		return cvx_fail_memory(err);
	return m->out.size >= PIECE_SIZE ? flush(m, err) : 0;
}

static int make_progress(void *ctx, size_t size, struct cvx_err *err)
{
	const struct maker *m = ctx;

	restore_note_read(m->w, size);
	return check_canceled(m->w, err);
}

/* Notes how many rows the next entry has, for tables of several. */
static int add_origin(struct restore_work *w, struct restore_table *t,
		      uint64_t row_count, struct cvx_err *err)
{
	const struct contents_table *c = t->contents;

	if (c->document_count == 1)
		return 0;
	if (!t->origins)
		t->origins = calloc(c->document_count, sizeof(*t->origins));
	if (!t->origins)
		return cvx_fail_memory(err);
	t->origins[t->origin_count] = (struct places_origin){
		.name = entry_name(w, c->documents[t->origin_count]),
		.row_count = row_count,
	};
	t->origin_count++;
	return 0;
}

/* All rows of the table, as a file that can be read as it stands. */
static int make_file(struct rows_source *s, struct restore_table *t,
		     struct generated_schema *schema, struct cvx_err *err)
{
	struct maker m = {.w = s->w, .schema = schema};
	const struct entry_lines_hooks hooks = {&m, make_row, make_progress};
	const struct contents_table *c = t->contents;
	uint64_t row;
	size_t i;
	int r = commit_new_stage(s->w->d, &s->made, err);

	if (r < 0)
		return r;
	m.made = s->made;
	cvx_buf_init(&m.out, RESHAPED_MAX + 2 * PIECE_SIZE);
	for (i = 0; r == 0 && i < c->document_count; i++) {
		row = 0;
		r = entry_lines_read(s->w->a, c->documents[i], FORMAT_ROW_MAX,
				     &hooks, &row, err);
		if (r == 0)
			r = add_origin(s->w, t, row, err);
	}
	if (r == 0 && m.out.size > 0)
		r = flush(&m, err);
	s->size = m.size;
	cvx_buf_fini(&m.out);
	return r;
}

static int open_rows(struct rows_source *s, struct restore_table *table,
		     struct cvx_err *err)
{
	const struct contents_table *t = table->contents;
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf text = CVX_BUF_INIT(GENERATED_SCHEMA_MAX);
	CVX_AUTO(generated_schema_freep) struct generated_schema *schema = NULL;
	size_t n;
	char none;
	int r = read_schema(s->w, t, &text, &s->encoding, &schema, err);

	if (r < 0)
		return r;
	if (schema || t->document_count > 1)
		return make_file(s, table, schema, err);
	r = entry_source_new(s->w->a, t->documents[0], &s->entry, err);
	if (r < 0)
		return r;
	s->size = entry_source_size(s->entry);
	/* An empty entry is read by nobody else. */
	return s->size > 0 ? 0 : read_rows(s, 0, &none, 1, &n, err);
}

/* What the pipeline asks. */
struct hooks_ctx {
	struct restore_work *w;
	enum document_encoding encoding;
	const struct plan *plan;
};

static int hook_plan(void *ctx,
		     const struct plan_facts *facts __attribute__((unused)),
		     enum document_encoding *ret_encoding,
		     struct document_stamp *ret_stamp,
		     struct format_rules *ret_rules,
		     struct cvx_err *err __attribute__((unused)))
{
	const struct hooks_ctx *hooks = ctx;

	*ret_encoding = hooks->encoding;
	*ret_stamp = hooks->plan->stamp;
	*ret_rules = row_rules_format(&hooks->plan->rules);
	return 0;
}

static int hook_new_stage(void *ctx, struct segment_stage **ret,
			  struct cvx_err *err)
{
	return commit_new_stage(((struct hooks_ctx *)ctx)->w->d, ret, err);
}

/* A refusal of rows: its places are kept, and it names the entry. */
static void explain_places(const struct restore_table *t,
			   const struct places *places, struct cvx_err *err)
{
	if (t->origins)
		(void)places_fail(places, err); /* names it already */
	else
		(void)cvx_err_prefix(err, "%.200s", t->target.path);
	/* import.md 6.5: an entry that is no text is a damaged archive. */
	if (err->name && strcmp(err->name, "NotUtf8") == 0)
		err->name = "InvalidZip";
}

static void set_origins(struct places *places, const struct restore_table *t)
{
	places->origins = t->origins;
	places->origin_count = t->origin_count;
}

/* Takes over what the pipeline made; small rows go to the shelf. */
static int keep_rows(struct restore_work *w, struct restore_table *t,
		     struct cvx_err *err)
{
	struct commit_rows *rows = &t->rows;
	CVX_AUTO(cvx_freep) void *text = NULL;
	CVX_AUTO(cvx_freep) void *keys = NULL;
	size_t keys_size = (size_t)rows->document_count * sizeof(*rows->keys);
	int r = 0;

	if (rows->stage)
		return 0;
	text = (void *)(uintptr_t)rows->text;
	keys = (void *)(uintptr_t)rows->keys;
	rows->text = NULL;
	rows->keys = NULL;
	if (rows->size == 0)
		return 0;
	t->is_on_shelf = true;
	t->has_keys = keys != NULL;
	r = shelf_put(w->shelf, text, (size_t)rows->size, &t->text_off, err);
	if (r == 0 && keys)
		r = shelf_put(w->shelf, keys, keys_size, &t->keys_off, err);
	return r;
}

static int convert(struct restore_work *w, struct restore_table *t,
		   struct rows_source *source, struct places *places,
		   struct cvx_err *err)
{
	CVX_AUTO(pipeline_freep) struct pipeline *p = NULL;
	_Atomic uint64_t consumed_size = 0, row_count = 0;
	struct hooks_ctx ctx = {w, source->encoding, &t->plan};
	const struct pipeline_hooks hooks = {
		.ctx = &ctx,
		.plan = hook_plan,
		.new_stage = hook_new_stage,
		.is_stream = true,
		.consumed_size = &consumed_size,
		.row_count = &row_count,
	};
	const struct import_source reads = {source, read_rows};
	int r = pipeline_new(FORMAT_JSONL, &reads, &hooks, &p, err);

	if (r < 0)
		return r;
	set_origins(places, t);
	if (source->size > PIPELINE_SMALL_SIZE)
		pipeline_offer(p, source->size);
	r = load_finish(w->d, p, source->size, &t->plan, t->target.table,
			places, &t->rows, err);
	w->running->row_count += row_count;
	if (r < 0 && pipeline_places(p)->count > 0) {
		*places = *pipeline_places(p);
		set_origins(places, t);
	}
	if (r < 0 && places->count > 0)
		explain_places(t, places, err);
	if (r < 0) {
		commit_rows_fini(&t->rows);
		t->rows = (struct commit_rows){.stage = NULL};
		return r;
	}
	pipeline_give_output(p);
	return keep_rows(w, t, err);
}

static uint64_t entries_size(const struct restore_work *w,
			     const uint64_t *entries, size_t count)
{
	struct archive_entry entry;
	uint64_t size = 0;
	size_t i;

	for (i = 0; i < count; i++)
		if (archive_entry(w->a, entries[i], &entry, NULL) == 0)
			size += entry.size;
	return size;
}

uint64_t restore_table_size(const struct restore_work *w,
			    const struct restore_table *t)
{
	return entries_size(w, t->contents->documents,
			    t->contents->document_count) +
	       entries_size(w, t->contents->files, t->contents->file_count);
}

int restore_table_convert(struct restore_work *w, struct restore_table *t,
			  const struct plan *plan, struct places *ret_places,
			  struct cvx_err *err)
{
	CVX_AUTO(rows_source_fini)
	struct rows_source source = {.w = w, .path = t->target.path};
	struct places places = {.count = 0};
	struct cvx_err cause = CVX_ERR_INIT;
	int r;

	restore_table_fini(t);
	t->plan = *plan;
	t->rows = (struct commit_rows){.ascending = true};
	if (t->contents->document_count == 0)
		return 0;
	r = t->contents->is_storage
		    ? restore_storage_convert(w, t, plan, &cause)
		    : open_rows(&source, t, &cause);
	if (r == 0 && !t->contents->is_storage)
		r = convert(w, t, &source, &places, &cause);
	if (r < 0)
		*ret_places = places;
	if (r < 0 && err)
		*err = cause;
	return r;
}

void restore_table_point(struct restore_table *t, const char *shelf)
{
	if (!t->is_on_shelf)
		return;
	t->rows.text = shelf + t->text_off;
	if (t->has_keys)
		t->rows.keys = (const void *)(shelf + t->keys_off);
}

void restore_table_fini(struct restore_table *t)
{
	segment_stage_free(t->rows.stage);
	commit_rows_fini(&t->rows);
	if (!t->is_on_shelf) /* the keys of a stage; a stage has no text */
		free((void *)(uintptr_t)t->rows.keys);
	restore_storage_free(t->storage);
	free(t->origins);
	t->storage = NULL;
	t->origins = NULL;
	t->origin_count = 0;
	t->rows = (struct commit_rows){.stage = NULL};
	t->is_on_shelf = t->has_keys = false;
}
