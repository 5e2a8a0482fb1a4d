#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "importer/remote/provision.h"
#include "importer/remote/selection.h"
#include "importer/remote/settings.h"
#include "tests/unit/loopback.h"
#include "tests/unit/room.h"

#define SELECT_FILE "tests/data/transcripts/select.json"

/* A run of the official client, served again and compared. */
struct run {
	const cJSON *transcript;
	const cJSON *next; /* the call that must come */
	struct loopback *provision;
	struct loopback *deployment;
	char fault[1024]; /* the first thing that was not as expected */
};

/* One of the two servers. */
struct side {
	struct run *run;
	const char *name;
};

static const char *text_of(const cJSON *object, const char *key)
{
	return cJSON_GetStringValue(
		cJSON_GetObjectItemCaseSensitive(object, key));
}

/* The recorded text with the ports of our servers; the caller frees it. */
static char *with_ports(const struct run *run, const char *text)
{
	static const char *const before[] = {"8050", "3210", ".convex-test/"};
	char *out = calloc(1, strlen(text) * 2 + 64);
	char home[64];
	const char *const after[] = {loopback_port(run->provision),
				     loopback_port(run->deployment), home};
	size_t i, n = 0;

	assert_non_null(out);
	(void)snprintf(home, sizeof(home), ".convex-test-%s/",
		       loopback_port(run->provision));
	while (*text) {
		for (i = 0; i < 3; i++)
			if (strncmp(text, before[i], strlen(before[i])) == 0)
				break;
		if (i == 3) {
			out[n++] = *text++;
			continue;
		}
		memcpy(out + n, after[i], strlen(after[i]));
		n += strlen(after[i]);
		text += strlen(before[i]);
	}
	return out;
}

static void complain(struct run *run, const char *what, const char *got,
		     const char *want)
{
	if (!run->fault[0])
		(void)snprintf(run->fault, sizeof(run->fault),
			       "%s: %s is '%s', not '%s'",
			       text_of(run->transcript, "name"), what, got,
			       want ? want : "(none)");
}

static void expect(struct run *run, const char *what, const char *got,
		   const char *want)
{
	if (!want || strcmp(got, want) != 0)
		complain(run, what, got, want);
}

static void expect_query(struct run *run, const char *got, const cJSON *query)
{
	const cJSON *one = query->child;
	char want[256] = "";

	if (one) /* none has more than one */
		(void)snprintf(want, sizeof(want), "%s=%s", one->string,
			       strcmp(one->valuestring, "preview/pr-42") == 0
				       ? "preview%2Fpr-42"
				       : one->valuestring);
	expect(run, "query", got, want);
}

static void expect_headers(struct run *run, const struct loopback_request *q,
			   const cJSON *call)
{
	const char *key = text_of(call, "authorization");
	char line[256];

	(void)snprintf(line, sizeof(line), "Authorization: %s", key ? key : "");
	if (key ? !loopback_has_header(q, line)
		: strcasestr(q->headers, "authorization:") != NULL)
		complain(run, "authorization", q->headers, key);
	if (!loopback_has_header(q,
				 "Convex-Client: convexfs-" CONVEXFS_VERSION))
		complain(run, "client", q->headers, "convexfs");
	if (loopback_has_header(q, "Content-Type: application/json") !=
	    (strcmp(q->method, "POST") == 0))
		complain(run, "content type", q->headers, "only for POST");
}

static void expect_body(struct run *run, const struct loopback_request *q,
			const cJSON *call)
{
	const cJSON *want = cJSON_GetObjectItem(call, "body");
	cJSON *got = cJSON_Parse(q->body);

	if (cJSON_IsNull(want) ? q->body_size != 0
			       : !cJSON_Compare(got, want, true))
		complain(run, "body", q->body, "another");
	cJSON_Delete(got);
}

static void answer(struct run *run, const cJSON *say, struct loopback_answer *a)
{
	const cJSON *json = cJSON_GetObjectItem(say, "json");
	char *text = json ? cJSON_PrintUnformatted(json)
			  : strdup(text_of(say, "text"));

	a->status = cJSON_GetObjectItem(say, "status")->valueint;
	a->body = with_ports(run, text);
	free(text);
	if (cJSON_GetObjectItem(say, "headers")->child)
		a->headers = "x-convex-deprecation-state: UpgradeRequired\r\n"
			     "x-convex-deprecation-message: stub: please "
			     "upgrade\r\n";
}

static void play(void *ctx, const struct loopback_request *q,
		 struct loopback_answer *a)
{
	struct side *side = ctx;
	struct run *run = side->run;
	const cJSON *call = run->next;

	a->status = 500;
	if (!call) {
		complain(run, "call", q->path, NULL);
		return;
	}
	run->next = call->next;
	expect(run, "server", side->name, text_of(call, "server"));
	expect(run, "method", q->method, text_of(call, "method"));
	expect(run, "path", q->path, text_of(call, "path"));
	expect_query(run, q->query, cJSON_GetObjectItem(call, "query"));
	expect_headers(run, q, call);
	expect_body(run, q, call);
	answer(run, cJSON_GetObjectItem(call, "answer"), a);
}

static void
put_files(const struct run *run, const struct room *room, const char *key,
	  void (*put)(const struct room *, const char *, const char *))
{
	const cJSON *one;

	cJSON_ArrayForEach(one, cJSON_GetObjectItem(run->transcript, key))
	{
		char *path = with_ports(run, one->string);
		char *text = with_ports(run, one->valuestring);

		put(room, path, text);
		free(path);
		free(text);
	}
}

static void furnish(const struct run *run, struct room *room)
{
	const cJSON *one;

	room_init(room);
	cJSON_ArrayForEach(one, cJSON_GetObjectItem(run->transcript, "env"))
	{
		char *value = with_ports(run, one->valuestring);

		room_set(room, one->string, value);
		free(value);
	}
	put_files(run, room, "project_files", room_put);
	put_files(run, room, "home_files", room_put_home);
}

/* From the words of the command line to a URL and a key. */
static int select_and_provision(const struct run *run, const struct room *room,
				struct remote_access *access, bool *ret_warned,
				struct cvx_err *err)
{
	const cJSON *words = cJSON_GetObjectItem(run->transcript, "flags");
	char *url = text_of(words, "url")
			    ? with_ports(run, text_of(words, "url"))
			    : NULL;
	const struct selection_flags flags = {
		.url = url,
		.admin_key = text_of(words, "admin-key"),
		.prod = cJSON_HasObjectItem(words, "prod"),
		.preview_name = text_of(words, "preview-name"),
		.deployment_name = text_of(words, "deployment-name"),
		.deployment = text_of(words, "deployment"),
	};
	const struct provision_settings how = {.backoff_ms = 1};
	struct settings_places places =
		room_places(room, text_of(words, "env-file"));
	struct settings settings;
	struct selection s;
	int r;

	r = settings_load(&settings, &places, err);
	if (r == 0) {
		r = selection_decide(&s, &flags, &settings, err);
		if (r == 0) {
			*ret_warned = s.warning != NULL;
			r = provision(&s, &settings, &how, access, err);
			selection_fini(&s);
		}
		settings_fini(&settings);
	}
	free(url);
	return r;
}

/* SEL-5: what the official client takes and we refuse. */
static bool is_refused_by_us(const char *name)
{
	return strcmp(name, "select-29-prod-and-preview-name") == 0;
}

static void check(struct run *run)
{
	const char *name = text_of(run->transcript, "name");
	bool fails =
		cJSON_GetObjectItem(run->transcript, "exit_code")->valueint !=
		0;
	struct remote_access access = {0};
	struct cvx_err err = CVX_ERR_INIT;
	bool warned = false;
	struct room room;
	int r;

	run->next = cJSON_GetObjectItem(run->transcript, "calls")->child;
	furnish(run, &room);
	r = select_and_provision(run, &room, &access, &warned, &err);
	loopback_sync(run->provision);
	loopback_sync(run->deployment);
	room_fini(&room);
	if (run->fault[0])
		fail_msg("%s", run->fault);
	if (is_refused_by_us(name)) {
		EXPECT_INT(r, -EINVAL);
		return;
	}
	if (run->next)
		fail_msg("%s: %s was not called: %s", name,
			 text_of(run->next, "path"), err.msg);
	if ((r < 0) != fails)
		fail_msg("%s: %d: %s", name, r, err.msg);
	if (r < 0) {
		assert_null(strstr(err.msg, "deploykey"));
		return;
	}
	assert_string_equal(access.key, text_of(run->transcript, "key"));
	assert_string_equal(access.origin, loopback_url(run->deployment));
	EXPECT_INT(warned,
		   strstr(name, "prod-flag") || strstr(name, "flag-conflict"));
	EXPECT_INT(access.notice != NULL, strstr(name, "deprecation") != NULL);
	remote_access_fini(&access);
}

static void check_with_servers(const cJSON *transcript)
{
	struct run run = {.transcript = transcript};
	struct side provision_side = {&run, "provision"};
	struct side deployment_side = {&run, "deployment"};

	run.provision = loopback_start(play, &provision_side);
	run.deployment = loopback_start(play, &deployment_side);
	check(&run);
	loopback_stop(run.provision);
	loopback_stop(run.deployment);
}

/* The same words and files lead to the same calls in the same order as those
 * of the official client. */
TEST(provision_calls_are_those_of_the_official_client)
{
	char *text = unit_read_file(SELECT_FILE, NULL);
	cJSON *all = cJSON_Parse(text);
	const cJSON *one;

	assert_non_null(all);
	cJSON_ArrayForEach(one, all) check_with_servers(one);
	EXPECT_INT(cJSON_GetArraySize(all), 34);
	cJSON_Delete(all);
	free(text);
}

/* A host that answers one thing to everything, some requests long. */
struct stub {
	const char *body;
	int status;
	enum loopback_fault fault;
	unsigned bad_count;
	unsigned count;
	char seen[8][128];
};

static void play_stub(void *ctx, const struct loopback_request *q,
		      struct loopback_answer *a)
{
	struct stub *s = ctx;

	if (s->count < 8)
		(void)snprintf(s->seen[s->count], sizeof(s->seen[0]),
			       "%s %s?%s", q->method, q->path, q->query);
	if (s->count++ < s->bad_count)
		a->fault = s->fault;
	a->status = s->status ? s->status : 200;
	a->body = strdup(s->body);
}

static int provision_at(struct stub *stub, const struct selection *s,
			struct remote_access *access, struct cvx_err *err)
{
	struct loopback *server = loopback_start(play_stub, stub);
	const struct provision_settings how = {.backoff_ms = 1};
	struct settings_places places;
	struct settings settings;
	struct room room;
	int r;

	room_init(&room);
	room_set(&room, "CONVEX_PROVISION_HOST", loopback_url(server));
	places = room_places(&room, NULL);
	EXPECT_OK(settings_load(&settings, &places, err), err);
	r = provision(s, &settings, &how, access, err);
	settings_fini(&settings);
	room_fini(&room);
	loopback_stop(server);
	return r;
}

#define DA                                                                     \
	"{\"team\":\"t t\",\"project\":\"p\",\"name\":\"n\",\"url\":"          \
	"\"http://h:1/x\",\"adminKey\":\"n|1\"}"

/* PROJECT:X asks for the team first. */
TEST(provision_other_project_of_the_team)
{
	const struct selection s = {.kind = SELECTION_PROJECT,
				    .target = TARGET_NAME,
				    .choice = CHOICE_SELECTOR_OTHER,
				    .name = (char *)"a/b",
				    .other_project = (char *)"site",
				    .text = (char *)"x y"};
	const char *const want[] = {
		"GET /api/deployment/a%2Fb/team_and_project?",
		"GET /v1/teams/t%20t/projects/site?",
		"GET /v1/teams/t%20t/projects/site?",
		"GET /v1/teams/t%20t/projects/site/deployment?reference=x%20y",
		"POST /api/deployment/authorize_within_current_project?"};
	struct stub stub = {.body = DA};
	struct cvx_err err = CVX_ERR_INIT;
	struct remote_access access;
	size_t i;

	EXPECT_OK(provision_at(&stub, &s, &access, &err), &err);
	EXPECT_INT(stub.count, 5);
	for (i = 0; i < 5; i++)
		assert_string_equal(stub.seen[i], want[i]);
	assert_string_equal(access.origin, "http://h:1");
	assert_string_equal(access.name, "n");
	remote_access_fini(&access);
}

/* PRV-0a, and every answer that is not what it should be. */
TEST(provision_bad_answer_is_an_error_and_lost_ones_are_asked_again)
{
	const struct {
		struct stub stub;
		int code;
		unsigned count;
		const char *text;
	} cases[] = {
		{{.body = DA, .fault = LOOPBACK_DROP, .bad_count = 2},
		 0,
		 4,
		 ""},
		{{.body = DA, .fault = LOOPBACK_DROP, .bad_count = 99},
		 -ECONNRESET,
		 7,
		 "GET /api/deployment/n/team_and_project"},
		{{.body = "{}", .status = 503}, -EREMOTEIO, 1, "503"},
		{{.body = "{\"code\":\"ProjectNotFound\"}", .status = 404},
		 -EACCES,
		 1,
		 "no access"},
		{{.body = "{}", .status = 401}, -EACCES, 1, "npx convex login"},
		{{.body = "{}"}, -EPROTO, 1, "team or project is missing"},
		{{.body = "[\"SECRET"}, -EPROTO, 1, "not JSON"},
		{{.body = DA, .status = 201}, -EPROTO, 1, "status 200"},
		{{.body = "{\"team\":\"t\",\"project\":\"p\"}"},
		 -EPROTO,
		 2,
		 "url is missing"},
		{{.body = "{\"team\":\"t\",\"project\":\"p\",\"url\":\"x:y\","
			  "\"adminKey\":\"SECRET\"}"},
		 -EINVAL,
		 2,
		 "begins with https"},
	};
	const struct selection s = {.kind = SELECTION_PROJECT,
				    .target = TARGET_NAME,
				    .choice = CHOICE_PROD,
				    .name = (char *)"n",
				    .credential = (char *)"SECRET"};
	struct cvx_err err = CVX_ERR_INIT;
	struct remote_access access;
	struct stub stub;
	size_t i;
	int r;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		stub = cases[i].stub;
		r = provision_at(&stub, &s, &access, &err);
		if (r != cases[i].code || stub.count != cases[i].count)
			fail_msg("case %zu: %d after %u calls: %s", i, r,
				 stub.count, err.msg);
		if (r == 0) {
			remote_access_fini(&access);
			continue;
		}
		assert_non_null(strstr(err.msg, cases[i].text));
		assert_null(strstr(err.msg, "SECRET"));
	}
}

/* LOC-4 */
static void expect_local(const char *says, int status, int code,
			 const char *text)
{
	struct stub stub = {.body = says, .status = status};
	struct loopback *server = loopback_start(play_stub, &stub);
	const struct selection s = {.kind = SELECTION_ANONYMOUS,
				    .name = (char *)"anonymous-x"};
	const struct provision_settings how = {.backoff_ms = 1};
	struct remote_access access;
	struct cvx_err err = CVX_ERR_INIT;
	struct settings_places places;
	struct settings settings;
	struct room room;
	char record[256];

	room_init(&room);
	(void)snprintf(record, sizeof(record),
		       "{\"ports\":{\"cloud\":%s},\"adminKey\":\"x|1\"}",
		       status ? loopback_port(server) : "1");
	room_put(&room, ".convex/local/default/config.json", record);
	places = room_places(&room, NULL);
	EXPECT_OK(settings_load(&settings, &places, &err), &err);
	if (code == 0) {
		EXPECT_OK(provision(&s, &settings, &how, &access, &err), &err);
		remote_access_fini(&access);
	} else {
		EXPECT_FAIL(provision(&s, &settings, &how, &access, &err), &err,
			    code, text);
	}
	settings_fini(&settings);
	room_fini(&room);
	loopback_stop(server);
}

TEST(provision_local_deployment_must_run_and_be_the_one)
{
	expect_local("anonymous-x", 200, 0, "");
	expect_local("anonymous-y", 200, -EINVAL, "another deployment");
	expect_local("", 404, -ENOENT, "is not the local deployment");
	expect_local("", 0, -ECONNREFUSED, "does not run");
}

UNIT_MAIN(
	UNIT_CASE(provision_calls_are_those_of_the_official_client),
	UNIT_CASE(provision_other_project_of_the_team),
	UNIT_CASE(
		provision_bad_answer_is_an_error_and_lost_ones_are_asked_again),
	UNIT_CASE(provision_local_deployment_must_run_and_be_the_one))
