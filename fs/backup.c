#include "fs/backup.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/base/thread.h"
#include "importer/deployment.h"
#include "importer/export.h"
#include "importer/origin.h"

#define ASK_EVERY_MS 50

/* Threads between an open that came too late and the look-up that follows. Of
 * more the first are forgotten, and may be sent round again. */
#define SENT_ROUND_MAX 64

enum backup_state {
	BACKUP_IDLE,	 /* never opened */
	BACKUP_STARTING, /* its snapshot is taken */
	BACKUP_RUNNING,
	BACKUP_DONE,
	BACKUP_FAILED,
	BACKUP_CLOSED, /* by all who had it open; it may still end */
};

struct backup {
	struct backups *home;
	uint64_t serial;
	bool with_files;

	/* guarded by home's lock: */
	unsigned refs;
	enum backup_state state;
	unsigned open_count;
	uint64_t version;      /* of the deployment, before the snapshot */
	int64_t time_ns;       /* of the snapshot */
	struct export *export; /* while it runs; NULL: the origin makes it */
	bool is_canceled;
	pthread_t thread; /* joined by the last close */
	bool has_thread;
	int fd;
	uint64_t size; /* of the archive, once it is done */
	struct cvx_err failure;
};

struct backups {
	struct deployment *d;
	const char *component;
	int spool_dir_fd;
	uint64_t numbers[2];

	pthread_mutex_t lock;
	/* guarded by lock: */
	pthread_cond_t changed;
	struct backup *current[2]; /* without and with files, referenced */
	uint64_t serial, asked_count;
	pid_t sent_round[SENT_ROUND_MAX]; /* threads; 0: nobody */
	size_t sent_next;		  /* the slot that is used next */
};

CVX_DEFINE_CLEANUP(struct backups, backups_free)

int backups_new(struct deployment *d, const char *component, int spool_dir_fd,
		const uint64_t numbers[2], struct backups **ret,
		struct cvx_err *err)
{
	struct backups *bs = calloc(1, sizeof(*bs));
	pthread_condattr_t attr;

	if (!bs)
		return cvx_fail_memory(err);
	bs->d = d;
	bs->component = component;
	bs->spool_dir_fd = spool_dir_fd;
	memcpy(bs->numbers, numbers, sizeof(bs->numbers));
	(void)pthread_mutex_init(&bs->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&bs->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	*ret = bs;
	return 0;
}

void backups_free(struct backups *bs)
{
	if (!bs)
		return;
	backup_unref(bs->current[false]);
	backup_unref(bs->current[true]);
	(void)pthread_cond_destroy(&bs->changed);
	(void)pthread_mutex_destroy(&bs->lock);
	free(bs);
}

/* With the lock held. */
static void drop(struct backup *b)
{
	if (!b || --b->refs > 0)
		return;
	assert(b->state == BACKUP_IDLE || b->state == BACKUP_CLOSED);
	free(b);
}

struct backup *backup_ref(struct backup *b)
{
	(void)pthread_mutex_lock(&b->home->lock);
	b->refs++;
	(void)pthread_mutex_unlock(&b->home->lock);
	return b;
}

void backup_unref(struct backup *b)
{
	struct backups *bs = b ? b->home : NULL;

	if (!b)
		return;
	(void)pthread_mutex_lock(&bs->lock);
	drop(b);
	(void)pthread_mutex_unlock(&bs->lock);
}

uint64_t backup_serial(const struct backup *b)
{
	return b->serial;
}

uint64_t backup_shown(const struct backup *b)
{
	return b->home->numbers[b->with_files];
}

static bool is_open(const struct backup *b)
{
	return b->state == BACKUP_STARTING || b->state == BACKUP_RUNNING ||
	       b->state == BACKUP_DONE;
}

/* With the lock held: whether the backup may be shown at that version. */
static bool is_current(const struct backup *b, uint64_t version)
{
	return b && (b->state == BACKUP_IDLE ||
		     (is_open(b) && b->version == version));
}

/* Another number when the deployment may be another one. What a deployment
 * elsewhere is, is known only by asking for the archive. */
static int find_version(struct backups *bs, uint64_t *ret, struct cvx_err *err)
{
	if (!origin_is_set(bs->d))
		return deployment_version(bs->d, ret, err);
	(void)pthread_mutex_lock(&bs->lock);
	*ret = ++bs->asked_count;
	(void)pthread_mutex_unlock(&bs->lock);
	return 0;
}

/* With the lock held. NULL: it was not, or has opened one since. */
static pid_t *find_sent_round(struct backups *bs, pid_t tid)
{
	size_t i;

	for (i = 0; tid != 0 && i < SENT_ROUND_MAX; i++)
		if (bs->sent_round[i] == tid)
			return &bs->sent_round[i];
	return NULL;
}

int backups_find(struct backups *bs, bool with_files, pid_t tid,
		 struct backup **ret, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct backup *fresh = calloc(1, sizeof(*fresh));
	uint64_t version;
	bool is_alone;
	int r = find_version(bs, &version, err);

	if (r < 0)
		return r;
	if (!fresh)
		return cvx_fail_memory(err);
	(void)pthread_mutex_lock(&bs->lock);
	is_alone = find_sent_round(bs, tid) != NULL;
	if (is_alone || !is_current(bs->current[with_files], version)) {
		fresh->home = bs;
		fresh->serial = ++bs->serial;
		fresh->with_files = with_files;
		fresh->fd = -1;
		fresh->refs = 1;
		*ret = CVX_TAKE(fresh);
		if (!is_alone) {
			drop(bs->current[with_files]);
			bs->current[with_files] = *ret;
			(*ret)->refs++;
		}
	} else {
		*ret = bs->current[with_files];
		(*ret)->refs++;
	}
	(void)pthread_mutex_unlock(&bs->lock);
	return 0;
}

static const char *name_of(const struct backup *b)
{
	return b->with_files ? ".convex/snapshot-with-storage.zip"
			     : ".convex/snapshot.zip";
}

static bool is_canceled(void *ctx)
{
	struct backup *b = ctx;
	bool yes;

	(void)pthread_mutex_lock(&b->home->lock);
	yes = b->is_canceled;
	(void)pthread_mutex_unlock(&b->home->lock);
	return yes;
}

static int make_by_origin(struct backup *b, uint64_t *ret_size, int64_t *ret_ns,
			  struct cvx_err *err)
{
	const struct patience patience = {is_canceled, b};

	return origin_make_backup(b->home->d, b->home->component, b->with_files,
				  b->fd, &patience, ret_size, ret_ns, err);
}

/* The thread that makes the archive. */
static void *run(void *arg)
{
	struct backup *b = arg;
	struct cvx_err err = CVX_ERR_INIT;
	struct export *export = b->export;
	int64_t time_ns = b->time_ns;
	uint64_t size = 0;
	int r = export ? export_write(export, b->fd, NULL, &size, &err)
		       : make_by_origin(b, &size, &time_ns, &err);

	(void)pthread_mutex_lock(&b->home->lock);
	b->export = NULL;
	b->failure = err;
	b->time_ns = time_ns;
	if (r == 0)
		b->size = size;
	if (b->state == BACKUP_RUNNING)
		b->state = r < 0 ? BACKUP_FAILED : BACKUP_DONE;
	(void)pthread_cond_broadcast(&b->home->changed);
	(void)pthread_mutex_unlock(&b->home->lock);
	export_free(export); /* what it kept readable can go */
	return NULL;
}

static int start(struct backup *b, struct cvx_err *err)
{
	const struct export_settings settings = {
		.include_storage = b->with_files,
		.component = b->home->component,
	};
	int r;

	b->fd = file_open_unnamed(b->home->spool_dir_fd);
	if (b->fd < 0)
		return cvx_fail(err, b->fd,
				"cannot make a file in the spool folder: %s",
				strerror(-b->fd));
	r = origin_is_set(b->home->d)
		    ? 0
		    : export_new(b->home->d, &settings, &b->export, err);
	if (r < 0)
		return r;
	if (b->export)
		b->time_ns = export_snapshot_ns(b->export);
	(void)pthread_mutex_lock(&b->home->lock);
	b->state = BACKUP_RUNNING;
	r = thread_start(&b->thread, run, b);
	b->has_thread = r == 0;
	(void)pthread_mutex_unlock(&b->home->lock);
	return r < 0 ? cvx_fail(err, r, "cannot start a thread: %s",
				strerror(-r))
		     : 0;
}

/* With the lock held. Whether this open is to start it, or -ESTALE. */
static int enter(struct backup *b, uint64_t version, pid_t tid)
{
	struct backups *bs = b->home;
	pid_t *sent = find_sent_round(bs, tid);

	if (sent)
		*sent = 0;
	if (b->state == BACKUP_IDLE) {
		b->state = BACKUP_STARTING;
		b->version = version;
		b->open_count = 1;
		return 1;
	}
	if (!is_open(b) || b->version != version) {
		bs->sent_round[bs->sent_next] = tid;
		bs->sent_next = (bs->sent_next + 1) % SENT_ROUND_MAX;
		return -ESTALE;
	}
	b->open_count++;
	return 0;
}

/* The failure of a start, which others may wait for as well. */
static void note_failure(struct backup *b, int r, const struct cvx_err *err)
{
	(void)pthread_mutex_lock(&b->home->lock);
	b->state = BACKUP_FAILED;
	if (err)
		b->failure = *err;
	b->failure.code = r;
	(void)pthread_cond_broadcast(&b->home->changed);
	(void)pthread_mutex_unlock(&b->home->lock);
}

/* With the lock held: waits for a change, or for the time to ask again. */
static void wait_a_little(struct backups *bs)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ASK_EVERY_MS * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_cond_timedwait(&bs->changed, &bs->lock, &until);
}

static int wait_until_whole(struct backup *b, const struct patience *patience,
			    struct cvx_err *err)
{
	struct backups *bs = b->home;
	bool has_ended = false;
	int r = 0;

	(void)pthread_mutex_lock(&bs->lock);
	while (!has_ended &&
	       (b->state == BACKUP_STARTING || b->state == BACKUP_RUNNING)) {
		wait_a_little(bs);
		(void)pthread_mutex_unlock(&bs->lock);
		has_ended = patience->has_ended(patience->ctx);
		(void)pthread_mutex_lock(&bs->lock);
	}
	if (b->state == BACKUP_FAILED) {
		r = b->failure.code;
		if (err)
			*err = b->failure;
	} else if (b->state != BACKUP_DONE) {
		r = cvx_fail(err, -EINTR, "%s: interrupted", name_of(b));
	}
	(void)pthread_mutex_unlock(&bs->lock);
	return r;
}

int backup_open(struct backup *b, pid_t tid, const struct patience *patience,
		struct cvx_err *err)
{
	struct backups *bs = b->home;
	uint64_t version;
	int r = find_version(bs, &version, err);

	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&bs->lock);
	r = enter(b, version, tid);
	(void)pthread_mutex_unlock(&bs->lock);
	if (r == -ESTALE)
		return cvx_fail(err, r, "%s: has just changed", name_of(b));
	if (r == 1) {
		r = start(b, err);
		if (r < 0)
			note_failure(b, r, err);
	}
	if (r == 0)
		r = wait_until_whole(b, patience, err);
	if (r < 0)
		backup_close(b);
	return r;
}

/* Ends the thread and drops the file; nobody can open it any more. */
static void finish(struct backup *b)
{
	if (b->has_thread)
		(void)pthread_join(b->thread, NULL);
	export_free(b->export); /* if the thread could not be started */
	b->export = NULL;
	cvx_closep(&b->fd);
	b->fd = -1;
}

void backup_close(struct backup *b)
{
	struct backups *bs = b->home;
	bool is_last;

	(void)pthread_mutex_lock(&bs->lock);
	is_last = --b->open_count == 0;
	if (is_last) {
		b->state = BACKUP_CLOSED;
		b->is_canceled = true;
		if (b->export)
			export_cancel(b->export);
	}
	(void)pthread_mutex_unlock(&bs->lock);
	if (is_last)
		finish(b);
}

uint64_t backup_size(struct backup *b)
{
	uint64_t size;

	(void)pthread_mutex_lock(&b->home->lock);
	size = b->state == BACKUP_DONE ? b->size : 0;
	(void)pthread_mutex_unlock(&b->home->lock);
	return size;
}

int64_t backup_time_ns(struct backup *b)
{
	int64_t time_ns;

	(void)pthread_mutex_lock(&b->home->lock);
	time_ns = b->state == BACKUP_DONE ? b->time_ns : 0;
	(void)pthread_mutex_unlock(&b->home->lock);
	return time_ns;
}

int backup_fd(struct backup *b)
{
	int fd;

	(void)pthread_mutex_lock(&b->home->lock);
	fd = b->fd;
	(void)pthread_mutex_unlock(&b->home->lock);
	return fd;
}
