#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cache/spool.h"

#define BIG (SPOOL_MEMORY_MAX * 4)

/*
 * The disk can be made to misbehave: these stand in front of libc's.
 */
static bool no_tmpfile;
static bool no_link;
static int64_t room = -1; /* bytes that pwrite still takes; -1: all */

int openat(int dir_fd, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	if (no_tmpfile && (flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return (int)syscall(SYS_openat, dir_fd, path, flags, mode);
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	if (no_link) {
		errno = EXDEV;
		return -1;
	}
	return (int)syscall(SYS_linkat, from_fd, from, to_fd, to, flags);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t off)
{
	if (room == 0) {
		errno = ENOSPC;
		return -1;
	}
	if (room > 0) {
		size = size < (size_t)room ? size : (size_t)room;
		room -= (int64_t)size;
	}
	return syscall(SYS_pwrite64, fd, bytes, size, off);
}

struct fixture {
	struct cvx_err err;
	struct spool *spool;
	int dir_fd;
};

static void begin(struct fixture *f)
{
	*f = (struct fixture){.err = CVX_ERR_INIT};
	no_tmpfile = no_link = false;
	room = -1;
	f->dir_fd = open(unit_temp_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->dir_fd >= 0);
	EXPECT_OK(spool_new(f->dir_fd, &f->spool, &f->err), &f->err);
}

static void end(struct fixture *f)
{
	spool_free(f->spool);
	(void)close(f->dir_fd);
}

/* Bytes that tell their place. */
static char *pattern(size_t size, unsigned seed)
{
	char *bytes = malloc(size);
	size_t i;

	assert_non_null(bytes);
	for (i = 0; i < size; i++)
		bytes[i] = (char)((i * 31 + i / 251 + seed) & 0xff);
	return bytes;
}

static void write_at(struct fixture *f, uint64_t off, const void *bytes,
		     size_t size)
{
	EXPECT_OK(spool_write(f->spool, off, bytes, size, &f->err), &f->err);
}

static void expect_bytes(struct fixture *f, uint64_t off, const void *want,
			 size_t size)
{
	char *got = malloc(size + 1);
	size_t n = 0;

	assert_non_null(got);
	EXPECT_OK(spool_read(f->spool, off, got, size, &n, &f->err), &f->err);
	EXPECT_INT(n, size);
	assert_memory_equal(got, want, size);
	free(got);
}

static void expect_zeros(struct fixture *f, uint64_t off, size_t size)
{
	char *zeros = calloc(1, size);

	assert_non_null(zeros);
	expect_bytes(f, off, zeros, size);
	free(zeros);
}

static int count_names(void)
{
	char command[512];
	FILE *p;
	int n = -1;

	(void)snprintf(command, sizeof(command), "ls -A '%s' | wc -l",
		       unit_temp_dir());
	p = popen(command, "r");
	assert_non_null(p);
	assert_int_equal(fscanf(p, "%d", &n), 1);
	(void)pclose(p);
	return n;
}

static void expect_saved(struct fixture *f, const char *name, const void *want,
			 size_t size)
{
	char path[512], *got;
	size_t n = 0;
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", unit_temp_dir(), name);
	got = unit_read_file(path, &n);
	EXPECT_INT(n, size);
	assert_memory_equal(got, want, size);
	free(got);
	assert_int_equal(stat(path, &st), 0);
	EXPECT_INT(st.st_mode & 0777, 0600);
	assert_int_equal(unlinkat(f->dir_fd, name, 0), 0);
}

TEST(spool_starts_empty_and_reads_none)
{
	struct fixture f;
	char byte;
	size_t n = 7;

	begin(&f);
	EXPECT_INT(spool_size(f.spool), 0);
	EXPECT_OK(spool_read(f.spool, 0, &byte, 1, &n, &f.err), &f.err);
	EXPECT_INT(n, 0);
	n = 7;
	EXPECT_OK(spool_read(f.spool, 1 << 20, &byte, 1, &n, &f.err), &f.err);
	EXPECT_INT(n, 0);
	end(&f);
}

TEST(spool_reads_back_small_and_large)
{
	struct fixture f;
	char *bytes = pattern(BIG, 1);
	size_t sizes[] = {1, 4096, SPOOL_MEMORY_MAX, SPOOL_MEMORY_MAX + 1, BIG};
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		begin(&f);
		write_at(&f, 0, bytes, sizes[i]);
		EXPECT_INT(spool_size(f.spool), sizes[i]);
		expect_bytes(&f, 0, bytes, sizes[i]);
		expect_bytes(&f, sizes[i] / 2, bytes + sizes[i] / 2,
			     sizes[i] - sizes[i] / 2);
		end(&f);
	}
	free(bytes);
}

TEST(spool_read_stops_at_the_end)
{
	struct fixture f;
	char buf[16];
	size_t n = 0;

	begin(&f);
	write_at(&f, 0, "hello", 5);
	EXPECT_OK(spool_read(f.spool, 3, buf, sizeof(buf), &n, &f.err), &f.err);
	EXPECT_TEXT(buf, n, "lo");
	end(&f);
}

TEST(spool_small_ones_open_no_file)
{
	struct fixture f;

	begin(&f);
	write_at(&f, 0, "x", 1);
	EXPECT_OK(spool_truncate(f.spool, SPOOL_MEMORY_MAX, &f.err), &f.err);
	/* The descriptor after the folder's is still free. */
	EXPECT_INT(fcntl(f.dir_fd + 1, F_GETFD), -1);
	write_at(&f, SPOOL_MEMORY_MAX, "y", 1);
	assert_true(fcntl(f.dir_fd + 1, F_GETFD) >= 0);
	end(&f);
}

TEST(spool_in_a_file_leaves_no_name)
{
	struct fixture f;
	char *bytes = pattern(BIG, 2);
	int before;

	begin(&f);
	before = count_names();
	write_at(&f, 0, bytes, BIG);
	EXPECT_INT(count_names(), before);
	end(&f);
	free(bytes);
}

TEST(spool_works_without_tmpfile)
{
	struct fixture f;
	char *bytes = pattern(BIG, 3);
	int before;

	begin(&f);
	before = count_names();
	no_tmpfile = true;
	write_at(&f, 0, bytes, 10);
	write_at(&f, 10, bytes + 10, BIG - 10);
	EXPECT_INT(count_names(), before);
	expect_bytes(&f, 0, bytes, BIG);
	/* A file that had a name once cannot get another: copied. */
	EXPECT_OK(spool_save(f.spool, f.dir_fd, "kept", &f.err), &f.err);
	expect_saved(&f, "kept", bytes, BIG);
	end(&f);
	free(bytes);
}

TEST(spool_gaps_read_as_zeros_in_memory)
{
	struct fixture f;

	begin(&f);
	write_at(&f, 10000, "end", 3);
	EXPECT_INT(spool_size(f.spool), 10003);
	expect_zeros(&f, 0, 10000);
	expect_bytes(&f, 10000, "end", 3);
	end(&f);
}

TEST(spool_gaps_read_as_zeros_in_the_file)
{
	struct fixture f;

	begin(&f);
	write_at(&f, 0, "start", 5);
	write_at(&f, BIG, "end", 3);
	expect_bytes(&f, 0, "start", 5);
	expect_zeros(&f, 5, BIG - 5);
	expect_bytes(&f, BIG, "end", 3);
	end(&f);
}

TEST(spool_shortened_bytes_do_not_come_back)
{
	size_t sizes[] = {1000, BIG};
	struct fixture f;
	char *bytes = pattern(BIG, 4);
	size_t i;

	for (i = 0; i < 2; i++) {
		begin(&f);
		write_at(&f, 0, bytes, sizes[i]);
		EXPECT_OK(spool_truncate(f.spool, 10, &f.err), &f.err);
		EXPECT_INT(spool_size(f.spool), 10);
		EXPECT_OK(spool_truncate(f.spool, sizes[i], &f.err), &f.err);
		expect_bytes(&f, 0, bytes, 10);
		expect_zeros(&f, 10, sizes[i] - 10);
		EXPECT_OK(spool_truncate(f.spool, 0, &f.err), &f.err);
		write_at(&f, 20, "x", 1);
		expect_zeros(&f, 0, 20);
		end(&f);
	}
	free(bytes);
}

TEST(spool_lengthened_past_memory_keeps_its_bytes)
{
	struct fixture f;

	begin(&f);
	write_at(&f, 0, "abc", 3);
	EXPECT_OK(spool_truncate(f.spool, BIG, &f.err), &f.err);
	EXPECT_INT(spool_size(f.spool), BIG);
	expect_bytes(&f, 0, "abc", 3);
	expect_zeros(&f, 3, BIG - 3);
	end(&f);
}

TEST(spool_too_large_is_refused)
{
	struct fixture f;

	begin(&f);
	EXPECT_FAIL(spool_write(f.spool, INT64_MAX, "x", 1, &f.err), &f.err,
		    -EFBIG, "too large");
	EXPECT_FAIL(spool_write(f.spool, UINT64_MAX, "x", 1, &f.err), &f.err,
		    -EFBIG, "too large");
	EXPECT_FAIL(spool_truncate(f.spool, UINT64_MAX, &f.err), &f.err, -EFBIG,
		    "too large");
	EXPECT_INT(spool_size(f.spool), 0);
	end(&f);
}

/* F-1 for the spool: what a full disk leaves behind. */
TEST(spool_full_disk_keeps_what_was_there)
{
	struct fixture f;
	char *bytes = pattern(BIG, 5);

	begin(&f);
	write_at(&f, 0, bytes, BIG);
	room = 1000; /* a short write, then none */
	EXPECT_FAIL(spool_write(f.spool, BIG + 100, bytes, 5000, &f.err),
		    &f.err, -ENOSPC, "no room left");
	room = -1;
	EXPECT_INT(spool_size(f.spool), BIG);
	expect_bytes(&f, 0, bytes, BIG);
	/* Nothing of the failed write shows later. */
	EXPECT_OK(spool_truncate(f.spool, BIG + 6000, &f.err), &f.err);
	expect_zeros(&f, BIG, 6000);
	end(&f);
	free(bytes);
}

TEST(spool_full_disk_when_leaving_memory)
{
	struct fixture f;
	char *bytes = pattern(BIG, 6);

	begin(&f);
	write_at(&f, 0, bytes, SPOOL_MEMORY_MAX);
	room = 1000;
	EXPECT_FAIL(spool_write(f.spool, SPOOL_MEMORY_MAX, bytes, 10, &f.err),
		    &f.err, -ENOSPC, "no room left");
	room = -1;
	EXPECT_INT(spool_size(f.spool), SPOOL_MEMORY_MAX);
	expect_bytes(&f, 0, bytes, SPOOL_MEMORY_MAX);
	write_at(&f, SPOOL_MEMORY_MAX, bytes, 10);
	expect_bytes(&f, 0, bytes, SPOOL_MEMORY_MAX);
	end(&f);
	free(bytes);
}

TEST(spool_saves_from_memory_and_file)
{
	struct fixture f;
	char *bytes = pattern(BIG, 7);

	begin(&f);
	EXPECT_OK(spool_save(f.spool, f.dir_fd, "none", &f.err), &f.err);
	expect_saved(&f, "none", "", 0);
	write_at(&f, 0, bytes, 1000);
	EXPECT_OK(spool_save(f.spool, f.dir_fd, "small", &f.err), &f.err);
	expect_saved(&f, "small", bytes, 1000);
	write_at(&f, 1000, bytes + 1000, BIG - 1000);
	EXPECT_OK(spool_save(f.spool, f.dir_fd, "large", &f.err), &f.err);
	expect_saved(&f, "large", bytes, BIG);
	/* Linked, and the name is gone: the next one is a copy. */
	EXPECT_OK(spool_save(f.spool, f.dir_fd, "again", &f.err), &f.err);
	expect_saved(&f, "again", bytes, BIG);
	end(&f);
	free(bytes);
}

TEST(spool_saves_across_disks)
{
	struct fixture f;
	char *bytes = pattern(BIG, 8);

	begin(&f);
	no_link = true;
	write_at(&f, 0, bytes, BIG);
	EXPECT_OK(spool_save(f.spool, f.dir_fd, "kept", &f.err), &f.err);
	expect_saved(&f, "kept", bytes, BIG);
	end(&f);
	free(bytes);
}

/* F-3: what was kept is of that moment, whatever the writer does next. */
TEST(spool_saved_bytes_do_not_change)
{
	struct fixture f;
	char *bytes = pattern(BIG, 9);

	begin(&f);
	write_at(&f, 0, bytes, BIG);
	EXPECT_OK(spool_save(f.spool, f.dir_fd, "first", &f.err), &f.err);
	write_at(&f, 5, "changed", 7);
	EXPECT_OK(spool_save(f.spool, f.dir_fd, "second", &f.err), &f.err);
	EXPECT_OK(spool_truncate(f.spool, 5, &f.err), &f.err);
	expect_saved(&f, "first", bytes, BIG);
	memcpy(bytes + 5, "changed", 7);
	expect_saved(&f, "second", bytes, BIG);
	expect_bytes(&f, 0, bytes, 5);
	EXPECT_INT(spool_size(f.spool), 5);
	end(&f);
	free(bytes);
}

TEST(spool_saves_over_nothing)
{
	size_t sizes[] = {10, BIG};
	struct fixture f;
	char *bytes = pattern(BIG, 10);
	size_t i;

	for (i = 0; i < 2; i++) {
		begin(&f);
		EXPECT_OK(spool_save(f.spool, f.dir_fd, "kept", &f.err),
			  &f.err);
		write_at(&f, 0, bytes, sizes[i]);
		EXPECT_FAIL(spool_save(f.spool, f.dir_fd, "kept", &f.err),
			    &f.err, -EEXIST, "kept");
		expect_saved(&f, "kept", "", 0);
		end(&f);
	}
	free(bytes);
}

TEST(spool_full_disk_saves_no_half)
{
	struct fixture f;
	char *bytes = pattern(BIG, 11);
	int before;

	begin(&f);
	write_at(&f, 0, bytes, 10000);
	before = count_names();
	room = 100;
	EXPECT_FAIL(spool_save(f.spool, f.dir_fd, "kept", &f.err), &f.err,
		    -ENOSPC, "kept");
	room = -1;
	EXPECT_INT(count_names(), before);
	/* In a file there is nothing to copy, so it works on a full disk. */
	write_at(&f, 0, bytes, BIG);
	room = 0;
	EXPECT_OK(spool_save(f.spool, f.dir_fd, "kept", &f.err), &f.err);
	expect_saved(&f, "kept", bytes, BIG);
	end(&f);
	free(bytes);
}

TEST(spool_syncs)
{
	struct fixture f;
	char *bytes = pattern(BIG, 12);

	begin(&f);
	spool_sync_early(f.spool, 0, 1);
	EXPECT_OK(spool_sync(f.spool, &f.err), &f.err);
	write_at(&f, 0, bytes, BIG);
	spool_sync_early(f.spool, 0, BIG);
	spool_sync_early(f.spool, BIG, 0);
	EXPECT_OK(spool_sync(f.spool, &f.err), &f.err);
	end(&f);
	free(bytes);
}

static uint64_t bytes_on_disk(struct fixture *f)
{
	struct stat st;
	int fd;

	EXPECT_OK(spool_descriptor(f->spool, &fd, &f->err), &f->err);
	assert_int_equal(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

TEST(spool_gives_room_back)
{
	struct fixture f;
	char *bytes = pattern(BIG, 13);
	const uint64_t half = BIG / 2;
	uint64_t before;

	begin(&f);
	spool_discard(f.spool, 0, 10); /* of nothing, and from memory */
	write_at(&f, 0, bytes, 1000);
	spool_discard(f.spool, 0, 1000);
	write_at(&f, 0, bytes, BIG);
	before = bytes_on_disk(&f);
	spool_discard(f.spool, half, BIG - half);
	assert_true(bytes_on_disk(&f) <= before - (BIG - half) + 2 * 4096);
	EXPECT_INT(spool_size(f.spool), BIG);
	expect_bytes(&f, 0, bytes, half);
	write_at(&f, half, bytes + half, BIG - half);
	expect_bytes(&f, 0, bytes, BIG);
	/* Never what somebody else has. */
	EXPECT_OK(spool_save(f.spool, f.dir_fd, "kept", &f.err), &f.err);
	spool_discard(f.spool, 0, BIG);
	expect_saved(&f, "kept", bytes, BIG);
	end(&f);
	free(bytes);
}

TEST(spool_without_its_folder_fails_past_memory)
{
	struct fixture f;
	char *bytes = pattern(BIG, 13);
	struct spool *s;

	begin(&f);
	EXPECT_OK(spool_new(-1, &s, &f.err), &f.err);
	EXPECT_FAIL(spool_write(s, 0, bytes, BIG, &f.err), &f.err, -EBADF,
		    "spool");
	EXPECT_INT(spool_size(s), 0);
	EXPECT_OK(spool_write(s, 0, bytes, 10, &f.err), &f.err);
	spool_free(s);
	end(&f);
	free(bytes);
}

/* Random operations against a plain buffer. */
TEST(spool_behaves_like_a_buffer)
{
	static char model[BIG * 2], got[BIG * 2];
	struct fixture f;
	char *bytes = pattern(BIG, 14);
	uint64_t size = 0, seed = 42;
	char name[32];
	size_t n;
	int i;

	begin(&f);
	memset(model, 0, sizeof(model));
	for (i = 0; i < 3000; i++) {
		uint64_t a, b;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		a = (seed >> 33) % (i < 1500 ? SPOOL_MEMORY_MAX / 2 : BIG);
		b = (seed >> 17) % (i < 1500 ? 5000 : 200000);
		switch ((seed >> 60) % 8) {
		case 0:
			if (a < size)
				memset(model + a, 0, size - a);
			size = a;
			EXPECT_OK(spool_truncate(f.spool, a, &f.err), &f.err);
			break;
		case 1:
			(void)snprintf(name, sizeof(name), "model-%d", i);
			if (i % 16)
				break;
			EXPECT_OK(spool_save(f.spool, f.dir_fd, name, &f.err),
				  &f.err);
			expect_saved(&f, name, model, size);
			break;
		case 2:
		case 3:
			EXPECT_OK(spool_read(f.spool, a, got, b, &n, &f.err),
				  &f.err);
			EXPECT_INT(n, a >= size	     ? 0
				      : size - a < b ? size - a
						     : b);
			assert_memory_equal(got, model + a, n);
			break;
		default:
			write_at(&f, a, bytes + b % 1000, b);
			memcpy(model + a, bytes + b % 1000, b);
			if (b > 0 && a + b > size)
				size = a + b;
		}
		EXPECT_INT(spool_size(f.spool), size);
	}
	expect_bytes(&f, 0, model, size);
	end(&f);
	free(bytes);
}

#define THREADS 4
#define PIECE ((size_t)8192)
#define PIECES 128 /* a thread; together far past SPOOL_MEMORY_MAX */

struct job {
	struct spool *spool;
	const char *bytes;
	unsigned first;
	int failed;
};

/* Writes every THREADS-th piece and reads each back at once. */
static void *write_pieces(void *arg)
{
	struct job *job = arg;
	char got[PIECE];
	unsigned i;
	size_t n;

	for (i = job->first; i < PIECES * THREADS; i += THREADS) {
		uint64_t off = i * PIECE;

		if (spool_write(job->spool, off, job->bytes + off, PIECE,
				NULL) < 0 ||
		    spool_read(job->spool, off, got, PIECE, &n, NULL) < 0 ||
		    n != PIECE || memcmp(got, job->bytes + off, PIECE) != 0)
			job->failed++;
	}
	return NULL;
}

TEST(spool_writers_and_readers_overlap)
{
	struct fixture f;
	char *bytes = pattern(PIECE * PIECES * THREADS, 15);
	struct job jobs[THREADS];
	pthread_t threads[THREADS];
	unsigned i;

	begin(&f);
	for (i = 0; i < THREADS; i++) {
		jobs[i] = (struct job){f.spool, bytes, i, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, write_pieces,
						&jobs[i]),
				 0);
	}
	for (i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		EXPECT_INT(jobs[i].failed, 0);
	}
	EXPECT_INT(spool_size(f.spool), PIECE * PIECES * THREADS);
	expect_bytes(&f, 0, bytes, PIECE * PIECES * THREADS);
	end(&f);
	free(bytes);
}

UNIT_MAIN(UNIT_CASE(spool_starts_empty_and_reads_none),
	  UNIT_CASE(spool_reads_back_small_and_large),
	  UNIT_CASE(spool_read_stops_at_the_end),
	  UNIT_CASE(spool_small_ones_open_no_file),
	  UNIT_CASE(spool_in_a_file_leaves_no_name),
	  UNIT_CASE(spool_works_without_tmpfile),
	  UNIT_CASE(spool_gaps_read_as_zeros_in_memory),
	  UNIT_CASE(spool_gaps_read_as_zeros_in_the_file),
	  UNIT_CASE(spool_shortened_bytes_do_not_come_back),
	  UNIT_CASE(spool_lengthened_past_memory_keeps_its_bytes),
	  UNIT_CASE(spool_too_large_is_refused),
	  UNIT_CASE(spool_full_disk_keeps_what_was_there),
	  UNIT_CASE(spool_full_disk_when_leaving_memory),
	  UNIT_CASE(spool_saves_from_memory_and_file),
	  UNIT_CASE(spool_saves_across_disks),
	  UNIT_CASE(spool_saved_bytes_do_not_change),
	  UNIT_CASE(spool_saves_over_nothing),
	  UNIT_CASE(spool_full_disk_saves_no_half), UNIT_CASE(spool_syncs),
	  UNIT_CASE(spool_gives_room_back),
	  UNIT_CASE(spool_without_its_folder_fails_past_memory),
	  UNIT_CASE(spool_behaves_like_a_buffer),
	  UNIT_CASE(spool_writers_and_readers_overlap))
