/* importer/archive/writer: entries of all sizes, and sizes that lie. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "importer/archive/archive.h"
#include "importer/archive/deflate_block.h"
#include "importer/archive/writer.h"
#include "tests/unit/exported.h"
#include "tests/unit/unit.h"

struct made {
	const size_t *sizes;
	size_t entry, done;
	bool is_random;
};

/* Bytes that can be made again: text, or such as cannot be packed. */
static void make_bytes(const struct made *m, char *buf, size_t off, size_t size)
{
	size_t i;
	uint64_t x;

	for (i = 0; i < size; i++) {
		x = (off + i + 1) * UINT64_C(0x9e3779b97f4a7c15);
		x = (x ^ (x >> 29)) * UINT64_C(0xbf58476d1ce4e5b9);
		buf[i] = m->is_random ? (char)(x >> 56)
				      : (char)('a' + (x >> 60));
	}
}

static int open_made(void *ctx, size_t entry, struct cvx_err *err)
{
	struct made *m = ctx;

	(void)err;
	m->entry = entry;
	m->done = 0;
	return 0;
}

static int read_made(void *ctx, void *buf, size_t size, size_t *ret_n,
		     struct cvx_err *err)
{
	struct made *m = ctx;
	size_t left = m->sizes[m->entry] - m->done;

	(void)err;
	*ret_n = left < size ? left : size;
	make_bytes(m, buf, m->done, *ret_n);
	m->done += *ret_n;
	return 0;
}

static void check_sizes(bool is_random)
{
	static const size_t sizes[] = {0,
				       1,
				       65535,
				       65536,
				       DEFLATE_BLOCK_SIZE - 1,
				       DEFLATE_BLOCK_SIZE,
				       DEFLATE_BLOCK_SIZE + 1,
				       3 * DEFLATE_BLOCK_SIZE,
				       0,
				       5 * DEFLATE_BLOCK_SIZE + 4321};
	const size_t count = sizeof(sizes) / sizeof(*sizes);
	struct made m = {.sizes = sizes, .is_random = is_random};
	const struct deflate_feed feed = {&m, open_made, read_made};
	struct cvx_err err = CVX_ERR_INIT;
	struct archive_writer *writer = NULL;
	char name[32], *want, *got;
	struct exported w;
	size_t i;

	EXPECT_OK(archive_writer_new(1700000000, &writer, &err), &err);
	for (i = 0; i < count; i++) {
		(void)snprintf(name, sizeof(name), "%zu", i);
		EXPECT_OK(archive_writer_add(writer, name, sizes[i], &err),
			  &err);
	}
	w.fd = exported_temp_file();
	EXPECT_OK(archive_writer_run(writer, w.fd, &feed, NULL, &w.size, &err),
		  &err);
	archive_writer_free(writer);
	exported_open(&w);
	EXPECT_INT(archive_entry_count(w.archive), count);
	for (i = 0; i < count; i++) {
		got = exported_read_at(w.archive, i);
		want = malloc(sizes[i] + 1);
		assert_non_null(want);
		make_bytes(&m, want, 0, sizes[i]);
		EXPECT_INT(memcmp(got, want, sizes[i]), 0);
		free(got);
		free(want);
	}
	exported_close(&w);
}

TEST(written_entries_of_all_sizes_can_be_read)
{
	check_sizes(false);
}

TEST(written_entries_that_do_not_shrink_can_be_read)
{
	check_sizes(true);
}

static int read_short(void *ctx, void *buf, size_t size, size_t *ret_n,
		      struct cvx_err *err)
{
	(void)ctx;
	(void)size;
	(void)err;
	memset(buf, 'x', 10);
	*ret_n = 10;
	return 0;
}

TEST(an_entry_of_another_size_than_promised_is_refused)
{
	struct made m = {.sizes = NULL};
	const struct deflate_feed feed = {&m, open_made, read_short};
	struct cvx_err err = CVX_ERR_INIT;
	struct archive_writer *writer = NULL;
	uint64_t size = 0;
	int fd = exported_temp_file();

	EXPECT_OK(archive_writer_new(0, &writer, &err), &err);
	EXPECT_OK(archive_writer_add(writer, "short", 11, &err), &err);
	EXPECT_FAIL(archive_writer_run(writer, fd, &feed, NULL, &size, &err),
		    &err, -EIO, "short");
	archive_writer_free(writer);
	(void)close(fd);
}

UNIT_MAIN(UNIT_CASE(written_entries_of_all_sizes_can_be_read),
	  UNIT_CASE(written_entries_that_do_not_shrink_can_be_read),
	  UNIT_CASE(an_entry_of_another_size_than_promised_is_refused))
