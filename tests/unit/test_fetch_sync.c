/* importer/remote/fetch: pages of data/sync as others might write them
 * (protocol.md 10.3). */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "importer/remote/fetch.h"
#include "importer/remote/halt.h"
#include "importer/remote/http.h"
#include "importer/value/id.h"
#include "tests/unit/loopback.h"

#define TABLE_NUMBER 10007
#define PAGES_MAX 8

/* A deployment that answers one text after the other, and who asks it. */
struct bench {
	char *pages[PAGES_MAX];
	size_t sizes[PAGES_MAX]; /* 0: to the NUL */
	int statuses[PAGES_MAX]; /* 0: 200 */
	char requests[PAGES_MAX][512];
	unsigned count, asked;
	unsigned halts_at; /* who asks is interrupted by this page, which does
			      not come; 0: by none */
	struct halt *halt;
	struct loopback *server;
	struct http *http;
	int dir_fd;
};

static const char *id_of(unsigned i)
{
	static char texts[8][ID_TEXT_MAX + 1];
	struct id_stamp stamp = {.ms = 1700000000000, .day = 19675};
	char *text = texts[i % 8];
	struct internal_id id;

	id_from_stamp(&stamp, i, &id);
	text[id_encode(TABLE_NUMBER, &id, text)] = '\0';
	return text;
}

static char *document(unsigned i, const char *value)
{
	return loopback_format(
		"{\"_creationTime\":1.0,\"_id\":\"%s\",\"v\":%s}", id_of(i),
		value);
}

/* The text with document i in the place of each '$', which is freed. */
static char *fill_in(const char *text, unsigned i)
{
	char *all = loopback_format("%s", ""), *more, *one;
	const char *at;

	while ((at = strchr(text, '$'))) {
		one = document(i, "\"\xc3\xa9\"");
		more = loopback_format("%s%.*s%s", all, (int)(at - text), text,
				       one);
		free(one);
		free(all);
		all = more;
		text = at + 1;
	}
	more = loopback_format("%s%s", all, text);
	free(all);
	return more;
}

#define HEAD                                                                   \
	"{\"component\":\"\",\"table\":\"t\",\"ts\":17,\"deleted\":false,"     \
	"\"value\":"
#define USUAL HEAD "$}"

static char *page(const char *status, const char *before, const char *values,
		  const char *behind, const char *cursor)
{
	return loopback_format("{\"status\":{\"type\":\"%s\"}%s,\"values\":[%s]"
			       "%s,\"pagination\":{\"nextCursor\":\"%s\"}}",
			       status, before, values, behind, cursor);
}

static void play(void *ctx, const struct loopback_request *q,
		 struct loopback_answer *a)
{
	struct bench *b = ctx;
	unsigned n = b->asked++;

	assert_string_equal(q->path, "/api/v1/data/sync");
	assert_true(n < b->count);
	a->body = b->pages[n];
	b->pages[n] = NULL;
	a->body_size = b->sizes[n];
	a->status = b->statuses[n] ? b->statuses[n] : 200;
	(void)snprintf(b->requests[n], sizeof(b->requests[n]), "%s", q->body);
	if (n > 0 && n == b->halts_at) {
		a->fault = LOOPBACK_HANG;
		halt_request(b->halt);
	}
}

static void begin(struct bench *b)
{
	struct http_settings settings = {.backoff_ms = 1};
	struct cvx_err err = CVX_ERR_INIT;

	*b = (struct bench){.count = 0};
	b->server = loopback_start(play, b);
	settings.origin = loopback_url(b->server);
	EXPECT_OK(http_new(&settings, &b->http, &err), &err);
	EXPECT_OK(halt_new(&b->halt, &err), &err);
	b->dir_fd = open(unit_temp_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(b->dir_fd >= 0);
}

/* The page is taken over. */
static void add(struct bench *b, char *text)
{
	assert_true(b->count < PAGES_MAX);
	b->pages[b->count++] = text;
	loopback_sync(b->server);
}

static void end(struct bench *b)
{
	unsigned i;

	(void)close(b->dir_fd);
	http_free(b->http);
	loopback_stop(b->server);
	halt_free(b->halt);
	for (i = 0; i < b->count; i++)
		free(b->pages[i]);
}

static int fetch(struct bench *b, int *ret_fd, struct fetched *ret,
		 struct cvx_err *err)
{
	static const struct fetch_target target = {.component = "",
						   .table = "t"};

	return fetch_table(b->http, &target, b->dir_fd, b->halt, ret_fd, ret,
			   err);
}

/* What was fetched, ended by NUL; free() it. */
static char *read_lines(int fd, const struct fetched *fetched)
{
	char *text = calloc(1, fetched->size + 1);

	assert_non_null(text);
	assert_true(pread(fd, text, fetched->size + 1, 0) ==
		    (ssize_t)fetched->size);
	return text;
}

/* The pages give these lines. */
static void expect_lines(struct bench *b, const char *want)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct fetched fetched;
	char *got;
	int fd;

	EXPECT_OK(fetch(b, &fd, &fetched, &err), &err);
	got = read_lines(fd, &fetched);
	assert_string_equal(got, want);
	EXPECT_INT(b->asked, b->count);
	free(got);
	free(fetched.cursor);
	(void)close(fd);
	end(b);
}

/* Entries first, second and third, of documents 0, 1 and 2. */
static char *three(const char *first, const char *second, const char *third)
{
	char *a = fill_in(first, 0), *b = fill_in(second, 1),
	     *c = fill_in(third, 2);
	char *all = loopback_format("%s,%s,%s", a, b, c);

	free(a);
	free(b);
	free(c);
	return all;
}

static void add_page(struct bench *b, char *values)
{
	add(b, page("upToDate", ",\"truncates\":[]", values, "", "c"));
	free(values);
}

TEST(STR9_entries_in_any_form_are_read_alike)
{
	static const char *const forms[] = {
		USUAL,
		" { \"component\" : \"\" ,\n\"table\":\"t\",\"ts\":17,"
		"\"deleted\":false,\r\n\t\"value\" :\n $ \t\r\n} ",
		/* of another moment */
		"{\"component\":\"\",\"table\":\"t\",\"ts\":18,"
		"\"deleted\":false,\"value\":$}",
		/* in another order */
		"{\"value\":$,\"component\":\"\",\"table\":\"t\",\"ts\":17,"
		"\"deleted\":false}",
		"{\"deleted\":false,\"value\":$,\"table\":\"t\",\"ts\":17,"
		"\"component\":\"\"}",
		/* with more members, or less */
		"{\"x\":[{\"y\":1}],\"component\":\"\",\"table\":\"t\","
		"\"deleted\":false,\"value\":$}",
		"{\"component\":\"\",\"table\":\"t\",\"value\":$}",
		HEAD "$,\"x\":{}}",
		/* the last of a name counts */
		"{\"component\":\"\",\"table\":\"u\",\"table\":\"t\","
		"\"deleted\":false,\"value\":$}",
		HEAD "5,\"value\":$}",
		HEAD "{\"_id\":\"x\"},\"value\":$}",
		"{\"component\":\"\",\"table\":\"t\",\"deleted\":true,"
		"\"value\":$,\"deleted\":false}",
	};
	char *want = fill_in("$\n", 0), *more, *line;
	struct bench b;
	size_t i;

	for (i = 1; i < 3; i++) {
		line = fill_in("$\n", (unsigned)i);
		more = loopback_format("%s%s", want, line);
		free(want);
		free(line);
		want = more;
	}
	for (i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		begin(&b);
		add_page(&b, three(USUAL, forms[i], USUAL));
		expect_lines(&b, want);
		begin(&b);
		add_page(&b, three(forms[i], USUAL, forms[i]));
		expect_lines(&b, want);
	}
	free(want);
}

/* Whatever stands where a usual entry could, behind one that was taken. */
TEST(STR9_entries_with_a_fault_are_refused)
{
	static const char *const forms[] = {
		HEAD "$",
		HEAD "$]",
		HEAD "$}}",
		HEAD "$,}",
		HEAD "$ x}",
		HEAD "$:1}",
		HEAD ",\"x\":$}",
		HEAD "}",
		HEAD "5}",
		HEAD "[$]}",
		HEAD "{\"v\":1}}",
		HEAD "{\"_id\":\"x\",\"v\":1}}",
		HEAD "{\"v\":\"\x01\"}}",
		HEAD "{\"v\":\"\xff\"}}",
		HEAD "{\"v\":\"\\ud800\"}}",
		HEAD "$,\"value\":5}",
		HEAD "$,\"value\"}",
		"[]",
		"7",
		USUAL ",",
		USUAL "{}",
		("{\"component\":\"\",\"table\":\"t\",\"ts\":17,"
		 "\"deleted\":false} $}"),
		"{\"component\":\"\",\"table\":\"t\",\"deleted\":false}",
	};
	struct cvx_err err = CVX_ERR_INIT;
	struct fetched fetched;
	struct bench b;
	size_t i;
	int fd, r;

	for (i = 0; i < 2 * (sizeof(forms) / sizeof(*forms)); i++) {
		const char *form = forms[i / 2];

		begin(&b);
		add_page(&b, i % 2 ? three(USUAL, USUAL, form)
				   : three(USUAL, form, USUAL));
		r = fetch(&b, &fd, &fetched, &err);
		if (r == 0)
			fail_msg("%s was taken", form);
		assert_true(err.msg[0] != '\0');
		end(&b);
	}
}

/* NUL is no white space. */
TEST(STR9_a_NUL_behind_a_value_is_refused)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct fetched fetched;
	struct bench b;
	char *at;
	int fd;

	begin(&b);
	add_page(&b, three(USUAL, HEAD "$\x01}", USUAL));
	b.sizes[0] = strlen(b.pages[0]);
	at = strchr(b.pages[0], '\x01');
	assert_non_null(at);
	*at = '\0';
	loopback_sync(b.server);
	EXPECT_FAIL(fetch(&b, &fd, &fetched, &err), &err, -EPROTO, "JSON");
	end(&b);
}

TEST(STR9_entries_that_are_no_document_of_the_table)
{
	static const char *const others[] = {
		"{\"component\":\"\",\"table\":\"u\",\"ts\":17,"
		"\"deleted\":false,\"value\":{\"no\":[\"document\"]}}",
		"{\"component\":\"\",\"table\":\"u\",\"ts\":17,"
		"\"deleted\":false,\"value\":$}",
		/* one that has gone */
		"{\"component\":\"\",\"table\":\"t\",\"ts\":17,"
		"\"deleted\":true,\"value\":$}",
		"{\"component\":\"lib\",\"table\":\"t\",\"ts\":17,"
		"\"deleted\":false,\"value\":$}",
		"{\"component\":null,\"table\":\"t\",\"ts\":17,"
		"\"deleted\":false,\"value\":$}",
	};
	char *a = fill_in("$\n", 0), *c = fill_in("$\n", 2);
	char *want = loopback_format("%s%s", a, c);
	struct bench b;
	size_t i;

	for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
		begin(&b);
		add_page(&b, three(USUAL, others[i], USUAL));
		expect_lines(&b, want);
	}
	free(a);
	free(c);
	free(want);
}

/* What was truncated goes before the values of its page, wherever it stands
 * there. */
TEST(STR9_members_of_a_page_come_in_any_order)
{
#define TRUNCATES ",\"truncates\":[{\"component\":\"\",\"table\":\"t\"}]"
	static const char *const places[][2] = {
		{TRUNCATES, ""}, {"", TRUNCATES}, {",\"x\":[1]" TRUNCATES, ""}};
	char *first = fill_in(USUAL, 3), *second = fill_in(USUAL, 1);
	char *want = fill_in("$\n", 1);
	struct bench b;
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(*places); i++) {
		begin(&b);
		add(&b, page("snapshotting", "", first, "", "a"));
		add(&b,
		    page("upToDate", places[i][0], second, places[i][1], "b"));
		expect_lines(&b, want);
	}
	free(first);
	free(second);
	free(want);
}

TEST(STR9_pages_with_a_fault_are_refused)
{
	static const char *const behind[][2] = {
		{",\"values\":[]", "twice"},
		{",\"status\":{}", "twice"},
		{",\"truncates\":[]", "twice"},
		{",", "JSON"},
		{",\"x\"", "JSON"},
		{",\"x\":[}", "JSON"},
		{"}", "JSON"},
	};
	struct cvx_err err = CVX_ERR_INIT;
	struct fetched fetched;
	struct bench b;
	char *values;
	size_t i;
	int fd;

	for (i = 0; i < sizeof(behind) / sizeof(*behind); i++) {
		begin(&b);
		values = fill_in(USUAL, 0);
		add(&b, page("upToDate", ",\"truncates\":[]", values,
			     behind[i][0], "c"));
		free(values);
		EXPECT_FAIL(fetch(&b, &fd, &fetched, &err), &err, -EPROTO,
			    behind[i][1]);
		end(&b);
	}
}

/* Longer than what is looked at without knowing where the value ends. */
TEST(STR9_a_document_of_many_bytes)
{
	const size_t count = 900000;
	char *escaped = malloc(6 * count + 3), *plain = malloc(count + 3);
	char *value, *entry, *first, *last, *want, *at = escaped;
	struct bench b;
	size_t i;

	assert_true(escaped && plain);
	*at++ = '"';
	for (i = 0; i < count; i++, at += 6)
		memcpy(at, "\\u0061", 6);
	memcpy(at, "\"", 2);
	memset(plain, 'a', count + 2);
	plain[0] = plain[count + 1] = '"';
	plain[count + 2] = '\0';
	value = document(1, escaped);
	entry = loopback_format(HEAD "%s}", value);
	begin(&b);
	add_page(&b, three(USUAL, entry, USUAL));
	free(value);
	value = document(1, plain);
	first = fill_in("$", 0);
	last = fill_in("$", 2);
	want = loopback_format("%s\n%s\n%s\n", first, value, last);
	expect_lines(&b, want);
	free(first);
	free(last);
	free(want);
	free(value);
	free(entry);
	free(escaped);
	free(plain);
}

/* --- a page ahead -------------------------------------------------------- */

/* A page of document i, so long that the next one is asked for before it is
 * read, with what stands behind its values. */
static char *long_page(unsigned i, const char *status, const char *behind)
{
	const size_t size = (size_t)300 << 10;
	char *value = malloc(size + 3), *one, *entry, *all;

	assert_non_null(value);
	memset(value, 'a' + (int)i, size + 2);
	value[0] = value[size + 1] = '"';
	value[size + 2] = '\0';
	one = document(i, value);
	entry = loopback_format(HEAD "%s}", one);
	all = loopback_format("{\"status\":{\"type\":\"%s\"},\"truncates\":[]"
			      ",\"values\":[%s]%s}",
			      status, entry, behind);
	free(value);
	free(one);
	free(entry);
	return all;
}

#define NEXT(cursor) ",\"pagination\":{\"nextCursor\":\"" cursor "\"}"

static bool was_asked(const struct bench *b, unsigned n, const char *cursor)
{
	char text[64];

	loopback_sync(b->server);
	(void)snprintf(text, sizeof(text), "\"cursor\":\"%s\"", cursor);
	return n < b->asked && strstr(b->requests[n], text);
}

/* Documents first to last - 1 came, each of them by a long page. */
static void expect_long(struct bench *b, unsigned first, unsigned last)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct fetched fetched;
	char *got, *at;
	unsigned i;
	int fd;

	EXPECT_OK(fetch(b, &fd, &fetched, &err), &err);
	EXPECT_INT(fetched.document_count, last - first);
	got = at = read_lines(fd, &fetched);
	for (i = first; i < last; i++) {
		assert_true(strstr(at, id_of(i)) && strchr(at, '\n'));
		assert_true(strstr(at, id_of(i)) < strchr(at, '\n'));
		at = strchr(at, '\n') + 1;
		assert_true(at[-3] == '"' && at[-4] == 'a' + (int)i);
	}
	assert_string_equal(at, "");
	free(got);
	free(fetched.cursor);
	(void)close(fd);
	EXPECT_INT(b->asked, b->count);
}

TEST(STR9_the_next_page_is_asked_for_while_one_is_read)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct fetched fetched;
	struct bench b;
	int fd;

	begin(&b);
	add(&b, long_page(0, "snapshotting", NEXT("a")));
	add(&b, long_page(1, "snapshotting", NEXT("b")));
	add(&b, long_page(2, "upToDate", NEXT("c")));
	expect_long(&b, 0, 3);
	assert_true(was_asked(&b, 1, "a") && was_asked(&b, 2, "b"));
	end(&b);

	/* It is asked for although the one that is read has a fault, which is
	 * what is told then. */
	begin(&b);
	add(&b, long_page(0, "snapshotting", ",\"x\":[}" NEXT("a")));
	add(&b, loopback_format("{}"));
	b.statuses[1] = 401;
	loopback_sync(b.server);
	EXPECT_FAIL(fetch(&b, &fd, &fetched, &err), &err, -EPROTO, "JSON");
	assert_true(was_asked(&b, 1, "a"));
	end(&b);
}

/* What looked like the cursor was none: what it brought is not taken. */
TEST(STR9_a_page_of_another_cursor_is_not_taken)
{
	static const int statuses[] = {200, 400, 401, 404};
	struct bench b;
	size_t i;

	for (i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		begin(&b);
		add(&b, long_page(0, "snapshotting",
				  NEXT("a") ",\"x\":{\"y\":1" NEXT("no") "}"));
		add(&b, long_page(5, "upToDate", NEXT("d")));
		add(&b, long_page(1, "upToDate", NEXT("c")));
		b.statuses[1] = statuses[i];
		loopback_sync(b.server);
		expect_long(&b, 0, 2);
		assert_true(was_asked(&b, 1, "no") && was_asked(&b, 2, "a"));
		end(&b);
	}
}

TEST(STR9_a_page_ahead_that_fails_is_told_or_healed)
{
	static const struct {
		int status, code;
	} cases[] = {{400, -ESTALE}, {401, -EACCES}, {404, -ESTALE}, {503, 0}};
	struct cvx_err err = CVX_ERR_INIT;
	struct fetched fetched;
	struct bench b;
	size_t i;
	int fd;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		begin(&b);
		add(&b, long_page(0, "snapshotting", NEXT("a")));
		add(&b, loopback_format("{}"));
		b.statuses[1] = cases[i].status;
		loopback_sync(b.server);
		if (cases[i].code < 0) {
			err = (struct cvx_err)CVX_ERR_INIT;
			EXPECT_INT(fetch(&b, &fd, &fetched, &err),
				   cases[i].code);
			assert_non_null(strstr(err.msg, "/api/v1/data/sync"));
		} else {
			add(&b, long_page(1, "upToDate", NEXT("c")));
			expect_long(&b, 0, 2);
		}
		end(&b);
	}
}

TEST(STR9_who_waits_for_a_page_ahead_can_be_interrupted)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct fetched fetched;
	struct bench b;
	int fd;

	begin(&b);
	add(&b, long_page(0, "snapshotting", NEXT("a")));
	add(&b, long_page(1, "snapshotting", NEXT("b")));
	add(&b, long_page(2, "upToDate", NEXT("c")));
	b.halts_at = 2;
	loopback_sync(b.server);
	EXPECT_INT(fetch(&b, &fd, &fetched, &err), -ECANCELED);
	end(&b);
}

/* The table is replaced while its first page is read. */
TEST(STR9_a_page_ahead_brings_another_table)
{
	struct bench b;

	begin(&b);
	add(&b, long_page(0, "snapshotting", NEXT("a")));
	add(&b, loopback_format(
			"{\"status\":{\"type\":\"snapshotting\"},"
			"\"truncates\":[{\"component\":\"\",\"table\":\"t\"}],"
			"\"values\":[]" NEXT("b") "}"));
	add(&b, long_page(3, "upToDate", NEXT("c")));
	expect_long(&b, 3, 4);
	end(&b);
}

UNIT_MAIN(UNIT_CASE(STR9_entries_in_any_form_are_read_alike),
	  UNIT_CASE(STR9_entries_with_a_fault_are_refused),
	  UNIT_CASE(STR9_a_NUL_behind_a_value_is_refused),
	  UNIT_CASE(STR9_entries_that_are_no_document_of_the_table),
	  UNIT_CASE(STR9_members_of_a_page_come_in_any_order),
	  UNIT_CASE(STR9_pages_with_a_fault_are_refused),
	  UNIT_CASE(STR9_a_document_of_many_bytes),
	  UNIT_CASE(STR9_the_next_page_is_asked_for_while_one_is_read),
	  UNIT_CASE(STR9_a_page_of_another_cursor_is_not_taken),
	  UNIT_CASE(STR9_a_page_ahead_that_fails_is_told_or_healed),
	  UNIT_CASE(STR9_who_waits_for_a_page_ahead_can_be_interrupted),
	  UNIT_CASE(STR9_a_page_ahead_brings_another_table))
