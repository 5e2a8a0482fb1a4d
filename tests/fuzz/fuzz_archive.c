/*
 * fuzz_archive: ZIPs that went wrong in random ways. Nothing crashes, no entry
 * gives more bytes than the directory says, and each gives the same whatever
 * the pieces are that it is read in; what it contains is read, too. The packed
 * bytes of an entry are also changed by themselves, where no directory is in
 * the way of the decoders.
 *
 * The same seed makes the same archives. CVX_FUZZ_LOOPS sets how many (4000),
 * CVX_SEED which ones. With CVX_LIBFUZZER defined they come from libFuzzer
 * instead, which needs the libraries built with its sanitizers:
 *
 *   clang -fsanitize=fuzzer,address,undefined -DCVX_LIBFUZZER ...
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "importer/archive/archive.h"
#include "importer/archive/contents.h"
#include "importer/archive/decoder.h"
#include "tests/unit/zip_maker.h"

#define LOOPS 4000
#define FILE_MAX ((size_t)8 << 10)
#define MADE_MAX ((size_t)256 << 10)
#define ENTRIES_MAX 20

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void fail(const char *what, uint64_t index)
{
	printf("not ok 1 - archive\n# entry %llu: %s\n",
	       (unsigned long long)index, what);
	(void)fflush(stdout);
	abort();
}

/* Reads in pieces; *ret_size bytes, not more than MADE_MAX. */
static int read_entry(struct archive *a, uint64_t index, size_t piece,
		      char *made, size_t *ret_size)
{
	struct archive_stream *s = NULL;
	struct archive_entry entry = {.size = 0};
	struct cvx_err err = CVX_ERR_INIT;
	size_t n = 1;
	int r = archive_stream_new(a, index, &s, &err);

	*ret_size = 0;
	while (r == 0 && n > 0 && *ret_size + piece <= MADE_MAX) {
		r = archive_stream_read(s, made + *ret_size, piece, &n, &err);
		*ret_size += r == 0 ? n : 0;
	}
	archive_stream_free(s);
	if (r < 0 && (err.code != r || !err.msg[0]))
		fail("it was refused without a word", index);
	if (r == 0 && archive_entry(a, index, &entry, &err) == 0 &&
	    *ret_size > entry.size)
		fail("it has more bytes than the directory says", index);
	return r;
}

static void check_entry(struct archive *a, uint64_t index)
{
	static char made[MADE_MAX], again[MADE_MAX];
	size_t size, again_size;
	int r = read_entry(a, index, MADE_MAX, made, &size);
	int other = read_entry(a, index, 1021, again, &again_size);

	/* Within the room, both have come to the end. */
	if (size > MADE_MAX - 1021 || again_size > MADE_MAX - 1021)
		return;
	if ((r == 0) != (other == 0))
		fail("it depends on the pieces whether it is whole", index);
	if (r == 0 && (size != again_size || memcmp(made, again, size) != 0))
		fail("it depends on the pieces what it holds", index);
}

/* The bytes as packed by a method. */
static void check_decoder(unsigned method, const uint8_t *bytes, size_t size)
{
	static unsigned char made[2][MADE_MAX];
	static const size_t pieces[2] = {MADE_MAX, 517};
	enum decoder_outcome outcomes[2];
	size_t sizes[2];

	for (int i = 0; i < 2; i++) {
		struct decoder_io io = {bytes, size, true, made[i], 0};
		const unsigned char *end = made[i] + MADE_MAX, *before;
		struct decoder *d;

		if (decoder_new(method, &d, NULL) < 0)
			return;
		do {
			before = io.out;
			io.out_size = (size_t)(end - io.out);
			if (io.out_size > pieces[i])
				io.out_size = pieces[i];
			outcomes[i] = decoder_run(d, &io);
		} while (outcomes[i] == DECODER_GOES_ON && io.out > before &&
			 io.out < end);
		sizes[i] = (size_t)(io.out - made[i]);
		decoder_free(d);
	}
	if ((outcomes[0] == DECODER_ENDED) != (outcomes[1] == DECODER_ENDED))
		fail("it depends on the pieces whether it ends", method);
	if (outcomes[0] == DECODER_ENDED &&
	    (sizes[0] != sizes[1] || memcmp(made[0], made[1], sizes[0]) != 0))
		fail("it depends on the pieces what is made", method);
}

static void check_archive(struct cvx_buf *file)
{
	struct import_source source = zip_source_of(file);
	const _Atomic bool canceled = false;
	struct contents *contents = NULL;
	struct archive *a = NULL;
	uint64_t count, i;

	if (archive_open(&source, file->size, &a, NULL) < 0)
		return;
	count = archive_entry_count(a);
	for (i = 0; i < count && i < ENTRIES_MAX; i++)
		check_entry(a, i);
	if (contents_read(a, "", &canceled, &contents, NULL) == 0)
		contents_free(contents);
	archive_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const unsigned methods[] = {0, 8, 9, 93};
	struct cvx_buf file = {.limit = size + 1,
			       .data = (char *)(uintptr_t)bytes,
			       .size = size,
			       .capacity = size};

	if (size > 0)
		check_decoder(methods[bytes[0] % 4], bytes + 1, size - 1);
	check_archive(&file);
	return 0;
}

#ifndef CVX_LIBFUZZER

struct mutant {
	uint64_t state; /* of the generator, never 0 */
	size_t size;
	unsigned char bytes[FILE_MAX];
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

static void mutate_once(struct mutant *m)
{
	static const unsigned char extremes[] = {0, 1, 0x7f, 0x80, 0xff};
	size_t at = below(m, m->size), n = 1 + below(m, 8), from;

	if (n > m->size - at)
		n = m->size - at;
	from = below(m, m->size - n + 1);
	switch (below(m, 5)) {
	case 0:
		m->bytes[at] ^= (unsigned char)(1u << below(m, 8));
		break;
	case 1:
		m->bytes[at] = (unsigned char)below(m, 256);
		break;
	case 2:
		memset(m->bytes + at, extremes[below(m, sizeof(extremes))], n);
		break;
	case 3: /* bytes of another place */
		memmove(m->bytes + at, m->bytes + from, n);
		break;
	default: /* some are gone */
		if (below(m, 4) == 0 && m->size > n) {
			memmove(m->bytes + at, m->bytes + at + n,
				m->size - at - n);
			m->size -= n;
		}
	}
}

/* Rows with something to pack. */
static void make_rows(struct cvx_buf *rows, int count)
{
	int i, r = 0;

	cvx_buf_clear(rows);
	for (i = 0; r == 0 && i < count; i++)
		r = cvx_buf_printf(rows, "{\"n\":%d,\"square\":%d}\n", i,
				   i * i);
	if (r < 0)
		fail("no memory", 0);
}

static void add_entries(struct zip_maker *z, struct cvx_buf *rows)
{
	static const struct zip_lie lies[] = {
		{.is_stored = false},
		{.is_stored = true},
		{.is_zstd = true},
		{.has_descriptor = true},
	};
	char name[40];
	size_t i;

	for (i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		make_rows(rows, 40);
		(void)snprintf(name, sizeof(name), "t%zu/documents.jsonl", i);
		zip_add(z, name, rows->data, rows->size, &lies[i]);
	}
	zip_add_text(z, "_tables/documents.jsonl",
		     "{\"name\":\"t1\",\"id\":10001}\n");
	zip_add_text(z, "t0/generated_schema.jsonl", "\"uniform\"\n");
	zip_add_text(z, "_components/c/_storage/documents.jsonl", "");
}

/* An archive of 7z's with deflate64. */
static void read_file(const char *path, struct mutant *m)
{
	FILE *f = fopen(path, "rb");

	if (!f)
		fail("cannot open the archive of 7z", 0);
	m->size = fread(m->bytes, 1, sizeof(m->bytes), f);
	(void)fclose(f); /* was only read */
}

int main(void)
{
	static struct mutant m = {.state = UINT64_C(0x5deece66d2b79f1)};
	static struct mutant seeds[2];
	struct cvx_buf rows = CVX_BUF_INIT(FILE_MAX);
	const char *text = getenv("CVX_FUZZ_LOOPS"), *seed = getenv("CVX_SEED");
	long i, loops = text ? strtol(text, NULL, 10) * 20 : LOOPS;
	struct zip_maker z;

	if (seed)
		m.state ^= strtoull(seed, NULL, 10) << 32;
	zip_maker_init(&z);
	add_entries(&z, &rows);
	zip_end(&z, "");
	seeds[0].size = z.file.size < FILE_MAX ? z.file.size : FILE_MAX;
	memcpy(seeds[0].bytes, z.file.data, seeds[0].size);
	read_file("tests/data/archives/deflate64.zip", &seeds[1]);
	zip_maker_fini(&z);
	cvx_buf_fini(&rows);
	printf("1..1\n");
	for (i = 0; i < loops; i++) {
		const struct mutant *from = &seeds[i % 4 == 3];
		size_t skip = i % 3 ? 0 : below(&m, from->size - 1);
		uint32_t n;

		/* A third begins with the packed bytes of some entry. */
		m.size = from->size - skip;
		memcpy(m.bytes, from->bytes + skip, m.size);
		for (n = below(&m, 5); n > 0; n--)
			mutate_once(&m);
		(void)LLVMFuzzerTestOneInput(m.bytes, m.size);
	}
	printf("ok 1 - %ld archives are read or refused\n", loops);
	return 0;
}

#endif
