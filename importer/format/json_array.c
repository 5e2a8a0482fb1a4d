/*
 * A JSON array (import.md 6.4): its elements are rows. The whole file is one
 * block, since only its end tells that it is JSON.
 */
#include "importer/format/kind.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "importer/format/text.h"
#include "importer/value/refusal.h"

/* import.md 4.2: brackets around a value; the array's own is one of them. */
#define TEXT_NESTING_MAX 127

/* The text of the array, and how far it has been read. */
struct array_text {
	const char *text;
	size_t size;
	size_t pos;
};

static bool at_byte(const struct array_text *a, char byte)
{
	return a->pos < a->size && a->text[a->pos] == byte;
}

static void skip_space(struct array_text *a)
{
	a->pos = text_skip_space(a->text, a->size, a->pos);
}

/*
 * Says in *err where the text stops being JSON. The place is a line and a
 * column of the file, since arrays are usually written over many lines.
 */
__attribute__((format(printf, 4, 5))) static void not_json(const char *text,
							   size_t pos,
							   struct cvx_err *err,
							   const char *fmt, ...)
{
	const char *lf = pos > 0 ? memrchr(text, '\n', pos) : NULL;
	size_t line_start = lf ? (size_t)(lf - text) + 1 : 0;
	char why[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	(void)refuse(err, "NotJson", "line %zu, column %zu: %s",
		     text_count(text, line_start, '\n') + 1,
		     pos - line_start + 1, why);
}

/* A byte that cannot stand there, or the end of the text. */
static void unexpected(const struct array_text *a, const char *wanted,
		       struct cvx_err *err)
{
	if (a->pos == a->size)
		not_json(a->text, a->pos, err,
			 "the text ends where %s is expected", wanted);
	else if (text_has_mark(a->text + a->pos, a->size - a->pos))
		not_json(a->text, a->pos, err,
			 "a byte order mark may only stand at the start of "
			 "the file");
	else
		not_json(a->text, a->pos, err, "%s is expected", wanted);
}

/*
 * Where the value at the start of the text ends, by its brackets alone, and
 * how deep they go. The text may be anything; the end is then somewhere in it.
 */
static size_t bracket_end(const char *text, size_t size, unsigned *ret_depth)
{
	unsigned depth = 0, deepest = 0;
	bool in_string = false;
	size_t i;

	for (i = 0; i < size; i++) {
		if (in_string) {
			if (text[i] == '\\')
				i++;
			else if (text[i] == '"')
				in_string = false;
		} else if (text[i] == '"') {
			in_string = true;
		} else if (text[i] == '{' || text[i] == '[') {
			if (++depth > deepest)
				deepest = depth;
		} else if (text[i] == '}' || text[i] == ']') {
			if (depth <= 1) {
				i++;
				break;
			}
			depth--;
		}
	}
	*ret_depth = deepest;
	return i < size ? i : size;
}

/* An empty file has no block that could be refused later. */
static int json_array_begin(struct format *f __attribute__((unused)),
			    const char *text, size_t size, bool at_end,
			    size_t *ret_used, struct cvx_err *err)
{
	struct array_text a = {text, size, 0};

	*ret_used = 0;
	if (size > 0 || !at_end)
		return 0;
	unexpected(&a, "an array ('[')", err);
	return err ? err->code : -EINVAL;
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
	struct array_text a = {text, size, 0};
	unsigned depth;

	skip_space(&a);
	if (!at_byte(&a, '['))
		return false;
	a.pos++;
	skip_space(&a);
	if (!at_byte(&a, '{'))
		return false;
	return document_peek_table_number(
		text + a.pos, bracket_end(text + a.pos, size - a.pos, &depth),
		ret_number);
}

/*
 * Reads the element at a->pos as the next row. Returns 0, also for a refusal
 * of the element, with a->pos behind it; 1 when the text is no JSON; or the
 * failure.
 */
static int read_element(struct format_worker *w, struct array_text *a,
			uint64_t nth, struct rows *rows, struct cvx_err *err)
{
	const char *element = a->text + a->pos;
	struct cvx_err row_err = CVX_ERR_INIT;
	size_t off = rows->text.size;
	struct document document;
	size_t used = 0;
	unsigned depth;
	int r;

	rows->row_count++;
	r = document_read_prefix(w->reader, element, a->size - a->pos, nth,
				 &rows->text, &document, &used, &row_err);
	if (r == 0) {
		a->pos += used;
		return rows_add(rows, off, &document, err);
	}
	if (!is_refusal(&row_err))
		return err ? (*err = row_err).code : r;

	if (used > 0)
		(void)bracket_end(element, used, &depth);
	if (used == 0 || depth >= TEXT_NESTING_MAX) {
		char why[CVX_ERR_MSG_SIZE];

		/* The reader counts columns from the element's start. */
		(void)snprintf(why, sizeof(why), "%s", row_err.msg);
		not_json(a->text, a->pos, &row_err,
			 "in the element that begins here: %s",
			 used == 0 ? why : "too many brackets in brackets");
		rows_refuse(rows, &row_err);
		return 1;
	}
	rows_refuse(rows, &row_err);
	a->pos += used;
	return 0;
}

/* The text begins with something else than an array. */
static int refuse_other_value(struct format_worker *w, struct array_text *a,
			      struct rows *rows, struct cvx_err *err)
{
	struct cvx_err file_err = CVX_ERR_INIT;
	struct document document;
	size_t used = 0;
	int r;

	if (a->pos == a->size) {
		unexpected(a, "an array ('[')", &file_err);
		rows_refuse_file(rows, &file_err);
		return 0;
	}
	r = document_read_prefix(w->reader, a->text + a->pos, a->size - a->pos,
				 0, &rows->text, &document, &used, &file_err);
	if (r < 0 && !is_refusal(&file_err))
		return err ? (*err = file_err).code : r;
	cvx_buf_clear(&rows->text);

	if (used == 0) {
		unexpected(a, "an array ('[')", &file_err);
	} else {
		a->pos += used;
		skip_space(a);
		if (a->pos == a->size)
			(void)refuse(&file_err, "NotJsonArray",
				     "the file holds a JSON value that is not "
				     "an array; name it .jsonl if each line "
				     "is a document");
		else
			not_json(a->text, a->pos, &file_err,
				 "the file must hold exactly one array; name "
				 "it .jsonl if each line is a document");
	}
	rows_refuse_file(rows, &file_err);
	return 0;
}

/* Behind the array's '['. Returns 0, 1 with *file_err, or the failure. */
static int read_elements(struct format_worker *w, struct array_text *a,
			 uint64_t first_nth, struct rows *rows,
			 struct cvx_err *err)
{
	struct cvx_err file_err = CVX_ERR_INIT;
	int r;

	skip_space(a);
	if (!at_byte(a, ']')) {
		for (;;) {
			r = read_element(w, a, first_nth + rows->row_count,
					 rows, err);
			if (r != 0)
				break;
			skip_space(a);
			if (!at_byte(a, ','))
				break;
			a->pos++;
			skip_space(a);
		}
		if (r < 0)
			return r;
		if (r > 0) {
			rows->stopped = true;
			return 0;
		}
	}
	if (!at_byte(a, ']')) {
		unexpected(a, "',' or ']'", &file_err);
		rows_refuse_file(rows, &file_err);
		return 0;
	}
	a->pos++;
	skip_space(a);
	if (a->pos < a->size) {
		not_json(a->text, a->pos, &file_err,
			 "there is more text behind the array");
		rows_refuse_file(rows, &file_err);
	}
	return 0;
}

static int json_array_convert(struct format_worker *w, const char *text,
			      size_t size, uint64_t first_nth,
			      struct rows *rows, struct cvx_err *err)
{
	struct array_text a = {text, size, 0};
	struct cvx_err file_err = CVX_ERR_INIT;

	if (size > FORMAT_JSON_MAX) {
		(void)format_refuse_long_row(w->format, &file_err);
		rows_refuse_file(rows, &file_err);
		return 0;
	}
	skip_space(&a);
	if (!at_byte(&a, '['))
		return refuse_other_value(w, &a, rows, err);
	a.pos++;
	return read_elements(w, &a, first_nth, rows, err);
}

const struct format_ops json_array_ops = {
	.row_word = "array",
	.begin = json_array_begin,
	.first_number = json_array_first_number,
	.cut = json_array_cut,
	.worker_init = json_worker_init,
	.convert = json_array_convert,
};
