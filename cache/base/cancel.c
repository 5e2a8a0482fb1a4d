#include "cache/base/cancel.h"

#include <stddef.h>

static _Thread_local const atomic_bool *watched;

const atomic_bool *cancel_watch(const atomic_bool *flag)
{
	const atomic_bool *before = watched;

	watched = flag;
	return before;
}

bool cancel_is_watched(void)
{
	return watched != NULL;
}

bool cancel_is_asked(void)
{
	return watched && atomic_load(watched);
}
