/*
 * Records of CSV become canonical lines: cells are printed slot by slot, in
 * the order of the fields' names, straight from the text of the block.
 */
#include "importer/format/csv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "importer/format/csv_cell.h"
#include "importer/format/kind.h"
#include "importer/value/number.h"
#include "importer/value/refusal.h"
#include "importer/value/system_fields.h"
#include "importer/value/utf8.h"

struct csv_converter {
	const struct format *format;
	const struct csv_header *header;
	struct csv_cell *cells; /* of the record, by slot */
	char *unquoted;		/* of one raw cell */
	size_t unquoted_capacity;
};

/* A record of the block being converted. */
struct record {
	const char *text;
	size_t size;
	const char *readable_end; /* of the block */
	uint64_t nth;
	size_t field_count;
	bool ran_out; /* it ends with the text, not with a line */
};

int csv_converter_new(const struct format *f, struct csv_converter **ret,
		      struct cvx_err *err)
{
	struct csv_converter *c = calloc(1, sizeof(*c));

	if (!c)
		return cvx_fail_memory(err);
	c->format = f;
	c->header = f->header;
	if (c->header) {
		c->cells = calloc(c->header->slot_count, sizeof(*c->cells));
		if (!c->cells) {
			csv_converter_free(c);
			return cvx_fail_memory(err);
		}
	}
	*ret = c;
	return 0;
}

void csv_converter_free(struct csv_converter *c)
{
	if (!c)
		return;
	free(c->cells);
	free(c->unquoted);
	free(c);
}

/* The value of the slot's cell, which stays until the next call. */
static int cell_value(struct csv_converter *c, const struct record *record,
		      const struct csv_slot *slot, struct csv_cell *ret,
		      const char **ret_readable_end, struct cvx_err *err)
{
	const struct csv_cell cell = c->cells[slot - c->header->slots];

	*ret = cell;
	*ret_readable_end = record->readable_end;
	if (!cell.raw)
		return 0;
	if (c->unquoted_capacity < cell.size) {
		char *bytes = realloc(c->unquoted, cell.size);

		if (!bytes)
			return cvx_fail_memory(err);
		c->unquoted = bytes;
		c->unquoted_capacity = cell.size;
	}
	ret->size = csv_unquote(cell.text, cell.size, c->unquoted);
	ret->text = c->unquoted;
	*ret_readable_end = c->unquoted + c->unquoted_capacity;
	return 0;
}

static int refuse_not_utf8(const struct record *record, struct cvx_err *err)
{
	struct csv_scan scan;
	struct csv_cell cell;
	size_t pos = 0, column = 0;
	bool more;

	csv_scan_init(&scan, record->text, record->size);
	do {
		more = csv_next_field(&scan, &pos, &cell);
		column++;
	} while (utf8_is_valid(cell.text, cell.size) && more);
	return refuse(err, "CsvInvalidRow",
		      "column %zu: the bytes are not UTF-8", column);
}

/* What must hold for the record before its cells are looked at. */
static int check_record(const struct format *f, const struct record *record,
			bool known_utf8, struct cvx_err *err)
{
	const struct csv_header *h = f->header;

	if (record->size > FORMAT_ROW_MAX)
		return format_refuse_long_row(f, err);
	if (!known_utf8 && !utf8_is_valid(record->text, record->size))
		return refuse_not_utf8(record, err);
	if (record->field_count != h->column_count)
		return refuse(err, "CsvRowMissingFields",
			      "the row has %zu field%s, but the header has "
			      "%zu%s",
			      record->field_count,
			      record->field_count == 1 ? "" : "s",
			      h->column_count,
			      record->ran_out && memchr(record->text, '\n',
							record->size)
				      ? "; is there a quote that is never "
					"closed?"
				      : "");
	return 0;
}

/*
 * What is wrong with the header makes every row bad. It is said with the first
 * one, and nothing behind it is looked at.
 */

static int check_object(const struct csv_header *h, struct cvx_err *err)
{
	if (!h->too_many_fields)
		return 0;
	return refuse(err, "InvalidConvexValue",
		      "the header has %zu columns, but an object holds at most "
		      "%d fields (TooManyFieldsError)",
		      h->column_count, DOCUMENT_FIELDS_MAX);
}

static int check_fields(const struct csv_header *h, struct cvx_err *err)
{
	if (h->slot_count > DOCUMENT_FIELDS_MAX)
		return refuse(err, "TooManyFieldsError",
			      "the header has %zu fields; with _id and "
			      "_creationTime a document holds at most %d",
			      h->field_count, DOCUMENT_FIELDS_MAX);
	if (h->reserved)
		return refuse(err, "InvalidDocumentError",
			      "column %zu: the field '%.*s' begins with '_'; "
			      "only _id and _creationTime may",
			      h->reserved->column + 1,
			      (int)(h->reserved->name_size < 64
					    ? h->reserved->name_size
					    : 64),
			      h->names + h->reserved->name_off);
	return 0;
}

static int refuse_system_field(const struct csv_slot *slot, const char *field,
			       const struct system_fault *fault,
			       struct cvx_err *err)
{
	return refuse(err, fault->name, "column %zu, %s: %s", slot->column + 1,
		      field, fault->what);
}

/* import.md 5.1 and 5.3; a cell that looks like a number is no string. */
static int take_id(struct csv_converter *c, const struct record *record,
		   const struct csv_slot *slot, struct internal_id *ret,
		   struct cvx_err *err)
{
	static const struct system_fault no_string = {
		"InvalidIdError", "an id must be a string, not a number"};
	static const struct system_fault empty = {
		"InvalidId", "the cell is empty; a file without this column "
			     "gets new ids"};
	const struct system_fault *fault = &no_string;
	struct system_fault found;
	struct csv_cell cell;
	const char *readable_end;
	double number;
	int r;

	r = cell_value(c, record, slot, &cell, &readable_end, err);
	if (r < 0)
		return r;
	if (cell.size == 0)
		fault = &empty;
	else if (csv_cell_type(cell.text, cell.size, &number) ==
		 CSV_CELL_STRING)
		fault = system_id_read(cell.text, cell.size,
				       c->format->stamp.table_number, ret,
				       &found);
	return fault ? refuse_system_field(slot, "_id", fault, err) : 0;
}

/* import.md 5.2 and 5.3 */
static int take_creation_time(struct csv_converter *c,
			      const struct record *record,
			      const struct csv_slot *slot, double *ret,
			      struct cvx_err *err)
{
	static const struct system_fault no_number = {
		"InvalidCreationTimeError", "a creation time must be a number"};
	const struct system_fault *fault = &no_number;
	struct system_fault found;
	struct csv_cell cell;
	const char *readable_end;
	int r;

	r = cell_value(c, record, slot, &cell, &readable_end, err);
	if (r < 0)
		return r;
	if (csv_cell_type(cell.text, cell.size, ret) == CSV_CELL_NUMBER)
		fault = system_time_check_type(*ret, &found);
	return fault ? refuse_system_field(slot, "_creationTime", fault, err)
		     : 0;
}

/*
 * The checks of import.md 5, up to the size, in their order. *ret_header_fault
 * tells that every row would be refused like this one.
 */
static int check_document(struct csv_converter *c, const struct record *record,
			  struct document *document, bool *ret_header_fault,
			  struct cvx_err *err)
{
	const struct csv_header *h = c->header;
	const struct system_fault *fault;
	struct system_fault found;
	double ms = 0;
	int r = 0;

	document->beyond_plain = false;
	document->id_given = h->id != NULL;
	if (h->id)
		r = take_id(c, record, h->id, &document->id, err);
	else
		id_from_stamp(&c->format->stamp.id, record->nth, &document->id);
	if (r == 0 && h->creation_time)
		r = take_creation_time(c, record, h->creation_time, &ms, err);
	if (r < 0)
		return r;
	r = check_fields(h, err);
	*ret_header_fault = r < 0;
	if (r < 0 || !h->creation_time)
		return r;
	fault = system_time_check_range(ms, &found);
	return fault ? refuse_system_field(h->creation_time, "_creationTime",
					   fault, err)
		     : 0;
}

static int refuse_large(const struct csv_slot *slot, struct cvx_err *err)
{
	return refuse(err, "ValueTooLargeError",
		      "column %zu: up to here the document has more than "
		      "1 MiB",
		      slot->column + 1);
}

/*
 * Prints a cell that is not simple, or could break the document's limit: that
 * must be known before it is printed, so that the room taken is enough. With a
 * check there is room for all.
 */
static int print_odd_cell(struct csv_converter *c, const struct record *record,
			  const struct csv_slot *slot, char **out,
			  uint64_t *value_size, struct cvx_err *err)
{
	struct csv_cell cell;
	const char *readable_end;
	double number;
	int r;

	r = cell_value(c, record, slot, &cell, &readable_end, err);
	if (r < 0)
		return r;
	if (!c->format->check.run && cell.size > DOCUMENT_SIZE_MAX &&
	    csv_cell_type(cell.text, cell.size, &number) == CSV_CELL_STRING)
		return refuse_large(slot, err);
	*out = csv_cell_print(*out, cell.text, cell.size, readable_end,
			      value_size);
	return 0;
}

static char *print_key(char *out, const struct csv_header *h,
		       const struct csv_slot *slot)
{
	const char *key = h->keys + slot->key_off;

	memcpy(out, key, CSV_KEY_STEP);
	if (slot->key_size > CSV_KEY_STEP)
		memcpy(out + CSV_KEY_STEP, key + CSV_KEY_STEP,
		       slot->key_size - CSV_KEY_STEP);
	return out + slot->key_size;
}

/* Prints a field that is no cell, or whose cell has been read. */
static char *print_system_value(char *out, const struct csv_converter *c,
				const struct csv_slot *slot,
				const struct record *record,
				const struct document *document,
				uint64_t *value_size)
{
	const struct document_stamp *stamp = &c->format->stamp;
	size_t size;

	if (slot->kind == CSV_SLOT_NEW_CREATION_TIME) {
		*value_size += SYSTEM_TIME_VALUE_SIZE;
		return out + number_print(system_time_at(stamp->creation_time,
							 record->nth),
					  out);
	}
	*out++ = '"';
	size = id_encode(stamp->table_number, &document->id, out);
	out += size;
	*out++ = '"';
	*value_size += SYSTEM_ID_VALUE_SIZE(size);
	return out;
}

/* What the line needs at most. Cells that do not fit a document are refused
 * when one of them has passed the limit, and none alone is above it. */
static size_t line_room(const struct csv_converter *c,
			const struct record *record)
{
	const struct csv_header *h = c->header;
	size_t cells =
		c->format->check.run || record->size < 2 * DOCUMENT_SIZE_MAX
			? record->size
			: 2 * DOCUMENT_SIZE_MAX;

	return h->keys_size + h->slot_count * CSV_CELL_ROOM(0) +
	       CSV_CELL_ROOM(cells) + CSV_KEY_STEP;
}

/* Exactly empty, quoted or not; a raw cell of one byte is a quote that the end
 * of the file closes. */
static bool is_empty(const struct csv_cell *cell)
{
	return cell->size == 0 || (cell->raw && cell->size == 1);
}

static int print_document(struct csv_converter *c, const struct record *record,
			  const struct document *document, struct cvx_buf *text,
			  struct cvx_err *err)
{
	const struct document_check *check = &c->format->check;
	const struct csv_header *h = c->header;
	const struct csv_slot *large = NULL; /* where the limit is passed */
	uint64_t value_size = h->names_value_size;
	char *line, *out;
	int r = 0;

	if (cvx_buf_reserve(text, line_room(c, record)) < 0)
		return cvx_fail_memory(err);
	line = out = text->data + text->size;
	for (size_t i = 0; i < h->slot_count; i++) {
		const struct csv_slot *slot = &h->slots[i];
		const struct csv_cell *cell = &c->cells[i];

		if (slot->optional && is_empty(cell)) {
			value_size -= slot->name_size + 1;
			continue;
		}
		out = print_key(out, h, slot);
		if (slot->kind != CSV_SLOT_VALUE &&
		    slot->kind != CSV_SLOT_CREATION_TIME)
			out = print_system_value(out, c, slot, record, document,
						 &value_size);
		else if (cell->raw || cell->size > DOCUMENT_SIZE_MAX)
			r = print_odd_cell(c, record, slot, &out, &value_size,
					   err);
		else
			out = csv_cell_print(out, cell->text, cell->size,
					     record->readable_end, &value_size);
		if (r < 0)
			return r;
		if (value_size > DOCUMENT_SIZE_MAX && !large)
			large = slot;
		/* import.md 5.6 comes before 5.7. */
		if (large && !check->run)
			break;
	}
	*out++ = '}';
	/* The field that stands first may have been left out. */
	*line = '{';
	if (check->run)
		r = check->run(check->ctx, line, (size_t)(out - line), err);
	if (r == 0 && large)
		r = refuse_large(large, err);
	if (r < 0)
		return r;
	*out++ = '\n';
	text->size = (size_t)(out - text->data);
	return 0;
}

/*
 * Makes a document of the record. Returns 0, also for a refused record, or the
 * failure.
 */
static int convert_record(struct csv_converter *c, const struct record *record,
			  bool known_utf8, struct rows *rows,
			  struct cvx_err *err)
{
	struct cvx_err row_err;
	struct document document;
	size_t off = rows->text.size;
	bool stop = false;
	int r;

	row_err.name = NULL;
	r = check_record(c->format, record, known_utf8, &row_err);
	if (r == 0) {
		r = check_object(c->header, &row_err);
		stop = r < 0;
	}
	if (r == 0)
		r = check_document(c, record, &document, &stop, &row_err);
	if (r == 0)
		r = print_document(c, record, &document, &rows->text, &row_err);
	if (r == 0)
		return rows_add(rows, off, &document, err);
	if (!is_refusal(&row_err))
		return err ? (*err = row_err).code : r;
	rows_refuse(rows, &row_err);
	rows->stopped |= stop;
	return 0;
}

int csv_converter_run(struct csv_converter *c, const char *text, size_t size,
		      uint64_t first_nth, struct rows *rows,
		      struct cvx_err *err)
{
	const struct csv_header *h = c->header;
	size_t pos = 0;
	bool known_utf8 = utf8_is_valid(text, size);
	struct csv_scan scan;
	int r;

	if (!h) {
		/* format_begin found no record up to the end of the file. */
		assert(size == 0);
		return 0;
	}
	csv_scan_init(&scan, text, size);
	while (!rows->stopped && csv_skip_blank(&scan, &pos)) {
		struct record record = {
			.text = text + pos,
			.readable_end = text + size,
			.nth = first_nth + rows->row_count++,
		};

		record.field_count = csv_next_record(&scan, &pos, h->slot_of,
						     h->column_count, c->cells);
		record.size = (size_t)(text + pos - record.text);
		record.ran_out = scan.ran_out;
		r = convert_record(c, &record, known_utf8, rows, err);
		if (r < 0)
			return r;
	}
	return 0;
}
