#include "importer/embedded/rows_equal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/segment.h"
#include "importer/deployment.h"
#include "importer/embedded/commit.h"
#include "importer/import.h"

#define COMPARE_SIZE ((size_t)1 << 20)

/* The bytes of the rows from off on; the text's own, or read into buf. */
static int read_rows(const struct commit_rows *rows, uint64_t off, char *buf,
		     size_t size, const char **ret, struct cvx_err *err)
{
	size_t n;
	int r;

	if (!rows->stage) {
		*ret = rows->text + off;
		return 0;
	}
	r = file_pread(segment_stage_fd(rows->stage), buf, size, off, &n);
	if (r == 0 && n < size)
		r = -EIO;
	*ret = buf;
	return r < 0 ? cvx_fail(err, r, "cannot read the rows: %s",
				strerror(-r))
		     : 0;
}

/* 1 if they are the bytes that the reader shows, which has as many. */
static int compare_rows(const struct commit_rows *rows, struct table_reader *tr,
			struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *here = malloc(COMPARE_SIZE);
	CVX_AUTO(cvx_freep) char *buf = malloc(COMPARE_SIZE);
	const char *there = buf;
	uint64_t off;
	size_t n;
	int r;

	if (!here || !buf)
		return cvx_fail_memory(err);
	for (off = 0; off < rows->size; off += n) {
		r = table_reader_read(tr, off, here, COMPARE_SIZE, &n, err);
		if (r == 0 && n == 0)
			return 0;
		if (r == 0)
			r = read_rows(rows, off, buf, n, &there, err);
		if (r < 0)
			return r;
		if (memcmp(here, there, n) != 0)
			return 0;
	}
	return 1;
}

int rows_equal(struct deployment *d, const struct commit_part *part,
	       struct cvx_err *err)
{
	const struct table_info *info = &part->plan->table.info;
	struct table_reader *tr;
	int r;

	if (!part->plan->table_found || part->plan->moved.id != 0 ||
	    info->number != part->stamp.table_number ||
	    info->size != part->rows->size ||
	    info->document_count != part->rows->document_count)
		return 0;
	r = deployment_open_table(d, part->target->component,
				  part->target->table, &tr, err);
	if (r < 0)
		return r;
	r = compare_rows(part->rows, tr, err);
	table_reader_close(tr);
	return r;
}
