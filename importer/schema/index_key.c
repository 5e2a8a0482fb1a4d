#include "importer/schema/index_key.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "importer/value/base64.h"
#include "importer/value/id.h"
#include "importer/value/walk.h"

enum tag {
	TAG_END = 0x00,
	TAG_ABSENT = 0x01,
	TAG_FIELD = 0x01, /* in objects, where nothing is absent */
	TAG_NULL = 0x02,
	TAG_INT64 = 0x03,
	TAG_FLOAT64 = 0x04,
	TAG_FALSE = 0x05,
	TAG_TRUE = 0x06,
	TAG_STRING = 0x07,
	TAG_BYTES = 0x08,
	TAG_ARRAY = 0x09,
	TAG_OBJECT = 0x0a,
	ESCAPE = 0xff, /* behind a 00 that is no end */
};

#define SIGN (UINT64_C(1) << 63)

/* Damaged lines could nest without end. */
#define NESTING_MAX 128

static const char time_path[] = "_creationTime";
static const char id_path[] = "_id";

static int compare_first(const struct index_field *a,
			 const struct index_field *b)
{
	size_t common =
		a->first_size < b->first_size ? a->first_size : b->first_size;
	int order = memcmp(a->path, b->path, common);

	return order != 0 ? order : (int)a->first_size - (int)b->first_size;
}

static void add_field(struct index_fields *f, const char *path)
{
	struct index_field *field = &f->fields[f->count];
	size_t i = f->count++;

	field->path = path;
	field->size = (uint16_t)strlen(path);
	field->first_size = (uint16_t)strcspn(path, ".");
	for (; i > 0 && compare_first(&f->fields[f->order[i - 1]], field) > 0;
	     i--)
		f->order[i] = f->order[i - 1];
	f->order[i] = (uint8_t)(field - f->fields);
}

void index_fields_init(struct index_fields *f, const char *const *paths,
		       size_t count)
{
	assert(count <= INDEX_FIELDS_MAX);
	*f = (struct index_fields){0};
	for (size_t i = 0; i < count; i++)
		add_field(f, paths[i]);
	f->time_is_last = count > 0 && strcmp(paths[count - 1], time_path) == 0;
	if (!f->time_is_last)
		add_field(f, time_path);
	add_field(f, id_path);
}

static int put(struct cvx_buf *out, const void *bytes, size_t size)
{
	return cvx_buf_append(out, bytes, size);
}

static int put_tag(struct cvx_buf *out, enum tag tag)
{
	const uint8_t byte = (uint8_t)tag;

	return put(out, &byte, 1);
}

static int put_number(struct cvx_buf *out, enum tag tag, uint64_t bits)
{
	uint8_t bytes[9] = {(uint8_t)tag};

	bits = htobe64(bits);
	memcpy(bytes + 1, &bits, sizeof(bits));
	return put(out, bytes, sizeof(bytes));
}

static int put_float64(struct cvx_buf *out, const char *p, const char *end)
{
	uint64_t bits;

	if (!walk_float64(p, end, &bits))
		return -EINVAL;
	return put_number(out, TAG_FLOAT64, bits & SIGN ? ~bits : bits | SIGN);
}

/*
 * Escapes size bytes that stand at the end of the room for 2 * size + 1 bytes
 * behind out, and ends them. What is written never overtakes what is read.
 */
static void escape_in_place(struct cvx_buf *out, size_t room, size_t size)
{
	uint8_t *to = (uint8_t *)out->data + out->size;
	const uint8_t *from = to + room - size;

	for (size_t i = 0; i < size; i++) {
		uint8_t byte = from[i];

		*to++ = byte;
		if (byte == TAG_END)
			*to++ = ESCAPE;
	}
	*to++ = TAG_END;
	out->size = (size_t)((char *)to - out->data);
}

/* The string [p, end), with its quotes, and its end, but no tag. */
static int put_string(struct cvx_buf *out, const char *p, const char *end)
{
	size_t size = (size_t)(end - p) - 2, room = 2 * (size + 2) + 1, used;
	int r;

	/* No byte below 20 stands in canonical text. */
	if (!memchr(p + 1, '\\', size)) {
		r = put(out, p + 1, size);
		return r < 0 ? r : put_tag(out, TAG_END);
	}
	r = cvx_buf_reserve(out, 2 * room);
	if (r < 0)
		return r;
	used = walk_decode(p, end, out->data + out->size + room);
	memmove(out->data + out->size + room - used,
		out->data + out->size + room, used);
	escape_in_place(out, room, used);
	return 0;
}

static int put_bytes(struct cvx_buf *out, const char *p, const char *end)
{
	const char *text;
	size_t text_size, size, room;
	int r;

	if (!walk_wrapper(p, end, &text, &text_size) ||
	    !base64_check(text, text_size, &size))
		return -EINVAL;
	room = 2 * size + 1;
	r = cvx_buf_reserve(out, room);
	if (r < 0)
		return r;
	base64_decode(text, text_size,
		      (unsigned char *)out->data + out->size + room - size);
	escape_in_place(out, room, size);
	return 0;
}

static int put_value(struct cvx_buf *out, const char *p, const char *end,
		     unsigned nesting);

static int put_array(struct cvx_buf *out, const char *p, const char *end,
		     unsigned nesting)
{
	int r = put_tag(out, TAG_ARRAY);

	while (r == 0 && walk_element(&p, end)) {
		const char *behind = walk_value(p, end);

		r = behind ? put_value(out, p, behind, nesting + 1) : -EINVAL;
		p = behind;
	}
	if (r < 0)
		return r;
	return p ? put_tag(out, TAG_END) : -EINVAL;
}

static int put_object(struct cvx_buf *out, const char *p, const char *end,
		      unsigned nesting)
{
	struct walk_field f;
	int r = put_tag(out, TAG_OBJECT);

	while (r == 0 && walk_field(&p, end, &f)) {
		p = walk_value(f.value, end);
		if (!p)
			return -EINVAL;
		r = put_tag(out, TAG_FIELD);
		if (r == 0)
			r = put_string(out, f.key - 1, f.value - 1);
		if (r == 0)
			r = put_value(out, f.value, p, nesting + 1);
	}
	if (r < 0)
		return r;
	return p ? put_tag(out, TAG_END) : -EINVAL;
}

/* The value [p, end). */
static int put_value(struct cvx_buf *out, const char *p, const char *end,
		     unsigned nesting)
{
	int r;

	if (nesting > NESTING_MAX)
		return -EINVAL;
	switch (walk_kind(p, end)) {
	case WALK_NULL:
		return put_tag(out, TAG_NULL);
	case WALK_INT64:
		return put_number(out, TAG_INT64,
				  (uint64_t)walk_int64(p, end) ^ SIGN);
	case WALK_FLOAT64:
		return put_float64(out, p, end);
	case WALK_BOOLEAN:
		return put_tag(out, *p == 't' ? TAG_TRUE : TAG_FALSE);
	case WALK_STRING:
		r = put_tag(out, TAG_STRING);
		return r < 0 ? r : put_string(out, p, end);
	case WALK_BYTES:
		r = put_tag(out, TAG_BYTES);
		return r < 0 ? r : put_bytes(out, p, end);
	case WALK_ARRAY:
		return put_array(out, p, end, nesting);
	case WALK_OBJECT:
		return put_object(out, p, end, nesting);
	case WALK_DAMAGED:
		break;
	}
	return -EINVAL;
}

/*
 * Finds the outermost fields that the paths begin with, reading the line once:
 * both it and f->order are sorted. values[i] is where the value of
 * fields[i]'s first name is, or NULL.
 */
static bool find_values(const struct index_fields *f, const char *line,
			const char *end, const char **values)
{
	const char *p = line;
	struct walk_field at;
	size_t next = 0;

	for (size_t i = 0; i < f->count; i++)
		values[i] = NULL;
	while (next < f->count && walk_field(&p, end, &at)) {
		while (next < f->count) {
			size_t i = f->order[next];
			const struct index_field *want = &f->fields[i];
			size_t common = at.key_size < want->first_size
						? at.key_size
						: want->first_size;
			int order = memcmp(at.key, want->path, common);

			if (order == 0 && at.key_size == want->first_size) {
				values[i] = at.value;
			} else if (order < 0 ||
				   (order == 0 &&
				    at.key_size < want->first_size) ||
				   memchr(at.key, '\\', at.key_size)) {
				/* The key is none of a path; if it has
				 * escapes, it may look too large. */
				break;
			}
			next++;
		}
		p = walk_value(p, end);
	}
	return p != NULL;
}

/* From the value of the path's first name to that of its last. */
static const char *follow(const struct index_field *field, const char *value,
			  const char *end)
{
	const char *path_end = field->path + field->size;
	const char *name = field->path + field->first_size;

	while (value && name < path_end) {
		const char *start = name + 1;
		size_t size = strcspn(start, ".");

		if (walk_kind(value, end) != WALK_OBJECT)
			return NULL;
		value = walk_find(value, end, start, size);
		name = start + size;
	}
	return value;
}

static int put_field(const struct index_field *field, const char *value,
		     const char *end, struct cvx_buf *out)
{
	const char *behind;

	value = follow(field, value, end);
	if (!value)
		return put_tag(out, TAG_ABSENT);
	behind = walk_value(value, end);
	return behind ? put_value(out, value, behind, 0) : -EINVAL;
}

static int put_id(const char *value, const char *end, struct cvx_buf *out)
{
	const char *behind = value ? walk_string(value, end) : NULL;
	struct internal_id id;
	uint32_t table;

	if (!behind ||
	    id_decode(value + 1, (size_t)(behind - value) - 2, &table, &id) < 0)
		return -EINVAL;
	return put(out, id.bytes, sizeof(id.bytes));
}

static int put_key(const struct index_fields *f, const char *line,
		   const char *end, struct cvx_buf *out)
{
	const char *values[INDEX_FIELDS_MAX + 2];
	const size_t last = f->count - 1; /* _id */
	int r = 0;

	if (!find_values(f, line, end, values) || !values[last - 1])
		return -EINVAL;
	for (size_t i = 0; r == 0 && i < last; i++)
		r = put_field(&f->fields[i], values[i], end, out);
	return r < 0 ? r : put_id(values[last], end, out);
}

int index_key(const struct index_fields *f, const char *line, size_t size,
	      struct cvx_buf *out, struct cvx_err *err)
{
	size_t before = out->size;
	int r;

	assert(f->count >= 2 && line);
	r = put_key(f, line, line + size, out);
	if (r == 0)
		return 0;
	out->size = before;
	if (r == -EINVAL)
		return cvx_fail(err, r, "the line of a document is damaged");
	return cvx_fail(err, r, "no room for the key of an index");
}
