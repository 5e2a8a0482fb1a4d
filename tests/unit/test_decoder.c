/* importer/archive: decoder and deflate64; import.md 6.5. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>

#include "importer/archive/archive.h"
#include "importer/archive/decoder.h"
#include "tests/unit/unit.h"
#include "tests/unit/zip_maker.h"

#define MADE_MAX ((size_t)1 << 20)
#define DEFLATE64 "tests/data/archives/deflate64.zip"

/* What was packed, and how. */
struct packed {
	unsigned method;
	unsigned char *bytes;
	size_t size;
	char *text; /* what it was */
	size_t text_size;
};

static void packed_fini(struct packed *p)
{
	free(p->bytes);
	free(p->text);
}

/* Rows that repeat each other, and some that do not. */
static char *make_text(size_t size)
{
	char *text = malloc(size);
	uint32_t state = 1;
	size_t i;

	assert_non_null(text);
	for (i = 0; i < size; i++) {
		state = state * 1664525 + 1013904223;
		text[i] = i % 7000 < 1000
				  ? (char)('a' + (state >> 24) % 26)
				  : "{\"name\":\"n\",\"value\":1}\n"[i % 23];
	}
	return text;
}

static struct packed pack(unsigned method, size_t size)
{
	struct packed p = {.method = method, .text_size = size};
	z_stream s = {.zalloc = NULL};

	p.text = make_text(size);
	p.bytes = malloc(2 * size + 1000);
	assert_non_null(p.bytes);
	if (method == 93) {
		p.size = ZSTD_compress(p.bytes, 2 * size + 1000, p.text, size,
				       3);
		EXPECT_INT(ZSTD_isError(p.size), 0);
	} else if (method == 8) {
		EXPECT_INT(deflateInit2(&s, 6, Z_DEFLATED, -15, 8,
					Z_DEFAULT_STRATEGY),
			   Z_OK);
		s.next_in = (unsigned char *)p.text;
		s.avail_in = (unsigned)size;
		s.next_out = p.bytes;
		s.avail_out = (unsigned)(2 * size + 1000);
		EXPECT_INT(deflate(&s, Z_FINISH), Z_STREAM_END);
		p.size = s.total_out;
		(void)deflateEnd(&s);
	} else {
		memcpy(p.bytes, p.text, size);
		p.size = size;
	}
	return p;
}

/* The largest entry of the file that 7z made: a row that comes again 60,000
 * bytes later, and matches of 59,000 and 70,000 bytes. */
static struct packed read_deflate64(void)
{
	struct packed p = {.method = 9};
	size_t size, name_size;
	unsigned char *file = (unsigned char *)unit_read_file(DEFLATE64, &size);
	char *at;

	/* The first entry: its local header tells the truth. */
	p.size = (size_t)file[18] | (size_t)file[19] << 8;
	p.text_size = (size_t)file[22] | (size_t)file[23] << 8 |
		      (size_t)file[24] << 16;
	name_size = (size_t)file[26] + file[28];
	p.bytes = malloc(p.size);
	p.text = malloc(p.text_size);
	assert_non_null(p.bytes);
	assert_non_null(p.text);
	memcpy(p.bytes, file + 30 + name_size, p.size);
	free(file);
	/* The text without its letters, which the checksum looks after. */
	memset(p.text, 0, p.text_size);
	at = p.text + 709;
	memcpy(at, "{\"s\":\"", 6);
	memset(at + 6, ' ', 59000);
	return p;
}

/*
 * Unpacks in pieces of these sizes. The outcome, and what was made; a run that
 * moves nothing ends it.
 */
static enum decoder_outcome unpack(const struct packed *p, size_t in_size,
				   size_t out_size, char *made,
				   size_t *ret_size)
{
	struct decoder *d = NULL;
	struct cvx_err err = CVX_ERR_INIT;
	enum decoder_outcome outcome;
	size_t used = 0, done = 0, n, moved;

	EXPECT_OK(decoder_new(p->method, &d, &err), &err);
	do {
		struct decoder_io io = {.in = p->bytes + used};

		n = p->size - used;
		io.in_size = n < in_size ? n : in_size;
		io.in_ends = io.in_size == n;
		n = MADE_MAX - done;
		io.out = (unsigned char *)made + done;
		io.out_size = n < out_size ? n : out_size;
		n = io.in_size;
		moved = io.out_size;
		outcome = decoder_run(d, &io);
		used += n - io.in_size;
		done += moved - io.out_size;
		moved = (n - io.in_size) + (moved - io.out_size);
	} while (outcome == DECODER_GOES_ON && moved > 0 && done < MADE_MAX);
	decoder_free(d);
	*ret_size = done;
	return outcome;
}

static void expect_text(const struct packed *p, size_t in_size, size_t out_size)
{
	char *made = malloc(MADE_MAX);
	size_t size;

	assert_non_null(made);
	EXPECT_INT(unpack(p, in_size, out_size, made, &size), DECODER_ENDED);
	EXPECT_INT(size, p->text_size);
	if (p->method == 9) { /* some is known */
		assert_memory_equal(made + 709, p->text + 709, 59006);
		assert_memory_equal(made, made + 709 + 59009, 709);
	} else {
		assert_memory_equal(made, p->text, size);
	}
	free(made);
}

static void for_each_method(void (*check)(const struct packed *p))
{
	static const unsigned methods[] = {0, 8, 9, 93};
	size_t i;

	for (i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		struct packed p = methods[i] == 9 ? read_deflate64()
						  : pack(methods[i], 100000);

		check(&p);
		packed_fini(&p);
	}
}

static void check_pieces(const struct packed *p)
{
	expect_text(p, SIZE_MAX, SIZE_MAX);
	expect_text(p, 1, SIZE_MAX);
	expect_text(p, SIZE_MAX, 1);
	expect_text(p, 3, 5);
	expect_text(p, 4096, 65536);
	expect_text(p, 65536, 4096);
}

TEST(decoder_makes_the_same_of_any_pieces)
{
	for_each_method(check_pieces);
}

/* The end of stored bytes is what the caller says it is. */
static void check_cut(const struct packed *p)
{
	struct packed cut = *p;
	char *made = malloc(MADE_MAX);
	size_t size, step = p->size / 300 + 1;

	assert_non_null(made);
	for (cut.size = 0; p->method != 0 && cut.size < p->size;
	     cut.size += step)
		EXPECT_INT(unpack(&cut, 1000, 70000, made, &size),
			   DECODER_GOES_ON);
	free(made);
}

TEST(decoder_of_cut_bytes_never_ends)
{
	for_each_method(check_cut);
}

/* Whatever comes in, what goes out is bounded, and nothing else happens. */
static void check_damaged(const struct packed *p)
{
	struct packed damaged = *p;
	char *made = malloc(MADE_MAX);
	uint32_t state = 1;
	size_t size, i, n, damaged_count = 0;

	damaged.bytes = malloc(p->size);
	assert_non_null(made);
	assert_non_null(damaged.bytes);
	for (n = 0; n < 500; n++) {
		memcpy(damaged.bytes, p->bytes, p->size);
		for (i = 0; i <= n % 3; i++) {
			state = state * 1664525 + 1013904223;
			damaged.bytes[(state >> 8) % p->size] ^=
				(unsigned char)(1u << state % 8);
			if (n % 5 == 0) /* the first bytes are the tables */
				damaged.bytes[(state >> 8) % 60] =
					(unsigned char)(state >> 4);
		}
		damaged_count += unpack(&damaged, 777, 5000, made, &size) ==
				 DECODER_DAMAGED;
	}
	EXPECT_INT(damaged_count > 0, p->method != 0);
	free(damaged.bytes);
	free(made);
}

TEST(decoder_of_damaged_bytes_stays_within_its_room)
{
	for_each_method(check_damaged);
}

/* Blocks that no packer makes, by hand: deflate64 knows deflate's. */
static enum decoder_outcome unpack_hex(const char *hex, size_t *ret_size)
{
	struct packed p = {.method = 9};
	char *made = malloc(MADE_MAX);
	unsigned char bytes[200];
	enum decoder_outcome outcome;
	unsigned byte;

	assert_non_null(made);
	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
		bytes[p.size++] = (unsigned char)byte;
	p.bytes = bytes;
	outcome = unpack(&p, SIZE_MAX, SIZE_MAX, made, ret_size);
	free(made);
	return outcome;
}

TEST(decoder_of_deflate64_refuses_what_is_no_block)
{
	static const struct {
		const char *hex;
		enum decoder_outcome want;
		size_t made;
	} cases[] = {
		{"010000ffff", DECODER_ENDED, 0},	/* stored, empty */
		{"010200fdff6162", DECODER_ENDED, 2},	/* stored */
		{"010200fdff61", DECODER_GOES_ON, 1},	/* cut */
		{"010200fcff6162", DECODER_DAMAGED, 0}, /* size wrong */
		{"07", DECODER_DAMAGED, 0},		/* of no kind */
		{"0300", DECODER_ENDED, 0},		/* fixed, empty */
		{"4b0400", DECODER_ENDED, 1},		/* fixed, "a" */
		{"4b0400ff", DECODER_ENDED, 1},		/* and what follows */
		{"4b040200", DECODER_ENDED, 4},		/* and a match */
		{"4b1c2d000000", DECODER_ENDED, 9},	/* of 16 bits more */
		{"4b1c05", DECODER_GOES_ON, 1},		/* and those are cut */
		{"4b046200", DECODER_DAMAGED, 1},	/* too far back */
		{"4b1c0300000000", DECODER_DAMAGED, 1}, /* symbol 286 */
		{"fdffffffffffffff", DECODER_DAMAGED, 0}, /* sizes too many */
		{"05000000000000000000", DECODER_DAMAGED, 0}, /* none at all */
	};
	size_t i, size;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		enum decoder_outcome got = unpack_hex(cases[i].hex, &size);

		if (got != cases[i].want || size != cases[i].made)
			fail_msg("%s: %d, %zu bytes", cases[i].hex, (int)got,
				 size);
	}
}

TEST(decoder_of_zstd_reads_frames_one_after_the_other)
{
	struct packed one = pack(93, 1000), two = one;
	char *made = malloc(MADE_MAX);
	size_t size;

	assert_non_null(made);
	two.size = 2 * one.size;
	two.bytes = malloc(two.size);
	assert_non_null(two.bytes);
	memcpy(two.bytes, one.bytes, one.size);
	memcpy(two.bytes + one.size, one.bytes, one.size);
	EXPECT_INT(unpack(&two, 100, 300, made, &size), DECODER_ENDED);
	EXPECT_INT(size, 2000);
	free(two.bytes);
	free(made);
	packed_fini(&one);
}

/* zstd --long=28: it would take 256 MiB to read it. */
TEST(decoder_of_zstd_refuses_a_window_that_is_too_large)
{
	static const unsigned char head[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00,
					     0x90, 0x01, 0x00, 0x00};
	struct packed p = {.method = 93,
			   .bytes = (unsigned char *)(uintptr_t)head,
			   .size = sizeof(head)};
	char made[10];
	size_t size;

	EXPECT_INT(unpack(&p, SIZE_MAX, sizeof(made), made, &size),
		   DECODER_TOO_FAR);
}

TEST(decoder_of_no_known_method_is_refused_by_name)
{
	struct decoder *d = NULL;
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_FAIL(decoder_new(12, &d, &err), &err, -EINVAL,
		    "packed with bzip2 (method 12), which is not supported");
	EXPECT_FAIL(decoder_new(7, &d, &err), &err, -EINVAL,
		    "an unknown method (method 7)");
	assert_null(d);
}

TEST(decoder_crc_is_that_of_zip)
{
	uint32_t crc = decoder_crc(0, "1234", 4);

	EXPECT_INT(decoder_crc(crc, "56789", 5), 0xcbf43926);
}

/* As 7z packs it, through the archive, which verifies sizes and checksums. */
TEST(decoder_reads_deflate64_of_7z)
{
	struct cvx_buf file = CVX_BUF_INIT(1 << 20);
	struct archive *a = NULL;
	struct archive_stream *s = NULL;
	struct cvx_err err = CVX_ERR_INIT;
	struct import_source source;
	char *bytes, *text = malloc(MADE_MAX);
	size_t size, i, n;

	assert_non_null(text);
	bytes = unit_read_file(DEFLATE64, &size);
	EXPECT_INT(cvx_buf_append(&file, bytes, size), 0);
	source = zip_source_of(&file);
	EXPECT_OK(archive_open(&source, file.size, &a, &err), &err);
	EXPECT_INT(archive_entry_count(a), 2);
	for (i = 0; i < 2; i++) {
		EXPECT_OK(archive_stream_new(a, i, &s, &err), &err);
		EXPECT_OK(archive_stream_read(s, text, MADE_MAX, &n, &err),
			  &err);
		EXPECT_INT(n, i == 0 ? 130436 : 1675);
		archive_stream_free(s);
	}
	archive_free(a);
	free(bytes);
	free(text);
	cvx_buf_fini(&file);
}

UNIT_MAIN(UNIT_CASE(decoder_makes_the_same_of_any_pieces),
	  UNIT_CASE(decoder_of_cut_bytes_never_ends),
	  UNIT_CASE(decoder_of_damaged_bytes_stays_within_its_room),
	  UNIT_CASE(decoder_of_deflate64_refuses_what_is_no_block),
	  UNIT_CASE(decoder_of_zstd_reads_frames_one_after_the_other),
	  UNIT_CASE(decoder_of_zstd_refuses_a_window_that_is_too_large),
	  UNIT_CASE(decoder_of_no_known_method_is_refused_by_name),
	  UNIT_CASE(decoder_crc_is_that_of_zip),
	  UNIT_CASE(decoder_reads_deflate64_of_7z), )
