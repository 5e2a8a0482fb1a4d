/*
 * A JSON array (import.md 6.4): its elements are rows. The whole file is one
 * block, since only its end tells that it is JSON.
 *
 * Elements are read as if all were well. When one is refused, or what stands
 * between them is wrong, the whole text is read once more by the strict reader:
 * if it is not JSON that is the only fault there is.
 */
#include "importer/format/kind.h"

#include <errno.h>
#include <string.h>

#include "importer/format/text.h"
#include "importer/value/json.h"
#include "importer/value/refusal.h"

/* Lines are handed on when they have this size. */
#define PIECE_SIZE ((size_t)4 << 20)

static bool at_byte(const struct array_text *a, char byte)
{
	return a->pos < a->size && a->text[a->pos] == byte;
}

static void skip_space(struct array_text *a)
{
	a->pos = text_skip_space(a->text, a->size, a->pos);
}

/* Reads the value at the start of j's text; false if it is not JSON. */
static bool read_value(struct json *j)
{
	enum json_token token;

	do {
		token = json_next(j);
		if (token == JSON_BAD)
			return false;
	} while (token != JSON_END);
	return true;
}

/* Arrays are usually written over many lines, so places are told by them. */
static size_t line_of(const char *text, size_t pos, size_t *ret_column)
{
	const char *lf = pos > 0 ? memrchr(text, '\n', pos) : NULL;
	size_t start = lf ? (size_t)(lf - text) + 1 : 0;

	*ret_column = pos - start + 1;
	return text_count(text, start, '\n') + 1;
}

/* 0, or the refusal of a text that is not one JSON value. */
static int check_json(const char *text, size_t size, struct cvx_err *err)
{
	const char *hint = "";
	size_t line, column;
	struct json j;

	json_init(&j, text, size);
	if (read_value(&j)) {
		if (json_is_at_end(&j))
			return 0;
		hint = "; name the file .jsonl if each line is a document";
	}
	line = line_of(text, j.fault_off, &column);
	return refuse(err, "NotJson", "line %zu, column %zu: %s%s", line,
		      column, j.fault, hint);
}

/* An empty file has no block that could be refused later. */
static int json_array_begin(struct format *f __attribute__((unused)),
			    const char *text, size_t size, bool at_end,
			    size_t *ret_used, struct cvx_err *err)
{
	*ret_used = 0;
	return size == 0 && at_end ? check_json(text, size, err) : 0;
}

static size_t json_array_cut(const struct format *f __attribute__((unused)),
			     const char *text __attribute__((unused)),
			     size_t size, bool at_end, uint64_t *ret_row_bound)
{
	*ret_row_bound = size;
	return at_end ? size : 0;
}

static bool json_array_first_number(const struct format *f
				    __attribute__((unused)),
				    const char *text, size_t size,
				    uint32_t *ret_number)
{
	struct array_text a = {.text = text, .size = size};
	struct json j;

	skip_space(&a);
	if (!at_byte(&a, '['))
		return false;
	a.pos++;
	json_init(&j, text + a.pos, size - a.pos);
	return read_value(&j) &&
	       document_peek_table_number(text + a.pos, j.pos, ret_number);
}

/* Whether the text is JSON; if not, that becomes the fault of the file. */
static bool is_json(struct array_text *a, struct rows *rows)
{
	struct cvx_err file_err = CVX_ERR_INIT;

	if (a->known_json)
		return true;
	if (check_json(a->text, a->size, &file_err) < 0) {
		rows_clear(rows);
		rows_refuse_file(rows, &file_err);
		return false;
	}
	a->known_json = true;
	return true;
}

/*
 * Reads the element at a->pos as the next row; a refused one, too, is passed.
 * Returns 1 when nothing behind it can be read, and 0 or the failure.
 */
static int read_element(struct format_worker *w, struct array_text *a,
			struct rows *rows, struct cvx_err *err)
{
	struct cvx_err row_err = CVX_ERR_INIT;
	size_t off = rows->text.size;
	struct document document;
	size_t used = 0, line, column;
	int r;

	rows->row_count++;
	r = document_read_prefix(w->reader, a->text + a->pos, a->size - a->pos,
				 a->next_nth++, &rows->text, &document, &used,
				 &row_err);
	if (r == 0) {
		a->pos += used;
		return rows_add(rows, off, &document, err);
	}
	if (!is_refusal(&row_err))
		return err ? (*err = row_err).code : r;
	if (!is_json(a, rows))
		return 1;
	if (rows->error_count < FORMAT_ERRORS_MAX) {
		/* The reader counts columns from the element's start. */
		line = line_of(a->text, a->pos, &column);
		(void)cvx_err_prefix(&row_err, "element at line %zu", line);
	}
	rows_refuse(rows, &row_err);
	if (used == 0) {
		rows->stopped = true;
		return 1;
	}
	a->pos += used;
	return 0;
}

static int refuse_other_value(struct array_text *a, struct rows *rows)
{
	struct cvx_err file_err = CVX_ERR_INIT;

	if (is_json(a, rows)) {
		(void)refuse(&file_err, "NotJsonArray",
			     "the file holds a JSON value that is not an "
			     "array; name it .jsonl if each line is a "
			     "document");
		rows_refuse_file(rows, &file_err);
	}
	return 0;
}

/* Behind the last element that could be read. */
static int end_array(struct array_text *a, struct rows *rows)
{
	struct cvx_err file_err = CVX_ERR_INIT;

	if (at_byte(a, ']')) {
		a->pos++;
		skip_space(a);
		if (a->pos == a->size)
			return 0;
	}
	/* The brackets do not close, or something follows them. */
	if (is_json(a, rows)) {
		(void)refuse(&file_err, "NotJson", "the array does not end");
		rows_refuse_file(rows, &file_err);
	}
	return 0;
}

/* At an element, as long as there are more and the lines are few. */
int json_array_convert_more(struct format_worker *w, struct rows *rows,
			    struct cvx_err *err)
{
	struct array_text *a = &w->array;
	int r;

	for (;;) {
		r = read_element(w, a, rows, err);
		if (r != 0)
			return r < 0 ? r : 0;
		skip_space(a);
		if (!at_byte(a, ','))
			return end_array(a, rows);
		a->pos++;
		skip_space(a);
		if (rows->text.size >= PIECE_SIZE) {
			rows->continues = true;
			return 0;
		}
	}
}

static int json_array_convert(struct format_worker *w, const char *text,
			      size_t size, uint64_t first_nth,
			      struct rows *rows, struct cvx_err *err)
{
	struct array_text *a = &w->array;
	struct cvx_err file_err = CVX_ERR_INIT;

	*a = (struct array_text){
		.text = text, .size = size, .next_nth = first_nth};
	if (size > FORMAT_JSON_MAX) {
		(void)format_refuse_long_row(w->format, &file_err);
		rows_refuse_file(rows, &file_err);
		return 0;
	}
	skip_space(a);
	if (!at_byte(a, '['))
		return refuse_other_value(a, rows);
	a->pos++;
	skip_space(a);
	if (at_byte(a, ']'))
		return end_array(a, rows);
	return json_array_convert_more(w, rows, err);
}

const struct format_ops json_array_ops = {
	.row_word = "array",
	.begin = json_array_begin,
	.first_number = json_array_first_number,
	.cut = json_array_cut,
	.worker_init = json_worker_init,
	.convert = json_array_convert,
};
