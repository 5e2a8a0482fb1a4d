#include "importer/remote/stop.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cache/base/err.h"

struct stop {
	atomic_bool requested;
	int fd;
};

int stop_new(struct stop **ret, struct cvx_err *err)
{
	struct stop *s = calloc(1, sizeof(*s));

	if (!s)
		return cvx_fail_memory(err);
	s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->fd < 0) {
		free(s);
		return cvx_fail(err, -errno, "eventfd: %s", strerror(errno));
	}
	*ret = s;
	return 0;
}

void stop_free(struct stop *s)
{
	if (!s)
		return;
	(void)close(s->fd);
	free(s);
}

void stop_request(struct stop *s)
{
	const uint64_t one = 1;
	int saved = errno;

	atomic_store(&s->requested, true);
	(void)!write(s->fd, &one, sizeof(one)); /* full: readable already */
	errno = saved;
}

bool stop_is_requested(const struct stop *s)
{
	return s && atomic_load(&s->requested);
}

int stop_fd(const struct stop *s)
{
	return s ? s->fd : -1;
}

bool stop_sleep(const struct stop *s, uint64_t ms)
{
	struct pollfd pollfd = {.fd = stop_fd(s), .events = POLLIN};

	if (stop_is_requested(s))
		return false;
	(void)poll(&pollfd, 1, ms < INT_MAX ? (int)ms : INT_MAX);
	return !stop_is_requested(s);
}
