#include "importer/remote/age.h"

#include <time.h>

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

struct age age_now(void)
{
	return (struct age){.asked_ns = now_ns()};
}

void age_forget(struct age *a)
{
	a->forgotten_ns = now_ns();
}

void age_take(struct age *a, const struct age *moment)
{
	a->asked_ns = moment->asked_ns;
}

static bool is_known(const struct age *a)
{
	return a->asked_ns != 0 && a->asked_ns > a->forgotten_ns;
}

bool age_holds(const struct age *a, enum origin_age age, uint64_t ttl_ms)
{
	if (age == ORIGIN_KNOWN)
		return a->asked_ns != 0;
	if (age == ORIGIN_RECENT && ttl_ms < AGE_RECENT_MS)
		ttl_ms = AGE_RECENT_MS;
	return is_known(a) && (now_ns() - a->asked_ns) / 1000000 < ttl_ms;
}

bool age_is_since(const struct age *a, const struct age *moment)
{
	return is_known(a) && a->asked_ns >= moment->asked_ns;
}
