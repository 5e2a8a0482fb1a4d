#include "tests/unit/unit.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_fds_before;
static char temp_dir[256];

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	if (!dir)
		return -1;
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

int unit_count_fds(void **state __attribute__((unused)))
{
	open_fds_before = count_fds();
	return 0;
}

int unit_check_fds(void **state __attribute__((unused)))
{
	int now = count_fds();

	if (now == open_fds_before)
		return 0;
	fprintf(stderr, "descriptors before the case: %d, after: %d\n",
		open_fds_before, now);
	return -1;
}

void unit_expect_text(const char *what, const char *got, size_t size,
		      const char *want)
{
	if (size == strlen(want) && (size == 0 || memcmp(got, want, size) == 0))
		return;
	fail_msg("%s is '%.*s', not '%s'", what, (int)size, got, want);
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_temp_dir(void)
{
	(void)nftw(temp_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *unit_temp_dir(void)
{
	const char *base = getenv("TMPDIR");

	if (temp_dir[0])
		return temp_dir;
	(void)snprintf(temp_dir, sizeof(temp_dir), "%s/cvx-unit-XXXXXX",
		       base ? base : "/tmp");
	if (!mkdtemp(temp_dir))
		fail_msg("cannot make %s: %m", temp_dir);
	(void)atexit(remove_temp_dir);
	return temp_dir;
}

char *unit_read_file(const char *path, size_t *ret_size)
{
	FILE *f = fopen(path, "rb");
	char *text = NULL;
	size_t n = 0, got;

	if (!f)
		fail_msg("cannot open %s: %m", path);
	do {
		text = realloc(text, n + 65536 + 1);
		assert_non_null(text);
		got = fread(text + n, 1, 65536, f);
		n += got;
	} while (got > 0);
	(void)fclose(f);
	text[n] = '\0';
	if (ret_size)
		*ret_size = n;
	return text;
}
