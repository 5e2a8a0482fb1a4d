#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "importer/intake.h"
#include "importer/remote/archive_import.h"
#include "importer/remote/http.h"
#include "importer/remote/remote_components.h"
#include "importer/remote/remote_files.h"
#include "importer/remote/remote_register.h"
#include "importer/remote/remote_tables.h"
#include "importer/value/base64.h"
#include "importer/value/sha256.h"
#include "tests/unit/loopback.h"

#define BYTES "the bytes of a file"
#define FILES_MAX 8
#define REQUESTS_MAX 32

/* Ids of stored files, as good as any. */
static const char *const ids[FILES_MAX] = {
	"kg2038g49yhvmbntzgtky9k02h8jpr8h",
};

/* One fault, at one request. */
struct plan {
	unsigned at; /* its number, from 0 */
	const struct loopback_trouble *trouble;
	bool twice; /* a network that repeats what it carries */
};

/* A deployment with one table, a storage and a component. */
struct model {
	struct plan plan;
	unsigned request_count;
	char paths[REQUESTS_MAX][64]; /* of all requests */
	bool has_table;
	unsigned document_count;
	unsigned file_count; /* with an older file of the same bytes: 1 more */
	bool has_old;
	bool refuses; /* the schema needs the table */
	bool hides_number;
	const char *component; /* "kc", or another one by the path; NULL */
	const char *in_it;     /* a table, as the mapping has it */
	unsigned its_file_count;
	bool has_inner; /* another component in it */
	char hash[BASE64_SIZE(SHA256_SIZE) + 1];
};

static char *success(char *value)
{
	char *text =
		loopback_format("{\"status\":\"success\",\"value\":%s}", value);

	free(value);
	return text;
}

static char *print_file(const struct model *m, double time)
{
	return loopback_format(
		"{\"_id\":\"%s\",\"_creationTime\":%f,\"sha256\":\"%s\","
		"\"size\":%zu,\"contentType\":null,\"url\":\"x\"}",
		ids[0], time, m->hash, strlen(BYTES));
}

/* Those behind minCreationTime, the newest first. */
static char *list_files(const struct model *m, const char *body)
{
	const char *least = strstr(body, "\"minCreationTime\":");
	double from = least ? strtod(least + 18, NULL) : 0;
	char *old = m->has_old && from <= 100 ? print_file(m, 100) : strdup("");
	char *new = m->file_count ? print_file(m, 200) : strdup("");
	char *list = loopback_format("{\"page\":[%s%s%s],\"isDone\":true}", new,
				     new[0] && old[0] ? "," : "", old);

	free(old);
	free(new);
	return list;
}

static char *list_components(const struct model *m)
{
	return loopback_format(
		"[{\"id\":\"k0\",\"path\":\"\"},{\"id\":\"k1\",\"path\":\"cc/"
		"d\"}"
		"%s%s%s%s]",
		m->component ? ",{\"path\":\"c\",\"id\":\"" : "",
		m->component ? m->component : "", m->component ? "\"}" : "",
		m->has_inner ? ",{\"id\":\"k2\",\"path\":\"c/d\"}" : "");
}

static char *act(struct model *m, const struct loopback_request *q,
		 struct loopback_answer *a)
{
	if (strcmp(q->path, "/api/delete_component") == 0) {
		assert_string_equal(q->body, "{\"componentId\":\"kc\"}");
		if (m->refuses || !m->component ||
		    strcmp(m->component, "kc") != 0) {
			a->status = 400;
			return strdup("{\"code\":\"CannotDeleteComponent\","
				      "\"message\":\"mounted\"}");
		}
		m->component = NULL;
		return NULL;
	}
	if (strstr(q->body, "components:list"))
		return success(list_components(m));
	if (strstr(q->body, "numFiles")) {
		assert_non_null(strstr(q->body, "\"componentId\":\"kc\""));
		return success(loopback_format("%u.0", m->its_file_count));
	}
	if (strstr(q->body, "getTableMapping") && strstr(q->body, "\"kc\""))
		return success(strdup(m->in_it ? m->in_it : "{}"));
	if (strcmp(q->path, "/api/delete_tables") == 0) {
		if (m->refuses || !m->has_table) {
			a->status = 400;
			return strdup("{\"code\":\"SchemaEnforcementError\","
				      "\"message\":\"needed\"}");
		}
		m->has_table = false;
		return NULL;
	}
	if (strcmp(q->path, "/api/storage/upload") == 0) {
		assert_string_equal(q->query, "token=T");
		assert_string_equal(q->body, BYTES);
		assert_false(loopback_has_header(q, "Authorization: Convex k"));
		assert_true(loopback_has_header(q, "Content-Type: image/png"));
		m->file_count++;
		return loopback_format("{\"storageId\":\"%s\"}", ids[0]);
	}
	if (strstr(q->body, "getTableMapping"))
		return success(strdup(m->has_table && !m->hides_number
					      ? "{\"10001\":\"t\"}"
					      : "{}"));
	if (strstr(q->body, "cli/tables"))
		return success(strdup(m->has_table
					      ? "{\"page\":[{\"name\":\"t\"}]}"
					      : "{\"page\":[]}"));
	if (strstr(q->body, "tableSize"))
		return success(loopback_format("%u.0", m->document_count));
	if (strstr(q->body, "generateUploadUrl"))
		return success(strdup("\"https://elsewhere:1/api/storage/upload"
				      "?token=T\""));
	if (strstr(q->body, "fileMetadata"))
		return success(list_files(m, q->body));
	if (strstr(q->body, "getFile"))
		return success(m->file_count ? print_file(m, 200)
					     : strdup("null"));
	assert_non_null(strstr(q->body, "deleteFile"));
	if (m->file_count == 0)
		return strdup("{\"status\":\"error\",\"errorMessage\":\"no\"}");
	m->file_count--;
	return success(strdup("null"));
}

static void play(void *ctx, const struct loopback_request *q,
		 struct loopback_answer *a)
{
	struct model *m = ctx;
	const struct plan *p = &m->plan;
	bool is_bad = m->request_count == p->at;

	assert_true(m->request_count < REQUESTS_MAX);
	(void)snprintf(m->paths[m->request_count++], sizeof(*m->paths), "%s",
		       q->path);
	if (!is_bad || p->trouble->acts)
		a->body = act(m, q, a);
	if (!is_bad)
		return;
	if (p->twice && strstr(q->path, "delete")) {
		free(a->body);
		a->body = act(m, q, a);
	}
	loopback_make_trouble(p->trouble, a);
}

/* Besides those that loopback.h has. */
static const struct loopback_trouble own[] = {
	{"html before", .body = "<html>"},
	{"twice", .acts = true, .heals = true},
};
static const struct loopback_trouble *const twice = &own[1];
#define OWN_COUNT (sizeof(own) / sizeof(*own))

/* One change of one model. */
struct trial {
	struct model model;
	struct loopback *server;
	struct http *http;
	int fd;
	char id[ID_TEXT_MAX + 1];
	struct cvx_err err;
};

static void hash_bytes(char *out)
{
	unsigned char hash[SHA256_SIZE];
	struct cvx_err err = CVX_ERR_INIT;
	struct sha256 *sha;

	EXPECT_OK(sha256_new(&sha, &err), &err);
	sha256_add(sha, BYTES, strlen(BYTES));
	sha256_finish(sha, hash);
	sha256_free(sha);
	base64_encode(hash, sizeof(hash), out);
}

static void begin(struct trial *t, const struct plan *plan)
{
	bool is_silent = plan && plan->trouble->fault == LOOPBACK_HANG;
	char path[] = "/tmp/convexfs-changes.XXXXXX";
	struct http_settings settings = {
		.authorization = "Convex k",
		.idle_ms = is_silent ? 100 : 0,
		.backoff_ms = 1,
	};

	memset(t, 0, sizeof(*t));
	t->model.plan = plan ? *plan : (struct plan){.at = UINT32_MAX};
	t->model.has_table = true;
	t->model.has_old = true;
	t->model.component = "kc";
	hash_bytes(t->model.hash);
	t->fd = mkstemp(path);
	assert_true(t->fd >= 0);
	EXPECT_INT(unlink(path), 0);
	EXPECT_INT(write(t->fd, BYTES, strlen(BYTES)), strlen(BYTES));
	t->server = loopback_start(play, &t->model);
	settings.origin = loopback_url(t->server);
	EXPECT_OK(http_new(&settings, &t->http, &t->err), &t->err);
}

static void end(struct trial *t)
{
	http_free(t->http);
	loopback_stop(t->server);
	(void)close(t->fd);
}

static int delete_table(struct trial *t)
{
	return remote_delete_table(t->http, NULL, "t", NULL, &t->err);
}

static int store_file(struct trial *t)
{
	return remote_store_file(t->http, NULL, "image/png", t->fd,
				 strlen(BYTES), NULL, t->id, &t->err);
}

static int delete_file(struct trial *t)
{
	return remote_delete_file(t->http, NULL, ids[0], NULL, &t->err);
}

static int delete_component(struct trial *t)
{
	return remote_delete_component(t->http, "c", "kc", NULL, &t->err);
}

static bool component_is_gone(const struct model *m)
{
	return !m->component;
}

static bool table_is_gone(const struct model *m)
{
	return !m->has_table;
}

static bool file_is_there(const struct model *m)
{
	return m->file_count > 0;
}

static bool file_is_gone(const struct model *m)
{
	return m->file_count == 0;
}

static const struct change {
	const char *name;
	int (*run)(struct trial *t);
	bool (*is_done)(const struct model *m);
	unsigned file_count; /* before */
	const char *request; /* that changes something */
} changes[] = {
	{"delete table", delete_table, table_is_gone, 0, "/api/delete_tables"},
	{"delete component", delete_component, component_is_gone, 0,
	 "/api/delete_component"},
	{"store file", store_file, file_is_there, 0, "/api/storage/upload"},
	{"delete file", delete_file, file_is_gone, 1, "/api/mutation"},
};
#define CHANGE_COUNT (sizeof(changes) / sizeof(*changes))

/* It is as before or done, never doubled, and the caller was told which. False:
 * there are not so many requests. */
static bool try_fault(const struct change *c,
		      const struct loopback_trouble *trouble, unsigned at)
{
	const struct plan plan = {at, trouble, trouble == twice};
	bool is_done, is_unknown, came;
	struct trial t;
	char what[128];
	int r;

	(void)snprintf(what, sizeof(what), "%s, %s at %u", c->name,
		       trouble->name, at);
	begin(&t, &plan);
	t.model.file_count = c->file_count;
	loopback_sync(t.server);
	r = c->run(&t);
	loopback_sync(t.server);
	is_done = c->is_done(&t.model);
	is_unknown = r < 0 && intake_is_unknown(&t.err);
	came = t.model.request_count > at;
	if (t.model.file_count > 1)
		fail_msg("%s: %u files", what, t.model.file_count);
	if (r == 0 && !is_done)
		fail_msg("%s: success, but nothing happened", what);
	if (r < 0 && is_done && !is_unknown)
		fail_msg("%s: %d, but it happened: %s", what, r, t.err.msg);
	if (is_unknown && strcmp(t.model.paths[at], c->request) != 0)
		fail_msg("%s: it is known: %s", what, t.err.msg);
	if (r < 0 && trouble->heals && !is_unknown)
		fail_msg("%s: %d: %s", what, r, t.err.msg);
	if (r < 0 && !t.err.msg[0])
		fail_msg("%s: no sentence", what);
	end(&t);
	return came;
}

static void try_everywhere(const struct change *c,
			   const struct loopback_trouble *trouble)
{
	unsigned at = 0;

	while (at < REQUESTS_MAX && try_fault(c, trouble, at))
		at++;
	assert_true(at >= 1 && at < REQUESTS_MAX);
}

TEST(remote_changes_are_true_after_any_single_fault_15_3)
{
	size_t c, i;

	for (c = 0; c < CHANGE_COUNT; c++) {
		for (i = 0; i < loopback_trouble_count; i++)
			try_everywhere(&changes[c], &loopback_troubles[i]);
		for (i = 0; i < OWN_COUNT; i++)
			try_everywhere(&changes[c], &own[i]);
	}
}

TEST(remote_table_with_documents_is_not_asked_to_go_W_10)
{
	struct trial t;

	begin(&t, NULL);
	t.model.document_count = 1;
	EXPECT_FAIL(delete_table(&t), &t.err, -ENOTEMPTY, "empty it first");
	loopback_sync(t.server);
	assert_true(t.model.has_table);
	t.model.document_count = 0;
	t.model.refuses = true;
	loopback_sync(t.server);
	EXPECT_FAIL(delete_table(&t), &t.err, -EINVAL,
		    "SchemaEnforcementError: needed");
	t.model.has_table = false;
	loopback_sync(t.server);
	EXPECT_FAIL(delete_table(&t), &t.err, -ENOENT, "there is no table t");
	EXPECT_FAIL(remote_delete_table(t.http, NULL, "_x", NULL, &t.err),
		    &t.err, -EINVAL, "not the name of a table");
	end(&t);
}

/* The answer is lost for good: an older file of the same bytes is not ours. */
/* Nothing is sent: the model knows no imports. */
TEST(remote_tables_with_documents_get_no_other_number_7_3)
{
	static const char same[] = "{\"name\":\"t\",\"id\":10001}\n";
	static const char other[] = "{\"name\":\"t\",\"id\":10002}\n";
	struct archive_place place = {.path = "", .dir_fd = -1};
	struct trial t;

	begin(&t, NULL);
	place.http = t.http;
	t.model.document_count = 1;
	EXPECT_OK(remote_register_tables(&place, same, strlen(same), NULL,
					 &t.err),
		  &t.err);
	EXPECT_FAIL(remote_register_tables(&place, other, strlen(other), NULL,
					   &t.err),
		    &t.err, -EINVAL,
		    "row 1: table t has documents under the number 10001");
	EXPECT_OK(remote_make_room(&place, "u", 10001, NULL, &t.err), &t.err);
	loopback_sync(t.server);
	t.model.hides_number = true;
	loopback_sync(t.server);
	EXPECT_FAIL(remote_register_tables(&place, same, strlen(same), NULL,
					   &t.err),
		    &t.err, -EINVAL, "does not say under which number");
	t.model.document_count = 0;
	EXPECT_OK(remote_make_room(&place, "u", 10001, NULL, &t.err), &t.err);
	end(&t);
}

TEST(remote_component_with_anything_in_it_is_not_asked_to_go_W_10)
{
	struct trial t;

	begin(&t, NULL);
	t.model.in_it = "{\"10001\":\"u\"}";
	EXPECT_FAIL(delete_component(&t), &t.err, -ENOTEMPTY,
		    "component c has tables");
	loopback_sync(t.server);
	t.model.in_it = NULL;
	t.model.its_file_count = 1;
	loopback_sync(t.server);
	EXPECT_FAIL(delete_component(&t), &t.err, -ENOTEMPTY,
		    "component c has stored files");
	loopback_sync(t.server);
	t.model.its_file_count = 0;
	t.model.has_inner = true;
	loopback_sync(t.server);
	EXPECT_FAIL(delete_component(&t), &t.err, -ENOTEMPTY,
		    "component c has components");
	loopback_sync(t.server);
	t.model.has_inner = false;
	t.model.refuses = true;
	loopback_sync(t.server);
	EXPECT_FAIL(delete_component(&t), &t.err, -EINVAL,
		    "CannotDeleteComponent: mounted");
	loopback_sync(t.server);
	t.model.refuses = false;
	t.model.component = "another";
	t.model.request_count = 0;
	loopback_sync(t.server);
	EXPECT_FAIL(delete_component(&t), &t.err, -ENOENT,
		    "there is no component c");
	loopback_sync(t.server);
	EXPECT_INT(t.model.request_count, 1);
	assert_non_null(t.model.component);
	end(&t);
}

TEST(remote_file_that_may_be_stored_is_called_unknown_FIL_2)
{
	static const struct loopback_trouble dropped = {"dropped before",
							.fault = LOOPBACK_DROP};
	const struct plan plan = {.at = 2, .trouble = &dropped};
	struct trial t;

	begin(&t, &plan);
	EXPECT_FAIL(store_file(&t), &t.err, -EINPROGRESS, "stored or not");
	assert_true(intake_is_unknown(&t.err));
	loopback_sync(t.server);
	EXPECT_INT(t.model.file_count, 0);
	assert_string_equal(t.model.paths[2], "/api/storage/upload");
	end(&t);
}

TEST(remote_file_that_is_not_there_cannot_be_deleted)
{
	struct trial t;

	begin(&t, NULL);
	EXPECT_FAIL(delete_file(&t), &t.err, -ENOENT, "there is no stored");
	end(&t);
}

UNIT_MAIN(
	UNIT_CASE(remote_changes_are_true_after_any_single_fault_15_3),
	UNIT_CASE(remote_table_with_documents_is_not_asked_to_go_W_10),
	UNIT_CASE(remote_tables_with_documents_get_no_other_number_7_3),
	UNIT_CASE(remote_component_with_anything_in_it_is_not_asked_to_go_W_10),
	UNIT_CASE(remote_file_that_may_be_stored_is_called_unknown_FIL_2),
	UNIT_CASE(remote_file_that_is_not_there_cannot_be_deleted))
