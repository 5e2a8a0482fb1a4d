#include "fs/mountinfo.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"

static void cvx_fclosep(FILE **f)
{
	if (*f)
		(void)fclose(*f); /* only read from */
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* Spaces and the like stand as \040 in mountinfo. In place. */
static void unescape(char *text)
{
	char *out = text;

	while (*text) {
		if (text[0] == '\\' && is_octal(text[1]) && is_octal(text[2]) &&
		    is_octal(text[3])) {
			*out++ = (char)((text[1] - '0') * 64 +
					(text[2] - '0') * 8 + (text[3] - '0'));
			text += 4;
		} else {
			*out++ = *text++;
		}
	}
	*out = '\0';
}

/*
 * Cuts "ID PARENT DEV ROOT MOUNTPOINT OPTIONS [TAG...] - TYPE SOURCE ..." in
 * place; false if the line is not such.
 */
static bool split_mountinfo(char *line, char **ret_dir, char **ret_type,
			    char **ret_source)
{
	char *rest = strstr(line, " - ");
	int field;

	if (!rest)
		return false;
	*rest = '\0';
	rest += 3;
	*ret_type = strsep(&rest, " ");
	*ret_source = rest ? strsep(&rest, " \n") : NULL;
	for (field = 0; field < 4 && line; field++)
		(void)strsep(&line, " ");
	*ret_dir = line ? strsep(&line, " ") : NULL;
	if (!*ret_dir || !*ret_source)
		return false;
	unescape(*ret_dir);
	unescape(*ret_source);
	return true;
}

/* What is mounted over a mount hides it. */
static void remove_dir(struct mounted *list, size_t *count, const char *dir)
{
	size_t i, kept = 0;

	for (i = 0; i < *count; i++) {
		if (strcmp(list[i].dir, dir) != 0) {
			list[kept++] = list[i];
			continue;
		}
		free(list[i].dir);
		free(list[i].source);
	}
	*count = kept;
}

static int add(struct mounted **list, size_t *count, const char *dir,
	       const char *source)
{
	struct mounted *more = reallocarray(*list, *count + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	*list = more;
	more[*count] = (struct mounted){strdup(dir), strdup(source)};
	(*count)++;
	return more[*count - 1].dir && more[*count - 1].source ? 0 : -ENOMEM;
}

int mountinfo_list(struct mounted **ret, size_t *ret_count, struct cvx_err *err)
{
	CVX_AUTO(cvx_fclosep) FILE *f = fopen("/proc/self/mountinfo", "re");
	CVX_AUTO(cvx_freep) char *line = NULL;
	char *dir, *type, *source;
	struct mounted *list = NULL;
	size_t size = 0, count = 0;
	int r = 0;

	if (!f)
		return cvx_fail(err, -errno, "cannot read %s: %s",
				"/proc/self/mountinfo", strerror(errno));
	while (r == 0 && getline(&line, &size, f) > 0) {
		if (!split_mountinfo(line, &dir, &type, &source))
			continue;
		remove_dir(list, &count, dir);
		if (strcmp(type, "fuse.convexfs") == 0)
			r = add(&list, &count, dir, source);
	}
	if (r < 0 || count == 0) {
		mountinfo_free(list, count);
		list = NULL;
	}
	if (r < 0)
		return cvx_fail_memory(err);
	*ret = list;
	*ret_count = count;
	return 0;
}

void mountinfo_free(struct mounted *list, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		free(list[i].dir);
		free(list[i].source);
	}
	free(list);
}

char *mountinfo_find_source(const char *path)
{
	struct mounted *list = NULL;
	char *found = NULL;
	size_t count = 0, i;

	if (mountinfo_list(&list, &count, NULL) < 0)
		return NULL;
	for (i = 0; i < count; i++)
		if (strcmp(list[i].dir, path) == 0)
			found = CVX_TAKE(list[i].source);
	mountinfo_free(list, count);
	return found;
}
