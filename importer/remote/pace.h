/*
 * pace: how many parts of an upload go at once.
 *
 * PACE_DEFAULT to begin with; one more, up to PACE_MAX, as long as that has
 * made the parts before faster, as it does over a long way; and one less where
 * it has not. After trouble half as many, and not more again.
 *
 * Threads: not locked.
 */
#ifndef CVX_IMPORTER_REMOTE_PACE_H
#define CVX_IMPORTER_REMOTE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_DEFAULT 4
#define PACE_MAX 8

struct pace {
	unsigned at_once;
	unsigned least, most; /* of at_once */
	/* Since at_once is what it is: */
	uint64_t begun_ms; /* 0: not begun */
	uint64_t size;
	unsigned part_count;
	double rate_before; /* bytes a millisecond, of the time before; or 0 */
};

void pace_init(struct pace *p);

/* A part of size bytes has arrived. is_waiting: others wait to be sent, so that
 * the time that passes is the network's, not the writer's. */
void pace_note_part(struct pace *p, uint64_t size, bool is_waiting,
		    uint64_t now_ms);

/* An upload must begin again. */
void pace_note_trouble(struct pace *p);

#endif
