#include "importer/server/uploads.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/spool.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/jobs.h"
#include "importer/server/early.h"
#include "importer/server/secret.h"

#define EARLY_IDLE_MAX_NS (INT64_C(60) * 1000000000)

/* Parts that were sent again count, too. */
#define STORED_MAX (4 * UPLOAD_PART_MAX)

struct stored {
	unsigned number;
	uint64_t nonce; /* in its token */
	uint64_t off, size;
	bool is_whole;
};

struct upload {
	struct upload *next;
	unsigned ref_count; /* parts that arrive, and the list */
	char token[UPLOAD_TOKEN_SIZE];
	struct spool *bytes;
	struct early *early; /* or NULL */
	uint64_t end;	     /* where the next part's room begins */
	struct stored *parts;
	size_t count, capacity;
	int64_t used_ns;
};

struct uploads {
	struct deployment *d;
	int dir_fd;
	int64_t idle_ns;
	pthread_mutex_t lock; /* guards what follows, and all uploads */
	struct upload *first;
	size_t count;
};

struct upload_part {
	struct uploads *owner;
	struct upload *upload;
	size_t index;
	uint64_t off, size, done;
};

int uploads_new(struct deployment *d, unsigned idle_s, struct uploads **ret,
		struct cvx_err *err)
{
	struct uploads *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return cvx_fail_memory(err);
	u->d = d;
	u->idle_ns = (int64_t)idle_s * 1000000000;
	r = job_open_uploads(d, &u->dir_fd, err);
	if (r < 0) {
		free(u);
		return r;
	}
	(void)pthread_mutex_init(&u->lock, NULL);
	*ret = u;
	return 0;
}

/* Under the lock. */
static void unref(struct upload *up)
{
	if (--up->ref_count > 0)
		return;
	early_free(up->early);
	spool_free(up->bytes);
	free(up->parts);
	free(up);
}

/* Under the lock: nobody finds it any more. Its reference is the caller's. */
static void take_out(struct uploads *u, struct upload *up)
{
	struct upload **link = &u->first;

	while (*link != up)
		link = &(*link)->next;
	*link = up->next;
	u->count--;
}

/* Under the lock, with the caller's reference. */
static void put_in(struct uploads *u, struct upload *up)
{
	up->next = u->first;
	u->first = up;
	u->count++;
}

static void remove_upload(struct uploads *u, struct upload *up)
{
	take_out(u, up);
	unref(up);
}

void uploads_free(struct uploads *u)
{
	if (!u)
		return;
	while (u->first)
		remove_upload(u, u->first);
	cvx_closep(&u->dir_fd);
	(void)pthread_mutex_destroy(&u->lock);
	free(u);
}

/* Somebody who is away for long keeps nobody from it. */
void uploads_close_idle(struct uploads *u)
{
	int64_t now = embedded_now_ns();
	struct upload *up, *next;

	(void)pthread_mutex_lock(&u->lock);
	for (up = u->first; up; up = next) {
		next = up->next;
		if (up->early && now - up->used_ns > EARLY_IDLE_MAX_NS)
			early_free(CVX_TAKE(up->early));
		if (up->ref_count == 1 && now - up->used_ns > u->idle_ns)
			remove_upload(u, up);
	}
	(void)pthread_mutex_unlock(&u->lock);
}

int uploads_start(struct uploads *u, char token[UPLOAD_TOKEN_SIZE],
		  struct cvx_err *err)
{
	struct upload *up = calloc(1, sizeof(*up));
	uint64_t random[2];
	int r;

	if (!up)
		return cvx_fail_memory(err);
	r = spool_new(u->dir_fd, &up->bytes, err);
	if (r == 0 && getrandom(random, sizeof(random), 0) != sizeof(random))
		r = cvx_fail(err, -EIO, "no random numbers are to be had");
	if (r < 0) {
		spool_free(up->bytes);
		free(up);
		return r;
	}
	(void)snprintf(up->token, sizeof(up->token),
		       "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
	up->ref_count = 1;
	up->used_ns = embedded_now_ns();
	(void)snprintf(token, UPLOAD_TOKEN_SIZE, "%s", up->token);

	(void)pthread_mutex_lock(&u->lock);
	if (u->count >= UPLOAD_COUNT_MAX) {
		r = cvx_fail(err, -EBUSY, "%d uploads are under way already",
			     UPLOAD_COUNT_MAX);
		unref(up);
	} else {
		put_in(u, up);
	}
	(void)pthread_mutex_unlock(&u->lock);
	return r;
}

/* Under the lock. */
static int find(struct uploads *u, const char *token, struct upload **ret,
		struct cvx_err *err)
{
	struct upload *up = u->first;

	while (up && !secret_is_equal(up->token, token))
		up = up->next;
	if (!up)
		return cvx_fail_named(err, -EINVAL, "InvalidUploadToken",
				      "there is no upload with this token; it "
				      "may be finished, or too old");
	up->used_ns = embedded_now_ns();
	*ret = up;
	return 0;
}

void uploads_set_early(struct uploads *u, const char *token, struct early *e)
{
	struct upload *up = NULL, *other;
	unsigned count = 0;

	(void)pthread_mutex_lock(&u->lock);
	for (other = u->first; other; other = other->next)
		count += other->early != NULL;
	if (count < UPLOAD_EARLY_MAX && find(u, token, &up, NULL) == 0 &&
	    !up->early && up->count == 0)
		up->early = CVX_TAKE(e);
	(void)pthread_mutex_unlock(&u->lock);
	early_free(e);
}

static int read_number(const char *text, unsigned *ret, struct cvx_err *err)
{
	char *end;
	unsigned long n;

	n = *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;
	if (n < 1 || n > UPLOAD_PART_MAX || *end)
		return cvx_fail_named(err, -EINVAL, "InvalidPartNumber",
				      "Invalid part number \"%.20s\": parts "
				      "count from 1 to %d",
				      text, UPLOAD_PART_MAX);
	*ret = (unsigned)n;
	return 0;
}

/* Under the lock: room for another part behind what is there. */
static int reserve(struct upload *up, unsigned number, uint64_t size,
		   struct cvx_err *err)
{
	struct stored *more;
	uint64_t end;

	if (__builtin_add_overflow(up->end, size, &end) || end > INT64_MAX)
		return cvx_fail_named(err, -EINVAL, "UploadTooLarge",
				      "the upload is too large");
	if (up->count >= STORED_MAX)
		return cvx_fail_named(err, -EINVAL, "TooManyParts",
				      "too many parts");
	if (up->count == up->capacity) {
		more = reallocarray(up->parts, up->capacity * 2 + 8,
				    sizeof(*more));
		if (!more)
			return cvx_fail_memory(err);
		up->parts = more;
		up->capacity = up->capacity * 2 + 8;
	}
	up->parts[up->count++] = (struct stored){
		.number = number,
		.off = up->end,
		.size = size,
	};
	up->end = end;
	return 0;
}

int uploads_begin_part(struct uploads *u, const char *token, const char *number,
		       uint64_t size, struct upload_part **ret,
		       struct cvx_err *err)
{
	struct upload_part *part = calloc(1, sizeof(*part));
	struct upload *up = NULL;
	unsigned n = 0;
	int r;

	if (!part)
		return cvx_fail_memory(err);
	r = read_number(number, &n, err);
	(void)pthread_mutex_lock(&u->lock);
	if (r == 0)
		r = find(u, token, &up, err);
	if (r == 0)
		r = reserve(up, n, size, err);
	if (r == 0) {
		up->ref_count++;
		*part = (struct upload_part){
			.owner = u,
			.upload = up,
			.index = up->count - 1,
			.off = up->parts[up->count - 1].off,
			.size = size,
		};
	}
	(void)pthread_mutex_unlock(&u->lock);
	if (r < 0) {
		free(part);
		return r;
	}
	*ret = part;
	return 0;
}

int upload_part_write(void *ctx, const void *bytes, size_t size,
		      struct cvx_err *err)
{
	struct upload_part *part = ctx;
	int r;

	assert(size <= part->size - part->done);
	r = spool_write(part->upload->bytes, part->off + part->done, bytes,
			size, err);
	if (r == 0)
		part->done += size;
	return r;
}

/* Under the lock. */
static void read_early(struct upload *up, const struct stored *stored)
{
	int fd;

	if (!up->early)
		return;
	if (spool_descriptor(up->bytes, &fd, NULL) < 0)
		early_free(CVX_TAKE(up->early));
	else
		early_add_part(up->early, stored->number, fd, stored->off,
			       stored->size);
}

int upload_part_finish(struct upload_part *part,
		       char token[UPLOAD_PART_TOKEN_SIZE], struct cvx_err *err)
{
	struct stored *stored;
	uint64_t nonce;

	if (part->done != part->size)
		return cvx_fail_named(err, -EINVAL, "IncompletePart",
				      "the part stopped after %" PRIu64
				      " of %" PRIu64 " bytes",
				      part->done, part->size);
	if (getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce))
		return cvx_fail(err, -EIO, "no random numbers are to be had");
	/* finish_upload waits for the disk: for little more than this part. */
	spool_sync_early(part->upload->bytes, part->off, part->size);
	(void)pthread_mutex_lock(&part->owner->lock);
	stored = &part->upload->parts[part->index];
	stored->nonce = nonce;
	stored->is_whole = true;
	read_early(part->upload, stored);
	part->upload->used_ns = embedded_now_ns();
	(void)snprintf(token, UPLOAD_PART_TOKEN_SIZE, "%u-%zu-%016" PRIx64,
		       stored->number, part->index, nonce);
	(void)pthread_mutex_unlock(&part->owner->lock);
	return 0;
}

void upload_part_free(struct upload_part *part)
{
	if (!part)
		return;
	(void)pthread_mutex_lock(&part->owner->lock);
	/* It may be sent again and again, to a disk that is full. */
	if (!part->upload->parts[part->index].is_whole)
		spool_discard(part->upload->bytes, part->off, part->size);
	unref(part->upload);
	(void)pthread_mutex_unlock(&part->owner->lock);
	free(part);
}

/* --- finishing ----------------------------------------------------------- */

static const struct stored *find_part(const struct upload *up,
				      const char *token)
{
	char expected[UPLOAD_PART_TOKEN_SIZE];
	const struct stored *stored;
	unsigned number;
	size_t index;

	if (sscanf(token, "%u-%zu-", &number, &index) != 2 ||
	    index >= up->count)
		return NULL;
	stored = &up->parts[index];
	(void)snprintf(expected, sizeof(expected), "%u-%zu-%016" PRIx64,
		       stored->number, index, stored->nonce);
	return stored->is_whole && secret_is_equal(expected, token) ? stored
								    : NULL;
}

static int compare_parts(const void *a, const void *b)
{
	const struct stored *const *x = a, *const *y = b;

	return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

static int choose_parts(const struct upload *up, const char *const *tokens,
			size_t count, const struct stored **chosen,
			struct cvx_err *err)
{
	size_t i;

	for (i = 0; i < count; i++) {
		chosen[i] = find_part(up, tokens[i]);
		if (!chosen[i])
			return cvx_fail_named(err, -EINVAL, "InvalidPartToken",
					      "token %zu is not one of a part "
					      "of this upload",
					      i + 1);
	}
	qsort(chosen, count, sizeof(*chosen), compare_parts);
	for (i = 1; i < count; i++)
		if (chosen[i]->number == chosen[i - 1]->number)
			return cvx_fail_named(err, -EINVAL, "InvalidPartToken",
					      "there are two tokens for part "
					      "%u",
					      chosen[i]->number);
	return 0;
}

/* Parts that lie one behind the other become one extent. */
static size_t join(const struct stored *const *chosen, size_t count,
		   struct job_extent *extents)
{
	size_t n = 0, i;

	for (i = 0; i < count; i++) {
		struct job_extent *last = n > 0 ? &extents[n - 1] : NULL;

		if (chosen[i]->size == 0)
			continue;
		if (last && last->off + last->size == chosen[i]->off)
			last->size += chosen[i]->size;
		else
			extents[n++] = (struct job_extent){chosen[i]->off,
							   chosen[i]->size};
	}
	return n;
}

int uploads_claim(struct uploads *u, const char *token,
		  const char *const *part_tokens, size_t part_count,
		  struct claimed_upload *ret, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep)
	const struct stored **chosen = calloc(part_count + 1, sizeof(*chosen));
	CVX_AUTO(cvx_freep)
	struct job_extent *extents = calloc(part_count + 1, sizeof(*extents));
	struct upload *up = NULL;
	int r;

	if (!chosen || !extents)
		return cvx_fail_memory(err);
	(void)pthread_mutex_lock(&u->lock);
	r = find(u, token, &up, err);
	if (r == 0)
		r = choose_parts(up, part_tokens, part_count, chosen, err);
	if (r == 0 && up->ref_count > 1)
		r = cvx_fail_named(err, -EINVAL, "UploadNotFinished",
				   "parts of this upload are still arriving");
	if (r == 0) {
		*ret = (struct claimed_upload){
			.upload = up,
			.bytes = up->bytes,
			.early = CVX_TAKE(up->early),
		};
		ret->extent_count = join(chosen, part_count, extents);
		ret->extents = CVX_TAKE(extents);
		take_out(u, up);
	}
	(void)pthread_mutex_unlock(&u->lock);
	return r;
}

void uploads_end(struct uploads *u, struct claimed_upload *c)
{
	(void)pthread_mutex_lock(&u->lock);
	unref(CVX_TAKE(c->upload));
	(void)pthread_mutex_unlock(&u->lock);
}

/* There may be one more of them than UPLOAD_COUNT_MAX for each that is put
 * back: it was there before those that came meanwhile. */
void uploads_put_back(struct uploads *u, struct claimed_upload *c)
{
	(void)pthread_mutex_lock(&u->lock);
	c->upload->used_ns = embedded_now_ns();
	put_in(u, CVX_TAKE(c->upload));
	(void)pthread_mutex_unlock(&u->lock);
}

int uploads_new_spool(struct uploads *u, struct spool **ret,
		      struct cvx_err *err)
{
	return spool_new(u->dir_fd, ret, err);
}

int uploads_open_file(struct uploads *u, int *ret_fd, struct cvx_err *err)
{
	int fd = file_open_unnamed(u->dir_fd);

	if (fd < 0)
		return cvx_fail(err, fd, "cannot make a file in %s/uploads: %s",
				u->d->dir, strerror(-fd));
	*ret_fd = fd;
	return 0;
}
