#include "importer/archive/entry_name.h"

#include <errno.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "importer/value/id.h"
#include "importer/value/refusal.h"

#define COMPONENTS "_components"
#define STORAGE "_storage"

/* A part of the name. */
struct span {
	const char *text;
	size_t size;
};

static bool is(struct span s, const char *text)
{
	return s.size == strlen(text) && memcmp(s.text, text, s.size) == 0;
}

/*
 * Cuts the last segment off the text, which ends where a segment ends. What
 * is left ends in '/' or is empty.
 */
static struct span cut_segment(struct span *rest)
{
	const char *slash = memrchr(rest->text, '/', rest->size);
	struct span segment = *rest;

	if (slash) {
		segment.text = slash + 1;
		segment.size = rest->size - (size_t)(segment.text - rest->text);
	}
	rest->size -= segment.size;
	return segment;
}

/*
 * Cuts "_components/<name>/" off the end of the prefix, if it is there: the
 * span of the name, else an empty one.
 */
static struct span cut_component(struct span *prefix)
{
	const struct span none = {NULL, 0};
	struct span rest = *prefix, name;

	if (rest.size == 0)
		return none;
	rest.size--; /* the '/' behind the name */
	name = cut_segment(&rest);
	if (name.size == 0 || rest.size == 0)
		return none;
	rest.size--;
	if (!is(cut_segment(&rest), COMPONENTS))
		return none;
	*prefix = rest;
	return name;
}

static int fail_append(int r, struct cvx_err *err)
{
	return r == -EFBIG ? refuse(err, "InvalidComponentName",
				    "its component is nested too deep")
			   : cvx_fail_memory(err);
}

/* The pairs stand in the prefix from the outermost component inwards. */
static int add_components(struct span prefix, struct span pairs,
			  struct cvx_buf *component, struct cvx_err *err)
{
	struct span name;
	const char *at = pairs.text, *end = prefix.text + prefix.size, *slash;
	int r = 0;

	while (r == 0 && at < end) {
		name.text = at + sizeof(COMPONENTS);
		slash = memchr(name.text, '/', (size_t)(end - name.text));
		name.size = (size_t)(slash - name.text);
		if (component->size > 0)
			r = cvx_buf_append(component, "/", 1);
		if (r == 0)
			r = cvx_buf_append(component, name.text, name.size);
		at = slash + 1;
	}
	return r < 0 ? fail_append(r, err) : 0;
}

static int read_component(struct span prefix, const char *base,
			  struct cvx_buf *component, struct cvx_err *err)
{
	struct span rest = prefix, name;
	int r = cvx_buf_puts(component, base);

	if (r < 0)
		return fail_append(r, err);
	for (;;) {
		name = cut_component(&rest);
		if (name.size == 0)
			break;
		if (!name_is_identifier(name.text, name.size))
			return refuse(err, "InvalidComponentName",
				      "\"%.*s\" is not the name of a component",
				      name.size > 80 ? 80 : (int)name.size,
				      name.text);
	}
	return add_components(prefix, (struct span){prefix.text + rest.size, 0},
			      component, err);
}

/* S of import.md 6.5: file is the last segment. */
static void find_storage_file(struct span dir, struct span file,
			      struct entry_name *ret)
{
	const char *dot = memchr(file.text, '.', file.size);
	size_t id_size = dot ? (size_t)(dot - file.text) : file.size;

	dir.size--;
	if (!is(cut_segment(&dir), STORAGE) || id_size == 0 ||
	    (dot && id_size + 1 == file.size) ||
	    is((struct span){file.text, id_size}, "documents"))
		return;
	ret->is_storage_file = true;
	ret->storage_id = file.text;
	ret->storage_id_size = id_size;
}

static int read_table(struct span table, struct span file,
		      struct entry_name *ret, struct cvx_err *err)
{
	bool is_documents = is(file, "documents.jsonl");

	if (table.size == 0 ||
	    (!is_documents && !is(file, "generated_schema.jsonl")))
		return 0;
	if (!name_is_identifier(table.text, table.size))
		return refuse(err, "InvalidTableName",
			      "\"%.*s\" is not the name of a table",
			      table.size > 80 ? 80 : (int)table.size,
			      table.text);
	memcpy(ret->table, table.text, table.size);
	ret->table[table.size] = '\0';
	ret->kind = is_documents ? ENTRY_DOCUMENTS : ENTRY_GENERATED_SCHEMA;
	if (is_documents && table.text[0] == '_' && !is(table, "_tables") &&
	    !is(table, STORAGE))
		ret->kind = ENTRY_SKIPPED;
	return 0;
}

int entry_name_read(const char *name, size_t size, const char *base_component,
		    struct entry_name *ret, struct cvx_buf *component,
		    struct cvx_err *err)
{
	struct span dir = {name, size}, prefix, file, table;
	int r;

	memset(ret, 0, sizeof(*ret));
	file = cut_segment(&dir);
	if (dir.size == 0 || file.size == 0 || memchr(name, '\n', size))
		return 0;
	prefix = (struct span){dir.text, dir.size - 1};
	table = cut_segment(&prefix);
	find_storage_file(dir, file, ret);
	r = read_table(table, file, ret, err);
	if (r < 0 || (ret->kind == ENTRY_IGNORED && !ret->is_storage_file))
		return r;
	return read_component(prefix, base_component, component, err);
}

int entry_name_check_storage_id(const struct entry_name *entry,
				struct cvx_err *err)
{
	struct internal_id id;
	uint32_t table;

	if (id_decode(entry->storage_id, entry->storage_id_size, &table, &id) ==
	    0)
		return 0;
	return refuse(err, "InvalidStorageId",
		      "\"%.*s\" is not the id of a stored file",
		      entry->storage_id_size > 80 ? 80
						  : (int)entry->storage_id_size,
		      entry->storage_id);
}
