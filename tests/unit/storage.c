#include "tests/unit/storage.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/file.h"
#include "tests/unit/backup.h"
#include "tests/unit/store.h"
#include "tests/unit/zip_maker.h"

int storage_restore_one(struct deployment *d, enum import_mode mode,
			const char *rows, const char *id, const char *bytes,
			struct cvx_err *err)
{
	struct zip_maker z;
	char name[100];

	zip_maker_init(&z);
	zip_add_text(&z, STORED_ROWS, rows);
	if (id) {
		(void)snprintf(name, sizeof(name), "_storage/%s.bin", id);
		zip_add_text(&z, name, bytes);
	}
	return backup_end_and_restore(d, mode, &z, err);
}

struct storage_info storage_stat(struct deployment *d, const char *component)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct storage_info info = {.number = 0};

	EXPECT_OK(deployment_stat_storage(d, component, &info, &err), &err);
	return info;
}

struct stored_file storage_expect_file(struct deployment *d,
				       const char *component, const char *id,
				       const char *want)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct stored_file f = {.size = 0};
	size_t size = strlen(want), n = 0;
	char *got = malloc(size + 2);
	int fd = -1;

	assert_non_null(got);
	EXPECT_OK(deployment_open_stored_file(d, component, id, &fd, &f, &err),
		  &err);
	EXPECT_INT(file_pread(fd, got, size + 1, 0, &n), 0);
	EXPECT_TEXT(got, n, want);
	EXPECT_INT(f.size, size);
	(void)close(fd);
	free(got);
	return f;
}

void storage_expect_no_file(struct deployment *d, const char *component,
			    const char *id)
{
	struct stored_file f;

	EXPECT_INT(deployment_find_stored_file(d, component, id, &f, NULL),
		   -ENOENT);
}

void storage_expect_count(struct deployment *d, uint64_t file_count)
{
	EXPECT_INT(storage_stat(d, "").file_count, file_count);
	EXPECT_INT(store_count_files(d, "files"), file_count);
	EXPECT_INT(store_count_files(d, "stage"), 0);
}

void storage_expect_text(const char *got, const char *want)
{
	EXPECT_TEXT(got ? got : "none", got ? strlen(got) : 4, want);
}
