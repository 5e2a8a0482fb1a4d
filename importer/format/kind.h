/*
 * kind: what the three formats share, for the files of this folder only.
 *
 * Each format fills a table of functions; format.c removes the byte order mark
 * and calls them. Their contracts are those of the functions of the same name
 * in format.h.
 */
#ifndef CVX_IMPORTER_FORMAT_KIND_H
#define CVX_IMPORTER_FORMAT_KIND_H

#include "importer/format/format.h"

struct csv_converter;
struct csv_header;

struct format_ops {
	const char *row_word; /* what a row is called in messages */

	/* text is behind the mark. NULL: a file begins with its first row. */
	int (*begin)(struct format *f, const char *text, size_t size,
		     bool at_end, size_t *ret_used, struct cvx_err *err);
	bool (*first_number)(const struct format *f, const char *text,
			     size_t size, uint32_t *ret_number);
	size_t (*cut)(const struct format *f, const char *text, size_t size,
		      bool at_end, uint64_t *ret_row_bound);
	int (*worker_init)(struct format_worker *w, struct cvx_err *err);
	/* rows are cleared. */
	int (*convert)(struct format_worker *w, const char *text, size_t size,
		       uint64_t first_nth, struct rows *rows,
		       struct cvx_err *err);
};

extern const struct format_ops csv_ops;
extern const struct format_ops jsonl_ops;
extern const struct format_ops json_array_ops;

struct format {
	enum format_kind kind;
	const struct format_ops *ops;
	enum document_encoding encoding;
	struct document_stamp stamp;
	struct document_check check;
	struct csv_header *header; /* CSV: set by begin */
};

/* An array that is being read: the text, and how far it has been read. */
struct array_text {
	const char *text;
	size_t size;
	size_t pos;
	uint64_t next_nth; /* of the element at pos */
	bool known_json;
};

struct format_worker {
	const struct format *format;
	struct array_text array; /* JSON arrays: of the last format_convert() */
	struct document_reader *reader;	 /* JSON */
	struct csv_converter *converter; /* CSV */
};

/* The worker_init of both JSON formats. */
int json_worker_init(struct format_worker *w, struct cvx_err *err);

/* json_array.c: what format_convert_more() does. */
int json_array_convert_more(struct format_worker *w, struct rows *rows,
			    struct cvx_err *err);

/* Whether the failure is a refusal of the row, or want of memory. */
bool is_refusal(const struct cvx_err *err);

/*
 * Filling rows. A row is counted with rows->row_count++ first; then it is
 * either added or refused.
 */

void rows_clear(struct rows *rows);

/* The row became the line at off, the last one in rows->text. */
int rows_add(struct rows *rows, size_t off, const struct document *document,
	     struct cvx_err *err);

/* The row was refused. */
void rows_refuse(struct rows *rows, const struct cvx_err *row_err);

/* The file as a whole was refused (row 0), and nothing behind is readable. */
void rows_refuse_file(struct rows *rows, const struct cvx_err *file_err);

#endif
