/* cache/segment: stages, their publication, and sorted keys. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache/base/file.h"
#include "cache/segment.h"
#include "tests/unit/unit.h"

/* A sweep of another process that comes between the creation of a file and
 * its lock: it has the lock already, and removes the file a bit later. */
static struct {
	bool armed;
	int fd;
	char path[512];
	pthread_t thread;
} sweep;

static void *sweep_late(void *arg)
{
	(void)arg;
	(void)usleep(20000);
	(void)unlink(sweep.path);
	(void)close(sweep.fd);
	return NULL;
}

/* In place of the one of libc: locks as it does. */
int flock(int fd, int operation)
{
	char link[64];
	ssize_t n;

	if (sweep.armed) {
		sweep.armed = false;
		(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, sweep.path, sizeof(sweep.path) - 1);
		assert_true(n > 0);
		sweep.path[n] = '\0';
		sweep.fd = open(link, O_RDONLY | O_CLOEXEC);
		assert_true(sweep.fd >= 0);
		EXPECT_INT(syscall(SYS_flock, sweep.fd, LOCK_EX), 0);
		EXPECT_INT(
			pthread_create(&sweep.thread, NULL, sweep_late, NULL),
			0);
	}
	return (int)syscall(SYS_flock, fd, operation);
}

static int new_dir(void)
{
	static unsigned n;
	char path[300];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/segment-%u", unit_temp_dir(),
		       n++);
	EXPECT_INT(mkdir(path, 0700), 0);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* A small generator with a fixed seed: the same keys each time. */
static uint64_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return *state >> 24;
}

enum shape { RANDOM, ASCENDING, DESCENDING, FEW_VALUES, LAST_BYTES, SHAPES };

static struct segment_key *make_keys(enum shape shape, size_t count,
				     uint64_t seed)
{
	struct segment_key *keys = calloc(count + 1, sizeof(*keys));
	uint64_t state = seed;
	size_t i, j;

	assert_non_null(keys);
	for (i = 0; i < count; i++) {
		uint64_t n = shape == DESCENDING ? count - i : i;

		keys[i].off = i;
		for (j = 0; j < SEGMENT_KEY_SIZE; j++) {
			switch (shape) {
			case RANDOM:
				keys[i].bytes[j] = (uint8_t)next_random(&state);
				break;
			case ASCENDING:
			case DESCENDING:
				if (j >= 8)
					keys[i].bytes[j] =
						(uint8_t)(n >> (120 - 8 * j));
				break;
			case FEW_VALUES:
				keys[i].bytes[j] =
					j == 7 ? (uint8_t)(next_random(&state) %
							   5)
					       : 9;
				break;
			case LAST_BYTES:
				keys[i].bytes[j] =
					j < 14 ? 0xff
					       : (uint8_t)next_random(&state);
				break;
			case SHAPES:
				break;
			}
		}
	}
	return keys;
}

static int compare(const void *a, const void *b)
{
	return segment_key_compare(a, b);
}

TEST(segment_sorts_keys_as_qsort_does)
{
	static const size_t counts[] = {0, 1, 2, 23, 24, 25, 300, 20000};
	enum shape shape;
	size_t i, j;

	for (shape = RANDOM; shape < SHAPES; shape++) {
		for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
			size_t count = counts[i];
			struct segment_key *keys = make_keys(shape, count, 1);
			struct segment_key *want = make_keys(shape, count, 1);
			uint64_t sum = 0;

			segment_sort_keys(keys, count);
			qsort(want, count, sizeof(*want), compare);
			for (j = 0; j < count; j++) {
				EXPECT_INT(
					segment_key_compare(&keys[j], &want[j]),
					0);
				sum += keys[j].off;
			}
			/* Equal keys may stand in any order, but each once. */
			EXPECT_INT(sum,
				   count == 0 ? 0 : count * (count - 1) / 2);
			free(keys);
			free(want);
		}
	}
}

TEST(segment_keys_file_gives_back_the_keys)
{
	enum { KEY_COUNT = 9000 };
	struct segment_key *keys = make_keys(ASCENDING, KEY_COUNT, 1), key;
	int dir_fd = new_dir(), fd = -1;

	fd = openat(dir_fd, "k", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	keys[KEY_COUNT - 1].off = UINT64_MAX;
	EXPECT_INT(segment_write_keys(fd, keys, KEY_COUNT), 0);
	(void)close(fd);
	EXPECT_INT(segment_open_keys(dir_fd, "k", KEY_COUNT, &fd), 0);
	EXPECT_INT(segment_read_keys(fd, KEY_COUNT - 1, &key, 1), 0);
	assert_memory_equal(&key, &keys[KEY_COUNT - 1], sizeof(key));
	EXPECT_INT(segment_read_keys(fd, 4096, &key, 1), 0);
	assert_memory_equal(&key, &keys[4096], sizeof(key));
	EXPECT_INT(segment_read_keys(fd, KEY_COUNT, &key, 1), -EINVAL);
	(void)close(fd);
	(void)close(dir_fd);
	free(keys);
}

/* The format on disk is fixed, whatever the machine. */
TEST(segment_keys_file_has_its_layout)
{
	static const unsigned char want[] =
		"CVXKEYS1\1\0\0\0\0\0\0\0"
		"abcdefghijklmnop\x02\x01\0\0\0\0\0\0";
	struct segment_key key = {.off = 0x102};
	int dir_fd = new_dir(), fd;
	unsigned char got[64];
	size_t n = 0;

	memcpy(key.bytes, "abcdefghijklmnop", 16);
	fd = openat(dir_fd, "k", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	EXPECT_INT(segment_write_keys(fd, &key, 1), 0);
	EXPECT_INT(file_pread(fd, got, sizeof(got), 0, &n), 0);
	EXPECT_INT(n, sizeof(want) - 1);
	assert_memory_equal(got, want, n);
	(void)close(fd);
	(void)close(dir_fd);
}

TEST(segment_keys_file_that_is_damaged_is_refused)
{
	struct segment_key keys[2] = {{{1}, 0}, {{2}, 5}};
	int dir_fd = new_dir(), fd, got = -1;

	EXPECT_INT(segment_open_keys(dir_fd, "k", 2, &got), -ENOENT);
	fd = openat(dir_fd, "k", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	EXPECT_INT(segment_open_keys(dir_fd, "k", 2, &got), -EINVAL);
	EXPECT_INT(segment_write_keys(fd, keys, 2), 0);
	EXPECT_INT(segment_open_keys(dir_fd, "k", 3, &got), -EINVAL);
	EXPECT_INT(ftruncate(fd, 16 + 24), 0);
	EXPECT_INT(segment_open_keys(dir_fd, "k", 2, &got), -EINVAL);
	EXPECT_INT(segment_write_keys(fd, keys, 2), 0);
	EXPECT_INT(pwrite(fd, "X", 1, 0), 1);
	EXPECT_INT(segment_open_keys(dir_fd, "k", 2, &got), -EINVAL);
	EXPECT_INT(got, -1);
	(void)close(fd);
	(void)close(dir_fd);
}

struct found {
	uint64_t count, off_sum;
};

static void note_found(void *ctx, const struct segment_key *key)
{
	struct found *found = ctx;

	found->count++;
	found->off_sum += key->off;
}

/* Few keys are searched for one by one, many are walked along with the file:
 * both must find what a plain look-up finds. */
TEST(segment_match_finds_what_is_in_the_file)
{
	enum { FILE_COUNT = 30000 };
	static const size_t counts[] = {1, 3, 30, 31, 1000, 25000};
	struct segment_key *stored = make_keys(ASCENDING, FILE_COUNT, 1);
	int dir_fd = new_dir(), fd;
	uint64_t random = 7;
	size_t i, j;

	fd = openat(dir_fd, "k", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	EXPECT_INT(segment_write_keys(fd, stored, FILE_COUNT), 0);
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct segment_key *keys = make_keys(ASCENDING, counts[i], 1);
		struct found found = {0, 0}, want = {0, 0};

		for (j = 0; j < counts[i]; j++) {
			uint64_t n = next_random(&random) % (2 * FILE_COUNT);

			keys[j] = stored[n % FILE_COUNT];
			keys[j].off = j;
			if (n >= FILE_COUNT) {
				keys[j].bytes[0] = 1; /* behind all of them */
				continue;
			}
			want.count++;
			want.off_sum += j;
		}
		segment_sort_keys(keys, counts[i]);
		EXPECT_INT(segment_match_keys(fd, FILE_COUNT, keys, counts[i],
					      note_found, &found),
			   0);
		EXPECT_INT(found.count, want.count);
		EXPECT_INT(found.off_sum, want.off_sum);
		free(keys);
	}
	(void)close(fd);
	(void)close(dir_fd);
	free(stored);
}

static unsigned count_stages(int dir_fd)
{
	unsigned before = segment_sweep_stages(dir_fd);

	/* A second sweep finds nothing that the first could remove. */
	EXPECT_INT(segment_sweep_stages(dir_fd), 0);
	return before;
}

TEST(segment_stage_goes_when_it_is_freed)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct segment_stage *stage = NULL;
	int dir_fd = new_dir();

	EXPECT_OK(segment_stage_new(dir_fd, &stage, &err), &err);
	segment_stage_free(stage);
	EXPECT_INT(count_stages(dir_fd), 0);
	segment_stage_free(NULL);
	(void)close(dir_fd);
}

TEST(segment_stage_that_is_published_stays)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct segment_stage *stage = NULL;
	int stage_fd = new_dir(), dir_fd = new_dir();

	EXPECT_OK(segment_stage_new(stage_fd, &stage, &err), &err);
	EXPECT_INT(file_pwrite(segment_stage_fd(stage), "x\n", 2, 0), 0);
	EXPECT_OK(segment_publish(stage, dir_fd, "5.rows", &err), &err);
	segment_stage_free(stage);
	EXPECT_INT(faccessat(dir_fd, "5.rows", F_OK, 0), 0);
	(void)close(stage_fd);
	(void)close(dir_fd);
}

TEST(segment_publish_reports_a_folder_that_is_gone)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct segment_stage *stage = NULL;
	int stage_fd = new_dir();

	EXPECT_OK(segment_stage_new(stage_fd, &stage, &err), &err);
	EXPECT_FAIL(segment_publish(stage, stage_fd, "no/5.rows", &err), &err,
		    -ENOENT, "5.rows");
	segment_stage_free(stage);
	EXPECT_INT(count_stages(stage_fd), 0);
	(void)close(stage_fd);
}

/* A process that dies leaves its stage without a lock. */
TEST(segment_sweep_removes_only_stages_of_the_dead)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct segment_stage *stage = NULL;
	int dir_fd = new_dir(), status, fd;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(segment_stage_new(dir_fd, &stage, NULL) < 0);
	EXPECT_INT(waitpid(pid, &status, 0), pid);
	EXPECT_INT(status, 0);
	EXPECT_OK(segment_stage_new(dir_fd, &stage, &err), &err);
	fd = openat(dir_fd, "other", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	(void)close(fd);
	EXPECT_INT(count_stages(dir_fd), 1);
	EXPECT_INT(file_pwrite(segment_stage_fd(stage), "x", 1, 0), 0);
	EXPECT_OK(segment_publish(stage, dir_fd, "still-there", &err), &err);
	EXPECT_INT(faccessat(dir_fd, "other", F_OK, 0), 0);
	segment_stage_free(stage);
	(void)close(dir_fd);
}

TEST(segment_stage_that_is_swept_while_it_is_made_is_made_again)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct segment_stage *stage = NULL;
	int dir_fd = new_dir();

	sweep.armed = true;
	EXPECT_OK(segment_stage_new(dir_fd, &stage, &err), &err);
	EXPECT_INT(pthread_join(sweep.thread, NULL), 0);
	EXPECT_INT(faccessat(AT_FDCWD, sweep.path, F_OK, 0), -1);
	EXPECT_OK(segment_publish(stage, dir_fd, "5.rows", &err), &err);
	segment_stage_free(stage);
	(void)close(dir_fd);
}

UNIT_MAIN(UNIT_CASE(segment_sorts_keys_as_qsort_does),
	  UNIT_CASE(segment_keys_file_gives_back_the_keys),
	  UNIT_CASE(segment_keys_file_has_its_layout),
	  UNIT_CASE(segment_keys_file_that_is_damaged_is_refused),
	  UNIT_CASE(segment_match_finds_what_is_in_the_file),
	  UNIT_CASE(segment_stage_goes_when_it_is_freed),
	  UNIT_CASE(segment_stage_that_is_published_stays),
	  UNIT_CASE(segment_publish_reports_a_folder_that_is_gone),
	  UNIT_CASE(segment_sweep_removes_only_stages_of_the_dead),
	  UNIT_CASE(segment_stage_that_is_swept_while_it_is_made_is_made_again))
