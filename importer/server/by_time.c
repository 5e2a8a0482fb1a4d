#include "importer/server/by_time.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cache/base/err.h"
#include "importer/deployment_schema.h"
#include "importer/value/walk.h"

/* What is read around a place at first; both sides grow until it is enough. */
#define READ_SIZE ((uint64_t)64 << 10)
#define READ_MAX ((uint64_t)32 << 20)

void by_time_init(struct by_time *l, struct index_reader *reader, uint64_t size)
{
	l->reader = reader;
	l->size = size;
	l->off = 0;
	cvx_buf_init(&l->text, 2 * READ_MAX);
}

void by_time_fini(struct by_time *l)
{
	cvx_buf_fini(&l->text);
}

static int load(struct by_time *l, uint64_t from, uint64_t to,
		struct cvx_err *err)
{
	size_t size = (size_t)(to - from), n;
	int r;

	cvx_buf_clear(&l->text);
	r = cvx_buf_reserve(&l->text, size);
	if (r < 0)
		return cvx_fail_memory(err);
	r = index_reader_read(l->reader, from, l->text.data, size, &n, err);
	if (r < 0)
		return r;
	if (n < size)
		return cvx_fail(err, -EIO, "an index is damaged");
	l->text.size = size;
	l->off = from;
	return 0;
}

/* Whether the line with the byte at off lies in what is loaded. */
static bool look(const struct by_time *l, uint64_t off,
		 struct by_time_line *ret)
{
	const char *base = l->text.data, *place, *start, *end;

	if (l->text.size == 0 || off < l->off || off - l->off >= l->text.size)
		return false;
	place = base + (off - l->off);
	start = memrchr(base, '\n', (size_t)(place - base));
	if (!start && l->off > 0)
		return false;
	start = start ? start + 1 : base;
	end = memchr(place, '\n', l->text.size - (size_t)(place - base));
	if (!end)
		return false;
	ret->text = start;
	ret->size = (size_t)(end - start);
	ret->start = l->off + (uint64_t)(start - base);
	ret->end = l->off + (uint64_t)(end - base) + 1;
	return true;
}

int by_time_at(struct by_time *l, uint64_t off, struct by_time_line *ret,
	       struct cvx_err *err)
{
	uint64_t size, from, to;
	int r;

	for (size = READ_SIZE; !look(l, off, ret); size *= 4) {
		if (size > READ_MAX)
			return cvx_fail(err, -EIO, "an index is damaged");
		from = off > size ? off - size : 0;
		to = l->size - off > size ? off + size : l->size;
		r = load(l, from, to, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int time_key_read(const struct by_time_line *line, struct time_key *ret,
		  struct cvx_err *err)
{
	const char *end = line->text + line->size;
	const char *time = walk_find(line->text, end, "_creationTime", 13);
	const char *id = walk_find(line->text, end, "_id", 3);
	const char *id_end = id ? walk_string(id, end) : NULL;
	uint64_t bits;

	/* An id holds nothing that is escaped. */
	if (!time || !id_end || (size_t)(id_end - id) > sizeof(ret->id) + 1 ||
	    !walk_float64(time, walk_value(time, end), &bits))
		return cvx_fail(err, -EIO, "a document is damaged");
	memcpy(&ret->time, &bits, sizeof(bits));
	(void)snprintf(ret->id, sizeof(ret->id), "%.*s", (int)(id_end - id) - 2,
		       id + 1);
	return 0;
}

int time_key_compare(const struct time_key *a, const struct time_key *b)
{
	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	return strcmp(a->id, b->id);
}

int by_time_find(struct by_time *l, const struct time_key *key, bool behind,
		 uint64_t *ret, struct cvx_err *err)
{
	uint64_t low = 0, high = l->size; /* starts of lines */
	struct time_key other;
	struct by_time_line line;
	int r, order;

	while (low < high) {
		r = by_time_at(l, low + (high - low) / 2, &line, err);
		if (r == 0)
			r = time_key_read(&line, &other, err);
		if (r < 0)
			return r;
		order = time_key_compare(&other, key);
		if (order < 0 || (order == 0 && behind))
			low = line.end;
		else
			high = line.start;
	}
	*ret = low;
	return 0;
}
