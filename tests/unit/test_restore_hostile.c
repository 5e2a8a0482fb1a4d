/* importer/restore: archives that must fail; import.md 6.5, F-1, F-6. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cache/base/buf.h"
#include "tests/unit/backup.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"
#include "tests/unit/zip_maker.h"

#define MIB ((size_t)1 << 20)

#define ID_1 "j57060r30c1g60r30c1g60r30d6hatwy" /* of number 10001 */
#define ID_2 "j97081040g2081040g2081040h6hayhn" /* of number 10002 */

/* Archives that must fail, with nothing changed (F-1, F-6). */

struct hostile {
	const char *name; /* of the entry; NULL: none but the good one */
	const char *text;
	struct zip_lie lie;
	int code;
	const char *why;
};

static void expect_hostile(const struct hostile *h)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	char *before, *after;
	struct zip_maker z;
	int r;

	EXPECT_OK(store_import(d, "good", IMPORT_REPLACE, "{\"n\":1}\n", &err),
		  &err);
	before = store_print_all(d);
	zip_maker_init(&z);
	backup_add_table(&z, "", "good", "{\"n\":2}\n", NULL);
	zip_add(&z, h->name, h->text, strlen(h->text), &h->lie);
	r = backup_end_and_restore(d, IMPORT_REPLACE, &z, &err);
	if (r != h->code || !strstr(err.msg, h->why))
		fail_msg("%s, %s: %d %s", h->name, h->why, r, err.msg);
	after = store_print_all(d);
	EXPECT_TEXT(after, strlen(after), before);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	free(before);
	free(after);
	store_close(d);
}

TEST(restore_refuses_hostile_entries_by_name)
{
#define ENTRY "bad/documents.jsonl"
	static const struct hostile cases[] = {
		{ENTRY,
		 "{\"n\":1}\n",
		 {.crc_xor = 1},
		 -EINVAL,
		 ENTRY ": its checksum"},
		{ENTRY, "", {.crc_xor = 1}, -EINVAL, ENTRY ": its checksum"},
		{ENTRY,
		 "{\"n\":1}\n",
		 {.size_more = -8},
		 -EINVAL,
		 ENTRY ": it has more"},
		{ENTRY,
		 "{\"n\":1}\n",
		 {.size_more = 1 << 30},
		 -EINVAL,
		 ENTRY ": "},
		{ENTRY,
		 "{\"n\":1}\n",
		 {.flags = 1},
		 -EINVAL,
		 ENTRY ": it is encrypted"},
		{ENTRY,
		 "{\"n\":1}\n",
		 {.method = 77},
		 -EINVAL,
		 ENTRY ": it is packed with an unknown method"},
		{ENTRY,
		 "{\"n\":2}\n",
		 {.has_offset = true},
		 -EINVAL,
		 "shares its bytes with the entry " ENTRY},
		{ENTRY,
		 "{\"n\":1}\n{\n",
		 {.crc_xor = 0},
		 -EINVAL,
		 ENTRY ": row 2: "},
		{ENTRY,
		 "{\"n\":1}\n\n",
		 {.crc_xor = 0},
		 -EINVAL,
		 ENTRY ": row 2: "},
		{ENTRY,
		 "\xef\xbb\xbf{\"n\":1}\n",
		 {.crc_xor = 0},
		 -EINVAL,
		 ENTRY ": row 1: "},
		{ENTRY,
		 "{\"s\":\"\xff\"}\n",
		 {.crc_xor = 0},
		 -EINVAL,
		 ENTRY ": row 1: "},
		{ENTRY,
		 "{\"_id\":\"" ID_1 "\"}\n{\"_id\":\"" ID_2 "\"}\n",
		 {.crc_xor = 0},
		 -EINVAL,
		 ENTRY ": "},
		{"bad name/documents.jsonl",
		 "",
		 {.crc_xor = 0},
		 -EINVAL,
		 "bad name/documents.jsonl: "},
		{"_components/a-b/t/documents.jsonl",
		 "",
		 {.crc_xor = 0},
		 -EINVAL,
		 "_components/a-b/t/documents.jsonl: "},
		{"good/generated_schema.jsonl",
		 "null\n",
		 {.crc_xor = 0},
		 -EINVAL,
		 "good/generated_schema.jsonl: row 1: "},
		{"good/generated_schema.jsonl",
		 "\"map<>\"\n",
		 {.crc_xor = 0},
		 -EINVAL,
		 "good/generated_schema.jsonl: row 1: "},
		{"good/generated_schema.jsonl",
		 "\"uniform\"\n",
		 {.crc_xor = 1},
		 -EINVAL,
		 "good/generated_schema.jsonl: its checksum"},
		{"_tables/documents.jsonl",
		 "{\"name\":\"t\"}\n",
		 {.crc_xor = 0},
		 -EINVAL,
		 "_tables/documents.jsonl: row 1: "},
		{"_storage/documents.jsonl",
		 "{}\n",
		 {.crc_xor = 0},
		 -EINVAL,
		 "_storage/documents.jsonl: row 1: \"_id\""},
		{"_storage/nope.gif",
		 "x",
		 {.crc_xor = 0},
		 -EINVAL,
		 "_storage/nope.gif: "},
		/* What a link would lead to is never looked at. */
		{ENTRY,
		 "../../etc/passwd",
		 {.mode = S_IFLNK | 0777},
		 -EINVAL,
		 ENTRY ": row 1: "},
		{"_tables/documents.jsonl",
		 "{\"name\":\"t\",\"id\":10001}\n"
		 "{\"name\":\"u\",\"id\":10001}\n",
		 {.crc_xor = 0},
		 -EINVAL,
		 "_tables/documents.jsonl: row 2: the number 10001 is that of "
		 "table t"},
		{"_tables/documents.jsonl",
		 "{\"name\":\"t\",\"id\":10001}\n"
		 "{\"name\":\"t\",\"id\":10002}\n",
		 {.crc_xor = 0},
		 -EINVAL,
		 "_tables/documents.jsonl: row 2: table t stands in row 1"},
		/* Japanese, as Windows packs it: no table of ours. */
		{"\x83\x65\x83\x58\x83\x67/documents.jsonl",
		 "{\"n\":1}\n",
		 {.crc_xor = 0},
		 -EINVAL,
		 "/documents.jsonl: "},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		expect_hostile(&cases[i]);
}

/* Names of other encodings do not matter where they are only in the way, and a
 * device has no rows. */
TEST(restore_reads_past_names_of_other_encodings_and_devices)
{
	const struct zip_lie device = {.mode = S_IFCHR | 0666};
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;

	zip_maker_init(&z);
	zip_add_text(&z, "\x83\x65\x83\x58\x83\x67/t/documents.jsonl",
		     "{\"n\":1}\n");
	zip_add_text(&z, "\x83\x65\x83\x58\x83\x67/notes.txt", "x");
	zip_add(&z, "dev/documents.jsonl", "", 0, &device);
	EXPECT_OK(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err);
	EXPECT_INT(store_stat(d, "t").document_count, 1);
	EXPECT_INT(store_stat(d, "dev").document_count, 0);
	store_close(d);
}

/* import.md 7.3: rows with ids of a table that is not theirs. */
TEST(restore_refuses_ids_of_another_table)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;

	zip_maker_init(&z);
	zip_add_text(&z, "_tables/documents.jsonl",
		     "{\"name\":\"t\",\"id\":10001}\n"
		     "{\"name\":\"u\",\"id\":10002}\n");
	backup_add_table(&z, "", "t", "{\"_id\":\"" ID_1 "\"}\n", NULL);
	backup_add_table(&z, "", "u", "{\"_id\":\"" ID_1 "\"}\n", NULL);
	EXPECT_FAIL(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err,
		    -EINVAL, "u/documents.jsonl: row 1: ");
	EXPECT_INT(store_has(d, "t"), false);

	zip_maker_init(&z);
	backup_add_table(&z, "", "t", "{\"_id\":\"" ID_1 "\"}\n", NULL);
	backup_add_table(&z, "", "u", "{\"_id\":\"" ID_1 "\"}\n", NULL);
	EXPECT_FAIL(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err,
		    -EINVAL, "u/documents.jsonl: ");
	EXPECT_INT(store_has(d, "t"), false);
	store_close(d);
}

/* Text of depth brackets around a value. */
static char *make_nested(const char *open, const char *inside,
			 const char *close, int depth)
{
	struct cvx_buf text = CVX_BUF_INIT(MIB);
	int i;

	for (i = 0; i < depth; i++)
		EXPECT_INT(cvx_buf_puts(&text, open), 0);
	EXPECT_INT(cvx_buf_puts(&text, inside), 0);
	for (i = 0; i < depth; i++)
		EXPECT_INT(cvx_buf_puts(&text, close), 0);
	EXPECT_INT(cvx_buf_append(&text, "", 1), 0);
	return text.data;
}

TEST(restore_refuses_what_is_nested_10000_deep)
{
	static const struct {
		const char *open, *inside, *close, *before, *behind, *why;
		bool is_schema;
	} cases[] = {
		{"array<", "int64", ">", "\"", "\"\n",
		 "t/generated_schema.jsonl: row 1: ", true},
		{"record<string, ", "int64", ">", "\"", "\"\n",
		 "t/generated_schema.jsonl: row 1: ", true},
		{"{a: ", "int64", "}", "\"", "\"\n",
		 "t/generated_schema.jsonl: row 1: ", true},
		{"[", "", "]", "", "\n",
		 "t/generated_schema.jsonl: row 1: ", true},
		{"[", "", "]", "{\"a\":", "}\n",
		 "t/documents.jsonl: row 1: ", false},
		{"{\"a\":", "1", "}", "", "\n",
		 "t/documents.jsonl: row 1: ", false},
	};
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct cvx_buf text = CVX_BUF_INIT(MIB);
		char *nested = make_nested(cases[i].open, cases[i].inside,
					   cases[i].close, 10000);

		EXPECT_INT(cvx_buf_printf(&text, "%s%s%s", cases[i].before,
					  nested, cases[i].behind),
			   0);
		EXPECT_INT(cvx_buf_append(&text, "", 1), 0);
		zip_maker_init(&z);
		backup_add_table(&z, "", "t",
				 cases[i].is_schema ? "{}\n" : text.data,
				 cases[i].is_schema ? text.data : NULL);
		if (backup_end_and_restore(d, IMPORT_REPLACE, &z, &err) !=
			    -EINVAL ||
		    !strstr(err.msg, cases[i].why))
			fail_msg("%s: %d %s", cases[i].open, err.code, err.msg);
		free(nested);
		cvx_buf_fini(&text);
	}
	EXPECT_INT(store_has(d, "t"), false);
	store_close(d);
}

/* The directory promises one byte; what unpacks to more is stopped at once. */
TEST(restore_bomb_that_says_it_is_small_is_refused)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	size_t size = 50 * MIB, i;
	char *text = malloc(size);
	struct zip_maker z;

	assert_non_null(text);
	for (i = 0; i + 8 <= size; i += 8)
		memcpy(text + i, "{\"n\":1}\n", 8);
	for (i = 0; i < 2; i++) {
		const struct zip_lie lie = {.size_more = 8 - (int64_t)size,
					    .is_zstd = i == 1};

		zip_maker_init(&z);
		zip_add(&z, "bomb/documents.jsonl", text, size, &lie);
		EXPECT_FAIL(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err),
			    &err, -EINVAL,
			    "bomb/documents.jsonl: it has more bytes than the "
			    "directory of the ZIP says");
	}
	free(text);
	EXPECT_INT(store_has(d, "bomb"), false);
	store_close(d);
}

/* Names are matched, never followed (import.md 6.5). */
TEST(restore_names_with_dots_and_slashes_are_only_prefixes)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;

	zip_maker_init(&z);
	zip_add_text(&z, "/a/documents.jsonl", "{\"n\":1}\n");
	zip_add_text(&z, "../../b/documents.jsonl", "{\"n\":1}\n");
	zip_add_text(&z, "../../etc/passwd", "root\n");
	EXPECT_OK(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err);
	EXPECT_INT(store_stat(d, "a").document_count, 1);
	EXPECT_INT(store_stat(d, "b").document_count, 1);
	store_close(d);
}

/* One row that grows without end is refused before it fills memory. */
TEST(restore_bomb_of_one_row_is_refused)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	size_t size = 200 * MIB;
	char *text = malloc(size);
	struct zip_maker z;

	assert_non_null(text);
	memset(text, ' ', size);
	zip_maker_init(&z);
	zip_add(&z, "bomb/documents.jsonl", text, size, NULL);
	free(text);
	EXPECT_INT(z.file.size < MIB, true);
	EXPECT_FAIL(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err,
		    -EFBIG, "bomb/documents.jsonl: its first row");
	store_close(d);
}

/* An archive inside an archive is one more entry that is ignored. */
TEST(restore_does_not_unpack_archives_inside)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z, inner;

	zip_maker_init(&inner);
	backup_add_table(&inner, "", "t", "{\"n\":1}\n", NULL);
	zip_end(&inner, "");
	zip_maker_init(&z);
	zip_add(&z, "inner.zip", inner.file.data, inner.file.size, NULL);
	EXPECT_OK(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err);
	EXPECT_INT(store_has(d, "t"), false);
	zip_maker_fini(&inner);
	store_close(d);
}

TEST(restore_of_70000_ignored_entries_and_10001_tables)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;
	char name[64];
	int i;

	zip_maker_init(&z);
	for (i = 0; i < 70000; i++) {
		(void)snprintf(name, sizeof(name), "notes/%d.txt", i);
		zip_add_text(&z, name, "");
	}
	backup_add_table(&z, "", "t", "{\"n\":1}\n", NULL);
	EXPECT_OK(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err);
	EXPECT_INT(store_stat(d, "t").document_count, 1);

	zip_maker_init(&z);
	for (i = 0; i < 10001; i++) {
		(void)snprintf(name, sizeof(name), "t%d", i);
		backup_add_table(&z, "", name, "", NULL);
	}
	EXPECT_FAIL(backup_end_and_restore(d, IMPORT_REPLACE, &z, &err), &err,
		    -EINVAL, "10000");
	EXPECT_INT(store_has(d, "t0"), false);
	store_close(d);
}

/* A cut file, at many places. */
TEST(restore_of_a_cut_archive_changes_nothing)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct zip_maker z;
	struct cvx_buf cut;

	zip_maker_init(&z);
	backup_add_table(&z, "", "t", "{\"n\":1}\n", "\"uniform\"\n");
	zip_end(&z, "");
	for (cut = z.file; cut.size > 7; cut.size -= 7) {
		cut.size -= cut.size == z.file.size ? 1 : 0;
		EXPECT_FAIL(backup_restore(d, IMPORT_REPLACE, &cut, NULL, &err),
			    &err, -EINVAL, "");
		EXPECT_TEXT(err.name, strlen(err.name), "InvalidZip");
	}
	EXPECT_INT(store_has(d, "t"), false);
	zip_maker_fini(&z);
	store_close(d);
}

UNIT_MAIN(UNIT_CASE(restore_refuses_hostile_entries_by_name),
	  UNIT_CASE(restore_reads_past_names_of_other_encodings_and_devices),
	  UNIT_CASE(restore_refuses_ids_of_another_table),
	  UNIT_CASE(restore_refuses_what_is_nested_10000_deep),
	  UNIT_CASE(restore_bomb_that_says_it_is_small_is_refused),
	  UNIT_CASE(restore_names_with_dots_and_slashes_are_only_prefixes),
	  UNIT_CASE(restore_bomb_of_one_row_is_refused),
	  UNIT_CASE(restore_does_not_unpack_archives_inside),
	  UNIT_CASE(restore_of_70000_ignored_entries_and_10001_tables),
	  UNIT_CASE(restore_of_a_cut_archive_changes_nothing))
