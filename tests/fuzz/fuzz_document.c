/*
 * fuzz_document: random JSON, whole and broken, through the scanner of every
 * kind of processor, against the strict reader of tests/unit/strict.h:
 *
 *   - both accept the same texts, in all three encodings;
 *   - both print the same canonical text, size and nesting;
 *   - canonical text, read again as uniform, stays as it is;
 *   - documents are made of it, or refused, in one piece.
 *
 * The same seed makes the same texts. CVX_FUZZ_LOOPS sets how many (10000),
 * CVX_SEED which ones. With CVX_LIBFUZZER defined they come from libFuzzer
 * instead:
 *
 *   clang -fsanitize=fuzzer,address,undefined -DCVX_LIBFUZZER ...
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "importer/value/document.h"
#include "importer/value/scan.h"
#include "importer/value/value.h"
#include "tests/unit/strict.h"

#define LOOPS 10000
#define TEXT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const char *shown; /* the text, for a failure */
static size_t shown_size;

static void fail(const char *what)
{
	printf("not ok 1 - document\n# %s\n# ", what);
	for (size_t i = 0; i < shown_size; i++) {
		unsigned char c = (unsigned char)shown[i];

		printf(c >= 0x20 && c < 0x7f && c != '\\' ? "%c" : "\\x%02x",
		       c);
	}
	printf("\n");
	(void)fflush(stdout);
	abort();
}

static struct value_reader *reader_of(enum value_encoding encoding)
{
	static struct value_reader *readers[3];
	struct cvx_err err = CVX_ERR_INIT;

	if (!readers[encoding] &&
	    value_reader_new(encoding, &readers[encoding], &err) < 0)
		fail(err.msg);
	return readers[encoding];
}

/* Every kind of processor stops at the same texts and writes the same. */
static void check_kinds(const char *text, size_t size, bool partial)
{
	static struct scanner *scanners[3];
	enum scan_outcome outcomes[3];

	for (int kind = 0; kind < 3; kind++) {
		struct scanner **s = &scanners[kind];

		if (!scan_has_kind((enum scan_kind)kind))
			continue;
		if (!*s)
			*s = scan_new(true, true);
		if (!*s || scan_reserve(*s, size) < 0)
			fail("no memory");
		outcomes[kind] = scan_text_as((enum scan_kind)kind, *s, text,
					      size, partial);
		if (kind == 0)
			continue;
		if (outcomes[kind] != outcomes[0])
			fail("kinds of processor differ in the outcome");
		if (outcomes[0] == SCAN_DONE &&
		    ((*s)->used != scanners[0]->used ||
		     (*s)->row_end - (*s)->row !=
			     scanners[0]->row_end - scanners[0]->row ||
		     memcmp((*s)->row, scanners[0]->row,
			    (size_t)((*s)->row_end - (*s)->row)) != 0))
			fail("kinds of processor differ in what they write");
	}
}

static void check_again(const struct cvx_buf *canonical)
{
	struct cvx_buf again = CVX_BUF_INIT((size_t)1 << 26);
	struct cvx_err err = CVX_ERR_INIT;

	if (value_read(reader_of(VALUE_UNIFORM), canonical->data,
		       canonical->size, &again, &err) < 0)
		fail("canonical text is refused");
	if (again.size != canonical->size ||
	    memcmp(again.data, canonical->data, again.size) != 0)
		fail("canonical text changes");
	cvx_buf_fini(&again);
}

static void check_value(const char *text, size_t size,
			const struct strict *strict,
			enum value_encoding encoding)
{
	struct cvx_buf out = CVX_BUF_INIT((size_t)1 << 26);
	struct cvx_err err = CVX_ERR_INIT;
	struct strict_result want = {0};
	struct value_size measured;
	int r = value_read(reader_of(encoding), text, size, &out, &err);

	if (strict)
		strict_decode(strict, (enum strict_encoding)encoding, &want);
	if (r < 0 && strict && strcmp(err.name, "InvalidConvexValue") != 0)
		fail("a value is refused as a text");
	if (r < 0 && !strict && strcmp(err.name, "InvalidConvexValue") == 0)
		fail("a text is refused as a value");
	if ((r == 0) != (strict && want.valid))
		fail(r == 0 ? "accepted, and should not be"
			    : "refused, and should not be");
	if (r == 0) {
		if (out.size != want.text_size ||
		    memcmp(out.data, want.text, out.size) != 0)
			fail("the canonical text is another one");
		if (value_measure(out.data, out.size, &measured) < 0 ||
		    measured.size != want.size ||
		    measured.nesting != want.nesting)
			fail("the size or the nesting is another one");
		check_again(&out);
	}
	free(want.text);
	cvx_buf_fini(&out);
}

static struct document_reader *document_reader(enum document_encoding encoding)
{
	static const struct document_stamp stamp = {
		.table_number = 10001,
		.id = {.ms = 1763800000000, .counter = 7, .day = 20414},
		.creation_time = 1763800000000.0,
	};
	static struct document_reader *readers[2];
	struct cvx_err err = CVX_ERR_INIT;

	if (!readers[encoding] &&
	    document_reader_new(encoding, &stamp, &readers[encoding], &err) < 0)
		fail(err.msg);
	return readers[encoding];
}

/* A line is read as it is alone, or not at all. */
static void check_line(struct document_reader *reader, const char *text,
		       size_t size)
{
	struct cvx_buf out = CVX_BUF_INIT((size_t)1 << 26);
	struct cvx_buf want = CVX_BUF_INIT((size_t)1 << 26);
	struct cvx_err err = CVX_ERR_INIT, want_err = CVX_ERR_INIT;
	char *line = malloc(size + 1);
	struct document doc;
	size_t line_size;
	int r;

	if (!line)
		fail("there is no memory");
	if (size > 0)
		memcpy(line, text, size);
	line[size] = '\n';
	r = document_read_line(reader, line, size + 1, 3, &out, &doc,
			       &line_size, &err);
	if (r != 1) {
		if (line_size > size || line[line_size] != '\n' ||
		    memchr(line, '\n', line_size))
			fail("the end of the line is another one");
		if (document_read(reader, line, line_size, 3, &want, &doc,
				  &want_err) != r ||
		    strcmp(err.msg, want_err.msg) != 0 ||
		    err.name != want_err.name || out.size != want.size ||
		    (out.size > 0 &&
		     memcmp(out.data, want.data, out.size) != 0))
			fail("a line is read otherwise than alone");
	}
	free(line);
	cvx_buf_fini(&out);
	cvx_buf_fini(&want);
}

static void check_document(const char *text, size_t size,
			   const struct strict *strict,
			   enum document_encoding encoding)
{
	struct cvx_buf out = CVX_BUF_INIT((size_t)1 << 26);
	struct document_reader *reader = document_reader(encoding);
	struct cvx_err err = CVX_ERR_INIT;
	struct internal_id id;
	struct document doc;
	size_t used = 0, strict_used = 0;
	struct strict *prefix = strict_parse(text, size, &strict_used);
	uint32_t number;

	if (document_read(reader, text, size, 3, &out, &doc, &err) == 0) {
		if (!strict || strict->kind != STRICT_OBJECT)
			fail("a document of no object");
		if (out.data[out.size - 1] != '\n' ||
		    document_line_id(out.data, out.size - 1, &id) < 0 ||
		    id_compare(&id, &doc.id) != 0)
			fail("the id of the line is another one");
		if (!document_is_export_line(out.data, out.size - 1))
			fail("a line is no export line");
	} else if (out.size > 0) {
		fail("something is written for a refused row");
	}
	cvx_buf_clear(&out);
	(void)document_read_prefix(reader, text, size, 3, &out, &doc, &used,
				   &err);
	if (used != (prefix ? strict_used : 0))
		fail("the end of the value is another one");
	check_line(reader, text, size);
	(void)document_peek_table_number(text, size, &number);
	(void)document_is_export_line(text, size);
	strict_free(prefix);
	cvx_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	/* Alone in memory, so that reading past it is seen. */
	char *text = malloc(size ? size : 1);
	struct strict *strict;

	if (!text)
		return 0;
	if (size > 0)
		memcpy(text, bytes, size);
	shown = text;
	shown_size = size;
	strict = strict_parse(text, size, NULL);
	check_kinds(text, size, false);
	check_kinds(text, size, true);
	check_value(text, size, strict, VALUE_PLAIN);
	check_value(text, size, strict, VALUE_UNIFORM);
	check_value(text, size, strict, VALUE_INTERNAL);
	check_document(text, size, strict, DOCUMENT_PLAIN);
	check_document(text, size, strict, DOCUMENT_UNIFORM);
	strict_free(strict);
	free(text);
	return 0;
}

#ifndef CVX_LIBFUZZER
struct mutant {
	uint64_t state; /* of the generator, never 0 */
	size_t size;
	char text[TEXT_MAX];
};

/* xorshift64* */
static uint32_t below(struct mutant *m, size_t limit)
{
	m->state ^= m->state >> 12;
	m->state ^= m->state << 25;
	m->state ^= m->state >> 27;
	return (uint32_t)((m->state * UINT64_C(0x2545f4914f6cdd1d) >> 33) %
			  limit);
}

static void put(struct mutant *m, const char *bytes, size_t size)
{
	if (m->size + size > TEXT_MAX)
		return;
	memcpy(m->text + m->size, bytes, size);
	m->size += size;
}

static void put_text(struct mutant *m, const char *text)
{
	put(m, text, strlen(text));
}

#define PICK(m, table) ((table)[below((m), sizeof(table) / sizeof((table)[0]))])

static void put_space(struct mutant *m)
{
	static const char *const spaces[] = {
		" ", "\n", "\t", "\r", "   ", "                           "};

	if (below(m, 12) == 0)
		put_text(m, PICK(m, spaces));
}

static void put_string(struct mutant *m)
{
	static const char *const parts[] = {
		"a",
		"name",
		"\\n",
		"\\\"",
		"\\\\",
		"\\/",
		"\\u0000",
		"\\u001F",
		"\\u0041",
		"\\u00e9",
		"\\ud83d\\ude00",
		"\xc3\xa9",
		"\xe6\x97\xa5\xe6\x9c\xac",
		"\xf0\x9f\x98\x80",
		"\x7f",
		"$",
		"_",
		"0123456789012345678901234567890",
		" ",
		"'",
		"{",
		"[",
		"\xd0\x9c\xd0\xb0\xd1\x80\xd0\xb8\xd1\x8f",
		"\xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5",
	};
	uint32_t n = below(m, 6);

	put_text(m, "\"");
	if (below(m, 30) == 0)
		n += 40;
	for (; n > 0; n--)
		put_text(m, PICK(m, parts));
	put_text(m, "\"");
}

static void put_number(struct mutant *m)
{
	static const char *const numbers[] = {
		"0",
		"-0",
		"1",
		"-1",
		"1.0",
		"0.5",
		"-0.0",
		"1e2",
		"1E+2",
		"5e-324",
		"1e308",
		"1.50",
		"100",
		"12.000",
		"0.00001",
		"0.000001",
		"0.0000",
		"123456789012345",
		"1234567890123456",
		"12345678901234567",
		"9223372036854775807",
		"9223372036854775808",
		"-9223372036854775808",
		"-9223372036854775809",
		"18446744073709551615",
		"18446744073709551616",
		"0.1234567890123456789",
		"1.7976931348623157e308",
		"1e-400",
		"123456789012345678901234",
		"1000000000000000.5",
		"1e15",
		"1e16",
		"1e21",
	};
	char text[40];

	switch (below(m, 4)) {
	case 0:
		put_text(m, PICK(m, numbers));
		return;
	case 1:
		(void)snprintf(text, sizeof(text), "%.17g",
			       (double)below(m, 1U << 31) / 977);
		break;
	case 2:
		(void)snprintf(text, sizeof(text), "%u", below(m, 1U << 30));
		break;
	default:
		(void)snprintf(text, sizeof(text), "-%u.%u%u", below(m, 1000),
			       below(m, 1U << 30), below(m, 1U << 30));
	}
	put_text(m, text);
}

static void put_value(struct mutant *m, unsigned depth);

static void put_key(struct mutant *m)
{
	static const char *const keys[] = {
		"\"a\"",
		"\"b\"",
		"\"c\"",
		"\"Z\"",
		"\"_id\"",
		"\"name\"",
		"\"_creationTime\"",
		"\"a long field name of 37 characters ab\"",
		"\"\\u0061\"",
		"\"x\\\"y\"",
		"\"\"",
		"\"ab\"",
		"\"abcdefgh\"",
		"\"abcdefghi\"",
		"\"abcdefgh0\"",
	};

	if (below(m, 30) == 0)
		put_string(m);
	else
		put_text(m, PICK(m, keys));
}

static void put_container(struct mutant *m, unsigned depth)
{
	bool object = below(m, 3) > 0;
	uint32_t n = below(m, depth > 4 ? 2 : 7);

	put_text(m, object ? "{" : "[");
	for (uint32_t i = 0; i < n; i++) {
		if (i > 0)
			put_text(m, ",");
		put_space(m);
		if (object) {
			put_key(m);
			put_space(m);
			put_text(m, ":");
		}
		put_value(m, depth + 1);
		put_space(m);
	}
	put_text(m, object ? "}" : "]");
}

static void put_value(struct mutant *m, unsigned depth)
{
	static const char *const others[] = {
		"null",
		"true",
		"false",
		"{\"$integer\":\"BQAAAAAAAAA=\"}",
		"{\"$float\":\"AAAAAAAA8H8=\"}",
		"{\"$float\":\"AAAAAAAAAIA=\"}",
		"{\"$bytes\":\"AP8\"}",
		"{\"$bytes\":\"AP8=\"}",
		"{\"$bytes\":\"\"}",
		"{\"$integer\":\"5\"}",
		"{\"$x\":1}",
		"{\"$float\":\"AAAAAAAA+H8\"}",
		"\"j5702081040g2081040g2081056hakwm\"",
	};

	put_space(m);
	switch (below(m, depth < 90 ? 6 : 4)) {
	case 0:
		put_text(m, PICK(m, others));
		break;
	case 1:
		put_string(m);
		break;
	case 2:
	case 3:
		put_number(m);
		break;
	default:
		put_container(m, depth);
	}
}

static void break_once(struct mutant *m)
{
	static const char *const parts[] = {
		"\"",	    "\\",    "{",    "}",
		"[",	    "]",     ",",    ":",
		"\xff",	    "\xc3",  "0",    "-",
		".",	    "e",     "\n",   "\x01",
		"$",	    "nul",   "\\u",  "\\ud800",
		"\xe2\x80", "1e999", "]]]]", "[[[[[[[[[[[[[[[[[[[[[[[[",
	};
	uint32_t at = below(m, m->size + 1);
	const char *part = PICK(m, parts);
	size_t size = strlen(part);

	switch (below(m, 4)) {
	case 0: /* insert */
		if (m->size + size > TEXT_MAX)
			return;
		memmove(m->text + at + size, m->text + at, m->size - at);
		memcpy(m->text + at, part, size);
		m->size += size;
		break;
	case 1: /* drop */
		if (at < m->size) {
			size = 1 + below(m, 3);
			if (size > m->size - at)
				size = m->size - at;
			memmove(m->text + at, m->text + at + size,
				m->size - at - size);
			m->size -= size;
		}
		break;
	case 2: /* overwrite */
		if (at < m->size)
			m->text[at] = (char)below(m, 256);
		break;
	default: /* cut off */
		if (below(m, 4) == 0)
			m->size = at;
	}
}

static void make(struct mutant *m)
{
	m->size = 0;
	put_space(m);
	if (below(m, 8) == 0)
		put_value(m, 0);
	else
		put_container(m, 0);
	if (below(m, 3) == 0)
		for (uint32_t n = below(m, 4) + 1; n > 0; n--)
			break_once(m);
}

int main(void)
{
	static struct mutant m = {.state = UINT64_C(0x5deece66d2b79f1)};
	const char *text = getenv("CVX_FUZZ_LOOPS"), *seed = getenv("CVX_SEED");
	long loops = text ? strtol(text, NULL, 10) : LOOPS;

	if (seed)
		m.state ^= strtoull(seed, NULL, 10) << 32;
	printf("1..1\n");
	for (long i = 0; i < loops; i++) {
		make(&m);
		(void)LLVMFuzzerTestOneInput((const uint8_t *)m.text, m.size);
	}
	printf("ok 1 - %ld texts are read as the strict reader reads them\n",
	       loops);
	return 0;
}
#endif
