#include "importer/remote/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/remote/secret.h"
#include "importer/remote/small_file.h"

#define CONFIG_SIZE_MAX ((size_t)1 << 20)

/* NULL if the name is not in the environment at all. */
static const char *find_raw(const struct settings *s, const char *name)
{
	size_t i, size = strlen(name);

	for (i = 0; s->environment[i]; i++)
		if (strncmp(s->environment[i], name, size) == 0 &&
		    s->environment[i][size] == '=')
			return s->environment[i] + size + 1;
	return NULL;
}

/* SEL-2: the first place that has the name decides, also by an empty value.
 * *ret_place: 0 is the environment, i + 1 a file. */
static const char *find_with_place(const struct settings *s, const char *name,
				   size_t *ret_place)
{
	const char *value = s->env_file_only ? NULL : find_raw(s, name);
	size_t i;

	*ret_place = 0;
	for (i = 0; !value && i < s->file_count; i++) {
		value = dotenv_find(&s->files[i].pairs, name);
		*ret_place = i + 1;
	}
	return value && value[0] ? value : NULL;
}

const char *settings_find(const struct settings *s, const char *name)
{
	size_t place;

	return find_with_place(s, name, &place);
}

const char *settings_find_in_environment(const struct settings *s,
					 const char *name)
{
	const char *value = find_raw(s, name);

	return value && value[0] ? value : NULL;
}

void settings_place(const struct settings *s, const char *name, char *text,
		    size_t size)
{
	size_t place;

	text[0] = '\0';
	if (find_with_place(s, name, &place) && place > 0)
		(void)snprintf(text, size, " in %s", s->files[place - 1].path);
}

const char *settings_find_deploy_key(const struct settings *s,
				     const char **ret_name)
{
	static const char *const names[] = {"CONVEX_DEPLOY_KEY",
					    "CONVEX_DEPLOYMENT_TOKEN"};
	const char *value;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		value = settings_find(s, names[i]);
		if (!value)
			continue;
		*ret_name = names[i];
		return strcmp(value, "<ignore_deploy_key>") == 0 ? NULL : value;
	}
	return NULL;
}

/* C-5: a file with a key is nobody else's business. */
static int check_private(int dir_fd, const char *path, struct cvx_err *err)
{
	struct stat st;

	if (fstatat(dir_fd, path, &st, 0) < 0)
		return cvx_fail(err, -errno, "%s: %s", path, strerror(errno));
	if (S_ISREG(st.st_mode) && (st.st_mode & 077))
		return cvx_fail(err, -EPERM,
				"%s: others may read or write it; make it "
				"yours alone with: chmod 600",
				path);
	return 0;
}

static int add_file(struct settings *s, const char *path, struct cvx_err *err)
{
	char *copy = strdup(path);
	int r;

	if (!copy)
		return cvx_fail_memory(err);
	r = dotenv_read_file(&s->files[s->file_count].pairs, s->dir_fd, path,
			     err);
	if (r < 0) {
		free(copy);
		return r;
	}
	s->files[s->file_count++].path = copy;
	return 0;
}

static int load_files(struct settings *s, const struct settings_places *places,
		      struct cvx_err *err)
{
	static const char *const names[SETTINGS_FILE_MAX] = {".env.local",
							     ".env"};
	size_t i;
	int r;

	if (places->env_file) {
		r = check_private(s->dir_fd, places->env_file, err);
		if (r == 0)
			r = add_file(s, places->env_file, err);
		return r < 0 ? cvx_err_prefix(err, "env file") : 0;
	}
	for (i = 0; !places->no_files && i < SETTINGS_FILE_MAX; i++) {
		r = add_file(s, names[i], err);
		if (r < 0 && r != -ENOENT)
			return cvx_err_prefix(err,
					      "cannot tell which deployment is "
					      "selected");
	}
	return 0;
}

/* SEL-1. "http://127.0.0.1:8050" is cut at its colons, as the client does. */
static int find_home(struct settings *s, struct cvx_err *err)
{
	const char *home = settings_find_in_environment(s, "HOME");
	const char *host =
		settings_find_in_environment(s, "CONVEX_PROVISION_HOST");
	const char *port = NULL;
	size_t port_size = 0;
	int n;

	if (!home)
		return 0;
	if (host) {
		port = strchr(host, ':');
		port = port ? strchr(port + 1, ':') : NULL;
		port_size = port ? strcspn(++port, ":") : 0;
	}
	if (!host)
		n = asprintf(&s->home, "%s/.convex", home);
	else if (port_size == 0 ||
		 (port_size == 4 && memcmp(port, "8050", 4) == 0))
		n = asprintf(&s->home, "%s/.convex-test", home);
	else
		n = asprintf(&s->home, "%s/.convex-test-%.*s", home,
			     (int)port_size, port);
	if (n < 0) {
		s->home = NULL;
		return cvx_fail_memory(err);
	}
	return 0;
}

static int take_token(struct settings *s, const char *text, size_t size,
		      struct cvx_err *err)
{
	cJSON *config = cJSON_ParseWithLength(text, size);
	const char *token = cJSON_GetStringValue(
		cJSON_GetObjectItemCaseSensitive(config, "accessToken"));
	int r = 0;

	if (!config) {
		s->warning = "config.json of the official client's login is "
			     "not JSON; taken as not there";
	} else if (token && token[0]) {
		s->access_token = secret_copy_text(token);
		if (!s->access_token)
			r = cvx_fail_memory(err);
	}
	secret_delete_json(config);
	return r;
}

static int load_login(struct settings *s, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *path = NULL;
	CVX_AUTO(secret_freep) char *text = NULL;
	size_t size;
	int r;

	r = find_home(s, err);
	if (r < 0 || !s->home)
		return r;
	if (asprintf(&path, "%s/config.json", s->home) < 0) {
		path = NULL;
		return cvx_fail_memory(err);
	}
	r = small_file_read(AT_FDCWD, path, CONFIG_SIZE_MAX, &text, &size, err);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : take_token(s, text, size, err);
}

int settings_load(struct settings *s, const struct settings_places *places,
		  struct cvx_err *err)
{
	int r;

	*s = (struct settings){.environment = places->environment,
			       .env_file_only = places->env_file != NULL};
	s->dir_fd = open(places->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0)
		return cvx_fail(err, -errno, "%s: %s", places->dir,
				strerror(errno));
	r = load_files(s, places, err);
	if (r == 0)
		r = load_login(s, err);
	if (r < 0)
		settings_fini(s);
	return r;
}

void settings_fini(struct settings *s)
{
	size_t i;

	for (i = 0; i < s->file_count; i++) {
		free(s->files[i].path);
		dotenv_fini(&s->files[i].pairs);
	}
	s->file_count = 0;
	free(s->home);
	s->home = NULL;
	secret_free(s->access_token);
	s->access_token = NULL;
	cvx_closep(&s->dir_fd);
	s->dir_fd = -1;
}

/* More of one request can hardly be repeated. */
#define PART_SIZE_MAX ((uint64_t)1 << 30)

int settings_find_part_size(const struct settings *s, uint64_t *ret,
			    struct cvx_err *err)
{
	static const char name[] = "CONVEX_IMPORT_CHUNK_SIZE";
	const char *text = settings_find_in_environment(s, name);
	char *end = NULL;

	*ret = 0;
	if (!text || !text[0])
		return 0;
	errno = 0;
	if (text[0] >= '0' && text[0] <= '9')
		*ret = strtoull(text, &end, 10);
	if (*ret == 0 || errno != 0 || *end || *ret > PART_SIZE_MAX)
		return cvx_fail(err, -EINVAL,
				"%s: \"%.40s\" is no size of parts, which is "
				"1 to %" PRIu64 " bytes",
				name, text, PART_SIZE_MAX);
	return 0;
}
