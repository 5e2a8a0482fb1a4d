#include "tests/unit/unit.h"

#include "importer/remote/pace.h"

#define PART 1000

/* As many parts as are looked at together, at so many bytes a millisecond. */
static void send_parts(struct pace *p, double rate, uint64_t *now_ms)
{
	unsigned i, count = 2 * p->at_once;
	double ms = (double)*now_ms;

	for (i = 0; i < count; i++) {
		ms += PART / rate;
		*now_ms = (uint64_t)ms;
		pace_note_part(p, PART, true, *now_ms);
	}
}

static void begin(struct pace *p, uint64_t *now_ms)
{
	*now_ms = 1000;
	pace_init(p);
	EXPECT_INT(p->at_once, PACE_DEFAULT);
	pace_note_part(p, PART, true, *now_ms);
}

TEST(pace_grows_while_that_makes_parts_faster)
{
	struct pace p;
	uint64_t now;
	unsigned i;

	begin(&p, &now);
	for (i = 0; i < 20; i++)
		send_parts(&p, p.at_once, &now);
	EXPECT_INT(p.at_once, PACE_MAX);
}

TEST(pace_goes_back_where_it_does_not)
{
	struct pace p;
	uint64_t now;

	begin(&p, &now);
	send_parts(&p, 10, &now);
	EXPECT_INT(p.at_once, PACE_DEFAULT + 1);
	send_parts(&p, 10, &now); /* as fast as before: it stays */
	EXPECT_INT(p.at_once, PACE_DEFAULT + 1);
	send_parts(&p, 5, &now);
	EXPECT_INT(p.at_once, PACE_DEFAULT);
	send_parts(&p, 1, &now);
	EXPECT_INT(p.at_once, PACE_DEFAULT);
}

/* Parts that wait for the writer tell nothing, nor does a clock that stands. */
TEST(pace_stays_while_the_writer_is_slow)
{
	struct pace p;
	uint64_t now;
	unsigned i;

	begin(&p, &now);
	for (i = 0; i < 100; i++)
		pace_note_part(&p, PART, i % 7 != 0, now++);
	for (i = 0; i < 100; i++)
		pace_note_part(&p, PART, true, now - 1);
	EXPECT_INT(p.at_once, PACE_DEFAULT);
}

TEST(pace_is_half_after_trouble_for_good)
{
	struct pace p;
	uint64_t now;
	unsigned i;

	begin(&p, &now);
	pace_note_trouble(&p);
	EXPECT_INT(p.at_once, PACE_DEFAULT / 2);
	for (i = 0; i < 10; i++)
		send_parts(&p, 1 + i, &now);
	EXPECT_INT(p.at_once, PACE_DEFAULT / 2);
	for (i = 0; i < 10; i++)
		pace_note_trouble(&p);
	EXPECT_INT(p.at_once, 1);
}

UNIT_MAIN(UNIT_CASE(pace_grows_while_that_makes_parts_faster),
	  UNIT_CASE(pace_goes_back_where_it_does_not),
	  UNIT_CASE(pace_stays_while_the_writer_is_slow),
	  UNIT_CASE(pace_is_half_after_trouble_for_good))
