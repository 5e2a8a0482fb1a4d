#include "importer/archive/entry_source.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/thread.h"
#include "importer/archive/archive.h"

/* Bytes are unpacked in pieces of this size. */
#define PIECE_SIZE ((size_t)256 << 10)

struct piece {
	struct piece *next;
	size_t size;
	char bytes[PIECE_SIZE];
};

struct entry_source {
	struct archive *a;
	uint64_t index;
	struct archive_entry entry;
	struct archive_stream *stream; /* NULL: not open */
	bool has_thread;
	pthread_t thread;

	/* Guards everything below. Pieces that a reader has asked for stay
	 * where they are until it asks again. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool quits;		/* the thread has to end */
	bool rests;		/* it is as far ahead as it may be */
	struct piece *first;	/* its first byte stands at start */
	struct piece *last;	/* NULL: none */
	struct piece *free;	/* what was read, for the next ones */
	uint64_t start;		/* nothing before it will be read */
	uint64_t made;		/* bytes before it have been unpacked */
	uint64_t wanted;	/* the end of the last read */
	bool is_verified;	/* made is the end, and all of it is right */
	struct cvx_err failure; /* behind made; code 0: none */
};

CVX_DEFINE_CLEANUP(struct entry_source, entry_source_free)

int entry_source_new(struct archive *a, uint64_t index,
		     struct entry_source **ret, struct cvx_err *err)
{
	CVX_AUTO(entry_source_freep)
	struct entry_source *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return cvx_fail_memory(err);
	s->a = a;
	s->index = index;
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_cond_init(&s->changed, NULL);
	r = archive_entry(a, index, &s->entry, err);
	if (r < 0)
		return r;
	*ret = CVX_TAKE(s);
	return 0;
}

static void free_pieces(struct piece *p)
{
	struct piece *next;

	for (; p; p = next) {
		next = p->next;
		free(p);
	}
}

/* Ends the thread and forgets what was unpacked. */
static void stop(struct entry_source *s)
{
	if (s->has_thread) {
		(void)pthread_mutex_lock(&s->lock);
		s->quits = true;
		(void)pthread_cond_broadcast(&s->changed);
		(void)pthread_mutex_unlock(&s->lock);
		(void)pthread_join(s->thread, NULL);
	}
	s->has_thread = s->quits = s->rests = false;
	free_pieces(s->first);
	s->first = s->last = NULL;
	archive_stream_free(s->stream);
	s->stream = NULL;
	s->start = s->made = s->wanted = 0;
	s->is_verified = false;
	s->failure.code = 0;
}

void entry_source_free(struct entry_source *s)
{
	if (!s)
		return;
	stop(s);
	free_pieces(s->free);
	(void)pthread_cond_destroy(&s->changed);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

uint64_t entry_source_size(const struct entry_source *s)
{
	return s->entry.size;
}

static struct piece *take_piece(struct entry_source *s)
{
	struct piece *p;

	(void)pthread_mutex_lock(&s->lock);
	p = s->free;
	if (p)
		s->free = p->next;
	(void)pthread_mutex_unlock(&s->lock);
	if (!p)
		p = malloc(sizeof(*p));
	if (p) {
		p->next = NULL;
		p->size = 0;
	}
	return p;
}

/* The piece becomes the last one. Under the lock. */
static void add_piece(struct entry_source *s, struct piece *p)
{
	if (s->last)
		s->last->next = p;
	else
		s->first = p;
	s->last = p;
	s->made += p->size;
}

/*
 * Unpacks one more piece. At the end the stream is asked for more, which makes
 * it verify what it gave.
 */
static void unpack(struct entry_source *s)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct piece *p = take_piece(s);
	bool is_verified = false;
	size_t none = 0;
	char byte;
	int r;

	if (p)
		r = archive_stream_read(s->stream, p->bytes, PIECE_SIZE,
					&p->size, &err);
	else
		r = cvx_fail_memory(&err);
	if (r == 0 && s->made + p->size == s->entry.size) {
		r = archive_stream_read(s->stream, &byte, 1, &none, &err);
		is_verified = r == 0;
	}
	(void)pthread_mutex_lock(&s->lock);
	if (p && p->size > 0)
		add_piece(s, CVX_TAKE(p));
	s->is_verified = is_verified;
	if (r < 0)
		s->failure = err;
	(void)pthread_cond_broadcast(&s->changed);
	(void)pthread_mutex_unlock(&s->lock);
	free(p);
}

/* Under the lock. */
static bool is_done(const struct entry_source *s)
{
	return s->quits || s->is_verified || s->failure.code != 0;
}

/*
 * Whether the thread shall unpack. Once it is far enough ahead it rests until
 * half of that is read: to be woken for each piece would cost more than the
 * waiting. Under the lock.
 */
static bool has_room(const struct entry_source *s)
{
	uint64_t ahead = s->rests ? ENTRY_AHEAD_MAX / 2 : ENTRY_AHEAD_MAX;

	return s->made < s->wanted || s->made - s->start < ahead;
}

static void *unpack_ahead(void *arg)
{
	struct entry_source *s = arg;

	(void)pthread_mutex_lock(&s->lock);
	while (!is_done(s)) {
		s->rests = !has_room(s);
		if (s->rests) {
			(void)pthread_cond_wait(&s->changed, &s->lock);
			continue;
		}
		(void)pthread_mutex_unlock(&s->lock);
		unpack(s);
		(void)pthread_mutex_lock(&s->lock);
	}
	(void)pthread_mutex_unlock(&s->lock);
	return NULL;
}

static int start_over(struct entry_source *s, struct cvx_err *err)
{
	int r;

	stop(s);
	r = archive_stream_new(s->a, s->index, &s->stream, err);
	/* Where a thread is refused, the reader unpacks. */
	if (r == 0 && s->entry.size > ENTRY_AHEAD_MAX / 2)
		s->has_thread = thread_start(&s->thread, unpack_ahead, s) == 0;
	return r;
}

/* Drops the pieces in front of off. Under the lock. */
static void forget(struct entry_source *s, uint64_t off)
{
	struct piece *p;

	while (s->first && off - s->start >= s->first->size) {
		p = s->first;
		s->first = p->next;
		s->start += p->size;
		if (!s->first)
			s->last = NULL;
		p->next = s->free;
		s->free = p;
	}
}

/* Whether the bytes before end may be given out. Under the lock. */
static bool has_bytes(const struct entry_source *s, uint64_t end)
{
	return s->is_verified || (end < s->entry.size && end <= s->made);
}

/* Waits for the bytes [off, end), or unpacks them. */
static int wait_for(struct entry_source *s, uint64_t off, uint64_t end,
		    struct cvx_err *err)
{
	int r = 0;

	(void)pthread_mutex_lock(&s->lock);
	forget(s, off);
	s->wanted = end;
	if (has_room(s))
		(void)pthread_cond_broadcast(&s->changed);
	while (!has_bytes(s, end) && !is_done(s)) {
		if (s->has_thread) {
			(void)pthread_cond_wait(&s->changed, &s->lock);
			continue;
		}
		(void)pthread_mutex_unlock(&s->lock);
		unpack(s);
		(void)pthread_mutex_lock(&s->lock);
	}
	if (!has_bytes(s, end)) {
		r = s->failure.code;
		if (err)
			*err = s->failure;
	}
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}

/* Copies bytes that are there. The thread only puts pieces behind them. */
static void copy_out(const struct entry_source *s, uint64_t off, char *buf,
		     size_t size)
{
	const struct piece *p = s->first;
	size_t skip = (size_t)(off - s->start), n;

	for (; size > 0; p = p->next, skip = 0) {
		n = p->size - skip < size ? p->size - skip : size;
		memcpy(buf, p->bytes + skip, n);
		buf += n;
		size -= n;
		if (size == 0)
			break; /* what follows may just be put there */
	}
}

static int read_source(void *ctx, uint64_t off, void *buf, size_t size,
		       size_t *ret_n, struct cvx_err *err)
{
	struct entry_source *s = ctx;
	int r = 0;

	if (off >= s->entry.size)
		size = 0;
	else if (size > s->entry.size - off)
		size = (size_t)(s->entry.size - off);
	if (!s->stream || off < s->start)
		r = start_over(s, err);
	if (r == 0 && off > s->wanted && size > 0)
		return cvx_fail(err, -ESPIPE, "%.200s: a part was not read",
				s->entry.name);
	if (r == 0)
		r = wait_for(s, off, off + size, err);
	if (r < 0)
		return r;
	copy_out(s, off, buf, size);
	*ret_n = size;
	return 0;
}

struct import_source entry_source_get(struct entry_source *s)
{
	return (struct import_source){.ctx = s, .read = read_source};
}
