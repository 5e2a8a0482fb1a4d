/*
 * CSV (import.md 6.2): the header, where blocks end, and the table number.
 */
#include "importer/format/csv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "importer/format/csv_cell.h"
#include "importer/format/kind.h"
#include "importer/format/text.h"
#include "importer/value/name.h"
#include "importer/value/refusal.h"
#include "importer/value/system_fields.h"
#include "importer/value/utf8.h"

/* What the lines of a block may hold when columns have long names. */
#define BLOCK_TEXT_MAX ((uint64_t)64 << 20)

/* About what _id and _creationTime add to a line. */
#define SYSTEM_FIELDS_SIZE 96

#define NAME_EXCERPT_SIZE 48

/* A distinct name of the header. */
struct field_name {
	size_t off; /* in header->names */
	size_t size;
	size_t column; /* the last of that name; SIZE_MAX: none */
};

/* A header while it is read. */
struct header_reader {
	struct csv_header *header;
	struct cvx_buf names;
	struct field_name fields[DOCUMENT_FIELDS_MAX + 2];
	size_t field_count;
	/* Indexes of fields in the order of the names. */
	uint16_t sorted[DOCUMENT_FIELDS_MAX + 2];
	size_t column_capacity;
};

void csv_header_free(struct csv_header *h)
{
	if (!h)
		return;
	free(h->slot_of);
	free(h->slots);
	free(h->names);
	free(h->keys);
	free(h);
}

static void header_reader_free(struct header_reader *r)
{
	if (!r)
		return;
	csv_header_free(r->header);
	cvx_buf_fini(&r->names);
	free(r);
}
CVX_DEFINE_CLEANUP(struct header_reader, header_reader_free)

static struct header_reader *header_reader_new(size_t size)
{
	struct header_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	/* The system fields may come on top of what the record holds. */
	cvx_buf_init(&r->names, size + SYSTEM_FIELDS_SIZE);
	r->header = calloc(1, sizeof(*r->header));
	if (!r->header) {
		header_reader_free(r);
		return NULL;
	}
	return r;
}

static int compare_names(const char *a, size_t a_size, const char *b,
			 size_t b_size)
{
	size_t size = a_size < b_size ? a_size : b_size;
	int order = size > 0 ? memcmp(a, b, size) : 0;

	if (order == 0)
		order = (a_size > b_size) - (a_size < b_size);
	return order;
}

/* The place of the name among the sorted ones; whether it is there already. */
static bool find_name(const struct header_reader *r, const char *name,
		      size_t size, size_t *ret_place)
{
	size_t low = 0, high = r->field_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct field_name *field = &r->fields[r->sorted[middle]];
		int order = compare_names(r->names.data + field->off,
					  field->size, name, size);

		if (order == 0) {
			*ret_place = middle;
			return true;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_place = low;
	return false;
}

/* Makes the name a field that has the column; *ret is its index. */
static int put_name(struct header_reader *r, const char *name, size_t size,
		    size_t column, uint16_t *ret, struct cvx_err *err)
{
	size_t place;

	if (find_name(r, name, size, &place)) {
		*ret = r->sorted[place];
		if (column != SIZE_MAX)
			r->fields[*ret].column = column;
		return 0;
	}
	*ret = 0;
	if (column != SIZE_MAX && r->field_count == DOCUMENT_FIELDS_MAX) {
		r->header->too_many_fields = true;
		return 0;
	}
	*ret = (uint16_t)r->field_count;
	r->fields[*ret] = (struct field_name){r->names.size, size, column};
	memmove(r->sorted + place + 1, r->sorted + place,
		(r->field_count - place) * sizeof(*r->sorted));
	r->sorted[place] = *ret;
	r->field_count++;
	if (cvx_buf_append(&r->names, name, size) < 0)
		return cvx_fail_memory(err);
	return 0;
}

static int put_column(struct header_reader *r, const char *name, size_t size,
		      struct cvx_err *err)
{
	struct csv_header *h = r->header;

	if (h->column_count == r->column_capacity) {
		size_t capacity =
			r->column_capacity > 0 ? r->column_capacity * 2 : 64;
		uint16_t *slot_of =
			reallocarray(h->slot_of, capacity, sizeof(*slot_of));

		if (!slot_of)
			return cvx_fail_memory(err);
		h->slot_of = slot_of;
		r->column_capacity = capacity;
	}
	h->column_count++;
	return put_name(r, name, size, h->column_count - 1,
			&h->slot_of[h->column_count - 1], err);
}

/* The start of a name, for messages. */
static void excerpt(const char *name, size_t size, char out[NAME_EXCERPT_SIZE])
{
	size_t n = size < NAME_EXCERPT_SIZE ? size : NAME_EXCERPT_SIZE - 4;

	n = utf8_valid_size(name, n);
	memcpy(out, name, n);
	memcpy(out + n, "...", n < size ? 4 : 0);
	out[n < size ? n + 3 : n] = '\0';
}

static int check_name(const char *name, size_t size, size_t column,
		      struct cvx_err *err)
{
	char shown[NAME_EXCERPT_SIZE];

	if (name_is_field(name, size))
		return 0;
	if (!utf8_is_valid(name, size))
		return refuse(err, "CsvInvalidRow",
			      "the header, column %zu: the bytes are not UTF-8",
			      column + 1);
	excerpt(name, size, shown);
	if (size > FIELD_NAME_MAX_SIZE)
		return refuse(err, "CsvInvalidHeader",
			      "the header, column %zu: the name '%s' has %zu "
			      "bytes, more than %d",
			      column + 1, shown, size, FIELD_NAME_MAX_SIZE);
	if (name[0] == '$')
		return refuse(err, "CsvInvalidHeader",
			      "the header, column %zu: the name '%s' begins "
			      "with '$'",
			      column + 1, shown);
	return refuse(err, "CsvInvalidHeader",
		      "the header, column %zu: the name '%s' has other "
		      "characters than printable ASCII%s",
		      column + 1, shown,
		      memchr(name, '\t', size)
			      ? "; columns are separated by commas, not tabs"
			      : "");
}

/* Reads the fields of the header record. */
static int read_names(struct header_reader *r, const char *text, size_t size,
		      size_t *ret_used, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *unquoted = NULL;
	struct csv_scan scan;
	struct csv_cell cell;
	bool more = true;
	int result;

	csv_scan_init(&scan, text, size);
	while (more) {
		const char *name;
		size_t name_size;

		more = csv_next_field(&scan, ret_used, &cell);
		name = cell.text;
		name_size = cell.size;
		if (cell.raw) {
			if (!unquoted)
				unquoted = malloc(size);
			if (!unquoted)
				return cvx_fail_memory(err);
			name_size = csv_unquote(cell.text, cell.size, unquoted);
			name = unquoted;
		}
		while (name_size > 0 && name[name_size - 1] == ' ')
			name_size--;
		for (; name_size > 0 && *name == ' '; name_size--)
			name++;
		result = check_name(name, name_size, r->header->column_count,
				    err);
		if (result == 0)
			result = put_column(r, name, name_size, err);
		if (result < 0)
			return result;
	}
	return 0;
}

static enum csv_slot_kind slot_kind(const char *name,
				    const struct field_name *field)
{
	bool given = field->column != SIZE_MAX;

	if (field->size == 3 && memcmp(name, "_id", 3) == 0)
		return given ? CSV_SLOT_ID : CSV_SLOT_NEW_ID;
	if (field->size == 13 && memcmp(name, "_creationTime", 13) == 0)
		return given ? CSV_SLOT_CREATION_TIME
			     : CSV_SLOT_NEW_CREATION_TIME;
	return CSV_SLOT_VALUE;
}

/* Appends ,"name": with the escapes that printable ASCII needs. */
static int print_key(struct cvx_buf *keys, const char *name, size_t size)
{
	int r = cvx_buf_puts(keys, keys->size > 0 ? ",\"" : "{\"");

	for (size_t i = 0; r == 0 && i < size; i++) {
		if (name[i] == '"' || name[i] == '\\')
			r = cvx_buf_puts(keys, "\\");
		if (r == 0)
			r = cvx_buf_append(keys, name + i, 1);
	}
	return r == 0 ? cvx_buf_puts(keys, "\":") : r;
}

/* Makes slots and keys of the sorted names, which stand in h->names. */
static int make_slots(struct header_reader *r, struct cvx_err *err)
{
	struct csv_header *h = r->header;
	struct cvx_buf keys = CVX_BUF_INIT(2 * r->names.size +
					   4 * r->field_count + CSV_KEY_STEP);
	uint16_t slot_of_field[DOCUMENT_FIELDS_MAX + 2];
	int result = 0;

	h->slots = calloc(r->field_count, sizeof(*h->slots));
	if (!h->slots)
		return cvx_fail_memory(err);
	h->slot_count = r->field_count;
	h->names_value_size = 2;
	for (size_t i = 0; result == 0 && i < h->slot_count; i++) {
		const struct field_name *field = &r->fields[r->sorted[i]];
		const char *name = h->names + field->off;
		struct csv_slot *slot = &h->slots[i];

		slot->kind = slot_kind(name, field);
		slot->column = field->column;
		slot->name_off = field->off;
		slot->name_size = field->size;
		slot->key_off = keys.size;
		result = print_key(&keys, name, field->size);
		slot->key_size = keys.size - slot->key_off;
		h->names_value_size += field->size + 1;
		h->field_count += field->column != SIZE_MAX;
		if (slot->kind == CSV_SLOT_ID)
			h->id = slot;
		else if (slot->kind == CSV_SLOT_CREATION_TIME)
			h->creation_time = slot;
		else if (slot->kind == CSV_SLOT_VALUE && field->size > 0 &&
			 *name == '_' && !h->reserved)
			h->reserved = slot;
		slot_of_field[r->sorted[i]] = (uint16_t)i;
	}
	if (result == 0)
		result = cvx_buf_reserve(&keys, CSV_KEY_STEP);
	if (result == 0)
		memset(keys.data + keys.size, 0, CSV_KEY_STEP);
	h->keys = keys.data;
	h->keys_size = keys.size;
	if (result < 0)
		return cvx_fail_memory(err);
	for (size_t i = 0; i < h->column_count; i++)
		h->slot_of[i] = slot_of_field[h->slot_of[i]];
	h->block_row_count_max =
		BLOCK_TEXT_MAX / (h->keys_size + SYSTEM_FIELDS_SIZE) + 1;
	return 0;
}

int csv_header_read(const char *text, size_t size, bool at_end,
		    struct csv_header **ret, size_t *ret_used,
		    struct cvx_err *err)
{
	CVX_AUTO(header_reader_freep) struct header_reader *r = NULL;
	size_t start = 0, used = 0;
	struct csv_scan scan;
	uint64_t count;
	uint16_t ignored;
	int result;

	csv_scan_init(&scan, text, size);
	if (!csv_skip_blank(&scan, &start) ||
	    (!at_end &&
	     csv_find_end(text + start, size - start, 1, &count) == 0)) {
		if (!at_end)
			return 1;
		*ret = NULL;
		*ret_used = size;
		return 0;
	}
	r = header_reader_new(size - start);
	if (!r)
		return cvx_fail_memory(err);
	result = read_names(r, text + start, size - start, &used, err);
	if (result == 0)
		result = put_name(r, "_id", 3, SIZE_MAX, &ignored, err);
	if (result == 0)
		result = put_name(r, "_creationTime", 13, SIZE_MAX, &ignored,
				  err);
	if (result < 0)
		return result;
	r->header->names = CVX_TAKE(r->names.data);
	result = make_slots(r, err);
	if (result < 0)
		return result;
	*ret = CVX_TAKE(r->header);
	*ret_used = start + used;
	return 0;
}

void csv_header_mark_optional(struct csv_header *h,
			      bool (*is_optional)(const void *ctx,
						  const char *field,
						  size_t size),
			      const void *ctx)
{
	for (size_t i = 0; i < h->slot_count; i++)
		h->slots[i].optional =
			h->slots[i].kind == CSV_SLOT_VALUE &&
			is_optional(ctx, h->names + h->slots[i].name_off,
				    h->slots[i].name_size);
}

static int csv_begin(struct format *f, const char *text, size_t size,
		     bool at_end, size_t *ret_used, struct cvx_err *err)
{
	csv_header_free(CVX_TAKE(f->header));
	return csv_header_read(text, size, at_end, &f->header, ret_used, err);
}

static size_t csv_cut(const struct format *f, const char *text, size_t size,
		      bool at_end, uint64_t *ret_row_bound)
{
	uint64_t count_max =
		f->header ? f->header->block_row_count_max : UINT64_MAX;
	uint64_t count;
	size_t end;

	*ret_row_bound = 0;
	if (size == 0)
		return 0;
	/* Without quotes and CR, lines are rows. */
	if (!memchr(text, '"', size) && !memchr(text, '\r', size)) {
		end = text_cut_lines(text, size, at_end, &count);
		if (count <= count_max) {
			*ret_row_bound = count;
			return end;
		}
	}
	end = csv_find_end(text, size, count_max, &count);
	if (at_end && count < count_max) {
		end = size;
		count++;
	}
	*ret_row_bound = count;
	return end;
}

static bool csv_first_number(const struct format *f, const char *text,
			     size_t size, uint32_t *ret_number)
{
	const struct csv_header *h = f->header;
	char id_text[ID_TEXT_MAX + 2];
	struct internal_id id;
	struct csv_scan scan;
	struct csv_cell cell;
	size_t pos = 0, column = 0;
	double number;

	csv_scan_init(&scan, text, size);
	if (!h || !h->id || h->too_many_fields || !csv_skip_blank(&scan, &pos))
		return false;
	while (csv_next_field(&scan, &pos, &cell) && column < h->id->column)
		column++;
	if (column < h->id->column)
		return false;
	if (cell.raw) {
		if (cell.size > sizeof(id_text))
			return false;
		cell.size = csv_unquote(cell.text, cell.size, id_text);
		cell.text = id_text;
	}
	return csv_cell_type(cell.text, cell.size, &number) ==
		       CSV_CELL_STRING &&
	       id_decode(cell.text, cell.size, ret_number, &id) == 0;
}

static int csv_worker_init(struct format_worker *w, struct cvx_err *err)
{
	return csv_converter_new(w->format, &w->converter, err);
}

static int csv_convert(struct format_worker *w, const char *text, size_t size,
		       uint64_t first_nth, struct rows *rows,
		       struct cvx_err *err)
{
	return csv_converter_run(w->converter, text, size, first_nth, rows,
				 err);
}

const struct format_ops csv_ops = {
	.row_word = "row",
	.begin = csv_begin,
	.first_number = csv_first_number,
	.cut = csv_cut,
	.worker_init = csv_worker_init,
	.convert = csv_convert,
};
