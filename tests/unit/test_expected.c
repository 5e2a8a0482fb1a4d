/* What a list of stored files says of those that come. */
#include "fs/expected.h"

#include <stdio.h>
#include <string.h>

#include "fs/stored.h"
#include "importer/archive/storage_rows.h"
#include "importer/stored_file.h"
#include "tests/unit/unit.h"

static const struct internal_id one = {{1}};

/* A list with the file one, of that type. */
static void put(struct expected *e, const char *component, const char *type)
{
	char text[200], id[ID_TEXT_MAX + 1] = "";
	struct cvx_err err = CVX_ERR_INIT;
	struct storage_rows rows;

	(void)id_encode(540, &one, id);
	(void)snprintf(text, sizeof(text),
		       "{\"_id\":\"%s\",\"contentType\":\"%s\"}\n", id, type);
	EXPECT_OK(storage_rows_read(text, strlen(text), &rows, &err), &err);
	EXPECT_OK(expected_put(e, component, &rows, &err), &err);
}

static void expect_type(struct expected *e, const char *component,
			const char *type)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct storage_row row;

	assert_int_equal(expected_find(e, component, 540, &one, &row, &err), 1);
	EXPECT_TEXT(row.content_type, strlen(row.content_type), type);
	storage_row_fini(&row);
}

TEST(the_last_list_of_each_component_counts)
{
	const struct internal_id two = {{2}};
	struct cvx_err err = CVX_ERR_INIT;
	struct storage_row row;
	struct expected *e;

	EXPECT_OK(expected_new(&e, &err), &err);
	EXPECT_INT(expected_find(e, "", 540, &one, &row, &err), 0);
	put(e, "", "image/png");
	put(e, "mail", "image/gif");
	expect_type(e, "", "image/png");
	expect_type(e, "mail", "image/gif");
	put(e, "", "image/jpeg");
	expect_type(e, "", "image/jpeg");
	EXPECT_INT(expected_find(e, "", 540, &two, &row, &err), 0);
	EXPECT_INT(expected_find(e, "", 541, &one, &row, &err), 0);
	EXPECT_INT(expected_find(e, "mail/log", 540, &one, &row, &err), 0);
	expected_free(e);
}

TEST(t1_names_of_stored_files_have_the_ending_of_their_type)
{
	struct stored_file f = {.id = "kg2ah8mk1xtg35g7zyexyc96e96yr74f"};
	char name[TREE_NAME_MAX + 1], jpeg[] = "image/jpeg";
	char odd[] = "application/x-unheard-of";

	stored_name(&f, name);
	EXPECT_TEXT(name, strlen(name), "kg2ah8mk1xtg35g7zyexyc96e96yr74f");
	f.content_type = odd;
	stored_name(&f, name);
	EXPECT_TEXT(name, strlen(name), "kg2ah8mk1xtg35g7zyexyc96e96yr74f");
	f.content_type = jpeg;
	stored_name(&f, name);
	EXPECT_TEXT(name, strlen(name),
		    "kg2ah8mk1xtg35g7zyexyc96e96yr74f.jpeg");
}

TEST(a_stored_file_is_another_one_with_other_bytes_or_another_time)
{
	struct stored_file f = {.creation_time = 1.5, .size = 3};
	struct view_revision a = stored_revision(&f), b;

	EXPECT_INT(a.size, 3);
	EXPECT_INT(a.committed_ns, 1500000);
	assert_true(a.revision != 0);
	f.sha256[0] = 1;
	b = stored_revision(&f);
	assert_true(b.revision != a.revision);
	f.creation_time = 2;
	assert_true(stored_revision(&f).revision != b.revision);
	f.creation_time = 9e15; /* 2^53 ms is past what a clock can show */
	EXPECT_INT(stored_revision(&f).committed_ns, INT64_MAX);
}

UNIT_MAIN(
	UNIT_CASE(the_last_list_of_each_component_counts),
	UNIT_CASE(t1_names_of_stored_files_have_the_ending_of_their_type),
	UNIT_CASE(
		a_stored_file_is_another_one_with_other_bytes_or_another_time))
