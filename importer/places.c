#include "importer/places.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"

void places_add(struct places *p, uint64_t row, const struct cvx_err *cause)
{
	p->total++;
	if (p->count == FORMAT_ERRORS_MAX)
		return;
	p->list[p->count].row = row;
	p->list[p->count++].err = *cause;
}

void places_name_row(const struct places *p, uint64_t row,
		     char text[PLACES_ROW_SIZE])
{
	const struct places_origin *o = p->origins;
	size_t i;

	for (i = 0; i + 1 < p->origin_count && row > o->row_count; i++)
		row -= (o++)->row_count;
	(void)snprintf(text, PLACES_ROW_SIZE, "%.200s%srow %" PRIu64,
		       p->origin_count > 0 ? o->name : "",
		       p->origin_count > 0 ? ": " : "", row);
}

int places_fail(const struct places *p, struct cvx_err *err)
{
	const struct row_error *first = &p->list[0];
	const char *name = first->err.name;
	uint64_t more = p->total - 1;
	char row[PLACES_ROW_SIZE] = "";
	const char *colon = first->row > 0 ? ": " : "";

	assert(p->count > 0);
	if (first->row > 0)
		places_name_row(p, first->row, row);
	if (more == 0)
		return cvx_fail_named(err, first->err.code, name, "%s%s%s", row,
				      colon, first->err.msg);
	/* Room for the count, however long the message is. */
	return cvx_fail_named(err, first->err.code, name,
			      "%s%s%.*s (and %" PRIu64 " more row%s refused)",
			      row, colon,
			      CVX_ERR_MSG_SIZE - 96 - (int)strlen(row),
			      first->err.msg, more, more == 1 ? "" : "s");
}

int places_print(const struct places *p, struct cvx_buf *out)
{
	const struct row_error *place;
	char row[PLACES_ROW_SIZE];
	unsigned i;
	int r = 0;

	for (i = 0; r == 0 && i < p->count; i++) {
		place = &p->list[i];
		if (place->row > 0) {
			places_name_row(p, place->row, row);
			r = cvx_buf_printf(out, "%s: ", row);
		}
		if (r == 0)
			r = cvx_buf_printf(out, "%s\n", place->err.msg);
	}
	if (r == 0 && p->total > p->count)
		r = cvx_buf_printf(out,
				   "%" PRIu64 " rows were refused; these are "
				   "the first %u\n",
				   p->total, p->count);
	return r;
}
