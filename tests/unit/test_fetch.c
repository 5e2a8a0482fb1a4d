#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "importer/remote/fetch.h"
#include "importer/remote/http.h"
#include "importer/remote/listing.h"
#include "importer/value/id.h"
#include "tests/unit/loopback.h"

#define TABLE_NUMBER 10001
#define DOCUMENT_COUNT 5

/* How the deployment offers its documents. */
enum offer {
	OFFER_SNAPSHOT,
	OFFER_NO_PLAN,	 /* 403: not in this plan; pages at one timestamp */
	OFFER_TIMESTAMP, /* 404 for list_snapshot */
	OFFER_PAGES,	 /* 404 for timestamps, too */
	OFFER_SYNC,	 /* data/sync, which is asked for first */
};

struct model {
	enum offer offer;
	bool descends; /* pages come newest first */
	bool doubles;  /* a document comes twice */
	unsigned bad_at;
	unsigned bad_status;
	enum loopback_fault bad_fault;
	const char *bad_body;
	const char *bad_value; /* of data/sync, instead of the last document */
	unsigned count;
	char ids[DOCUMENT_COUNT][ID_TEXT_MAX + 1];
	char paths[16][512]; /* what was asked */
};

static void make_ids(struct model *m)
{
	struct id_stamp stamp = {.ms = 1700000000000, .day = 19675};
	struct internal_id id;
	unsigned i;
	size_t size;

	for (i = 0; i < DOCUMENT_COUNT; i++) {
		id_from_stamp(&stamp, i, &id);
		size = id_encode(TABLE_NUMBER, &id, m->ids[i]);
		m->ids[i][size] = '\0';
	}
}

/* Document i as list_snapshot gives it, members in any order. */
static char *print_snapshot_document(const struct model *m, unsigned i)
{
	return loopback_format(
		" {\"n\": %u , \"_table\":\"t\",\"_ts\":1795334642068000001,"
		"\"f\":%u.0,\"_component\":\"\",\"_id\":\"%s\","
		"\"s\":{\"$float\":\"AAAAAAAA8H8=\"},"
		"\"_creationTime\":17000000000%02u.5} ",
		i, i, m->ids[i], i);
}

/* The same in convex_encoded_json. */
static char *print_encoded_document(const struct model *m, unsigned i)
{
	static const char *const integers[DOCUMENT_COUNT] = {
		"AAAAAAAAAAA=", "AQAAAAAAAAA=", "AgAAAAAAAAA=", "AwAAAAAAAAA=",
		"BAAAAAAAAAA="};

	return loopback_format(
		"{\"_creationTime\":17000000000%02u.5,\"_id\":\"%s\",\"f\":%u,"
		"\"n\":{\"$integer\":\"%s\"},"
		"\"s\":{\"$float\":\"AAAAAAAA8H8=\"}}",
		i, m->ids[i], i, integers[i]);
}

/* An entry of data/sync, with the value as others might write it. */
static char *print_sync_entry(const struct model *m, unsigned i)
{
	char *value, *entry;

	value = i == DOCUMENT_COUNT - 1 && m->bad_value
			? strdup(m->bad_value)
			: loopback_format(
				  "{\n\t\"n\": %u ,\"f\":%u.0,\r\n\"_id\":"
				  "\"%s\",\"s\": {\"$float\":\n"
				  "\"AAAAAAAA8H8=\"},"
				  "\"_creationTime\":17000000000%02u.5\n}",
				  i, i, m->ids[i], i);
	entry = loopback_format("{\"component\":\"\",\"table\":\"t\","
				"\"ts\":1795334642068000001,"
				"\"deleted\":false,\"value\": %s }",
				value);
	free(value);
	return entry;
}

/* Documents [first, last) of the order in which they come. */
static char *print_page(const struct model *m, unsigned first, unsigned last,
			char *(*print)(const struct model *, unsigned))
{
	char *page = loopback_format("%s", ""), *more, *one;
	unsigned i;

	for (i = first; i < last; i++) {
		one = print(m, m->descends ? DOCUMENT_COUNT - 1 - i : i);
		more = loopback_format("%s%s%s", page, i > first ? "," : "",
				       one);
		free(page);
		free(one);
		page = more;
	}
	return page;
}

static char *list_snapshot(const struct model *m,
			   const struct loopback_request *q)
{
	bool is_second = strstr(q->query, "cursor=c%221") != NULL;
	unsigned first = is_second ? (m->doubles ? 2 : 3) : 0;
	char *page = print_page(m, first, is_second ? DOCUMENT_COUNT : 3,
				print_snapshot_document);
	char *text = loopback_format("{\"values\":[%s],\"hasMore\":%s,"
				     "\"snapshot\":1795334642068000001,"
				     "\"cursor\":%s}",
				     page, is_second ? "false" : "true",
				     is_second ? "null" : "\"c\\\"1\"");

	if (is_second)
		assert_non_null(
			strstr(q->query, "snapshot=1795334642068000001"));
	free(page);
	return text;
}

static char *query_page(const struct model *m, const struct loopback_request *q)
{
	bool is_second = strstr(q->body, "\"cursor\":\"c\"") != NULL;
	unsigned first = is_second ? (m->doubles ? 2 : 3) : 0;
	char *page = print_page(m, first, is_second ? DOCUMENT_COUNT : 3,
				print_encoded_document);
	char *text = loopback_format(
		"{\"status\":\"success\",\"value\":{\"page\":"
		"[%s],\"isDone\":%s,\"continueCursor\":\"%s\"}}",
		page, is_second ? "true" : "false", is_second ? "end" : "c");

	free(page);
	return text;
}

static char *sync_all(const struct model *m)
{
	char *page = print_page(m, 0, DOCUMENT_COUNT, print_sync_entry);
	char *text = loopback_format("{\"status\":{\"type\":\"upToDate\"},"
				     "\"truncates\":[],\"values\":[%s],"
				     "\"pagination\":{\"nextCursor\":\"c\"}}",
				     page);

	free(page);
	return text;
}

static char *act(struct model *m, const struct loopback_request *q,
		 struct loopback_answer *a)
{
	if (m->offer == OFFER_SYNC)
		return sync_all(m);
	if (strcmp(q->path, "/api/list_snapshot") == 0) {
		if (m->offer == OFFER_SNAPSHOT)
			return list_snapshot(m, q);
		a->status = m->offer == OFFER_NO_PLAN ? 403 : 404;
		return loopback_format(
			"{\"code\":\"StreamingExportNotEnabled\"}");
	}
	if (strcmp(q->path, "/api/query_ts") == 0 && m->offer != OFFER_PAGES)
		return loopback_format("{\"ts\":\"AAAA\"}");
	if (strcmp(q->path, "/api/query_at_ts") == 0)
		assert_non_null(strstr(q->body, "\"ts\":\"AAAA\""));
	if (strncmp(q->path, "/api/query", 10) == 0 &&
	    strcmp(q->path, "/api/query_ts") != 0)
		return query_page(m, q);
	a->status = 404;
	return NULL;
}

static void play(void *ctx, const struct loopback_request *q,
		 struct loopback_answer *a)
{
	struct model *m = ctx;
	unsigned n = m->count++;

	if (n < 16)
		(void)snprintf(m->paths[n], sizeof(m->paths[n]), "%s %s?%s",
			       q->method, q->path, q->query);
	a->body = act(m, q, a);
	if (n != m->bad_at)
		return;
	a->fault = m->bad_fault;
	if (m->bad_status)
		a->status = (int)m->bad_status;
	if (m->bad_body) {
		free(a->body);
		a->body = strdup(m->bad_body);
	}
}

/* A server, a client, and a folder. */
struct bench {
	struct model model;
	struct loopback *server;
	struct http *http;
	int dir_fd;
};

static void begin(struct bench *b, loopback_handler *handler, void *ctx)
{
	struct http_settings settings = {.authorization = "Convex n|SECRET",
					 .backoff_ms = 1};
	struct cvx_err err = CVX_ERR_INIT;

	make_ids(&b->model);
	b->server = loopback_start(handler, ctx);
	settings.origin = loopback_url(b->server);
	EXPECT_OK(http_new(&settings, &b->http, &err), &err);
	b->dir_fd = open(unit_temp_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(b->dir_fd >= 0);
}

static void end(struct bench *b)
{
	(void)close(b->dir_fd);
	http_free(b->http);
	loopback_stop(b->server);
}

static void expect_documents(struct bench *b, int fd,
			     const struct fetched *fetched)
{
	char want[4096] = "", got[4096];
	unsigned i;
	ssize_t n;

	for (i = 0; i < DOCUMENT_COUNT; i++)
		(void)snprintf(want + strlen(want), sizeof(want) - strlen(want),
			       "{\"_creationTime\":17000000000%02u.5,"
			       "\"_id\":\"%s\",\"f\":%u.0,\"n\":%u,"
			       "\"s\":{\"$float\":\"AAAAAAAA8H8=\"}}\n",
			       i, b->model.ids[i], i, i);
	n = pread(fd, got, sizeof(got), 0);
	assert_true(n >= 0);
	EXPECT_TEXT(got, (size_t)n, want);
	EXPECT_INT(fetched->size, strlen(want));
	EXPECT_INT(fetched->document_count, DOCUMENT_COUNT);
}

static int fetch(struct bench *b, struct fetched *ret, int *ret_fd,
		 struct cvx_err *err)
{
	struct fetch_offer offer = {.lacks_sync = b->model.offer != OFFER_SYNC};
	const struct fetch_target target = {
		.component = "", .table = "t", .offer = &offer};

	return fetch_table(b->http, &target, b->dir_fd, NULL, ret_fd, ret, err);
}

/* Every way gives the same lines, whatever the order in which they come. */
TEST(fetch_gives_the_lines_of_a_backup_by_id)
{
	const struct {
		enum offer offer;
		bool descends, doubles, is_consistent;
	} cases[] = {
		{OFFER_SNAPSHOT, false, false, true},
		{OFFER_SNAPSHOT, true, false, true},
		{OFFER_NO_PLAN, false, false, true},
		{OFFER_TIMESTAMP, false, false, true},
		{OFFER_TIMESTAMP, true, false, true},
		{OFFER_PAGES, false, false, false},
		{OFFER_PAGES, true, true, false},
		{OFFER_SYNC, false, false, true},
		{OFFER_SYNC, true, false, true},
	};
	struct cvx_err err = CVX_ERR_INIT;
	struct fetched fetched;
	struct bench b;
	size_t i;
	int fd;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		b.model = (struct model){.offer = cases[i].offer,
					 .descends = cases[i].descends,
					 .doubles = cases[i].doubles,
					 .bad_at = UINT32_MAX};
		begin(&b, play, &b.model);
		EXPECT_OK(fetch(&b, &fetched, &fd, &err), &err);
		EXPECT_INT(fetched.is_consistent, cases[i].is_consistent);
		expect_documents(&b, fd, &fetched);
		free(fetched.cursor);
		(void)close(fd);
		end(&b);
	}
}

TEST(fetch_refuses_a_document_that_comes_twice_in_one_snapshot)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct bench b = {.model = {.doubles = true, .bad_at = UINT32_MAX}};
	struct fetched fetched;
	int fd;

	begin(&b, play, &b.model);
	EXPECT_FAIL(fetch(&b, &fetched, &fd, &err), &err, -EPROTO, "twice");
	end(&b);
}

/* A value that is taken as it stands is looked through all the same. */
TEST(fetch_refuses_what_is_no_document)
{
	static const char *const values[] = {
		"[]",
		"5",
		"null",
		"{}",
		"{\"_id\":5}",
		"{\"_id\":\"x\"}",
		"{\"a\":1,\"a\":2}",
		"{\"a\":[1,]}",
		"{\"a\":1}{}",
		"{\"a\"}",
	};
	struct cvx_err err = CVX_ERR_INIT;
	struct fetched fetched;
	struct bench b;
	size_t i;
	int fd;

	for (i = 0; i < sizeof(values) / sizeof(*values); i++) {
		b.model = (struct model){.offer = OFFER_SYNC,
					 .bad_value = values[i],
					 .bad_at = UINT32_MAX};
		begin(&b, play, &b.model);
		if (fetch(&b, &fetched, &fd, &err) == 0)
			fail_msg("%s was taken", values[i]);
		EXPECT_INT(err.msg[0] != 0, 1);
		end(&b);
	}
}

/* A page of list_snapshot with our documents, and something else among them,
 * or, if that begins with a '*', in the place of the last one's brace. */
static char *page_with(struct model *m, const char *other, const char *form)
{
	char *first = print_page(m, 0, 2, print_snapshot_document);
	char *last = print_page(m, 2, DOCUMENT_COUNT, print_snapshot_document);
	const char *at = strchr(form, '@');
	char *values, *page;

	if (*other == '*') {
		*strrchr(last, '}') = '\0';
		values = loopback_format("[%s,%s%s]", first, last, other + 1);
	} else {
		values = loopback_format("[%s%s%s,%s]", first,
					 *other ? "," : "", other, last);
	}
	page = loopback_format("%.*s%s%s", (int)(at - form), form, values,
			       at + 1);
	free(first);
	free(last);
	free(values);
	return page;
}

#define PAGE "{\"values\":@,\"hasMore\":false,\"snapshot\":1}"

TEST(fetch_passes_over_what_is_not_of_the_table)
{
	static const struct {
		const char *other, *form;
		bool is_taken;
	} cases[] = {
		{"{\"_table\":\"u\",\"x\":{\"y\":[1,{}]},\"_id\":7}", PAGE,
		 true},
		{"{\"x\":{\"y\":[1,{}]},\"_component\":\"lib\",\"_ts\":1}",
		 PAGE, true},
		{"{\"_table\":\"u\"}", PAGE, true},
		{"{\"_table\":5}", PAGE, true},
		/* the same looks through all of it */
		{"{\"_table\":\"u\",\"x\":[}}", PAGE, false},
		{"{\"_table\":\"u\" \"x\":1}", PAGE, false},
		{"{\"_table\":\"u\"]", PAGE, false},
		{"{\"_table\":\"t\",\"x\"}", PAGE, false},
		{"{\"x\":1,}", PAGE, false},
		{"7", PAGE, false},
		{"[]", PAGE, false},
		{"*}", PAGE, true},
		{"*},", PAGE, false},
		{"*,}", PAGE, false},
		{"*}{}", PAGE, false},
		{"*},{\"_table\":\"u\"}", PAGE, true},
		{"*},{\"_table\":\"u\",}", PAGE, false},
		/* members of the page in any order, each once */
		{"", "{\"snapshot\":1,\"hasMore\":false,\"values\":@}", true},
		{"",
		 " {\"x\":[1],\"hasMore\":false,\"values\": @ ,\"y\":{},"
		 "\"snapshot\":1 }\n",
		 true},
		{"",
		 "{\"values\":@,\"hasMore\":false,\"snapshot\":1,"
		 "\"values\":[]}",
		 false},
		{"", "{\"values\":@,\"hasMore\":false,\"snapshot\":1}}", false},
		{"", "{\"values\":@,\"hasMore\":false,\"snapshot\":1", false},
		{"", "{\"values\":@ ]}", false},
		{"", "{\"values\":@,\"snapshot\":1}", false},
		{"", "[{\"values\":@,\"hasMore\":false,\"snapshot\":1}]",
		 false},
	};
	struct cvx_err err = CVX_ERR_INIT;
	struct fetched fetched;
	struct bench b;
	char *body;
	size_t i;
	int fd, r;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		b.model = (struct model){.offer = OFFER_SNAPSHOT};
		begin(&b, play, &b.model);
		body = page_with(&b.model, cases[i].other, cases[i].form);
		b.model.bad_body = body;
		loopback_sync(b.server);
		r = fetch(&b, &fetched, &fd, &err);
		if (r != (cases[i].is_taken ? 0 : -EPROTO))
			fail_msg("case %zu: %d: %s", i, r, err.msg);
		if (r == 0) {
			expect_documents(&b, fd, &fetched);
			free(fetched.cursor);
			(void)close(fd);
		}
		end(&b);
		free(body);
	}
}

/* The result is whole, or there is none. */
TEST(fetch_fault_is_healed_or_told)
{
	const struct {
		unsigned status;
		enum loopback_fault fault;
		const char *body;
		int code;
	} cases[] = {
		{0, LOOPBACK_DROP, NULL, 0},
		{0, LOOPBACK_RESET, NULL, 0},
		{0, LOOPBACK_TRUNCATE, NULL, 0},
		{0, LOOPBACK_LONGER, NULL, 0},
		{0, LOOPBACK_SLOW, NULL, 0},
		{0, LOOPBACK_GARBAGE, NULL, 0},
		{429, LOOPBACK_FINE, NULL, 0},
		{503, LOOPBACK_FINE, NULL, 0},
		{401, LOOPBACK_FINE, NULL, -EACCES},
		{200, LOOPBACK_FINE, "<html>", -EPROTO},
		{200, LOOPBACK_FINE, "", -EPROTO},
		{200, LOOPBACK_FINE, "{}", -EPROTO},
		{200, LOOPBACK_FINE, "{\"values\":{},\"hasMore\":true}",
		 -EPROTO},
		{200, LOOPBACK_FINE,
		 "{\"values\":[7],\"hasMore\":false,\"snapshot\":1}", -EPROTO},
		{200, LOOPBACK_FINE,
		 "{\"values\":[{\"a\":1}],\"hasMore\":false,\"snapshot\":1}",
		 -EPROTO},
		{200, LOOPBACK_FINE,
		 "{\"values\":[],\"hasMore\":true,\"snapshot\":1}", -EPROTO},
		{200, LOOPBACK_FINE,
		 "{\"values\":[],\"hasMore\":true,\"snapshot\":-1}", -EPROTO},
	};
	struct cvx_err err = CVX_ERR_INIT;
	struct fetched fetched;
	struct bench b;
	size_t i, at;
	int fd, r;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (at = 0; at < 2; at++) {
			b.model = (struct model){.bad_at = (unsigned)at,
						 .bad_status = cases[i].status,
						 .bad_fault = cases[i].fault,
						 .bad_body = cases[i].body};
			if (at == 1 && cases[i].code == -EPROTO && i == 16)
				continue; /* one snapshot is enough */
			begin(&b, play, &b.model);
			r = fetch(&b, &fetched, &fd, &err);
			if (r != cases[i].code)
				fail_msg("case %zu at %zu: %d: %s", i, at, r,
					 err.msg);
			if (r == 0) {
				expect_documents(&b, fd, &fetched);
				free(fetched.cursor);
				(void)close(fd);
			}
			end(&b);
		}
}

/* A cursor that never moves would be asked for for ever. */
static void play_circle(void *ctx, const struct loopback_request *q,
			struct loopback_answer *a)
{
	(void)ctx;
	(void)q;
	a->body = strdup("{\"values\":[],\"hasMore\":true,\"snapshot\":1,"
			 "\"cursor\":\"same\"}");
}

TEST(fetch_ends_when_a_deployment_goes_in_circles)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct fetched fetched;
	struct bench b = {0};
	int fd;

	begin(&b, play_circle, NULL);
	EXPECT_FAIL(fetch(&b, &fetched, &fd, &err), &err, -EPROTO,
		    "no way to it");
	EXPECT_INT(loopback_count(b.server), 2);
	end(&b);
}

/* --- listings --------------------------------------------------------------
 */

#define SHA "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="
#define UUID "0190c5a8-1234-7abc-8def-0123456789ab"

struct answers {
	const char *part; /* of the request's path or body */
	const char *say;
};

/* The first that fits is said. */
static void play_answers(void *ctx, const struct loopback_request *q,
			 struct loopback_answer *a)
{
	const struct answers *one = ctx;

	for (; one->part; one++)
		if (strstr(q->body, one->part) || strstr(q->path, one->part)) {
			a->body = strdup(one->say);
			return;
		}
	a->status = 404;
}

#define VALUE(text) "{\"status\":\"success\",\"value\":" text "}"
#define FAILED                                                                 \
	"{\"status\":\"error\",\"errorMessage\":\"[Request ID: 0] Server "     \
	"Error\\nno\"}"

TEST(listing_of_components_tables_counts_and_schema)
{
	struct answers answers[] = {
		{"components:list",
		 VALUE("[{\"id\":\"c0\",\"path\":\"\"},{\"id\":\"c1\","
		       "\"path\":\"a/b\"}]")},
		{"getTableMapping", VALUE("{\"10002\":\"users\",\"10001\":"
					  "\"a\",\"5\":\"_file\"}")},
		{"cli/tables",
		 VALUE("{\"page\":[{\"name\":\"users\"},{\"name\":\"z\"}]}")},
		{"tableSize", VALUE("42")},
		{"getSchemas", VALUE("{\"active\":\"{\\\"tables\\\":[]}\"}")},
		{NULL, NULL},
	};
	struct cvx_buf schema = CVX_BUF_INIT(1000);
	struct cvx_err err = CVX_ERR_INIT;
	struct remote_component *components;
	struct remote_table *tables;
	struct bench b = {0};
	uint64_t count;
	size_t n;

	begin(&b, play_answers, answers);
	EXPECT_OK(remote_list_components(b.http, NULL, &components, &n, &err),
		  &err);
	EXPECT_INT(n, 1);
	assert_string_equal(components[0].path, "a/b");
	remote_components_free(components, n);
	EXPECT_OK(remote_list_tables(b.http, NULL, NULL, &tables, &n, &err),
		  &err);
	EXPECT_INT(n, 3);
	assert_string_equal(tables[0].name, "a");
	assert_string_equal(tables[1].name, "users");
	EXPECT_INT(tables[1].number, 10002);
	EXPECT_INT(tables[2].number, 0);
	free(tables);
	EXPECT_OK(remote_count_documents(b.http, NULL, "users", NULL, &count,
					 &err),
		  &err);
	EXPECT_INT(count, 42);
	EXPECT_OK(remote_print_schema(b.http, NULL, NULL, &schema, &err), &err);
	EXPECT_TEXT(schema.data, schema.size, "{\"tables\":[]}");
	cvx_buf_fini(&schema);

	answers[1].say = FAILED; /* an older deployment */
	EXPECT_OK(remote_list_tables(b.http, NULL, NULL, &tables, &n, &err),
		  &err);
	EXPECT_INT(n, 2);
	free(tables);
	EXPECT_FAIL(remote_list_tables(b.http, "c1", NULL, &tables, &n, &err),
		    &err, -EREMOTEIO, "getTableMapping: no");
	end(&b);
}

TEST(listing_refuses_names_that_cannot_be)
{
	const char *const bad[][2] = {
		{"getTableMapping", VALUE("{\"10001\":\"../x\"}")},
		{"getTableMapping", VALUE("{\"10001\":\"a b\"}")},
		{"getTableMapping", VALUE("{\"x\":\"a\"}")},
		{"getTableMapping", VALUE("{\"10001\":7}")},
		{"getTableMapping", VALUE("[]")},
		{"getTableMapping", "{\"status\":\"other\"}"},
		{"getTableMapping", "[]"},
		{"getTableMapping", "<html>proxy</html>"},
	};
	struct answers answers[2] = {{NULL, NULL}, {NULL, NULL}};
	struct cvx_err err = CVX_ERR_INIT;
	struct remote_component *components;
	struct remote_table *tables;
	struct bench b = {0};
	size_t i, n;

	begin(&b, play_answers, answers);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		answers[0] = (struct answers){bad[i][0], bad[i][1]};
		EXPECT_FAIL(remote_list_tables(b.http, NULL, NULL, &tables, &n,
					       &err),
			    &err, -EPROTO,
			    "getTableMapping: POST /api/query: 200");
	}
	answers[0] = (struct answers){
		"components", VALUE("[{\"id\":\"c\",\"path\":\"a/../b\"}]")};
	EXPECT_FAIL(remote_list_components(b.http, NULL, &components, &n, &err),
		    &err, -EPROTO, "id and path");
	assert_non_null(strstr(err.msg, "POST /api/query: 200"));
	end(&b);
}

static void play_files(void *ctx, const struct loopback_request *q,
		       struct loopback_answer *a)
{
	char *id = ctx;

	if (strcmp(q->path, "/api/storage/" UUID) == 0) {
		assert_true(loopback_has_header(q, "Range: bytes=2-9"));
		assert_null(strcasestr(q->headers, "authorization"));
		a->status = 206;
		a->body = strdup("23456789");
		return;
	}
	if (strstr(q->body, "\"cursor\":\"2\""))
		a->body =
			loopback_format(VALUE("{\"page\":[],\"isDone\":true}"));
	else
		a->body = loopback_format(
			VALUE("{\"page\":[{\"_id\":\"%s\",\"_creationTime\":1."
			      "5,"
			      "\"sha256\":\"" SHA "\",\"size\":10,"
			      "\"contentType\":\"image/png\",\"url\":"
			      "\"http://elsewhere/api/storage/" UUID
			      "?component=c\"}],\"isDone\":false,"
			      "\"continueCursor\":\"2\"}"),
			id);
}

/* FIL-3, FIL-4 */
TEST(listing_of_stored_files_and_a_part_of_one)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct bench b = {0};
	struct stored_file *files;
	char bytes[100];
	size_t n;

	make_ids(&b.model);
	begin(&b, play_files, b.model.ids[0]);
	EXPECT_OK(remote_list_stored_files(b.http, "c", NULL, &files, &n, &err),
		  &err);
	EXPECT_INT(n, 1);
	assert_string_equal(files[0].id, b.model.ids[0]);
	assert_string_equal(files[0].internal_id, UUID);
	assert_string_equal(files[0].content_type, "image/png");
	EXPECT_INT(files[0].size, 10);
	EXPECT_INT(files[0].sha256[31], 0xab);
	EXPECT_OK(remote_read_stored_file(b.http, "c", &files[0], 2, bytes, 100,
					  NULL, &n, &err),
		  &err);
	EXPECT_TEXT(bytes, n, "23456789");
	EXPECT_OK(remote_read_stored_file(b.http, "c", &files[0], 10, bytes,
					  100, NULL, &n, &err),
		  &err);
	EXPECT_INT(n, 0);
	free(files[0].content_type);
	free(files);
	end(&b);
}

UNIT_MAIN(UNIT_CASE(fetch_gives_the_lines_of_a_backup_by_id),
	  UNIT_CASE(fetch_refuses_a_document_that_comes_twice_in_one_snapshot),
	  UNIT_CASE(fetch_refuses_what_is_no_document),
	  UNIT_CASE(fetch_passes_over_what_is_not_of_the_table),
	  UNIT_CASE(fetch_fault_is_healed_or_told),
	  UNIT_CASE(fetch_ends_when_a_deployment_goes_in_circles),
	  UNIT_CASE(listing_of_components_tables_counts_and_schema),
	  UNIT_CASE(listing_refuses_names_that_cannot_be),
	  UNIT_CASE(listing_of_stored_files_and_a_part_of_one))
