#include "importer/places.h"

#include <assert.h>
#include <inttypes.h>

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

int places_fail(const struct places *p, struct cvx_err *err)
{
	const struct row_error *first = &p->list[0];
	const char *name = first->err.name;
	uint64_t more = p->total - 1;
	char row[32] = "";

	assert(p->count > 0);
	if (first->row > 0)
		(void)snprintf(row, sizeof(row), "row %" PRIu64 ": ",
			       first->row);
	if (more == 0)
		return cvx_fail_named(err, first->err.code, name, "%s%s", row,
				      first->err.msg);
	/* Room for the count, however long the message is. */
	return cvx_fail_named(err, first->err.code, name,
			      "%s%.*s (and %" PRIu64 " more row%s refused)",
			      row, CVX_ERR_MSG_SIZE - 96, first->err.msg, more,
			      more == 1 ? "" : "s");
}

int places_print(const struct places *p, struct cvx_buf *out)
{
	const struct row_error *place;
	unsigned i;
	int r = 0;

	for (i = 0; r == 0 && i < p->count; i++) {
		place = &p->list[i];
		if (place->row > 0)
			r = cvx_buf_printf(out, "row %" PRIu64 ": ",
					   place->row);
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
