/*
 * document: one row of an import becomes the canonical line of a document.
 *
 * A row is JSON text (or the cells of a CSV row, see format/csv). It is read
 * strictly (import.md 4.3), decoded in plain or uniform encoding (4.4),
 * checked (4.2, 5), completed with _id and _creationTime (2, 3) and written
 * in export encoding with sorted keys (4.5, 4.6), in a single pass without a
 * tree. The line written is what the mount shows.
 *
 * A reader is a bag of buffers that one thread reuses for many rows.
 *
 * Errors are refusals (refusal.h) whose text names the column of the row, and
 * the field as a path ("address.city", "tags[3]") where one is known. The
 * number of the row is the caller's to add. A failed row leaves out->size as
 * it was, and the reader usable for the next row.
 *
 * Limits:  those of import.md 4.2; nesting of the text at most 127. out needs
 *          room for the line and DOCUMENT_ROOM bytes more.
 * Memory:  2 MiB, and room for 8 times the largest text, of which as much is
 *          touched as the rows need.
 * Threads: a reader belongs to one thread at a time.
 */
#ifndef CVX_IMPORTER_VALUE_DOCUMENT_H
#define CVX_IMPORTER_VALUE_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/value/id.h"

struct cvx_buf;
struct cvx_err;

#define DOCUMENT_ROOM 256

enum document_encoding { DOCUMENT_PLAIN, DOCUMENT_UNIFORM };

/* What a document gets that brings no _id or no _creationTime. */
struct document_stamp {
	uint32_t table_number; /* also the one that given ids must carry */
	struct id_stamp id;
	double creation_time; /* ms; the n-th row gets the n-th double above */
};

/* What is known of a document once it is written. */
struct document {
	struct internal_id id;
	bool id_given;	   /* _id came with the row */
	bool beyond_plain; /* holds int64, bytes or a special float: values that
			      plain encoding cannot express (filesystem.md M-7)
			    */
};

/* What else a document must fulfil (import.md 5.6). */
struct document_check {
	const void *ctx;
	/* Looks at the line without LF; 0, or a refusal. Any thread may call
	 * it. NULL: there is nothing else. */
	int (*run)(const void *ctx, const char *line, size_t size,
		   struct cvx_err *err);
};

struct document_reader;

int document_reader_new(enum document_encoding encoding,
			const struct document_stamp *stamp,
			struct document_reader **ret, struct cvx_err *err);
void document_reader_free(struct document_reader *r);

/* For all rows to come. Copies check; what it points to stays the caller's. */
void document_reader_set_check(struct document_reader *r,
			       const struct document_check *check);

/*
 * Reads the row in text, which holds exactly one JSON value and white space,
 * and appends its line with LF to out. nth counts the rows of the import from
 * 0 and selects the generated id and time.
 */
int document_read(struct document_reader *r, const char *text, size_t size,
		  uint64_t nth, struct cvx_buf *out, struct document *ret,
		  struct cvx_err *err);

/*
 * As document_read, for the line that text begins with: *ret_size is its size
 * without LF. 1: only document_read can read it, and nothing was done; that is
 * so for long lines and the last one without LF, and for some that are refused.
 */
int document_read_line(struct document_reader *r, const char *text, size_t size,
		       uint64_t nth, struct cvx_buf *out, struct document *ret,
		       size_t *ret_size, struct cvx_err *err);

/*
 * As document_read, but stops behind the value: *ret_used is the count of
 * bytes read. On a refusal of the value (not of the syntax) *ret_used is set
 * too, so that the elements behind it can still be checked; it is 0 when the
 * end of the value is not known.
 */
int document_read_prefix(struct document_reader *r, const char *text,
			 size_t size, uint64_t nth, struct cvx_buf *out,
			 struct document *ret, size_t *ret_used,
			 struct cvx_err *err);

/*
 * The table number in the _id of a row, if the row is an object whose _id is a
 * decodable string (import.md 7.3.2). No error: a bad row has none.
 */
bool document_peek_table_number(const char *text, size_t size,
				uint32_t *ret_number);

/*
 * Whether the line (without LF) carries _id and _creationTime and is byte for
 * byte what a view prints for it (filesystem.md M-7).
 */
bool document_is_export_line(const char *text, size_t size);

/*
 * The internal id of a line that document_read wrote (without LF). Such lines
 * are trusted; -EINVAL means that the file is damaged.
 */
int document_line_id(const char *line, size_t size, struct internal_id *ret_id);

#endif
