#include "importer/restore_tables.h"

#include <pthread.h>
#include <stdbool.h>

#include "cache/base/err.h"
#include "cache/base/thread.h"
#include "importer/archive/archive.h"
#include "importer/archive/contents.h"
#include "importer/pipeline.h"
#include "importer/restore_table.h"

#define THREADS_MAX 4

/* Threads that convert small tables, each the next one. */
struct team {
	struct restore_work *w;
	const struct restore_order *orders;
	size_t count;

	pthread_mutex_t lock; /* guards everything below */
	size_t next;	      /* to be converted */
	size_t failed;	      /* the first one that is refused, or count */
	struct places places; /* of it */
	struct cvx_err err;
};

static int convert(struct restore_work *w, const struct restore_order *order,
		   struct places *places, struct cvx_err *err)
{
	return restore_table_convert(w, order->table, order->plan, places, err);
}

/* Takes the next table, unless one is refused: those behind it do not matter,
 * and those before it have been taken. */
static bool take(struct team *t, size_t *ret)
{
	bool is_taken;

	(void)pthread_mutex_lock(&t->lock);
	is_taken = t->failed == t->count && t->next < t->count;
	if (is_taken)
		*ret = t->next++;
	(void)pthread_mutex_unlock(&t->lock);
	return is_taken;
}

static void note_failure(struct team *t, size_t nth,
			 const struct places *places, const struct cvx_err *err)
{
	(void)pthread_mutex_lock(&t->lock);
	if (nth < t->failed) {
		t->failed = nth;
		t->places = *places;
		t->err = *err;
	}
	(void)pthread_mutex_unlock(&t->lock);
}

static void *convert_some(void *arg)
{
	struct team *t = arg;
	size_t nth;

	while (take(t, &nth)) {
		struct places places = {.count = 0};
		struct cvx_err err = CVX_ERR_INIT;

		if (convert(t->w, &t->orders[nth], &places, &err) < 0)
			note_failure(t, nth, &places, &err);
	}
	return NULL;
}

/* Where a thread is refused, fewer do the same work. */
static int convert_small(struct restore_work *w,
			 const struct restore_order *orders, size_t count,
			 struct cvx_err *err)
{
	struct team t = {
		.w = w, .orders = orders, .count = count, .failed = count};
	pthread_t threads[THREADS_MAX];
	unsigned want = thread_cpu_count(THREADS_MAX), started = 0;

	(void)pthread_mutex_init(&t.lock, NULL);
	while (started + 1 < want && started + 1 < count &&
	       thread_start(&threads[started], convert_some, &t) == 0)
		started++;
	(void)convert_some(&t);
	while (started > 0)
		(void)pthread_join(threads[--started], NULL);
	(void)pthread_mutex_destroy(&t.lock);
	if (t.failed == count)
		return 0;
	w->places = t.places;
	if (err)
		*err = t.err;
	return t.err.code;
}

/* Two entries that share bytes: the one that comes first is believed, whatever
 * the threads will do. */
static int claim_entries(const struct restore_work *w,
			 const struct contents_table *t, struct cvx_err *err)
{
	size_t i;
	int r = 0;

	if (t->document_count > 0 && t->has_schema)
		r = archive_claim(w->a, t->schema, err);
	for (i = 0; r == 0 && i < t->document_count; i++)
		r = archive_claim(w->a, t->documents[i], err);
	for (i = 0; r == 0 && i < t->file_count; i++)
		r = archive_claim(w->a, t->files[i], err);
	return r;
}

/* How many tables from the first one on are small. */
static size_t count_small(const struct restore_work *w,
			  const struct restore_order *orders, size_t count)
{
	size_t n = 0;

	while (n < count &&
	       restore_table_size(w, orders[n].table) <= PIPELINE_SMALL_SIZE)
		n++;
	return n;
}

int restore_tables_convert(struct restore_work *w,
			   const struct restore_order *orders, size_t count,
			   struct cvx_err *err)
{
	size_t i, small;
	int r = 0;

	for (i = 0; r == 0 && i < count; i++)
		r = claim_entries(w, orders[i].table->contents, err);
	for (i = 0; r == 0 && i < count; i += small) {
		small = count_small(w, orders + i, count - i);
		if (small > 0) {
			r = convert_small(w, orders + i, small, err);
		} else {
			r = convert(w, &orders[i], &w->places, err);
			small = 1;
		}
	}
	return r;
}
