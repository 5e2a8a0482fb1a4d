/*
 * cleanup: locals that clean themselves up, and pointers that change hands.
 */
#ifndef CVX_CACHE_BASE_CLEANUP_H
#define CVX_CACHE_BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#define CVX_AUTO(fn) __attribute__((cleanup(fn)))

/* The value of p; p itself becomes NULL. */
#define CVX_TAKE(p)                                                            \
	({                                                                     \
		__typeof__(p) taken_ = (p);                                    \
		(p) = NULL;                                                    \
		taken_;                                                        \
	})

/* The value of a descriptor; the variable itself becomes -1. */
#define CVX_TAKE_FD(fd)                                                        \
	({                                                                     \
		int taken_ = (fd);                                             \
		(fd) = -1;                                                     \
		taken_;                                                        \
	})

/* Defines fnp(type **), so that a CVX_AUTO(fnp) local ends with fn(local). */
#define CVX_DEFINE_CLEANUP(type, fn)                                           \
	static inline __attribute__((unused)) void fn##p(type **p)             \
	{                                                                      \
		fn(*p);                                                        \
	}

static inline void cvx_freep(void *p)
{
	free(*(void **)p);
}

static inline void cvx_closep(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* nothing was written that needs it */
}

#endif
