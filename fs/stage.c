#include "fs/stage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/file.h"
#include "cache/spool.h"
#include "fs/stage-private.h"
#include "fs/text.h"
#include "importer/changes.h"
#include "importer/deployment.h"
#include "importer/intake.h"

#define COPY_SIZE ((size_t)1 << 20)

/* After so many false starts the import waits for the end of the file. */
#define RESTARTS_MAX 4

/* Smaller scratch files are imported when they are renamed. */
#define GUESS_MIN ((uint64_t)1 << 20)

static int64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int stage_new(const struct stage_env *env, const struct tree_place *place,
	      const char *path, uint64_t number, struct stage **ret,
	      struct cvx_err *err)
{
	struct stage *s = calloc(1, sizeof(*s));
	int r;

	if (!s || !(s->path = strdup(path))) {
		free(s);
		return cvx_fail_memory(err);
	}
	r = spool_new(env->spool_dir_fd, &s->spool, err);
	if (r < 0) {
		free(s->path);
		free(s);
		return r;
	}
	s->refs = 1;
	s->env = env;
	s->number = number;
	s->shown = number;
	s->place = *place;
	s->base.fd = -1;
	s->mtime_ns = now_ns();
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->settled, NULL);
	pthread_mutex_init(&s->cancel_lock, NULL);
	*ret = s;
	return 0;
}

struct stage *stage_ref(struct stage *s)
{
	s->refs++;
	return s;
}

void stage_unref(struct stage *s)
{
	if (!s || --s->refs > 0)
		return;
	stage_drop_intake(s);
	stage_base_fini(&s->base);
	spool_free(s->spool);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->settled);
	pthread_mutex_destroy(&s->cancel_lock);
	free(s->content_type);
	free(s->guess_path);
	free(s->path);
	free(s);
}

void stage_base_fini(struct stage_base *base)
{
	if (base->reader)
		table_reader_close(base->reader);
	text_unref(base->text);
	if (base->fd >= 0)
		(void)close(base->fd); /* only read from */
	*base = (struct stage_base)STAGE_BASE_NONE;
}

static int base_read(const struct stage_base *b, uint64_t off, void *buf,
		     size_t size, size_t *ret_n, struct cvx_err *err)
{
	int r;

	if (b->reader)
		return table_reader_read(b->reader, off, buf, size, ret_n, err);
	if (b->text) {
		*ret_n = 0;
		if (off < b->text->size) {
			*ret_n = b->text->size - (size_t)off;
			if (*ret_n > size)
				*ret_n = size;
			memcpy(buf, b->text->data + off, *ret_n);
		}
		return 0;
	}
	if (b->fd < 0) { /* only its size counts: nobody reads it */
		*ret_n = 0;
		return 0;
	}
	r = file_pread(b->fd, buf, size, off, ret_n);
	return r < 0 ? cvx_fail(err, r, "cannot read a kept file: %s",
				strerror(-r))
		     : 0;
}

static void set_base(struct stage *s, struct stage_base *base,
		     enum base_use use)
{
	s->base = *base;
	*base = (struct stage_base)STAGE_BASE_NONE;
	s->base_use = use;
}

void stage_set_contents(struct stage *s, struct stage_base *base,
			uint64_t revision)
{
	set_base(s, base, BASE_CONTENTS);
	s->base_revision = revision;
}

void stage_set_append(struct stage *s)
{
	pthread_mutex_lock(&s->lock);
	s->append = true;
	pthread_mutex_unlock(&s->lock);
}

void stage_set_before(struct stage *s, struct stage_base *base)
{
	set_base(s, base, BASE_BEFORE);
}

int stage_set_guess(struct stage *s, const struct tree_place *place,
		    const char *path, struct cvx_err *err)
{
	s->guess_path = strdup(path);
	if (!s->guess_path)
		return cvx_fail_memory(err);
	s->guess = *place;
	return 0;
}

void stage_set_truncated(struct stage *s)
{
	pthread_mutex_lock(&s->lock);
	s->dirty = true;
	s->touched = true;
	s->spent = false;
	pthread_mutex_unlock(&s->lock);
}

void stage_set_shown(struct stage *s, uint64_t number)
{
	s->shown = number;
}

uint64_t stage_shown(const struct stage *s)
{
	return s->shown;
}

uint64_t stage_number(const struct stage *s)
{
	return s->number;
}

static uint64_t size_now(struct stage *s)
{
	if (s->gone)
		return s->gone_size;
	switch (s->base_use) {
	case BASE_NONE:
		return spool_size(s->spool);
	case BASE_CONTENTS:
		return s->base.size;
	case BASE_BEFORE:
		return s->base.size + spool_size(s->spool);
	}
	return 0;
}

void stage_set_mtime(struct stage *s, int64_t ns)
{
	pthread_mutex_lock(&s->lock);
	s->mtime_ns = ns;
	pthread_mutex_unlock(&s->lock);
}

int stage_copy_base(struct stage *s, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *buf = NULL;
	uint64_t off = 0;
	size_t n;
	int r = 0;

	if (s->base_use != BASE_CONTENTS)
		return 0;
	buf = malloc(COPY_SIZE);
	if (!buf)
		return cvx_fail_memory(err);
	do {
		r = base_read(&s->base, off, buf, COPY_SIZE, &n, err);
		if (r == 0 && n > 0)
			r = spool_write(s->spool, off, buf, n, err);
		if (r < 0)
			return r;
		off += n;
	} while (n > 0);
	stage_base_fini(&s->base);
	s->base_use = BASE_NONE;
	return 0;
}

/* The import's view of the file. No lock: what it may read does not change. */
static int read_source(void *ctx, uint64_t off, void *buf, size_t size,
		       size_t *ret_n, struct cvx_err *err)
{
	struct stage *s = ctx;

	if (s->base_use == BASE_CONTENTS)
		return base_read(&s->base, off, buf, size, ret_n, err);
	return spool_read(s->spool, s->import_off + off, buf, size, ret_n, err);
}

struct intake_target stage_intake_target(const struct stage *s)
{
	bool guessed = s->place.kind == TREE_SCRATCH;
	const struct tree_place *place = guessed ? &s->guess : &s->place;

	return (struct intake_target){
		.rows = {.component = place->component,
			 .table = place->table,
			 .path = guessed ? s->guess_path : s->path,
			 .format = place->format,
			 .mode = tree_mode(place, s->append, s->env->mode),
			 .canonical = place->kind == TREE_DOCUMENTS,
			 .base_revision = s->base_revision},
		.is_archive = place->kind == TREE_ARCHIVE,
	};
}

int stage_need_intake(struct stage *s, struct cvx_err *err)
{
	const struct intake_target target = stage_intake_target(s);
	const struct import_source source = {.ctx = s, .read = read_source};
	const struct changes *changes = s->env->changes;
	int r;

	if (s->intake)
		return 0;
	r = changes->ops->begin_intake(changes->ctx, &target, &source,
				       &s->intake, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&s->cancel_lock);
	s->cancellable = s->intake;
	if (s->cancelled)
		intake_cancel(s->intake);
	pthread_mutex_unlock(&s->cancel_lock);
	return 0;
}

void stage_fit_intake(struct stage *s, const struct tree_place *place,
		      const char *path)
{
	bool fits = s->guess_path && s->place.kind == TREE_SCRATCH &&
		    place->kind == s->guess.kind &&
		    strcmp(path, s->guess_path) == 0;

	if (!fits)
		stage_drop_intake(s);
}

void stage_drop_intake(struct stage *s)
{
	pthread_mutex_lock(&s->cancel_lock);
	s->cancellable = NULL;
	pthread_mutex_unlock(&s->cancel_lock);
	intake_free(CVX_TAKE(s->intake));
}

uint64_t stage_import_size(struct stage *s)
{
	return s->base_use == BASE_CONTENTS
		       ? s->base.size
		       : spool_size(s->spool) - s->import_off;
}

static void wait_settled(struct stage *s)
{
	while (s->committing)
		pthread_cond_wait(&s->settled, &s->lock);
}

/* Bytes from off on are about to change: the import must not have them. */
static void take_back(struct stage *s, uint64_t off)
{
	if (!s->intake || off >= s->follow_end)
		return;
	intake_restart(s->intake);
	s->restarts++;
}

/* The import may read on. */
static void hand_over(struct stage *s)
{
	if (s->intake && s->restarts < RESTARTS_MAX &&
	    s->follow_end > s->import_off)
		intake_available(s->intake, s->follow_end - s->import_off);
}

/* Whether it is worth while to import what is being written. */
static bool can_follow(const struct stage *s)
{
	return tree_is_import(s->place.kind) ||
	       (s->guess_path && s->place.kind == TREE_SCRATCH &&
		s->follow_end >= GUESS_MIN);
}

static int write_now(struct stage *s, uint64_t off, const void *bytes,
		     size_t size, bool append, struct cvx_err *err)
{
	int r = stage_copy_base(s, err);

	if (r < 0)
		return r;
	if (append || s->append)
		off = spool_size(s->spool);
	if (off == s->follow_end && can_follow(s)) {
		r = stage_need_intake(s, err);
		if (r < 0)
			return r;
	}
	take_back(s, off);
	r = spool_write(s->spool, off, bytes, size, err);
	if (r < 0)
		return r;
	if (off == s->follow_end)
		s->follow_end += size;
	hand_over(s);
	return 0;
}

int stage_write(struct stage *s, uint64_t off, const void *bytes, size_t size,
		bool append, struct cvx_err *err)
{
	int r;

	pthread_mutex_lock(&s->lock);
	wait_settled(s);
	s->dirty = true;
	s->touched = true;
	s->spent = false;
	s->mtime_ns = now_ns();
	r = write_now(s, off, bytes, size, append, err);
	if (r < 0 && err)
		s->broken = *err;
	pthread_mutex_unlock(&s->lock);
	return r;
}

int stage_read(struct stage *s, uint64_t off, void *buf, size_t size,
	       size_t *ret_n, struct cvx_err *err)
{
	int r;

	pthread_mutex_lock(&s->lock);
	if (s->base_use == BASE_CONTENTS ||
	    (s->base_use == BASE_BEFORE && off < s->base.size))
		r = base_read(&s->base, off, buf, size, ret_n, err);
	else
		r = spool_read(s->spool,
			       s->base_use == BASE_BEFORE ? off - s->base.size
							  : off,
			       buf, size, ret_n, err);
	pthread_mutex_unlock(&s->lock);
	return r;
}

int stage_read_all(struct stage *s, size_t max, struct cvx_buf *out,
		   struct cvx_err *err)
{
	size_t n;
	int r;

	cvx_buf_init(out, max);
	for (;;) {
		if (out->size == max)
			return cvx_fail(err, -EFBIG,
					"%s: is longer than %zu bytes", s->path,
					max);
		r = cvx_buf_reserve(
			out, max - out->size < 65536 ? max - out->size : 65536);
		if (r < 0)
			return cvx_fail_memory(err);
		r = stage_read(s, out->size, out->data + out->size,
			       out->capacity - out->size, &n, err);
		if (r < 0 || n == 0)
			return r;
		out->size += n;
	}
}

static int fail_gone(const struct stage *s, struct cvx_err *err)
{
	return cvx_fail(err, -ESTALE, "%s: it has been imported", s->path);
}

static int truncate_now(struct stage *s, uint64_t size, struct cvx_err *err)
{
	int r = 0;

	if (s->base_use == BASE_BEFORE) {
		if (size < s->base.size)
			return cvx_fail(err, -EINVAL,
					"%s: opened to append to it, it cannot "
					"be cut",
					s->path);
		size -= s->base.size;
	} else if (s->base_use == BASE_CONTENTS && size == 0) {
		stage_base_fini(&s->base); /* nothing of it is needed */
		s->base_use = BASE_NONE;
	} else {
		r = stage_copy_base(s, err);
	}
	if (r < 0)
		return r;
	if (size < s->import_off)
		return cvx_fail(err, -EINVAL,
				"%s: what has been appended cannot be cut off",
				s->path);
	take_back(s, size);
	r = spool_truncate(s->spool, size, err);
	if (r < 0)
		return r;
	if (s->follow_end > size)
		s->follow_end = size;
	if (size == 0)
		s->broken.code = 0; /* what went wrong is gone */
	hand_over(s);
	return 0;
}

int stage_truncate(struct stage *s, uint64_t size, struct cvx_err *err)
{
	int r = 0;

	pthread_mutex_lock(&s->lock);
	wait_settled(s);
	if (size != size_now(s)) {
		r = s->gone ? fail_gone(s, err) : truncate_now(s, size, err);
		if (r == 0) {
			s->dirty = true;
			s->touched = true;
			s->spent = false;
			s->mtime_ns = now_ns();
		}
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

int stage_sync(struct stage *s, struct cvx_err *err)
{
	/* spool.h locks for itself, and the spool stays as long as we do. */
	return spool_sync(s->spool, err);
}

/*
 * How much of the file can be judged while its end is not known. A line of
 * JSON is one for good when it has ended; a quote in CSV may go over lines, and
 * an array is one value, so of them only what the import has passed.
 */
static int find_judgeable(struct stage *s, uint64_t *ret, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *buf = NULL;
	uint64_t size = stage_import_size(s);
	size_t want = size < COPY_SIZE ? (size_t)size : COPY_SIZE, n = 0;
	const char *end;
	int r;

	*ret = UINT64_MAX;
	if (s->place.format != FORMAT_JSONL || want == 0)
		return 0;
	buf = malloc(want);
	if (!buf)
		return cvx_fail_memory(err);
	r = read_source(s, size - want, buf, want, &n, err);
	end = r == 0 ? memrchr(buf, '\n', n) : NULL;
	if (end)
		*ret = size - want + (uint64_t)(end - buf) + 1;
	return r;
}

/* As a commit does, it keeps writers out while the import looks. */
int stage_check(struct stage *s, bool whole, struct cvx_err *err)
{
	uint64_t size = UINT64_MAX;
	bool look;
	int r;

	pthread_mutex_lock(&s->lock);
	wait_settled(s);
	look = s->dirty && !s->broken.code && tree_is_import(s->place.kind) &&
	       (whole || s->intake);
	if (s->broken.code && err)
		*err = s->broken;
	r = s->broken.code;
	s->committing = look;
	pthread_mutex_unlock(&s->lock);
	if (!look)
		return r;

	if (whole)
		r = find_judgeable(s, &size, err);
	if (r == 0)
		r = stage_need_intake(s, err);
	if (r == 0)
		r = intake_check(s->intake, size, err);

	pthread_mutex_lock(&s->lock);
	s->committing = false;
	pthread_cond_broadcast(&s->settled);
	pthread_mutex_unlock(&s->lock);
	return r;
}

struct tree_place stage_place(struct stage *s, char *ret_path)
{
	struct tree_place place;

	pthread_mutex_lock(&s->lock);
	place = s->place;
	if (ret_path)
		memcpy(ret_path, s->path, strlen(s->path) + 1);
	pthread_mutex_unlock(&s->lock);
	return place;
}

int stage_retarget(struct stage *s, const struct tree_place *place,
		   const char *path, struct cvx_err *err)
{
	char *copy = strdup(path);
	int r = 0;

	if (!copy)
		return cvx_fail_memory(err);
	pthread_mutex_lock(&s->lock);
	wait_settled(s);
	stage_fit_intake(s, place, path);
	free(s->path);
	s->path = copy;
	s->place = *place;
	if (tree_is_import(place->kind) && s->base_use == BASE_NONE) {
		r = stage_need_intake(s, err);
		if (r == 0)
			hand_over(s);
	}
	s->dirty = s->dirty || tree_is_target(place->kind);
	pthread_mutex_unlock(&s->lock);
	return r;
}

static bool is_dirty(const struct stage *s)
{
	return s->dirty && !s->discarded && s->place.kind != TREE_SCRATCH;
}

struct stage_facts stage_facts(struct stage *s)
{
	struct stage_facts f;

	pthread_mutex_lock(&s->lock);
	f = (struct stage_facts){
		.size = size_now(s),
		.mtime_ns = s->mtime_ns,
		.is_dirty = is_dirty(s),
		.is_untouched = !s->touched && s->base_use == BASE_NONE,
		.was_opened_for_nothing = s->reopened && !s->touched,
		.was_flushed = s->flushed,
		.is_discarded = s->discarded,
		.is_committing = s->committing,
		.open_count = s->open_count,
		.opener = s->opener,
		.witness = s->witness,
	};
	pthread_mutex_unlock(&s->lock);
	return f;
}

/* Under the lock. */
static void drop_if_unused(struct stage *s)
{
	struct spool *empty;

	if (!s->spent || s->gone || s->committing || s->user_count > 0 ||
	    spool_new(s->env->spool_dir_fd, &empty, NULL) < 0)
		return; /* without memory they stay */
	s->gone_size = size_now(s);
	s->gone = true;
	spool_free(s->spool);
	s->spool = empty;
	stage_base_fini(&s->base);
	s->base_use = BASE_NONE;
}

void stage_spend(struct stage *s)
{
	pthread_mutex_lock(&s->lock);
	s->spent = !is_dirty(s);
	drop_if_unused(s);
	pthread_mutex_unlock(&s->lock);
}

int stage_use(struct stage *s, struct cvx_err *err)
{
	int r = 0;

	pthread_mutex_lock(&s->lock);
	if (s->gone)
		r = fail_gone(s, err);
	else
		s->user_count++;
	pthread_mutex_unlock(&s->lock);
	return r;
}

void stage_leave(struct stage *s)
{
	pthread_mutex_lock(&s->lock);
	s->user_count--;
	drop_if_unused(s);
	pthread_mutex_unlock(&s->lock);
}

int stage_begin_commit(struct stage *s, bool force, struct cvx_err *err)
{
	int r;

	pthread_mutex_lock(&s->lock);
	wait_settled(s);
	if (!force && !is_dirty(s)) {
		if (err && s->outcome.code)
			*err = s->outcome;
		r = s->outcome.code;
	} else {
		s->committing = true;
		r = 1;
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

void stage_end_commit(struct stage *s, const struct cvx_err *outcome)
{
	stage_drop_intake(s);
	pthread_mutex_lock(&s->cancel_lock);
	s->cancelled = false;
	pthread_mutex_unlock(&s->cancel_lock);

	pthread_mutex_lock(&s->lock);
	s->outcome = *outcome;
	s->dirty = false;
	s->flushed = false;
	s->committing = false;
	if (s->append && outcome->code == 0)
		s->import_off = spool_size(s->spool);
	pthread_cond_broadcast(&s->settled);
	pthread_mutex_unlock(&s->lock);
}
