#include "importer/embedded/runs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/catalog.h"
#include "cache/segment.h"
#include "importer/embedded/commit.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/line_order.h"
#include "importer/embedded/publish.h"
#include "importer/embedded/sql.h"
#include "importer/schema/index_sort.h"
#include "importer/schema/schema.h"
#include "importer/value/document.h"

/* What one sort holds in memory; at most two run at once. */
#define SORT_MEMORY ((size_t)20 << 20)

/* Entries that a sort gives at once. */
#define SORT_STEP 1024

_Static_assert(sizeof(((struct made_runs *)0)->list) ==
		       SCHEMA_INDEXES_MAX * sizeof(struct made_run),
	       "runs.h says how many indexes a table may have");

CVX_DEFINE_CLEANUP(struct index_sort, index_sort_free)

int runs_list(struct catalog *c, int64_t table_id, struct run_row **ret,
	      size_t *ret_count, struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	CVX_AUTO(cvx_freep) struct run_row *runs = NULL;
	struct run_row *run;
	size_t count = 0, capacity = 0, size;
	const char *bytes;
	int r = catalog_query(c, SQL_INDEX_RUNS, &q, err);

	if (r < 0)
		return r;
	catalog_bind_int(q, 1, table_id);
	while ((r = catalog_next(q, err)) == 1) {
		if (count == capacity) {
			capacity = capacity * 2 + 8;
			run = reallocarray(runs, capacity, sizeof(*runs));
			if (!run)
				return cvx_fail_memory(err);
			runs = run;
		}
		run = &runs[count++];
		bytes = catalog_bytes(q, 1, &size);
		(void)snprintf(run->index, sizeof(run->index), "%.*s",
			       (int)size, bytes);
		run->id = (uint64_t)catalog_int(q, 0);
		run->start = (uint64_t)catalog_int(q, 2);
		run->size = (uint64_t)catalog_int(q, 3);
		run->row_count = (uint64_t)catalog_int(q, 4);
	}
	if (r < 0)
		return r;
	*ret = CVX_TAKE(runs);
	*ret_count = count;
	return 0;
}

uint64_t runs_end(const struct run_row *runs, size_t count, const char *index)
{
	uint64_t end = 0;
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(runs[i].index, index) == 0)
			end = runs[i].start + runs[i].size;
	return end;
}

bool index_is_kept(const struct schema_index *index)
{
	return index->kind == SCHEMA_INDEX_DATABASE && !index->staged;
}

void index_order_init(struct index_order *o, const struct schema_index *index)
{
	o->by_id = false;
	index_fields_init(&o->fields, index->fields, index->field_count);
}

int index_order_key(const struct index_order *o, const char *line, size_t size,
		    struct cvx_buf *out, struct cvx_err *err)
{
	struct internal_id id;

	if (!o->by_id)
		return index_key(&o->fields, line, size, out, err);
	if (document_line_id(line, size, &id) < 0)
		return cvx_fail(err, -EIO, "a stored row has no _id");
	return cvx_buf_append(out, id.bytes, ID_SIZE) < 0 ? cvx_fail_memory(err)
							  : 0;
}

int runs_temp_file(struct deployment *d, int *ret_fd, struct cvx_err *err)
{
	int fd;

	if (d->read_only)
		fd = memfd_create("convexfs-index", MFD_CLOEXEC);
	else
		fd = openat(d->stage_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC,
			    0600);
	if (fd < 0)
		return cvx_fail(err, -errno,
				"cannot make a temporary file in %s: %s",
				d->dir, strerror(errno));
	*ret_fd = fd;
	return 0;
}

static int add_lines(const struct index_order *o,
		     const struct lines_place *place, uint64_t from,
		     struct index_sort *sort, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf key = CVX_BUF_INIT(INDEX_KEY_ROOM);
	CVX_AUTO(lines_fini) struct lines lines;
	const char *line;
	line_entry entry;
	uint64_t off;
	size_t size;
	int r;

	lines_init(&lines, place);
	lines.off = from;
	while ((r = lines_next(&lines, &line, &size, &off, err)) == 1) {
		cvx_buf_clear(&key);
		r = index_order_key(o, line, size, &key, err);
		if (r == 0)
			r = line_entry_make(off - from, size + 1, &entry, err);
		if (r == 0)
			r = index_sort_add(sort, key.data, key.size, entry,
					   err);
		if (r < 0)
			break;
	}
	return r;
}

static int write_order(struct index_sort *sort, int fd, struct cvx_err *err)
{
	CVX_AUTO(line_order_writer_fini) struct line_order_writer w;
	line_entry entries[SORT_STEP];
	size_t n = 1, i;
	int r = 0;

	line_order_writer_init(&w, fd);
	while (r == 0 && n > 0) {
		r = index_sort_read(sort, entries, SORT_STEP, &n, err);
		for (i = 0; r == 0 && i < n; i++)
			r = line_order_write(&w, entries[i], err);
	}
	return r < 0 ? r : line_order_end(&w, err);
}

int index_order_sort(struct deployment *d, const struct index_order *o,
		     const struct lines_place *place, uint64_t from, int fd,
		     struct cvx_err *err)
{
	CVX_AUTO(cvx_closep) int temp_fd = -1;
	CVX_AUTO(index_sort_freep) struct index_sort *sort = NULL;
	int r = runs_temp_file(d, &temp_fd, err);

	if (r == 0)
		r = index_sort_new(SORT_MEMORY, temp_fd, &sort, err);
	if (r == 0)
		r = add_lines(o, place, from, sort, err);
	return r < 0 ? r : write_order(sort, fd, err);
}

int run_make(struct deployment *d, const struct schema_index *index,
	     const struct lines_place *place, uint64_t from,
	     struct made_run *ret, struct cvx_err *err)
{
	CVX_AUTO(segment_stage_freep) struct segment_stage *stage = NULL;
	struct line_order order;
	struct index_order o;
	int r = commit_new_stage(d, &stage, err), fd;

	if (r < 0)
		return r;
	fd = segment_stage_fd(stage);
	index_order_init(&o, index);
	r = index_order_sort(d, &o, place, from, fd, err);
	if (r == 0)
		r = line_order_open(fd, &order, err);
	if (r < 0)
		return r;
	ret->row_count = order.count;
	line_order_close(&order);
	r = file_sync(fd);
	if (r < 0)
		return cvx_fail(err, r, "cannot store an index: %s",
				strerror(-r));
	ret->index = index;
	ret->stage = CVX_TAKE(stage);
	return 0;
}

/* The indexes of a table that are being sorted, each by one thread. */
struct sorting {
	struct deployment *d;
	const struct lines_place *place;
	uint64_t from;

	pthread_mutex_t lock;
	/* guarded by lock: */
	struct made_runs *made; /* which index each is to be; then the run */
	size_t next;
	struct cvx_err failure; /* the first; code 0: none */
};

/* The next one that nobody has begun; NULL: none, or one has failed. */
static struct made_run *take_index(struct sorting *s)
{
	struct made_run *run = NULL;

	(void)pthread_mutex_lock(&s->lock);
	if (s->next < s->made->count && s->failure.code == 0)
		run = &s->made->list[s->next++];
	(void)pthread_mutex_unlock(&s->lock);
	return run;
}

static void *sort_indexes(void *arg)
{
	struct sorting *s = arg;
	struct cvx_err err = CVX_ERR_INIT;
	struct made_run *run;

	while ((run = take_index(s))) {
		if (run_make(s->d, run->index, s->place, s->from, run, &err) ==
		    0)
			continue;
		(void)pthread_mutex_lock(&s->lock);
		if (s->failure.code == 0)
			s->failure = err;
		(void)pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

/* Signals are for the threads of the program. Where a thread is refused, this
 * one does all the work. */
static bool start_helper(struct sorting *s, pthread_t *ret)
{
	sigset_t all, old;
	int r;

	if (s->made->count < 2)
		return false;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(ret, NULL, sort_indexes, s);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r == 0;
}

int runs_make(struct deployment *d, const struct schema_table *t,
	      const struct lines_place *place, uint64_t from,
	      struct made_runs *ret, struct cvx_err *err)
{
	struct sorting s = {.d = d, .place = place, .from = from, .made = ret};
	const struct schema_index *index;
	pthread_t helper;
	bool helped;
	size_t i;

	ret->count = 0;
	for (i = 0; i < schema_table_index_count(t); i++) {
		index = schema_table_index(t, i);
		if (index_is_kept(index))
			ret->list[ret->count++] =
				(struct made_run){.index = index};
	}
	(void)pthread_mutex_init(&s.lock, NULL);
	helped = start_helper(&s, &helper);
	(void)sort_indexes(&s);
	if (helped)
		(void)pthread_join(helper, NULL);
	(void)pthread_mutex_destroy(&s.lock);
	if (s.failure.code == 0)
		return 0;
	made_runs_fini(ret);
	if (err)
		*err = s.failure;
	return s.failure.code;
}

void made_runs_fini(struct made_runs *made)
{
	size_t i;

	for (i = 0; i < made->count; i++)
		segment_stage_free(made->list[i].stage);
	made->count = 0;
}

/* Changes of a transaction. */

static int note(struct run_ids *ids, uint64_t id, struct cvx_err *err)
{
	size_t capacity = ids->capacity * 2 + 8;
	uint64_t *more;

	if (ids->count == ids->capacity) {
		more = reallocarray(ids->list, capacity, sizeof(*more));
		if (!more)
			return cvx_fail_memory(err);
		ids->list = more;
		ids->capacity = capacity;
	}
	ids->list[ids->count++] = id;
	return 0;
}

int runs_drop_one(struct runs_change *change, struct catalog *c,
		  const struct run_row *run, struct cvx_err *err)
{
	struct catalog_query *q;
	int r = note(&change->old, run->id, err);

	if (r == 0)
		r = catalog_query(c, SQL_DELETE_RUN, &q, err);
	if (r < 0)
		return r;
	catalog_bind_int(q, 1, (int64_t)run->id);
	return catalog_run(q, err);
}

int runs_drop(struct runs_change *change, struct catalog *c, int64_t table_id,
	      const char *index, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct run_row *runs = NULL;
	size_t count = 0, i;
	int r = runs_list(c, table_id, &runs, &count, err);

	for (i = 0; r == 0 && i < count; i++)
		if (!index || strcmp(runs[i].index, index) == 0)
			r = runs_drop_one(change, c, &runs[i], err);
	return r;
}

int runs_publish(struct runs_change *change, struct deployment *d,
		 struct catalog *c, struct counters_row *counters,
		 int64_t table_id, struct run_row *run,
		 struct segment_stage *stage, struct cvx_err *err)
{
	struct catalog_query *q;
	int r = publish_run(d, counters, stage, &run->id, err);

	if (r < 0)
		return r;
	r = note(&change->made, run->id, err);
	if (r < 0)
		publish_remove_run(d, run->id);
	if (r == 0)
		r = catalog_query(c, SQL_INSERT_RUN, &q, err);
	if (r < 0)
		return r;
	catalog_bind_int(q, 1, (int64_t)run->id);
	catalog_bind_int(q, 2, table_id);
	catalog_bind_text(q, 3, run->index);
	catalog_bind_int(q, 4, (int64_t)run->start);
	catalog_bind_int(q, 5, (int64_t)run->size);
	catalog_bind_int(q, 6, (int64_t)run->row_count);
	return catalog_run(q, err);
}

int runs_change_sync(const struct runs_change *change, struct deployment *d,
		     struct cvx_err *err)
{
	return change->made.count > 0 ? publish_sync_runs(d, err) : 0;
}

void runs_change_end(struct runs_change *change, struct deployment *d,
		     bool committed, bool in_doubt)
{
	const struct run_ids *gone = committed ? &change->old : &change->made;
	size_t i;

	for (i = 0; i < gone->count && (committed || !in_doubt); i++)
		publish_remove_run(d, gone->list[i]);
}

void runs_change_fini(struct runs_change *change)
{
	free(change->made.list);
	free(change->old.list);
}
