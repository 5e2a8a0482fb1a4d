#include "importer/export.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/archive/subtree.h"
#include "importer/archive/writer.h"
#include "importer/deployment.h"
#include "importer/embedded/rows_by_id.h"
#include "importer/embedded/snapshot.h"
#include "importer/stored_file.h"
#include "importer/value/mime.h"

/* A registry of 10,000 tables is a fortieth of it. */
#define TEXT_MAX ((size_t)64 << 20)

/* "_components/<name>/" for each level, a table, a file. */
#define ENTRY_NAME_MAX ((size_t)64 << 10)

#define MARKER "\"uniform\"\n"

enum entry_kind {
	ENTRY_README,
	ENTRY_REGISTRY, /* of a component */
	ENTRY_ROWS,	/* of a table */
	ENTRY_MARKER,	/* likewise */
	ENTRY_METADATA, /* of a component's stored files */
	ENTRY_FILE,	/* one of them */
};

struct entry {
	enum entry_kind kind;
	size_t index; /* of the snapshot's component, table or file */
};

struct export
{
	struct deployment *d;
	struct snapshot *snapshot;
	const struct snapshot_component *components;
	const struct snapshot_table *tables;
	const struct snapshot_file *files;
	size_t component_count, table_count, file_count;
	size_t *by_size; /* tables, the smallest first */
	char *file_name;
	char *component; /* whose tree is the archive's root */

	struct archive_writer *writer;
	struct entry *entries;
	size_t entry_count, entry_capacity;
	uint64_t size;

	_Atomic bool canceled;

	/* The entry that is read. */
	struct rows_by_id *rows;
	int file_fd; /* -1: it is no stored file */
	uint64_t file_off;
	struct cvx_buf text; /* of any other entry */
	size_t text_done;
	const struct export_watcher *watcher;
};

CVX_DEFINE_CLEANUP(struct export, export_free)

void export_free(struct export *e)
{
	if (!e)
		return;
	rows_by_id_free(e->rows);
	cvx_closep(&e->file_fd);
	cvx_buf_fini(&e->text);
	archive_writer_free(e->writer);
	snapshot_free(e->snapshot);
	free(e->entries);
	free(e->by_size);
	free(e->file_name);
	free(e->component);
	free(e);
}

static int fail_append(int r, struct cvx_err *err)
{
	return r == -ENOMEM ? cvx_fail_memory(err)
			    : cvx_fail(err, r, "the text is too long");
}

static int print_readme(const struct export *e, struct cvx_buf *out)
{
	bool is_part = e->component[0] != '\0';

	return cvx_buf_printf(
		out,
		"# Backup of %s%s%sthe Convex deployment %s\n\n"
		"Each table is a folder: documents.jsonl holds its documents, "
		"one a line, and\n"
		"generated_schema.jsonl tells how they are encoded. _tables "
		"lists the tables,\n"
		"_storage holds the stored files, if they were included, and "
		"_components the\n"
		"same for each component.\n\n"
		"To bring it back: npx convex import --replace-all FILE.zip, "
		"or copy the archive\n"
		"into a deployment that convexfs has mounted.\n",
		is_part ? "component " : "", e->component,
		is_part ? " of " : "", deployment_name(e->d));
}

/* import.md 13.3 */
static int print_registry(const struct export *e, size_t component,
			  struct cvx_buf *out)
{
	const struct snapshot_component *c = &e->components[component];
	const struct table_info *info;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < c->table_count; i++) {
		info = &e->tables[c->table_first + i].info;
		/* A table's name needs no escapes. */
		r = cvx_buf_printf(out,
				   "{\"name\":\"%s\",\"id\":%" PRIu32 "}\n",
				   info->name, info->number);
	}
	return r;
}

/* import.md 13.4 */
static int print_metadata(const struct export *e, size_t component,
			  struct cvx_buf *out, struct cvx_err *err)
{
	const struct snapshot_component *c = &e->components[component];
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < c->file_count; i++)
		r = stored_file_print(&e->files[c->file_first + i].file, out,
				      err);
	return r;
}

static int print_entry(const struct export *e, const struct entry *entry,
		       struct cvx_buf *out, struct cvx_err *err)
{
	int r = 0;

	switch (entry->kind) {
	case ENTRY_README:
		r = print_readme(e, out);
		break;
	case ENTRY_REGISTRY:
		r = print_registry(e, entry->index, out);
		break;
	case ENTRY_MARKER:
		r = cvx_buf_puts(out, MARKER);
		break;
	case ENTRY_METADATA:
		return print_metadata(e, entry->index, out, err);
	case ENTRY_ROWS:
	case ENTRY_FILE:
		break;
	}
	return r < 0 ? fail_append(r, err) : 0;
}

/* Of the path below the archive's own component. */
static int print_component(const struct export *e, const char *path,
			   struct cvx_buf *out)
{
	size_t size = strlen(e->component);

	path += size + (size > 0 && path[size] == '/');
	return subtree_print_folder(path, out);
}

/* Adds the entry under C and the two parts of its name. */
static int add_entry(struct export *e, enum entry_kind kind, size_t index,
		     const char *component, const char *folder,
		     const char *file, uint64_t size, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf name = CVX_BUF_INIT(ENTRY_NAME_MAX);
	struct entry *more;
	int r = print_component(e, component, &name);

	if (r == 0)
		r = cvx_buf_printf(&name, "%s%s", folder, file);
	if (r == 0)
		r = cvx_buf_append(&name, "", 1);
	if (r < 0)
		return fail_append(r, err);
	if (e->entry_count == e->entry_capacity) {
		e->entry_capacity = e->entry_capacity * 2 + 16;
		more = reallocarray(e->entries, e->entry_capacity,
				    sizeof(*more));
		if (!more)
			return cvx_fail_memory(err);
		e->entries = more;
	}
	e->entries[e->entry_count] = (struct entry){kind, index};
	r = archive_writer_add(e->writer, name.data, size, err);
	if (r < 0)
		return r;
	e->entry_count++;
	e->size += size;
	return 0;
}

static int add_text(struct export *e, enum entry_kind kind, size_t index,
		    const char *component, const char *folder, const char *file,
		    struct cvx_err *err)
{
	const struct entry entry = {kind, index};
	int r;

	cvx_buf_clear(&e->text);
	r = print_entry(e, &entry, &e->text, err);
	return r < 0 ? r
		     : add_entry(e, kind, index, component, folder, file,
				 e->text.size, err);
}

static int compare_sizes(const void *a, const void *b, void *ctx)
{
	const struct snapshot_table *tables = ctx;
	const size_t i = *(const size_t *)a, j = *(const size_t *)b;
	const struct table_info *x = &tables[i].info, *y = &tables[j].info;

	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return (i > j) - (i < j);
}

static int add_table(struct export *e, size_t index, struct cvx_err *err)
{
	const struct snapshot_table *table = &e->tables[index];
	const char *component = e->components[table->component].path;
	int r = add_entry(e, ENTRY_ROWS, index, component, table->info.name,
			  "/documents.jsonl", table->info.size, err);

	return r < 0 ? r
		     : add_text(e, ENTRY_MARKER, index, component,
				table->info.name, "/generated_schema.jsonl",
				err);
}

static int add_file(struct export *e, size_t index, struct cvx_err *err)
{
	const struct stored_file *file = &e->files[index].file;
	const char *component = e->components[e->files[index].component].path;
	const char *extension =
		file->content_type ? mime_extension(file->content_type) : NULL;
	char name[ID_TEXT_MAX + MIME_TYPE_MAX + 3];

	(void)snprintf(name, sizeof(name), "/%s%s%s", file->id,
		       extension ? "." : "", extension ? extension : "");
	return add_entry(e, ENTRY_FILE, index, component, "_storage", name,
			 file->size, err);
}

static int add_storage(struct export *e, size_t component, struct cvx_err *err)
{
	const struct snapshot_component *c = &e->components[component];
	size_t i;
	int r = add_text(e, ENTRY_METADATA, component, c->path, "_storage",
			 "/documents.jsonl", err);

	for (i = 0; r == 0 && i < c->file_count; i++)
		r = add_file(e, c->file_first + i, err);
	return r;
}

/* All entries, in the order of import.md 13.3. */
static int add_entries(struct export *e, bool with_storage, struct cvx_err *err)
{
	size_t i;
	int r = add_text(e, ENTRY_README, 0, e->component, "", "README.md",
			 err);

	for (i = 0; r == 0 && i < e->component_count; i++)
		r = add_text(e, ENTRY_REGISTRY, i, e->components[i].path,
			     "_tables", "/documents.jsonl", err);
	e->by_size = calloc(e->table_count + 1, sizeof(*e->by_size));
	if (!e->by_size)
		return cvx_fail_memory(err);
	for (i = 0; i < e->table_count; i++)
		e->by_size[i] = i;
	qsort_r(e->by_size, e->table_count, sizeof(*e->by_size), compare_sizes,
		(void *)e->tables);
	for (i = 0; r == 0 && i < e->table_count; i++)
		r = add_table(e, e->by_size[i], err);
	for (i = 0; r == 0 && with_storage && i < e->component_count; i++)
		r = add_storage(e, i, err);
	return r;
}

int export_new(struct deployment *d, const struct export_settings *settings,
	       struct export **ret, struct cvx_err *err)
{
	CVX_AUTO(export_freep) struct export *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return cvx_fail_memory(err);
	e->d = d;
	e->file_fd = -1;
	cvx_buf_init(&e->text, TEXT_MAX);
	e->component = strdup(settings->component ? settings->component : "");
	if (!e->component)
		return cvx_fail_memory(err);
	r = snapshot_new(d, e->component, settings->include_storage,
			 &e->snapshot, err);
	if (r < 0)
		return r;
	e->components = snapshot_components(e->snapshot, &e->component_count);
	e->tables = snapshot_tables(e->snapshot, &e->table_count);
	e->files = snapshot_files(e->snapshot, &e->file_count);
	if (asprintf(&e->file_name, "snapshot_%s_%" PRId64 ".zip",
		     deployment_name(d), snapshot_ns(e->snapshot)) < 0) {
		e->file_name = NULL;
		return cvx_fail_memory(err);
	}
	/* What has not changed gives the same bytes again. */
	r = archive_writer_new(snapshot_committed_ns(e->snapshot) / 1000000000,
			       &e->writer, err);
	if (r == 0)
		r = add_entries(e, settings->include_storage, err);
	if (r < 0)
		return r;
	*ret = CVX_TAKE(e);
	return 0;
}

int64_t export_snapshot_ns(const struct export *e)
{
	return snapshot_ns(e->snapshot);
}

const char *export_file_name(const struct export *e)
{
	return e->file_name;
}

void export_count(const struct export *e, struct export_counts *ret)
{
	size_t i;

	*ret = (struct export_counts){
		.component_count = e->component_count,
		.table_count = e->table_count,
		.file_count = e->file_count,
		.size = e->size,
	};
	for (i = 0; i < e->table_count; i++)
		ret->document_count += e->tables[i].info.document_count;
}

static int open_entry(void *ctx, size_t index, struct cvx_err *err)
{
	struct export *e = ctx;
	const struct entry *entry = &e->entries[index];

	rows_by_id_free(CVX_TAKE(e->rows));
	cvx_closep(&e->file_fd);
	e->file_fd = -1;
	e->file_off = 0;
	cvx_buf_clear(&e->text);
	e->text_done = 0;
	if (entry->kind == ENTRY_FILE)
		return snapshot_open_file(e->snapshot, &e->files[entry->index],
					  &e->file_fd, err);
	if (entry->kind == ENTRY_ROWS)
		return snapshot_open_table(
			e->snapshot, &e->tables[entry->index], &e->rows, err);
	return print_entry(e, entry, &e->text, err);
}

static int read_file(struct export *e, void *buf, size_t size, size_t *ret_n,
		     struct cvx_err *err)
{
	int r = file_pread(e->file_fd, buf, size, e->file_off, ret_n);

	if (r < 0)
		return cvx_fail(err, r, "cannot read a stored file: %s",
				strerror(-r));
	e->file_off += *ret_n;
	return 0;
}

static int read_entry(void *ctx, void *buf, size_t size, size_t *ret_n,
		      struct cvx_err *err)
{
	struct export *e = ctx;
	size_t left = e->text.size - e->text_done;

	if (e->canceled)
		return cvx_fail(err, -ECANCELED, "the export was canceled");
	if (e->rows)
		return rows_by_id_read(e->rows, buf, size, ret_n, err);
	if (e->file_fd >= 0)
		return read_file(e, buf, size, ret_n, err);
	*ret_n = left < size ? left : size;
	if (*ret_n > 0)
		memcpy(buf, e->text.data + e->text_done, *ret_n);
	e->text_done += *ret_n;
	return 0;
}

static int report(void *ctx, uint64_t done, uint64_t settled,
		  struct cvx_err *err)
{
	struct export *e = ctx;
	const struct export_progress progress = {done, settled};

	if (e->canceled)
		return cvx_fail(err, -ECANCELED, "the export was canceled");
	if (e->watcher)
		e->watcher->report(e->watcher->ctx, &progress);
	return 0;
}

int export_write(struct export *e, int fd, const struct export_watcher *watcher,
		 uint64_t *ret_size, struct cvx_err *err)
{
	const struct deflate_feed feed = {e, open_entry, read_entry};
	const struct archive_watcher own = {report, e};

	e->watcher = watcher;
	return archive_writer_run(e->writer, fd, &feed, &own, ret_size, err);
}

void export_cancel(struct export *e)
{
	e->canceled = true;
}
