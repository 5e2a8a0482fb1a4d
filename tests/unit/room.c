#include "tests/unit/room.h"

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/base/file.h"

void room_init(struct room *r)
{
	static unsigned count;

	memset(r, 0, sizeof(*r));
	(void)snprintf(r->dir, sizeof(r->dir), "%s/room-%u", unit_temp_dir(),
		       count);
	(void)snprintf(r->home, sizeof(r->home), "%s/home-%u", unit_temp_dir(),
		       count);
	count++;
	assert_int_equal(mkdir(r->dir, 0700), 0);
	assert_int_equal(mkdir(r->home, 0700), 0);
	room_set(r, "HOME", r->home);
}

void room_fini(struct room *r)
{
	size_t i;

	for (i = 0; i < r->environment_count; i++)
		free(r->environment[i]);
	r->environment_count = 0;
}

void room_set(struct room *r, const char *name, const char *value)
{
	assert_true(r->environment_count + 1 <
		    sizeof(r->environment) / sizeof(*r->environment));
	assert_true(asprintf(&r->environment[r->environment_count++], "%s=%s",
			     name, value) > 0);
	r->environment[r->environment_count] = NULL;
}

static void put(const char *dir, const char *path, const char *text)
{
	char full[600];
	char *slash;
	int fd;

	(void)snprintf(full, sizeof(full), "%s/%s", dir, path);
	slash = strrchr(full, '/');
	*slash = '\0';
	assert_int_equal(file_make_dirs(full, 0700), 0);
	*slash = '/';
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(file_write(fd, text, strlen(text)), 0);
	(void)close(fd);
}

void room_put(const struct room *r, const char *path, const char *text)
{
	put(r->dir, path, text);
}

void room_put_home(const struct room *r, const char *path, const char *text)
{
	put(r->home, path, text);
}

struct settings_places room_places(const struct room *r, const char *env_file)
{
	return (struct settings_places){
		.environment = (const char *const *)r->environment,
		.dir = r->dir,
		.env_file = env_file,
	};
}
