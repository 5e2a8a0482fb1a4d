/*
 * moment: whether the deployment is still what it was at a time.
 *
 * No old states are kept. A question about a moment can be answered as long as
 * nothing was committed since, by whichever process; what was committed is
 * noticed at the next call.
 *
 * Threads: locked inside.
 */
#ifndef CVX_IMPORTER_SERVER_MOMENT_H
#define CVX_IMPORTER_SERVER_MOMENT_H

#include <pthread.h>
#include <stdint.h>

struct cvx_err;
struct deployment;

struct moment {
	struct deployment *d;
	pthread_mutex_t lock; /* guards what follows */
	int64_t change_count; /* as it was looked at last */
	int64_t since_ns;     /* it has been this since then, at least */
};

void moment_init(struct moment *m, struct deployment *d);
void moment_fini(struct moment *m);

/* Now: a time that moment_check() knows from here on. */
int moment_now(struct moment *m, int64_t *ret_ns, struct cvx_err *err);

/* OutOfRetention: something was committed since then. */
int moment_check(struct moment *m, int64_t ns, struct cvx_err *err);

#endif
