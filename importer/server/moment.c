#include "importer/server/moment.h"

#include <errno.h>

#include "cache/base/err.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/jobs.h"

void moment_init(struct moment *m, struct deployment *d)
{
	m->d = d;
	m->change_count = -1;
	m->since_ns = INT64_MAX;
	(void)pthread_mutex_init(&m->lock, NULL);
}

void moment_fini(struct moment *m)
{
	(void)pthread_mutex_destroy(&m->lock);
}

/*
 * Under the lock. What the count stands for held at the time just before it was
 * read, or something was committed in between, and then it is of that commit:
 * a later time is safe in both cases, so it is taken behind the look.
 */
static int look(struct moment *m, struct cvx_err *err)
{
	int64_t count;
	int r = deployment_change_count(m->d, &count, err);

	if (r == 0 && count != m->change_count) {
		m->change_count = count;
		m->since_ns = embedded_now_ns();
	}
	return r;
}

int moment_now(struct moment *m, int64_t *ret_ns, struct cvx_err *err)
{
	int r;

	(void)pthread_mutex_lock(&m->lock);
	r = look(m, err);
	*ret_ns = embedded_now_ns();
	(void)pthread_mutex_unlock(&m->lock);
	return r;
}

int moment_check(struct moment *m, int64_t ns, struct cvx_err *err)
{
	int r;

	(void)pthread_mutex_lock(&m->lock);
	r = look(m, err);
	if (r == 0 && (ns < m->since_ns || ns > embedded_now_ns()))
		r = cvx_fail_named(err, -EINVAL, "OutOfRetention",
				   "something was committed since that time, "
				   "and older states are not kept");
	(void)pthread_mutex_unlock(&m->lock);
	return r;
}
