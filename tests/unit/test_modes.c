/* importer/import and restore: the vectors modes.json; import.md 7. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "importer/restore.h"
#include "tests/unit/backup.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"
#include "tests/unit/vector_files.h"
#include "tests/unit/zip_maker.h"

#define MIB ((size_t)1 << 20)

/* Imports of one table. */

/* The rows as a file of the format; CSV columns are those of the first row. */
static char *make_file(const cJSON *rows, bool is_csv)
{
	struct cvx_buf text = CVX_BUF_INIT(MIB);
	const cJSON *row, *field;

	if (is_csv) {
		cJSON_ArrayForEach(field, rows->child)
			EXPECT_INT(cvx_buf_printf(&text, "%s%s", field->string,
						  field->next ? "," : "\n"),
				   0);
	}
	cJSON_ArrayForEach(row, rows)
	{
		if (is_csv) {
			cJSON_ArrayForEach(field, row) EXPECT_INT(
				cvx_buf_printf(&text, "%s%s",
					       field->valuestring,
					       field->next ? "," : "\n"),
				0);
		} else {
			char *line = cJSON_PrintUnformatted(row);

			EXPECT_INT(cvx_buf_printf(&text, "%s\n", line), 0);
			free(line);
		}
	}
	EXPECT_INT(cvx_buf_append(&text, "", 1), 0);
	return text.data;
}

static void check_table(const cJSON *one, enum import_mode mode,
			const cJSON *expect)
{
	const cJSON *import = cJSON_GetObjectItem(one, "import");
	const char *name = vector_string(one, "name");
	const char *error = vector_string(expect, "error");
	bool is_csv = strcmp(vector_string(import, "format"), "csv") == 0;
	struct deployment *d = store_open(store_new_dir());
	struct import_target target =
		store_target(vector_string(import, "table"), mode);
	char *text = make_file(cJSON_GetObjectItem(import, "rows"), is_csv);
	struct import_result result = {0, 0};
	struct cvx_err err = CVX_ERR_INIT;
	char *before = NULL;
	int r;

	store_make_initial(d, cJSON_GetObjectItem(one, "initial"));
	if (store_has(d, target.table))
		before = store_cat(d, target.table);
	target.format = is_csv ? FORMAT_CSV : FORMAT_JSONL;
	r = store_import_target(d, &target, text, strlen(text), &result, &err);
	if (error) {
		if (r == 0 || !err.name || strcmp(err.name, error) != 0)
			fail_msg("%s, %s: %s, not %s", name,
				 import_mode_name(mode),
				 r == 0 ? "no error" : err.msg, error);
		/* F-1 */
		EXPECT_INT(store_has(d, target.table), before != NULL);
		if (before) {
			char *after = store_cat(d, target.table);

			assert_string_equal(after, before);
			free(after);
		}
	} else {
		if (r < 0)
			fail_msg("%s, %s: %s", name, import_mode_name(mode),
				 err.msg);
		EXPECT_INT(
			result.document_count,
			cJSON_GetObjectItem(expect, "num_written")->valueint);
		store_expect_tables(d, cJSON_GetObjectItem(expect, "tables"),
				    name);
	}
	free(before);
	free(text);
	store_close(d);
}

/* Archives. */

static void make_archive(struct zip_maker *z, const cJSON *tables)
{
	const cJSON *table, *row;

	zip_maker_init(z);
	cJSON_ArrayForEach(table, tables)
	{
		struct cvx_buf text = CVX_BUF_INIT(MIB);
		char name[100];

		(void)snprintf(name, sizeof(name), "%s/documents.jsonl",
			       cJSON_GetArrayItem(table, 0)->valuestring);
		cJSON_ArrayForEach(row, cJSON_GetArrayItem(table, 1))
		{
			char *line = cJSON_PrintUnformatted(row);

			EXPECT_INT(cvx_buf_printf(&text, "%s\n", line), 0);
			free(line);
		}
		EXPECT_INT(cvx_buf_append(&text, "", 1), 0);
		zip_add_text(z, name, text.data);
		cvx_buf_fini(&text);
	}
	zip_end(z, "");
}

static void check_backup(const cJSON *one, enum import_mode mode,
			 const cJSON *expect)
{
	const char *name = vector_string(one, "name");
	const char *error = vector_string(expect, "error");
	struct deployment *d = store_open(store_new_dir());
	struct restore_result result = {.table_count = 0};
	struct cvx_err err = CVX_ERR_INIT;
	char what[200], *before, *after;
	struct zip_maker z;
	int r;

	(void)snprintf(what, sizeof(what), "%s, %s", name,
		       import_mode_name(mode));
	store_make_initial(d, cJSON_GetObjectItem(one, "initial"));
	make_archive(&z, cJSON_GetObjectItem(cJSON_GetObjectItem(one, "import"),
					     "tables"));
	before = store_print_all(d);
	r = backup_restore(d, mode, &z.file, &result, &err);
	if (error) {
		if (r == 0 || !err.name || strcmp(err.name, error) != 0)
			fail_msg("%s: %s, not %s", what,
				 r == 0 ? "no error" : err.msg, error);
		after = store_print_all(d); /* F-1 */
		EXPECT_TEXT(after, strlen(after), before);
		free(after);
	} else {
		if (r < 0)
			fail_msg("%s: %s", what, err.msg);
		EXPECT_INT(
			result.document_count,
			cJSON_GetObjectItem(expect, "num_written")->valueint);
		store_expect_tables(d, cJSON_GetObjectItem(expect, "tables"),
				    what);
	}
	free(before);
	zip_maker_fini(&z);
	store_close(d);
}

/* Every case of tables, or of archives, in each mode that it has; the count. */
static unsigned for_each_mode(bool is_zip, void (*check)(const cJSON *one,
							 enum import_mode mode,
							 const cJSON *expect))
{
	static const struct {
		const char *name;
		enum import_mode mode;
	} modes[] = {{"requireEmpty", IMPORT_REQUIRE_EMPTY},
		     {"append", IMPORT_APPEND},
		     {"replace", IMPORT_REPLACE},
		     {"replaceAll", IMPORT_REPLACE_ALL}};
	cJSON *vectors = vector_read("tests/data/vectors/modes.json");
	const cJSON *one, *expect;
	unsigned checked = 0;
	size_t i;

	cJSON_ArrayForEach(one, cJSON_GetObjectItem(vectors, "cases"))
	{
		const cJSON *import = cJSON_GetObjectItem(one, "import");
		const char *format = vector_string(import, "format");

		if ((strcmp(format, "zip") == 0) != is_zip)
			continue;
		for (i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
			expect = cJSON_GetObjectItem(
				cJSON_GetObjectItem(one, "expect"),
				modes[i].name);
			if (!expect)
				continue;
			check(one, modes[i].mode, expect);
			checked++;
		}
	}
	cJSON_Delete(vectors);
	return checked;
}

TEST(modes_of_one_table_are_those_of_the_vectors)
{
	EXPECT_INT(for_each_mode(false, check_table), 85);
}

TEST(modes_of_archives_are_those_of_the_vectors)
{
	EXPECT_INT(for_each_mode(true, check_backup), 73);
}

UNIT_MAIN(UNIT_CASE(modes_of_one_table_are_those_of_the_vectors),
	  UNIT_CASE(modes_of_archives_are_those_of_the_vectors))
