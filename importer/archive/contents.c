#include "importer/archive/contents.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/archive/archive.h"
#include "importer/archive/entry_name.h"
#include "importer/archive/tables_list.h"
#include "importer/format/format.h"
#include "importer/value/document.h"
#include "importer/value/refusal.h"

/* A list of tables holds some 40 bytes a table. */
#define LIST_MAX ((size_t)16 << 20)

/* A first row is read in pieces of this size. */
#define PIECE_SIZE ((size_t)64 << 10)

/* More than any application has; bounds the work on hostile archives. */
#define COMPONENTS_MAX 10000

/* What one entry, or one row of _tables, says of a table. */
enum mention_kind { MENTION_LISTED, MENTION_DOCUMENTS, MENTION_SCHEMA };

struct mention {
	char *component; /* of reader.components */
	char table[NAME_MAX_SIZE + 1];
	enum mention_kind kind;
	uint64_t index; /* of the entry, or the number */
	unsigned row;	/* in the list */
};

/* An entry with a _tables of the component, or a stored file. */
struct list_entry {
	char *component;
	uint64_t index;
};

struct entries {
	struct list_entry *list;
	size_t count, capacity;
};

/* Sorted by their bytes. */
struct paths {
	char **list;
	size_t count, capacity;
};

struct reader {
	struct archive *a;
	const _Atomic bool *canceled;
	struct contents *c;
	struct mention *mentions;
	size_t mention_count, mention_capacity;
	struct paths components; /* becomes the contents' */
	struct entries lists;
	struct entries files;
	struct paths
		file_components; /* of files, which may count for nothing */
};

CVX_DEFINE_CLEANUP(struct contents, contents_free)
CVX_DEFINE_CLEANUP(struct archive_stream, archive_stream_free)

void contents_free(struct contents *c)
{
	size_t i;

	if (!c)
		return;
	for (i = 0; i < c->component_count; i++)
		free(c->components[i]);
	free(c->components);
	free(c->documents);
	free(c->files);
	free(c->tables);
	free(c);
}

static void paths_fini(struct paths *paths)
{
	size_t i;

	for (i = 0; i < paths->count; i++)
		free(paths->list[i]);
	free(paths->list);
}

static void reader_fini(struct reader *r)
{
	free(r->mentions);
	free(r->lists.list);
	free(r->files.list);
	paths_fini(&r->components);
	paths_fini(&r->file_components);
}

int contents_compare(const char *component_a, const char *table_a,
		     const char *component_b, const char *table_b)
{
	int order = strcmp(component_a, component_b);

	return order ? order : strcmp(table_a, table_b);
}

static int check_canceled(const struct reader *r, struct cvx_err *err)
{
	if (!*r->canceled)
		return 0;
	return cvx_fail(err, -ECANCELED, "the import was canceled");
}

/* The component's own text. */
static int find_component(struct paths *paths, const char *path, char **ret,
			  struct cvx_err *err)
{
	size_t low = 0, high = paths->count, middle;
	char *copy, **more;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (strcmp(paths->list[middle], path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < paths->count && strcmp(paths->list[low], path) == 0) {
		*ret = paths->list[low];
		return 0;
	}
	if (paths->count == COMPONENTS_MAX)
		return refuse(err, "InvalidComponentName",
			      "the archive has more than %d components",
			      COMPONENTS_MAX);
	if (paths->count == paths->capacity) {
		paths->capacity = paths->capacity * 2 + 8;
		more = reallocarray(paths->list, paths->capacity,
				    sizeof(*more));
		if (!more)
			return cvx_fail_memory(err);
		paths->list = more;
	}
	copy = strdup(path);
	if (!copy)
		return cvx_fail_memory(err);
	memmove(paths->list + low + 1, paths->list + low,
		(paths->count - low) * sizeof(*more));
	paths->list[low] = *ret = copy;
	paths->count++;
	return 0;
}

static int add_mention(struct reader *r, const struct mention *mention,
		       struct cvx_err *err)
{
	struct mention *more;

	if (r->mention_count == r->mention_capacity) {
		r->mention_capacity = r->mention_capacity * 2 + 16;
		more = reallocarray(r->mentions, r->mention_capacity,
				    sizeof(*more));
		if (!more)
			return cvx_fail_memory(err);
		r->mentions = more;
	}
	r->mentions[r->mention_count++] = *mention;
	return 0;
}

static int add_to_entries(struct entries *e, char *component, uint64_t index,
			  struct cvx_err *err)
{
	struct list_entry *more;

	if (e->count == e->capacity) {
		e->capacity = e->capacity * 2 + 8;
		more = reallocarray(e->list, e->capacity, sizeof(*more));
		if (!more)
			return cvx_fail_memory(err);
		e->list = more;
	}
	e->list[e->count++] = (struct list_entry){component, index};
	return 0;
}

static int add_file(struct reader *r, uint64_t index,
		    const struct entry_name *name, const char *component,
		    struct cvx_err *err)
{
	char *path;
	int result;

	if (entry_name_check_storage_id(name, NULL) < 0) {
		if (!r->c->has_bad_file)
			r->c->bad_file = index;
		r->c->has_bad_file = true;
		return 0;
	}
	result = find_component(&r->file_components, component, &path, err);
	return result < 0 ? result
			  : add_to_entries(&r->files, path, index, err);
}

/* What the name of one entry means. */
static int add_entry(struct reader *r, uint64_t index,
		     const struct entry_name *name, const char *component,
		     struct cvx_err *err)
{
	struct mention mention = {.index = index};
	int result;

	if (name->is_storage_file) {
		result = add_file(r, index, name, component, err);
		if (result < 0)
			return result;
	}
	if (name->kind != ENTRY_DOCUMENTS &&
	    (name->kind != ENTRY_GENERATED_SCHEMA || name->table[0] == '_'))
		return 0;
	result = find_component(&r->components, component, &mention.component,
				err);
	if (result < 0)
		return result;
	if (strcmp(name->table, "_tables") == 0)
		return add_to_entries(&r->lists, mention.component, index, err);
	memcpy(mention.table, name->table, sizeof(mention.table));
	mention.kind = name->kind == ENTRY_DOCUMENTS ? MENTION_DOCUMENTS
						     : MENTION_SCHEMA;
	return add_mention(r, &mention, err);
}

static int read_name(struct reader *r, const char *base, uint64_t index,
		     struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf component = CVX_BUF_INIT(CONTENTS_PATH_MAX);
	struct archive_entry entry;
	struct entry_name name;
	int result = archive_entry(r->a, index, &entry, err);

	if (result < 0)
		return result;
	result = entry_name_read(entry.name, strlen(entry.name), base, &name,
				 &component, err);
	if (result == 0 && cvx_buf_append(&component, "", 1) < 0)
		result = cvx_fail_memory(err);
	if (result == 0)
		result = add_entry(r, index, &name, component.data, err);
	if (result < 0 && err && err->name)
		(void)cvx_err_prefix(err, "%.200s", entry.name);
	return result;
}

/* Reads the entry behind what text holds, in whole or up to its first line. */
static int read_text(struct reader *r, uint64_t index, bool is_first_line,
		     struct cvx_buf *text, struct cvx_err *err)
{
	CVX_AUTO(archive_stream_freep) struct archive_stream *stream = NULL;
	struct archive_entry entry;
	size_t n = 1;
	int result = archive_entry(r->a, index, &entry, err);

	if (result == 0)
		result = archive_stream_new(r->a, index, &stream, err);
	while (result == 0 && n > 0) {
		if (cvx_buf_reserve(text, PIECE_SIZE) < 0)
			return refuse(err, "ValueTooLargeError",
				      "%.200s: %s than %zu bytes", entry.name,
				      is_first_line ? "its first row has more"
						    : "it has more",
				      text->limit);
		result = archive_stream_read(stream, text->data + text->size,
					     PIECE_SIZE, &n, err);
		if (result < 0)
			break;
		text->size += n;
		if (is_first_line && n > 0 &&
		    memchr(text->data + text->size - n, '\n', n))
			break;
		result = check_canceled(r, err);
	}
	return result;
}

static int add_listed(struct reader *r, char *component,
		      const struct tables_list *list, struct cvx_err *err)
{
	struct mention mention = {.component = component,
				  .kind = MENTION_LISTED};
	size_t i;
	int result = 0;

	for (i = 0; result == 0 && i < list->count; i++) {
		memcpy(mention.table, list->tables[i].name,
		       sizeof(mention.table));
		mention.index = list->tables[i].number;
		mention.row = list->tables[i].row;
		result = add_mention(r, &mention, err);
	}
	return result;
}

static int compare_lists(const void *a, const void *b)
{
	const struct list_entry *x = a, *y = b;
	int order = strcmp(x->component, y->component);

	return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* The lists of one component are one list. */
static int read_lists_of(struct reader *r, const struct list_entry *lists,
			 size_t count, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini) struct cvx_buf text = CVX_BUF_INIT(LIST_MAX);
	CVX_AUTO(tables_list_fini) struct tables_list list = TABLES_LIST_INIT;
	struct archive_entry entry = {.name = ""};
	size_t i;
	int result = 0;

	for (i = 0; result == 0 && i < count; i++) {
		if (text.size > 0 && text.data[text.size - 1] != '\n' &&
		    cvx_buf_append(&text, "\n", 1) < 0)
			return cvx_fail_memory(err);
		(void)archive_entry(r->a, lists[i].index, &entry, NULL);
		result = read_text(r, lists[i].index, false, &text, err);
	}
	if (result < 0 || text.size == 0)
		return result;
	result = tables_list_read(text.data, text.size, &list, err);
	if (result == 0)
		result = add_listed(r, lists[0].component, &list, err);
	else if (err && err->name)
		(void)cvx_err_prefix(err, "%.200s", entry.name);
	return result;
}

static void sort_entries(struct entries *e)
{
	if (e->count > 0)
		qsort(e->list, e->count, sizeof(*e->list), compare_lists);
}

static int read_lists(struct reader *r, struct cvx_err *err)
{
	struct entries *lists = &r->lists;
	size_t i, n;
	int result = 0;

	sort_entries(lists);
	for (i = 0; result == 0 && i < lists->count; i += n) {
		for (n = 1;
		     i + n < lists->count &&
		     lists->list[i + n].component == lists->list[i].component;
		     n++)
			;
		result = read_lists_of(r, &lists->list[i], n, err);
	}
	return result;
}

static int compare_mentions(const void *a, const void *b)
{
	const struct mention *x = a, *y = b;
	int order = contents_compare(x->component, x->table, y->component,
				     y->table);

	if (order)
		return order;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static void add_to_table(struct contents *c, struct contents_table *t,
			 const struct mention *m, size_t *document_count)
{
	switch (m->kind) {
	case MENTION_LISTED:
		t->is_listed = true;
		t->number = (uint32_t)m->index;
		t->listed_row = m->row;
		break;
	case MENTION_DOCUMENTS:
		if (t->document_count++ == 0)
			t->documents = &c->documents[*document_count];
		c->documents[(*document_count)++] = m->index;
		break;
	case MENTION_SCHEMA: /* the last one counts */
		t->has_schema = true;
		t->schema = m->index;
		break;
	}
}

/* Mentions of one table stand together; a schema alone is none. */
static int make_tables(struct reader *r, struct cvx_err *err)
{
	struct contents *c = r->c;
	struct contents_table *t = NULL;
	const struct mention *m;
	size_t i, documents = 0;

	if (r->mention_count == 0)
		return 0;
	qsort(r->mentions, r->mention_count, sizeof(*r->mentions),
	      compare_mentions);
	c->tables = calloc(r->mention_count, sizeof(*c->tables));
	c->documents = calloc(r->mention_count, sizeof(*c->documents));
	if (!c->tables || !c->documents)
		return cvx_fail_memory(err);
	for (i = 0; i < r->mention_count; i++) {
		m = &r->mentions[i];
		if (!t || contents_compare(t->component, t->table, m->component,
					   m->table) != 0) {
			if (m->kind == MENTION_SCHEMA)
				continue;
			t = &c->tables[c->table_count++];
			t->component = m->component;
			memcpy(t->table, m->table, sizeof(t->table));
			t->is_storage = strcmp(t->table, "_storage") == 0;
		}
		add_to_table(c, t, m, &documents);
	}
	return 0;
}

/* Gives each storage its files; those of a component without rows about files
 * are nobody's (import.md 6.5). */
static int assign_files(struct reader *r, struct cvx_err *err)
{
	struct contents *c = r->c;
	struct contents_table *t = c->tables;
	const struct list_entry *file;
	size_t i, left = c->table_count;
	int order;

	sort_entries(&r->files);
	c->files = calloc(r->files.count + 1, sizeof(*c->files));
	if (!c->files)
		return cvx_fail_memory(err);
	for (i = 0; i < r->files.count && left > 0; i++) {
		file = &r->files.list[i];
		c->files[i] = file->index;
		while (left > 0 && (order = contents_compare(
					    t->component, t->table,
					    file->component, "_storage")) < 0) {
			t++;
			left--;
		}
		if (left == 0 || order != 0)
			continue;
		if (t->file_count++ == 0)
			t->files = &c->files[i];
	}
	return 0;
}

/* import.md 7.3.2 */
static int read_first_row(struct reader *r, struct contents_table *t,
			  struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf text = CVX_BUF_INIT(FORMAT_ROW_MAX + PIECE_SIZE);
	const char *lf;
	size_t i;
	int result = 0;

	for (i = 0; result == 0 && text.size == 0 && i < t->document_count; i++)
		result = read_text(r, t->documents[i], true, &text, err);
	if (result < 0 || text.size == 0)
		return result;
	lf = memchr(text.data, '\n', text.size);
	t->has_first_number = document_peek_table_number(
		text.data, lf ? (size_t)(lf - text.data) : text.size,
		&t->first_number);
	return 0;
}

static int read_all(struct reader *r, const char *base, struct cvx_err *err)
{
	uint64_t count = archive_entry_count(r->a), i;
	char *component;
	size_t n;
	/* The component of the request takes part whatever is in there. */
	int result = find_component(&r->components, base, &component, err);

	for (i = 0; result == 0 && i < count; i++)
		result = read_name(r, base, i, err);
	if (result == 0)
		result = read_lists(r, err);
	if (result == 0)
		result = make_tables(r, err);
	if (result == 0)
		result = assign_files(r, err);
	for (n = 0; result == 0 && n < r->c->table_count; n++)
		if (!r->c->tables[n].is_listed)
			result = read_first_row(r, &r->c->tables[n], err);
	return result;
}

int contents_check_files(struct archive *a, const struct contents *c,
			 struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf component = CVX_BUF_INIT(CONTENTS_PATH_MAX);
	struct archive_entry entry;
	struct entry_name name;
	int result;

	if (!c->has_bad_file)
		return 0;
	result = archive_entry(a, c->bad_file, &entry, err);
	if (result == 0)
		result = entry_name_read(entry.name, strlen(entry.name), "",
					 &name, &component, err);
	if (result == 0)
		result = entry_name_check_storage_id(&name, err);
	if (result < 0 && err && err->name)
		(void)cvx_err_prefix(err, "%.200s", entry.name);
	return result;
}

int contents_read(struct archive *a, const char *base_component,
		  const _Atomic bool *canceled, struct contents **ret,
		  struct cvx_err *err)
{
	CVX_AUTO(contents_freep) struct contents *c = calloc(1, sizeof(*c));
	struct reader reader = {.a = a, .canceled = canceled, .c = c};
	int r;

	if (!c)
		return cvx_fail_memory(err);
	r = read_all(&reader, base_component, err);
	c->components = CVX_TAKE(reader.components.list);
	c->component_count = reader.components.count;
	reader.components.count = 0;
	reader_fini(&reader);
	if (r < 0)
		return r;
	*ret = CVX_TAKE(c);
	return 0;
}
