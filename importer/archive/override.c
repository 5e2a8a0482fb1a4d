#include "importer/archive/override.h"

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/value/base64.h"
#include "importer/value/refusal.h"
#include "importer/value/tidy.h"

/* import.md 4.2; a document with more is refused anyway. */
#define FIELDS_MAX 1024
#define ELEMENTS_MAX 8192

struct override {
	cJSON *json;
	const cJSON *root;
};

CVX_DEFINE_CLEANUP(struct override, override_free)

void override_free(struct override *o)
{
	if (!o)
		return;
	cJSON_Delete(o->json);
	free(o);
}

/* A context is the node of the tree itself. */
static const cJSON *node(const struct context *c)
{
	return (const cJSON *)c;
}

static const struct context *context(const cJSON *json)
{
	return (const struct context *)json;
}

static int fail(struct cvx_err *err)
{
	return refuse(err, "InvalidConvexValue",
		      "an override is \"infer\", \"int64\", \"float64inf\", "
		      "\"bytes\", {\"$float64NaN\": base64 of a NaN}, or an "
		      "array or object of these");
}

static bool is_nan_object(const cJSON *json)
{
	return cJSON_IsObject(json) && json->child && !json->child->next &&
	       strcmp(json->child->string, "$float64NaN") == 0;
}

/* Whether the text is base64 of the 8 bytes of a NaN. */
static bool is_nan_text(const char *text)
{
	unsigned char bytes[8];
	uint64_t bits;
	size_t size;

	if (!base64_check(text, strlen(text), &size) || size != sizeof(bytes))
		return false;
	base64_decode(text, strlen(text), bytes);
	memcpy(&bits, bytes, sizeof(bits));
	return (le64toh(bits) & INT64_MAX) > UINT64_C(0x7ff0000000000000);
}

static bool is_word(const char *text)
{
	return strcmp(text, "infer") == 0 || strcmp(text, "int64") == 0 ||
	       strcmp(text, "float64inf") == 0 || strcmp(text, "bytes") == 0;
}

/* The parser has bounded the depth (JSON_DEPTH_MAX). */
static int check(const cJSON *json, struct cvx_err *err)
{
	const cJSON *child;
	size_t count = 0;
	int r;

	if (cJSON_IsString(json))
		return is_word(json->valuestring) ? 0 : fail(err);
	if (is_nan_object(json))
		return cJSON_IsString(json->child) &&
				       is_nan_text(json->child->valuestring)
			       ? 0
			       : fail(err);
	if (!cJSON_IsArray(json) && !cJSON_IsObject(json))
		return fail(err);
	cJSON_ArrayForEach(child, json)
	{
		if (child->string && child->string[0] == '$')
			return fail(err);
		r = check(child, err);
		if (r < 0)
			return r;
		count++;
	}
	if (count > (cJSON_IsArray(json) ? ELEMENTS_MAX : FIELDS_MAX))
		return refuse(err, "InvalidConvexValue",
			      "an override has more parts than a value can "
			      "have");
	return 0;
}

static int parse(const char *text, size_t size, struct override **ret,
		 struct cvx_err *err)
{
	CVX_AUTO(override_freep) struct override *o = calloc(1, sizeof(*o));
	CVX_AUTO(cvx_freep) char *copy = NULL;
	int r = tidy_text(text, size, &copy, err);

	if (r < 0)
		return r;
	if (o)
		o->json = cJSON_ParseWithLength(copy ? copy : text, size);
	if (!o || !o->json)
		return cvx_fail_memory(err);
	*ret = CVX_TAKE(o);
	return 0;
}

int override_read(const char *text, size_t size, struct override **ret,
		  struct cvx_err *err)
{
	CVX_AUTO(override_freep) struct override *o = NULL;
	int r = parse(text, size, &o, err);

	if (r == 0)
		r = check(o->json, err);
	if (r < 0)
		return r;
	o->root = o->json;
	*ret = CVX_TAKE(o);
	return 0;
}

int override_read_line(const char *text, size_t size, struct override **ret,
		       struct cvx_err *err)
{
	CVX_AUTO(override_freep) struct override *o = NULL;
	int r = parse(text, size, &o, err);

	if (r < 0)
		return r;
	if (!cJSON_IsObject(o->json) || !o->json->child || o->json->child->next)
		return refuse(err, "InvalidConvexValue",
			      "an object with the id of one document was "
			      "expected");
	r = check(o->json->child, err);
	if (r < 0)
		return r;
	o->root = o->json->child;
	*ret = CVX_TAKE(o);
	return 0;
}

const char *override_document_id(const struct override *o)
{
	return o->root->string;
}

const struct context *override_root(const struct override *o)
{
	return o ? context(o->root) : NULL;
}

enum context_kind context_kind(const struct context *c)
{
	const cJSON *json = node(c);

	if (!json)
		return CONTEXT_INFER;
	if (cJSON_IsArray(json))
		return CONTEXT_ARRAY;
	if (is_nan_object(json))
		return CONTEXT_NAN;
	if (cJSON_IsObject(json))
		return CONTEXT_OBJECT;
	if (strcmp(json->valuestring, "int64") == 0)
		return CONTEXT_INT64;
	if (strcmp(json->valuestring, "float64inf") == 0)
		return CONTEXT_INFINITY;
	if (strcmp(json->valuestring, "bytes") == 0)
		return CONTEXT_BYTES;
	return CONTEXT_INFER;
}

const char *context_nan(const struct context *c)
{
	return node(c)->child->valuestring;
}

const struct context *context_first(const struct context *c)
{
	return c ? context(node(c)->child) : NULL;
}

const struct context *context_next(const struct context *element)
{
	return element ? context(node(element)->next) : NULL;
}

const struct context *context_field(const struct context *c, const char *name)
{
	return context(cJSON_GetObjectItemCaseSensitive(node(c), name));
}
