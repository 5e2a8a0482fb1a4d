#include "importer/archive/deflater.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/thread.h"
#include "importer/archive/deflate_block.h"

enum block_state { BLOCK_FREE, BLOCK_FED, BLOCK_BUSY, BLOCK_DONE };

/* Blocks go round: fed, packed, given out, free again. */
struct block {
	enum block_state state; /* guarded by the lock */
	size_t entry;
	bool is_last;
	size_t plain_size, size;
	uint32_t checksum;
	uint8_t *plain;	 /* DEFLATE_BLOCK_SIZE */
	uint8_t *packed; /* DEFLATE_PACKED_MAX */
};

struct deflater {
	struct deflate_feed feed;
	size_t entry_count;

	/* The owner's: */
	size_t entry; /* that is fed */
	bool is_open; /* it is */
	size_t head;  /* the oldest block, which is given out next */
	size_t tail;  /* the next one to be fed */
	bool is_out;  /* the block before head is with the caller */

	struct block blocks[DEFLATER_BLOCKS_MAX];
	size_t block_count;

	pthread_t threads[DEFLATER_THREADS_MAX];
	unsigned thread_count;

	pthread_mutex_t lock; /* guards the following and the blocks' states */
	pthread_cond_t fed, done;
	size_t next; /* to be packed */
	bool stopping;
};

CVX_DEFINE_CLEANUP(struct deflater, deflater_free)

static void pack(struct deflate_packer *packer, struct block *b)
{
	b->checksum = deflate_checksum(b->plain, b->plain_size);
	b->size = deflate_block(packer, b->plain, b->plain_size, b->is_last,
				b->packed);
}

/* A worker and what it packs with. */
struct worker {
	struct deflater *d;
	struct deflate_packer *packer;
};

static void *run(void *arg)
{
	struct worker w = *(struct worker *)arg;
	struct deflater *d = w.d;
	struct block *b;

	free(arg);
	(void)pthread_mutex_lock(&d->lock);
	for (;;) {
		b = &d->blocks[d->next];
		if (d->stopping)
			break;
		if (b->state != BLOCK_FED) {
			(void)pthread_cond_wait(&d->fed, &d->lock);
			continue;
		}
		b->state = BLOCK_BUSY;
		d->next = (d->next + 1) % d->block_count;
		(void)pthread_mutex_unlock(&d->lock);
		pack(w.packer, b);
		(void)pthread_mutex_lock(&d->lock);
		b->state = BLOCK_DONE;
		(void)pthread_cond_signal(&d->done);
	}
	(void)pthread_mutex_unlock(&d->lock);
	deflate_packer_free(w.packer);
	return NULL;
}

static int start_worker(struct deflater *d, struct cvx_err *err)
{
	struct worker *w = malloc(sizeof(*w));
	int r;

	if (!w)
		return cvx_fail_memory(err);
	w->d = d;
	w->packer = deflate_packer_new();
	if (!w->packer) {
		free(w);
		return cvx_fail_memory(err);
	}
	r = thread_start(&d->threads[d->thread_count], run, w);
	if (r < 0) {
		deflate_packer_free(w->packer);
		free(w);
		return cvx_fail(err, r, "cannot start a thread: %s",
				strerror(-r));
	}
	d->thread_count++;
	return 0;
}

static int start(struct deflater *d, struct cvx_err *err)
{
	long cpu_count = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned count = cpu_count < 2 ? 2
			 : cpu_count > DEFLATER_THREADS_MAX
				 ? DEFLATER_THREADS_MAX
				 : (unsigned)cpu_count;
	int r = 0;

	d->block_count = 3 * (size_t)count;
	while (r == 0 && d->thread_count < count)
		r = start_worker(d, err);
	return r;
}

int deflater_new(const struct deflate_feed *feed, size_t entry_count,
		 struct deflater **ret, struct cvx_err *err)
{
	CVX_AUTO(deflater_freep) struct deflater *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return cvx_fail_memory(err);
	(void)pthread_mutex_init(&d->lock, NULL);
	(void)pthread_cond_init(&d->fed, NULL);
	(void)pthread_cond_init(&d->done, NULL);
	d->feed = *feed;
	d->entry_count = entry_count;
	r = start(d, err);
	if (r < 0)
		return r;
	*ret = CVX_TAKE(d);
	return 0;
}

void deflater_free(struct deflater *d)
{
	size_t i;

	if (!d)
		return;
	(void)pthread_mutex_lock(&d->lock);
	d->stopping = true;
	(void)pthread_cond_broadcast(&d->fed);
	(void)pthread_mutex_unlock(&d->lock);
	while (d->thread_count > 0)
		(void)pthread_join(d->threads[--d->thread_count], NULL);
	for (i = 0; i < d->block_count; i++) {
		free(d->blocks[i].plain);
		free(d->blocks[i].packed);
	}
	(void)pthread_cond_destroy(&d->done);
	(void)pthread_cond_destroy(&d->fed);
	(void)pthread_mutex_destroy(&d->lock);
	free(d);
}

/* Blocks of few and small entries are never made. */
static int make_room(struct block *b, struct cvx_err *err)
{
	if (!b->plain)
		b->plain = malloc(DEFLATE_BLOCK_SIZE);
	if (!b->packed)
		b->packed = malloc(DEFLATE_PACKED_MAX);
	return b->plain && b->packed ? 0 : cvx_fail_memory(err);
}

/* Reads the next block of the entry that is fed. */
static int feed_block(struct deflater *d, struct block *b, struct cvx_err *err)
{
	int r = make_room(b, err);

	if (r == 0 && !d->is_open)
		r = d->feed.open(d->feed.ctx, d->entry, err);
	if (r < 0)
		return r;
	d->is_open = true;
	r = d->feed.read(d->feed.ctx, b->plain, DEFLATE_BLOCK_SIZE,
			 &b->plain_size, err);
	if (r < 0)
		return r;
	b->entry = d->entry;
	b->is_last = b->plain_size < DEFLATE_BLOCK_SIZE;
	if (b->is_last) {
		d->is_open = false;
		d->entry++;
	}
	d->tail = (d->tail + 1) % d->block_count;
	(void)pthread_mutex_lock(&d->lock);
	b->state = BLOCK_FED;
	(void)pthread_cond_signal(&d->fed);
	(void)pthread_mutex_unlock(&d->lock);
	return 0;
}

static enum block_state state_of(struct deflater *d, const struct block *b)
{
	enum block_state state;

	(void)pthread_mutex_lock(&d->lock);
	state = b->state;
	(void)pthread_mutex_unlock(&d->lock);
	return state;
}

static void give_back(struct deflater *d)
{
	size_t before = (d->head + d->block_count - 1) % d->block_count;

	if (!d->is_out)
		return;
	d->is_out = false;
	(void)pthread_mutex_lock(&d->lock);
	d->blocks[before].state = BLOCK_FREE;
	(void)pthread_mutex_unlock(&d->lock);
}

int deflater_next(struct deflater *d, size_t entry, struct deflated *ret,
		  struct cvx_err *err)
{
	struct block *b = &d->blocks[d->head];
	int r = 0;

	give_back(d);
	/* As much as there is room for, unless the next block is ready. */
	while (r == 0 && d->entry < d->entry_count &&
	       state_of(d, &d->blocks[d->tail]) == BLOCK_FREE)
		r = feed_block(d, &d->blocks[d->tail], err);
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&d->lock);
	assert(b->state != BLOCK_FREE && b->entry == entry);
	while (b->state != BLOCK_DONE)
		(void)pthread_cond_wait(&d->done, &d->lock);
	(void)pthread_mutex_unlock(&d->lock);
	(void)entry;
	*ret = (struct deflated){b->packed, b->size, b->plain_size, b->checksum,
				 b->is_last};
	d->head = (d->head + 1) % d->block_count;
	d->is_out = true;
	return 0;
}
