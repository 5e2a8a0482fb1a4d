#include "importer/value/json.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "importer/value/number.h"
#include "importer/value/utf8.h"

void json_init(struct json *j, const char *text, size_t size)
{
	*j = (struct json){.text = text, .size = size};
}

static enum json_token bad(struct json *j, size_t off, const char *fault)
{
	j->fault = fault;
	j->fault_off = off;
	return JSON_BAD;
}

/* The byte at pos, or -1 at the end. */
static int peek(const struct json *j)
{
	return j->pos < j->size ? (unsigned char)j->text[j->pos] : -1;
}

static bool is_space(int c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static void skip_space(struct json *j)
{
	while (is_space(peek(j)))
		j->pos++;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits behind "\u" at off, or -1. */
static int32_t read_hex(const char *text, size_t size, size_t off)
{
	int32_t code = 0;

	if (size - off < 6)
		return -1;
	for (size_t i = 2; i < 6; i++) {
		int value = hex_value(text[off + i]);

		if (value < 0)
			return -1;
		code = code << 4 | value;
	}
	return code;
}

/* Checks "\uXXXX", with the second half of a pair if it needs one. */
static bool read_unicode_escape(struct json *j)
{
	int32_t code = read_hex(j->text, j->size, j->pos), low;

	if (code < 0) {
		(void)bad(j, j->pos, "\\u without four hexadecimal digits");
		return false;
	}
	if (code >= 0xdc00 && code <= 0xdfff) {
		(void)bad(j, j->pos, "an escape of half a surrogate pair");
		return false;
	}
	j->pos += 6;
	if (code < 0xd800 || code > 0xdfff)
		return true;
	low = -1;
	if (j->size - j->pos >= 6 && j->text[j->pos] == '\\' &&
	    j->text[j->pos + 1] == 'u')
		low = read_hex(j->text, j->size, j->pos);
	if (low < 0xdc00 || low > 0xdfff) {
		(void)bad(j, j->pos - 6, "an escape of half a surrogate pair");
		return false;
	}
	j->pos += 6;
	return true;
}

static bool read_escape(struct json *j)
{
	char c = j->pos + 1 < j->size ? j->text[j->pos + 1] : '\0';

	if (c == 'u')
		return read_unicode_escape(j);
	if (c == '\0' || !strchr("\"\\/bfnrt", c)) {
		(void)bad(j, j->pos, "an unknown escape in a string");
		return false;
	}
	j->pos += 2;
	return true;
}

#define EACH_BYTE (UINT64_MAX / UINT8_MAX)
#define EACH_TOP (EACH_BYTE << 7)

/* Whether a byte of the word is below n, which is at most 0x80. */
static bool has_below(uint64_t word, uint64_t n)
{
	return (word - EACH_BYTE * n) & ~word & EACH_TOP;
}

static bool is_plain(unsigned char c)
{
	return c != '"' && c != '\\' && c >= 0x20;
}

/* How many bytes of a string follow that stand for themselves. */
static size_t plain_size(const char *text, size_t size, bool *ret_ascii)
{
	uint64_t word, all = 0;
	size_t n = 0;

	for (; size - n >= sizeof(word); n += sizeof(word)) {
		memcpy(&word, text + n, sizeof(word));
		if (has_below(word, 0x20) ||
		    has_below(word ^ EACH_BYTE * '"', 1) ||
		    has_below(word ^ EACH_BYTE * '\\', 1))
			break;
		all |= word;
	}
	for (; n < size && is_plain((unsigned char)text[n]); n++)
		all |= (unsigned char)text[n];
	*ret_ascii = !(all & EACH_TOP);
	return n;
}

static enum json_token read_string(struct json *j, enum json_token kind)
{
	size_t start = j->pos++;

	for (;;) {
		const char *plain = j->text + j->pos;
		bool is_ascii;
		size_t size = plain_size(plain, j->size - j->pos, &is_ascii);
		size_t valid = is_ascii ? size : utf8_valid_size(plain, size);
		int c;

		if (valid < size)
			return bad(j, j->pos + valid, "invalid UTF-8");
		j->pos += size;
		c = peek(j);
		if (c < 0)
			return bad(j, start, "a string that does not end");
		if (c == '"')
			break;
		if (c != '\\')
			return bad(j, j->pos,
				   "a control character in a string; it must "
				   "be escaped");
		if (!read_escape(j))
			return JSON_BAD;
	}
	j->start = start;
	j->end = ++j->pos;
	return kind;
}

static bool read_digits(struct json *j)
{
	if (!is_digit(peek(j))) {
		(void)bad(j, j->pos, "a number lacks a digit here");
		return false;
	}
	while (is_digit(peek(j)))
		j->pos++;
	return true;
}

/* So many digits are no number too large, unless an exponent follows. */
#define DIGITS_FINITE 300

static enum json_token read_number(struct json *j)
{
	size_t start = j->pos;
	bool has_exponent = false;

	if (peek(j) == '-')
		j->pos++;
	if (peek(j) == '0') {
		j->pos++;
		if (is_digit(peek(j)))
			return bad(j, start, "a number with a leading zero");
	} else if (!read_digits(j)) {
		return JSON_BAD;
	}
	if (peek(j) == '.') {
		j->pos++;
		if (!read_digits(j))
			return JSON_BAD;
	}
	if (peek(j) == 'e' || peek(j) == 'E') {
		has_exponent = true;
		j->pos++;
		if (peek(j) == '-' || peek(j) == '+')
			j->pos++;
		if (!read_digits(j))
			return JSON_BAD;
	}
	if ((has_exponent || j->pos - start > DIGITS_FINITE) &&
	    isinf(number_read(j->text + start, j->pos - start)))
		return bad(j, start, "a number too large for a float64");
	j->start = start;
	j->end = j->pos;
	return JSON_NUMBER;
}

static enum json_token read_literal(struct json *j, const char *word)
{
	size_t size = strlen(word);

	if (j->size - j->pos < size ||
	    memcmp(j->text + j->pos, word, size) != 0)
		return bad(j, j->pos, "a word that is not JSON");
	j->start = j->pos;
	j->pos += size;
	j->end = j->pos;
	return JSON_LITERAL;
}

static enum json_token open_bracket(struct json *j, char bracket)
{
	if (j->depth == JSON_DEPTH_MAX)
		return bad(j, j->pos, "brackets nested more than 127 deep");
	j->open[j->depth++] = bracket;
	j->state = bracket == '{' ? JSON_WANTS_FIRST_KEY : JSON_WANTS_FIRST;
	j->start = j->pos++;
	j->end = j->pos;
	return bracket == '{' ? JSON_OBJECT : JSON_ARRAY;
}

static enum json_token close_bracket(struct json *j)
{
	j->depth--;
	j->state = JSON_WANTS_NEXT;
	j->start = j->pos++;
	j->end = j->pos;
	return JSON_CLOSE;
}

static enum json_token read_value(struct json *j)
{
	int c = peek(j);

	if (c == '{' || c == '[')
		return open_bracket(j, (char)c);
	j->state = JSON_WANTS_NEXT;
	if (c == '"')
		return read_string(j, JSON_STRING);
	if (c == '-' || is_digit(c))
		return read_number(j);
	if (c == 'n')
		return read_literal(j, "null");
	if (c == 't')
		return read_literal(j, "true");
	if (c == 'f')
		return read_literal(j, "false");
	if (c < 0)
		return bad(j, j->pos, "the text ends where a value should be");
	if (j->size - j->pos >= 3 &&
	    memcmp(j->text + j->pos, "\xef\xbb\xbf", 3) == 0)
		return bad(j, j->pos, "a byte order mark");
	return bad(j, j->pos, "this is not the start of a JSON value");
}

static enum json_token read_key(struct json *j)
{
	enum json_token token;

	if (peek(j) < 0)
		return bad(j, j->pos, "an object that does not end");
	if (peek(j) != '"')
		return bad(j, j->pos,
			   "a field name in double quotes should be here");
	token = read_string(j, JSON_KEY);
	if (token == JSON_BAD)
		return token;
	skip_space(j);
	if (peek(j) != ':')
		return bad(j, j->pos, "a field name without ':' behind it");
	j->pos++;
	j->state = JSON_WANTS_VALUE;
	return token;
}

static enum json_token read_next(struct json *j)
{
	bool object = j->open[j->depth - 1] == '{';
	int c = peek(j);

	if (c == (object ? '}' : ']'))
		return close_bracket(j);
	if (c < 0)
		return bad(j, j->pos,
			   object ? "an object that does not end"
				  : "an array that does not end");
	if (c != ',')
		return bad(j, j->pos,
			   object ? "',' or '}' should be here"
				  : "',' or ']' should be here");
	j->pos++;
	skip_space(j);
	return object ? read_key(j) : read_value(j);
}

enum json_token json_next(struct json *j)
{
	if (j->state == JSON_WANTS_NEXT && j->depth == 0)
		return JSON_END;
	skip_space(j);
	switch (j->state) {
	case JSON_WANTS_VALUE:
		return read_value(j);
	case JSON_WANTS_FIRST:
		return peek(j) == ']' ? close_bracket(j) : read_value(j);
	case JSON_WANTS_FIRST_KEY:
		return peek(j) == '}' ? close_bracket(j) : read_key(j);
	case JSON_WANTS_NEXT:
		return read_next(j);
	}
	return bad(j, j->pos, "unreachable");
}

bool json_skip_value(struct json *j, enum json_token first)
{
	unsigned depth = j->depth;
	enum json_token token;

	if (first != JSON_OBJECT && first != JSON_ARRAY)
		return true;
	while (j->depth >= depth) {
		token = json_next(j);
		if (token == JSON_BAD || token == JSON_END)
			return false;
	}
	return true;
}

void json_resume(struct json *j, size_t pos)
{
	assert(j->depth > 0 && pos >= j->pos && pos <= j->size);
	j->pos = pos;
	j->state = JSON_WANTS_NEXT;
}

bool json_is_at_end(struct json *j)
{
	skip_space(j);
	if (j->pos == j->size)
		return true;
	(void)bad(j, j->pos, "something follows the value");
	return false;
}

static char unescaped(char c)
{
	switch (c) {
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default: /* '"', '\\', '/' */
		return c;
	}
}

size_t json_decode_string(const char *text, size_t size, char *out)
{
	size_t at = 1, last = size - 1, n = 0;

	while (at < last) {
		uint32_t code;

		if (text[at] != '\\') {
			out[n++] = text[at++];
			continue;
		}
		if (text[at + 1] != 'u') {
			out[n++] = unescaped(text[at + 1]);
			at += 2;
			continue;
		}
		code = (uint32_t)read_hex(text, size, at);
		at += 6;
		if (code >= 0xd800 && code <= 0xdbff) {
			uint32_t low = (uint32_t)read_hex(text, size, at);

			code = 0x10000 + ((code - 0xd800) << 10) +
			       (low - 0xdc00);
			at += 6;
		}
		n += utf8_write(code, out + n);
	}
	return n;
}
