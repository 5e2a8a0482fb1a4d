#include "importer/remote/halt.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cache/base/err.h"

struct halt {
	atomic_bool requested;
	int fd;
};

int halt_new(struct halt **ret, struct cvx_err *err)
{
	struct halt *s = calloc(1, sizeof(*s));

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

void halt_free(struct halt *s)
{
	if (!s)
		return;
	(void)close(s->fd);
	free(s);
}

void halt_request(struct halt *s)
{
	const uint64_t one = 1;
	int saved = errno;

	atomic_store(&s->requested, true);
	(void)!write(s->fd, &one, sizeof(one)); /* full: readable already */
	errno = saved;
}

bool halt_is_requested(const struct halt *s)
{
	return s && atomic_load(&s->requested);
}

int halt_fd(const struct halt *s)
{
	return s ? s->fd : -1;
}

bool halt_sleep(const struct halt *s, uint64_t ms)
{
	struct pollfd pollfd = {.fd = halt_fd(s), .events = POLLIN};

	if (halt_is_requested(s))
		return false;
	(void)poll(&pollfd, 1, ms < INT_MAX ? (int)ms : INT_MAX);
	return !halt_is_requested(s);
}
