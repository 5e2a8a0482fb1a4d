/*
 * err: what went wrong, for the program (errno), for a person (a sentence)
 * and for other software (a stable name).
 *
 * A function that can fail returns 0 or a negative errno and fills *err, its
 * last parameter, once, where the cause is known. Callers pass it on or put
 * context in front. err may be NULL where a caller does not want the text.
 *
 * Threads: an error belongs to one thread at a time.
 */
#ifndef CVX_CACHE_BASE_ERR_H
#define CVX_CACHE_BASE_ERR_H

#define CVX_ERR_MSG_SIZE 512

struct cvx_err {
	int code;	  /* negative errno; 0: nothing is wrong */
	const char *name; /* static: a name of import.md 12; NULL: none */
	char msg[CVX_ERR_MSG_SIZE]; /* one line, no final period, no secrets */
};

#define CVX_ERR_INIT                                                           \
	{                                                                      \
		0, 0,                                                          \
		{                                                              \
			0                                                      \
		}                                                              \
	}

/*
 * Records the failure; returns code, so that it can end a function. The text
 * is cut at the size of msg; control characters in it become '?'.
 */
int cvx_fail(struct cvx_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As cvx_fail, with the stable name, which must be a static string. */
int cvx_fail_named(struct cvx_err *err, int code, const char *name,
		   const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Puts the text and ": " before the message; returns err->code. */
int cvx_err_prefix(struct cvx_err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The failure of an allocation; returns -ENOMEM. */
int cvx_fail_memory(struct cvx_err *err);

#endif
