#include "importer/schema/json_tree.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/value/json.h"

struct json_tree {
	struct json_tree_node *nodes; /* in the order of the text */
	char *decoded;		      /* strings with escapes */
};

struct parser {
	struct json json;
	struct json_tree *tree;
	size_t node_count;
	size_t decoded_size;
	struct json_tree_string key; /* of the value to come */

	/* Of each open bracket: its node, and where its next child is linked */
	struct json_tree_node *open[JSON_DEPTH_MAX];
	const struct json_tree_node **link[JSON_DEPTH_MAX];
};

void json_tree_free(struct json_tree *t)
{
	if (!t)
		return;
	free(t->nodes);
	free(t->decoded);
	free(t);
}

CVX_DEFINE_CLEANUP(struct json_tree, json_tree_free)

const struct json_tree_node *json_tree_root(const struct json_tree *t)
{
	return t->nodes;
}

static struct json_tree_string token_text(const struct parser *p)
{
	return (struct json_tree_string){p->json.text + p->json.start,
					 p->json.end - p->json.start};
}

static struct json_tree_string token_string(struct parser *p)
{
	struct json_tree_string raw = token_text(p);
	char *out = p->tree->decoded + p->decoded_size;

	if (!memchr(raw.text, '\\', raw.size))
		return (struct json_tree_string){raw.text + 1, raw.size - 2};
	raw.size = json_decode_string(raw.text, raw.size, out);
	raw.text = out;
	p->decoded_size += raw.size;
	return raw;
}

static enum json_tree_kind kind_of(const struct parser *p,
				   enum json_token token)
{
	switch (token) {
	case JSON_OBJECT:
		return JSON_TREE_OBJECT;
	case JSON_ARRAY:
		return JSON_TREE_ARRAY;
	case JSON_STRING:
		return JSON_TREE_STRING;
	case JSON_NUMBER:
		return JSON_TREE_NUMBER;
	case JSON_LITERAL:
	case JSON_KEY:
	case JSON_CLOSE:
	case JSON_END:
	case JSON_BAD:
		break;
	}
	switch (*token_text(p).text) {
	case 't':
		return JSON_TREE_TRUE;
	case 'f':
		return JSON_TREE_FALSE;
	default:
		return JSON_TREE_NULL;
	}
}

/* depth: of the brackets around the value */
static void add_value(struct parser *p, enum json_token token, unsigned depth)
{
	struct json_tree_node *node = &p->tree->nodes[p->node_count++];

	*node = (struct json_tree_node){
		.kind = kind_of(p, token),
		.key = p->key,
		.raw = token_text(p),
	};
	p->key = (struct json_tree_string){NULL, 0};
	if (node->kind == JSON_TREE_STRING)
		node->string = token_string(p);
	if (depth > 0) {
		*p->link[depth - 1] = node;
		p->link[depth - 1] = &node->next;
		p->open[depth - 1]->count++;
	}
	if (node->kind == JSON_TREE_OBJECT || node->kind == JSON_TREE_ARRAY) {
		p->open[depth] = node;
		p->link[depth] = &node->first;
	}
}

static int check_keys(const struct json_tree_node *object, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) const struct json_tree_node **fields = NULL;
	int r = json_tree_sorted(object, &fields, err);

	for (uint32_t i = 1; r == 0 && i < object->count; i++)
		if (json_tree_string_compare(&fields[i - 1]->key,
					     &fields[i]->key) == 0)
			return cvx_fail(err, -EINVAL,
					"an object has the name \"%.*s\" twice",
					(int)fields[i]->key.size,
					fields[i]->key.text);
	return r;
}

static int close_bracket(struct parser *p, struct cvx_err *err)
{
	struct json_tree_node *node = p->open[p->json.depth];

	node->raw.size = (size_t)(p->json.text + p->json.end - node->raw.text);
	return node->kind == JSON_TREE_OBJECT ? check_keys(node, err) : 0;
}

static int fail_syntax(const struct parser *p, struct cvx_err *err)
{
	return cvx_fail(err, -EINVAL, "not JSON, byte %zu: %s",
			p->json.fault_off + 1, p->json.fault);
}

static int parse(struct parser *p, struct cvx_err *err)
{
	enum json_token token;
	int r = 0;

	while (r == 0 && (token = json_next(&p->json)) != JSON_END) {
		switch (token) {
		case JSON_BAD:
			return fail_syntax(p, err);
		case JSON_KEY:
			p->key = token_string(p);
			break;
		case JSON_CLOSE:
			r = close_bracket(p, err);
			break;
		case JSON_OBJECT:
		case JSON_ARRAY:
			add_value(p, token, p->json.depth - 1);
			break;
		case JSON_STRING:
		case JSON_NUMBER:
		case JSON_LITERAL:
			add_value(p, token, p->json.depth);
			break;
		case JSON_END:
			break;
		}
	}
	if (r == 0 && !json_is_at_end(&p->json))
		return fail_syntax(p, err);
	return r;
}

/* No text has more values than this: each but the first one needs a comma or a
 * bracket around it. */
static size_t most_values(const char *text, size_t size)
{
	size_t n = 1;

	for (size_t i = 0; i < size; i++)
		n += text[i] == ',' || text[i] == '[' || text[i] == '{';
	return n;
}

int json_tree_parse(const char *text, size_t size, struct json_tree **ret,
		    struct cvx_err *err)
{
	CVX_AUTO(json_tree_freep) struct json_tree *t = NULL;
	CVX_AUTO(cvx_freep) struct parser *p = NULL;
	int r;

	assert(text || size == 0);
	if (size > JSON_TREE_TEXT_MAX)
		return cvx_fail(err, -EFBIG, "more than %zu bytes",
				JSON_TREE_TEXT_MAX);
	t = calloc(1, sizeof(*t));
	p = calloc(1, sizeof(*p));
	if (!t || !p)
		return cvx_fail_memory(err);
	t->nodes = calloc(most_values(text, size), sizeof(*t->nodes));
	t->decoded = malloc(size + 1);
	if (!t->nodes || !t->decoded)
		return cvx_fail_memory(err);
	json_init(&p->json, text, size);
	p->tree = t;
	r = parse(p, err);
	if (r == 0)
		*ret = CVX_TAKE(t);
	return r;
}

bool json_tree_string_is(const struct json_tree_string *s, const char *text)
{
	return s->size == strlen(text) && memcmp(s->text, text, s->size) == 0;
}

const struct json_tree_node *json_tree_field(const struct json_tree_node *node,
					     const char *key)
{
	if (node->kind != JSON_TREE_OBJECT)
		return NULL;
	for (const struct json_tree_node *n = node->first; n; n = n->next)
		if (json_tree_string_is(&n->key, key))
			return n;
	return NULL;
}

int json_tree_string_compare(const struct json_tree_string *a,
			     const struct json_tree_string *b)
{
	size_t common = a->size < b->size ? a->size : b->size;
	int order = common > 0 ? memcmp(a->text, b->text, common) : 0;

	if (order != 0 || a->size == b->size)
		return order;
	return a->size < b->size ? -1 : 1;
}

static int compare_keys(const void *a, const void *b)
{
	const struct json_tree_node *const *left = a, *const *right = b;

	return json_tree_string_compare(&(*left)->key, &(*right)->key);
}

int json_tree_sorted(const struct json_tree_node *object,
		     const struct json_tree_node ***ret, struct cvx_err *err)
{
	const struct json_tree_node **fields = NULL;
	uint32_t n = 0;

	if (object->count > 0) {
		fields = calloc(object->count, sizeof(const void *));
		if (!fields)
			return cvx_fail_memory(err);
		for (const struct json_tree_node *f = object->first; f;
		     f = f->next)
			fields[n++] = f;
		qsort(fields, n, sizeof(const void *), compare_keys);
	}
	*ret = fields;
	return 0;
}
