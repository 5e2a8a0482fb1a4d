#include "importer/value/scan.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "importer/value/scan_parts.h"

/*
 * No token of n bytes and the comma behind it becomes longer than 4 (n + 1)
 * bytes; "1e15," does worst. The rest is room for blocks.
 */
#define ROW_FACTOR 4
#define ROW_SLACK 256

bool scan_has_kind(enum scan_kind kind)
{
	switch (kind) {
	case SCAN_SCALAR:
		return true;
#if defined(__x86_64__)
	case SCAN_SSE2:
		return true;
	case SCAN_AVX2:
		return __builtin_cpu_supports("avx2") &&
		       __builtin_cpu_supports("bmi") &&
		       __builtin_cpu_supports("bmi2");
#else
	case SCAN_SSE2:
	case SCAN_AVX2:
		return false;
#endif
	}
	return false;
}

static scan_run *run_of_kind(enum scan_kind kind)
{
	assert(scan_has_kind(kind));
#if defined(__x86_64__)
	if (kind == SCAN_AVX2)
		return scan_run_avx2;
	if (kind == SCAN_SSE2)
		return scan_run_sse2;
#endif
	return scan_run_scalar;
}

static enum scan_kind best_kind(void)
{
	if (scan_has_kind(SCAN_AVX2))
		return SCAN_AVX2;
	return scan_has_kind(SCAN_SSE2) ? SCAN_SSE2 : SCAN_SCALAR;
}

/* No key is longer than its shape's text, so none is taken from here on. */
static void end_shape(struct shape *shape, size_t count)
{
	shape->count = (uint16_t)count;
	memset(shape->size + count, UINT8_MAX, SHAPE_SKIP_MAX + 1);
}

/* The shape gets a place, where nothing is known yet. */
static void begin_shape(struct shape *shape)
{
	memset(shape, 0, offsetof(struct shape, key));
	end_shape(shape, 0);
}

/*
 * Shapes and members are most of a scanner, and a file of a few rows uses few
 * of them: they are written when they are needed, not before.
 */
struct scanner *scan_new(bool integers, bool wrappers)
{
	struct scanner *s = malloc(sizeof(*s));

	if (!s)
		return NULL;
	memset(s, 0, offsetof(struct scanner, shapes));
	memset(s->tail, 0, sizeof(s->tail));
	begin_shape(&s->shapes[0]);
	begin_shape(&s->shapes[SHAPE_COUNT - 1]); /* has many places */
	s->shape_count = 1;
	s->run = run_of_kind(best_kind());
	s->integers = integers;
	s->wrappers = wrappers;
	return s;
}

void scan_free(struct scanner *s)
{
	if (!s)
		return;
	free(s->row);
	free(s->scratch);
	free(s);
}

int scan_reserve(struct scanner *s, size_t size)
{
	size_t need = ROW_FACTOR * size + ROW_SLACK;

	assert(size <= SCAN_TEXT_MAX);
	if (need <= s->row_capacity)
		return 0;
	free(s->row);
	free(s->scratch);
	s->row_capacity = 0;
	s->row = malloc(need);
	s->scratch = malloc(need);
	if (!s->row || !s->scratch)
		return -ENOMEM;
	s->row_capacity = need;
	return 0;
}

const char *scan_to_tail(struct scanner *s, const char *p)
{
	size_t left = (size_t)(s->part_end - p);
	char *copy = s->tail + SCAN_PAD - left;

	assert(left <= SCAN_PAD);
	memcpy(copy, p, left);
	s->utf8_checked =
		s->utf8_checked > p ? copy + (s->utf8_checked - p) : copy;
	s->part_end = s->tail + SCAN_PAD;
	s->safe = s->part_end; /* what follows are zeros, which end it all */
	return copy;
}

const char *scan_to_end(struct scanner *s)
{
	s->part_end = s->safe = s->tail + SCAN_PAD;
	return s->part_end;
}

static enum scan_outcome scan(struct scanner *s, const char *text, size_t size)
{
	assert(ROW_FACTOR * size + ROW_SLACK <= s->row_capacity);
	s->text = text;
	s->size = size;
	s->part_end = text + size;
	s->utf8_checked = text;
	s->beyond_plain = false;
	s->root_wrapper = false;
	s->nesting = 0;
	s->fault = NULL;
	s->member_count = 0;
	if (size > SCAN_PAD)
		s->safe = s->part_end - SCAN_PAD;
	else
		text = scan_to_tail(s, text);
	return s->run(s, text);
}

enum scan_outcome scan_text(struct scanner *s, const char *text, size_t size,
			    bool partial)
{
	s->partial = partial;
	s->one_line = false;
	return scan(s, text, size);
}

enum scan_outcome scan_line(struct scanner *s, const char *text, size_t size)
{
	s->partial = s->one_line = true;
	return scan(s, text, size);
}

enum scan_outcome scan_text_as(enum scan_kind kind, struct scanner *s,
			       const char *text, size_t size, bool partial)
{
	scan_run *before = s->run;
	enum scan_outcome outcome;

	s->run = run_of_kind(kind);
	outcome = scan_text(s, text, size, partial);
	s->run = before;
	return outcome;
}

uint16_t scan_new_child(struct scanner *s, struct shape *shape, size_t member)
{
	uint8_t child = SHAPE_COUNT - 1; /* for all that come too late */

	if (s->shape_count < SHAPE_COUNT - 1) {
		child = (uint8_t)s->shape_count++;
		begin_shape(&s->shapes[child]);
	}
	shape->child[member] = child;
	return child;
}

/* A key as the sort sees it. */
struct sort_key {
	uint64_t prefix; /* its first 8 bytes, big-endian */
	const char *text;
	uint16_t size;
	uint16_t index;
	bool escaped;
};

static struct sort_key sort_key_of(const struct scanner *s,
				   const struct scan_member *m, size_t index)
{
	struct sort_key k = {
		.text = s->row + m->off + 1,
		.size = m->key_size,
		.index = (uint16_t)index,
	};

	/* Behind the key follow more bytes, written or not. */
	memcpy(&k.prefix, k.text, sizeof(k.prefix));
	k.prefix = __builtin_bswap64(k.prefix);
	if (k.size < sizeof(k.prefix))
		k.prefix &= k.size ? ~(UINT64_MAX >> 8 * k.size) : 0;
	k.escaped = memchr(k.text, '\\', k.size) != NULL;
	return k;
}

/* Order of two keys of which one has escapes: only \" and \\ can be there. */
static int compare_escaped(const struct sort_key *a, const struct sort_key *b)
{
	const char *p = a->text, *p_end = p + a->size;
	const char *q = b->text, *q_end = q + b->size;

	while (p < p_end && q < q_end) {
		p += *p == '\\';
		q += *q == '\\';
		if (*p != *q)
			return *p < *q ? -1 : 1;
		p++;
		q++;
	}
	return (p < p_end) - (q < q_end);
}

static int compare_keys(const struct sort_key *a, const struct sort_key *b)
{
	int order;

	if (a->escaped || b->escaped)
		return compare_escaped(a, b);
	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	order = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);
	return order != 0 ? order : (int)a->size - (int)b->size;
}

static int compare_for_qsort(const void *a, const void *b)
{
	return compare_keys(a, b);
}

static void insertion_sort(struct sort_key *keys, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct sort_key k = keys[i];
		size_t at = i;

		for (; at > 0 && compare_keys(&k, &keys[at - 1]) < 0; at--)
			keys[at] = keys[at - 1];
		keys[at] = k;
	}
}

/* Above this many the sort of the C library is faster. */
#define INSERTION_MAX 40

/* Fills order[] by comparing keys. False if two are equal. */
static bool sort_members(struct scanner *s, const struct scan_member *members,
			 size_t count)
{
	struct sort_key keys[SCAN_FIELDS_MAX];

	for (size_t i = 0; i < count; i++)
		keys[i] = sort_key_of(s, &members[i], i);
	if (count <= INSERTION_MAX)
		insertion_sort(keys, count);
	else
		qsort(keys, count, sizeof(keys[0]), compare_for_qsort);
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && compare_keys(&keys[i - 1], &keys[i]) == 0)
			return false;
		s->order[i] = keys[i].index;
	}
	return true;
}

static bool is_ascending(const uint16_t *order, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (order[i] != i)
			return false;
	return true;
}

static bool can_learn(const struct scan_member *members, size_t count)
{
	if (count > SHAPE_KEYS_MAX)
		return false;
	for (size_t i = 0; i < count; i++)
		if (members[i].key_size + 3 > SHAPE_KEY_TEXT_MAX)
			return false;
	return true;
}

/* Remembers the fields just sorted, unless that would take too much room. */
static void learn_shape(struct scanner *s, struct shape *shape,
			const struct scan_member *members, size_t count)
{
	shape->version++;
	shape->system_count = UINT16_MAX;
	end_shape(shape, 0);
	if (!can_learn(members, count))
		return;
	shape->system_count = 0;
	for (size_t i = 0; i < count; i++) {
		const char *text = s->row + members[i].off;

		shape->size[i] = (uint8_t)(members[i].key_size + 3);
		shape->order[i] = (uint8_t)s->order[i];
		if (text[1] == '_')
			shape->system_count++;
		memcpy(shape->key[i].text, text, shape->size[i]);
	}
	end_shape(shape, count);
	shape->in_order = is_ascending(s->order, count);
}

/* Fills order[] for members that are all known and stand as in the shape. */
static void order_as_shape(struct scanner *s, const struct shape *shape,
			   const struct scan_member *members, size_t count)
{
	uint8_t place[SHAPE_KEYS_MAX];
	size_t n = 0;

	if (count == shape->count) {
		for (size_t i = 0; i < count; i++)
			s->order[i] = shape->order[i];
		return;
	}
	memset(place, SHAPE_UNKNOWN, shape->count);
	for (size_t i = 0; i < count; i++)
		place[members[i].known] = (uint8_t)i;
	for (size_t i = 0; i < shape->count; i++)
		if (place[shape->order[i]] != SHAPE_UNKNOWN)
			s->order[n++] = place[shape->order[i]];
	assert(n == count);
}

/* Whether the fields of the object are known and follow each other as in its
 * shape: all of them or some. */
static bool is_as_shape(const struct scan_frame *f, const struct shape *shape)
{
	return !f->missed && f->version == shape->version;
}

static bool order_members(struct scanner *s, const struct scan_frame *f,
			  const struct scan_member *members, size_t count)
{
	struct shape *shape = &s->shapes[f->shape];

	if (is_as_shape(f, shape)) {
		order_as_shape(s, shape, members, count);
		return true;
	}
	if (!sort_members(s, members, count))
		return false;
	learn_shape(s, shape, members, count);
	return true;
}

bool scan_root_order(struct scanner *s)
{
	const struct shape *shape = &s->shapes[s->frames[1].shape];

	/* So that the last member ends where another would begin. */
	s->members[s->member_count].off = (uint32_t)(s->row_end - s->row);
	s->root_in_order = is_as_shape(&s->frames[1], shape) && shape->in_order;
	if (!s->root_in_order) {
		if (!order_members(s, &s->frames[1], s->members,
				   s->member_count))
			return false;
		s->root_in_order = is_ascending(s->order, s->member_count);
	}
	s->system_count = shape->system_count;
	return true;
}

enum scan_outcome scan_close_object(struct scanner *s, struct scan_frame *f,
				    struct scan_member *end, char *out)
{
	size_t count = (size_t)(end - f->first), size;
	char *body = s->row + f->off + 1, *o = s->scratch;

	if (!order_members(s, f, f->first, count))
		return SCAN_DUPLICATE;
	if (is_ascending(s->order, count))
		return SCAN_DONE;
	for (size_t i = 0; i < count; i++) {
		const struct scan_member *m = &f->first[s->order[i]];
		const char *m_end = m + 1 < end ? s->row + m[1].off - 1 : out;

		if (i > 0)
			*o++ = ',';
		size = (size_t)(m_end - (s->row + m->off));
		memcpy(o, s->row + m->off, size);
		o += size;
	}
	assert(o - s->scratch == out - body);
	memcpy(body, s->scratch, (size_t)(o - s->scratch));
	return SCAN_DONE;
}
