/* importer/preview: import.md 10.3. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "importer/preview.h"
#include "importer/restore.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"
#include "tests/unit/vector_files.h"
#include "tests/unit/zip_maker.h"

#define MIB ((size_t)1 << 20)

#define ID_FILE "j57060r30c1g60r30c1g60r30d6hatwy"

TEST(preview_change_tables_are_those_of_the_vectors)
{
	cJSON *vectors =
		vector_read("tests/data/vectors/confirmation_table.json");
	struct preview_change changes[8];
	const cJSON *one, *table, *line;
	unsigned checked = 0;
	size_t count;

	cJSON_ArrayForEach(one, cJSON_GetObjectItem(vectors, "cases"))
	{
		struct cvx_buf out = CVX_BUF_INIT(MIB);
		struct cvx_buf want = CVX_BUF_INIT(MIB);

		count = 0;
		cJSON_ArrayForEach(table, cJSON_GetObjectItem(one, "tables"))
			changes[count++] = (struct preview_change){
				cJSON_GetArrayItem(table, 0)->valuestring,
				(uint64_t)cJSON_GetArrayItem(table, 1)
					->valuedouble,
				(uint64_t)cJSON_GetArrayItem(table, 2)
					->valuedouble,
				(uint64_t)cJSON_GetArrayItem(table, 3)
					->valuedouble,
				cJSON_GetArrayItem(table, 4)->valuestring,
			};
		cJSON_ArrayForEach(line, cJSON_GetObjectItem(one, "lines"))
			EXPECT_INT(cvx_buf_printf(&want, "%s\n",
						  line->valuestring),
				   0);
		EXPECT_INT(cvx_buf_append(&want, "", 1), 0);
		EXPECT_INT(preview_print_changes(changes, count, &out), 0);
		EXPECT_TEXT(out.data, out.size, want.data);
		cvx_buf_fini(&out);
		cvx_buf_fini(&want);
		checked++;
	}
	EXPECT_INT(checked, 3);
	cJSON_Delete(vectors);
}

static void expect_print(const struct preview *p, const char *want)
{
	struct cvx_buf out = CVX_BUF_INIT(MIB);

	EXPECT_INT(preview_print(p, &out), 0);
	EXPECT_TEXT(out.data, out.size, want);
	cvx_buf_fini(&out);
}

/* An import that has been looked at and not committed yet. */
struct trial {
	struct deployment *d;
	struct store_text text;
	struct import *imp;
	struct preview preview;
	struct cvx_err err;
};

static int try_import(struct trial *t, struct deployment *d, const char *table,
		      enum import_mode mode, const char *text)
{
	struct import_target target = store_target(table, mode);
	struct import_source source = store_source(&t->text);

	*t = (struct trial){.d = d, .text = {text, strlen(text)}};
	EXPECT_OK(import_new(d, &target, &source, &t->imp, &t->err), &t->err);
	return import_preview(t->imp, t->text.size, &t->preview, &t->err);
}

static int end_trial(struct trial *t)
{
	struct import_result result;
	int r = import_commit(t->imp, t->text.size, &result, &t->err);

	preview_fini(&t->preview);
	import_free(t->imp);
	return r;
}

static void drop_trial(struct trial *t)
{
	preview_fini(&t->preview);
	import_free(t->imp);
}

static struct deployment *open_with(const char *table, const char *text)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(store_import(d, table, IMPORT_REPLACE, text, &err), &err);
	return d;
}

#define THREE "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n"

TEST(preview_of_a_replace_asks_and_of_others_does_not)
{
	struct deployment *d = open_with("t", THREE);
	struct trial t;

	EXPECT_OK(try_import(&t, d, "t", IMPORT_REPLACE, "{\"n\":4}\n"),
		  &t.err);
	EXPECT_INT(t.preview.needs_confirmation, true);
	expect_print(&t.preview, "This import changes the following tables:\n"
				 "table | create | delete |\n"
				 "-------------------------\n"
				 "t     | 1      | 3 of 3 |");
	drop_trial(&t);
	EXPECT_OK(try_import(&t, d, "t", IMPORT_APPEND, "{\"n\":4}\n"), &t.err);
	EXPECT_INT(t.preview.needs_confirmation, false);
	EXPECT_INT(t.preview.tables[0].existing_count, 3);
	EXPECT_INT(t.preview.tables[0].delete_count, 0);
	EXPECT_INT(t.preview.tables[0].lacks_ids, true);
	drop_trial(&t);
	EXPECT_OK(try_import(&t, d, "u", IMPORT_REPLACE, "{\"n\":4}\n"),
		  &t.err);
	EXPECT_INT(t.preview.needs_confirmation, false);
	drop_trial(&t);
	/* Nothing came of any of them. */
	EXPECT_INT(store_stat(d, "t").document_count, 3);
	EXPECT_INT(store_has(d, "u"), false);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	store_close(d);
}

TEST(preview_is_followed_by_its_commit)
{
	struct deployment *d = open_with("t", THREE);
	char *text = store_make_rows(0, 30000, 100); /* several blocks */
	struct trial t;

	EXPECT_OK(try_import(&t, d, "t", IMPORT_REPLACE, text), &t.err);
	EXPECT_INT(t.preview.tables[0].create_count, 30000);
	EXPECT_INT(store_stat(d, "t").document_count, 3);
	EXPECT_OK(end_trial(&t), &t.err);
	EXPECT_INT(store_stat(d, "t").document_count, 30000);
	free(text);
	store_close(d);
}

/* Rows that were guessed before another commit are made anew. */
TEST(preview_that_another_commit_made_stale_is_converted_again)
{
	struct deployment *d = open_with("t", THREE);
	struct cvx_err err = CVX_ERR_INIT;
	struct trial t;
	char *text;

	EXPECT_OK(try_import(&t, d, "t", IMPORT_APPEND, "{\"n\":5}\n"), &t.err);
	EXPECT_OK(store_import(d, "t", IMPORT_APPEND, "{\"n\":4}\n", &err),
		  &err);
	EXPECT_OK(end_trial(&t), &t.err);
	text = store_cat(d, "t");
	assert_non_null(strstr(strstr(text, "\"n\":4.0"), "\"n\":5.0"));
	free(text);
	EXPECT_OK(try_import(&t, d, "u", IMPORT_REQUIRE_EMPTY, "{\"n\":5}\n"),
		  &t.err);
	EXPECT_OK(store_import(d, "u", IMPORT_APPEND, "{\"n\":4}\n", &err),
		  &err);
	EXPECT_FAIL(end_trial(&t), &t.err, -EEXIST,
		    "table u has documents already");
	store_close(d);
}

/* import.md 12: stage P fails at once, stage I behind the confirmation. */
TEST(preview_tells_refusals_before_and_behind_the_confirmation_apart)
{
	static const struct {
		const char *rows, *name;
		bool is_parsing;
	} cases[] = {
		{"{\"n\":1}\n{]\n", "JsonInvalidRow", true},
		{"{\"n\":1}\n{\"_id\":5}\n", "InvalidIdError", false},
		{"{\"n\":1}\n{\"$x\":1}\n", "InvalidConvexValue", false},
		/* the first one counts, but it never gets that far */
		{"{\"_id\":5}\n{]\n", "InvalidIdError", true},
	};
	struct deployment *d = open_with("t", THREE);
	struct trial t;
	size_t i;
	int r;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		r = try_import(&t, d, "t", IMPORT_REPLACE, cases[i].rows);
		EXPECT_INT(r, cases[i].is_parsing ? -EINVAL : 0);
		if (cases[i].is_parsing) {
			assert_string_equal(t.err.name, cases[i].name);
			drop_trial(&t);
			continue;
		}
		assert_string_equal(t.preview.refusal.name, cases[i].name);
		EXPECT_INT(t.preview.tables[0].create_count, 2);
		EXPECT_INT(t.preview.tables[0].delete_count, 3);
		EXPECT_FAIL(end_trial(&t), &t.err, -EINVAL, "row 2");
		assert_string_equal(t.err.name, cases[i].name);
	}
	EXPECT_INT(try_import(&t, d, "t", IMPORT_REQUIRE_EMPTY, THREE),
		   -EEXIST);
	drop_trial(&t);
	EXPECT_INT(store_stat(d, "t").document_count, 3);
	store_close(d);
}

/* T-5: what was refused is on record, what was dropped is not. */
TEST(preview_records_refusals_once)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_buf out = CVX_BUF_INIT(MIB);
	struct cvx_err err = CVX_ERR_INIT;
	struct trial t;

	EXPECT_OK(try_import(&t, d, "t", IMPORT_REPLACE, THREE), &t.err);
	drop_trial(&t);
	EXPECT_INT(try_import(&t, d, "t", IMPORT_REPLACE, "{]\n"), -EINVAL);
	drop_trial(&t);
	EXPECT_OK(try_import(&t, d, "t", IMPORT_REPLACE, "[]\n"), &t.err);
	EXPECT_INT(end_trial(&t), -EINVAL);
	EXPECT_OK(deployment_print_imports(d, &out, &err), &err);
	EXPECT_INT(cvx_buf_append(&out, "", 1), 0);
	EXPECT_INT(store_count_lines(out.data), 2);
	cvx_buf_fini(&out);
	store_close(d);
}

TEST(preview_that_is_canceled_commits_nothing)
{
	struct deployment *d = open_with("t", THREE);
	struct trial t;

	EXPECT_OK(try_import(&t, d, "t", IMPORT_REPLACE, "{\"n\":4}\n"),
		  &t.err);
	import_cancel(t.imp);
	EXPECT_INT(end_trial(&t), -ECANCELED);
	EXPECT_INT(store_stat(d, "t").document_count, 3);
	store_close(d);
}

/* Archives */

struct restore_trial {
	struct zip_maker z;
	struct restore *r;
	struct preview preview;
	struct cvx_err err;
};

/* The archive is filled. */
static int try_restore(struct restore_trial *t, struct deployment *d,
		       enum import_mode mode)
{
	const struct restore_target target = {"", "backup.zip", mode};
	struct import_source source;

	zip_end(&t->z, "");
	source = zip_source_of(&t->z.file);
	t->preview = (struct preview){.tables = NULL};
	t->err = (struct cvx_err)CVX_ERR_INIT;
	EXPECT_OK(restore_new(d, &target, &source, &t->r, &t->err), &t->err);
	return restore_preview(t->r, t->z.file.size, &t->preview, &t->err);
}

static int end_restore(struct restore_trial *t, bool commits)
{
	struct restore_result result;
	int r = commits ? restore_commit(t->r, t->z.file.size, &result, &t->err)
			: 0;

	preview_fini(&t->preview);
	restore_free(t->r);
	zip_maker_fini(&t->z);
	return r;
}

static void add_snapshot(struct zip_maker *z)
{
	zip_maker_init(z);
	zip_add_text(z, "_tables/documents.jsonl",
		     "{\"name\":\"t\",\"id\":10001}\n"
		     "{\"name\":\"listed\",\"id\":10009}\n");
	zip_add_text(z, "t/documents.jsonl", "{\"n\":4}\n{\"n\":5}\n");
	zip_add_text(z, "_components/shop/carts/documents.jsonl",
		     "{\"n\":6}\n");
}

TEST(preview_of_an_archive_lists_what_it_mentions)
{
	struct deployment *d = open_with("t", THREE);
	struct cvx_err err = CVX_ERR_INIT;
	struct restore_trial t;

	EXPECT_OK(store_import(d, "other", IMPORT_REPLACE, THREE, &err), &err);
	add_snapshot(&t.z);
	EXPECT_OK(try_restore(&t, d, IMPORT_REPLACE), &t.err);
	EXPECT_INT(t.preview.needs_confirmation, true);
	expect_print(&t.preview, "This import changes the following tables:\n"
				 "table  | create | delete |\n"
				 "--------------------------\n"
				 "listed | 0      | 0 of 0 |\n"
				 "t      | 2      | 3 of 3 |\n"
				 "Component shop:\n"
				 "table | create | delete |\n"
				 "-------------------------\n"
				 "carts | 1      | 0 of 0 |");
	EXPECT_OK(end_restore(&t, true), &t.err);
	EXPECT_INT(store_stat(d, "t").document_count, 2);
	EXPECT_INT(store_stat(d, "other").document_count, 3);
	store_close(d);
}

TEST(preview_of_replace_all_lists_every_table)
{
	struct deployment *d = open_with("other", THREE);
	struct import_target target = store_target("deep", IMPORT_REPLACE);
	struct cvx_err err = CVX_ERR_INIT;
	struct restore_trial t;

	EXPECT_OK(deployment_create_component(d, "a/b", &err), &err);
	target.component = "a/b";
	EXPECT_OK(store_import_target(d, &target, THREE, strlen(THREE), NULL,
				      &err),
		  &err);
	add_snapshot(&t.z);
	EXPECT_OK(try_restore(&t, d, IMPORT_REPLACE_ALL), &t.err);
	EXPECT_INT(t.preview.table_count, 5);
	assert_string_equal(t.preview.tables[1].table, "other");
	EXPECT_INT(t.preview.tables[1].create_count, 0);
	EXPECT_INT(t.preview.tables[1].delete_count, 3);
	assert_string_equal(t.preview.tables[3].component, "a/b");
	assert_string_equal(t.preview.tables[3].table, "deep");
	EXPECT_INT(end_restore(&t, false), 0);
	EXPECT_INT(store_stat(d, "other").document_count, 3);
	store_close(d);
}

TEST(preview_of_an_archive_tells_its_refusals_apart)
{
	struct deployment *d = open_with("t", THREE);
	struct restore_trial t;

	zip_maker_init(&t.z);
	zip_add_text(&t.z, "a/documents.jsonl", "{\"_id\":5}\n");
	zip_add_text(&t.z, "t/documents.jsonl", "{\"n\":4}\n");
	EXPECT_OK(try_restore(&t, d, IMPORT_REPLACE), &t.err);
	assert_string_equal(t.preview.refusal.name, "InvalidIdError");
	EXPECT_INT(t.preview.table_count, 2);
	EXPECT_FAIL(end_restore(&t, true), &t.err, -EINVAL,
		    "a/documents.jsonl: row 1");
	zip_maker_init(&t.z);
	zip_add_text(&t.z, "a/documents.jsonl", "{\"_id\":]}\n");
	EXPECT_FAIL(try_restore(&t, d, IMPORT_REPLACE), &t.err, -EINVAL,
		    "a/documents.jsonl: row 1");
	(void)end_restore(&t, false);
	add_snapshot(&t.z);
	EXPECT_INT(try_restore(&t, d, IMPORT_REQUIRE_EMPTY), -EEXIST);
	(void)end_restore(&t, false);
	EXPECT_INT(store_count_files(d, "stage"), 0);
	store_close(d);
}

/* import.md 10.3: "3 of 7 files" */
TEST(preview_counts_stored_files)
{
	struct deployment *d = store_open(store_new_dir());
	struct restore_trial t;
	int round;

	for (round = 0; round < 2; round++) {
		zip_maker_init(&t.z);
		zip_add_text(&t.z, "_storage/documents.jsonl",
			     "{\"_id\":\"" ID_FILE "\"}\n");
		zip_add_text(&t.z, "_storage/" ID_FILE ".txt", "text");
		EXPECT_OK(try_restore(&t, d, IMPORT_REPLACE), &t.err);
		EXPECT_INT(t.preview.needs_confirmation, round == 1);
		expect_print(&t.preview,
			     round == 0 ? "This import changes the following "
					  "tables:\n"
					  "table    | create | delete       |\n"
					  "----------------------------------\n"
					  "_storage | 1      | 0 of 0 files |"
					: "This import changes the following "
					  "tables:\n"
					  "table    | create | delete       |\n"
					  "----------------------------------\n"
					  "_storage | 1      | 1 of 1 files |");
		EXPECT_OK(end_restore(&t, true), &t.err);
	}
	store_close(d);
}

UNIT_MAIN(
	UNIT_CASE(preview_change_tables_are_those_of_the_vectors),
	UNIT_CASE(preview_of_a_replace_asks_and_of_others_does_not),
	UNIT_CASE(preview_is_followed_by_its_commit),
	UNIT_CASE(preview_that_another_commit_made_stale_is_converted_again),
	UNIT_CASE(
		preview_tells_refusals_before_and_behind_the_confirmation_apart),
	UNIT_CASE(preview_records_refusals_once),
	UNIT_CASE(preview_that_is_canceled_commits_nothing),
	UNIT_CASE(preview_of_an_archive_lists_what_it_mentions),
	UNIT_CASE(preview_of_replace_all_lists_every_table),
	UNIT_CASE(preview_of_an_archive_tells_its_refusals_apart),
	UNIT_CASE(preview_counts_stored_files))
