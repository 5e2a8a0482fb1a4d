/* importer/archive: archive and entry_source; import.md 6.5, F-6. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "importer/archive/archive.h"
#include "importer/archive/entry_source.h"
#include "tests/unit/unit.h"
#include "tests/unit/zip_maker.h"

#define MIB ((size_t)1 << 20)

static int open_zip(const struct cvx_buf *file, struct archive **ret,
		    struct cvx_err *err)
{
	struct import_source source = zip_source_of(file);

	return archive_open(&source, file->size, ret, err);
}

/* All bytes of the entry; free() *ret. */
static int read_entry(struct archive *a, uint64_t index, char **ret,
		      size_t *ret_size, struct cvx_err *err)
{
	struct cvx_buf out = CVX_BUF_INIT(64 * MIB);
	struct archive_stream *s = NULL;
	size_t n = 1;
	int r = archive_stream_new(a, index, &s, err);

	while (r == 0 && n > 0) {
		EXPECT_INT(cvx_buf_reserve(&out, 1000), 0);
		r = archive_stream_read(s, out.data + out.size, 1000, &n, err);
		out.size += r == 0 ? n : 0;
	}
	archive_stream_free(s);
	if (r < 0) {
		cvx_buf_fini(&out);
		return r;
	}
	*ret = out.data;
	*ret_size = out.size;
	return 0;
}

static void expect_entry(struct archive *a, uint64_t index, const char *name,
			 const char *text)
{
	struct archive_entry entry;
	struct cvx_err err = CVX_ERR_INIT;
	size_t size;
	char *got;

	EXPECT_OK(archive_entry(a, index, &entry, &err), &err);
	EXPECT_TEXT(entry.name, strlen(entry.name), name);
	EXPECT_INT(entry.size, strlen(text));
	EXPECT_OK(read_entry(a, index, &got, &size, &err), &err);
	EXPECT_TEXT(got, size, text);
	free(got);
}

static void expect_two_entries(const struct cvx_buf *file)
{
	struct archive *a = NULL;
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(open_zip(file, &a, &err), &err);
	EXPECT_INT(archive_entry_count(a), 2);
	expect_entry(a, 0, "b/documents.jsonl", "{\"n\":1}\n");
	expect_entry(a, 1, "a/documents.jsonl", "{\"n\":2}\n");
	expect_entry(a, 0, "b/documents.jsonl", "{\"n\":1}\n");
	archive_free(a);
}

static void make_two_entries(struct zip_maker *z, const struct zip_lie *lie,
			     const char *comment)
{
	zip_add(z, "b/documents.jsonl", "{\"n\":1}\n", 8, lie);
	zip_add(z, "a/documents.jsonl", "{\"n\":2}\n", 8, lie);
	zip_end(z, comment);
}

TEST(archive_entries_come_in_the_order_of_the_directory)
{
	const struct zip_lie stored = {.is_stored = true};
	const struct zip_lie descriptor = {.has_descriptor = true};
	const struct zip_lie zstd = {.is_zstd = true};
	const struct zip_lie *const lies[] = {NULL, &stored, &descriptor,
					      &zstd};
	size_t i;

	for (i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct zip_maker z;

		zip_maker_init(&z);
		make_two_entries(&z, lies[i], i == 0 ? "a comment" : "");
		expect_two_entries(&z.file);
		zip_maker_fini(&z);
	}
}

TEST(archive_data_in_front_and_a_comment_behind_are_fine)
{
	const struct zip_lie descriptor = {.has_descriptor = true};
	struct cvx_buf file = CVX_BUF_INIT(MIB);
	struct zip_maker z;

	zip_maker_init(&z);
	make_two_entries(&z, &descriptor, "PK\5\6 is not the end");
	EXPECT_INT(cvx_buf_puts(&file, "#!/bin/sh\nexit 0\n"), 0);
	EXPECT_INT(cvx_buf_append(&file, z.file.data, z.file.size), 0);
	expect_two_entries(&file);
	cvx_buf_fini(&file);
	zip_maker_fini(&z);
}

TEST(archive_without_entries_is_valid)
{
	struct archive *a = NULL;
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;

	zip_maker_init(&z);
	zip_end(&z, "");
	EXPECT_OK(open_zip(&z.file, &a, &err), &err);
	EXPECT_INT(archive_entry_count(a), 0);
	archive_free(a);
	zip_maker_fini(&z);
}

static void expect_no_zip(const struct cvx_buf *file, const char *what)
{
	struct archive *a = NULL;
	struct cvx_err err = CVX_ERR_INIT;

	if (open_zip(file, &a, &err) != -EINVAL || !err.name ||
	    strcmp(err.name, "InvalidZip") != 0)
		fail_msg("%s: %d %s", what, err.code, err.msg);
}

TEST(archive_that_is_none_is_refused)
{
	struct cvx_buf file = CVX_BUF_INIT(MIB);

	EXPECT_INT(cvx_buf_reserve(&file, 1), 0);
	expect_no_zip(&file, "empty");
	EXPECT_INT(cvx_buf_puts(&file, "{\"not\":\"a zip\"}\n"), 0);
	expect_no_zip(&file, "text");
	cvx_buf_fini(&file);
}

/* A cut file has lost its end, wherever it was cut. */
TEST(archive_cut_anywhere_is_refused)
{
	struct zip_maker z;
	struct cvx_buf cut;

	zip_maker_init(&z);
	make_two_entries(&z, NULL, "");
	for (cut = z.file; cut.size > 0;) {
		cut.size--;
		expect_no_zip(&cut, "cut");
	}
	zip_maker_fini(&z);
}

/* Some bytes in the middle are missing; the end is there. */
TEST(archive_with_a_cut_directory_is_refused)
{
	struct zip_maker z;
	size_t end;

	zip_maker_init(&z);
	make_two_entries(&z, NULL, "");
	end = z.file.size - 22;
	memmove(z.file.data + end - 40, z.file.data + end, 22);
	z.file.size -= 40;
	expect_no_zip(&z.file, "directory");
	zip_maker_fini(&z);
}

/* The entry of that lie, among true ones, fails and is named. */
static void expect_refused(const struct zip_lie *lie, const char *why)
{
	static const char name[] = "liars/documents.jsonl";
	struct zip_maker z;
	struct archive *a = NULL;
	struct cvx_err err = CVX_ERR_INIT;
	char text[3000], *got;
	size_t size;
	int r;

	memset(text, 'x', sizeof(text));
	zip_maker_init(&z);
	zip_add_text(&z, "first/documents.jsonl", "{\"n\":1}\n");
	zip_add(&z, name, text, sizeof(text), lie);
	zip_add_text(&z, "last/documents.jsonl", "{\"n\":2}\n");
	zip_end(&z, "");
	EXPECT_OK(open_zip(&z.file, &a, &err), &err);
	expect_entry(a, 0, "first/documents.jsonl", "{\"n\":1}\n");
	r = read_entry(a, 1, &got, &size, &err);
	if (r == 0 || !err.name || strcmp(err.name, "InvalidZip") != 0 ||
	    !strstr(err.msg, name) || !strstr(err.msg, why))
		fail_msg("%s: %d %s", why, r, err.msg);
	expect_entry(a, 2, "last/documents.jsonl", "{\"n\":2}\n");
	archive_free(a);
	zip_maker_fini(&z);
}

TEST(archive_entry_that_lies_is_refused_by_name)
{
	static const struct {
		struct zip_lie lie;
		const char *why;
	} cases[] = {
		{{.crc_xor = 1}, "checksum"},
		{{.is_stored = true, .crc_xor = 1}, "checksum"},
		{{.size_more = -1}, "more bytes"},
		{{.size_more = -2999}, "more bytes"},
		{{.size_more = 1}, "documents.jsonl"},
		{{.size_more = 1 << 30}, "documents.jsonl"},
		{{.packed_size_more = -5}, "documents.jsonl"},
		{{.flags = 1}, "encrypted"},
		{{.flags = 0x41}, "encrypted"},
		{{.method = 9}, "documents.jsonl"}, /* is not deflate64 */
		{{.method = 93}, "compressed data"},
		{{.is_zstd = true, .crc_xor = 1}, "checksum"},
		{{.is_zstd = true, .packed_size_more = -5}, "cut"},
		{{.is_zstd = true, .size_more = -1}, "more bytes"},
		{{.is_zstd = true, .size_more = 1}, "fewer bytes"},
		{{.is_zstd = true, .method = 8}, "compressed data"},
		{{.method = 12}, "packed with bzip2 (method 12)"},
		{{.method = 14}, "packed with LZMA (method 14)"},
		{{.method = 77}, "an unknown method (method 77)"},
		{{.has_offset = true, .offset = 1}, "documents.jsonl"},
		{{.has_offset = true, .offset = 1 << 30},
		 "where the file has ended"},
		{{.has_offset = true, .offset = 0}, "documents.jsonl"},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		expect_refused(&cases[i].lie, cases[i].why);
}

/* One kernel of data under many names is how small bombs grow large. */
TEST(archive_entries_that_overlap_are_refused)
{
	const struct zip_lie same = {.has_offset = true, .offset = 0};
	struct zip_maker z;
	struct archive *a = NULL;
	struct cvx_err err = CVX_ERR_INIT;
	size_t size;
	char *got;

	zip_maker_init(&z);
	zip_add(&z, "a/documents.jsonl", "{\"n\":1}\n", 8, NULL);
	zip_add(&z, "b/documents.jsonl", "{\"n\":1}\n", 8, &same);
	zip_end(&z, "");
	EXPECT_OK(open_zip(&z.file, &a, &err), &err);
	expect_entry(a, 0, "a/documents.jsonl", "{\"n\":1}\n");
	EXPECT_FAIL(read_entry(a, 1, &got, &size, &err), &err, -EINVAL,
		    "b/documents.jsonl: it shares its bytes with the entry "
		    "a/documents.jsonl");
	archive_free(a);
	zip_maker_fini(&z);
}

/* What is believed does not hang on which is unpacked first. */
TEST(archive_entry_that_is_claimed_first_is_believed)
{
	const struct zip_lie same = {.has_offset = true, .offset = 0};
	struct zip_maker z;
	struct archive *a = NULL;
	struct cvx_err err = CVX_ERR_INIT;
	size_t size;
	char *got;

	zip_maker_init(&z);
	zip_add(&z, "a/documents.jsonl", "{\"n\":1}\n", 8, NULL);
	zip_add(&z, "b/documents.jsonl", "{\"n\":1}\n", 8, &same);
	zip_end(&z, "");
	EXPECT_OK(open_zip(&z.file, &a, &err), &err);
	EXPECT_OK(archive_claim(a, 1, &err), &err);
	EXPECT_OK(archive_claim(a, 1, &err), &err);
	EXPECT_FAIL(read_entry(a, 0, &got, &size, &err), &err, -EINVAL,
		    "a/documents.jsonl: it shares its bytes with the entry "
		    "b/documents.jsonl");
	EXPECT_FAIL(archive_claim(a, 0, &err), &err, -EINVAL, "shares");
	expect_entry(a, 1, "b/documents.jsonl", "{\"n\":1}\n");
	archive_free(a);
	zip_maker_fini(&z);
}

/* Many, and those that come later lie in front. */
TEST(archive_claims_of_many_entries_are_kept_apart)
{
	struct archive *a = NULL;
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;
	uint64_t i;

	zip_maker_init(&z);
	for (i = 0; i < 5000; i++)
		zip_add_text(&z, "t/documents.jsonl", "{\"n\":1}\n");
	zip_end(&z, "");
	EXPECT_OK(open_zip(&z.file, &a, &err), &err);
	for (i = 5000; i-- > 0;)
		EXPECT_OK(archive_claim(a, i, &err), &err);
	archive_free(a);
	zip_maker_fini(&z);
}

TEST(archive_of_70000_entries_lists_them_all)
{
	struct archive *a = NULL;
	struct archive_entry entry;
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;
	char name[64];
	uint64_t i;

	zip_maker_init(&z);
	for (i = 0; i < 70000; i++) {
		(void)snprintf(name, sizeof(name), "t%u/documents.jsonl",
			       (unsigned)i);
		zip_add_text(&z, name, "");
	}
	zip_end(&z, "");
	EXPECT_OK(open_zip(&z.file, &a, &err), &err);
	EXPECT_INT(archive_entry_count(a), 70000);
	EXPECT_OK(archive_entry(a, 69999, &entry, &err), &err);
	EXPECT_TEXT(entry.name, strlen(entry.name), name);
	expect_entry(a, 65536, "t65536/documents.jsonl", "");
	archive_free(a);
	zip_maker_fini(&z);
}

/* A source that fails is not a fault of the archive. */
static int fail_to_read(void *ctx, uint64_t off, void *buf, size_t size,
			size_t *ret_n, struct cvx_err *err)
{
	(void)ctx;
	(void)off;
	(void)buf;
	(void)size;
	(void)ret_n;
	return cvx_fail(err, -EIO, "the disk is broken");
}

TEST(archive_source_that_fails_keeps_its_errno)
{
	const struct import_source source = {.read = fail_to_read};
	struct archive *a = NULL;
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_FAIL(archive_open(&source, 1000, &a, &err), &err, -EIO,
		    "the disk is broken");
}

/* Rows of that many bytes and a few more; the last one is whole. */
static struct cvx_buf make_rows(size_t size)
{
	struct cvx_buf text = CVX_BUF_INIT(64 * MIB);
	int i;

	for (i = 0; text.size < size; i++)
		EXPECT_INT(cvx_buf_printf(&text, "{\"n\":%d}\n", i), 0);
	return text;
}

struct opened {
	struct cvx_buf text;
	struct zip_maker z;
	struct archive *a;
	struct entry_source *s;
	struct import_source source;
};

static void open_entry(struct opened *o, size_t size, const struct zip_lie *lie)
{
	struct cvx_err err = CVX_ERR_INIT;

	o->text = make_rows(size);
	zip_maker_init(&o->z);
	zip_add(&o->z, "t/documents.jsonl", o->text.data, o->text.size, lie);
	zip_end(&o->z, "");
	EXPECT_OK(open_zip(&o->z.file, &o->a, &err), &err);
	EXPECT_OK(entry_source_new(o->a, 0, &o->s, &err), &err);
	EXPECT_INT(entry_source_size(o->s), o->text.size);
	o->source = entry_source_get(o->s);
}

static void close_entry(struct opened *o)
{
	entry_source_free(o->s);
	archive_free(o->a);
	zip_maker_fini(&o->z);
	cvx_buf_fini(&o->text);
}

/* Reads all of it in steps, and nothing behind it. */
static void expect_reads(const struct opened *o, size_t size)
{
	struct cvx_err err = CVX_ERR_INIT;
	char *buf = malloc(size);
	uint64_t off;
	size_t n;

	assert_non_null(buf);
	for (off = 0; off < o->text.size; off += n) {
		EXPECT_OK(
			o->source.read(o->source.ctx, off, buf, size, &n, &err),
			&err);
		EXPECT_INT(n, o->text.size - off < size ? o->text.size - off
							: size);
		assert_memory_equal(buf, o->text.data + off, n);
	}
	EXPECT_OK(o->source.read(o->source.ctx, off, buf, 1, &n, &err), &err);
	EXPECT_INT(n, 0);
	free(buf);
}

TEST(entry_source_reads_on_from_where_the_last_read_ended)
{
	struct opened o;

	open_entry(&o, 3 * MIB, NULL);
	expect_reads(&o, 7);
	expect_reads(&o, 70000);
	expect_reads(&o, 2 * MIB);
	expect_reads(&o, 10 * MIB);
	close_entry(&o);
}

TEST(entry_source_neither_skips_nor_goes_back)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct opened o;
	char buf[10];
	size_t n;

	open_entry(&o, MIB, NULL);
	EXPECT_FAIL(o.source.read(o.source.ctx, 5, buf, 5, &n, &err), &err,
		    -ESPIPE, "t/documents.jsonl: a part was not read");
	EXPECT_OK(o.source.read(o.source.ctx, 0, buf, 5, &n, &err), &err);
	EXPECT_OK(o.source.read(o.source.ctx, 5, buf, 5, &n, &err), &err);
	EXPECT_FAIL(o.source.read(o.source.ctx, 11, buf, 5, &n, &err), &err,
		    -ESPIPE, "a part was not read");
	EXPECT_FAIL(o.source.read(o.source.ctx, 9, buf, 5, &n, &err), &err,
		    -ESPIPE, "a part was not read");
	EXPECT_OK(o.source.read(o.source.ctx, 10, buf, 5, &n, &err), &err);
	assert_memory_equal(buf, o.text.data + 10, 5);
	close_entry(&o);
}

/* The last bytes are given out only when the checksum is right. */
TEST(entry_source_verifies_before_the_last_byte)
{
	const struct zip_lie wrong = {.crc_xor = 7};
	struct cvx_err err = CVX_ERR_INIT;
	struct opened o;
	char *buf = malloc(4 * MIB);
	size_t n, half = MIB / 2;

	assert_non_null(buf);
	open_entry(&o, 3 * MIB, &wrong);
	EXPECT_OK(o.source.read(o.source.ctx, 0, buf, half, &n, &err), &err);
	EXPECT_FAIL(o.source.read(o.source.ctx, half, buf, o.text.size - half,
				  &n, &err),
		    &err, -EINVAL, "t/documents.jsonl: its checksum is wrong");
	EXPECT_FAIL(o.source.read(o.source.ctx, o.text.size, buf, 1, &n, &err),
		    &err, -EINVAL, "checksum");
	EXPECT_OK(o.source.read(o.source.ctx, 0, buf, half, &n, &err), &err);
	assert_memory_equal(buf, o.text.data, half);
	close_entry(&o);
	free(buf);
}

UNIT_MAIN(UNIT_CASE(archive_entries_come_in_the_order_of_the_directory),
	  UNIT_CASE(archive_data_in_front_and_a_comment_behind_are_fine),
	  UNIT_CASE(archive_without_entries_is_valid),
	  UNIT_CASE(archive_that_is_none_is_refused),
	  UNIT_CASE(archive_cut_anywhere_is_refused),
	  UNIT_CASE(archive_with_a_cut_directory_is_refused),
	  UNIT_CASE(archive_entry_that_lies_is_refused_by_name),
	  UNIT_CASE(archive_entries_that_overlap_are_refused),
	  UNIT_CASE(archive_entry_that_is_claimed_first_is_believed),
	  UNIT_CASE(archive_claims_of_many_entries_are_kept_apart),
	  UNIT_CASE(archive_of_70000_entries_lists_them_all),
	  UNIT_CASE(archive_source_that_fails_keeps_its_errno),
	  UNIT_CASE(entry_source_reads_on_from_where_the_last_read_ended),
	  UNIT_CASE(entry_source_neither_skips_nor_goes_back),
	  UNIT_CASE(entry_source_verifies_before_the_last_byte), )
