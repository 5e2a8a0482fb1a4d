#include "importer/remote/halt.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "cache/base/cancel.h"
#include "cache/base/err.h"
#include "importer/origin.h"

struct halt {
	atomic_bool requested;
	int fd;
	bool follows_thread; /* fixed once others have it; so is the next */
	struct patience patience;
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

int halt_of_patience(const struct patience *patience, struct halt **ret,
		     struct cvx_err *err)
{
	int r;

	*ret = NULL;
	if (!patience || !patience->has_ended)
		return 0;
	r = halt_new(ret, err);
	if (r == 0)
		(*ret)->patience = *patience;
	return r;
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
	if (!s)
		return false;
	return atomic_load(&s->requested) ||
	       (s->follows_thread && cancel_is_asked()) ||
	       (s->patience.has_ended &&
		s->patience.has_ended(s->patience.ctx));
}

void halt_follow_thread(struct halt *s)
{
	s->follows_thread = true;
}

int halt_patience_ms(const struct halt *s, uint64_t ms)
{
	if (s && ms > HALT_ASK_MS &&
	    (s->patience.has_ended ||
	     (s->follows_thread && cancel_is_watched())))
		return HALT_ASK_MS;
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

int halt_fd(const struct halt *s)
{
	return s ? s->fd : -1;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

bool halt_sleep(const struct halt *s, uint64_t ms)
{
	struct pollfd pollfd = {.fd = halt_fd(s), .events = POLLIN};
	const uint64_t begun_ms = now_ms();
	uint64_t passed_ms = 0;

	while (!halt_is_requested(s) && passed_ms < ms) {
		(void)poll(&pollfd, 1, halt_patience_ms(s, ms - passed_ms));
		passed_ms = now_ms() - begun_ms;
	}
	return !halt_is_requested(s);
}
