#include "importer/remote/fetch_inside.h"

#include <errno.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"

static bool is_whole(const char *number, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		if (number[i] == '.' || number[i] == 'e' || number[i] == 'E')
			return false;
	return true;
}

/* convex_encoded_json writes a float64 as 5, which elsewhere is an int64. */
static int append_encoded(struct cvx_buf *out, const struct range *value)
{
	enum json_token token;
	struct json json;
	size_t end = 0;
	int r = 0;

	json_init(&json, value->text, value->size);
	do {
		token = json_next(&json);
		if (token == JSON_BAD || token == JSON_END)
			break;
		r = cvx_buf_append(out, value->text + end, json.end - end);
		if (r == 0 && token == JSON_NUMBER &&
		    is_whole(value->text + json.start, json.end - json.start))
			r = cvx_buf_puts(out, ".0");
		end = json.end;
	} while (r == 0);
	return r == 0 && end < value->size
		       ? cvx_buf_append(out, value->text + end,
					value->size - end)
		       : r;
}

/* A member that the transport added, with its quotes. */
enum meta { META_NONE, META_TIME, META_DELETED, META_COMPONENT, META_TABLE };

static enum meta meta_of(const struct range *key)
{
	if (range_is(key, "\"_ts\""))
		return META_TIME;
	if (range_is(key, "\"_deleted\""))
		return META_DELETED;
	if (range_is(key, "\"_component\""))
		return META_COMPONENT;
	return range_is(key, "\"_table\"") ? META_TABLE : META_NONE;
}

/* Whether it names what is wanted. */
static bool is_wanted(const struct fetch *f, enum meta meta,
		      const struct range *value)
{
	CVX_AUTO(cvx_freep) char *text = NULL;

	text = range_string(value);
	return text &&
	       strcmp(text, meta == META_TABLE ? f->target->table
					       : f->target->component) == 0;
}

static int append_member(struct fetch *f, const struct range *key,
			 const struct range *value)
{
	int r = f->row.size > 1 ? cvx_buf_puts(&f->row, ",") : 0;

	if (r == 0)
		r = cvx_buf_append(&f->row, key->text, key->size);
	if (r == 0)
		r = cvx_buf_puts(&f->row, ":");
	if (r < 0)
		return r;
	return f->is_encoded
		       ? append_encoded(&f->row, value)
		       : cvx_buf_append(&f->row, value->text, value->size);
}

/* A number that has more digits than a double; what is none is passed over. */
void fetch_note_time(struct fetch *f, const struct range *ns)
{
	int64_t value = 0;
	size_t i;

	for (i = 0; i < ns->size && ns->text[i] >= '0' && ns->text[i] <= '9';
	     i++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, ns->text[i] - '0', &value))
			return;
	if (i == ns->size && value > f->committed_ns)
		f->committed_ns = value;
}

static int end_append(struct fetch *f, int r)
{
	return r < 0 ? cvx_fail(f->err, r, "a document is too large") : 0;
}

/* Nothing is added to it, nor written in another way: the row as it stands,
 * whose members are looked at once, when it becomes a line. */
static int copy_row(struct fetch *f, const struct range *document)
{
	return end_append(
		f, cvx_buf_append(&f->row, document->text, document->size));
}

static int fail_object(struct fetch *f)
{
	return cvx_fail(f->err, -EPROTO, "a document is not an object");
}

/* One member of a document. 1: by it the document is another table's. */
static int gather_member(struct fetch *f, const struct range *key,
			 const struct range *value, bool *ret_deleted)
{
	enum meta meta = f->has_meta ? meta_of(key) : META_NONE;

	switch (meta) {
	case META_NONE:
		return end_append(f, append_member(f, key, value));
	case META_TIME:
		fetch_note_time(f, value);
		return 0;
	case META_DELETED:
		*ret_deleted = range_is(value, "true");
		return 0;
	case META_COMPONENT:
	case META_TABLE:
		break;
	}
	return is_wanted(f, meta, value) ? 0 : 1;
}

/* The document without what the transport added; j is behind its first brace,
 * and goes behind its last one. 1: it is another table's. */
static int gather_row(struct fetch *f, struct json *j, bool *ret_deleted)
{
	enum json_token token = JSON_BAD;
	struct range key, value;
	int r;

	*ret_deleted = false;
	cvx_buf_clear(&f->row);
	r = end_append(f, cvx_buf_puts(&f->row, "{"));
	while (r == 0 && (token = json_next(j)) == JSON_KEY) {
		key = (struct range){j->text + j->start, j->end - j->start};
		token = json_next(j);
		value.text = j->text + j->start;
		if (token == JSON_BAD || !json_skip_value(j, token))
			return fail_object(f);
		value.size = (size_t)(j->text + j->end - value.text);
		r = gather_member(f, &key, &value, ret_deleted);
	}
	if (r == 1 ? !json_skip_value(j, JSON_OBJECT)
		   : r == 0 && token != JSON_CLOSE)
		return fail_object(f);
	return r == 0 ? end_append(f, cvx_buf_puts(&f->row, "}")) : r;
}

/* A document of a list; j is where gather_row wants it. */
static int add_object(struct fetch *f, struct json *j)
{
	struct range document = {j->text + j->start, 0};
	bool is_deleted;
	int r = gather_row(f, j, &is_deleted);

	if (r != 0)
		return r < 0 ? r : 0;
	document.size = (size_t)(j->text + j->end - document.text);
	return is_deleted ? fetch_add_gone(f, &document) : fetch_add_row(f);
}

int fetch_add_gone(struct fetch *f, const struct range *document)
{
	static const char *const names[1] = {"_id"};
	CVX_AUTO(cvx_freep) char *text = NULL;
	struct internal_id id;
	struct range found[1];
	uint32_t number;

	if (members_pick(document, names, found, 1))
		text = range_string(&found[0]);
	if (!text || id_decode(text, strlen(text), &number, &id) < 0)
		return cvx_fail(f->err, -EPROTO,
				"a document that has gone, without an _id");
	return fetch_add_deleted(f, &id);
}

int fetch_add_document(struct fetch *f, const struct range *document)
{
	int r;

	cvx_buf_clear(&f->row);
	if (document->size == 0 || document->text[0] != '{')
		return fail_object(f);
	r = copy_row(f, document);
	return r < 0 ? r : fetch_add_row(f);
}

int fetch_add_list(struct fetch *f, const struct range *found, struct json *j)
{
	enum json_token token = json_next(j);
	int r = 0;

	(void)found;
	if (token != JSON_ARRAY)
		return cvx_fail(f->err, -EPROTO, "not a list of documents");
	while (r == 0 && (token = json_next(j)) == JSON_OBJECT)
		r = add_object(f, j);
	return r < 0 || token == JSON_CLOSE
		       ? r
		       : cvx_fail(f->err, -EPROTO, "not a list of documents");
}

int fetch_add_documents(struct fetch *f, const struct range *list)
{
	struct json j;

	json_init(&j, list->text, list->size);
	return fetch_add_list(f, NULL, &j);
}
