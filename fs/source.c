#include "fs/source.h"

#include <ctype.h>
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
#include "cache/base/file.h"
#include "fs/paths.h"

#define ENV_FILE_MAX ((size_t)1 << 20)
#define NOT_BUILT_YET                                                          \
	"that is not built yet; the embedded deployment is the source local"

/* Each of these alone selects a deployment, or half of one (protocol.md 2.1):
 * the other half missing is no reason to mount something else. */
static const char *const selectors[] = {
	"CONVEX_DEPLOY_KEY",	  "CONVEX_DEPLOYMENT_TOKEN",
	"CONVEX_SELF_HOSTED_URL", "CONVEX_SELF_HOSTED_ADMIN_KEY",
	"CONVEX_DEPLOYMENT",
};
#define SELECTOR_COUNT (sizeof(selectors) / sizeof(*selectors))

static int fail_remote(const char *what, struct cvx_err *err)
{
	return cvx_fail(err, -ENOTSUP, "%s: " NOT_BUILT_YET, what);
}

/* SEL-7: a value that stands for none. */
static bool is_no_value(const char *value, size_t size)
{
	const char *none = "<ignore_deploy_key>";

	return size == 0 ||
	       (size == strlen(none) && memcmp(value, none, size) == 0);
}

/* The value of "NAME=..." or "NAME: ..." in a line; NULL if it is another
 * line. Where the value ends does not matter here, only whether it is empty. */
static const char *value_in_line(const char *line, const char *name,
				 size_t *ret_size)
{
	size_t size;

	line += strspn(line, " \t");
	if (strncmp(line, "export", 6) == 0 && strchr(" \t", line[6]))
		line += 6 + strspn(line + 6, " \t");
	if (strncmp(line, name, strlen(name)) != 0)
		return NULL;
	line += strlen(name);
	line += strspn(line, " \t");
	if (*line != '=' && *line != ':')
		return NULL;
	line++;
	line += strspn(line, " \t");
	if (*line && strchr("'\"`", *line)) {
		size = strcspn(line + 1, (char[]){*line, '\0'});
		*ret_size = size;
		return line + 1;
	}
	size = strcspn(line, "#");
	while (size > 0 && isspace((unsigned char)line[size - 1]))
		size--;
	*ret_size = size;
	return line;
}

/* The last line of the text that sets the name decides (SEL-4). */
static bool is_set_in_text(const char *text, const char *name)
{
	const char *value, *line = text;
	bool set = false;
	char copy[1024];
	size_t n, size;

	while (*line) {
		n = strcspn(line, "\r\n");
		(void)snprintf(copy, sizeof(copy), "%.*s",
			       n < sizeof(copy) ? (int)n
						: (int)sizeof(copy) - 1,
			       line);
		value = value_in_line(copy, name, &size);
		if (value)
			set = !is_no_value(value, size);
		line += n;
		line += *line != '\0';
	}
	return set;
}

/* *ret is ended by NUL. An absent file is -ENOENT. */
static int read_text(const char *path, char **ret)
{
	CVX_AUTO(cvx_freep) char *text = NULL;
	CVX_AUTO(cvx_closep) int fd = -1;
	size_t n;
	int r;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	text = malloc(ENV_FILE_MAX + 1);
	if (!text)
		return -ENOMEM;
	r = file_pread(fd, text, ENV_FILE_MAX, 0, &n);
	if (r < 0)
		return r;
	if (n == ENV_FILE_MAX)
		return -EFBIG;
	text[n] = '\0';
	*ret = CVX_TAKE(text);
	return 0;
}

/* C-5: a file with a key is nobody else's business. */
static int check_private(const char *path, struct cvx_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return cvx_fail(err, -errno, "env_file %s: %s", path,
				strerror(errno));
	if (!S_ISREG(st.st_mode))
		return cvx_fail(err, -EINVAL, "env_file %s: not a file", path);
	if (st.st_mode & 077)
		return cvx_fail(err, -EPERM,
				"env_file %s: others may read or write it; "
				"make it yours alone with: chmod 600",
				path);
	return 0;
}

static int check_env_file(const char *path, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *text = NULL;
	char what[CVX_ERR_MSG_SIZE];
	size_t i;
	int r;

	r = read_text(path, &text);
	if (r < 0)
		return cvx_fail(err, r, "env_file %s: %s", path, strerror(-r));
	for (i = 0; i < SELECTOR_COUNT; i++) {
		if (!is_set_in_text(text, selectors[i]))
			continue;
		(void)snprintf(what, sizeof(what),
			       "%s in %s selects a deployment elsewhere",
			       selectors[i], path);
		return fail_remote(what, err);
	}
	return cvx_fail(err, -EINVAL,
			"env_file %s: none of its variables selects a "
			"deployment",
			path);
}

/* SEL-2: the environment hides what the files say, also by an empty value. */
static int check_environment(struct cvx_err *err)
{
	static const char *const files[] = {".env.local", ".env"};
	char what[256];
	size_t i, f;
	int r;

	for (i = 0; i < SELECTOR_COUNT; i++) {
		const char *value = getenv(selectors[i]);

		if (!value || is_no_value(value, strlen(value)))
			continue;
		(void)snprintf(what, sizeof(what),
			       "%s in the environment selects a deployment "
			       "elsewhere",
			       selectors[i]);
		return fail_remote(what, err);
	}
	for (f = 0; f < sizeof(files) / sizeof(*files); f++) {
		CVX_AUTO(cvx_freep) char *text = NULL;

		r = read_text(files[f], &text);
		if (r == -ENOENT || r == -ENOTDIR)
			continue;
		if (r < 0)
			return cvx_fail(err, r,
					"cannot tell whether %s of this folder "
					"selects a deployment: %s",
					files[f], strerror(-r));
		for (i = 0; i < SELECTOR_COUNT; i++) {
			if (getenv(selectors[i]) ||
			    !is_set_in_text(text, selectors[i]))
				continue;
			(void)snprintf(what, sizeof(what),
				       "%s in %s of this folder selects a "
				       "deployment elsewhere",
				       selectors[i], files[f]);
			return fail_remote(what, err);
		}
	}
	return 0;
}

/* A word that is not "local". It is repeated only where it cannot be a key. */
static int refuse_word(const char *source, struct cvx_err *err)
{
	char what[256];

	if (strchr(source, '|'))
		return cvx_fail(err, -EINVAL,
				"keys do not belong on a command line, where "
				"every user of the machine can read them");
	if (strstr(source, "://"))
		return fail_remote("a URL is a deployment elsewhere", err);
	if (strchr(source, '/') && !strchr(source, ':'))
		return cvx_fail(err, -EINVAL,
				"unknown source; a deployment in a folder is "
				"written local:%s",
				source);
	(void)snprintf(what, sizeof(what),
		       "'%s' would be the name of a deployment elsewhere",
		       source);
	return fail_remote(what, err);
}

int source_find(const char *source, const char *env_file, char **ret_dir,
		struct cvx_err *err)
{
	int r = 0;

	if (env_file)
		r = check_private(env_file, err);
	if (r == 0 && !source)
		r = env_file ? check_env_file(env_file, err)
			     : check_environment(err);
	if (r < 0)
		return r;
	if (!source || strcmp(source, "local") == 0)
		return path_in_home("XDG_DATA_HOME", ".local/share", "local",
				    ret_dir, err);
	if (strncmp(source, "local:", 6) != 0)
		return refuse_word(source, err);
	if (!source[6])
		return cvx_fail(err, -EINVAL,
				"local: needs a folder behind it");
	return path_resolve(source + 6, ret_dir, err);
}
