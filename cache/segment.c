#include "cache/segment.h"

#include <assert.h>
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/stage_folder.h"
#include "cache/stage_make.h"

#define KEYS_MAGIC "CVXKEYS1"
#define KEYS_HEAD_SIZE 16
#define KEY_FILE_SIZE 24
#define KEYS_AT_ONCE 4096

struct segment_stage {
	int dir_fd;
	int fd;
	bool published;
	char name[STAGE_NAME_SIZE];
};

CVX_DEFINE_CLEANUP(struct segment_stage, segment_stage_free)

int segment_stage_new(int stage_dir_fd, struct segment_stage **ret,
		      struct cvx_err *err)
{
	CVX_AUTO(segment_stage_freep)
	struct segment_stage *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return cvx_fail_memory(err);
	s->dir_fd = stage_dir_fd;
	s->fd = -1;
	r = stage_make(stage_dir_fd, STAGE_FILE, s->name, &s->fd);
	if (r < 0)
		return cvx_fail(err, r, "cannot create a staged file: %s",
				strerror(-r));
	*ret = CVX_TAKE(s);
	return 0;
}

void segment_stage_free(struct segment_stage *s)
{
	if (!s)
		return;
	if (s->fd >= 0) {
		/* What cannot be removed now, a sweep removes. */
		if (!s->published)
			(void)unlinkat(s->dir_fd, s->name, 0);
		(void)close(s->fd);
	}
	free(s);
}

int segment_stage_fd(const struct segment_stage *s)
{
	return s->fd;
}

int segment_publish(struct segment_stage *s, int dir_fd, const char *name,
		    struct cvx_err *err)
{
	assert(!s->published);
	if (renameat(s->dir_fd, s->name, dir_fd, name) < 0)
		return cvx_fail(err, -errno, "cannot name the segment %s: %s",
				name, strerror(errno));
	s->published = true;
	return 0;
}

static bool sweep_one(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	bool orphan;

	if (fd < 0 && errno == EISDIR)
		return stage_folder_sweep(dir_fd, name);
	if (fd < 0)
		return false;
	orphan = flock(fd, LOCK_EX | LOCK_NB) == 0 &&
		 unlinkat(dir_fd, name, 0) == 0;
	(void)close(fd);
	return orphan;
}

unsigned segment_sweep_stages(int stage_dir_fd)
{
	int fd = openat(stage_dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	unsigned count = 0;

	if (!dir) {
		cvx_closep(&fd);
		return 0;
	}
	while ((entry = readdir(dir)))
		if (strncmp(entry->d_name, SEGMENT_STAGE_PREFIX,
			    strlen(SEGMENT_STAGE_PREFIX)) == 0 &&
		    sweep_one(stage_dir_fd, entry->d_name))
			count++;
	(void)closedir(dir);
	return count;
}

int segment_key_compare(const struct segment_key *a,
			const struct segment_key *b)
{
	return memcmp(a->bytes, b->bytes, SEGMENT_KEY_SIZE);
}

/* Keys below this count are sorted by insertion. */
#define INSERTION_MAX 24

static void sort_by_insertion(struct segment_key *keys, size_t count)
{
	struct segment_key key;
	size_t i, j;

	for (i = 1; i < count; i++) {
		if (segment_key_compare(&keys[i - 1], &keys[i]) <= 0)
			continue;
		key = keys[i];
		for (j = i;
		     j > 0 && segment_key_compare(&key, &keys[j - 1]) < 0; j--)
			keys[j] = keys[j - 1];
		keys[j] = key;
	}
}

/*
 * The "American flag" radix sort: counts the keys of each value of one byte,
 * then swaps every key into the part of its value, then sorts the parts by the
 * next byte. In place, and at most SEGMENT_KEY_SIZE deep.
 */
static void sort_by_byte(struct segment_key *keys, size_t count, unsigned byte)
{
	size_t ends[256] = {0}, next[256], sum = 0, i;
	struct segment_key key, swapped;
	unsigned value;

	if (count <= INSERTION_MAX) {
		sort_by_insertion(keys, count);
		return;
	}
	for (i = 0; i < count; i++)
		ends[keys[i].bytes[byte]]++;
	for (value = 0; value < 256; value++) {
		next[value] = sum;
		sum += ends[value];
		ends[value] = sum;
	}
	for (value = 0; value < 256; value++) {
		while (next[value] < ends[value]) {
			key = keys[next[value]];
			while (key.bytes[byte] != value) {
				swapped = keys[next[key.bytes[byte]]];
				keys[next[key.bytes[byte]]++] = key;
				key = swapped;
			}
			keys[next[value]++] = key;
		}
	}
	if (byte + 1 == SEGMENT_KEY_SIZE)
		return;
	for (value = 0, i = 0; value < 256; value++) {
		if (ends[value] > i + 1)
			sort_by_byte(keys + i, ends[value] - i, byte + 1);
		i = ends[value];
	}
}

void segment_sort_keys(struct segment_key *keys, size_t count)
{
	size_t i;

	for (i = 1; i < count; i++)
		if (segment_key_compare(&keys[i - 1], &keys[i]) > 0)
			break;
	if (i < count)
		sort_by_byte(keys, count, 0);
}

int segment_write_keys(int fd, const struct segment_key *keys, size_t count)
{
	uint64_t file_count = htole64(count), file_off, off = KEYS_HEAD_SIZE;
	CVX_AUTO(cvx_freep) char *bytes = malloc(KEYS_AT_ONCE * KEY_FILE_SIZE);
	size_t done, n, i;
	int r;

	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, KEYS_MAGIC, 8);
	memcpy(bytes + 8, &file_count, 8);
	r = file_pwrite(fd, bytes, KEYS_HEAD_SIZE, 0);
	for (done = 0; r == 0 && done < count; done += n) {
		n = count - done < KEYS_AT_ONCE ? count - done : KEYS_AT_ONCE;
		for (i = 0; i < n; i++) {
			file_off = htole64(keys[done + i].off);
			memcpy(bytes + i * KEY_FILE_SIZE, keys[done + i].bytes,
			       SEGMENT_KEY_SIZE);
			memcpy(bytes + i * KEY_FILE_SIZE + SEGMENT_KEY_SIZE,
			       &file_off, 8);
		}
		r = file_pwrite(fd, bytes, n * KEY_FILE_SIZE, off);
		off += n * KEY_FILE_SIZE;
	}
	return r;
}

int segment_open_keys(int dir_fd, const char *name, uint64_t file_count,
		      int *ret_fd)
{
	CVX_AUTO(cvx_closep) int fd = -1;
	char head[KEYS_HEAD_SIZE];
	uint64_t count;
	struct stat st;
	size_t n;
	int r;

	fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	r = file_pread(fd, head, sizeof(head), 0, &n);
	if (r < 0)
		return r;
	memcpy(&count, head + 8, 8);
	if (n != sizeof(head) || memcmp(head, KEYS_MAGIC, 8) != 0 ||
	    le64toh(count) != file_count ||
	    ((uint64_t)st.st_size - KEYS_HEAD_SIZE) / KEY_FILE_SIZE !=
		    file_count)
		return -EINVAL;
	*ret_fd = CVX_TAKE_FD(fd);
	return 0;
}

int segment_read_keys(int fd, uint64_t nth, struct segment_key *keys,
		      size_t count)
{
	uint64_t off = KEYS_HEAD_SIZE + nth * KEY_FILE_SIZE;
	size_t n, i;
	int r;

	/* The layout of the file is that of the struct, but for the order of
	 * the bytes in a number. */
	_Static_assert(sizeof(*keys) == KEY_FILE_SIZE, "a key is 24 bytes");
	r = file_pread(fd, keys, count * KEY_FILE_SIZE, off, &n);
	if (r < 0)
		return r;
	if (n != count * KEY_FILE_SIZE)
		return -EINVAL;
	for (i = 0; i < count; i++)
		keys[i].off = le64toh(keys[i].off);
	return 0;
}

/* The first position in the file, from low on, whose key is not below key. */
static int find_lower_bound(int fd, uint64_t low, uint64_t high,
			    const struct segment_key *key, uint64_t *ret_nth,
			    struct segment_key *ret_key)
{
	struct segment_key got;
	int r;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		r = segment_read_keys(fd, middle, &got, 1);
		if (r < 0)
			return r;
		if (segment_key_compare(&got, key) < 0) {
			low = middle + 1;
		} else {
			high = middle;
			*ret_key = got;
		}
	}
	*ret_nth = low;
	return 0;
}

/* Few keys: a search for each. */
static int match_by_search(int fd, uint64_t file_count,
			   const struct segment_key *keys, size_t count,
			   void (*found)(void *ctx,
					 const struct segment_key *key),
			   void *ctx)
{
	struct segment_key got = {{0}, 0};
	uint64_t nth = 0;
	size_t i;
	int r;

	for (i = 0; i < count; i++) {
		r = find_lower_bound(fd, nth, file_count, &keys[i], &nth, &got);
		if (r < 0)
			return r;
		if (nth < file_count &&
		    segment_key_compare(&got, &keys[i]) == 0)
			found(ctx, &keys[i]);
	}
	return 0;
}

/* Many keys: both lists side by side. */
static int match_by_walk(int fd, uint64_t file_count,
			 const struct segment_key *keys, size_t count,
			 void (*found)(void *ctx,
				       const struct segment_key *key),
			 void *ctx)
{
	CVX_AUTO(cvx_freep)
	struct segment_key *got = malloc(KEYS_AT_ONCE * sizeof(*got));
	uint64_t nth = 0;
	size_t n, i = 0, j;
	int r, order;

	if (!got)
		return -ENOMEM;
	for (; nth < file_count && i < count; nth += n) {
		n = file_count - nth < KEYS_AT_ONCE ? (size_t)(file_count - nth)
						    : KEYS_AT_ONCE;
		r = segment_read_keys(fd, nth, got, n);
		if (r < 0)
			return r;
		for (j = 0; j < n && i < count;) {
			order = segment_key_compare(&got[j], &keys[i]);
			if (order == 0)
				found(ctx, &keys[i]);
			if (order < 0)
				j++;
			else
				i++;
		}
	}
	return 0;
}

int segment_match_keys(int fd, uint64_t file_count,
		       const struct segment_key *keys, size_t count,
		       void (*found)(void *ctx, const struct segment_key *key),
		       void *ctx)
{
	/* A search costs about 20 reads; a walk one read for 4,096 keys. */
	if (count < file_count / KEYS_AT_ONCE * 4 + 4)
		return match_by_search(fd, file_count, keys, count, found, ctx);
	return match_by_walk(fd, file_count, keys, count, found, ctx);
}
