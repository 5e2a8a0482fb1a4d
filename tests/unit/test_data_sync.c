/* importer/server/data_sync: what a client that asks again and again gets, as
 * one that applies it sees it (protocol.md 10.3). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "importer/embedded/compact.h"
#include "importer/embedded/embedded.h"
#include "importer/server/data_sync.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"

#define ANSWER_MAX ((size_t)64 << 20)
#define ROW_MAX 100000
#define TABLE_MAX 8

/* The rows of a table that the client has, as canonical text. */
struct kept_table {
	char name[130]; /* COMPONENT/TABLE */
	char **rows;
	size_t count, capacity;
};

struct client {
	struct deployment *d;
	struct selection selection;
	char *cursor, *sync_id;
	struct kept_table tables[TABLE_MAX];
	/* Of the last page. */
	unsigned truncate_count, value_count;
	bool is_up_to_date;
};

static void forget_rows(struct kept_table *t)
{
	while (t->count > 0)
		free(t->rows[--t->count]);
}

static void client_fini(struct client *c)
{
	size_t i;

	for (i = 0; i < TABLE_MAX; i++) {
		forget_rows(&c->tables[i]);
		free(c->tables[i].rows);
	}
	free(c->cursor);
	free(c->sync_id);
}

static struct kept_table *find_table(struct client *c, const char *component,
				     const char *table)
{
	char name[130];
	size_t i;

	(void)snprintf(name, sizeof(name), "%s/%s", component, table);
	for (i = 0; c->tables[i].name[0]; i++) {
		if (strcmp(c->tables[i].name, name) == 0)
			return &c->tables[i];
		assert_true(i + 2 < TABLE_MAX);
	}
	(void)snprintf(c->tables[i].name, sizeof(name), "%s", name);
	return &c->tables[i];
}

static const char *text_of(const cJSON *object, const char *key)
{
	const char *text = cJSON_GetStringValue(
		cJSON_GetObjectItemCaseSensitive(object, key));

	assert_non_null(text);
	return text;
}

static void add_row(struct client *c, const cJSON *value)
{
	struct kept_table *t = find_table(c, text_of(value, "component"),
					  text_of(value, "table"));
	const cJSON *document =
		cJSON_GetObjectItemCaseSensitive(value, "value");

	assert_true(cJSON_IsObject(document));
	assert_true(
		cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(value, "ts")));
	assert_true(cJSON_IsFalse(
		cJSON_GetObjectItemCaseSensitive(value, "deleted")));
	if (t->count == t->capacity) {
		t->capacity = t->capacity * 2 + 16;
		t->rows = reallocarray(t->rows, t->capacity, sizeof(char *));
		assert_non_null(t->rows);
	}
	t->rows[t->count++] = strdup(text_of(document, "_id"));
}

/* Asks for one page, and does what it says. */
static int ask(struct client *c, int64_t now_ns, struct cvx_err *err)
{
	const struct data_sync_request request = {
		.cursor = c->cursor,
		.selection = c->selection,
		.now_ns = now_ns,
	};
	struct cvx_buf out = CVX_BUF_INIT(ANSWER_MAX);
	const cJSON *item, *status, *list;
	cJSON *answer;
	int r = data_sync_print(c->d, &request, &out, err);

	if (r < 0) {
		cvx_buf_fini(&out);
		return r;
	}
	answer = cJSON_ParseWithLength(out.data, out.size);
	assert_non_null(answer);
	list = cJSON_GetObjectItemCaseSensitive(answer, "truncates");
	c->truncate_count = (unsigned)cJSON_GetArraySize(list);
	cJSON_ArrayForEach(item, list) forget_rows(find_table(
		c, text_of(item, "component"), text_of(item, "table")));
	list = cJSON_GetObjectItemCaseSensitive(answer, "values");
	c->value_count = (unsigned)cJSON_GetArraySize(list);
	cJSON_ArrayForEach(item, list) add_row(c, item);
	status = cJSON_GetObjectItemCaseSensitive(answer, "status");
	c->is_up_to_date = strcmp(text_of(status, "type"), "upToDate") == 0;
	assert_true(c->is_up_to_date ||
		    strcmp(text_of(status, "type"), "snapshotting") == 0);
	assert_true(c->is_up_to_date ==
		    !!cJSON_GetObjectItemCaseSensitive(status, "snapshotTs"));
	item = cJSON_GetObjectItemCaseSensitive(answer, "pagination");
	assert_true(cJSON_IsTrue(
		cJSON_GetObjectItemCaseSensitive(item, "hasMore")));
	free(c->cursor);
	c->cursor = strdup(text_of(item, "nextCursor"));
	if (c->sync_id)
		assert_string_equal(c->sync_id, text_of(answer, "syncId"));
	free(c->sync_id);
	c->sync_id = strdup(text_of(answer, "syncId"));
	cJSON_Delete(answer);
	cvx_buf_fini(&out);
	return 0;
}

static void expect_page(struct client *c, unsigned truncate_count,
			unsigned value_count)
{
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(ask(c, embedded_now_ns(), &err), &err);
	EXPECT_INT(c->truncate_count, truncate_count);
	EXPECT_INT(c->value_count, value_count);
	assert_true(c->is_up_to_date);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The client has the table's rows, each once. */
static void expect_table(struct client *c, const char *table)
{
	struct kept_table *t = find_table(c, "", table), real = {.count = 0};
	char *text =
		store_has(c->d, table) ? store_cat(c->d, table) : strdup("");
	const char *id, *line = text;
	size_t i;

	real.rows = calloc(ROW_MAX, sizeof(char *));
	assert_non_null(real.rows);
	for (; *line; line = strchr(line, '\n') + 1) {
		id = strstr(line, "\"_id\":\"");
		assert_non_null(id);
		assert_true(real.count < ROW_MAX);
		real.rows[real.count++] =
			strndup(id + 7, strcspn(id + 7, "\""));
	}
	EXPECT_INT(t->count, real.count);
	if (t->count > 0)
		qsort(t->rows, t->count, sizeof(char *), compare_texts);
	qsort(real.rows, real.count, sizeof(char *), compare_texts);
	for (i = 0; i < real.count; i++)
		assert_string_equal(t->rows[i], real.rows[i]);
	forget_rows(&real);
	free(real.rows);
	free(text);
}

static void put(struct deployment *d, const char *table, enum import_mode mode,
		const char *text)
{
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(store_import(d, table, mode, text, &err), &err);
}

static void put_many(struct deployment *d, const char *table,
		     enum import_mode mode, unsigned count)
{
	char *rows = store_make_rows(0, count, 0);

	put(d, table, mode, rows);
	free(rows);
}

static void put_in_component(struct deployment *d, const char *component,
			     const char *table, const char *text)
{
	struct import_target target = store_target(table, IMPORT_APPEND);
	struct cvx_err err = CVX_ERR_INIT;

	target.component = component;
	EXPECT_OK(deployment_create_component(d, component, &err), &err);
	EXPECT_OK(
		store_import_target(d, &target, text, strlen(text), NULL, &err),
		&err);
}

TEST(STR9_appended_rows_come_once_and_replaced_tables_anew)
{
	struct client c = {.d = store_open(store_new_dir())};
	struct cvx_err err = CVX_ERR_INIT;

	expect_page(&c, 0, 0); /* nothing is there */
	put(c.d, "a", IMPORT_APPEND, "{\"n\":1}\n{\"n\":2}\n");
	put(c.d, "b", IMPORT_APPEND, "{\"n\":3}\n");
	EXPECT_OK(deployment_create_table(c.d, "", "e", &err), &err);
	expect_page(&c, 0, 3);
	expect_page(&c, 0, 0);
	put(c.d, "a", IMPORT_APPEND, "{\"n\":4}\n");
	put(c.d, "e", IMPORT_APPEND, "{\"n\":5}\n");
	expect_page(&c, 0, 2);
	put(c.d, "a", IMPORT_REPLACE, "{\"n\":6}\n");
	expect_page(&c, 1, 1);
	expect_table(&c, "a");
	put(c.d, "a", IMPORT_REPLACE, "");
	expect_page(&c, 1, 0);
	put(c.d, "a", IMPORT_REPLACE, "{\"n\":7}\n");
	expect_page(&c, 0, 1); /* the client has none of its rows */
	EXPECT_OK(deployment_delete_tables(c.d, "", (const char *[]){"b"}, 1,
					   &err),
		  &err);
	expect_page(&c, 1, 0);
	/* Another one of the same name. */
	EXPECT_OK(deployment_delete_tables(c.d, "", (const char *[]){"e"}, 1,
					   &err),
		  &err);
	put(c.d, "e", IMPORT_APPEND, "{\"n\":8}\n");
	expect_page(&c, 1, 1);
	expect_table(&c, "a");
	expect_table(&c, "b");
	expect_table(&c, "e");
	store_close(c.d);
	client_fini(&c);
}

/* Asks until it has everything; returns how many pages that took. */
static unsigned ask_all(struct client *c)
{
	struct cvx_err err = CVX_ERR_INIT;
	unsigned n = 0;

	do {
		EXPECT_OK(ask(c, embedded_now_ns(), &err), &err);
		assert_true(++n < 100);
	} while (!c->is_up_to_date);
	return n;
}

/* Rows that cannot be written behind the others are put together with them. */
TEST(STR9_rows_with_smaller_ids_than_those_before)
{
	struct client c = {.d = store_open(store_new_dir())};
	char *text, *rest;

	put_many(c.d, "a", IMPORT_APPEND, 4);
	text = store_cat(c.d, "a");
	rest = strchr(strchr(text, '\n') + 1, '\n') + 1;
	put(c.d, "a", IMPORT_REPLACE, rest); /* the last two */
	expect_page(&c, 0, 2);
	*rest = '\0';
	put(c.d, "a", IMPORT_APPEND, text); /* the first two */
	expect_page(&c, 1, 4);
	expect_table(&c, "a");
	free(text);
	store_close(c.d);
	client_fini(&c);
}

/* Many large appends are many segments, which are joined now and then. */
TEST(STR9_segments_that_are_joined)
{
	struct client c = {.d = store_open(store_new_dir())};
	char *text = store_make_rows(0, 2, 550000);
	unsigned i;

	for (i = 0; i < COMPACT_ABOVE + 2; i++) {
		put(c.d, "a", IMPORT_APPEND, text);
		if (i == 3 || i == COMPACT_ABOVE - 1) {
			(void)ask_all(&c);
			expect_table(&c, "a");
		}
	}
	assert_true(store_count_files(c.d, "segments") < COMPACT_ABOVE);
	(void)ask_all(&c);
	expect_table(&c, "a");
	free(text);
	store_close(c.d);
	client_fini(&c);
}

TEST(STR9_pages_are_bounded_and_see_what_comes_meanwhile)
{
	struct client c = {.d = store_open(store_new_dir())};
	struct cvx_err err = CVX_ERR_INIT;

	put_many(c.d, "a", IMPORT_APPEND, DATA_SYNC_ROWS_MAX + 10);
	put_many(c.d, "b", IMPORT_APPEND, 5);
	EXPECT_OK(ask(&c, embedded_now_ns(), &err), &err);
	EXPECT_INT(c.value_count, DATA_SYNC_ROWS_MAX);
	assert_false(c.is_up_to_date);
	/* Behind what it has, and in what it does not have yet. */
	put_many(c.d, "a", IMPORT_APPEND, 3);
	put_many(c.d, "b", IMPORT_REPLACE, 2);
	expect_page(&c, 0, 13 + 2);
	expect_table(&c, "a");
	expect_table(&c, "b");
	/* The table is another one in the middle of it. */
	put_many(c.d, "a", IMPORT_REPLACE, DATA_SYNC_ROWS_MAX + 10);
	EXPECT_OK(ask(&c, embedded_now_ns(), &err), &err);
	EXPECT_INT(c.truncate_count, 1);
	assert_false(c.is_up_to_date);
	put_many(c.d, "a", IMPORT_REPLACE, 7);
	expect_page(&c, 1, 7);
	expect_table(&c, "a");
	/* A page that is full to the row tells that it is all. */
	put_many(c.d, "a", IMPORT_REPLACE, DATA_SYNC_ROWS_MAX);
	expect_page(&c, 1, DATA_SYNC_ROWS_MAX);
	expect_table(&c, "a");
	store_close(c.d);
	client_fini(&c);
}

TEST(STR9_pages_are_bounded_in_bytes)
{
	struct client c = {.d = store_open(store_new_dir())};
	char *rows = store_make_rows(0, 30, 500000);
	struct cvx_err err = CVX_ERR_INIT;

	put(c.d, "a", IMPORT_APPEND, rows);
	free(rows);
	EXPECT_OK(ask(&c, embedded_now_ns(), &err), &err);
	EXPECT_INT(c.value_count, DATA_SYNC_PAGE_SIZE / 500000 + 1);
	EXPECT_INT(ask_all(&c), 1);
	expect_table(&c, "a");
	store_close(c.d);
	client_fini(&c);
}

/* The answer may be lost on its way: the same question gives it again. */
TEST(STR9_a_cursor_can_be_used_again)
{
	struct client c = {.d = store_open(store_new_dir())}, again;
	struct cvx_err err = CVX_ERR_INIT;
	char *cursor;

	put_many(c.d, "a", IMPORT_APPEND, 3);
	expect_page(&c, 0, 3);
	cursor = strdup(c.cursor);
	put_many(c.d, "a", IMPORT_APPEND, 2);
	expect_page(&c, 0, 2);
	again = (struct client){.d = c.d, .cursor = cursor};
	EXPECT_OK(ask(&again, embedded_now_ns(), &err), &err);
	EXPECT_INT(again.value_count, 2);
	assert_string_equal(again.sync_id, c.sync_id);
	client_fini(&again);
	store_close(c.d);
	client_fini(&c);
}

TEST(STR4_a_selection_is_one_of_components_tables_fields)
{
	struct client table = {.selection = {.table = "a"}};
	struct client component = {.selection = {.component = "lib"}};
	struct client field = {.selection = {.tree = NULL}};
	cJSON *tree = cJSON_Parse("{\"_other\":\"excluded\",\"\":{\"_other\":"
				  "\"excluded\",\"a\":{\"_other\":\"excluded\","
				  "\"n\":\"included\"}}}");
	struct data_sync_request request = {.now_ns = embedded_now_ns()};
	struct cvx_buf out = CVX_BUF_INIT(ANSWER_MAX);
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;

	table.d = component.d = field.d = d;
	field.selection.tree = request.selection.tree = tree;
	put(d, "a", IMPORT_APPEND, "{\"n\":1,\"m\":2}\n");
	put(d, "b", IMPORT_APPEND, "{\"n\":2}\n");
	put_in_component(d, "lib", "a", "{\"n\":3}\n{\"n\":4}\n");
	put_in_component(d, "lib", "c", "{\"n\":5}\n");
	put_in_component(d, "lib/sub", "c", "{\"n\":6}\n");
	expect_page(&table, 0, 1);
	expect_table(&table, "a");
	expect_page(&component, 0, 3);
	expect_page(&field, 0, 1);
	EXPECT_OK(data_sync_print(d, &request, &out, &err), &err);
	assert_non_null(memmem(out.data, out.size, "\"n\":1", 5));
	assert_null(memmem(out.data, out.size, "\"m\"", 3));
	cvx_buf_fini(&out);
	/* What is not selected may come and go. */
	put(d, "b", IMPORT_REPLACE, "");
	expect_page(&table, 0, 0);
	/* A cursor is good for its own selection. */
	free(table.cursor);
	table.cursor = strdup(component.cursor);
	EXPECT_FAIL(ask(&table, embedded_now_ns(), &err), &err, -EINVAL,
		    "selection");
	assert_string_equal(err.name, "InvalidDataSyncCursor");
	store_close(d);
	client_fini(&table);
	client_fini(&component);
	client_fini(&field);
	cJSON_Delete(tree);
}

static void expect_no_cursor(struct client *c, const char *text,
			     const char *name)
{
	struct cvx_err err = CVX_ERR_INIT;

	free(c->cursor);
	c->cursor = strdup(text);
	if (ask(c, embedded_now_ns(), &err) != -EINVAL ||
	    strcmp(err.name, name) != 0)
		fail_msg("%s: %s", text, err.msg);
}

/* The list of values that a first page of the selection has, for free(). */
static char *print_values(struct deployment *d, const char *selection)
{
	cJSON *tree = selection ? cJSON_Parse(selection) : NULL;
	const struct data_sync_request request = {.selection.tree = tree,
						  .now_ns = embedded_now_ns()};
	struct cvx_buf out = CVX_BUF_INIT(ANSWER_MAX);
	struct cvx_err err = CVX_ERR_INIT;
	char *start, *end, *values;

	EXPECT_OK(data_sync_print(d, &request, &out, &err), &err);
	EXPECT_OK(cvx_buf_append(&out, "", 1), &err);
	start = strstr(out.data, "\"values\":[");
	assert_non_null(start);
	end = strstr(start, "],\"syncId\"");
	assert_non_null(end);
	values = strndup(start, (size_t)(end - start));
	cvx_buf_fini(&out);
	cJSON_Delete(tree);
	return values;
}

TEST(STR4_a_selection_of_all_fields_is_the_stored_lines)
{
	static const char *const all[] = {
		"{}", "{\"_other\":\"included\"}",
		"{\"\":{\"t\":{\"_other\":\"included\"}}}",
		/* there is always an _id; what is not there may be excluded */
		"{\"\":{\"t\":{\"_id\":\"excluded\",\"z\":\"excluded\"}}}"};
	struct deployment *d = store_open(store_new_dir());
	char *whole, *values;
	size_t i;

	put(d, "t", IMPORT_APPEND,
	    "{\"n\":1,\"o\":{\"b\":[1, 2],\"a\":\"\\u00e9\"}}\n"
	    "{\"n\":2.5e3,\"q\":null}\n");
	whole = print_values(d, NULL);
	assert_non_null(strstr(whole, ",\"deleted\":false,\"value\":"
				      "{\"_creationTime\":"));
	assert_non_null(strstr(whole, "\"n\":1.0,\"o\":{\"a\":\"\xc3\xa9\","
				      "\"b\":[1.0,2.0]}}},{\"component\":\"\","
				      "\"table\":\"t\",\"ts\":"));
	for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
		values = print_values(d, all[i]);
		assert_string_equal(values, whole);
		free(values);
	}
	values = print_values(d, "{\"\":{\"t\":{\"q\":\"excluded\"}}}");
	assert_true(strlen(values) == strlen(whole) - strlen(",\"q\":null"));
	assert_null(strstr(values, "\"q\""));
	free(values);
	free(whole);
	store_close(d);
}

TEST(STR9_cursors_that_are_none)
{
	struct client c = {.d = store_open(store_new_dir())}, other;
	struct cvx_err err = CVX_ERR_INIT;
	int64_t now = embedded_now_ns();
	char *cursor, *damaged;
	size_t i;

	other = (struct client){.d = store_open(store_new_dir())};
	put_many(c.d, "a", IMPORT_APPEND, 3);
	put_in_component(c.d, "lib", "a", "{\"n\":3}\n");
	EXPECT_OK(ask(&c, now, &err), &err);
	cursor = strdup(c.cursor);
	damaged = strdup(cursor);
	expect_no_cursor(&c, "", "InvalidDataSyncCursor");
	expect_no_cursor(&c, "x", "InvalidDataSyncCursor");
	for (i = 0; cursor[i]; i++) {
		damaged[i] = '\0';
		expect_no_cursor(&c, damaged, "InvalidDataSyncCursor");
		damaged[i] = cursor[i] == '0' ? '1' : '0';
		expect_no_cursor(&c, damaged, "InvalidDataSyncCursor");
		damaged[i] = cursor[i];
	}
	expect_no_cursor(&other, cursor, "InvalidDataSyncCursor");
	free(c.cursor);
	c.cursor = strdup(cursor);
	EXPECT_OK(ask(&c, now + DATA_SYNC_CURSOR_NS, &err), &err);
	free(c.cursor);
	c.cursor = strdup(cursor);
	EXPECT_INT(ask(&c, now + DATA_SYNC_CURSOR_NS + 1, &err), -EINVAL);
	assert_string_equal(err.name, "DataSyncCursorExpired");
	free(cursor);
	free(damaged);
	store_close(c.d);
	store_close(other.d);
	client_fini(&c);
	client_fini(&other);
}

/* Its first import has the revision and the segment that the other's had. */
TEST(STR9_a_cursor_is_none_of_a_folder_that_was_filled_anew)
{
	const char *dir = store_new_dir();
	char *away = strdup(store_new_dir());
	struct client c = {.d = store_open(dir)};
	char *cursor;

	put_many(c.d, "a", IMPORT_APPEND, 3);
	expect_page(&c, 0, 3);
	cursor = strdup(c.cursor);
	store_close(c.d);
	assert_int_equal(rename(dir, away), 0);
	c.d = store_open(dir);
	put_many(c.d, "a", IMPORT_APPEND, 3);
	expect_no_cursor(&c, cursor, "InvalidDataSyncCursor");
	store_close(c.d);
	client_fini(&c);
	free(cursor);
	free(away);
}

/* What was read of the time between is no longer there. */
TEST(STR9_a_folder_that_was_put_back_tells_its_tables_anew)
{
	static const unsigned ahead[] = {1, 2};
	char command[512];
	size_t i;

	for (i = 0; i < sizeof(ahead) / sizeof(*ahead); i++) {
		char *dir = strdup(store_new_dir());
		char *kept = strdup(store_new_dir());
		struct client c = {.d = store_open(dir)};
		unsigned n;

		put_many(c.d, "a", IMPORT_APPEND, 3);
		store_close(c.d);
		(void)snprintf(command, sizeof(command), "cp -a '%s' '%s'", dir,
			       kept);
		assert_int_equal(system(command), 0);
		c.d = store_open(dir);
		for (n = 0; n < ahead[i]; n++)
			put_many(c.d, "a", IMPORT_APPEND, 1);
		expect_page(&c, 0, 3 + ahead[i]);
		store_close(c.d);
		c.d = store_open(kept);
		/* The folder's name is not what a cursor goes by. */
		put_many(c.d, "a", IMPORT_APPEND, 1);
		expect_page(&c, 1, 4);
		expect_table(&c, "a");
		store_close(c.d);
		client_fini(&c);
		free(dir);
		free(kept);
	}
}

UNIT_MAIN(UNIT_CASE(STR9_appended_rows_come_once_and_replaced_tables_anew),
	  UNIT_CASE(STR9_rows_with_smaller_ids_than_those_before),
	  UNIT_CASE(STR9_segments_that_are_joined),
	  UNIT_CASE(STR9_pages_are_bounded_and_see_what_comes_meanwhile),
	  UNIT_CASE(STR9_pages_are_bounded_in_bytes),
	  UNIT_CASE(STR9_a_cursor_can_be_used_again),
	  UNIT_CASE(STR4_a_selection_is_one_of_components_tables_fields),
	  UNIT_CASE(STR4_a_selection_of_all_fields_is_the_stored_lines),
	  UNIT_CASE(STR9_cursors_that_are_none),
	  UNIT_CASE(STR9_a_cursor_is_none_of_a_folder_that_was_filled_anew),
	  UNIT_CASE(STR9_a_folder_that_was_put_back_tells_its_tables_anew))
