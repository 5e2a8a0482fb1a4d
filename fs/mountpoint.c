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
#include "fs/mountinfo.h"

static void cvx_fclosep(FILE **f)
{
	if (*f)
		(void)fclose(*f); /* only read from */
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
	source = mountinfo_find_source(real);
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
