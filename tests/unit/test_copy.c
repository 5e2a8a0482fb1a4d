#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "importer/embedded/copy.h"
#include "importer/embedded/held.h"
#include "importer/embedded/listed.h"
#include "importer/remote/fetch.h"
#include "importer/remote/http.h"
#include "importer/remote/take_in.h"
#include "importer/remote/trim.h"
#include "importer/value/id.h"
#include "tests/unit/loopback.h"
#include "tests/unit/store.h"

#define TABLE_NUMBER 10007
#define ID_COUNT 4

/* What a deployment answers to data sync, one text after the other. */
struct answer {
	int status;
	const char *body; /* "$0" to "$3" stand for ids */
};

/* Our client, a deployment that is played, and a copy. */
struct bench {
	const struct answer *answers;
	unsigned count, asked;
	char last_request[2048];
	struct loopback *server;
	struct http *http;
	struct deployment *copy;
	int dir_fd;
};

static char ids[ID_COUNT][ID_TEXT_MAX + 1];

static void make_ids(void)
{
	struct id_stamp stamp = {.ms = 1700000000000, .day = 19675};
	struct internal_id id;
	unsigned i;

	for (i = 0; i < ID_COUNT; i++) {
		id_from_stamp(&stamp, i, &id);
		ids[i][id_encode(TABLE_NUMBER, &id, ids[i])] = '\0';
	}
}

static char *fill_in(const char *text)
{
	size_t n = 0, size = 8192;
	char *out = calloc(1, size);

	assert_non_null(out);
	for (; *text; text++) {
		if (text[0] == '$' && text[1] >= '0' && text[1] <= '3') {
			text++;
			n += (size_t)snprintf(out + n, size - n, "%s",
					      ids[*text - '0']);
		} else {
			out[n++] = *text;
		}
		assert_true(n < size - 64);
	}
	return out;
}

static void play(void *ctx, const struct loopback_request *q,
		 struct loopback_answer *a)
{
	struct bench *b = ctx;

	assert_string_equal(q->path, "/api/v1/data/sync");
	assert_true(b->asked < b->count);
	(void)snprintf(b->last_request, sizeof(b->last_request), "%s", q->body);
	a->status = b->answers[b->asked].status;
	a->body = fill_in(b->answers[b->asked++].body);
}

static void begin(struct bench *b, const struct answer *answers, unsigned count)
{
	struct http_settings settings = {.backoff_ms = 1};
	struct cvx_err err = CVX_ERR_INIT;

	*b = (struct bench){.answers = answers, .count = count};
	make_ids();
	b->server = loopback_start(play, b);
	settings.origin = loopback_url(b->server);
	EXPECT_OK(http_new(&settings, &b->http, &err), &err);
	b->copy = store_open(store_new_dir());
	b->dir_fd = open(unit_temp_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(b->dir_fd >= 0);
}

static void end(struct bench *b)
{
	EXPECT_INT(b->asked, b->count);
	(void)close(b->dir_fd);
	store_close(b->copy);
	http_free(b->http);
	loopback_stop(b->server);
}

static const struct fetch_target target = {.component = "", .table = "t"};

/* The table, as it is there, into the copy. */
static int take_all(struct bench *b, struct fetched *ret,
		    uint64_t *ret_revision, struct cvx_err *err)
{
	int fd = -1;
	int r = fetch_table(b->http, &target, b->dir_fd, NULL, &fd, ret, err);

	if (r < 0)
		return r;
	r = take_in_all(b->copy, "", "t", fd, ret->size, ret->committed_ns,
			ret_revision, err);
	(void)close(fd);
	return r;
}

static int take_changes(struct bench *b, const char *cursor,
			uint64_t *ret_revision, struct cvx_err *err)
{
	struct fetched_changes changes = {.fd = -1};
	int r = fetch_changes(b->http, &target, FETCH_SYNC, cursor, b->dir_fd,
			      NULL, &changes, err);

	if (r < 0)
		return r;
	r = take_in_changes(b->copy, "", "t", b->dir_fd, &changes, ret_revision,
			    err);
	fetched_changes_fini(&changes);
	return r;
}

static void expect_table(struct bench *b, const char *text)
{
	char *want = fill_in(text);

	store_expect_cat(b->copy, "t", want);
	free(want);
}

#define LINE(nth, n)                                                           \
	"{\"_creationTime\":1700000000000.0,\"_id\":\"$" #nth "\",\"n\":" #n   \
	"}\n"
#define ENTRY(nth, n)                                                          \
	"{\"component\":\"\",\"table\":\"t\",\"ts\":1700000000000000000,"      \
	"\"deleted\":false,\"value\":{\"_id\":\"$" #nth                        \
	"\",\"_creationTime\":1700000000000.0,\"n\":" #n "}}"
#define GONE(nth)                                                              \
	"{\"component\":\"\",\"table\":\"t\",\"ts\":1700000000000000001,"      \
	"\"deleted\":true,\"value\":{\"_id\":\"$" #nth "\"}}"
#define PAGE(type, truncates, values, cursor)                                  \
	"{\"status\":{\"type\":\"" type "\",\"snapshotTs\":1},"                \
	"\"truncates\":[" truncates "],\"values\":[" values                    \
	"],\"syncId\":\"x\",\"pagination\":{\"hasMore\":true,\"nextCursor\":"  \
	"\"" cursor "\"}}"
#define TRUNCATE "{\"component\":\"\",\"table\":\"t\"}"

/* STR-9: all of a table, then what became of it. Rows keep the order of _id,
 * and what is of other tables is passed over. */
TEST(copy_follows_a_table_by_data_sync)
{
	static const struct answer answers[] = {
		{200, PAGE("snapshotting", "", ENTRY(2, 3), "a")},
		{200, PAGE("upToDate", "", ENTRY(0, 1.0) "," ENTRY(2, 2), "b")},
		/* changed, new in between */
		{200, PAGE("upToDate", "", ENTRY(1, 7) "," ENTRY(2, 8), "c")},
		/* gone, and come again */
		{200, PAGE("upToDate", "", GONE(0) "," GONE(1) "," ENTRY(1, 9),
			   "d")},
		/* behind all others */
		{200, PAGE("upToDate", "", ENTRY(3, 4), "e")},
		/* replaced: what came before in the page has gone, too */
		{200, PAGE("stale", TRUNCATE, ENTRY(1, 5), "f")},
		{200, PAGE("upToDate", "", "", "g")},
		{200, PAGE("upToDate", TRUNCATE, "", "h")},
	};
	struct cvx_err err = CVX_ERR_INIT;
	struct fetched fetched;
	uint64_t revision = 0, before;
	struct bench b;

	begin(&b, answers, sizeof(answers) / sizeof(*answers));
	EXPECT_OK(take_all(&b, &fetched, &revision, &err), &err);
	assert_string_equal(fetched.cursor, "b");
	EXPECT_INT(fetched.way, FETCH_SYNC);
	assert_string_equal(b.last_request,
			    "{\"selection\":{\"\":{\"t\":{\"_other\":"
			    "\"included\"},\"_other\":\"excluded\"},"
			    "\"_other\":\"excluded\"},\"cursor\":\"a\"}");
	expect_table(&b, LINE(0, 1.0) LINE(2, 2));
	EXPECT_INT(store_stat(b.copy, "t").committed_ns,
		   INT64_C(1700000000000000000));
	EXPECT_INT(store_stat(b.copy, "t").number, TABLE_NUMBER);
	free(fetched.cursor);

	EXPECT_OK(take_changes(&b, "b", &revision, &err), &err);
	expect_table(&b, LINE(0, 1.0) LINE(1, 7) LINE(2, 8));
	EXPECT_OK(take_changes(&b, "c", &revision, &err), &err);
	expect_table(&b, LINE(1, 9) LINE(2, 8));
	before = revision;
	EXPECT_OK(take_changes(&b, "d", &revision, &err), &err);
	expect_table(&b, LINE(1, 9) LINE(2, 8) LINE(3, 4));
	assert_true(revision > before);
	EXPECT_OK(take_changes(&b, "e", &revision, &err), &err);
	expect_table(&b, LINE(1, 5));
	EXPECT_OK(take_changes(&b, "g", &revision, &err), &err);
	expect_table(&b, "");
	end(&b);
}

/* Changes are of what the copy holds, not of what another has made of it. */
TEST(copy_refuses_changes_of_another_revision)
{
	static const struct answer answers[] = {
		{200, PAGE("upToDate", "", ENTRY(1, 2), "b")},
		{200, PAGE("upToDate", "", ENTRY(2, 3), "c")},
	};
	struct cvx_err err = CVX_ERR_INIT;
	struct fetched fetched;
	uint64_t revision = 0, old;
	struct bench b;

	begin(&b, answers, 2);
	EXPECT_OK(take_all(&b, &fetched, &revision, &err), &err);
	free(fetched.cursor);
	old = revision - 1;
	EXPECT_INT(take_changes(&b, "b", &old, &err), -ESTALE);
	expect_table(&b, LINE(1, 2));
	end(&b);
}

TEST(copy_tells_what_data_sync_cannot)
{
	const struct {
		struct answer answer;
		int code;
	} cases[] = {
		{{400, "{\"code\":\"DataSyncCursorExpired\"}"}, -ESTALE},
		{{404, ""}, -ESTALE},
		{{401, ""}, -EACCES},
		{{200, "<html>"}, -EPROTO},
		{{200, "{}"}, -EPROTO},
		{{200, "{\"status\":{},\"values\":{}}"}, -EPROTO},
		{{200, "{\"status\":{},\"values\":[7]}"}, -EPROTO},
		{{200, "{\"status\":{},\"values\":[]}"}, -EPROTO},
		{{200, PAGE("upToDate", "7", "", "c") "x"}, -EPROTO},
		{{200, "{\"status\":{\"type\":\"upToDate\"},\"values\":[{"
		       "\"component\":\"\",\"table\":\"t\",\"deleted\":true,"
		       "\"value\":{}}],\"pagination\":{\"nextCursor\":\"c\"}}"},
		 -EPROTO},
	};
	struct fetched_changes changes;
	struct cvx_err err = CVX_ERR_INIT;
	struct bench b;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		begin(&b, &cases[i].answer, 1);
		EXPECT_INT(fetch_changes(b.http, &target, FETCH_SYNC, "b",
					 b.dir_fd, NULL, &changes, &err),
			   cases[i].code);
		end(&b);
	}
}

static void hold(struct deployment *d, const char *table, int64_t used_ns)
{
	struct held held = {.revision = store_stat(d, table).revision,
			    .cursor = (char *)"c",
			    .used_ns = used_ns};
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(held_put(d, "", table, &held, &err), &err);
}

static bool is_held(struct deployment *d, const char *table)
{
	struct held held = {.cursor = NULL};
	struct cvx_err err = CVX_ERR_INIT;
	int r = held_find(d, "", table, &held, &err);

	assert_true(r >= 0);
	held_fini(&held);
	return r == 1;
}

/* A table is held as it was put, and not when anything else came since. */
TEST(copy_holds_a_table_at_one_revision)
{
	struct deployment *d = store_open(store_new_dir());
	struct held held = {.cursor = NULL};
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(store_import(d, "t", IMPORT_REPLACE, "{\"n\":1}\n", &err),
		  &err);
	assert_false(is_held(d, "t"));
	hold(d, "t", 5);
	EXPECT_INT(held_find(d, "", "t", &held, &err), 1);
	assert_string_equal(held.cursor, "c");
	held_fini(&held);
	EXPECT_OK(store_import(d, "t", IMPORT_APPEND, "{\"n\":2}\n", &err),
		  &err);
	assert_false(is_held(d, "t"));
	EXPECT_INT(held_find(d, "", "none", &held, &err), -ENOENT);
	store_close(d);
}

/* What is not listed goes with its documents; a table of another number is
 * another one. */
TEST(copy_has_the_tables_of_the_list)
{
	static const struct copy_table first[] = {{"a", 10003}, {"b", 10001}};
	static const struct copy_table second[] = {{"b", 10003}, {"c", 0}};
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	uint64_t revision;

	EXPECT_OK(copy_set_tables(d, "", first, 2, &err), &err);
	EXPECT_INT(store_stat(d, "a").number, 10003);
	EXPECT_OK(store_import(d, "b", IMPORT_REPLACE, "{\"n\":1}\n", &err),
		  &err);
	revision = store_stat(d, "b").revision;
	EXPECT_OK(copy_set_tables(d, "", first, 2, &err), &err);
	EXPECT_INT(store_stat(d, "b").revision, revision);
	EXPECT_OK(copy_set_tables(d, "", second, 2, &err), &err);
	assert_false(store_has(d, "a"));
	EXPECT_INT(store_stat(d, "b").document_count, 0);
	EXPECT_INT(store_stat(d, "b").number, 10003);
	assert_true(store_has(d, "c"));
	EXPECT_INT(store_count_files(d, "segments"), 0);
	store_close(d);
}

TEST(copy_has_the_components_of_the_list)
{
	static const char *const first[] = {"a", "a/b", "c"};
	static const struct copy_table table = {"t", 10001};
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(copy_set_components(d, first, 3, &err), &err);
	EXPECT_OK(copy_set_tables(d, "a/b", &table, 1, &err), &err);
	EXPECT_OK(deployment_find_component(d, "a/b", &err), &err);
	EXPECT_OK(copy_set_components(d, first + 2, 1, &err), &err);
	EXPECT_INT(deployment_find_component(d, "a/b", &err), -ENOENT);
	EXPECT_INT(deployment_find_component(d, "a", &err), -ENOENT);
	EXPECT_OK(deployment_find_component(d, "c", &err), &err);
	store_close(d);
}

TEST(copy_knows_what_it_was_told_about)
{
	static const char *const paths[] = {"a"};
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_INT(listed_find(d, "", LISTED_NAMES, &err), 0);
	EXPECT_INT(listed_find(d, "a", LISTED_NAMES, &err), -ENOENT);
	EXPECT_INT(listed_put(d, "a", LISTED_NAMES, &err), -ENOENT);
	EXPECT_OK(copy_set_components(d, paths, 1, &err), &err);
	EXPECT_INT(listed_find(d, "a", LISTED_FILES, &err), 0);
	EXPECT_OK(listed_put(d, "a", LISTED_FILES, &err), &err);
	EXPECT_OK(listed_put(d, "a", LISTED_FILES, &err), &err);
	EXPECT_INT(listed_find(d, "a", LISTED_FILES, &err), 1);
	EXPECT_INT(listed_find(d, "a", LISTED_NAMES, &err), 0);
	EXPECT_INT(listed_find(d, "", LISTED_FILES, &err), 0);
	/* Gone and back it is another one. */
	EXPECT_OK(copy_set_components(d, NULL, 0, &err), &err);
	EXPECT_OK(copy_set_components(d, paths, 1, &err), &err);
	EXPECT_INT(listed_find(d, "a", LISTED_FILES, &err), 0);
	store_close(d);
}

/* What was read for longest goes first, and what has just come stays. */
TEST(copy_lets_go_of_what_was_read_longest_ago)
{
	struct deployment *d = store_open(store_new_dir());
	char *rows = store_make_rows(0, 100, 80);
	struct cvx_err err = CVX_ERR_INIT;
	static const char *const names[] = {"a", "b", "c"};
	static const int64_t used[] = {20, 10, 30};
	uint64_t size;
	size_t i;

	for (i = 0; i < 3; i++) {
		EXPECT_OK(store_import(d, names[i], IMPORT_REPLACE, rows, &err),
			  &err);
		hold(d, names[i], used[i]);
	}
	size = store_stat(d, "a").size; /* of the others nearly */
	EXPECT_OK(trim_copy(d, 3 * size + size / 2, "", NULL, &err), &err);
	assert_true(is_held(d, "b"));
	EXPECT_OK(trim_copy(d, 2 * size + size / 2, "", NULL, &err), &err);
	assert_false(is_held(d, "b"));
	EXPECT_INT(store_stat(d, "b").document_count, 0);
	EXPECT_OK(trim_copy(d, 1, "", "a", &err), &err);
	assert_true(is_held(d, "a"));
	assert_false(is_held(d, "c"));
	free(rows);
	store_close(d);
}

UNIT_MAIN(UNIT_CASE(copy_follows_a_table_by_data_sync),
	  UNIT_CASE(copy_refuses_changes_of_another_revision),
	  UNIT_CASE(copy_tells_what_data_sync_cannot),
	  UNIT_CASE(copy_holds_a_table_at_one_revision),
	  UNIT_CASE(copy_has_the_tables_of_the_list),
	  UNIT_CASE(copy_has_the_components_of_the_list),
	  UNIT_CASE(copy_knows_what_it_was_told_about),
	  UNIT_CASE(copy_lets_go_of_what_was_read_longest_ago))
