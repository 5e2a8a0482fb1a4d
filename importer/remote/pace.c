#include "importer/remote/pace.h"

/* A difference that counts. */
#define FASTER 1.1
#define SLOWER 0.9

void pace_init(struct pace *p)
{
	*p = (struct pace){
		.at_once = PACE_DEFAULT,
		.least = PACE_DEFAULT,
		.most = PACE_MAX,
	};
}

static void begin(struct pace *p, uint64_t now_ms)
{
	p->begun_ms = now_ms;
	p->size = 0;
	p->part_count = 0;
}

void pace_note_part(struct pace *p, uint64_t size, bool is_waiting,
		    uint64_t now_ms)
{
	double rate;

	if (!is_waiting || p->begun_ms == 0 || now_ms <= p->begun_ms) {
		begin(p, is_waiting ? now_ms : 0);
		return;
	}
	p->size += size;
	/* Each of those that go at once twice: the first may be from before. */
	if (++p->part_count < 2 * p->at_once)
		return;
	rate = (double)p->size / (double)(now_ms - p->begun_ms);
	if (rate > p->rate_before * FASTER && p->at_once < p->most)
		p->at_once++;
	else if (rate < p->rate_before * SLOWER && p->at_once > p->least)
		p->at_once--;
	p->rate_before = rate;
	begin(p, now_ms);
}

void pace_note_trouble(struct pace *p)
{
	p->at_once = p->at_once > 1 ? p->at_once / 2 : 1;
	p->least = p->most = p->at_once;
	begin(p, 0);
}
