#include "importer/archive/generated_schema.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/archive/override.h"
#include "importer/archive/reshape.h"
#include "importer/archive/shape.h"
#include "importer/value/explain.h"
#include "importer/value/id.h"
#include "importer/value/json.h"
#include "importer/value/refusal.h"
#include "importer/value/tidy.h"

/* The text of a shape, beyond which none was ever written. */
#define SHAPE_TEXT_MAX ((size_t)1 << 20)

/* Where the override of a document stands. */
struct place {
	char id[ID_TEXT_MAX + 1];
	bool is_used;
	unsigned row;
	const char *text; /* of the line */
	size_t size;
};

struct generated_schema {
	char *shape_text;
	struct shape *shape;
	struct place *places; /* by id, then by row */
	size_t place_count, place_capacity;
	struct reshape reshape;
};

CVX_DEFINE_CLEANUP(struct generated_schema, generated_schema_free)
CVX_DEFINE_CLEANUP(struct override, override_free)

void generated_schema_free(struct generated_schema *g)
{
	if (!g)
		return;
	reshape_fini(&g->reshape);
	shape_free(g->shape);
	free(g->shape_text);
	free(g->places);
	free(g);
}

static size_t line_size(const char *text, size_t size)
{
	const char *lf = memchr(text, '\n', size);

	return lf ? (size_t)(lf - text) : size;
}

/* Refuses what is not one JSON value. */
static int check_json(const char *text, size_t size, struct cvx_err *err)
{
	enum json_token token;
	struct json j;

	json_init(&j, text, size);
	do {
		token = json_next(&j);
		if (token == JSON_BAD ||
		    (token == JSON_END && !json_is_at_end(&j)))
			return explain_syntax(err, text, size, false,
					      j.fault_off, j.fault);
	} while (token != JSON_END);
	return 0;
}

/* *ret_text is the string of the first line, decoded and ended by NUL. */
static int read_marker(const char *text, size_t size, char **ret_text,
		       size_t *ret_size, struct cvx_err *err)
{
	size_t line = line_size(text, size);
	struct json j;
	int r = check_json(text, line, err);

	if (r < 0)
		return r;
	json_init(&j, text, line);
	if (json_next(&j) != JSON_STRING)
		return refuse(err, "InvalidConvexValue",
			      "a string was expected: \"uniform\", or a shape");
	*ret_text = malloc(j.end - j.start + 1);
	if (!*ret_text)
		return cvx_fail_memory(err);
	*ret_size =
		json_decode_string(text + j.start, j.end - j.start, *ret_text);
	(*ret_text)[*ret_size] = '\0';
	return 0;
}

static bool is_uniform(const char *marker, size_t size)
{
	return size == strlen("uniform") &&
	       memcmp(marker, "uniform", size) == 0;
}

bool generated_schema_is_uniform(const char *text, size_t size)
{
	CVX_AUTO(cvx_freep) char *marker = NULL;
	size_t marker_size;

	return line_size(text, size) <= SHAPE_TEXT_MAX &&
	       read_marker(text, size, &marker, &marker_size, NULL) == 0 &&
	       is_uniform(marker, marker_size);
}

static int add_place(struct generated_schema *g, const struct place *place,
		     struct cvx_err *err)
{
	struct place *more;

	if (g->place_count == g->place_capacity) {
		g->place_capacity = g->place_capacity * 2 + 16;
		more = reallocarray(g->places, g->place_capacity,
				    sizeof(*more));
		if (!more)
			return cvx_fail_memory(err);
		g->places = more;
	}
	g->places[g->place_count++] = *place;
	return 0;
}

static int read_override(struct generated_schema *g, const char *line,
			 size_t size, unsigned row, struct cvx_err *err)
{
	CVX_AUTO(override_freep) struct override *o = NULL;
	struct place place = {.row = row, .text = line, .size = size};
	struct internal_id id;
	const char *key;
	uint32_t table;
	int r = check_json(line, size, err);

	if (r == 0)
		r = override_read_line(line, size, &o, err);
	if (r < 0)
		return r;
	key = override_document_id(o);
	if (id_decode(key, strlen(key), &table, &id) < 0)
		return refuse(err, "InvalidConvexValue",
			      "an override belongs to a document id, which "
			      "\"%.64s\" is not",
			      key);
	memcpy(place.id, key, strlen(key) + 1);
	return add_place(g, &place, err);
}

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = strcmp(x->id, y->id);

	return order ? order : (x->row > y->row) - (x->row < y->row);
}

static int read_overrides(struct generated_schema *g, const char *text,
			  size_t size, struct cvx_err *err)
{
	const char *at = text, *end = text + size;
	unsigned row = 2;
	size_t line;
	int r = 0;

	for (; r == 0 && at < end; row++) {
		line = line_size(at, (size_t)(end - at));
		r = read_override(g, at, line, row, err);
		if (r < 0 && err && err->name)
			(void)cvx_err_prefix(err, "row %u", row);
		at += line + (at + line < end);
	}
	if (r == 0 && g->place_count > 0)
		qsort(g->places, g->place_count, sizeof(*g->places),
		      compare_places);
	return r;
}

static int read_shape(struct generated_schema *g, size_t size,
		      struct cvx_err *err)
{
	if (size > SHAPE_TEXT_MAX)
		return refuse(err, "InvalidGeneratedSchema",
			      "the shape has more than 1 MiB");
	return shape_parse(g->shape_text, size, &g->shape, err);
}

int generated_schema_read(const char *text, size_t size,
			  struct generated_schema **ret, struct cvx_err *err)
{
	CVX_AUTO(generated_schema_freep)
	struct generated_schema *g = calloc(1, sizeof(*g));
	size_t first = line_size(text, size), marker_size;
	int r;

	if (!g)
		return cvx_fail_memory(err);
	r = read_marker(text, size, &g->shape_text, &marker_size, err);
	if (r == 0 && is_uniform(g->shape_text, marker_size)) {
		*ret = NULL;
		return 0;
	}
	if (r == 0)
		r = read_shape(g, marker_size, err);
	if (r < 0) {
		if (err && err->name)
			(void)cvx_err_prefix(err, "row 1");
		return r;
	}
	if (first < size)
		first++;
	r = read_overrides(g, text + first, size - first, err);
	if (r < 0)
		return r;
	reshape_init(&g->reshape, g->shape);
	*ret = CVX_TAKE(g);
	return 0;
}

/* The last override of the id that was not used, which is used up with it. */
static const struct place *take_place(struct generated_schema *g,
				      const char *id)
{
	size_t low = 0, high = g->place_count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (strcmp(g->places[middle].id, id) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || strcmp(g->places[low - 1].id, id) != 0 ||
	    g->places[low - 1].is_used)
		return NULL;
	g->places[low - 1].is_used = true;
	return &g->places[low - 1];
}

/* The row without fields that are overwritten, if it is JSON. */
static int tidy(const char *row, size_t size, char **ret, bool *ret_is_json,
		struct cvx_err *err)
{
	*ret_is_json = check_json(row, size, NULL) == 0;
	return *ret_is_json ? tidy_text(row, size, ret, err) : 0;
}

static int append(struct cvx_buf *out, const char *text, size_t size,
		  struct cvx_err *err)
{
	int r = cvx_buf_append(out, text, size);

	return r == -ENOMEM ? cvx_fail_memory(err)
	       : r < 0	    ? cvx_fail(err, r, "the row is too long")
			    : 0;
}

int generated_schema_apply_override(struct generated_schema *g, const char *row,
				    size_t size, const char *override,
				    size_t override_size, struct cvx_buf *out,
				    struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *copy = NULL;
	CVX_AUTO(override_freep) struct override *o = NULL;
	bool is_json;
	int r = tidy(row, size, &copy, &is_json, err);

	if (r < 0)
		return r;
	if (!is_json)
		return append(out, row, size, err);
	if (override)
		r = override_read(override, override_size, &o, err);
	return r < 0 ? r
		     : reshape_row(&g->reshape, copy ? copy : row, size,
				   override_root(o), out, err);
}

int generated_schema_apply(struct generated_schema *g, const char *row,
			   size_t size, struct cvx_buf *out,
			   struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *copy = NULL;
	CVX_AUTO(override_freep) struct override *o = NULL;
	char id[ID_TEXT_MAX + 1];
	const struct place *place = NULL;
	bool is_json, has_id;
	int r = tidy(row, size, &copy, &is_json, err);

	if (r < 0)
		return r;
	if (!is_json)
		return append(out, row, size, err);
	if (copy)
		row = copy;
	r = reshape_find_id(row, size, id, &has_id, err);
	if (r == 0 && has_id)
		place = take_place(g, id);
	if (r == 0 && place)
		r = override_read_line(place->text, place->size, &o, err);
	return r < 0 ? r
		     : reshape_row(&g->reshape, row, size, override_root(o),
				   out, err);
}
