/*
 * age: when a deployment was asked about something, and whether its answer
 * still holds.
 *
 * Moments are those in which questions began: what was changed afterwards may
 * be missing in the answer.
 *
 * Threads: not locked.
 */
#ifndef CVX_IMPORTER_REMOTE_AGE_H
#define CVX_IMPORTER_REMOTE_AGE_H

#include <stdbool.h>
#include <stdint.h>

#include "importer/origin.h"

/* Of zeros: never asked. Monotonic. */
struct age {
	uint64_t asked_ns;
	uint64_t forgotten_ns; /* answers from before do not hold */
};

/* ORIGIN_RECENT: as long as the kernel believes what it knows of folders. */
#define AGE_RECENT_MS 1000

struct age age_now(void);

void age_forget(struct age *a);

/* Asked at that moment. */
void age_take(struct age *a, const struct age *moment);

bool age_holds(const struct age *a, enum origin_age age, uint64_t ttl_ms);

/* Asked at that moment or later, and not forgotten since. */
bool age_is_since(const struct age *a, const struct age *moment);

#endif
