#include "fs/mountpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* The source of the mount of ours that is topmost at the resolved path; NULL
 * if another file system is, or none. */
static char *find_our_mount(const char *path)
{
	CVX_AUTO(cvx_fclosep) FILE *f = fopen("/proc/self/mountinfo", "re");
	CVX_AUTO(cvx_freep) char *line = NULL, *found = NULL;
	char *dir, *type, *source;
	size_t size = 0;

	while (f && getline(&line, &size, f) > 0) {
		if (!split_mountinfo(line, &dir, &type, &source) ||
		    strcmp(dir, path) != 0)
			continue;
		free(CVX_TAKE(found)); /* the later one lies on top */
		if (strcmp(type, "fuse.convexfs") == 0)
			found = strdup(source);
	}
	return CVX_TAKE(found);
}

static enum exit_status fail_stat(const char *path, int code,
				  struct cvx_err *err)
{
	switch (code) {
	case ENOTCONN:
		(void)cvx_fail(err, -code,
			       "%s is a mount whose program is gone (a crash "
			       "left it behind); clear it with: fusermount3 -u "
			       "%s",
			       path, path);
		return EXIT_STATUS_LOCAL_TROUBLE;
	case ENOENT:
		(void)cvx_fail(err, -code,
			       "the mount point %s does not exist; make it "
			       "with: mkdir %s",
			       path, path);
		return EXIT_STATUS_WRONG_CALL;
	default:
		(void)cvx_fail(err, -code, "mount point %s: %s", path,
			       strerror(code));
		return EXIT_STATUS_WRONG_CALL;
	}
}

enum exit_status mountpoint_check(const char *path, char **ret,
				  struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *real = NULL, *source = NULL;
	struct statx st;

	/* A dead mount may still answer from the kernel's memory. */
	if (statx(AT_FDCWD, path, AT_STATX_FORCE_SYNC, STATX_TYPE, &st) < 0)
		return fail_stat(path, errno, err);
	if (!S_ISDIR(st.stx_mode)) {
		(void)cvx_fail(err, -ENOTDIR,
			       "the mount point %s is not a folder", path);
		return EXIT_STATUS_WRONG_CALL;
	}
	real = realpath(path, NULL);
	if (!real)
		return fail_stat(path, errno, err);
	source = find_our_mount(real);
	if (source) {
		(void)cvx_fail(err, -EBUSY,
			       "%s is mounted already (%s); unmount it first "
			       "with: fusermount3 -u %s",
			       path, source, path);
		return EXIT_STATUS_WRONG_CALL;
	}
	*ret = CVX_TAKE(real);
	return EXIT_STATUS_DONE;
}

static bool allows_others(const char *line)
{
	const char *word = "user_allow_other";

	line += strspn(line, " \t");
	return strncmp(line, word, strlen(word)) == 0 &&
	       strspn(line + strlen(word), " \t\r\n") ==
		       strlen(line + strlen(word));
}

enum exit_status mountpoint_check_allow_other(struct cvx_err *err)
{
	CVX_AUTO(cvx_fclosep) FILE *f = NULL;
	CVX_AUTO(cvx_freep) char *line = NULL;
	size_t size = 0;

	if (geteuid() == 0)
		return EXIT_STATUS_DONE;
	f = fopen("/etc/fuse.conf", "re");
	while (f && getline(&line, &size, f) > 0)
		if (allows_others(line))
			return EXIT_STATUS_DONE;
	(void)cvx_fail(err, -EPERM,
		       "option allow_other: the administrator has not allowed "
		       "it; it takes a line user_allow_other in "
		       "/etc/fuse.conf");
	return EXIT_STATUS_LOCAL_TROUBLE;
}
