#include "cache/base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Keeps the message one printable line, whatever input was quoted in it. */
static void make_one_line(char *msg)
{
	for (; *msg; msg++)
		if ((unsigned char)*msg < 0x20 || *msg == 0x7f)
			*msg = '?';
}

static int record(struct cvx_err *err, int code, const char *name,
		  const char *fmt, va_list ap)
{
	assert(code < 0);
	if (!err)
		return code;
	err->code = code;
	err->name = name;
	(void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	make_one_line(err->msg);
	return code;
}

int cvx_fail(struct cvx_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	code = record(err, code, NULL, fmt, ap);
	va_end(ap);
	return code;
}

int cvx_fail_named(struct cvx_err *err, int code, const char *name,
		   const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	code = record(err, code, name, fmt, ap);
	va_end(ap);
	return code;
}

int cvx_err_prefix(struct cvx_err *err, const char *fmt, ...)
{
	char old[CVX_ERR_MSG_SIZE];
	va_list ap;
	int n;

	assert(err && err->code < 0);
	memcpy(old, err->msg, sizeof(old));
	va_start(ap, fmt);
	n = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(err->msg))
		(void)snprintf(err->msg + n, sizeof(err->msg) - (size_t)n,
			       ": %s", old);
	make_one_line(err->msg);
	return err->code;
}

int cvx_fail_memory(struct cvx_err *err)
{
	return cvx_fail(err, -ENOMEM, "out of memory");
}
