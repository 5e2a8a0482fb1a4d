#include "importer/embedded/plan.h"

#include <string.h>

#include "importer/embedded/counters.h"
#include "importer/embedded/embedded.h"

/* id.h: a counter starts below this. */
#define COUNTER_START_MAX (UINT64_C(1) << 63)

/* The n-th double above; the bits of positive doubles count up as they do. */
static double double_above(double value, uint64_t n)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	bits += n;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

void plan_choose_stamp(const struct last_stamp *last,
		       struct document_stamp *stamp)
{
	int64_t now_ns = embedded_now_ns();
	uint64_t now_ms = (uint64_t)(now_ns / 1000000);
	double time;

	id_stamp_init(&stamp->id, now_ms);
	if (last->ms > now_ms ||
	    (last->ms == now_ms && last->counter >= stamp->id.counter)) {
		stamp->id.ms = last->ms;
		if (last->counter + 1 < COUNTER_START_MAX)
			stamp->id.counter = last->counter + 1;
		else
			stamp->id.ms++;
	}
	time = (double)now_ms + (double)(now_ns % 1000000) * 1e-6;
	if (time <= last->time)
		time = double_above(last->time, 1);
	stamp->creation_time = time;
}

struct last_stamp plan_last_stamp(const struct document_stamp *stamp,
				  uint64_t count)
{
	struct last_stamp last = {stamp->id.ms, stamp->id.counter,
				  stamp->creation_time};

	if (count > 0) {
		last.counter += count - 1;
		last.time = double_above(last.time, count - 1);
	}
	return last;
}
