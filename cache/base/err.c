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

__attribute__((format(printf, 4, 0))) static int
record(struct cvx_err *err, int code, const char *name, const char *fmt,
       va_list ap)
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
	size_t used, room;
	va_list ap;

	assert(err && err->code < 0);
	memcpy(old, err->msg, sizeof(old));
	va_start(ap, fmt);
	(void)vsnprintf(err->msg, sizeof(err->msg) - 2, fmt, ap);
	va_end(ap);
	used = strlen(err->msg);
	err->msg[used++] = ':';
	err->msg[used++] = ' ';
	room = sizeof(err->msg) - used - 1;
	used += strnlen(memcpy(err->msg + used, old, room), room);
	err->msg[used] = '\0';
	make_one_line(err->msg);
	return err->code;
}

int cvx_fail_memory(struct cvx_err *err)
{
	return cvx_fail(err, -ENOMEM, "out of memory");
}
