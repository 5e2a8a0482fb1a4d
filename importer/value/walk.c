#include "importer/value/walk.h"

#include <endian.h>
#include <string.h>

#include "importer/value/base64.h"
#include "importer/value/json.h"
#include "importer/value/number.h"

#define EACH_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

/* A bit in each byte of word that is zero; the lowest one is exact. */
static uint64_t zero_bytes(uint64_t word)
{
	return (word - EACH_BYTE(1)) & ~word & EACH_BYTE(0x80);
}

/* The first quote or backslash from p on, or end. */
static const char *find_special(const char *p, const char *end)
{
	while (end - p >= 8) {
		uint64_t word, found;

		memcpy(&word, p, sizeof(word));
		word = le64toh(word);
		found = zero_bytes(word ^ EACH_BYTE('"')) |
			zero_bytes(word ^ EACH_BYTE('\\'));
		if (found)
			return p + __builtin_ctzll(found) / 8;
		p += 8;
	}
	while (p < end && *p != '"' && *p != '\\')
		p++;
	return p;
}

const char *walk_string(const char *p, const char *end)
{
	if (p == end || *p != '"')
		return NULL;
	for (p++;; p += 2) {
		p = find_special(p, end);
		if (p == end)
			return NULL;
		if (*p == '"')
			return p + 1;
		if (end - p < 2)
			return NULL;
	}
}

static bool is_wrapper(const char *p, const char *end)
{
	/* No field begins with '$', so no longer look is needed. */
	return end - p >= 3 && p[1] == '"' && p[2] == '$';
}

/* A comma or a closing bracket, of which one has one bit more. */
static bool ends_scalar(char c)
{
	return c == ',' || (c | (']' ^ '}')) == '}';
}

static const char *walk_scalar(const char *p, const char *end)
{
	const char *start = p;

	while (p < end && !ends_scalar(*p))
		p++;
	return p > start ? p : NULL;
}

/* Brackets are counted, not matched: the text is trusted so far. */
static const char *walk_brackets(const char *p, const char *end)
{
	size_t depth = 0;

	while (p < end) {
		switch (*p) {
		case '"':
			p = walk_string(p, end);
			if (!p)
				return NULL;
			continue;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			if (--depth == 0)
				return p + 1;
			break;
		default:
			break;
		}
		p++;
	}
	return NULL;
}

const char *walk_value(const char *p, const char *end)
{
	if (p == end)
		return NULL;
	if (*p == '"')
		return walk_string(p, end);
	if (*p == '{' || *p == '[')
		return walk_brackets(p, end);
	return walk_scalar(p, end);
}

const char *walk_number(const char *p, const char *end, bool *ret_int64)
{
	if (p < end && *p == '-')
		p++;
	if (p == end || *p < '0' || *p > '9')
		return NULL;
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	*ret_int64 = p == end || ends_scalar(*p);
	return *ret_int64 ? p : walk_scalar(p, end);
}

enum walk_kind walk_kind(const char *p, const char *end)
{
	bool int64;

	if (p == end)
		return WALK_DAMAGED;
	switch (*p) {
	case 'n':
		return WALK_NULL;
	case 't':
	case 'f':
		return WALK_BOOLEAN;
	case '"':
		return WALK_STRING;
	case '[':
		return WALK_ARRAY;
	case '{':
		if (!is_wrapper(p, end))
			return WALK_OBJECT;
		return end - p > 3 && p[3] == 'b' ? WALK_BYTES : WALK_FLOAT64;
	default:
		if (!walk_number(p, end, &int64))
			return WALK_DAMAGED;
		return int64 ? WALK_INT64 : WALK_FLOAT64;
	}
}

const char *walk_wrapper(const char *p, const char *end, const char **ret_text,
			 size_t *ret_size)
{
	static const char start[] = "{\"$float\":"; /* as long as for bytes */
	const char *text, *behind;

	if ((size_t)(end - p) < sizeof(start) - 1 || !is_wrapper(p, end))
		return NULL;
	text = p + sizeof(start) - 1;
	behind = walk_string(text, end);
	if (!behind || behind == end || *behind != '}')
		return NULL;
	*ret_text = text + 1;
	*ret_size = (size_t)(behind - text) - 2;
	return behind + 1;
}

bool walk_field(const char **place, const char *end, struct walk_field *ret)
{
	const char *p = *place, *behind;

	*place = NULL;
	if (!p || p == end)
		return false;
	if (*p == '}' || (*p == '{' && end - p >= 2 && p[1] == '}')) {
		*place = *p == '}' ? p : p + 1;
		return false;
	}
	if (*p != '{' && *p != ',')
		return false;
	behind = walk_string(p + 1, end);
	if (!behind || end - behind < 2 || *behind != ':')
		return false;
	ret->key = p + 2;
	ret->key_size = (size_t)(behind - p) - 3;
	ret->value = behind + 1;
	*place = behind + 1;
	return true;
}

bool walk_element(const char **place, const char *end)
{
	const char *p = *place;

	*place = NULL;
	if (!p || p == end)
		return false;
	if (*p == ']' || (*p == '[' && end - p >= 2 && p[1] == ']')) {
		*place = *p == ']' ? p : p + 1;
		return false;
	}
	if ((*p != '[' && *p != ',') || end - p < 2)
		return false;
	*place = p + 1;
	return true;
}

const char *walk_find(const char *p, const char *end, const char *key,
		      size_t key_size)
{
	struct walk_field field;

	while (walk_field(&p, end, &field)) {
		if (field.key_size == key_size &&
		    memcmp(field.key, key, key_size) == 0)
			return field.value;
		p = walk_value(p, end);
	}
	return NULL;
}

size_t walk_decode(const char *p, const char *end, char *out)
{
	return json_decode_string(p, (size_t)(end - p), out);
}

int64_t walk_int64(const char *p, const char *end)
{
	bool negative = p < end && *p == '-';
	uint64_t n = 0;

	for (p += negative; p < end; p++)
		n = n * 10 + (uint64_t)(*p - '0');
	return (int64_t)(negative ? -n : n);
}

bool walk_float64(const char *p, const char *end, uint64_t *ret_bits)
{
	unsigned char bytes[8];
	const char *text;
	uint64_t bits;
	double value;
	size_t size;

	if (p < end && *p != '{') {
		value = number_read(p, (size_t)(end - p));
		memcpy(ret_bits, &value, sizeof(value));
		return true;
	}
	if (!walk_wrapper(p, end, &text, &size) || size != BASE64_SIZE(8) ||
	    !base64_check(text, BASE64_SIZE(8), &size) || size != sizeof(bytes))
		return false;
	base64_decode(text, BASE64_SIZE(8), bytes);
	memcpy(&bits, bytes, sizeof(bits));
	*ret_bits = le64toh(bits);
	return true;
}
