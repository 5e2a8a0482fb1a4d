#include "tests/unit/unit.h"

#include <stdio.h>

#include "importer/remote/loose_files.h"

TEST(loose_files_are_told_apart_by_component_and_id)
{
	struct loose_files l;

	loose_files_init(&l);
	assert_false(loose_files_has(&l, "", "a"));
	loose_files_add(&l, "", "a");
	loose_files_add(&l, "", "a");
	loose_files_add(&l, "mail", "b");
	assert_true(loose_files_has(&l, "", "a"));
	assert_true(loose_files_has(&l, "mail", "b"));
	assert_false(loose_files_has(&l, "mail", "a"));
	assert_false(loose_files_has(&l, "", "b"));
	EXPECT_INT(l.count, 2);
	loose_files_remove(&l, "", "b");
	loose_files_remove(&l, "", "a");
	assert_false(loose_files_has(&l, "", "a"));
	EXPECT_INT(l.count, 1);
	loose_files_fini(&l);
}

TEST(loose_files_are_bounded)
{
	struct loose_files l;
	char id[16];
	size_t i;

	loose_files_init(&l);
	for (i = 0; i <= LOOSE_FILES_MAX; i++) {
		(void)snprintf(id, sizeof(id), "%zu", i);
		loose_files_add(&l, "", id);
	}
	assert_false(loose_files_has(&l, "", id));
	assert_true(loose_files_has(&l, "", "0"));
	loose_files_remove(&l, "", "0");
	loose_files_add(&l, "", id);
	assert_true(loose_files_has(&l, "", id));
	loose_files_fini(&l);
}

UNIT_MAIN(UNIT_CASE(loose_files_are_told_apart_by_component_and_id),
	  UNIT_CASE(loose_files_are_bounded))
