#include "importer/value/scan_parts.h"

#include <endian.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "importer/value/base64.h"
#include "importer/value/number.h"
#include "importer/value/number_parts.h"
#include "importer/value/utf8.h"

const char *scan_space(struct scanner *s, const char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r') {
		if (*p == '\n' && s->one_line)
			return scan_to_end(s);
		p++;
		if (p > s->safe)
			p = scan_to_tail(s, p);
	}
	return p;
}

#define UTF8_BULK_SIZE 512

/*
 * Checks characters from p on at once. If one of them is wrong, it may stand
 * behind the value, so that nothing is known.
 */
static void check_utf8_ahead(struct scanner *s, const char *p)
{
	size_t size = (size_t)(s->part_end - p);

	if (size > UTF8_BULK_SIZE) {
		size = UTF8_BULK_SIZE;
		while (size > UTF8_BULK_SIZE - 4 && (p[size] & 0xc0) == 0x80)
			size--; /* not in the middle of a character */
	}
	if (utf8_is_valid(p, size))
		s->utf8_checked = p + size;
}

/* Whether so many bits are set that looking ahead pays. */
static bool are_many(uint32_t bits)
{
	for (int i = 0; i < 4; i++)
		bits &= bits - 1;
	return bits != 0;
}

bool scan_utf8(struct scanner *s, const char *p, uint32_t high)
{
	bool ahead = are_many(high);

	while (high) {
		const char *c = p + __builtin_ctz(high);
		unsigned size;

		high &= high - 1;
		if (c < s->utf8_checked)
			continue;
		if (ahead) {
			check_utf8_ahead(s, c);
			ahead = false;
			if (c < s->utf8_checked)
				continue;
		}
		size = utf8_sequence_size(c);
		if (size == 0)
			return false;
		s->utf8_checked = c + size;
	}
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "\uXXXX" at p, or -1. Stops at the first byte that is wrong. */
static int32_t read_hex(const char *p)
{
	int32_t code = 0;

	if (p[0] != '\\' || p[1] != 'u')
		return -1;
	for (size_t i = 2; i < 6; i++) {
		int value = hex_value(p[i]);

		if (value < 0)
			return -1;
		code = code << 4 | value;
	}
	return code;
}

/* Writes a character as import.md 4.5 wants it in a string. */
static char *write_char(uint32_t code, char *out)
{
	static const char hex[] = "0123456789abcdef";
	static const char letters[] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n',
		['\f'] = 'f', ['\r'] = 'r',
	};

	if (code == '"' || code == '\\') {
		*out++ = '\\';
		*out++ = (char)code;
		return out;
	}
	if (code >= 0x20)
		return out + utf8_write(code, out);
	*out++ = '\\';
	if (code < sizeof(letters) && letters[code]) {
		*out++ = letters[code];
		return out;
	}
	memcpy(out, "u00", 3);
	out[3] = hex[code >> 4];
	out[4] = hex[code & 15];
	return out + 5;
}

static const char *scan_unicode_escape(const char *p, char **out)
{
	int32_t code = read_hex(p), low;

	if (code < 0 || (code >= 0xdc00 && code <= 0xdfff))
		return NULL;
	p += 6;
	if (code >= 0xd800 && code <= 0xdbff) {
		low = read_hex(p);
		if (low < 0xdc00 || low > 0xdfff)
			return NULL;
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
		p += 6;
	}
	*out = write_char((uint32_t)code, *out);
	return p;
}

const char *scan_escape(const char *p, char **out)
{
	switch (p[1]) {
	case '"':
	case '\\':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		memcpy(*out, p, 2);
		*out += 2;
		return p + 2;
	case '/':
		*(*out)++ = '/';
		return p + 2;
	case 'u':
		return scan_unicode_escape(p, out);
	default:
		return NULL;
	}
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A number's parts, all in the text itself: it may be of any length. */
struct number_text {
	const char *start, *end;
	size_t whole; /* digits in front of the point */
	bool negative, integer;
};

static const char *skip_digits(const char *p, const char *end)
{
	while (p < end && is_digit(*p))
		p++;
	return p;
}

/* False: not a JSON number. */
static bool read_number(const char *text, const char *end,
			struct number_text *ret)
{
	const char *p = text, *from;

	ret->start = text;
	ret->integer = true;
	ret->negative = *p == '-';
	p += ret->negative;
	from = p;
	p = skip_digits(p, end);
	ret->whole = (size_t)(p - from);
	if (ret->whole == 0 || (*from == '0' && ret->whole > 1))
		return false;
	if (p < end && *p == '.') {
		ret->integer = false;
		from = ++p;
		p = skip_digits(p, end);
		if (p == from)
			return false;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		ret->integer = false;
		p++;
		if (p < end && (*p == '-' || *p == '+'))
			p++;
		from = p;
		p = skip_digits(p, end);
		if (p == from)
			return false;
	}
	ret->end = p;
	return true;
}

/* import.md 4.3: the class integer. */
static bool is_int64(const struct number_text *n)
{
	const char *digits = n->start + n->negative;
	const char *last =
		n->negative ? "9223372036854775808" : "9223372036854775807";

	if (!n->integer || (n->negative && *digits == '0'))
		return false;
	if (n->whole != 19)
		return n->whole < 19;
	return memcmp(digits, last, 19) <= 0;
}

const char *scan_number(struct scanner *s, const char *p, char **out)
{
	const char *text = s->text + scan_offset(s, p);
	struct number_text n;
	size_t size;
	double value;

	if (!read_number(text, s->text + s->size, &n))
		return NULL;
	size = (size_t)(n.end - n.start);
	if (s->integers && is_int64(&n)) {
		memcpy(*out, text, size);
		*out += size;
		s->beyond_plain = true;
		return p + size;
	}
	value = number_read(text, size);
	if (isinf(value))
		return NULL;
	*out += number_print(value, *out);
	return p + size;
}

/* The value of eight digits. */
static uint64_t eight_digits(uint64_t word)
{
	word = (word & UINT64_C(0x0f0f0f0f0f0f0f0f)) * 2561 >> 8;
	word = (word & UINT64_C(0x00ff00ff00ff00ff)) * 6553601 >> 16;
	return (word & UINT64_C(0x0000ffff0000ffff)) * 42949672960001 >> 32;
}

static inline uint64_t load_digits(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return le64toh(word);
}

/* 1 to 8 digits: zeros in front of them, what is behind shifted out. */
static inline uint64_t read_group(const char *p, unsigned count)
{
	return eight_digits(load_digits(p) << (64 - 8 * count));
}

/* 1 to 19 digits. */
static inline uint64_t read_digits(const char *p, unsigned count)
{
	uint64_t n;

	if (count <= 8)
		return read_group(p, count);
	if (count <= 16) {
		n = read_group(p, count - 8);
		p += count - 8;
	} else {
		n = read_group(p, count - 16) * 100000000;
		p += count - 16;
		n += eight_digits(load_digits(p));
		p += 8;
	}
	return n * 100000000 + eight_digits(load_digits(p));
}

/*
 * Decimals of the same places are farther apart than the doubles that are
 * nearest to them as long as their digits, as a number, do not reach 2^52: so
 * no two of them are the same double, and none is the same as one of fewer
 * places. Such a decimal is its double's shortest text, save zeros at the end.
 */
#define DISTINCT_MAX ((UINT64_C(1) << 52) - 1)

const char *scan_decimal(const char *p, const char *t, unsigned whole,
			 unsigned part, char **out)
{
	static const uint64_t powers[] = {
		1,
		10,
		100,
		1000,
		10000,
		100000,
		1000000,
		10000000,
		100000000,
		1000000000,
		10000000000,
		100000000000,
		1000000000000,
		10000000000000,
		100000000000000,
		1000000000000000,
		10000000000000000,
		100000000000000000,
		1000000000000000000,
	};
	const char *end = t + whole + 1 + part;
	uint64_t digits = read_digits(t, whole) * powers[part] +
			  read_digits(t + whole + 1, part);
	bool negative = t > p;
	struct decimal d;

	if (digits == 0) {
		memcpy(*out, "-0.0", 4);
		if (!negative)
			memcpy(*out, "0.0", 3);
		*out += negative ? 4 : 3;
		return end;
	}
	if (end[-1] == '0' || digits > DISTINCT_MAX)
		d = number_shortest(number_bits_of(digits, -(int64_t)part));
	else
		d = (struct decimal){digits, -(int)part};
	if (d.digits == digits && d.exponent == -(int)part &&
	    memcmp(t, "0.00000", 7) != 0) {
		memcpy(*out, p, 24); /* it stands there as it prints */
		*out += end - p;
	} else {
		*out += number_print_decimal(d, negative, *out);
	}
	return end;
}

bool scan_is_wrapper_key(const char *text, size_t size)
{
	return (size == 8 && memcmp(text, "$integer", 8) == 0) ||
	       (size == 6 && (memcmp(text, "$float", 6) == 0 ||
			      memcmp(text, "$bytes", 6) == 0));
}

const char *scan_check_key(const char *text, size_t size)
{
	size_t length = 0;

	if (size > 0 && text[0] == '$')
		return "a field name must not begin with '$'";
	for (size_t i = 0; i < size; i++, length++) {
		bool escape = text[i] == '\\';

		i += escape;
		if (text[i] < 0x20 || text[i] > 0x7e ||
		    (escape && text[i] != '"' && text[i] != '\\'))
			return "a field name must be printable ASCII";
	}
	if (length > SCAN_KEY_MAX)
		return "a field name is longer than 1024 bytes";
	return NULL;
}

void scan_too_many_fields(struct scanner *s, const char *p)
{
	s->fault = "an object of more than 1024 fields";
	s->fault_off = scan_offset(s, p);
}

static char *write_int64(const unsigned char bytes[8], char *out)
{
	uint64_t bits = 0;

	for (size_t i = 8; i-- > 0;)
		bits = bits << 8 | bytes[i];
	return out + snprintf(out, NUMBER_TEXT_MAX, "%" PRId64, (int64_t)bits);
}

/* NULL: a double that needs no wrapper. out is at the wrapper's bracket. */
static char *write_float64(const unsigned char bytes[8], char *out)
{
	uint64_t bits = 0;
	double value;

	for (size_t i = 8; i-- > 0;)
		bits = bits << 8 | bytes[i];
	memcpy(&value, &bits, sizeof(value));
	if (isfinite(value) && bits << 1 != 0)
		return NULL;
	if (isfinite(value))
		return out + number_print(value, out);
	memcpy(out, "{\"$float\":\"", 11);
	base64_encode(bytes, 8, out + 11);
	memcpy(out + 11 + BASE64_SIZE(8), "\"}", 2);
	return out + 11 + BASE64_SIZE(8) + 2;
}

static char *wrapper_fault(struct scanner *s, const struct scan_frame *f,
			   const char *fault)
{
	s->fault = fault;
	s->fault_off = f->count;
	return NULL;
}

char *scan_close_wrapper(struct scanner *s, struct scan_frame *f,
			 struct scan_member *end, char *out)
{
	char *start = s->row + f->off, kind = start[3];
	char *text = s->row + f->first->off + f->first->key_size + 4;
	size_t size = (size_t)(out - text) - 1, byte_count;
	unsigned char bytes[8];

	if (end - f->first != 1)
		return wrapper_fault(s, f,
				     "a field name must not begin with '$', "
				     "unless it is the only one");
	if (text[-1] != '"')
		return wrapper_fault(s, f, "the value must be a string");
	if (!base64_check(text, size, &byte_count))
		return wrapper_fault(s, f, "the value must be base64");

	if (f == &s->frames[1])
		s->root_wrapper = true;
	s->nesting = f->nesting_before;
	if (kind == 'b') {
		s->beyond_plain = true;
		out--;
		for (; (size_t)(out - text) % 4 != 0; out++)
			*out = '=';
		memcpy(out, "\"}", 2);
		return out + 2;
	}
	if (byte_count != sizeof(bytes))
		return wrapper_fault(s, f, "the value must have 8 bytes");
	base64_decode(text, size, bytes);
	if (kind == 'i') {
		s->beyond_plain = true;
		return write_int64(bytes, start);
	}
	out = write_float64(bytes, start);
	if (!out)
		return wrapper_fault(s, f,
				     "a \"$float\" must be a zero, NaN or "
				     "infinite; others are written as numbers");
	s->beyond_plain |= *start == '{';
	return out;
}
