#include "fs/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "fs/paths.h"
#include "importer/remote/selection.h"
#include "importer/remote/settings.h"

#define NOT_BUILT_YET                                                          \
	"that is not built yet; the embedded deployment is the source local"

static int fail_remote(const char *what, struct cvx_err *err)
{
	return cvx_fail(err, -ENOTSUP, "%s: " NOT_BUILT_YET, what);
}

static bool is_local(const char *source)
{
	return source && (strcmp(source, "local") == 0 ||
			  strncmp(source, "local:", 6) == 0);
}

/* "local", "local:DIR", or nothing. */
static int find_local(const char *source, char **ret_dir, struct cvx_err *err)
{
	if (!source || strcmp(source, "local") == 0)
		return path_in_home("XDG_DATA_HOME", ".local/share", "local",
				    ret_dir, err);
	if (!source[6])
		return cvx_fail(err, -EINVAL,
				"local: needs a folder behind it");
	return path_resolve(source + 6, ret_dir, err);
}

/* A word that is not "local". It is repeated only where it cannot be a key. */
static int check_word(const char *source, struct cvx_err *err)
{
	if (strchr(source, '|'))
		return cvx_fail(err, -EINVAL,
				"keys do not belong on a command line, where "
				"every user of the machine can read them");
	if (strchr(source, '/') && !strchr(source, ':'))
		return cvx_fail(err, -EINVAL,
				"unknown source; a deployment in a folder is "
				"written local:%s",
				source);
	return 0;
}

static int load_settings(const char *env_file, struct settings *ret,
			 struct cvx_err *err)
{
	const struct settings_places places = {
		.environment = (const char *const *)environ,
		.dir = ".",
		.env_file = env_file,
	};
	int r = settings_load(ret, &places, err);

	if (r == 0 && ret->warning)
		log_warning("%s", ret->warning);
	return r;
}

static bool is_url(const char *source)
{
	return source && strstr(source, "://");
}

static bool has_flags(const struct source_flags *f)
{
	return f->url || f->admin_key || f->prod || f->preview_name ||
	       f->deployment_name || f->deployment;
}

static int check_flags(const struct source_flags *f, struct cvx_err *err)
{
	if (is_local(f->source) && has_flags(f))
		return cvx_fail(err, -EINVAL,
				"%s is a deployment on this machine; --url, "
				"--prod and the like select one elsewhere",
				f->source);
	if (f->url && f->source)
		return cvx_fail(err, -EINVAL,
				"--url and a source both say which deployment; "
				"give one of them");
	return f->source && !is_local(f->source) ? check_word(f->source, err)
						 : 0;
}

static int decide(const struct source_flags *f, const struct settings *settings,
		  struct selection *ret, struct cvx_err *err)
{
	const struct selection_flags flags = {
		.url = is_url(f->source) ? f->source : f->url,
		.source = is_url(f->source) ? NULL : f->source,
		.admin_key = f->admin_key,
		.prod = f->prod,
		.preview_name = f->preview_name,
		.deployment_name = f->deployment_name,
		.deployment = f->deployment,
	};

	return selection_decide(ret, &flags, settings, err);
}

static int provision_selected(const struct selection *selection,
			      const struct settings *settings,
			      struct source *ret, struct cvx_err *err)
{
	const struct provision_settings how = {.halt = NULL};
	int r;

	if (selection->kind == SELECTION_NONE)
		return find_local(NULL, &ret->dir, err);
	if (selection->warning)
		log_warning("%s", selection->warning);
	r = provision(selection, settings, &how, &ret->access, err);
	if (r == 0 && ret->access.notice)
		log_warning("%s", ret->access.notice);
	return r;
}

int source_select(const struct source_flags *flags, struct source *ret,
		  struct cvx_err *err)
{
	struct source s = {.dir = NULL};
	struct selection selection;
	struct settings settings;
	int r;

	r = check_flags(flags, err);
	if (r == 0)
		r = load_settings(flags->env_file, &settings, err);
	if (r < 0)
		return r;
	if (is_local(flags->source)) {
		r = find_local(flags->source, &s.dir, err);
	} else {
		r = decide(flags, &settings, &selection, err);
		if (r == 0) {
			r = provision_selected(&selection, &settings, &s, err);
			selection_fini(&selection);
		}
	}
	settings_fini(&settings);
	if (r == 0)
		*ret = s;
	return r;
}

void source_fini(struct source *s)
{
	free(s->dir);
	s->dir = NULL;
	remote_access_fini(&s->access);
}

/* --- for embedded deployments only --------------------------------------- */

/* Names the variable that decided, and where it stands. */
static int fail_selected(const struct settings *settings, struct cvx_err *err)
{
	static const char *const names[] = {
		"CONVEX_DEPLOY_KEY",	  "CONVEX_DEPLOYMENT_TOKEN",
		"CONVEX_SELF_HOSTED_URL", "CONVEX_SELF_HOSTED_ADMIN_KEY",
		"CONVEX_DEPLOYMENT",
	};
	char place[256], what[400];
	size_t i;

	for (i = 0; i + 1 < sizeof(names) / sizeof(*names); i++)
		if (settings_find(settings, names[i]))
			break; /* else it is the last one */
	settings_place(settings, names[i], place, sizeof(place));
	(void)snprintf(what, sizeof(what),
		       "%s%s selects a deployment elsewhere", names[i],
		       place[0] ? place : " in the environment");
	return fail_remote(what, err);
}

static int check_nothing_selected(const struct settings *settings,
				  struct cvx_err *err)
{
	const struct source_flags none = {.source = NULL};
	struct selection selection;
	enum selection_kind kind;
	int r = decide(&none, settings, &selection, err);

	if (r < 0)
		return r;
	kind = selection.kind;
	selection_fini(&selection);
	return kind == SELECTION_NONE ? 0 : fail_selected(settings, err);
}

int source_find(const char *source, const char *env_file, char **ret_dir,
		struct cvx_err *err)
{
	struct settings settings;
	char what[256];
	int r;

	if (source && !is_local(source)) {
		r = check_word(source, err);
		if (r < 0)
			return r;
		if (is_url(source))
			return fail_remote("a URL is a deployment elsewhere",
					   err);
		(void)snprintf(what, sizeof(what),
			       "'%s' would be the name of a deployment "
			       "elsewhere",
			       source);
		return fail_remote(what, err);
	}
	if (source && !env_file)
		return find_local(source, ret_dir, err);
	r = load_settings(env_file, &settings, err);
	if (r < 0)
		return r;
	r = source ? 0 : check_nothing_selected(&settings, err);
	settings_fini(&settings);
	return r < 0 ? r : find_local(source, ret_dir, err);
}
