/* importer/embedded: tables that are emptied, and components that are removed
 * with all that they hold (protocol.md 11.4). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "importer/stored_file.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"

static void put(struct deployment *d, const char *component, const char *table,
		const char *text)
{
	struct import_target target = store_target(table, IMPORT_APPEND);
	struct cvx_err err = CVX_ERR_INIT;

	target.component = component;
	EXPECT_OK(deployment_create_component(d, component, &err), &err);
	EXPECT_OK(
		store_import_target(d, &target, text, strlen(text), NULL, &err),
		&err);
}

TEST(SCH10_cleared_tables_stay_with_their_numbers)
{
	const char *dir = store_new_dir(), *both[] = {"a", "b", "none"};
	struct deployment *d = store_open(dir);
	struct table_info before, after;
	struct cvx_err err = CVX_ERR_INIT;
	char *large = store_make_rows(0, 3, 600000);

	put(d, "", "a", "{\"n\":1}\n");
	put(d, "", "b", large);
	put(d, "", "c", "{\"n\":2}\n");
	before = store_stat(d, "b");
	EXPECT_OK(deployment_clear_tables(d, "", both, 3, &err), &err);
	after = store_stat(d, "b");
	EXPECT_INT(after.number, before.number);
	EXPECT_INT(after.document_count, 0);
	EXPECT_INT(after.size, 0);
	assert_true(after.revision > before.revision);
	assert_true(after.committed_ns > before.committed_ns);
	EXPECT_INT(store_stat(d, "a").document_count, 0);
	EXPECT_INT(store_stat(d, "c").document_count, 1);
	EXPECT_INT(store_count_files(d, "segments"), 1);
	/* It takes rows as before. */
	put(d, "", "b", "{\"n\":3}\n");
	EXPECT_INT(store_stat(d, "b").document_count, 1);
	store_close(d);
	d = store_open(dir);
	EXPECT_INT(store_stat(d, "a").document_count, 0);
	store_close(d);
	free(large);
}

static void store_file(struct deployment *d, const char *component)
{
	struct cvx_err err = CVX_ERR_INIT;
	char id[ID_TEXT_MAX + 1];
	FILE *file = tmpfile();

	assert_non_null(file);
	EXPECT_INT(fputs("text", file) >= 0, 1);
	EXPECT_INT(fflush(file), 0);
	EXPECT_OK(deployment_store_file(d, component, "text/plain",
					fileno(file), 4, id, &err),
		  &err);
	(void)fclose(file);
}

TEST(SCH9_components_go_with_all_that_they_hold)
{
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;

	put(d, "lib", "a", "{\"n\":1}\n");
	put(d, "lib", "b", "{\"n\":2}\n");
	put(d, "lib/sub", "a", "{\"n\":3}\n");
	put(d, "", "a", "{\"n\":4}\n");
	store_file(d, "lib");
	store_file(d, "");
	/* All of it or nothing. */
	EXPECT_FAIL(deployment_drop_component(d, "lib", &err), &err, -ENOTEMPTY,
		    "components");
	EXPECT_INT(store_count_files(d, "segments"), 4);
	EXPECT_INT(store_count_files(d, "files"), 2);
	EXPECT_OK(deployment_drop_component(d, "lib/sub", &err), &err);
	EXPECT_OK(deployment_drop_component(d, "lib", &err), &err);
	EXPECT_INT(deployment_find_component(d, "lib", &err), -ENOENT);
	EXPECT_INT(store_count_files(d, "segments"), 1);
	EXPECT_INT(store_count_files(d, "files"), 1);
	EXPECT_INT(store_stat(d, "a").document_count, 1);
	EXPECT_FAIL(deployment_drop_component(d, "", &err), &err, -EBUSY,
		    "root");
	EXPECT_INT(store_stat(d, "a").document_count, 1);
	EXPECT_INT(deployment_drop_component(d, "lib", &err), -ENOENT);
	/* Another one of the name begins with nothing. */
	put(d, "lib", "c", "{\"n\":5}\n");
	store_close(d);
}

UNIT_MAIN(UNIT_CASE(SCH10_cleared_tables_stay_with_their_numbers),
	  UNIT_CASE(SCH9_components_go_with_all_that_they_hold))
