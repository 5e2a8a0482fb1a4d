#include "importer/schema/index_sort.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/schema/index_key.h"

/*
 * In memory there is one arena of the size of the limit, of which the kernel
 * gives only the pages that are used: at its start the entries, which are
 * sorted; behind them as much room, to merge them by; at its end the keys.
 *
 *   | entries → | room to merge | … free … | ← keys |
 *
 * In the file, a run is records one behind the other, in order: the size of the
 * key (4 bytes), the offset (8 bytes), the key.
 */
struct entry {
	uint64_t prefix; /* the first bytes of the key, to compare by */
	uint64_t offset;
	uint32_t key; /* in the arena */
	uint32_t key_size;
};

#define ENTRY_COST (2 * sizeof(struct entry))
#define RECORD_HEAD 12

/* How many runs are merged at once, and what each may read at once. */
#define FAN_IN_MAX 256
#define CHUNK_MIN ((size_t)16 << 10)
#define CHUNK_MAX ((size_t)1 << 20)

struct run {
	uint64_t off, end; /* in the file */
};

/* A run that is being read. The fields of its first record are copied out. */
struct source {
	uint64_t off, end; /* what is not in the buffer yet */
	char *buf;
	size_t used, size; /* what is read of the buffer, what is in it */

	uint64_t prefix;
	uint64_t offset;
	const char *key; /* in buf */
	uint32_t key_size;
	size_t rank; /* of the run: equal keys come in this order */
};

struct merge {
	struct source *sources;
	size_t source_count;
	size_t chunk; /* the size of each buffer */
	struct source **heap;
	size_t heap_count;
};

struct index_sort {
	int fd;
	size_t limit;
	size_t key_max; /* the longest key so far */

	char *arena; /* NULL until it is needed */
	size_t entry_count;
	size_t keys_size;

	struct run *runs;
	size_t run_count, run_capacity;
	uint64_t file_size;

	bool reading;
	size_t next_entry;  /* if all of it fits in memory */
	struct merge merge; /* if not */
};

int index_sort_new(size_t memory_limit, int temp_fd, struct index_sort **ret,
		   struct cvx_err *err)
{
	struct index_sort *s = calloc(1, sizeof(*s));

	assert(temp_fd >= 0);
	if (!s)
		return cvx_fail_memory(err);
	if (memory_limit < INDEX_SORT_MEMORY_MIN)
		memory_limit = INDEX_SORT_MEMORY_MIN;
	if (memory_limit > INDEX_SORT_MEMORY_MAX)
		memory_limit = INDEX_SORT_MEMORY_MAX;
	s->fd = temp_fd;
	s->limit = memory_limit;
	*ret = s;
	return 0;
}

static void merge_fini(struct merge *m)
{
	for (size_t i = 0; i < m->source_count; i++)
		free(m->sources[i].buf);
	free(m->sources);
	free(m->heap);
	*m = (struct merge){0};
}

void index_sort_free(struct index_sort *s)
{
	if (!s)
		return;
	merge_fini(&s->merge);
	free(s->arena);
	free(s->runs);
	free(s);
}

static uint64_t prefix_of(const char *key, size_t size)
{
	uint64_t prefix = 0;

	memcpy(&prefix, key, size < sizeof(prefix) ? size : sizeof(prefix));
	return be64toh(prefix);
}

static int compare_keys(const char *a, uint32_t a_size, const char *b,
			uint32_t b_size)
{
	int order = memcmp(a, b, a_size < b_size ? a_size : b_size);

	if (order != 0 || a_size == b_size)
		return order;
	return a_size < b_size ? -1 : 1;
}

/* ---- sorting in memory ---- */

static struct entry *entries_of(struct index_sort *s)
{
	return (struct entry *)(void *)s->arena;
}

/* Whether a may stand in front of b; equal keys stay as they are. */
static bool in_order(const struct index_sort *s, const struct entry *a,
		     const struct entry *b)
{
	if (a->prefix != b->prefix)
		return a->prefix < b->prefix;
	return compare_keys(s->arena + a->key, a->key_size, s->arena + b->key,
			    b->key_size) <= 0;
}

/* Merges the sorted [from, middle) and [middle, to). */
static void merge_entries(struct index_sort *s, size_t from, size_t middle,
			  size_t to)
{
	struct entry *all = entries_of(s), *left = all + s->entry_count;
	size_t l = 0, left_count = middle - from, r = middle, out = from;

	if (in_order(s, &all[middle - 1], &all[middle]))
		return;
	memcpy(left, all + from, left_count * sizeof(*left));
	while (l < left_count && r < to) {
		bool take_left = in_order(s, &left[l], &all[r]);

		all[out++] = take_left ? left[l++] : all[r++];
	}
	memcpy(all + out, left + l, (left_count - l) * sizeof(*left));
}

/* From blocks of one entry to blocks of two, of four, and so on. */
static void sort_entries(struct index_sort *s)
{
	size_t count = s->entry_count;

	for (size_t block = 1; block < count; block *= 2) {
		for (size_t from = 0; from + block < count; from += 2 * block) {
			size_t to = from + 2 * block;

			merge_entries(s, from, from + block,
				      to < count ? to : count);
		}
	}
}

/* ---- writing runs ---- */

/* Records on their way to the end of the file. */
struct writer {
	struct index_sort *s;
	uint64_t start; /* of the run in the file */
	size_t size;
	char buf[CHUNK_MIN];
};

static void begin_run(struct writer *w, struct index_sort *s)
{
	w->s = s;
	w->start = s->file_size;
	w->size = 0;
}

static int write_out(struct index_sort *s, const void *bytes, size_t size,
		     struct cvx_err *err)
{
	int r = file_pwrite(s->fd, bytes, size, s->file_size);

	if (r < 0)
		return cvx_fail(err, r, "cannot write a temporary file: %s",
				strerror(-r));
	s->file_size += size;
	return 0;
}

static int flush(struct writer *w, struct cvx_err *err)
{
	int r = write_out(w->s, w->buf, w->size, err);

	w->size = 0;
	return r;
}

static int write_bytes(struct writer *w, const void *bytes, size_t size,
		       struct cvx_err *err)
{
	int r = 0;

	if (sizeof(w->buf) - w->size < size)
		r = flush(w, err);
	if (r < 0)
		return r;
	if (size > sizeof(w->buf))
		return write_out(w->s, bytes, size, err);
	memcpy(w->buf + w->size, bytes, size);
	w->size += size;
	return 0;
}

static int write_record(struct writer *w, uint64_t offset, const char *key,
			uint32_t key_size, struct cvx_err *err)
{
	char head[RECORD_HEAD];
	int r;

	memcpy(head, &key_size, sizeof(key_size));
	memcpy(head + sizeof(key_size), &offset, sizeof(offset));
	r = write_bytes(w, head, sizeof(head), err);
	return r < 0 ? r : write_bytes(w, key, key_size, err);
}

static int end_run(struct writer *w, struct run *ret, struct cvx_err *err)
{
	int r = flush(w, err);

	*ret = (struct run){w->start, w->s->file_size};
	return r;
}

static int add_run(struct index_sort *s, struct run run, struct cvx_err *err)
{
	if (s->run_count == s->run_capacity) {
		size_t capacity = s->run_capacity * 2 + 16;
		struct run *runs = realloc(s->runs, capacity * sizeof(*runs));

		if (!runs)
			return cvx_fail_memory(err);
		s->runs = runs;
		s->run_capacity = capacity;
	}
	s->runs[s->run_count++] = run;
	return 0;
}

/* Sorts what is in memory and makes a run of it. */
static int spill(struct index_sort *s, struct cvx_err *err)
{
	const struct entry *entries = entries_of(s);
	struct writer w;
	struct run run = {0, 0};
	int r = 0;

	if (s->entry_count == 0)
		return 0;
	sort_entries(s);
	begin_run(&w, s);
	for (size_t i = 0; r == 0 && i < s->entry_count; i++)
		r = write_record(&w, entries[i].offset,
				 s->arena + entries[i].key, entries[i].key_size,
				 err);
	if (r == 0)
		r = end_run(&w, &run, err);
	if (r == 0)
		r = add_run(s, run, err);
	s->entry_count = 0;
	s->keys_size = 0;
	return r;
}

/* A key too long for the arena is a run of its own. */
static int spill_one(struct index_sort *s, const void *key, uint32_t key_size,
		     uint64_t offset, struct cvx_err *err)
{
	struct writer w;
	struct run run = {0, 0};
	int r;

	begin_run(&w, s);
	r = write_record(&w, offset, key, key_size, err);
	if (r == 0)
		r = end_run(&w, &run, err);
	return r < 0 ? r : add_run(s, run, err);
}

static bool has_room(const struct index_sort *s, size_t key_size)
{
	size_t used = s->keys_size + (s->entry_count + 1) * ENTRY_COST;

	return used <= s->limit && key_size <= s->limit - used;
}

int index_sort_add(struct index_sort *s, const void *key, size_t key_size,
		   uint64_t offset, struct cvx_err *err)
{
	struct entry *e;
	int r = 0;

	assert(!s->reading && (key || key_size == 0));
	if (key_size > INDEX_KEY_MAX)
		return cvx_fail(err, -EFBIG,
				"a key of %zu bytes is too long for an index",
				key_size);
	if (key_size > s->key_max)
		s->key_max = key_size;
	if (!s->arena) {
		s->arena = malloc(s->limit);
		if (!s->arena)
			return cvx_fail_memory(err);
	}
	if (!has_room(s, key_size))
		r = spill(s, err);
	if (r < 0)
		return r;
	if (!has_room(s, key_size))
		return spill_one(s, key, (uint32_t)key_size, offset, err);

	s->keys_size += key_size;
	e = &entries_of(s)[s->entry_count++];
	e->key = (uint32_t)(s->limit - s->keys_size);
	e->key_size = (uint32_t)key_size;
	e->prefix = prefix_of(key, key_size);
	e->offset = offset;
	if (key_size > 0)
		memcpy(s->arena + e->key, key, key_size);
	return 0;
}

/* ---- merging runs ---- */

static int read_failed(int code, struct cvx_err *err)
{
	return cvx_fail(err, code, "cannot read a temporary file: %s",
			strerror(-code));
}

/* Moves what is left of the buffer to its start and reads on behind it. */
static int refill(const struct index_sort *s, const struct merge *m,
		  struct source *from, struct cvx_err *err)
{
	size_t left = from->size - from->used, want = m->chunk - left, got;
	int r;

	if (want > from->end - from->off)
		want = (size_t)(from->end - from->off);
	memmove(from->buf, from->buf + from->used, left);
	r = file_pread(s->fd, from->buf + left, want, from->off, &got);
	if (r == 0 && got < want)
		r = -EIO; /* the file became shorter */
	if (r < 0)
		return read_failed(r, err);
	from->off += got;
	from->used = 0;
	from->size = left + got;
	return 0;
}

/* Has the first n bytes of what is left in the buffer. */
static int need(const struct index_sort *s, const struct merge *m,
		struct source *from, size_t n, struct cvx_err *err)
{
	int r = 0;

	if (from->size - from->used < n)
		r = refill(s, m, from, err);
	if (r == 0 && from->size - from->used < n)
		return read_failed(-EIO, err);
	return r;
}

/* Steps to the next record; *ret_end tells that there is none. */
static int next_record(const struct index_sort *s, const struct merge *m,
		       struct source *from, bool *ret_end, struct cvx_err *err)
{
	const char *head;
	int r;

	*ret_end = from->used == from->size && from->off == from->end;
	if (*ret_end)
		return 0;
	r = need(s, m, from, RECORD_HEAD, err);
	if (r < 0)
		return r;
	memcpy(&from->key_size, from->buf + from->used, sizeof(from->key_size));
	if (from->key_size > s->key_max)
		return read_failed(-EIO, err);
	r = need(s, m, from, RECORD_HEAD + (size_t)from->key_size, err);
	if (r < 0)
		return r;
	head = from->buf + from->used;
	memcpy(&from->offset, head + sizeof(from->key_size),
	       sizeof(from->offset));
	from->key = head + RECORD_HEAD;
	from->prefix = prefix_of(from->key, from->key_size);
	from->used += RECORD_HEAD + (size_t)from->key_size;
	return 0;
}

static bool comes_first(const struct source *a, const struct source *b)
{
	int order;

	if (a->prefix != b->prefix)
		return a->prefix < b->prefix;
	order = compare_keys(a->key, a->key_size, b->key, b->key_size);
	return order != 0 ? order < 0 : a->rank < b->rank;
}

static void sift_down(struct merge *m, size_t at)
{
	struct source *moving = m->heap[at];

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= m->heap_count)
			break;
		if (child + 1 < m->heap_count &&
		    comes_first(m->heap[child + 1], m->heap[child]))
			child++;
		if (comes_first(moving, m->heap[child]))
			break;
		m->heap[at] = m->heap[child];
		at = child;
	}
	m->heap[at] = moving;
}

/* Leaves the record at the top behind. */
static int merge_next(const struct index_sort *s, struct merge *m,
		      struct cvx_err *err)
{
	bool at_end;
	int r = next_record(s, m, m->heap[0], &at_end, err);

	if (r < 0)
		return r;
	if (at_end)
		m->heap[0] = m->heap[--m->heap_count];
	if (m->heap_count > 0)
		sift_down(m, 0);
	return 0;
}

/* Begins to merge count runs, of which chunks of that size are read. */
static int merge_init(struct merge *m, const struct index_sort *s,
		      const struct run *runs, size_t count, size_t chunk,
		      struct cvx_err *err)
{
	*m = (struct merge){.chunk = chunk};
	m->sources = calloc(count, sizeof(*m->sources));
	m->heap = calloc(count, sizeof(struct source *));
	if (!m->sources || !m->heap)
		return cvx_fail_memory(err);
	for (size_t i = 0; i < count; i++) {
		struct source *from = &m->sources[m->source_count++];
		bool at_end;
		int r;

		from->off = runs[i].off;
		from->end = runs[i].end;
		from->rank = i;
		from->buf = malloc(chunk);
		if (!from->buf)
			return cvx_fail_memory(err);
		r = next_record(s, m, from, &at_end, err);
		if (r < 0)
			return r;
		if (!at_end)
			m->heap[m->heap_count++] = from;
	}
	for (size_t i = m->heap_count / 2; i-- > 0;)
		sift_down(m, i);
	return 0;
}

/* Makes one run of several. */
static int merge_runs(struct index_sort *s, const struct run *runs,
		      size_t count, size_t chunk, struct run *ret,
		      struct cvx_err *err)
{
	struct writer w;
	struct merge m;
	int r = merge_init(&m, s, runs, count, chunk, err);

	begin_run(&w, s);
	while (r == 0 && m.heap_count > 0) {
		const struct source *first = m.heap[0];

		r = write_record(&w, first->offset, first->key, first->key_size,
				 err);
		if (r == 0)
			r = merge_next(s, &m, err);
	}
	if (r == 0)
		r = end_run(&w, ret, err);
	merge_fini(&m);
	return r;
}

/* Buffers as large as the limit allows, but each holds a whole record. */
static size_t chunk_for(const struct index_sort *s, size_t runs)
{
	size_t chunk = s->limit / runs;

	if (chunk > CHUNK_MAX)
		chunk = CHUNK_MAX;
	if (chunk < RECORD_HEAD + s->key_max)
		chunk = RECORD_HEAD + s->key_max;
	return chunk;
}

static size_t fan_in(const struct index_sort *s)
{
	size_t chunk = RECORD_HEAD + s->key_max, count;

	if (chunk < CHUNK_MIN)
		chunk = CHUNK_MIN;
	count = s->limit / chunk;
	if (count > FAN_IN_MAX)
		return FAN_IN_MAX;
	return count > 2 ? count : 2;
}

/* Merges neighbours until few enough runs are left. */
static int reduce_runs(struct index_sort *s, struct cvx_err *err)
{
	const size_t most = fan_in(s);
	int r = 0;

	while (r == 0 && s->run_count > most) {
		size_t kept = 0;

		for (size_t i = 0; r == 0 && i < s->run_count; i += most) {
			size_t count = s->run_count - i;
			struct run run = {0, 0};

			if (count > most)
				count = most;
			r = merge_runs(s, s->runs + i, count,
				       chunk_for(s, count), &run, err);
			if (r == 0)
				s->runs[kept++] = run;
		}
		s->run_count = kept;
	}
	return r;
}

static int begin_reading(struct index_sort *s, struct cvx_err *err)
{
	int r;

	s->reading = true;
	if (s->run_count == 0) {
		sort_entries(s);
		return 0;
	}
	r = spill(s, err);
	free(s->arena);
	s->arena = NULL;
	if (r == 0)
		r = reduce_runs(s, err);
	if (r == 0)
		r = merge_init(&s->merge, s, s->runs, s->run_count,
			       chunk_for(s, s->run_count), err);
	return r;
}

static int read_merged(struct index_sort *s, uint64_t *offsets, size_t max,
		       size_t *ret_count, struct cvx_err *err)
{
	size_t n = 0;
	int r = 0;

	while (r == 0 && n < max && s->merge.heap_count > 0) {
		offsets[n++] = s->merge.heap[0]->offset;
		r = merge_next(s, &s->merge, err);
	}
	*ret_count = n;
	return r;
}

int index_sort_read(struct index_sort *s, uint64_t *offsets, size_t max,
		    size_t *ret_count, struct cvx_err *err)
{
	size_t n = 0;
	int r = 0;

	assert(max > 0);
	if (!s->reading)
		r = begin_reading(s, err);
	if (r < 0)
		return r;
	if (s->run_count > 0)
		return read_merged(s, offsets, max, ret_count, err);
	for (; n < max && s->next_entry < s->entry_count; n++)
		offsets[n] = entries_of(s)[s->next_entry++].offset;
	*ret_count = n;
	return 0;
}
