#include "importer/remote/selection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/remote/deploy_key.h"
#include "importer/remote/secret.h"
#include "importer/remote/selector.h"
#include "importer/remote/settings.h"

#define SELECTING_FLAGS "--prod, --preview-name and --deployment-name"

/* Everything that a decision is made from. */
struct decision {
	const struct selection_flags *flags;
	const struct settings *settings;
	struct selector selector; /* if flags->deployment */
	const char *key;	  /* of the settings; NULL: none */
	const char *key_name;
	const char *name_setting; /* flags->source or CONVEX_DEPLOYMENT */
	struct selection *s;
	struct cvx_err *err;
};

static bool has_plain_flag(const struct selection_flags *f)
{
	return f->prod || f->preview_name || f->deployment_name;
}

/* *ret becomes a copy of the text. */
static int set(char **ret, const char *text, size_t size, struct cvx_err *err)
{
	secret_free(*ret);
	*ret = secret_copy(text, size);
	return *ret ? 0 : cvx_fail_memory(err);
}

static int set_text(char **ret, const char *text, struct cvx_err *err)
{
	return set(ret, text, strlen(text), err);
}

/* SEL-5: the official client takes one and ignores the others. */
static int check_flags(const struct selection_flags *f, struct cvx_err *err)
{
	int count = f->prod + !!f->preview_name + !!f->deployment_name +
		    !!f->deployment;

	if (f->admin_key && !f->url)
		return cvx_fail(err, -EINVAL,
				"--admin-key needs --url with it");
	if (count > 1)
		return cvx_fail(err, -EINVAL,
				"give only one of --prod, --preview-name, "
				"--deployment-name and --deployment");
	if (f->url && f->deployment)
		return cvx_fail(err, -EINVAL,
				"--deployment cannot be used with a URL, which "
				"already says which deployment");
	if ((f->preview_name && !f->preview_name[0]) ||
	    (f->deployment_name && !f->deployment_name[0]))
		return cvx_fail(err, -EINVAL, "%s needs a name",
				f->preview_name ? "--preview-name"
						: "--deployment-name");
	return 0;
}

/* PRV-0: the first of these that is there. */
static int find_credential(struct decision *d)
{
	const char *found =
		d->settings->env_file_only
			? settings_find_in_environment(
				  d->settings, "CONVEX_OVERRIDE_ACCESS_TOKEN")
			: settings_find(d->settings,
					"CONVEX_OVERRIDE_ACCESS_TOKEN");

	if (!found && d->key && deploy_key_kind(d->key) == DEPLOY_KEY_PROJECT)
		found = d->key;
	if (!found && d->key && deploy_key_is_bearer(d->key))
		found = d->key;
	if (!found)
		found = d->settings->access_token;
	if (!found && d->key && deploy_key_kind(d->key) == DEPLOY_KEY_PREVIEW)
		found = d->key;
	return found ? set_text(&d->s->credential, found, d->err) : 0;
}

/* Whether the key is for the deployment at the URL, as far as can be told:
 * https://NAME.convex.cloud and NAME|… or TYPE:NAME|…. */
static bool key_fits_url(const char *key, const char *url)
{
	const char *name, *host = strstr(url, "://");
	size_t size;

	if (!host || deploy_key_kind(key) != DEPLOY_KEY_DEPLOYMENT)
		return false;
	deploy_key_name(key, &name, &size);
	host += 3;
	return size > 0 && strncmp(host, name, size) == 0 && host[size] == '.';
}

/* Whether two URLs differ at most by slashes at their ends. */
static bool is_same_url(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);

	while (n > 0 && a[n - 1] == '/')
		n--;
	while (m > 0 && b[m - 1] == '/')
		m--;
	return n == m && memcmp(a, b, n) == 0;
}

/* A URL alone: the settings must hold its key, and not another's. */
static int find_key_of_url(struct decision *d, const char **ret)
{
	const char *url = settings_find(d->settings, "CONVEX_SELF_HOSTED_URL");
	const char *key =
		settings_find(d->settings, "CONVEX_SELF_HOSTED_ADMIN_KEY");

	if (key && (!url || is_same_url(url, d->flags->url)))
		*ret = key;
	else if (d->key && key_fits_url(d->key, d->flags->url))
		*ret = d->key;
	else if (key)
		return cvx_fail(d->err, -EINVAL,
				"CONVEX_SELF_HOSTED_ADMIN_KEY is the key of "
				"another deployment: CONVEX_SELF_HOSTED_URL is "
				"not the URL that was given");
	else
		return cvx_fail(d->err, -EINVAL,
				"no key for this URL: set "
				"CONVEX_SELF_HOSTED_ADMIN_KEY in the "
				"environment or in an env file");
	return 0;
}

/* Step 1. */
static int decide_url(struct decision *d)
{
	const char *key = d->flags->admin_key;
	int r = 0;

	if (!key)
		r = find_key_of_url(d, &key);
	if (r < 0)
		return r;
	d->s->kind = SELECTION_DIRECT;
	if (has_plain_flag(d->flags))
		d->s->warning = SELECTING_FLAGS
			" are ignored: the URL says which deployment";
	r = set_text(&d->s->url, d->flags->url, d->err);
	return r < 0 ? r : set_text(&d->s->key, key, d->err);
}

/* Step 2: selectors that need nothing from the settings. */
static int decide_whole_selector(struct decision *d)
{
	struct selection *s = d->s;
	int r;

	if (d->selector.kind == SELECTOR_NAME) {
		s->kind = SELECTION_PROJECT;
		s->target = TARGET_NAME;
		s->choice = CHOICE_NAME;
		r = set_text(&s->name, d->selector.text, d->err);
		return r < 0 ? r : set_text(&s->text, d->selector.text, d->err);
	}
	if (d->selector.kind == SELECTOR_LOCAL) {
		s->kind = SELECTION_LOCAL;
		r = set_text(&s->other_team, d->selector.team, d->err);
		return r < 0 ? r
			     : set_text(&s->other_project, d->selector.project,
					d->err);
	}
	s->kind = SELECTION_PROJECT;
	s->target = TARGET_TEAM;
	r = set_text(&s->team, d->selector.team, d->err);
	return r < 0 ? r : set_text(&s->project, d->selector.project, d->err);
}

/* Which deployment of the project the flags name. */
static int choose(struct decision *d)
{
	const struct selection_flags *f = d->flags;
	struct selection *s = d->s;

	if (f->preview_name) {
		s->choice = CHOICE_PREVIEW;
		return set_text(&s->text, f->preview_name, d->err);
	}
	if (f->deployment_name) {
		s->choice = CHOICE_NAME;
		return set_text(&s->text, f->deployment_name, d->err);
	}
	if (f->prod)
		s->choice = CHOICE_PROD;
	if (!f->deployment)
		return 0;
	switch (d->selector.kind) {
	case SELECTOR_PROD:
		s->choice = CHOICE_SELECTOR_PROD;
		return 0;
	case SELECTOR_DEV:
		s->choice = CHOICE_SELECTOR_DEV;
		return 0;
	case SELECTOR_REFERENCE:
		s->choice = CHOICE_SELECTOR_OTHER;
		return set_text(&s->text, d->selector.text, d->err);
	case SELECTOR_NAME:  /* already decided */
	case SELECTOR_LOCAL: /* replaces the result */
		break;
	}
	return 0;
}

/* SEL-9. */
static int check_direct(struct decision *d, const char *what)
{
	if (d->flags->deployment)
		return cvx_fail(d->err, -EINVAL,
				"--deployment cannot be used with %s, which "
				"already says which deployment",
				what);
	return 0;
}

static int decide_project_key(struct decision *d)
{
	struct selection *s = d->s;

	s->kind = SELECTION_PROJECT;
	s->target = TARGET_PROJECT_KEY;
	switch (s->choice) {
	case CHOICE_DEFAULT:
	case CHOICE_PROD:
	case CHOICE_SELECTOR_PROD:
		if (!d->selector.project)
			return 0;
		break;
	case CHOICE_PREVIEW:
	case CHOICE_NAME:
	case CHOICE_SELECTOR_DEV:
	case CHOICE_SELECTOR_OTHER:
		break;
	}
	return cvx_fail(d->err, -EINVAL,
			"a project key (%s) opens the project's own default "
			"and production deployments only, not others",
			d->key_name);
}

/* Step 3. */
static int decide_key(struct decision *d)
{
	struct selection *s = d->s;
	const char *team, *project;
	size_t team_size, project_size;
	int r;

	switch (deploy_key_kind(d->key)) {
	case DEPLOY_KEY_PREVIEW:
		s->kind = SELECTION_PROJECT;
		s->target = TARGET_PREVIEW_KEY;
		deploy_key_project(d->key, &team, &team_size, &project,
				   &project_size);
		if (team_size == 0 || project_size == 0)
			break;
		r = set(&s->team, team, team_size, d->err);
		return r < 0 ? r
			     : set(&s->project, project, project_size, d->err);
	case DEPLOY_KEY_PROJECT:
		return decide_project_key(d);
	case DEPLOY_KEY_DEPLOYMENT:
		r = check_direct(d, "a deploy key");
		if (r < 0)
			return r;
		s->kind = SELECTION_DEPLOY_KEY;
		if (has_plain_flag(d->flags))
			s->warning = SELECTING_FLAGS
				" are ignored: the deploy key says which "
				"deployment";
		return set_text(&s->key, d->key, d->err);
	case DEPLOY_KEY_INVALID:
		break;
	}
	return cvx_fail(d->err, -EINVAL,
			"%s is not a deploy key; copy a new one from the "
			"deployment's settings",
			d->key_name);
}

/* Step 4. */
static int decide_self_hosted(struct decision *d, const char *url,
			      const char *key)
{
	int r;

	if (d->name_setting)
		return cvx_fail(d->err, -EINVAL,
				"%s must not be set when "
				"CONVEX_SELF_HOSTED_URL and "
				"CONVEX_SELF_HOSTED_ADMIN_KEY are",
				d->flags->source ? "a deployment's name"
						 : "CONVEX_DEPLOYMENT");
	if (has_plain_flag(d->flags))
		return cvx_fail(d->err, -EINVAL,
				SELECTING_FLAGS " cannot be used with a "
						"self-hosted deployment");
	r = check_direct(d, "a self-hosted deployment");
	if (r < 0)
		return r;
	d->s->kind = SELECTION_DIRECT;
	r = set_text(&d->s->url, url, d->err);
	return r < 0 ? r : set_text(&d->s->key, key, d->err);
}

/* A half that selects nothing is never passed over. */
static int check_half(struct decision *d, const char *url, const char *key)
{
	static const char *const names[] = {"CONVEX_SELF_HOSTED_URL",
					    "CONVEX_SELF_HOSTED_ADMIN_KEY"};
	char place[128];

	if (!url && !key)
		return 0;
	settings_place(d->settings, names[!url], place, sizeof(place));
	return cvx_fail(d->err, -EINVAL,
			"%s%s selects a deployment only together with %s, "
			"which is not set",
			names[!url], place, names[!!url]);
}

static const char *type_of(const char *name)
{
	static const char *const types[] = {"prod", "dev", "preview", "local"};
	size_t i, size = strcspn(name, ":");

	for (i = 0; name[size] && i < sizeof(types) / sizeof(*types); i++)
		if (strlen(types[i]) == size &&
		    memcmp(types[i], name, size) == 0)
			return types[i];
	return NULL;
}

/* Step 6a, with SEL-10. The official client goes on as if no deployment was
 * named, to the error of that; here it would be another deployment. */
static int decide_anonymous(struct decision *d, const char *name)
{
	const char *allow =
		settings_find(d->settings, "CONVEX_ALLOW_ANONYMOUS");

	if (allow && strcmp(allow, "false") == 0)
		return cvx_fail(d->err, -EINVAL,
				"%s is an anonymous deployment, which "
				"CONVEX_ALLOW_ANONYMOUS=false refuses",
				name);
	if (has_plain_flag(d->flags))
		return cvx_fail(d->err, -EINVAL,
				SELECTING_FLAGS " cannot be used with an "
						"anonymous deployment");
	if (d->flags->deployment && d->selector.kind != SELECTOR_LOCAL)
		return cvx_fail(d->err, -EINVAL,
				"--deployment cannot be used with an anonymous "
				"deployment, which has no project");
	d->s->kind = SELECTION_ANONYMOUS;
	return set_text(&d->s->name, name, d->err);
}

/* Step 6. */
static int decide_name(struct decision *d)
{
	struct selection *s = d->s;
	const char *colon = strrchr(d->name_setting, ':');
	const char *name = colon ? colon + 1 : d->name_setting;
	int r;

	if (!name[0])
		return cvx_fail(d->err, -EINVAL,
				"CONVEX_DEPLOYMENT names no deployment");
	if (strchr(d->name_setting, '|'))
		return cvx_fail(d->err, -EINVAL,
				"CONVEX_DEPLOYMENT holds a key; it is a "
				"deployment's name, and keys belong into "
				"CONVEX_DEPLOY_KEY");
	if (strncmp(name, "anonymous-", strlen("anonymous-")) == 0)
		return decide_anonymous(d, name);
	s->kind = SELECTION_PROJECT;
	s->target = TARGET_NAME;
	s->type = type_of(d->name_setting);
	r = set_text(&s->name, name, d->err);
	if (r < 0 || s->choice != CHOICE_DEFAULT || d->flags->deployment)
		return r;
	if (s->type && strcmp(s->type, "local") == 0) {
		s->kind = SELECTION_LOCAL;
		return 0;
	}
	s->choice = CHOICE_NAME;
	return set_text(&s->text, name, d->err);
}

/* Step 5. */
static int decide_name_flag(struct decision *d)
{
	d->s->kind = SELECTION_PROJECT;
	d->s->target = TARGET_NAME;
	return set_text(&d->s->name, d->flags->deployment_name, d->err);
}

/* Step 7. */
static int decide_none(struct decision *d)
{
	static const char *const builders[] = {"VERCEL", "NETLIFY", "CF_PAGES",
					       "WORKERS_CI"};
	size_t i;

	for (i = 0; i < sizeof(builders) / sizeof(*builders); i++)
		if (settings_find(d->settings, builders[i]))
			return cvx_fail(d->err, -EINVAL,
					"no deployment is selected in this "
					"build (%s is set): set "
					"CONVEX_DEPLOY_KEY, or "
					"CONVEX_SELF_HOSTED_URL and "
					"CONVEX_SELF_HOSTED_ADMIN_KEY",
					builders[i]);
	if (d->settings->env_file_only)
		return cvx_fail(d->err, -EINVAL,
				"env file %s: none of its variables selects a "
				"deployment",
				d->settings->files[0].path);
	if (has_plain_flag(d->flags) || d->flags->deployment)
		return cvx_fail(d->err, -EINVAL,
				"nothing says in which project: set "
				"CONVEX_DEPLOYMENT or CONVEX_DEPLOY_KEY");
	return 0;
}

/* A deploy key opens one deployment: it must be the one that was named. */
static int decide_key_of_source(struct decision *d)
{
	const char *colon = strrchr(d->flags->source, ':');
	const char *want = colon ? colon + 1 : d->flags->source, *name;
	size_t size;

	deploy_key_name(d->key, &name, &size);
	if (strlen(want) != size || memcmp(want, name, size) != 0)
		return cvx_fail(d->err, -EINVAL,
				"%s is the key of another deployment than %s",
				d->key_name, want);
	return decide_key(d);
}

/* Steps 3 to 7. */
static int decide_by_settings(struct decision *d)
{
	const char *url = settings_find(d->settings, "CONVEX_SELF_HOSTED_URL");
	const char *key =
		settings_find(d->settings, "CONVEX_SELF_HOSTED_ADMIN_KEY");
	int r;

	if (d->key && !d->flags->source)
		return decide_key(d);
	if (d->key && deploy_key_kind(d->key) == DEPLOY_KEY_DEPLOYMENT)
		return decide_key_of_source(d);
	if (url && key)
		return decide_self_hosted(d, url, key);
	r = check_half(d, url, key);
	if (r < 0)
		return r;
	if (d->flags->deployment_name)
		return decide_name_flag(d);
	if (d->name_setting)
		r = decide_name(d);
	if (r < 0 || d->s->kind != SELECTION_NONE)
		return r;
	return decide_none(d);
}

/* --deployment local or PROJECT:local replaces what the settings say. */
static int replace_by_local(struct decision *d)
{
	struct selection *s = d->s;

	if (s->kind == SELECTION_ANONYMOUS)
		return 0;
	s->kind = SELECTION_LOCAL;
	if (!s->type || strcmp(s->type, "local") != 0) {
		secret_free(s->name);
		s->name = NULL;
	}
	return d->selector.project ? set_text(&s->other_project,
					      d->selector.project, d->err)
				   : 0;
}

/* PROJECT:X of the target's team. */
static int move_to_project(struct decision *d)
{
	if (d->s->kind != SELECTION_PROJECT || !d->selector.project)
		return 0;
	return set_text(&d->s->other_project, d->selector.project, d->err);
}

static int decide(struct decision *d)
{
	static const char missing[] = "<missing_deploy_key:";
	bool whole;
	int r;

	d->key = settings_find_deploy_key(d->settings, &d->key_name);
	if (d->key && strncmp(d->key, missing, strlen(missing)) == 0)
		return cvx_fail(d->err, -EINVAL, "%.*s",
				(int)strcspn(d->key + strlen(missing), ">"),
				d->key + strlen(missing));
	d->name_setting = d->flags->source ? d->flags->source
					   : settings_find(d->settings,
							   "CONVEX_DEPLOYMENT");
	r = find_credential(d);
	if (r == 0)
		r = choose(d);
	if (r < 0)
		return r;
	whole = d->flags->deployment &&
		(d->selector.kind == SELECTOR_NAME || d->selector.team);
	if (whole)
		return decide_whole_selector(d);
	if (d->flags->deployment && d->selector.kind == SELECTOR_LOCAL &&
	    !d->selector.project && !d->key && !d->name_setting) {
		d->s->kind = SELECTION_LOCAL;
		return 0;
	}
	r = decide_by_settings(d);
	if (r < 0 || !d->flags->deployment)
		return r;
	return d->selector.kind == SELECTOR_LOCAL ? replace_by_local(d)
						  : move_to_project(d);
}

int selection_decide(struct selection *ret, const struct selection_flags *flags,
		     const struct settings *settings, struct cvx_err *err)
{
	struct selection s = {.kind = SELECTION_NONE};
	struct decision d = {
		.flags = flags, .settings = settings, .s = &s, .err = err};
	int r;

	r = check_flags(flags, err);
	if (r == 0 && flags->deployment)
		r = selector_read(&d.selector, flags->deployment, err);
	if (r < 0)
		return r;
	if (flags->url && flags->admin_key)
		r = decide_url(&d);
	else if (flags->url) {
		d.key = settings_find_deploy_key(settings, &d.key_name);
		r = decide_url(&d);
	} else {
		r = decide(&d);
	}
	selector_fini(&d.selector);
	if (r < 0)
		selection_fini(&s);
	else
		*ret = s;
	return r;
}

void selection_fini(struct selection *s)
{
	secret_free(s->url);
	secret_free(s->key);
	secret_free(s->name);
	secret_free(s->team);
	secret_free(s->project);
	secret_free(s->text);
	secret_free(s->other_team);
	secret_free(s->other_project);
	secret_free(s->credential);
	*s = (struct selection){.kind = SELECTION_NONE};
}
