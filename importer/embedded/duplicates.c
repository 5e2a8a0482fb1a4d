#include "importer/embedded/duplicates.h"

#include <errno.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/embedded/commit.h"
#include "importer/embedded/embedded.h"

/* Keeps the list in the order of the file; what stands behind the first few
 * is only counted. */
static void add(struct duplicates *found, const struct duplicate *one)
{
	unsigned i;

	found->total++;
	i = found->count;
	if (i == FORMAT_ERRORS_MAX && found->list[i - 1].off < one->off)
		return;
	if (i == FORMAT_ERRORS_MAX)
		i--;
	else
		found->count++;
	for (; i > 0 && found->list[i - 1].off > one->off; i--)
		found->list[i] = found->list[i - 1];
	found->list[i] = *one;
}

/* The numbers of the rows at the offsets of the list. */
static int number_rows(struct duplicates *found,
		       const struct lines_place *place, struct cvx_err *err)
{
	struct lines lines;
	const char *line;
	uint64_t off, row;
	unsigned i, left = 0;
	size_t size;
	int r = 0;

	for (i = 0; i < found->count; i++) {
		found->list[i].row = found->list[i].other_row = 0;
		left += found->list[i].other_off != UINT64_MAX ? 2 : 1;
	}
	lines_init(&lines, place);
	for (row = 1; left > 0; row++) {
		r = lines_next(&lines, &line, &size, &off, err);
		if (r <= 0)
			break;
		for (i = 0; i < found->count; i++) {
			if (found->list[i].off == off) {
				found->list[i].row = row;
				left--;
			}
			if (found->list[i].other_off == off) {
				found->list[i].other_row = row;
				left--;
			}
		}
	}
	lines_fini(&lines);
	return r < 0 ? r : 0;
}

int duplicates_collect_keys(const struct lines_place *place,
			    struct segment_key *keys, size_t count,
			    struct cvx_err *err)
{
	struct internal_id id;
	struct lines lines;
	size_t i;
	int r = 1;

	lines_init(&lines, place);
	for (i = 0; i < count; i++) {
		r = lines_next_id(&lines, &id, &keys[i].off, err);
		if (r <= 0)
			break;
		memcpy(keys[i].bytes, id.bytes, SEGMENT_KEY_SIZE);
	}
	if (r >= 0 && (i < count || lines.off != place->size))
		r = cvx_fail(err, -EIO,
			     "stored rows are damaged: %zu rows were expected",
			     count);
	lines_fini(&lines);
	return r < 0 ? r : 0;
}

int duplicates_find_within(const struct segment_key *keys, size_t count,
			   const struct lines_place *lines,
			   struct duplicates *ret, struct cvx_err *err)
{
	struct duplicate one;
	size_t i, j;
	uint64_t first;

	memset(ret, 0, sizeof(*ret));
	for (i = 0; i + 1 < count; i = j) {
		j = i + 1;
		if (segment_key_compare(&keys[i], &keys[j]) != 0)
			continue;
		first = keys[i].off;
		for (;
		     j < count && segment_key_compare(&keys[i], &keys[j]) == 0;
		     j++)
			first = keys[j].off < first ? keys[j].off : first;
		memcpy(one.id.bytes, keys[i].bytes, ID_SIZE);
		one.other_off = first;
		for (; i < j; i++) {
			one.off = keys[i].off;
			if (one.off != first)
				add(ret, &one);
		}
	}
	return ret->count == 0 ? 0 : number_rows(ret, lines, err);
}

static void found_existing(void *ctx, const struct segment_key *key)
{
	struct duplicate one = {.off = key->off, .other_off = UINT64_MAX};

	memcpy(one.id.bytes, key->bytes, ID_SIZE);
	add(ctx, &one);
}

/* Finds the first line, from lines->off on, whose id is not below the key.
 * 0: there is none. */
static int seek_id(struct lines *lines, const struct segment_key *key,
		   struct internal_id *ret_id, struct cvx_err *err)
{
	uint64_t low = lines->off, high = lines->place.size, off;
	int r;

	/* The line sought begins at low or behind; none that begins before
	 * high is known to be it. */
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		r = lines_seek(lines, middle, err);
		if (r == 0)
			r = lines_next_id(lines, ret_id, &off, err);
		if (r < 0)
			return r;
		if (r == 0 || off >= high ||
		    memcmp(ret_id->bytes, key->bytes, ID_SIZE) >= 0)
			high = middle;
		else
			low = lines->off;
	}
	r = lines_seek(lines, low, err);
	if (r < 0)
		return r;
	r = lines_next_id(lines, ret_id, &off, err);
	if (r == 1)
		lines->off = off;
	return r;
}

/* Ascending lines have no keys file: they are searched themselves. */
static int match_few_lines(const struct lines_place *place,
			   const struct segment_key *keys, size_t count,
			   struct duplicates *found, struct cvx_err *err)
{
	struct internal_id id;
	struct lines lines;
	size_t i;
	int r = 1;

	lines_init(&lines, place);
	for (i = 0; i < count && r == 1; i++) {
		r = seek_id(&lines, &keys[i], &id, err);
		if (r == 1 && memcmp(id.bytes, keys[i].bytes, ID_SIZE) == 0)
			found_existing(found, &keys[i]);
	}
	lines_fini(&lines);
	return r < 0 ? r : 0;
}

static int match_many_lines(const struct lines_place *place,
			    const struct segment_key *keys, size_t count,
			    struct duplicates *found, struct cvx_err *err)
{
	struct internal_id id;
	struct lines lines;
	uint64_t off;
	size_t i = 0;
	int r = 0, order;

	lines_init(&lines, place);
	while (i < count && (r = lines_next_id(&lines, &id, &off, err)) == 1) {
		for (order = 1; i < count && order > 0; i += order > 0) {
			order = memcmp(id.bytes, keys[i].bytes, ID_SIZE);
			if (order == 0)
				found_existing(found, &keys[i]);
		}
	}
	lines_fini(&lines);
	return r < 0 ? r : 0;
}

static int match_segment(struct deployment *d,
			 const struct segment_row *segment,
			 const struct segment_key *keys, size_t count,
			 struct duplicates *found, struct cvx_err *err)
{
	struct lines_place place = {.size = segment->size};
	CVX_AUTO(cvx_closep) int keys_fd = -1;
	char name[SEGMENT_NAME_SIZE];
	struct segment_file *file;
	int r;

	if (!segment->ascending) {
		segment_keys_name(segment->id, name);
		r = segment_open_keys(d->segments_fd, name, segment->row_count,
				      &keys_fd);
		if (r == 0)
			r = segment_match_keys(keys_fd, segment->row_count,
					       keys, count, found_existing,
					       found);
		if (r < 0)
			return cvx_fail(err, r == -EINVAL ? -EIO : r,
					"cannot search %s/segments/%s: %s",
					d->dir, name, strerror(-r));
		return 0;
	}
	r = segment_file_ref(d, segment->id, &file, err);
	if (r < 0)
		return r;
	place.fd = file->fd;
	/* A search reads about 30 times 256 KiB. */
	if (count < segment->size >> 23)
		r = match_few_lines(&place, keys, count, found, err);
	else
		r = match_many_lines(&place, keys, count, found, err);
	segment_file_unref(d, file);
	return r;
}

static bool overlap(const struct segment_row *segment,
		    const struct commit_rows *rows)
{
	return id_compare(&rows->first, &segment->last) <= 0 &&
	       id_compare(&segment->first, &rows->last) <= 0;
}

int duplicates_find_existing(struct deployment *d,
			     const struct segment_row *segments,
			     size_t segment_count,
			     const struct commit_rows *rows,
			     struct duplicates *ret, struct cvx_err *err)
{
	struct lines_place place = {.text = rows->stage ? NULL : rows->text,
				    .size = rows->size};
	CVX_AUTO(cvx_freep) struct segment_key *own = NULL;
	const struct segment_key *keys = rows->keys;
	size_t i, count = (size_t)rows->document_count;
	int r;

	memset(ret, 0, sizeof(*ret));
	if (rows->stage)
		place.fd = segment_stage_fd(rows->stage);
	for (i = 0; i < segment_count; i++) {
		if (!overlap(&segments[i], rows))
			continue;
		if (!keys) {
			own = reallocarray(NULL, count, sizeof(*own));
			if (!own)
				return cvx_fail_memory(err);
			r = duplicates_collect_keys(&place, own, count, err);
			if (r < 0)
				return r;
			keys = own;
		}
		r = match_segment(d, &segments[i], keys, count, ret, err);
		if (r < 0)
			return r;
	}
	return ret->count == 0 ? 0 : number_rows(ret, &place, err);
}
