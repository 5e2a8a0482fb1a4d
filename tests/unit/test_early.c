#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "importer/embedded/jobs.h"
#include "importer/server/early.h"
#include "importer/server/work.h"
#include "tests/unit/store.h"

/* Three parts of a file, stored in another order than theirs. */
#define STORED "\"n\":3}\n{\"n\":1}\n{\"n\":2}\n{"
#define SIZE 24
static const struct job_extent parts[] = {{7, 8}, {15, 9}, {0, 7}};
#define PART_COUNT 3

static struct job target = {
	.component = (char *)"",
	.table = (char *)"t",
	.format = (char *)"jsonLines",
	.mode = (char *)"replace",
};

/* What finish_upload makes of the parts. */
static struct job whole(void)
{
	static struct job_extent extents[] = {{7, 17}, {0, 7}};
	struct job job = target;

	job.extents = extents;
	job.extent_count = 2;
	job.size = SIZE;
	return job;
}

struct upload {
	struct deployment *d;
	struct early *early;
	int fd;
};

static void begin(struct upload *u)
{
	struct cvx_err err = CVX_ERR_INIT;

	u->d = store_open(store_new_dir());
	u->fd = open(unit_temp_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_true(u->fd >= 0);
	EXPECT_INT(write(u->fd, STORED, SIZE), SIZE);
	EXPECT_OK(early_new(u->d, &target, &u->early, &err), &err);
}

static void end(struct upload *u)
{
	(void)close(u->fd);
	store_close(u->d);
}

static void add(struct upload *u, unsigned number)
{
	early_add_part(u->early, number, u->fd, parts[number - 1].off,
		       parts[number - 1].size);
}

static bool is_running(struct deployment *d)
{
	struct cvx_buf text = CVX_BUF_INIT(1 << 20);
	struct cvx_err err = CVX_ERR_INIT;
	bool yes;

	EXPECT_OK(deployment_print_imports(d, &text, &err), &err);
	yes = text.size > 0;
	cvx_buf_fini(&text);
	return yes;
}

TEST(early_parts_are_read_in_their_order_IMP_8)
{
	static const unsigned orders[][PART_COUNT] = {
		{1, 2, 3}, {3, 2, 1}, {2, 1, 3}};
	struct work_summary summary = WORK_SUMMARY_INIT;
	struct cvx_err err = CVX_ERR_INIT;
	struct job job = whole();
	struct work *w;
	struct upload u;
	size_t i, k;

	job.number = 1;
	for (i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
		begin(&u);
		for (k = 0; k < PART_COUNT; k++)
			add(&u, orders[i][k]);
		assert_false(is_running(u.d)); /* nobody has asked for it */
		w = early_end(u.early, &job);
		assert_non_null(w);
		work_adopt(w, &job);
		EXPECT_INT(work_number(w), 1);
		assert_true(is_running(u.d));
		EXPECT_OK(work_parse(w, &summary, &err), &err);
		assert_non_null(strstr(summary.message, "t     | 3      |"));
		work_summary_fini(&summary);
		work_free(w);
		end(&u);
	}
}

TEST(early_is_dropped_when_the_file_becomes_something_else)
{
	struct job_extent other[] = {{0, SIZE}};
	struct upload u;
	struct job job;
	unsigned i, n;

	for (i = 0; i < 5; i++) {
		job = whole();
		begin(&u);
		for (n = 1; n <= (i == 0 ? 2 : PART_COUNT); n++)
			add(&u, n);
		if (i == 1)
			add(&u, 1); /* again */
		if (i == 2)
			job.table = (char *)"other";
		if (i == 3)
			job.mode = (char *)"append";
		if (i == 4) {
			job.extents = other;
			job.extent_count = 1;
		}
		if (early_end(u.early, &job))
			fail_msg("case %u", i);
		assert_false(is_running(u.d));
		end(&u);
	}
}

TEST(early_rows_are_held_to_the_schema_of_the_end_7_2)
{
	struct work_summary summary = WORK_SUMMARY_INIT;
	struct cvx_err err = CVX_ERR_INIT;
	struct job job = whole();
	struct work *w;
	struct upload u;

	job.number = 1;
	begin(&u);
	add(&u, 1);
	add(&u, 2);
	add(&u, 3);
	store_set_schema(u.d, "{\"tables\":[{\"tableName\":\"t\",\"indexes\":"
			      "[],\"documentType\":{\"type\":\"object\","
			      "\"value\":{\"s\":{\"fieldType\":{\"type\":"
			      "\"string\"},\"optional\":false}}}}],"
			      "\"schemaValidation\":true}");
	w = early_end(u.early, &job);
	assert_non_null(w);
	work_adopt(w, &job);
	EXPECT_OK(work_parse(w, &summary, &err), &err);
	work_summary_fini(&summary);
	EXPECT_FAIL(work_commit(w, &err), &err, -22, "schema");
	work_free(w);
	end(&u);
}

UNIT_MAIN(UNIT_CASE(early_parts_are_read_in_their_order_IMP_8),
	  UNIT_CASE(early_is_dropped_when_the_file_becomes_something_else),
	  UNIT_CASE(early_rows_are_held_to_the_schema_of_the_end_7_2))
