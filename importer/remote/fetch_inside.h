/*
 * fetch_inside: a fetch under way, as its parts see it.
 *
 *   fetch_lines.c     lines in the order of _id
 *   fetch_rows.c      documents of an answer become lines
 *   fetch_pages.c     answers, one by one
 *   fetch_snapshot.c  /api/list_snapshot
 *   fetch_query.c     pages of queries
 *   fetch_deltas.c    /api/document_deltas
 *   fetch_sync.c      /api/v1/data/sync
 *   fetch_entries.c   the values of one of its pages
 */
#ifndef CVX_IMPORTER_REMOTE_FETCH_INSIDE_H
#define CVX_IMPORTER_REMOTE_FETCH_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/base/buf.h"
#include "importer/remote/fetch.h"
#include "importer/remote/members.h"
#include "importer/value/id.h"

struct document_reader;
struct http_answer;
struct http_call;

#define FETCH_ROW_MAX ((size_t)32 << 20)
#define FETCH_LINES_MAX ((size_t)4 << 20) /* are written together */

/* A fetch under way. */
struct fetch {
	struct http *http;
	const struct fetch_target *target;
	const struct halt *halt;
	struct cvx_err *err;
	int dir_fd;
	int page_fd; /* the page that is read */
	uint64_t page_size;
	int page_status;
	int fd; /* the lines in the order in which they came */
	struct cvx_buf row;
	struct cvx_buf lines; /* that are not written yet */
	struct document_reader *reader;
	struct fetched_line *places;
	size_t place_count;
	uint64_t size;
	bool ascends;
	bool is_consistent;   /* else a document may come twice */
	bool is_encoded;      /* rows come in convex_encoded_json */
	bool has_meta;	      /* rows have members that the transport added */
	bool was_cleared;     /* what was there before has gone */
	int64_t committed_ns; /* the last commit that was told of; 0: none */
	enum fetch_way way;
	char *cursor; /* of the way; NULL: none yet */
	char *ts;     /* at which queries are run; NULL: now */
};

/* The row that was gathered becomes a line. */
int fetch_add_row(struct fetch *f);

/*
 * The value that the text begins with becomes a line, if it is a document and
 * the '}' of the object that it is the last member of follows: *ret_used is
 * where that stands. 1: that is not so, or cannot be told; nothing was done.
 */
int fetch_add_member(struct fetch *f, const char *text, size_t size,
		     size_t *ret_used);

/* The document of the row that was gathered has gone. */
int fetch_add_deleted(struct fetch *f, const struct internal_id *id);

/* All that came so far has gone. */
void fetch_clear(struct fetch *f);

/* Writes the lines that wait. */
int fetch_flush(struct fetch *f);

/* Of each document the last that came, by _id. */
int fetch_order(struct fetch *f);

/* Lines in another order: writes them anew, sorted, without those that have
 * gone. */
int fetch_sort(struct fetch *f);

/* A commit of that time, in nanoseconds, was told of. */
void fetch_note_time(struct fetch *f, const struct range *ns);

/* One document, as it is stored, becomes a line. */
int fetch_add_document(struct fetch *f, const struct range *document);

/* The document of that _id has gone. */
int fetch_add_gone(struct fetch *f, const struct range *document);

/* The documents of a list become lines: as fetch_form.read. */
int fetch_add_list(struct fetch *f, const struct range *found, struct json *j);

/* Likewise. */
int fetch_add_documents(struct fetch *f, const struct range *list);

/* One request; its answer becomes the page. */
int fetch_load_page(struct fetch *f, struct http_call *call,
		    struct http_answer *answer);

/* The page in memory; munmap() it. */
int fetch_map_page(struct fetch *f, struct range *ret);

/* What the object of a page has. */
struct fetch_form {
	const char *const *names; /* of its members, each there once */
	size_t count;
	size_t list;   /* the one that is long */
	size_t before; /* the one to be known before that; list: none */
	/* Reads the list: j is before it, and goes behind it. */
	int (*read)(struct fetch *f, const struct range *found, struct json *j);
};

/*
 * Reads the list of a page, and finds its other members; absent ones get size
 * 0. The list is read on the way, unless what is to be known before may come
 * behind it. Without a list it is -EPROTO.
 */
int fetch_read_form(struct fetch *f, const struct range *page,
		    const struct fetch_form *form, struct range *found);

/* *cursor becomes that of the next page; NULL behind the last one. Never the
 * same again, or it would not end. */
int fetch_take_cursor(struct fetch *f, bool is_last, const struct range *value,
		      char **cursor);

/* Reading the page, the answer to such a request, ended with f->err; its place
 * goes in front. */
int fetch_blame_page(struct fetch *f, const char *method, const char *path);

/* "format=export_json" and the table, as list_snapshot takes them. */
int fetch_print_selection(const struct fetch *f, struct cvx_buf *out);

/* Whether the answer says that the deployment does not offer what was asked
 * for. */
bool fetch_is_missing(const struct http_answer *answer);

/* *ret_is_missing: the deployment does not offer it. */
int fetch_snapshot(struct fetch *f, bool *ret_is_missing);

int fetch_by_query(struct fetch *f);

/* From f->cursor on. -ESTALE: from there it cannot go on. */
int fetch_deltas(struct fetch *f);

/* The values of data/sync: j is before their list, and goes behind it. */
int fetch_add_entries(struct fetch *f, struct json *j);

/* Whether an entry of data/sync is about the table. */
bool fetch_is_ours(const struct fetch *f, const struct range *component,
		   const struct range *table);

/* Likewise; without a cursor all of the table, if it is not missing. */
int fetch_sync(struct fetch *f, bool *ret_is_missing);

#endif
