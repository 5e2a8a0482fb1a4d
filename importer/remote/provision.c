#include "importer/remote/provision.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/remote/deploy_key.h"
#include "importer/remote/halt.h"
#include "importer/remote/http.h"
#include "importer/remote/local_record.h"
#include "importer/remote/secret.h"
#include "importer/remote/selection.h"
#include "importer/remote/settings.h"

#define DEFAULT_HOST "https://api.convex.dev"
#define PATH_MAX_SIZE ((size_t)8192)

/* One provisioning under way. */
struct provisioning {
	const struct selection *s;
	const struct settings *settings;
	const struct provision_settings *how;
	struct http *http;
	char *team; /* what the access check told, or the selection */
	char *project;
	struct remote_access *access;
	struct cvx_err *err;
};

static void http_freep(struct http **h)
{
	http_free(*h);
}

static void secret_delete_jsonp(cJSON **json)
{
	secret_delete_json(*json);
}

static const char *text_of(const cJSON *object, const char *key)
{
	return cJSON_GetStringValue(
		cJSON_GetObjectItemCaseSensitive(object, key));
}

static int set(char **ret, const char *text, struct cvx_err *err)
{
	secret_free(*ret);
	*ret = secret_copy_text(text);
	return *ret ? 0 : cvx_fail_memory(err);
}

static bool is_one_of(const char *code, const char *const *codes)
{
	for (; *codes; codes++)
		if (strcmp(*codes, code) == 0)
			return true;
	return false;
}

/* PRV-3, PRV-4: how a missing right is said. */
static int explain(struct provisioning *p, const struct http_answer *answer)
{
	static const char *const none[] = {
		"DeploymentNotFound", "ProjectNotFound", "TeamNotFound", NULL};
	char msg[CVX_ERR_MSG_SIZE];

	if (!p->err)
		return -EACCES;
	(void)snprintf(msg, sizeof(msg), "%s", p->err->msg);
	if (is_one_of(answer->code, none))
		return cvx_fail(p->err, -EACCES,
				"no such project or deployment, or no access "
				"to it (%s)",
				msg);
	if (answer->status == 401)
		return cvx_fail(p->err, -EACCES,
				"%s; log in with npx convex login, or set "
				"CONVEX_DEPLOY_KEY",
				msg);
	return p->err->code;
}

/* Network errors are repeated, statuses are not (PRV-0a). */
static int perform(struct provisioning *p, const struct http_call *call,
		   struct http_answer *answer)
{
	unsigned number;
	int r;

	for (number = 1;; number++) {
		r = http_perform(p->http, call, answer, p->err);
		if (r == 0 || answer->status != 0 ||
		    (answer->outcome != HTTP_NOT_SENT &&
		     answer->outcome != HTTP_AMBIGUOUS) ||
		    !http_wait_to_repeat(p->http, number, answer, call->halt))
			break;
		http_answer_fini(answer);
	}
	if (r < 0)
		return explain(p, answer);
	if (answer->deprecation && !p->access->notice)
		p->access->notice = CVX_TAKE(answer->deprecation);
	return 0;
}

/* One call; body is deleted. */
static int ask(struct provisioning *p, const char *method, const char *path,
	       cJSON *body, cJSON **ret)
{
	CVX_AUTO(secret_freep) char *text = NULL;
	struct http_call call = {.method = method,
				 .path = path,
				 .total_ms = HTTP_TOTAL_MS,
				 .halt = p->how->halt};
	struct http_answer answer;
	int r;

	if (strcmp(method, "POST") == 0) {
		text = cJSON_PrintUnformatted(body);
		secret_delete_json(body);
		if (!text)
			return cvx_fail_memory(p->err);
		call.content_type = "application/json";
		call.body = text;
		call.body_size = strlen(text);
	}
	r = perform(p, &call, &answer);
	if (r == 0 && answer.status != 200)
		r = http_fail_answer(&call, answer.status, p->err,
				     "it should be of status 200");
	if (r == 0)
		r = http_parse(&call, &answer, ret, p->err);
	http_answer_fini(&answer);
	return r;
}

/* ask() takes no other status than 200. */
static int fail_field(struct provisioning *p, const char *method,
		      const char *path, const char *field)
{
	const struct http_call call = {.method = method, .path = path};

	return http_fail_answer(&call, 200, p->err, "%s is missing", field);
}

/* before, the text as one segment of a path, and behind. */
static int append_segment(struct cvx_buf *path, const char *before,
			  const char *text, const char *behind)
{
	int r = cvx_buf_puts(path, before);

	if (r == 0)
		r = http_escape(path, text);
	return r == 0 ? cvx_buf_puts(path, behind) : r;
}

static int end_path(struct cvx_buf *path, struct cvx_err *err)
{
	int r = cvx_buf_append(path, "", 1);

	return r < 0 ? cvx_fail(err, r, "a name is too long") : 0;
}

/* PRV-3. */
static int check_name(struct provisioning *p)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf path = CVX_BUF_INIT(PATH_MAX_SIZE);
	CVX_AUTO(secret_delete_jsonp) cJSON *tp = NULL;
	int r;

	(void)append_segment(&path, "/api/deployment/", p->s->name,
			     "/team_and_project"); /* end_path() tells */
	r = end_path(&path, p->err);
	if (r == 0)
		r = ask(p, "GET", path.data, NULL, &tp);
	if (r < 0)
		return r;
	if (!text_of(tp, "team") || !text_of(tp, "project"))
		return fail_field(p, "GET", path.data, "team or project");
	r = set(&p->team, text_of(tp, "team"), p->err);
	return r < 0 ? r : set(&p->project, text_of(tp, "project"), p->err);
}

static int print_project(struct provisioning *p, struct cvx_buf *path)
{
	int r = append_segment(path, "/v1/teams/", p->team, "/projects/");

	return r == 0 ? http_escape(path, p->project) : r;
}

/* PRV-4. */
static int check_project(struct provisioning *p)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf path = CVX_BUF_INIT(PATH_MAX_SIZE);
	CVX_AUTO(secret_delete_jsonp) cJSON *project = NULL;
	int r;

	(void)print_project(p, &path); /* end_path() tells */
	r = end_path(&path, p->err);
	return r < 0 ? r : ask(p, "GET", path.data, NULL, &project);
}

/* The access check of the target. */
static int check_target(struct provisioning *p)
{
	int r = 0;

	if (p->s->team && !p->team)
		r = set(&p->team, p->s->team, p->err);
	if (r == 0 && p->s->project && !p->project)
		r = set(&p->project, p->s->project, p->err);
	if (r < 0)
		return r;
	switch (p->s->target) {
	case TARGET_NAME:
		return check_name(p);
	case TARGET_PREVIEW_KEY:
	case TARGET_TEAM:
		return check_project(p);
	case TARGET_PROJECT_KEY:
		break;
	}
	return 0;
}

/* A body of pairs; a value NULL stands for null. NULL without memory. */
static cJSON *make_body(const char *const pairs[][2], size_t count)
{
	cJSON *body = cJSON_CreateObject();
	size_t i;

	for (i = 0; i < count; i++) {
		cJSON *value = pairs[i][1] ? cJSON_CreateString(pairs[i][1])
					   : cJSON_CreateNull();

		if (!cJSON_AddItemToObject(body, pairs[i][0], value)) {
			cJSON_Delete(value);
			secret_delete_json(body);
			return NULL;
		}
	}
	return body;
}

/* What every call that authorizes answers. */
static int take_access(struct provisioning *p, const char *path,
		       const cJSON *da)
{
	struct remote_access *a = p->access;
	const char *url = text_of(da, "url"), *key = text_of(da, "adminKey");
	const char *name = text_of(da, "deploymentName");
	const char *type = text_of(da, "deploymentType");
	int r;

	if (!url || !key)
		return fail_field(p, "POST", path, url ? "adminKey" : "url");
	r = http_origin(url, &a->origin, p->err);
	if (r == 0)
		r = set(&a->key, key, p->err);
	if (r == 0 && name)
		r = set(&a->name, name, p->err);
	if (r == 0 && type)
		r = set(&a->type, type, p->err);
	return r;
}

static int authorize(struct provisioning *p, const char *path, cJSON *body)
{
	CVX_AUTO(secret_delete_jsonp) cJSON *da = NULL;
	int r;

	if (!body)
		return cvx_fail_memory(p->err);
	r = ask(p, "POST", path, body, &da);
	return r < 0 ? r : take_access(p, path, da);
}

/* PS of 2.7, of the target or of its project. */
static cJSON *make_project_selection(const struct provisioning *p, bool by_name)
{
	const char *const name[][2] = {
		{"kind", "deploymentName"},
		{"deploymentName", p->s->name},
		{"deploymentType", p->s->type},
	};
	const char *const slugs[][2] = {
		{"kind", "teamAndProjectSlugs"},
		{"teamSlug", p->team},
		{"projectSlug", p->project},
	};

	return make_body(by_name ? name : slugs, 3);
}

/* PRV-6 and PRV-7. */
static int authorize_in_project(struct provisioning *p, const char *path,
				const char *field, const char *value,
				bool by_name)
{
	const char *const pairs[][2] = {{field, value}};
	cJSON *body = make_body(pairs, 1);
	cJSON *ps = make_project_selection(p, by_name);

	if (!ps || !cJSON_AddItemToObject(body, "projectSelection", ps)) {
		cJSON_Delete(ps);
		cJSON_Delete(body);
		return cvx_fail_memory(p->err);
	}
	return authorize(p, path, body);
}

static int authorize_name(struct provisioning *p, const char *name,
			  bool by_name)
{
	return authorize_in_project(
		p, "/api/deployment/authorize_within_current_project",
		"selectedDeploymentName", name, by_name);
}

/* PRV-8. */
static int authorize_type(struct provisioning *p, const char *type)
{
	const char *const pairs[][2] = {{"teamSlug", p->team},
					{"projectSlug", p->project},
					{"deploymentType", type}};

	return authorize(p, "/api/deployment/provision_and_authorize",
			 make_body(pairs, 3));
}

static int authorize_prod(struct provisioning *p)
{
	const char *const pairs[][2] = {{"deploymentName", p->s->name}};

	if (p->s->target != TARGET_NAME)
		return authorize_type(p, "prod");
	return authorize(p, "/api/deployment/authorize_prod",
			 make_body(pairs, 1));
}

/* PRV-9 or, with a reference, PRV-10, then PRV-7. */
static int authorize_reference(struct provisioning *p, const char *reference)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf path = CVX_BUF_INIT(PATH_MAX_SIZE);
	CVX_AUTO(secret_delete_jsonp) cJSON *found = NULL;
	int r;

	r = check_target(p);
	if (r < 0)
		return r;
	(void)print_project(p, &path); /* end_path() tells */
	if (reference)
		(void)append_segment(&path, "/deployment?reference=", reference,
				     "");
	else
		(void)cvx_buf_puts(&path, "/deployment?defaultDev=true");
	r = end_path(&path, p->err);
	if (r == 0)
		r = ask(p, "GET", path.data, NULL, &found);
	if (r < 0)
		return r;
	if (!text_of(found, "name"))
		return fail_field(p, "GET", path.data, "name");
	return authorize_name(p, text_of(found, "name"), false);
}

static int choose(struct provisioning *p)
{
	const struct selection *s = p->s;
	bool by_name = s->target == TARGET_NAME;

	switch (s->choice) {
	case CHOICE_DEFAULT:
		return authorize_type(p, "dev");
	case CHOICE_PROD:
	case CHOICE_SELECTOR_PROD:
		return authorize_prod(p);
	case CHOICE_PREVIEW:
		return authorize_in_project(p,
					    "/api/deployment/authorize_preview",
					    "previewName", s->text, by_name);
	case CHOICE_NAME:
		return authorize_name(p, s->text, by_name);
	case CHOICE_SELECTOR_DEV:
		return authorize_reference(p, NULL);
	case CHOICE_SELECTOR_OTHER:
		return authorize_reference(p, s->text);
	}
	return -EINVAL;
}

/* PROJECT:X: the target tells the team only; then as TEAM:PROJECT:X. */
static int move_to_project(struct provisioning *p)
{
	const struct selection *before = p->s;
	struct selection moved = *before;
	int r;

	r = set(&p->project, p->s->other_project, p->err);
	if (r < 0)
		return r;
	moved.target = TARGET_TEAM;
	p->s = &moved;
	r = check_target(p);
	if (r == 0)
		r = choose(p);
	p->s = before;
	return r;
}

static int open_host(struct provisioning *p)
{
	const char *host = settings_find_in_environment(
		p->settings, "CONVEX_PROVISION_HOST");
	CVX_AUTO(cvx_freep) char *origin = NULL;
	CVX_AUTO(secret_freep) char *bearer = NULL;
	struct http_settings settings = {.idle_ms = p->how->idle_ms,
					 .backoff_ms = p->how->backoff_ms,
					 .secret = p->s->key};
	int r;

	r = http_origin(host ? host : DEFAULT_HOST, &origin, p->err);
	if (r < 0)
		return cvx_err_prefix(p->err, "CONVEX_PROVISION_HOST");
	settings.origin = origin;
	if (p->s->credential) {
		bearer = secret_join("Bearer ", p->s->credential, "");
		if (!bearer)
			return cvx_fail_memory(p->err);
		settings.authorization = bearer;
	}
	return http_new(&settings, &p->http, p->err);
}

static int provision_project(struct provisioning *p)
{
	int r = open_host(p);

	if (r == 0)
		r = check_target(p);
	if (r < 0)
		return r;
	return p->s->other_project ? move_to_project(p) : choose(p);
}

/* PRV-1 and PRV-2. */
static int provision_deploy_key(struct provisioning *p)
{
	const char *const pairs[][2] = {{"deployKey", p->s->key}};
	CVX_AUTO(secret_delete_jsonp) cJSON *url = NULL;
	CVX_AUTO(secret_delete_jsonp) cJSON *tp = NULL;
	int r = open_host(p);

	if (r == 0)
		r = ask(p, "POST", "/api/deployment/url_for_key",
			make_body(pairs, 1), &url);
	if (r < 0)
		return r;
	if (!cJSON_IsString(url))
		return fail_field(p, "POST", "/api/deployment/url_for_key",
				  "the URL");
	r = http_origin(url->valuestring, &p->access->origin, p->err);
	if (r == 0)
		r = ask(p, "POST", "/api/deployment/team_and_project_for_key",
			make_body(pairs, 1), &tp);
	return r < 0 ? r : set(&p->access->key, p->s->key, p->err);
}

/* LOC-4. */
static int check_alive(struct provisioning *p, const char *name)
{
	const struct http_call call = {.method = "GET",
				       .path = "/instance_name",
				       .total_ms = HTTP_CONNECT_MS,
				       .no_authorization = true,
				       .halt = p->how->halt};
	const struct http_settings settings = {.origin = p->access->origin,
					       .idle_ms = p->how->idle_ms};
	CVX_AUTO(http_freep) struct http *http = NULL;
	struct http_answer answer;
	int r;

	r = http_new(&settings, &http, p->err);
	if (r < 0)
		return r;
	r = http_perform(http, &call, &answer, p->err);
	if (r < 0 && answer.status == 0)
		(void)cvx_err_prefix(p->err,
				     "the local deployment does not run (start "
				     "it with npx convex dev)");
	else if (r < 0)
		(void)cvx_err_prefix(p->err,
				     "what runs at %s is not the local "
				     "deployment",
				     p->access->origin);
	else if (name && (answer.body.size != strlen(name) ||
			  memcmp(answer.body.data, name, strlen(name)) != 0))
		r = cvx_fail(p->err, -EINVAL,
			     "another deployment than %s runs at %s: halt it, "
			     "or select it",
			     name, p->access->origin);
	http_answer_fini(&answer);
	return r;
}

/* PRV-11: PROJECT:local must be the project that the record belongs to. */
static int check_record(struct provisioning *p,
			const struct local_record *record)
{
	CVX_AUTO(secret_delete_jsonp) cJSON *project = NULL;
	const struct selection *s = p->s;
	const char *slug, *team;
	char path[64];
	int r;

	if (!s->other_project || record->project_id == 0)
		return 0;
	(void)snprintf(path, sizeof(path), "/v1/projects/%llu",
		       (unsigned long long)record->project_id);
	r = p->http ? 0 : open_host(p);
	if (r == 0)
		r = ask(p, "GET", path, NULL, &project);
	if (r < 0)
		return r;
	slug = text_of(project, "slug");
	team = text_of(project, "teamSlug");
	if (slug && strcmp(slug, s->other_project) == 0 &&
	    (!s->other_team || (team && strcmp(team, s->other_team) == 0)))
		return 0;
	return cvx_fail(p->err, -EINVAL,
			"the local deployment of this folder belongs to "
			"another project than %s",
			s->other_project);
}

static int provision_record(struct provisioning *p, bool anonymous)
{
	struct local_record record = {NULL, NULL, NULL, 0};
	const struct selection *s = p->s;
	const char *name;
	int r = 0;

	/* LOC-2: a local deployment of a project needs the right to it. */
	if (!anonymous && s->name) {
		r = open_host(p);
		if (r == 0)
			r = check_name(p);
	}
	if (r == 0)
		r = local_record_find(&record, p->settings, s->name, anonymous,
				      p->err);
	if (r < 0)
		return r;
	name = s->name ? s->name : record.name;
	p->access->origin = CVX_TAKE(record.url);
	p->access->key = CVX_TAKE(record.key);
	if (name)
		r = set(&p->access->name, name, p->err);
	if (r == 0)
		r = set(&p->access->type, anonymous ? "anonymous" : "local",
			p->err);
	if (r == 0)
		r = check_record(p, &record);
	if (r == 0)
		r = check_alive(p, name);
	local_record_fini(&record);
	return r;
}

static int provision_direct(struct provisioning *p)
{
	int r = http_origin(p->s->url, &p->access->origin, p->err);

	return r < 0 ? r : set(&p->access->key, p->s->key, p->err);
}

static int provision_kind(struct provisioning *p)
{
	switch (p->s->kind) {
	case SELECTION_DIRECT:
		return provision_direct(p);
	case SELECTION_DEPLOY_KEY:
		return provision_deploy_key(p);
	case SELECTION_PROJECT:
		return provision_project(p);
	case SELECTION_LOCAL:
		return provision_record(p, false);
	case SELECTION_ANONYMOUS:
		return provision_record(p, true);
	case SELECTION_NONE:
		break;
	}
	return cvx_fail(p->err, -EINVAL,
			"no deployment is selected: set CONVEX_DEPLOYMENT, "
			"CONVEX_DEPLOY_KEY, or CONVEX_SELF_HOSTED_URL and "
			"CONVEX_SELF_HOSTED_ADMIN_KEY");
}

/* What nobody told: the name in the key, or the host. */
static int find_name(struct remote_access *a, struct cvx_err *err)
{
	const char *name = strstr(a->origin, "://") + 3;
	size_t size = strlen(name), key_size;
	const char *of_key;

	if (a->name)
		return 0;
	if (strchr(a->key, '|')) {
		deploy_key_name(a->key, &of_key, &key_size);
		if (key_size > 0) {
			name = of_key;
			size = key_size;
		}
	}
	a->name = secret_copy(name, size);
	return a->name ? 0 : cvx_fail_memory(err);
}

int provision(const struct selection *selection,
	      const struct settings *settings,
	      const struct provision_settings *how, struct remote_access *ret,
	      struct cvx_err *err)
{
	struct remote_access access = {.origin = NULL};
	struct provisioning p = {.s = selection,
				 .settings = settings,
				 .how = how,
				 .access = &access,
				 .err = err};
	int r;

	r = settings_find_part_size(settings, &access.part_size, err);
	if (r == 0)
		r = provision_kind(&p);
	if (r == 0)
		r = find_name(&access, err);
	http_free(p.http);
	secret_free(p.team);
	secret_free(p.project);
	if (r < 0)
		remote_access_fini(&access);
	else
		*ret = access;
	return r;
}

void remote_access_fini(struct remote_access *a)
{
	free(a->origin);
	secret_free(a->key);
	free(a->name);
	free(a->type);
	free(a->notice);
	*a = (struct remote_access){.origin = NULL};
}

int remote_open(const struct remote_access *a,
		const struct provision_settings *how, struct http **ret,
		struct cvx_err *err)
{
	CVX_AUTO(secret_freep)
	char *authorization = secret_join("Convex ", a->key, "");
	const struct http_settings settings = {
		.origin = a->origin,
		.authorization = authorization,
		.idle_ms = how ? how->idle_ms : 0,
		.is_brief = how && how->is_brief,
		.backoff_ms = how ? how->backoff_ms : 0,
	};

	if (!authorization)
		return cvx_fail_memory(err);
	return http_new(&settings, ret, err);
}

int remote_check_key(struct http *http, const struct halt *halt,
		     struct cvx_err *err)
{
	const struct http_call call = {.method = "GET",
				       .path = "/api/check_admin_key",
				       .content_type = "application/json",
				       .total_ms = HTTP_TOTAL_MS,
				       .repetitions_max = 2,
				       .halt = halt};
	struct http_answer answer;
	int r = http_perform_repeated(http, &call, true, &answer, err);

	http_answer_fini(&answer);
	return r == -ENOENT ? 0 : r;
}
