/* One revision of a table: pieces of segments, one behind the other. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/catalog.h"
#include "importer/deployment.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/held.h"
#include "importer/embedded/sql.h"
#include "importer/embedded/table_place.h"
#include "importer/embedded/tables.h"

/* How often a table is looked up again whose segments went while it was being
 * opened. Each time, a whole commit has come in between. */
#define OPEN_TRIES 100

struct piece {
	uint64_t segment_id;
	struct segment_file *file; /* NULL: not open yet */
	uint64_t start;		   /* in the table */
	uint64_t size;		   /* committed when the reader was opened */
};

struct table_reader {
	struct deployment *d;
	struct table_info info;
	struct piece *pieces;
	size_t piece_count;
};

CVX_DEFINE_CLEANUP(struct table_reader, table_reader_close)

static int add_piece(struct table_reader *tr, size_t *capacity, uint64_t id,
		     uint64_t size, struct cvx_err *err)
{
	const struct piece *last;
	struct piece *more;
	uint64_t start = 0;

	if (tr->piece_count == *capacity) {
		*capacity = *capacity * 2 + 2;
		more = reallocarray(tr->pieces, *capacity, sizeof(*more));
		if (!more)
			return cvx_fail_memory(err);
		tr->pieces = more;
	}
	if (tr->piece_count > 0) {
		last = &tr->pieces[tr->piece_count - 1];
		start = last->start + last->size;
	}
	tr->pieces[tr->piece_count++] = (struct piece){id, NULL, start, size};
	return 0;
}

/* One statement, so one snapshot. */
static int read_pieces(struct table_reader *tr, struct catalog *c,
		       const char *component, const char *table,
		       struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	size_t capacity = 0;
	int r = catalog_query(c, SQL_OPEN_TABLE, &q, err);

	if (r < 0)
		return r;
	catalog_bind_text(q, 1, component);
	catalog_bind_text(q, 2, table);
	r = catalog_next(q, err);
	if (r == 0)
		return table_fail_missing(c, component, table, err);
	for (; r == 1; r = catalog_next(q, err)) {
		tr->info.number = (uint32_t)catalog_int(q, 0);
		tr->info.revision = (uint64_t)catalog_int(q, 1);
		tr->info.committed_ns = catalog_int(q, 2);
		tr->info.document_count = (uint64_t)catalog_int(q, 3);
		tr->info.size = (uint64_t)catalog_int(q, 4);
		if (catalog_int(q, 5) == 0)
			continue; /* a table without segments */
		r = add_piece(tr, &capacity, (uint64_t)catalog_int(q, 5),
			      (uint64_t)catalog_int(q, 6), err);
		if (r < 0)
			return r;
	}
	return r;
}

static int open_once(struct deployment *d, const char *component,
		     const char *table, struct table_reader **ret,
		     struct cvx_err *err)
{
	CVX_AUTO(table_reader_closep) struct table_reader *tr = NULL;
	size_t i, size = strnlen(table, NAME_MAX_SIZE);
	struct catalog *c;
	int r;

	tr = calloc(1, sizeof(*tr));
	if (!tr)
		return cvx_fail_memory(err);
	tr->d = d;
	memcpy(tr->info.name, table, size);
	c = embedded_lock_reads(d);
	r = read_pieces(tr, c, component, table, err);
	if (r == 0)
		r = held_check(d, c, component, table, tr->info.revision, err);
	embedded_unlock_reads(d);
	if (r < 0)
		return r;
	for (i = 0; i < tr->piece_count; i++) {
		r = segment_file_ref(d, tr->pieces[i].segment_id,
				     &tr->pieces[i].file, err);
		if (r < 0) {
			/* Tells it from a table that is not there. */
			*ret = CVX_TAKE(tr);
			return r;
		}
	}
	*ret = CVX_TAKE(tr);
	return 0;
}

int deployment_open_table(struct deployment *d, const char *component,
			  const char *table, struct table_reader **ret,
			  struct cvx_err *err)
{
	struct table_reader *tr;
	int r = 0, tries;

	/* Another process may remove a segment between our question and the
	 * opening; then a new revision is there to be asked for. */
	for (tries = 0; tries < OPEN_TRIES; tries++) {
		tr = NULL;
		r = open_once(d, component, table, &tr, err);
		if (r == 0) {
			*ret = tr;
			return 0;
		}
		if (!tr)
			return r;
		table_reader_close(tr);
		if (r != -ENOENT)
			return r;
	}
	return cvx_fail(err, -EIO,
			"table %s is damaged: a file that the catalog names is "
			"missing in %s/segments; restore the folder from a "
			"copy, or import the table again",
			table, d->dir);
}

const struct table_info *table_reader_info(const struct table_reader *tr)
{
	return &tr->info;
}

void table_reader_close(struct table_reader *tr)
{
	size_t i;

	if (!tr)
		return;
	for (i = 0; i < tr->piece_count; i++)
		if (tr->pieces[i].file)
			segment_file_unref(tr->d, tr->pieces[i].file);
	free(tr->pieces);
	free(tr);
}

/* The piece that holds the byte at off, or NULL past the end. */
static const struct piece *find_piece(const struct table_reader *tr,
				      uint64_t off)
{
	size_t low = 0, high = tr->piece_count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (tr->pieces[middle].start + tr->pieces[middle].size <= off)
			low = middle + 1;
		else
			high = middle;
	}
	return low < tr->piece_count ? &tr->pieces[low] : NULL;
}

int table_reader_locate(struct table_reader *tr, uint64_t off, size_t size,
			int *ret_fd, uint64_t *ret_file_off, size_t *ret_n,
			struct cvx_err *err)
{
	const struct piece *piece = find_piece(tr, off);
	uint64_t left;

	(void)err; /* nothing can fail as long as all pieces are open */
	if (!piece) {
		*ret_n = 0;
		return 0;
	}
	left = piece->start + piece->size - off;
	*ret_fd = piece->file->fd;
	*ret_file_off = off - piece->start;
	*ret_n = left < size ? (size_t)left : size;
	return 0;
}

int table_reader_read(struct table_reader *tr, uint64_t off, void *buf,
		      size_t size, size_t *ret_n, struct cvx_err *err)
{
	size_t done = 0, want, n;
	uint64_t file_off;
	int r, fd;

	while (done < size) {
		r = table_reader_locate(tr, off + done, size - done, &fd,
					&file_off, &want, err);
		if (r < 0)
			return r;
		if (want == 0)
			break;
		r = file_pread(fd, (char *)buf + done, want, file_off, &n);
		if (r == 0 && n < want)
			r = -EIO; /* shorter than what was committed */
		if (r < 0)
			return cvx_fail(err, r, "cannot read table %s: %s",
					tr->info.name, strerror(-r));
		done += n;
	}
	*ret_n = done;
	return 0;
}

struct table_place table_reader_place(const struct table_reader *tr,
				      uint64_t off)
{
	const struct piece *piece = off > 0 ? find_piece(tr, off - 1) : NULL;

	return (struct table_place){
		.off = piece ? off : 0,
		.segment = piece ? piece->segment_id : 0,
	};
}

bool table_reader_has(const struct table_reader *tr,
		      const struct table_place *place)
{
	const struct table_place here = table_reader_place(tr, place->off);

	return here.off == place->off && here.segment == place->segment;
}
