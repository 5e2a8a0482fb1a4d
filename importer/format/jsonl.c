/*
 * JSON lines (import.md 6.3): a line is a row, and a blank line is an error.
 */
#include "importer/format/kind.h"

#include <string.h>

#include "importer/format/text.h"
#include "importer/value/refusal.h"
#include "importer/value/utf8.h"

static size_t jsonl_cut(const struct format *f __attribute__((unused)),
			const char *text, size_t size, bool at_end,
			uint64_t *ret_row_bound)
{
	return text_cut_lines(text, size, at_end, ret_row_bound);
}

static bool jsonl_first_number(const struct format *f __attribute__((unused)),
			       const char *text, size_t size,
			       uint32_t *ret_number)
{
	const char *lf = size > 0 ? memchr(text, '\n', size) : NULL;

	return document_peek_table_number(text, lf ? (size_t)(lf - text) : size,
					  ret_number);
}

/*
 * Gives a refused line the name that its most basic fault has: text that is
 * not UTF-8 is no JSON, and no JSON is no document.
 */
static void explain(const char *line, size_t size, struct cvx_err *err)
{
	size_t valid = utf8_valid_size(line, size);
	size_t start = text_skip_space(line, size, 0);
	char why[CVX_ERR_MSG_SIZE];

	if (valid < size)
		(void)refuse(err, "NotUtf8",
			     "column %zu: the bytes are not UTF-8", valid + 1);
	else if (start == size)
		(void)refuse(err, "JsonInvalidRow",
			     "the line is blank; each line must hold one JSON "
			     "object");
	else if (line[start] == '[') {
		memcpy(why, err->msg, sizeof(why));
		(void)refuse(err, err->name,
			     "%s; name the file .json if it holds an array of "
			     "documents",
			     why);
	}
}

/* *ret_size is that of the line that text begins with, without its LF. */
static int read_line(struct format_worker *w, const char *text, size_t size,
		     uint64_t nth, struct cvx_buf *out,
		     struct document *document, size_t *ret_size,
		     struct cvx_err *err)
{
	int r = document_read_line(w->reader, text, size, nth, out, document,
				   ret_size, err);
	const char *lf;

	if (r <= 0)
		return r;
	lf = memchr(text, '\n', size);
	*ret_size = lf ? (size_t)(lf - text) : size;
	if (*ret_size > FORMAT_ROW_MAX)
		return format_refuse_long_row(w->format, err);
	return document_read(w->reader, text, *ret_size, nth, out, document,
			     err);
}

static int jsonl_convert(struct format_worker *w, const char *text, size_t size,
			 uint64_t first_nth, struct rows *rows,
			 struct cvx_err *err)
{
	struct cvx_err row_err = CVX_ERR_INIT;
	size_t pos = 0;

	while (pos < size) {
		const char *line = text + pos;
		size_t line_size;
		uint64_t nth = first_nth + rows->row_count++;
		size_t off = rows->text.size;
		struct document document;
		int r = read_line(w, line, size - pos, nth, &rows->text,
				  &document, &line_size, &row_err);

		if (r == 0) {
			r = rows_add(rows, off, &document, err);
			if (r < 0)
				return r;
		} else if (is_refusal(&row_err)) {
			if (line_size <= FORMAT_ROW_MAX)
				explain(line, line_size, &row_err);
			rows_refuse(rows, &row_err);
			row_err.name = NULL;
		} else {
			return err ? (*err = row_err).code : r;
		}
		pos += line_size + 1;
	}
	return 0;
}

const struct format_ops jsonl_ops = {
	.row_word = "line",
	.first_number = jsonl_first_number,
	.cut = jsonl_cut,
	.worker_init = json_worker_init,
	.convert = jsonl_convert,
};
