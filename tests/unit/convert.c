#include "tests/unit/convert.h"

#include <stdlib.h>
#include <string.h>

#include "importer/value/number.h"
#include "tests/unit/unit.h"

const struct document_stamp convert_stamp = {
	.table_number = CONVERT_TABLE,
	.id = {.ms = 1731369600000, .counter = 1000, .day = 20038},
	.creation_time = 1731369600000.0,
};

/* A number from 1 to most. */
static size_t random_size(unsigned *seed, size_t most)
{
	*seed = *seed * 1103515245u + 12345u;
	return 1 + (*seed >> 8) % most;
}

/* More of the text is there; a piece is often shorter than a row. */
static size_t give_more(unsigned *seed, size_t given, size_t size)
{
	size_t n = size - given;

	if (*seed != 0 && n > 0)
		n = random_size(seed, random_size(seed, 4) == 1 ? 4 : 100);
	return n < size - given ? given + n : size;
}

static void take_rows(struct converted *ret, const struct rows *rows,
		      struct cvx_err *err)
{
	EXPECT_OK(cvx_buf_append(&ret->lines, rows->text.data, rows->text.size),
		  err);
	for (unsigned i = 0;
	     i < rows->error_count && ret->error_count < FORMAT_ERRORS_MAX;
	     i++) {
		struct row_error *to = &ret->errors[ret->error_count++];

		*to = rows->errors[i];
		if (to->row > 0)
			to->row += ret->row_count;
	}
	ret->row_count += rows->row_count;
	ret->document_count += rows->document_count;
	ret->refused_count += rows->refused_count;
	ret->any_id_given |= rows->any_id_given;
	ret->beyond_plain |= rows->beyond_plain;
	ret->block_count++;
}

/* What rows say about ids must be what the lines hold. */
static void check_ids(const struct rows *rows)
{
	struct internal_id last;
	uint64_t nth = 0;
	bool ascend = true;
	size_t off = 0;

	while (off < rows->text.size) {
		const char *line = rows->text.data + off;
		const char *lf = memchr(line, '\n', rows->text.size - off);
		struct internal_id id;

		assert_non_null(lf);
		EXPECT_INT(document_line_id(line, (size_t)(lf - line), &id), 0);
		if (rows->any_id_given) {
			assert_true(nth < rows->ids_capacity);
			assert_memory_equal(&rows->ids[nth].id, &id,
					    sizeof(id));
			EXPECT_INT(rows->ids[nth].off, off);
		}
		if (nth == 0)
			assert_memory_equal(&rows->first_id, &id, sizeof(id));
		else
			ascend &= id_compare(&last, &id) < 0;
		last = id;
		nth++;
		off = (size_t)(lf + 1 - rows->text.data);
	}
	EXPECT_INT(rows->document_count, nth);
	if (nth > 0) {
		assert_memory_equal(&rows->last_id, &last, sizeof(last));
		EXPECT_INT(rows->ids_ascend, ascend);
	}
	EXPECT_INT(rows->row_count,
		   rows->document_count + rows->refused_count -
			   (rows->error_count > 0 &&
			    rows->errors[rows->error_count - 1].row == 0));
}

/* A refusal of the whole file before any row. */
static void take_refusal(struct converted *ret, const struct cvx_err *err)
{
	ret->errors[ret->error_count++] = (struct row_error){0, *err};
	ret->refused_count++;
}

static void convert_rows(struct format *f, const char *text, size_t size,
			 size_t given, unsigned seed, struct converted *ret)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct format_worker *w;
	struct rows rows;
	size_t start = 0;

	EXPECT_OK(format_worker_new(f, &w, &err), &err);
	rows_init(&rows);
	/* At the end of the text nothing may be left over. */
	while (!(given == size && start == size)) {
		bool at_end = given == size;
		uint64_t bound = 0;
		size_t n = format_cut(f, text + start, given - start, at_end,
				      &bound);
		/* Out of bounds must be seen: the block is a copy. */
		char *block = malloc(n > 0 ? n : 1);

		assert_true(n > 0 || !at_end);
		assert_true(n <= given - start);
		assert_non_null(block);
		memcpy(block, text + start, n);
		if (n > 0) {
			EXPECT_OK(format_convert(w, block, n, ret->row_count,
						 &rows, &err),
				  &err);
			check_ids(&rows);
			assert_true(rows.row_count <= bound);
			take_rows(ret, &rows, &err);
			while (rows.continues) {
				EXPECT_OK(format_convert_more(w, &rows, &err),
					  &err);
				check_ids(&rows);
				take_rows(ret, &rows, &err);
			}
		}
		free(block);
		if (n > 0 && rows.stopped)
			break;
		start += n;
		given = give_more(&seed, given, size);
	}
	rows_fini(&rows);
	format_worker_free(w);
}

void convert_text(enum format_kind kind, const char *text, size_t size,
		  enum document_encoding encoding, unsigned seed,
		  struct converted *ret)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct format *f;
	size_t given = 0, used = 0;
	int r;

	memset(ret, 0, sizeof(*ret));
	cvx_buf_init(&ret->lines, SIZE_MAX);
	EXPECT_OK(format_new(kind, &f, &err), &err);
	EXPECT_INT(format_kind(f), kind);
	do {
		given = give_more(&seed, given, size);
		r = format_begin(f, text, given, given == size, &used, &err);
		assert_true(r <= 0 || given < size);
	} while (r > 0);
	if (r < 0) {
		assert_non_null(err.name);
		take_refusal(ret, &err);
		format_free(f);
		return;
	}
	assert_true(used <= given);
	ret->has_number =
		format_first_number(f, text + used, size - used, &ret->number);
	EXPECT_OK(format_plan(f, encoding, &convert_stamp, &err), &err);
	convert_rows(f, text + used, size - used, given - used, seed, ret);
	format_free(f);
}

void converted_fini(struct converted *c)
{
	cvx_buf_fini(&c->lines);
}

void convert_expect_same(const struct converted *got,
			 const struct converted *want)
{
	EXPECT_INT(got->row_count, want->row_count);
	EXPECT_INT(got->document_count, want->document_count);
	EXPECT_INT(got->refused_count, want->refused_count);
	EXPECT_INT(got->lines.size, want->lines.size);
	if (want->lines.size > 0)
		assert_memory_equal(got->lines.data, want->lines.data,
				    want->lines.size);
	EXPECT_INT(got->error_count, want->error_count);
	for (unsigned i = 0; i < want->error_count; i++) {
		EXPECT_INT(got->errors[i].row, want->errors[i].row);
		assert_string_equal(got->errors[i].err.name,
				    want->errors[i].err.name);
		assert_string_equal(got->errors[i].err.msg,
				    want->errors[i].err.msg);
	}
	EXPECT_INT(got->any_id_given, want->any_id_given);
	EXPECT_INT(got->beyond_plain, want->beyond_plain);
}

enum format_kind convert_kind_of(const char *path)
{
	const char *dot = strrchr(path, '.');

	if (dot && strcmp(dot, ".csv") == 0)
		return FORMAT_CSV;
	if (dot && strcmp(dot, ".jsonl") == 0)
		return FORMAT_JSONL;
	if (!dot || strcmp(dot, ".json") != 0)
		fail_msg("%s: not the name of a format", path);
	return FORMAT_JSON;
}

/* The text of the fields that the nth row gets. */
static size_t print_system_fields(uint64_t nth, char *out, size_t size)
{
	char time[NUMBER_TEXT_MAX], id_text[ID_TEXT_MAX];
	struct internal_id id;
	uint64_t bits;
	double ms;
	int n;

	memcpy(&bits, &convert_stamp.creation_time, sizeof(bits));
	bits += nth;
	memcpy(&ms, &bits, sizeof(ms));
	id_from_stamp(&convert_stamp.id, nth, &id);
	n = snprintf(out, size, "\"_creationTime\":%.*s,\"_id\":\"%.*s\"",
		     (int)number_print(ms, time), time,
		     (int)id_encode(CONVERT_TABLE, &id, id_text), id_text);
	assert_true(n > 0 && (size_t)n < size);
	return (size_t)n;
}

/* Removes the generated fields from the lines, in place. */
static void strip_system_fields(struct cvx_buf *lines)
{
	char *from = lines->data, *end = from + lines->size, *to = from;

	for (uint64_t nth = 0; from < end; nth++) {
		char *lf = memchr(from, '\n', (size_t)(end - from));
		char fields[128], *found, *behind;
		size_t n = print_system_fields(nth, fields, sizeof(fields));

		assert_non_null(lf);
		found = memmem(from, (size_t)(lf - from), fields, n);
		if (!found)
			fail_msg("%s is not in '%.*s'", fields,
				 (int)(lf - from), from);
		behind = found + n;
		if (*behind == ',')
			behind++;
		else if (found[-1] == ',')
			found--;
		memmove(to, from, (size_t)(found - from));
		to += found - from;
		memmove(to, behind, (size_t)(lf + 1 - behind));
		to += lf + 1 - behind;
		from = lf + 1;
	}
	lines->size = (size_t)(to - lines->data);
}

void convert_expect_lines(enum format_kind kind, const char *text, size_t size,
			  const char *lines)
{
	struct converted c;

	convert_text(kind, text, size, DOCUMENT_PLAIN, 0, &c);
	if (c.refused_count > 0)
		fail_msg("row %d: %s: %s", (int)c.errors[0].row,
			 c.errors[0].err.name, c.errors[0].err.msg);
	if (c.lines.size > 0)
		strip_system_fields(&c.lines);
	EXPECT_TEXT(c.lines.size > 0 ? c.lines.data : "", c.lines.size, lines);
	converted_fini(&c);
}

void convert_expect_refusal(enum format_kind kind, const char *text,
			    size_t size, uint64_t row, const char *name,
			    const char *says)
{
	struct converted c;

	convert_text(kind, text, size, DOCUMENT_PLAIN, 0, &c);
	assert_true(c.error_count > 0);
	assert_string_equal(c.errors[0].err.name, name);
	if (!strstr(c.errors[0].err.msg, says))
		fail_msg("'%s' is not in '%s'", says, c.errors[0].err.msg);
	EXPECT_INT(c.errors[0].row, row);
	converted_fini(&c);
}
