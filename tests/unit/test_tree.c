/* Names, targets and modes: filesystem.md 1 and 2. */
#include "fs/tree.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

static struct tree_place file_in(const struct tree_place *dir, const char *name)
{
	struct tree_place place;
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(tree_file(dir, name, &place, &err), &err);
	return place;
}

static struct tree_place folder_in(const struct tree_place *dir,
				   const char *name)
{
	struct tree_place place;
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(tree_folder(dir, name, &place, &err), &err);
	return place;
}

static struct tree_place in_root(const char *name)
{
	struct tree_place root = tree_root("");

	return file_in(&root, name);
}

static struct tree_place in_users(const char *name)
{
	struct tree_place root = tree_root("");
	struct tree_place users = folder_in(&root, "users");

	return file_in(&users, name);
}

static void expect_drop(struct tree_place place, const char *table,
			enum format_kind format)
{
	EXPECT_INT(place.kind, TREE_DROP);
	EXPECT_TEXT(place.table, strlen(place.table), table);
	EXPECT_INT(place.format, format);
}

TEST(t1_root_has_the_names_of_a_backup)
{
	struct tree_place root = tree_root("");

	EXPECT_INT(in_root("README.md").kind, TREE_README);
	EXPECT_INT(folder_in(&root, "_tables").kind, TREE_REGISTRY_DIR);
	EXPECT_INT(folder_in(&root, ".convex").kind, TREE_CONTROL_DIR);
	EXPECT_INT(folder_in(&root, "users").kind, TREE_TABLE);
	EXPECT_TEXT(folder_in(&root, "users").table, 5, "users");
}

static struct tree_place component(const char *path)
{
	return tree_component(path); /* as one that was looked up */
}

TEST(t1_components_have_the_tree_of_the_root)
{
	struct tree_place root = tree_root("");
	struct tree_place components = folder_in(&root, "_components");
	struct tree_place waitlist = folder_in(&components, "waitlist");
	struct tree_place users, drop;

	EXPECT_INT(components.kind, TREE_COMPONENTS_DIR);
	EXPECT_INT(waitlist.kind, TREE_COMPONENT);
	EXPECT_TEXT(waitlist.component, 0, ""); /* until it is known */
	waitlist = component("a/waitlist");
	EXPECT_INT(folder_in(&waitlist, "_tables").kind, TREE_REGISTRY_DIR);
	EXPECT_INT(folder_in(&waitlist, "_components").kind,
		   TREE_COMPONENTS_DIR);
	users = folder_in(&waitlist, "users");
	EXPECT_INT(users.kind, TREE_TABLE);
	EXPECT_TEXT(users.component, 10, "a/waitlist");
	EXPECT_INT(file_in(&users, "documents.jsonl").kind, TREE_DOCUMENTS);
	drop = file_in(&users, "x.csv");
	expect_drop(drop, "users", FORMAT_CSV);
	EXPECT_TEXT(drop.component, 10, "a/waitlist");
	expect_drop(file_in(&waitlist, "orders.json"), "orders", FORMAT_JSON);
	EXPECT_INT(file_in(&waitlist, "b.zip").kind, TREE_ARCHIVE);
	EXPECT_TEXT(file_in(&waitlist, "b.zip.rejected").component, 10,
		    "a/waitlist");
}

TEST(t1_the_top_alone_has_readme_and_all_control_files)
{
	struct tree_place waitlist = component("waitlist");
	struct tree_place control = folder_in(&waitlist, ".convex");

	EXPECT_INT(file_in(&waitlist, "README.md").kind, TREE_SCRATCH);
	EXPECT_INT(control.kind, TREE_COMPONENT_CONTROL_DIR);
	EXPECT_INT(file_in(&control, "schema.json").kind, TREE_SCHEMA);
	EXPECT_TEXT(file_in(&control, "schema.json").component, 8, "waitlist");
	EXPECT_INT(folder_in(&control, "indexes").kind, TREE_INDEXES_DIR);
	EXPECT_INT(file_in(&control, "snapshot.zip").kind, TREE_SCRATCH);
}

TEST(m5_component_names_are_checked)
{
	static const char *const names[] = {"1st", "a-b", "a b", "a.b", "_"};
	struct tree_place root = tree_root(""), place;
	struct tree_place components = folder_in(&root, "_components");
	char name[NAME_MAX_SIZE + 2];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct cvx_err err = CVX_ERR_INIT;

		EXPECT_FAIL(tree_folder(&components, names[i], &place, &err),
			    &err, -EINVAL, "name of a component");
	}
	EXPECT_INT(folder_in(&components, "_a").kind, TREE_COMPONENT);
	EXPECT_INT(folder_in(&components, ".~tmp~").kind, TREE_SCRATCH_DIR);
	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	EXPECT_INT(tree_folder(&components, name, &place, NULL), -ENAMETOOLONG);
	EXPECT_INT(file_in(&components, "x.jsonl").kind, TREE_SCRATCH);
}

TEST(t1_table_has_documents_and_marker)
{
	struct tree_place documents = in_users("documents.jsonl");

	EXPECT_INT(documents.kind, TREE_DOCUMENTS);
	EXPECT_TEXT(documents.table, strlen(documents.table), "users");
	EXPECT_INT(documents.format, FORMAT_JSONL);
	EXPECT_INT(in_users("generated_schema.jsonl").kind, TREE_MARKER);
}

TEST(t1_registry_is_in_tables_only)
{
	struct tree_place root = tree_root("");
	struct tree_place tables = folder_in(&root, "_tables");

	EXPECT_INT(file_in(&tables, "documents.jsonl").kind, TREE_REGISTRY);
	EXPECT_INT(file_in(&tables, "other.jsonl").kind, TREE_SCRATCH);
}

TEST(t1_control_folder_has_its_files_and_takes_a_schema)
{
	struct tree_place root = tree_root(""), place;
	struct tree_place control = folder_in(&root, ".convex");
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_INT(file_in(&control, "deployment.json").kind, TREE_DEPLOYMENT);
	EXPECT_INT(file_in(&control, "imports.jsonl").kind, TREE_IMPORTS);
	EXPECT_INT(file_in(&control, "staged.jsonl").kind, TREE_STAGED);
	EXPECT_INT(file_in(&control, "last-error").kind, TREE_LAST_ERROR);
	EXPECT_INT(file_in(&control, "schema.json").kind, TREE_SCHEMA);
	EXPECT_INT(file_in(&control, "schema.json.error").kind, TREE_ERROR);
	EXPECT_INT(file_in(&control, "schema.json.rejected").kind,
		   TREE_REJECTED);
	EXPECT_INT(file_in(&control, ".schema.json.swp").kind, TREE_SCRATCH);
	EXPECT_FAIL(tree_folder(&control, "x", &place, &err), &err, -EPERM,
		    ".convex");
}

TEST(t1_indexes_have_a_folder_for_each_table)
{
	struct tree_place root = tree_root(""), place;
	struct tree_place control = folder_in(&root, ".convex");
	struct tree_place indexes = folder_in(&control, "indexes");
	struct tree_place users = folder_in(&indexes, "users");
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_INT(indexes.kind, TREE_INDEXES_DIR);
	EXPECT_INT(users.kind, TREE_INDEX_DIR);
	place = file_in(&users, "by_name.jsonl");
	EXPECT_INT(place.kind, TREE_INDEX);
	EXPECT_TEXT(place.table, strlen(place.table), "users");
	EXPECT_TEXT(place.index, strlen(place.index), "by_name");
	EXPECT_FAIL(tree_file(&users, "by_name.csv", &place, &err), &err,
		    -EPERM, ".convex");
	EXPECT_FAIL(tree_file(&indexes, "x", &place, &err), &err, -EPERM,
		    ".convex");
	EXPECT_FAIL(tree_folder(&users, "x", &place, &err), &err, -EPERM,
		    ".convex");
}

TEST(m_files_of_three_formats_are_drops)
{
	expect_drop(in_users("new.jsonl"), "users", FORMAT_JSONL);
	expect_drop(in_users("new.csv"), "users", FORMAT_CSV);
	expect_drop(in_users("new.json"), "users", FORMAT_JSON);
	expect_drop(in_users("not a table.csv"), "users", FORMAT_CSV);
	expect_drop(in_root("orders.jsonl"), "orders", FORMAT_JSONL);
	expect_drop(in_root("orders.csv"), "orders", FORMAT_CSV);
	expect_drop(in_root("orders.json"), "orders", FORMAT_JSON);
}

TEST(m_zip_at_the_root_is_an_archive)
{
	EXPECT_INT(in_root("backup.zip").kind, TREE_ARCHIVE);
	EXPECT_INT(in_root("backup.replace-all.zip").kind, TREE_ARCHIVE);
	EXPECT_INT(in_users("backup.zip").kind, TREE_SCRATCH);
	EXPECT_INT(in_root(".zip").kind, TREE_SCRATCH);
}

TEST(m2_the_name_says_the_mode)
{
	static const struct {
		const char *name;
		enum import_mode mode;
	} cases[] = {
		{"data.append.jsonl", IMPORT_APPEND},
		{"data.replace.csv", IMPORT_REPLACE},
		{"data.require-empty.json", IMPORT_REQUIRE_EMPTY},
		{"documents.append.jsonl", IMPORT_APPEND},
		{"a.append.replace.csv", IMPORT_REPLACE},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tree_place place = in_users(cases[i].name);

		EXPECT_INT(place.kind, TREE_DROP);
		EXPECT_INT(place.mode_named, 1);
		EXPECT_INT(place.mode, cases[i].mode);
	}
}

TEST(m2_a_mode_at_the_root_is_no_part_of_the_table)
{
	struct tree_place place = in_root("orders.append.csv");

	expect_drop(place, "orders", FORMAT_CSV);
	EXPECT_INT(place.mode, IMPORT_APPEND);
}

TEST(m2_a_mode_alone_is_a_name)
{
	EXPECT_INT(in_users("append.csv").mode_named, 0);
	expect_drop(in_root("append.csv"), "append", FORMAT_CSV);
}

TEST(m3_canonical_names_replace)
{
	static const char *const names[] = {"documents.jsonl", "documents.csv",
					    "documents.json"};

	for (size_t i = 0; i < 3; i++) {
		struct tree_place place = in_users(names[i]);

		EXPECT_INT(tree_mode(&place, false, IMPORT_REQUIRE_EMPTY),
			   IMPORT_REPLACE);
	}
}

TEST(m1_appending_comes_first)
{
	struct tree_place documents = in_users("documents.jsonl");
	struct tree_place named = in_users("x.replace.jsonl");

	EXPECT_INT(tree_mode(&documents, true, IMPORT_REPLACE), IMPORT_APPEND);
	EXPECT_INT(tree_mode(&named, true, IMPORT_REPLACE), IMPORT_APPEND);
}

TEST(m4_other_names_take_the_mode_of_the_mount)
{
	struct tree_place place = in_users("x.jsonl");

	EXPECT_INT(tree_mode(&place, false, IMPORT_REQUIRE_EMPTY),
		   IMPORT_REQUIRE_EMPTY);
	EXPECT_INT(tree_mode(&place, false, IMPORT_APPEND), IMPORT_APPEND);
}

TEST(m5_invalid_table_names_are_refused)
{
	static const char *const names[] = {"1st", "a-b", "a b",     "a.b",
					    "_x",  "$x",  "\xc3\xa9"};
	struct tree_place root = tree_root(""), place;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct cvx_err err = CVX_ERR_INIT;

		EXPECT_FAIL(tree_folder(&root, names[i], &place, &err), &err,
			    -EINVAL, "name of a table");
	}
}

TEST(m5_a_table_name_has_64_bytes_at_most)
{
	struct tree_place root = tree_root(""), place;
	struct cvx_err err = CVX_ERR_INIT;
	char name[NAME_MAX_SIZE + 8];

	memset(name, 'a', sizeof(name));
	name[NAME_MAX_SIZE] = '\0';
	EXPECT_INT(folder_in(&root, name).kind, TREE_TABLE);
	memcpy(name + NAME_MAX_SIZE, "a", 2);
	EXPECT_FAIL(tree_folder(&root, name, &place, &err), &err, -ENAMETOOLONG,
		    "64");
	memcpy(name + NAME_MAX_SIZE, "a.csv", 6);
	EXPECT_FAIL(tree_file(&root, name, &place, &err), &err, -ENAMETOOLONG,
		    "64");
}

TEST(m_a_target_for_no_table_is_refused_rather_than_kept)
{
	static const char *const names[] = {"my-file.jsonl", "2024.csv",
					    "_tables.jsonl", "a.b.json"};
	struct tree_place root = tree_root(""), place;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct cvx_err err = CVX_ERR_INIT;

		EXPECT_FAIL(tree_file(&root, names[i], &place, &err), &err,
			    -EINVAL, "name of a table");
	}
}

/* The ids are from id_vectors.json. */
TEST(t1_storage_has_files_by_id_and_takes_others)
{
	struct tree_place root = tree_root(""), place;
	struct tree_place storage = folder_in(&root, "_storage");
	struct cvx_err err = CVX_ERR_INIT;
	static const char id[] = "kg2ah8mk1xtg35g7zyexyc96e96yr74f";

	EXPECT_INT(storage.kind, TREE_STORAGE_DIR);
	EXPECT_INT(file_in(&storage, "documents.jsonl").kind, TREE_FILE_LIST);
	place = file_in(&storage, "kg2ah8mk1xtg35g7zyexyc96e96yr74f.png");
	EXPECT_INT(place.kind, TREE_FILE);
	EXPECT_TEXT(place.id, strlen(place.id), id);
	EXPECT_INT(file_in(&storage, id).kind, TREE_FILE);
	EXPECT_INT(file_in(&storage, "photo.png").kind, TREE_UPLOAD);
	EXPECT_INT(file_in(&storage, "users.jsonl").kind, TREE_UPLOAD);
	EXPECT_INT(file_in(&storage, "backup.zip").kind, TREE_UPLOAD);
	EXPECT_INT(file_in(&storage, "README").kind, TREE_UPLOAD);
	/* One letter is another. */
	EXPECT_INT(file_in(&storage, "kg2ah8mk1xtg35g7zyexyc96e96yr74g").kind,
		   TREE_UPLOAD);
	EXPECT_INT(file_in(&storage, ".photo.png.aB3xYz").kind, TREE_SCRATCH);
	EXPECT_INT(file_in(&storage, "documents.jsonl~").kind, TREE_SCRATCH);
	EXPECT_INT(file_in(&storage, "photo.png.rejected").kind, TREE_REJECTED);
	EXPECT_INT(folder_in(&storage, ".~tmp~").kind, TREE_SCRATCH_DIR);
	EXPECT_FAIL(tree_folder(&storage, "photos", &place, &err), &err, -EPERM,
		    "no folders");
}

/* fuse-facts.md a7: the temporary names that programs use. */
TEST(m_temporary_names_are_scratch)
{
	static const char *const names[] = {
		".documents.jsonl.aB3xYz",
		".documents.jsonl.swp",
		"documents.jsonl~",
		"#documents.jsonl#",
		"4913",
		"documents.jsonl.bak",
		"sedAbC123",
		"XXabcdef",
		"ziAbCdEf",
		"tmpabcd1234",
		"documents.jsonl.gawk.Ab12Cd",
		"documents.jsonl.tmp",
		"documents.jsonlAbCdEf",
		"index.lock",
		"._documents.jsonl",
		".hidden.jsonl",
		".csv",
		"DOCUMENTS.JSONL",
		"data.CSV",
		"documents",
		"data.append",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (in_users(names[i]).kind != TREE_SCRATCH)
			fail_msg("%s is no scratch file in a table", names[i]);
		if (in_root(names[i]).kind != TREE_SCRATCH)
			fail_msg("%s is no scratch file at the root", names[i]);
	}
}

TEST(m_folders_in_tables_are_scratch_and_so_is_all_in_them)
{
	struct tree_place root = tree_root("");
	struct tree_place users = folder_in(&root, "users");
	struct tree_place partial = folder_in(&users, ".~tmp~");
	struct tree_place below = folder_in(&partial, "any name");

	EXPECT_INT(partial.kind, TREE_SCRATCH_DIR);
	EXPECT_INT(below.kind, TREE_SCRATCH_DIR);
	EXPECT_INT(file_in(&partial, "documents.jsonl").kind, TREE_SCRATCH);
	EXPECT_INT(folder_in(&root, ".~tmp~").kind, TREE_SCRATCH_DIR);
}

TEST(f3_rejects_stand_beside_targets)
{
	struct tree_place rejected = in_users("data.csv.rejected");

	EXPECT_INT(rejected.kind, TREE_REJECTED);
	EXPECT_TEXT(rejected.table, strlen(rejected.table), "users");
	EXPECT_INT(in_users("data.csv.error").kind, TREE_ERROR);
	EXPECT_INT(in_users("documents.jsonl.error").kind, TREE_ERROR);
	EXPECT_INT(in_root("orders.json.rejected").kind, TREE_REJECTED);
	EXPECT_INT(in_users("notes.txt.rejected").kind, TREE_SCRATCH);
	EXPECT_INT(in_users("x.csv.error.error").kind, TREE_SCRATCH);
	EXPECT_INT(in_users(".rejected").kind, TREE_SCRATCH);
	EXPECT_INT(in_root("no-table.csv.rejected").kind, TREE_SCRATCH);
}

TEST(f3_the_base_of_a_reject_is_its_target)
{
	EXPECT_INT(tree_reject_base(TREE_REJECTED, "u/a.csv.rejected"), 7);
	EXPECT_INT(tree_reject_base(TREE_ERROR, "u/a.csv.error"), 7);
}

/* W-2: what is renamed into place is followed while it is written. */
TEST(w2_what_a_scratch_file_will_be_is_guessed)
{
	struct tree_place root = tree_root(""), place;
	struct tree_place users = folder_in(&root, "users");
	struct tree_place scratch = folder_in(&users, ".~tmp~");
	char name[TREE_NAME_MAX + 1];

	assert_true(tree_guess(&users, ".x.append.csv.aB3xYz", &place, name));
	EXPECT_TEXT(name, strlen(name), "x.append.csv");
	EXPECT_INT(place.mode, IMPORT_APPEND);
	assert_true(tree_guess(&users, "sedAbCdEf", &place, name));
	EXPECT_TEXT(name, strlen(name), "documents.jsonl");
	EXPECT_INT(place.kind, TREE_DOCUMENTS);
	assert_true(tree_guess(&users, ".new", &place, name));
	EXPECT_INT(place.kind, TREE_DOCUMENTS);
	assert_true(tree_guess(&root, ".users.jsonl.aB3xYz", &place, name));
	EXPECT_TEXT(place.table, strlen(place.table), "users");
	assert_false(tree_guess(&root, "sedAbCdEf", &place, name));
	assert_false(tree_guess(&scratch, "documents.jsonl", &place, name));
}

TEST(names_and_paths_are_bounded)
{
	char name[TREE_NAME_MAX + 2], path[TREE_PATH_MAX + 1];
	char dir[TREE_PATH_MAX + 1];
	struct tree_place root = tree_root(""), place;
	struct cvx_err err = CVX_ERR_INIT;

	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	EXPECT_FAIL(tree_file(&root, name, &place, &err), &err, -ENAMETOOLONG,
		    "255");
	EXPECT_FAIL(tree_folder(&root, name, &place, &err), &err, -ENAMETOOLONG,
		    "255");
	memset(dir, 'a', sizeof(dir));
	dir[TREE_PATH_MAX - 2] = '\0';
	EXPECT_INT(tree_join(path, dir, "x"), 0);
	EXPECT_INT(strlen(path), TREE_PATH_MAX);
	EXPECT_INT(tree_join(path, dir, "xy"), -ENAMETOOLONG);
}

TEST(paths_have_no_leading_slash)
{
	char path[TREE_PATH_MAX + 1];

	EXPECT_INT(tree_join(path, "", "users"), 0);
	EXPECT_TEXT(path, strlen(path), "users");
	EXPECT_INT(tree_join(path, "users", "x"), 0);
	EXPECT_TEXT(path, strlen(path), "users/x");
}

UNIT_MAIN(UNIT_CASE(t1_root_has_the_names_of_a_backup),
	  UNIT_CASE(t1_components_have_the_tree_of_the_root),
	  UNIT_CASE(t1_the_top_alone_has_readme_and_all_control_files),
	  UNIT_CASE(m5_component_names_are_checked),
	  UNIT_CASE(t1_table_has_documents_and_marker),
	  UNIT_CASE(t1_registry_is_in_tables_only),
	  UNIT_CASE(t1_control_folder_has_its_files_and_takes_a_schema),
	  UNIT_CASE(t1_indexes_have_a_folder_for_each_table),
	  UNIT_CASE(m_files_of_three_formats_are_drops),
	  UNIT_CASE(m_zip_at_the_root_is_an_archive),
	  UNIT_CASE(m2_the_name_says_the_mode),
	  UNIT_CASE(m2_a_mode_at_the_root_is_no_part_of_the_table),
	  UNIT_CASE(m2_a_mode_alone_is_a_name),
	  UNIT_CASE(m3_canonical_names_replace),
	  UNIT_CASE(m1_appending_comes_first),
	  UNIT_CASE(m4_other_names_take_the_mode_of_the_mount),
	  UNIT_CASE(m5_invalid_table_names_are_refused),
	  UNIT_CASE(m5_a_table_name_has_64_bytes_at_most),
	  UNIT_CASE(m_a_target_for_no_table_is_refused_rather_than_kept),
	  UNIT_CASE(t1_storage_has_files_by_id_and_takes_others),
	  UNIT_CASE(m_temporary_names_are_scratch),
	  UNIT_CASE(m_folders_in_tables_are_scratch_and_so_is_all_in_them),
	  UNIT_CASE(f3_rejects_stand_beside_targets),
	  UNIT_CASE(f3_the_base_of_a_reject_is_its_target),
	  UNIT_CASE(w2_what_a_scratch_file_will_be_is_guessed),
	  UNIT_CASE(names_and_paths_are_bounded),
	  UNIT_CASE(paths_have_no_leading_slash))
