#include "cache/rejects.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/reject_name.h"
#include "cache/spool.h"

/*
 * The folder itself is the only state, so several mounts can share it. A
 * reject is up to three files:
 *
 *   STEM.rejected   the bytes
 *   STEM.error      the text; its time is the reject's
 *   STEM.path       the path, where STEM does not tell it
 *
 * Everything else in the folder is somebody else's and left alone.
 *
 * 1. Files get their names by rename, complete and synced.
 * 2. While bytes are being replaced there is no text, so that a crash never
 *    leaves bytes with the text of others.
 */

/* Then the process and a count, so that two at work do not meet. */
#define TEMP_PREFIX ".temporary-"

struct rejects {
	int dir_fd;
	uint64_t limit;
	_Atomic unsigned temp_count;
	/* One change of the set of rejects at a time. Not held while bytes are
	 * written, so nobody waits for a large file. */
	pthread_mutex_t lock;
};

/* Takes the lock, and that of other processes. Where the file system has no
 * flock the mounts that share the folder are on their own. */
static void lock(struct rejects *r)
{
	(void)pthread_mutex_lock(&r->lock);
	while (flock(r->dir_fd, LOCK_EX) < 0 && errno == EINTR)
		;
}

static void unlock(struct rejects *r)
{
	(void)flock(r->dir_fd, LOCK_UN);
	(void)pthread_mutex_unlock(&r->lock);
}

static int open_file(struct rejects *r, const char *name, int *ret_fd)
{
	struct stat st;
	int fd = openat(r->dir_fd, name,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		return -ENOENT;
	}
	*ret_fd = fd;
	return 0;
}

/* The path that a hashed stem stands for, from its file; NULL if none. */
static char *read_path(struct rejects *r, const char *stem, size_t size)
{
	char buf[PATH_MAX], again[REJECT_STEM_MAX + 1], name[NAME_MAX + 1];
	CVX_AUTO(cvx_closep) int fd = -1;
	size_t n;

	(void)snprintf(name, sizeof(name), "%.*s" REJECT_PATH, (int)size, stem);
	if (open_file(r, name, &fd) < 0 ||
	    file_pread(fd, buf, sizeof(buf) - 1, 0, &n) < 0)
		return NULL;
	buf[n] = '\0';
	if (!reject_stem(buf, again) || strlen(again) != size ||
	    memcmp(again, stem, size) != 0)
		return NULL;
	return strdup(buf);
}

static char *path_of_stem(struct rejects *r, const char *stem, size_t size)
{
	if (size == 0 || size > REJECT_STEM_MAX)
		return NULL;
	if (reject_stem_is_hash(stem, size))
		return read_path(r, stem, size);
	return reject_decode_stem(stem, size);
}

static int stat_file(struct rejects *r, const char *path, const char *suffix,
		     struct stat *ret)
{
	struct reject_name name = reject_name(path, suffix);

	if (fstatat(r->dir_fd, name.text, ret, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return S_ISREG(ret->st_mode) ? 0 : -ENOENT;
}

static int64_t mtime_ns(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* All but ret->path. */
static int look_at(struct rejects *r, const char *path, struct reject_info *ret)
{
	struct stat bytes, text;
	int rb = stat_file(r, path, REJECT_BYTES, &bytes);
	int rt = stat_file(r, path, REJECT_TEXT, &text);

	if (rb < 0 && rt < 0)
		return rb;
	*ret = (struct reject_info){
		.has_bytes = rb == 0,
		.has_text = rt == 0,
		.size = rb == 0 ? (uint64_t)bytes.st_size : 0,
		.text_size = rt == 0 ? (uint64_t)text.st_size : 0,
		.made_ns = mtime_ns(rt == 0 ? &text : &bytes),
	};
	return 0;
}

static int remove_file(struct rejects *r, const char *path, const char *suffix)
{
	struct reject_name name = reject_name(path, suffix);

	if (unlinkat(r->dir_fd, name.text, 0) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

/* The path's own file goes with the last of the two. */
static int remove_half(struct rejects *r, const char *path, const char *suffix)
{
	struct reject_info info;
	int e = remove_file(r, path, suffix);

	if (e == 0 && look_at(r, path, &info) == -ENOENT)
		e = remove_file(r, path, REJECT_PATH);
	return e;
}

static int remove_both(struct rejects *r, const char *path)
{
	int e = remove_half(r, path, REJECT_BYTES);

	return e < 0 ? e : remove_half(r, path, REJECT_TEXT);
}

static int by_age(const void *a, const void *b)
{
	const struct reject_info *x = a, *y = b;

	if (x->made_ns != y->made_ns)
		return x->made_ns < y->made_ns ? -1 : 1;
	return strcmp(x->path, y->path);
}

static bool has_suffix(const char *name, size_t size, const char *suffix,
		       size_t *ret_stem_size)
{
	size_t n = strlen(suffix);

	if (size <= n || memcmp(name + size - n, suffix, n) != 0)
		return false;
	*ret_stem_size = size - n;
	return true;
}

/* The path of a reject that this file stands for in the list, or NULL. Of two
 * halves it is the text. */
static char *path_of_file(struct rejects *r, const char *name)
{
	size_t size = strlen(name), stem_size;
	struct stat text;
	char *path;

	if (has_suffix(name, size, REJECT_TEXT, &stem_size))
		return path_of_stem(r, name, stem_size);
	if (!has_suffix(name, size, REJECT_BYTES, &stem_size))
		return NULL;
	path = path_of_stem(r, name, stem_size);
	if (path && stat_file(r, path, REJECT_TEXT, &text) == 0)
		free(CVX_TAKE(path));
	return path;
}

static DIR *open_listing(struct rejects *r)
{
	int fd = openat(r->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0) {
		int e = errno;

		(void)close(fd);
		errno = e;
	}
	return dir;
}

struct list {
	struct reject_info *items;
	size_t count;
	size_t capacity;
};

static int list_add(struct list *list, const struct reject_info *info)
{
	size_t capacity = list->capacity ? list->capacity * 2 : 16;
	struct reject_info *items = list->items;

	if (list->count == list->capacity) {
		items = reallocarray(items, capacity, sizeof(*items));
		if (!items)
			return -ENOMEM;
		list->items = items;
		list->capacity = capacity;
	}
	items[list->count++] = *info;
	return 0;
}

static int read_dir(struct rejects *r, DIR *dir, struct list *list)
{
	struct reject_info info;
	struct dirent *entry;
	char *path;

	for (errno = 0; (entry = readdir(dir)); errno = 0) {
		path = path_of_file(r, entry->d_name);
		if (!path || look_at(r, path, &info) < 0) {
			free(path);
			continue;
		}
		info.path = path;
		if (list_add(list, &info) < 0) {
			free(path);
			return -ENOMEM;
		}
	}
	return -errno;
}

static int list_locked(struct rejects *r, struct list *ret)
{
	struct list list = {NULL, 0, 0};
	DIR *dir = open_listing(r);
	int e;

	if (!dir)
		return -errno;
	e = read_dir(r, dir, &list);
	(void)closedir(dir);
	if (e < 0) {
		rejects_list_free(list.items, list.count);
		return e;
	}
	if (list.count > 0)
		qsort(list.items, list.count, sizeof(*list.items), by_age);
	*ret = list;
	return 0;
}

int rejects_list(struct rejects *r, struct reject_info **ret, size_t *ret_count,
		 struct cvx_err *err)
{
	struct list list;
	int e;

	lock(r);
	e = list_locked(r, &list);
	unlock(r);
	if (e < 0)
		return cvx_fail(err, e, "cannot list the rejects: %s",
				strerror(-e));
	*ret = list.items;
	*ret_count = list.count;
	return 0;
}

void rejects_list_free(struct reject_info *list, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		free(list[i].path);
	free(list);
}

/* Removes the oldest until the rest is within the limits; never newest. */
static int trim(struct rejects *r, const char *newest)
{
	struct list list;
	size_t i, count;
	uint64_t total = 0;
	int e = list_locked(r, &list);

	if (e < 0)
		return e;
	for (i = 0; i < list.count; i++)
		total += list.items[i].size + list.items[i].text_size;
	count = list.count;
	for (i = 0; i < list.count && e == 0; i++) {
		const struct reject_info *old = &list.items[i];

		if (total <= r->limit && count <= REJECTS_COUNT_MAX)
			break;
		if (strcmp(old->path, newest) == 0)
			continue;
		e = remove_both(r, old->path);
		total -= old->size + old->text_size;
		count--;
	}
	rejects_list_free(list.items, list.count);
	return e;
}

static struct reject_name temp_name(struct rejects *r)
{
	struct reject_name name;

	(void)snprintf(name.text, sizeof(name.text), TEMP_PREFIX "%d-%u",
		       (int)getpid(), r->temp_count++);
	return name;
}

/* Invariant 1: gives a finished temporary file its name. */
static int publish(struct rejects *r, const struct reject_name *temp,
		   const struct reject_name *name)
{
	if (renameat(r->dir_fd, temp->text, r->dir_fd, name->text) == 0)
		return 0;
	return -errno;
}

static int put_file(struct rejects *r, const char *path, const char *suffix,
		    const char *text, size_t size)
{
	struct reject_name temp = temp_name(r),
			   name = reject_name(path, suffix);
	CVX_AUTO(cvx_closep) int fd = -1;
	int e;

	fd = openat(r->dir_fd, temp.text,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	e = file_write(fd, text, size);
	if (e == 0)
		e = file_sync(fd);
	if (e == 0)
		e = publish(r, &temp, &name);
	if (e < 0)
		(void)unlinkat(r->dir_fd, temp.text, 0);
	return e;
}

static int put_path(struct rejects *r, const char *path)
{
	char stem[REJECT_STEM_MAX + 1];

	if (!reject_stem(path, stem))
		return 0;
	return put_file(r, path, REJECT_PATH, path, strlen(path));
}

/*
 * Puts the saved bytes (NULL: none) and the text in place of what is there.
 * A full disk may refuse the text; the bytes are in place by then.
 */
static int replace_locked(struct rejects *r, const char *path,
			  const struct reject_name *saved, const char *text,
			  size_t text_size)
{
	struct reject_name bytes = reject_name(path, REJECT_BYTES);
	int e = put_path(r, path);

	if (e == 0)
		e = remove_file(r, path, REJECT_TEXT); /* invariant 2 */
	if (e == 0)
		e = saved ? publish(r, saved, &bytes)
			  : remove_file(r, path, REJECT_BYTES);
	if (e == 0)
		e = put_file(r, path, REJECT_TEXT, text, text_size);
	if (e == 0)
		e = file_sync_dir(r->dir_fd);
	if (e == 0)
		e = trim(r, path);
	return e;
}

int rejects_keep(struct rejects *r, const char *path, struct spool *spool,
		 const char *text, size_t text_size, struct cvx_err *err)
{
	struct reject_name saved = temp_name(r);
	int e;

	assert(path[0] && (text || text_size == 0));
	if (strlen(path) >= PATH_MAX)
		return cvx_fail(err, -ENAMETOOLONG,
				"the path of the reject is too long");
	if (spool) {
		e = spool_save(spool, r->dir_fd, saved.text, err);
		if (e < 0)
			return e;
	}
	lock(r);
	e = replace_locked(r, path, spool ? &saved : NULL, text, text_size);
	unlock(r);
	if (e == 0)
		return 0;
	if (spool)
		(void)unlinkat(r->dir_fd, saved.text, 0); /* if still there */
	return cvx_fail(err, e, "cannot keep the reject of %s: %s", path,
			strerror(-e));
}

int rejects_find(struct rejects *r, const char *path, struct reject_info *ret)
{
	struct reject_info info;
	int e;

	e = look_at(r, path, &info);
	if (e < 0)
		return e;
	info.path = strdup(path);
	if (!info.path)
		return -ENOMEM;
	*ret = info;
	return 0;
}

int rejects_open_bytes(struct rejects *r, const char *path, int *ret_fd)
{
	return open_file(r, reject_name(path, REJECT_BYTES).text, ret_fd);
}

int rejects_open_text(struct rejects *r, const char *path, int *ret_fd)
{
	return open_file(r, reject_name(path, REJECT_TEXT).text, ret_fd);
}

static int drop(struct rejects *r, const char *path, bool bytes, bool text)
{
	struct reject_info info;
	int e = 0;

	/* After every import that worked, so the usual case first. */
	if (look_at(r, path, &info) == -ENOENT)
		return 0;
	lock(r);
	if (bytes)
		e = remove_half(r, path, REJECT_BYTES);
	if (text && e == 0)
		e = remove_half(r, path, REJECT_TEXT);
	unlock(r);
	return e;
}

int rejects_drop(struct rejects *r, const char *path)
{
	return drop(r, path, true, true);
}

int rejects_drop_bytes(struct rejects *r, const char *path)
{
	return drop(r, path, true, false);
}

int rejects_drop_text(struct rejects *r, const char *path)
{
	return drop(r, path, false, true);
}

/* Removes the temporary files of processes that are gone, and those of an
 * earlier process with our number. */
static void remove_leftovers(struct rejects *r)
{
	DIR *dir = open_listing(r);
	struct dirent *entry;
	int pid;

	while (dir && (entry = readdir(dir))) {
		if (sscanf(entry->d_name, TEMP_PREFIX "%d-", &pid) != 1)
			continue;
		if (pid <= 0 || pid == getpid() ||
		    (kill(pid, 0) < 0 && errno == ESRCH))
			(void)unlinkat(r->dir_fd, entry->d_name, 0);
	}
	if (dir)
		(void)closedir(dir);
}

int rejects_open(const char *dir, uint64_t limit, struct rejects **ret,
		 struct cvx_err *err)
{
	struct rejects *r;
	int e = file_make_dirs(dir, 0700);
	int fd = e < 0 ? -1 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (e == 0 && fd < 0)
		e = -errno;
	if (e < 0)
		return cvx_fail(err, e,
				"cannot open the folder of rejects %s: %s", dir,
				strerror(-e));
	r = calloc(1, sizeof(*r));
	if (!r) {
		(void)close(fd);
		return cvx_fail_memory(err);
	}
	r->dir_fd = fd;
	r->limit = limit;
	(void)pthread_mutex_init(&r->lock, NULL); /* cannot fail on Linux */
	remove_leftovers(r);
	*ret = r;
	return 0;
}

void rejects_close(struct rejects *r)
{
	if (!r)
		return;
	(void)close(r->dir_fd);
	(void)pthread_mutex_destroy(&r->lock);
	free(r);
}
