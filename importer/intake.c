#include "importer/intake.h"

#include <string.h>

#include "cache/base/err.h"

void intake_free(struct intake *in)
{
	if (in)
		in->ops->free(in);
}

void intake_available(struct intake *in, uint64_t size)
{
	if (in->ops->available)
		in->ops->available(in, size);
}

void intake_restart(struct intake *in)
{
	if (in->ops->restart)
		in->ops->restart(in);
}

int intake_check(struct intake *in, uint64_t size, struct cvx_err *err)
{
	return in->ops->check ? in->ops->check(in, size, err) : 0;
}

int intake_commit(struct intake *in, uint64_t size,
		  uint64_t *ret_document_count, struct cvx_err *err)
{
	return in->ops->commit(in, size, ret_document_count, err);
}

void intake_cancel(struct intake *in)
{
	in->ops->cancel(in);
}

int intake_print_error(struct intake *in, struct cvx_buf *out)
{
	return in->ops->print_error(in, out);
}

bool intake_is_unknown(const struct cvx_err *why)
{
	return why->name && strcmp(why->name, INTAKE_UNKNOWN) == 0;
}
