/*
 * format: the bytes of a CSV, JSON-lines or JSON array file become rows, and
 * rows become canonical lines (import.md 6.1 to 6.4).
 *
 * A file is converted in blocks, by several threads: blocks are cut at row
 * ends, converted apart, and put together in order. So:
 *
 *   format_new        which format
 *   format_begin      with the first bytes: byte order mark, CSV header
 *   format_first_number   the table number in the first row's _id, if any
 *   format_plan       encoding, table number, ids and times
 *   format_cut        again and again: how much of the bytes are whole rows
 *   format_convert    for each block, in any thread, by a worker of its own
 *
 * After format_plan a format is fixed and may be shared by threads.
 *
 * A JSON array is one block: format_cut gives 0 until the end is known.
 *
 * Memory: a block, its lines, and 24 bytes a row where ids are given.
 * Errors: refusals (refusal.h).
 */
#ifndef CVX_IMPORTER_FORMAT_FORMAT_H
#define CVX_IMPORTER_FORMAT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "importer/value/document.h"
#include "importer/value/id.h"

enum format_kind { FORMAT_CSV, FORMAT_JSONL, FORMAT_JSON };

/*
 * The longest text of one row, white space and escapes included; above it a
 * row is refused as ValueTooLargeError. (A document itself holds 1 MiB.)
 */
#define FORMAT_ROW_MAX ((size_t)16 << 20)

/* import.md 6.4: the largest JSON array file. */
#define FORMAT_JSON_MAX ((size_t)16 << 20)

/* Places that one import reports at most (filesystem.md F-4). */
#define FORMAT_ERRORS_MAX 10

struct format;

int format_new(enum format_kind kind, struct format **ret, struct cvx_err *err);
void format_free(struct format *f);
enum format_kind format_kind(const struct format *f);

/*
 * Gives the first bytes of the file; at_end tells that there are no more.
 * *ret_used is how many of them (mark, header) are not rows. Returns 1 when
 * more bytes are needed to tell, 0 when the format has begun, or a refusal.
 */
int format_begin(struct format *f, const char *text, size_t size, bool at_end,
		 size_t *ret_used, struct cvx_err *err);

/*
 * The table number in the first row's _id (import.md 7.3.2). text starts at
 * the first row and holds all of it, if there is one.
 */
bool format_first_number(const struct format *f, const char *text, size_t size,
			 uint32_t *ret_number);

int format_plan(struct format *f, enum document_encoding encoding,
		const struct document_stamp *stamp, struct cvx_err *err);

/* What rows are held to besides (import.md 6.2 and 5.6). */
struct format_rules {
	struct document_check check;
	/* Whether the empty cell of a CSV file is no field; with check.ctx.
	 * NULL: it always is one. */
	bool (*is_optional)(const void *ctx, const char *field, size_t size);
};

/* Before any block is converted. Copies rules. */
void format_set_rules(struct format *f, const struct format_rules *rules);

/*
 * text starts at a row. Returns how many bytes the whole rows in it have, and
 * in *ret_row_bound at least as many as there are rows in them. 0 means that
 * not even one row is whole. With at_end everything is whole; still fewer
 * bytes than size can be returned, because rows that become very much longer
 * (short cells under long column names) make a block of their own.
 */
size_t format_cut(const struct format *f, const char *text, size_t size,
		  bool at_end, uint64_t *ret_row_bound);

/*
 * The refusal of a row of which more than FORMAT_ROW_MAX bytes (of an array:
 * FORMAT_JSON_MAX) are there and which format_cut still does not find whole.
 */
int format_refuse_long_row(const struct format *f, struct cvx_err *err);

/* Where a row's id stands among the lines. */
struct row_id {
	struct internal_id id;
	uint64_t off; /* of the line in rows.text */
};

/* A row that was refused. */
struct row_error {
	uint64_t row; /* from 1, within the block; 0: the file as a whole */
	struct cvx_err err;
};

/* What a block became. Reused from block to block. */
struct rows {
	struct cvx_buf text;	 /* canonical lines */
	uint64_t row_count;	 /* rows read, refused ones included */
	uint64_t document_count; /* lines in text */
	struct row_id *ids;	 /* document_count of them, in file order, if
				    any_id_given; else not filled */
	size_t ids_capacity;
	struct internal_id first_id, last_id; /* if document_count > 0 */
	bool any_id_given;
	bool ids_ascend;   /* strictly, all through the block */
	bool beyond_plain; /* some document is (document.h) */
	struct row_error errors[FORMAT_ERRORS_MAX];
	unsigned error_count;	/* how many of errors are filled */
	uint64_t refused_count; /* rows refused, listed or not */
	bool stopped;	/* a fault made the rows behind it unreadable: what
			   follows this block is not to be looked at */
	bool continues; /* the block has more rows: format_convert_more() */
};

void rows_init(struct rows *rows);
void rows_fini(struct rows *rows);

/*
 * Converts a block of whole rows, replacing what rows held. first_nth is the
 * number of the block's first row in the import from 0, or more (ids and times
 * ascend with it). Refused rows are listed in rows and are no failure; the
 * function fails only for want of memory.
 */
struct format_worker;
int format_worker_new(const struct format *f, struct format_worker **ret,
		      struct cvx_err *err);
void format_worker_free(struct format_worker *w);
int format_convert(struct format_worker *w, const char *text, size_t size,
		   uint64_t first_nth, struct rows *rows, struct cvx_err *err);

/*
 * Goes on with the block, whose text must still be there: rows hold what comes
 * next, counted anew. Only arrays continue, so that one of many small elements
 * does not become hundreds of megabytes of lines at once.
 */
int format_convert_more(struct format_worker *w, struct rows *rows,
			struct cvx_err *err);

#endif
