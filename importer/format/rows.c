#include "importer/format/kind.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * What the lines of one block may hold. Arrays are given out in pieces
 * (json_array.c), CSV blocks with long column names are cut short (csv.c), and
 * a block of many small JSON lines grows at most 28-fold.
 */
#define ROWS_TEXT_MAX ((size_t)1 << 30)

#define ROWS_IDS_MIN 1024

void rows_init(struct rows *rows)
{
	memset(rows, 0, sizeof(*rows));
	cvx_buf_init(&rows->text, ROWS_TEXT_MAX);
	rows->ids_ascend = true;
}

void rows_fini(struct rows *rows)
{
	cvx_buf_fini(&rows->text);
	free(rows->ids);
	rows_init(rows);
}

void rows_clear(struct rows *rows)
{
	cvx_buf_clear(&rows->text);
	rows->row_count = 0;
	rows->document_count = 0;
	rows->any_id_given = false;
	rows->ids_ascend = true;
	rows->beyond_plain = false;
	rows->error_count = 0;
	rows->refused_count = 0;
	rows->stopped = false;
	rows->continues = false;
}

static int push_id(struct rows *rows, uint64_t nth,
		   const struct internal_id *id, size_t off,
		   struct cvx_err *err)
{
	if (nth == rows->ids_capacity) {
		size_t capacity = rows->ids_capacity > 0
					  ? rows->ids_capacity * 2
					  : ROWS_IDS_MIN;
		struct row_id *ids =
			reallocarray(rows->ids, capacity, sizeof(*rows->ids));

		if (!ids)
			return cvx_fail_memory(err);
		rows->ids = ids;
		rows->ids_capacity = capacity;
	}
	rows->ids[nth] = (struct row_id){.id = *id, .off = off};
	return 0;
}

/* The lines up to end had generated ids, which nobody needed until now. */
static int push_earlier_ids(struct rows *rows, size_t end, struct cvx_err *err)
{
	const char *text = rows->text.data;
	uint64_t nth = 0;
	size_t off = 0;

	while (off < end) {
		const char *lf = memchr(text + off, '\n', end - off);
		struct internal_id id;
		int r;

		assert(lf);
		r = document_line_id(text + off, (size_t)(lf - (text + off)),
				     &id);
		if (r < 0)
			return cvx_fail(err, r, "a line just written is bad");
		r = push_id(rows, nth++, &id, off, err);
		if (r < 0)
			return r;
		off = (size_t)(lf - text) + 1;
	}
	assert(nth == rows->document_count);
	return 0;
}

int rows_add(struct rows *rows, size_t off, const struct document *document,
	     struct cvx_err *err)
{
	int r;

	if (document->id_given && !rows->any_id_given) {
		r = push_earlier_ids(rows, off, err);
		if (r < 0)
			return r;
		rows->any_id_given = true;
	}
	if (rows->any_id_given) {
		r = push_id(rows, rows->document_count, &document->id, off,
			    err);
		if (r < 0)
			return r;
	}
	if (rows->document_count == 0)
		rows->first_id = document->id;
	else if (id_compare(&rows->last_id, &document->id) >= 0)
		rows->ids_ascend = false;
	rows->last_id = document->id;
	rows->beyond_plain |= document->beyond_plain;
	rows->document_count++;
	return 0;
}

static void refuse_at(struct rows *rows, uint64_t row,
		      const struct cvx_err *row_err)
{
	rows->refused_count++;
	if (rows->error_count == FORMAT_ERRORS_MAX)
		return;
	rows->errors[rows->error_count++] =
		(struct row_error){.row = row, .err = *row_err};
}

void rows_refuse(struct rows *rows, const struct cvx_err *row_err)
{
	refuse_at(rows, rows->row_count, row_err);
}

void rows_refuse_file(struct rows *rows, const struct cvx_err *file_err)
{
	refuse_at(rows, 0, file_err);
	rows->stopped = true;
}
