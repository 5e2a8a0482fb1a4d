/*
 * fuzz_format: texts that went wrong in random ways, as CSV, JSON lines and
 * JSON arrays. Nothing crashes; pieces of a file become what the whole file
 * becomes; and CSV is cut up as a plain reader of one byte at a time does it.
 *
 * The same seed makes the same texts. CVX_FUZZ_LOOPS sets how many (10000).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "importer/format/csv_cell.h"
#include "importer/format/csv_scan.h"
#include "importer/value/number.h"
#include "tests/unit/convert.h"
#include "tests/unit/unit.h"

#define LOOPS 10000
#define TEXT_MAX 2000
#define ID_A "j57000820c20a1g7104gm2rc1m70ynr8"

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

static void insert(struct mutant *m, size_t at, const char *bytes, size_t size)
{
	if (m->size + size > TEXT_MAX)
		return;
	memmove(m->text + at + size, m->text + at, m->size - at);
	memcpy(m->text + at, bytes, size);
	m->size += size;
}

static void erase(struct mutant *m, size_t at, size_t size)
{
	memmove(m->text + at, m->text + at + size, m->size - at - size);
	m->size -= size;
}

static void mutate_once(struct mutant *m)
{
	static const char *const parts[] = {
		"\"",
		"\"\"",
		",",
		"\n",
		"\r",
		"\r\n",
		"\n\n",
		",\"",
		"\",",
		"\"\n",
		"{",
		"}",
		"[",
		"]",
		":",
		"\\",
		"\\u0041",
		"\\ud83d",
		"0",
		"-",
		"1e5",
		".",
		"inf",
		"nan",
		" ",
		"\t",
		"\xff",
		"\xc3",
		"\xc3\xa9",
		"\xe2\x82\xac",
		"\xef\xbb\xbf",
		"_",
		"$",
		"_id",
		"\"_id\":\"" ID_A "\"",
		"{}",
		"{\"a\":1}",
		"null",
		"true",
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
	};
	size_t at = below(m, m->size + 1), n;
	char byte;

	switch (below(m, 6)) {
	case 0:
	case 1: {
		const char *part =
			parts[below(m, sizeof(parts) / sizeof(*parts))];

		insert(m, at, part, strlen(part));
		break;
	}
	case 2:
		if (at < m->size)
			m->text[at] = (char)below(m, 256);
		break;
	case 3:
		byte = (char)below(m, 256);
		insert(m, at, &byte, 1);
		break;
	case 4:
		n = 1 + below(m, 8);
		if (n <= m->size - at)
			erase(m, at, n);
		break;
	case 5: { /* a part of the text again, somewhere else */
		char copy[64];
		size_t from = below(m, m->size + 1);

		n = below(m, sizeof(copy));
		if (n > m->size - from)
			n = m->size - from;
		memcpy(copy, m->text + from, n);
		insert(m, at, copy, n);
		break;
	}
	}
}

static void mutate(struct mutant *m, const char *seed)
{
	m->size = strlen(seed);
	memcpy(m->text, seed, m->size);
	for (size_t n = below(m, 12); n > 0; n--)
		mutate_once(m);
}

static int loop_count(void)
{
	const char *text = getenv("CVX_FUZZ_LOOPS");

	return text ? (int)strtol(text, NULL, 10) * 100 : LOOPS;
}

static void check_pieces(enum format_kind kind, const struct mutant *m,
			 unsigned seed)
{
	struct converted whole, pieces;

	convert_text(kind, m->text, m->size, DOCUMENT_PLAIN, 0, &whole);
	convert_text(kind, m->text, m->size, DOCUMENT_PLAIN, seed, &pieces);
	convert_expect_same(&pieces, &whole);
	converted_fini(&whole);
	converted_fini(&pieces);
}

/* A plain reader of import.md 6.2: unquoted fields, one byte at a time. */
struct plain_csv {
	const char *text;
	size_t size, pos;
	char field[TEXT_MAX];
	size_t field_size;
};

/* Reads a field; returns the separator, or -1 at the end of the text. */
static int plain_field(struct plain_csv *p)
{
	enum { START, BARE, QUOTED, AFTER_QUOTE } state = START;

	p->field_size = 0;
	while (p->pos < p->size) {
		char c = p->text[p->pos++];

		if (state == START && c == '"') {
			state = QUOTED;
			continue;
		}
		if (state == QUOTED && c == '"') {
			state = AFTER_QUOTE;
			continue;
		}
		if (state == AFTER_QUOTE && c == '"') {
			state = QUOTED;
		} else if (state != QUOTED) {
			if (c == ',' || c == '\n' || c == '\r')
				return c;
			state = BARE;
		}
		p->field[p->field_size++] = c;
	}
	return -1;
}

static void check_scan(const char *text, size_t size)
{
	struct plain_csv plain = {.text = text, .size = size};
	struct csv_scan scan;
	size_t pos = 0;

	csv_scan_init(&scan, text, size);
	while (csv_skip_blank(&scan, &pos)) {
		bool more = true;

		plain.pos = pos;
		while (more) {
			char unquoted[TEXT_MAX];
			struct csv_cell cell;
			int sep = plain_field(&plain);

			more = csv_next_field(&scan, &pos, &cell);
			EXPECT_INT(more, sep == ',');
			EXPECT_INT(scan.ran_out, sep < 0);
			EXPECT_INT(pos, plain.pos);
			if (cell.raw) {
				cell.size = csv_unquote(cell.text, cell.size,
							unquoted);
				cell.text = unquoted;
			}
			EXPECT_INT(cell.size, plain.field_size);
			if (cell.size > 0)
				assert_memory_equal(cell.text, plain.field,
						    cell.size);
		}
	}
}

TEST(csv_fuzz)
{
	static const char *const seeds[] = {
		"",
		"a,b\n1,2\n",
		"a,b\r\n\"x\"\"y\",\"1\n2\"\r\n3,4\r\n",
		"_id,_creationTime,v\n" ID_A ",1,x\n" ID_A ",2,y\n",
		"\n\na\r\r1\r2\r\"3\r\n\"\r",
		"name,price,note\n"
		"\"Anna, \"\"the\"\" first\",1.50,\"l1\nl2\"\n"
		"B\xc3\xb6rn,-0.000001,nan\n,,\n"
		"\"quoted text that is longer than sixty-four bytes, to pass "
		"borders\",12345678901234567890,+inf\n",
	};
	struct mutant *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->state = 1;
	for (int i = 0; i < loop_count(); i++) {
		mutate(m, seeds[below(m, sizeof(seeds) / sizeof(*seeds))]);
		check_scan(m->text, m->size);
		check_pieces(FORMAT_CSV, m, (unsigned)i + 1);
	}
	free(m);
}

TEST(jsonl_fuzz)
{
	static const char *const seeds[] = {
		"",
		"{}\n",
		"{\"a\":1,\"b\":[true,null,\"x\"]}\n{\"_id\":\"" ID_A "\"}\n{}",
		("\xef\xbb\xbf{\"a\":{\"b\":{\"c\":\"\\u00e9\\n\"}}}\r\n"
		 "{\"a\":1.5e-3}\n\n{\"z\":1,\"a\":2}\n"),
	};
	struct mutant *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->state = 2;
	for (int i = 0; i < loop_count(); i++) {
		mutate(m, seeds[below(m, sizeof(seeds) / sizeof(*seeds))]);
		check_pieces(FORMAT_JSONL, m, (unsigned)i + 1);
	}
	free(m);
}

TEST(json_array_fuzz)
{
	static const char *const seeds[] = {
		"[]",
		"[{\"a\":1},{\"b\":\"],\"}]",
		" [\n  {\"a\": [1, 2, {\"c\": null}]},\n  {}\n]\n",
		"[5,{\"$a\":1},{\"_id\":\"" ID_A "\"},[[]],{}]",
	};
	struct mutant *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->state = 3;
	for (int i = 0; i < loop_count(); i++) {
		mutate(m, seeds[below(m, sizeof(seeds) / sizeof(*seeds))]);
		check_pieces(FORMAT_JSON, m, (unsigned)i + 1);
	}
	free(m);
}

/* A cell is a number exactly where strtod, kept to the letters, reads one. */
static void check_cell(const char *cell, size_t size)
{
	char out[CSV_CELL_ROOM(32)], want[NUMBER_TEXT_MAX], text[33];
	double wanted, got = 0;
	uint64_t value_size = 0;
	char *end, *stop;
	bool is_number;

	memcpy(text, cell, size);
	text[size] = '\0';
	wanted = strtod(text, &stop);
	is_number = size > 0 && stop == text + size;
	EXPECT_INT(csv_cell_type(cell, size, &got), !is_number ? CSV_CELL_STRING
						    : wanted - wanted != 0
							    ? CSV_CELL_NULL
							    : CSV_CELL_NUMBER);
	end = csv_cell_print(out, cell, size, cell + size, &value_size);
	if (!is_number) {
		EXPECT_INT(value_size, size + 2);
	} else if (wanted - wanted != 0) {
		EXPECT_INT(value_size, 1);
		EXPECT_TEXT(out, (size_t)(end - out), "null");
	} else {
		assert_memory_equal(&got, &wanted, sizeof(got));
		EXPECT_INT(value_size, 9);
		EXPECT_INT(end - out, number_print(wanted, want));
		assert_memory_equal(out, want, (size_t)(end - out));
	}
}

TEST(csv_cell_fuzz)
{
	static const char letters[] = "0000011123456789999+--....eE";
	struct mutant *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->state = 4;
	for (int i = 0; i < 20 * loop_count(); i++) {
		m->size = below(m, 24);
		for (size_t n = 0; n < m->size; n++)
			m->text[n] = letters[below(m, sizeof(letters) - 1)];
		check_cell(m->text, m->size);
	}
	free(m);
}

UNIT_MAIN(UNIT_CASE(csv_fuzz), UNIT_CASE(jsonl_fuzz),
	  UNIT_CASE(json_array_fuzz), UNIT_CASE(csv_cell_fuzz))
