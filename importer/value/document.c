#include "importer/value/document.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/value/canon.h"
#include "importer/value/explain.h"
#include "importer/value/json.h"
#include "importer/value/number.h"
#include "importer/value/refusal.h"
#include "importer/value/scan.h"
#include "importer/value/system_fields.h"
#include "importer/value/value.h"

#define DOCUMENT_NESTING_MAX 16 /* import.md 4.2 */

#define ID_KEY "\"_id\":\""
#define TIME_KEY "\"_creationTime\":"

/* The longest text of both system fields, and room behind the line. */
#define SYSTEM_TEXT_MAX                                                        \
	(sizeof(ID_KEY) + ID_TEXT_MAX + sizeof(TIME_KEY) + NUMBER_TEXT_MAX +   \
	 SCAN_COPY_STEP)

_Static_assert(SYSTEM_TEXT_MAX <= DOCUMENT_ROOM, "document.h says too little");

struct document_reader {
	struct document_stamp stamp;
	struct document_check check;
	struct scanner *scanner;
	struct time_printer times;
};

int document_reader_new(enum document_encoding encoding,
			const struct document_stamp *stamp,
			struct document_reader **ret, struct cvx_err *err)
{
	bool uniform = encoding == DOCUMENT_UNIFORM;
	struct document_reader *r = calloc(1, sizeof(*r));

	if (r)
		r->scanner = scan_new(uniform, uniform);
	if (!r || !r->scanner) {
		free(r);
		return cvx_fail_memory(err);
	}
	r->stamp = *stamp;
	*ret = r;
	return 0;
}

void document_reader_free(struct document_reader *r)
{
	if (!r)
		return;
	scan_free(r->scanner);
	free(r);
}

void document_reader_set_check(struct document_reader *r,
			       const struct document_check *check)
{
	r->check = *check;
}

/* A row being checked: what of the system fields it brings. */
struct row {
	const char *text; /* as given */
	size_t size;
	const char *id, *time; /* values as written; NULL: absent */
	size_t id_size, time_size;
	double ms;	     /* the time */
	const char *strange; /* another field that begins with '_' */
	size_t strange_size;
};

/* import.md 1.2: these keys are the only ones there may be with '_'. */
static void find_system_fields(const struct scanner *s, struct row *row)
{
	size_t left = s->system_count;

	for (size_t i = 0; i < s->member_count && left > 0; i++) {
		const struct scan_member *m = &s->members[i];
		const char *text, *value;
		size_t size;

		if (s->row[m->off + 1] != '_' || m->key_size == 0)
			continue;
		left--;
		text = s->row + m->off;
		value = text + m->key_size + 3;
		size = (size_t)(s->row + m[1].off - 1 - value);
		if (m->key_size == 3 && memcmp(text, ID_KEY, 6) == 0) {
			row->id = value;
			row->id_size = size;
		} else if (m->key_size == 13 &&
			   memcmp(text, TIME_KEY, 16) == 0) {
			row->time = value;
			row->time_size = size;
		} else if (!row->strange) {
			row->strange = text + 1;
			row->strange_size = m->key_size;
		}
	}
}

static int refuse_field(const struct row *row, const char *name,
			const char *key, const char *what, struct cvx_err *err)
{
	return explain_field(err, name, row->text, row->size, key, what);
}

/* import.md 5.1 */
static int take_id(const struct document_reader *r, const struct row *row,
		   uint64_t nth, struct document *doc, struct cvx_err *err)
{
	struct system_fault fault;

	doc->id_given = row->id && row->id[0] == '"';
	if (!doc->id_given)
		id_from_stamp(&r->stamp.id, nth, &doc->id);
	else if (system_id_read(row->id + 1, row->id_size - 2,
				r->stamp.table_number, &doc->id, &fault))
		return refuse_field(row, fault.name, "_id", fault.what, err);
	return 0;
}

/* Whether the value, as written, is a finite float64. */
static bool is_number(const char *text, size_t size)
{
	if (text[0] != '-' && (text[0] < '0' || text[0] > '9'))
		return false;
	return memchr(text, '.', size) || memchr(text, 'e', size);
}

/*
 * Whether the time, as written, is from 1 to 10^15 milliseconds: the number
 * need not be known to tell that it is fine.
 */
static bool is_usual_time(const char *text, size_t size)
{
	return text[0] >= '1' && text[0] <= '9' &&
	       memchr(text, '.', size < 16 ? size : 16) &&
	       !memchr(text, 'e', size);
}

/* import.md 5.2 and 5.3 */
static int check_types(struct row *row, const struct document *doc,
		       struct cvx_err *err)
{
	struct system_fault fault;

	if (row->id && !doc->id_given)
		return refuse_field(row, "InvalidIdError", "_id",
				    "an id must be a string", err);
	if (!row->time || is_usual_time(row->time, row->time_size)) {
		row->ms = 1; /* as good as any */
		return 0;
	}
	row->ms = NAN;
	if (is_number(row->time, row->time_size))
		row->ms = number_read(row->time, row->time_size);
	if (system_time_check_type(row->ms, &fault))
		return refuse_field(row, fault.name, "_creationTime",
				    fault.what, err);
	return 0;
}

/* import.md 5.5 */
static int check_document(const struct scanner *s, const struct row *row,
			  struct cvx_err *err)
{
	struct system_fault fault;

	if (s->nesting > DOCUMENT_NESTING_MAX)
		return refuse(err, "InvalidDocumentError",
			      "the document is nested %u deep, above %d",
			      s->nesting, DOCUMENT_NESTING_MAX);
	if (row->time && system_time_check_range(row->ms, &fault))
		return refuse_field(row, fault.name, "_creationTime",
				    fault.what, err);
	if (row->strange) {
		char key[64];
		size_t size = row->strange_size;

		if (size > sizeof(key) - 1)
			size = sizeof(key) - 1;
		memcpy(key, row->strange, size);
		key[size] = '\0';
		return refuse_field(row, "InvalidDocumentError", key,
				    "only _id and _creationTime may begin "
				    "with '_' here",
				    err);
	}
	return 0;
}

/* import.md 5.7 */
static int check_size(const struct document_reader *r, const struct row *row,
		      const struct internal_id *id, struct cvx_err *err)
{
	const struct scanner *s = r->scanner;
	struct value_size measured;
	char id_text[ID_TEXT_MAX];

	if (value_measure(s->row, (size_t)(s->row_end - s->row), &measured) < 0)
		return refuse(err, "InvalidConvexValue",
			      "the row cannot be measured");
	if (!row->id)
		measured.size += strlen("_id") + 1 +
				 SYSTEM_ID_VALUE_SIZE(id_encode(
					 r->stamp.table_number, id, id_text));
	if (!row->time)
		measured.size +=
			strlen("_creationTime") + 1 + SYSTEM_TIME_VALUE_SIZE;
	if (measured.size > DOCUMENT_SIZE_MAX)
		return refuse(err, "ValueTooLargeError",
			      "the document has %llu bytes, above 1 MiB",
			      (unsigned long long)measured.size);
	return 0;
}

static char *put_member(const struct scanner *s, size_t index, char *out)
{
	out += scan_copy_member(s, index, out);
	out[-1] = ',';
	return out;
}

static char *put_time(struct time_printer *times, double time, char *out)
{
	memcpy(out, TIME_KEY, sizeof(TIME_KEY) - 1);
	out += sizeof(TIME_KEY) - 1;
	out += system_time_print(times, time, out);
	*out++ = ',';
	return out;
}

static char *put_id(uint32_t table, const struct internal_id *id, char *out)
{
	memcpy(out, ID_KEY, sizeof(ID_KEY) - 1);
	out += sizeof(ID_KEY) - 1;
	out += id_encode(table, id, out);
	memcpy(out, "\",", 2);
	return out + 2;
}

static bool before_system_fields(const struct scanner *s, size_t index)
{
	return s->row[s->members[index].off + 1] < '_';
}

/* The member that comes at this place of the line. */
static size_t member_at(const struct scanner *s, size_t place)
{
	return s->root_in_order ? place : s->order[place];
}

/* The row of a backup, of which nothing is missing or elsewhere. */
static size_t copy_line(const struct scanner *s, char *out)
{
	size_t size = (size_t)(s->row_end - s->row);

	memcpy(out, s->row, size);
	out[size] = '\n';
	return size + 1;
}

static size_t write_line(struct document_reader *r, const struct row *row,
			 uint64_t nth, const struct internal_id *id, char *out)
{
	const struct scanner *s = r->scanner;
	char *o = out;
	size_t i = 0;

	if (s->root_in_order && row->time && row->id)
		return copy_line(s, out);
	*o++ = '{';
	for (; i < s->member_count && before_system_fields(s, member_at(s, i));
	     i++)
		o = put_member(s, member_at(s, i), o);
	if (row->time)
		o = put_member(s, member_at(s, i++), o);
	else
		o = put_time(&r->times,
			     system_time_at(r->stamp.creation_time, nth), o);
	if (row->id)
		o = put_member(s, member_at(s, i++), o);
	else
		o = put_id(r->stamp.table_number, id, o);
	for (; i < s->member_count; i++)
		o = put_member(s, member_at(s, i), o);
	memcpy(o - 1, "}\n", 2);
	return (size_t)(o + 1 - out);
}

/* What canon_read has read becomes a line, in the order of import.md 5. */
static int finish(struct document_reader *r, struct row *row, uint64_t nth,
		  struct cvx_buf *out, struct document *ret,
		  struct cvx_err *err)
{
	struct scanner *s = r->scanner;
	size_t written = (size_t)(s->row_end - s->row);
	struct document doc = {.beyond_plain = s->beyond_plain};
	size_t size;
	char *line;
	int code;

	if (s->root_wrapper)
		return refuse(err, "NotAnObject", "the row is not an object");
	if (s->row[0] != '{')
		return refuse(err, "InvalidConvexValue",
			      "the row is not an object");
	if (s->system_count > 0)
		find_system_fields(s, row);
	code = take_id(r, row, nth, &doc, err);
	if (code == 0)
		code = check_types(row, &doc, err);
	if (code < 0)
		return code;
	if (s->member_count + !row->id + !row->time > DOCUMENT_FIELDS_MAX)
		return refuse(err, "TooManyFieldsError",
			      "with _id and _creationTime the document has "
			      "more than 1024 fields");
	if (s->nesting > DOCUMENT_NESTING_MAX || row->time || row->strange) {
		code = check_document(s, row, err);
		if (code < 0)
			return code;
	}
	code = cvx_buf_reserve(out, written + SYSTEM_TEXT_MAX);
	if (code < 0)
		return cvx_fail(err, code, "no room for the document");
	line = out->data + out->size;
	size = write_line(r, row, nth, &doc.id, line);
	if (r->check.run)
		code = r->check.run(r->check.ctx, line, size - 1, err);
	/* A value takes at most 9 bytes where its text takes 2. */
	if (code == 0 && written > (DOCUMENT_SIZE_MAX - SYSTEM_TEXT_MAX) / 5)
		code = check_size(r, row, &doc.id, err);
	if (code < 0)
		return code;
	out->size += size;
	*ret = doc;
	return 0;
}

static int read_row(struct document_reader *r, const char *text, size_t size,
		    bool partial, uint64_t nth, struct cvx_buf *out,
		    struct document *ret, size_t *ret_used, struct cvx_err *err)
{
	struct row row = {.text = text, .size = size};
	int code = canon_read(r->scanner, text, size, partial, ret_used, err);

	if (code < 0)
		return code;
	row.size = *ret_used;
	return finish(r, &row, nth, out, ret, err);
}

int document_read(struct document_reader *r, const char *text, size_t size,
		  uint64_t nth, struct cvx_buf *out, struct document *ret,
		  struct cvx_err *err)
{
	size_t used;

	return read_row(r, text, size, false, nth, out, ret, &used, err);
}

int document_read_line(struct document_reader *r, const char *text, size_t size,
		       uint64_t nth, struct cvx_buf *out, struct document *ret,
		       size_t *ret_size, struct cvx_err *err)
{
	struct row row = {.text = text};

	if (!canon_read_line(r->scanner, text, size, &row.size))
		return 1;
	*ret_size = row.size;
	return finish(r, &row, nth, out, ret, err);
}

int document_read_prefix(struct document_reader *r, const char *text,
			 size_t size, uint64_t nth, struct cvx_buf *out,
			 struct document *ret, size_t *ret_used,
			 struct cvx_err *err)
{
	return read_row(r, text, size, true, nth, out, ret, ret_used, err);
}

/*
 * Finds the outermost field "_id". *ret is its last value, decoded, as far as
 * it is a string that can be an id; *ret_size 0: it is none.
 */
static bool find_id(const char *text, size_t size, char ret[ID_TEXT_MAX],
		    size_t *ret_size)
{
	char decoded[6 * ID_TEXT_MAX + 2];
	enum json_token token;
	bool wanted = false;
	struct json j;

	*ret_size = 0;
	json_init(&j, text, size);
	while ((token = json_next(&j)) != JSON_END) {
		size_t n = j.end - j.start;

		if (token == JSON_BAD)
			return false;
		if (wanted) {
			*ret_size = 0;
			if (token == JSON_STRING && n <= sizeof(decoded)) {
				n = json_decode_string(text + j.start, n,
						       decoded);
				if (n <= ID_TEXT_MAX) {
					memcpy(ret, decoded, n);
					*ret_size = n;
				}
			}
		}
		wanted = token == JSON_KEY && j.depth == 1 &&
			 n <= sizeof(decoded) &&
			 json_decode_string(text + j.start, n, decoded) == 3 &&
			 memcmp(decoded, "_id", 3) == 0;
	}
	return *ret_size > 0;
}

bool document_peek_table_number(const char *text, size_t size,
				uint32_t *ret_number)
{
	char id[ID_TEXT_MAX];
	struct internal_id internal;
	size_t id_size;

	return find_id(text, size, id, &id_size) &&
	       id_decode(id, id_size, ret_number, &internal) == 0;
}

CVX_DEFINE_CLEANUP(struct document_reader, document_reader_free)

bool document_is_export_line(const char *text, size_t size)
{
	CVX_AUTO(document_reader_freep) struct document_reader *r = NULL;
	CVX_AUTO(cvx_buf_fini) struct cvx_buf line;
	struct document_stamp stamp = {0};
	struct document doc;

	/* No field is added to a line of the same length. */
	cvx_buf_init(&line, 4 * size + 4 * SYSTEM_TEXT_MAX);
	if (!document_peek_table_number(text, size, &stamp.table_number))
		return false;
	stamp.creation_time = 1;
	if (document_reader_new(DOCUMENT_UNIFORM, &stamp, &r, NULL) < 0 ||
	    document_read(r, text, size, 0, &line, &doc, NULL) < 0)
		return false;
	return line.size == size + 1 && memcmp(line.data, text, size) == 0;
}

int document_line_id(const char *line, size_t size, struct internal_id *ret_id)
{
	char id[ID_TEXT_MAX];
	size_t id_size;
	uint32_t table;

	if (!find_id(line, size, id, &id_size))
		return -EINVAL;
	return id_decode(id, id_size, &table, ret_id);
}
