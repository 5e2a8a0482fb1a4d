#include "importer/schema/index_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "importer/schema/index_sort.h"
#include "importer/value/id.h"
#include "tests/unit/model.h"
#include "tests/unit/strict.h"
#include "tests/unit/unit.h"

/* The text of the id of table 10001 with the first byte. */
static const char *id_text(uint8_t first)
{
	static char text[ID_TEXT_MAX + 1];
	struct internal_id id = {{first}};

	text[id_encode(MODEL_USERS, &id, text)] = '\0';
	return text;
}

/* The key of the document with the fields and an id of zeros. */
static void make_key(struct cvx_buf *out, const char *const *paths,
		     size_t count, const char *before, const char *behind)
{
	struct cvx_buf line = CVX_BUF_INIT(SIZE_MAX);
	struct cvx_err err = CVX_ERR_INIT;
	struct index_fields fields;

	EXPECT_INT(cvx_buf_printf(&line,
				  "{%s\"_creationTime\":1.0,\"_id\":\"%s\"%s}",
				  before, id_text(0), behind),
		   0);
	index_fields_init(&fields, paths, count);
	EXPECT_OK(index_key(&fields, line.data, line.size, out, &err), &err);
	cvx_buf_fini(&line);
}

/* key: what stands in front of the time and the id, in hexadecimal digits */
static void expect_key(const char *value, const char *want)
{
	static const char *const paths[] = {"v"};
	struct cvx_buf key = CVX_BUF_INIT(INDEX_KEY_ROOM);
	char behind[256], got[512];
	size_t n = 0;

	(void)snprintf(behind, sizeof(behind), "%s%s", value ? ",\"v\":" : "",
		       value ? value : "");
	make_key(&key, paths, 1, "", behind);
	for (size_t i = 0; i < key.size; i++)
		n += (size_t)snprintf(got + n, sizeof(got) - n, "%02x",
				      (unsigned char)key.data[i]);
	(void)snprintf(behind, sizeof(behind), "%s04bff0000000000000%032d",
		       want, 0);
	EXPECT_TEXT(got, n, behind);
	cvx_buf_fini(&key);
}

TEST(index_key_is_encoded_as_documented)
{
	expect_key(NULL, "01");
	expect_key("null", "02");
	expect_key("0", "038000000000000000");
	expect_key("-1", "037fffffffffffffff");
	expect_key("-9223372036854775808", "030000000000000000");
	expect_key("0.0", "048000000000000000");
	expect_key("-0.0", "047fffffffffffffff");
	expect_key("1.5", "04bff8000000000000");
	expect_key("{\"$float\":\"AQAAAAAA8P8=\"}", "04000ffffffffffffe");
	expect_key("false", "05");
	expect_key("true", "06");
	expect_key("\"\"", "0700");
	expect_key("\"a\\u0000\\n\u00e9\"", "076100ff0ac3a900");
	expect_key("{\"$bytes\":\"AP8=\"}", "0800ffff00");
	expect_key("[null,[]]", "0902090000");
	expect_key("{}", "0a00");
	expect_key("{\"\":true,\"a\\\"\":{}}", "0a010006016122000a0000");
}

/* import.md 4.1: what comes earlier in the list is less. */
TEST(index_key_orders_types)
{
	static const char *const paths[] = {"v"};
	static const char *const values[] = {
		"",
		",\"v\":null",
		",\"v\":-9223372036854775808",
		",\"v\":-1",
		",\"v\":0",
		",\"v\":256",
		",\"v\":{\"$float\":\"AAAAAAAA+P8=\"}",
		",\"v\":{\"$float\":\"AAAAAAAA8P8=\"}",
		",\"v\":-1.0",
		",\"v\":-0.0",
		",\"v\":0.0",
		",\"v\":5e-324",
		",\"v\":1.0",
		",\"v\":{\"$float\":\"AAAAAAAA8H8=\"}",
		",\"v\":{\"$float\":\"AAAAAAAA+H8=\"}",
		",\"v\":false",
		",\"v\":true",
		",\"v\":\"\"",
		",\"v\":\"\\u0000\"",
		",\"v\":\"\\u0001\"",
		",\"v\":\"a\"",
		",\"v\":\"a\\u0000\"",
		",\"v\":\"aa\"",
		",\"v\":\"\u00e9\"",
		",\"v\":{\"$bytes\":\"\"}",
		",\"v\":{\"$bytes\":\"AA==\"}",
		",\"v\":{\"$bytes\":\"/w==\"}",
		",\"v\":[]",
		",\"v\":[null]",
		",\"v\":[null,null]",
		",\"v\":[0]",
		",\"v\":{}",
		",\"v\":{\"\":null}",
		",\"v\":{\"\":0}",
		",\"v\":{\"\":0,\"a\":0}",
		",\"v\":{\"a\":null}",
	};
	const size_t count = sizeof(values) / sizeof(values[0]);
	struct cvx_buf a = CVX_BUF_INIT(INDEX_KEY_ROOM);
	struct cvx_buf b = CVX_BUF_INIT(INDEX_KEY_ROOM);

	for (size_t i = 1; i < count; i++) {
		size_t common;

		cvx_buf_clear(&a);
		cvx_buf_clear(&b);
		make_key(&a, paths, 1, "", values[i - 1]);
		make_key(&b, paths, 1, "", values[i]);
		common = a.size < b.size ? a.size : b.size;
		if (memcmp(a.data, b.data, common) >= 0)
			fail_msg("%s is not before %s", values[i - 1],
				 values[i]);
	}
	cvx_buf_fini(&a);
	cvx_buf_fini(&b);
}

TEST(index_key_finds_fields_whatever_stands_between)
{
	static const char *const paths[] = {"b.x", "a", "b", "A", "z.y", "b.y"};
	static const char *const one[] = {"aZ"};
	static const char want[] = "\x03\x80\0\0\0\0\0\0\x01"
				   "\x01"
				   "\x0a\x01x\0\x03\x80\0\0\0\0\0\0\x01\0"
				   "\x06"
				   "\x01\x01";
	struct cvx_buf key = CVX_BUF_INIT(INDEX_KEY_ROOM);

	make_key(&key, paths, 6, "\"A\":true,\"Z\":[{\"a\":1}],",
		 ",\"b\":{\"x\":1},\"c\":{\"x\":2},\"z\":[{\"y\":1}]");
	EXPECT_INT(key.size, sizeof(want) - 1 + 9 + 16);
	assert_memory_equal(key.data, want, sizeof(want) - 1);

	/* As text, a\"b is behind aZ; as a name it is in front of it. */
	cvx_buf_clear(&key);
	make_key(&key, one, 1, "", ",\"a\\\"b\":1,\"aZ\":null");
	EXPECT_INT(key.data[0], 2);
	cvx_buf_fini(&key);
}

/* An index as stored ends with _creationTime; it does not count twice. */
TEST(index_key_has_the_creation_time_once)
{
	static const char *const with[] = {"a", "_creationTime"};
	struct cvx_buf a = CVX_BUF_INIT(INDEX_KEY_ROOM);
	struct cvx_buf b = CVX_BUF_INIT(INDEX_KEY_ROOM);

	make_key(&a, with, 2, "", ",\"a\":null");
	make_key(&b, with, 1, "", ",\"a\":null");
	EXPECT_INT(a.size, b.size);
	assert_memory_equal(a.data, b.data, a.size);
	cvx_buf_clear(&a);
	make_key(&a, NULL, 0, "", ",\"a\":null"); /* by_creation_time */
	EXPECT_INT(a.size, b.size - 1);
	cvx_buf_fini(&a);
	cvx_buf_fini(&b);
}

static const char *const random_paths[] = {
	"a", "a.a", "A", "aZ", "b", "b.a.b", "_c", "ab", "_creationTime", "b.b",
};
#define PATHS_MAX 4

struct random_document {
	struct cvx_buf line;
	struct cvx_buf key;
	struct strict *tree;
	uint8_t id;
};

static void random_document_init(struct random_document *d,
				 struct model_random *random,
				 const struct index_fields *fields, uint8_t id)
{
	static const char *const names[] = {"",	   "A",	 "_creationTime",
					    "_id", "a",	 "a\\\"b",
					    "aZ",  "ab", "b"};
	struct cvx_err err = CVX_ERR_INIT;
	const char *comma = "";

	*d = (struct random_document){
		.line = CVX_BUF_INIT(SIZE_MAX),
		.key = CVX_BUF_INIT(INDEX_KEY_ROOM),
		.id = id,
	};
	EXPECT_INT(cvx_buf_puts(&d->line, "{"), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		bool system = names[i][0] == '_';

		if (!system && model_below(random, 3) == 0)
			continue;
		EXPECT_INT(
			cvx_buf_printf(&d->line, "%s\"%s\":", comma, names[i]),
			0);
		comma = ",";
		if (strcmp(names[i], "_id") == 0)
			EXPECT_INT(
				cvx_buf_printf(&d->line, "\"%s\"", id_text(id)),
				0);
		else if (system)
			EXPECT_INT(cvx_buf_printf(&d->line, "%u.5",
						  model_below(random, 2)),
				   0);
		else
			model_random_value(random, 2, &d->line);
	}
	EXPECT_INT(cvx_buf_puts(&d->line, "}"), 0);
	d->tree = strict_parse(d->line.data, d->line.size, NULL);
	assert_non_null(d->tree);
	EXPECT_OK(index_key(fields, d->line.data, d->line.size, &d->key, &err),
		  &err);
}

static void random_document_fini(struct random_document *d)
{
	cvx_buf_fini(&d->line);
	cvx_buf_fini(&d->key);
	strict_free(d->tree);
}

static int compare_slowly(const struct random_document *a,
			  const struct random_document *b,
			  const char *const *paths, size_t count)
{
	for (size_t i = 0; i <= count; i++) {
		const char *path = i < count ? paths[i] : "_creationTime";
		int order = model_compare(model_at(a->tree, path),
					  model_at(b->tree, path));

		if (order != 0)
			return order;
	}
	return (a->id > b->id) - (a->id < b->id);
}

static int compare_keys(const struct cvx_buf *a, const struct cvx_buf *b)
{
	size_t common = a->size < b->size ? a->size : b->size;
	int order = memcmp(a->data, b->data, common);

	return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

static int sign(int order)
{
	return (order > 0) - (order < 0);
}

TEST(index_key_order_is_that_of_the_model)
{
	enum { DOCUMENTS = 40 };
	struct model_random random = {.state = 46};

	for (unsigned round = 0; round < 60; round++) {
		struct random_document all[DOCUMENTS];
		const char *paths[PATHS_MAX];
		size_t count = model_below(&random, PATHS_MAX + 1);
		struct index_fields fields;

		for (size_t i = 0; i < count; i++)
			paths[i] = random_paths[model_below(&random, 10)];
		index_fields_init(&fields, paths, count);
		for (uint8_t i = 0; i < DOCUMENTS; i++)
			random_document_init(&all[i], &random, &fields, i);
		for (size_t i = 0; i < DOCUMENTS; i++)
			for (size_t k = 0; k < DOCUMENTS; k++)
				if (sign(compare_keys(&all[i].key,
						      &all[k].key)) !=
				    sign(compare_slowly(&all[i], &all[k], paths,
							count)))
					fail_msg("%.*s and %.*s",
						 (int)all[i].line.size,
						 all[i].line.data,
						 (int)all[k].line.size,
						 all[k].line.data);
		for (size_t i = 0; i < DOCUMENTS; i++)
			random_document_fini(&all[i]);
	}
}

TEST(index_key_of_a_damaged_line_is_an_error)
{
	static const char *const paths[] = {"a", "b.c"};
	static const char line[] =
		"{\"_creationTime\":1.5,\"_id\":"
		"\"j5702081040g2081040g2081056hakwm\",\"a\":[1,-0.5,"
		"\"x\\u0000\",{\"$bytes\":\"YQ==\"}],\"b\":{\"c\":"
		"{\"$float\":\"AAAAAAAA8H8=\"}}}";
	struct cvx_buf key = CVX_BUF_INIT(INDEX_KEY_ROOM);
	struct model_random random = {.state = 47};
	struct cvx_err err = CVX_ERR_INIT;
	struct index_fields fields;
	size_t size = strlen(line);

	index_fields_init(&fields, paths, 2);
	EXPECT_OK(index_key(&fields, line, size, &key, &err), &err);
	cvx_buf_clear(&key);
	for (size_t i = 0; i < 30000; i++) {
		size_t length = i < size ? i : size;
		char *copy = malloc(length + (length == 0));

		assert_non_null(copy);
		memcpy(copy, line, length);
		for (uint32_t n = model_below(&random, 4); i >= size && n > 0;
		     n--)
			copy[model_below(&random, (uint32_t)size)] =
				"\"\\{}[],:$1.eu=f\x80-"[model_below(&random,
								     17)];
		if (index_key(&fields, copy, length, &key, &err) < 0) {
			EXPECT_INT(err.code, -EINVAL);
			EXPECT_INT(key.size, 0);
		}
		if (i < size - 1 && key.size > 0)
			fail_msg("a key of %.*s", (int)length, copy);
		cvx_buf_clear(&key);
		free(copy);
	}
	cvx_buf_fini(&key);
}

/* Lines that lack what every document has. */
TEST(index_key_needs_time_and_id)
{
	static const char *const lines[] = {
		"{}",
		"{\"_creationTime\":1.0}",
		"{\"_id\":\"j5702081040g2081040g2081056hakwm\"}",
		"{\"_creationTime\":1.0,\"_id\":\"x\"}",
		"{\"_creationTime\":1.0,\"_id\":5}",
	};
	struct cvx_buf key = CVX_BUF_INIT(INDEX_KEY_ROOM);
	struct cvx_err err = CVX_ERR_INIT;
	struct index_fields fields;

	index_fields_init(&fields, NULL, 0);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		EXPECT_FAIL(index_key(&fields, lines[i], strlen(lines[i]), &key,
				      &err),
			    &err, -EINVAL, "damaged");
	cvx_buf_fini(&key);
}

static int open_temp(int flags)
{
	int fd = open(unit_temp_dir(), O_TMPFILE | O_CLOEXEC | flags, 0600);

	assert_true(fd >= 0);
	return fd;
}

struct pair {
	char *key;
	size_t size;
	uint64_t offset;
};

static int compare_pairs(const void *a, const void *b)
{
	const struct pair *left = a, *right = b;
	size_t common = left->size < right->size ? left->size : right->size;
	int order = memcmp(left->key, right->key, common);

	if (order == 0)
		order = (left->size > right->size) - (left->size < right->size);
	/* Offsets count up: equal keys stay in their order. */
	return order != 0 ? order
			  : (left->offset > right->offset) -
				    (left->offset < right->offset);
}

/* Few bytes, so that many keys begin each other or are equal. */
static struct pair *random_pairs(size_t count, size_t key_max)
{
	struct model_random random = {.state = 48 + count};
	struct pair *pairs = calloc(count + 1, sizeof(*pairs));

	assert_non_null(pairs);
	for (size_t i = 0; i < count; i++) {
		size_t size = model_below(&random, (uint32_t)key_max + 1);

		if (size > 100 && model_below(&random, 4) > 0)
			size = model_below(&random, 20);
		pairs[i].key = malloc(size + 1);
		assert_non_null(pairs[i].key);
		for (size_t k = 0; k < size; k++)
			pairs[i].key[k] = (char)(model_below(&random, 3) * 127);
		pairs[i].size = size;
		pairs[i].offset = i;
	}
	return pairs;
}

static void check_sort(size_t count, size_t key_max, size_t memory,
		       size_t batch, bool spills)
{
	struct pair *pairs = random_pairs(count, key_max);
	struct cvx_err err = CVX_ERR_INIT;
	struct index_sort *s;
	int fd = open_temp(O_RDWR);
	size_t n = 0, got;

	EXPECT_OK(index_sort_new(memory, fd, &s, &err), &err);
	for (size_t i = 0; i < count; i++)
		EXPECT_OK(index_sort_add(s, pairs[i].key, pairs[i].size,
					 pairs[i].offset, &err),
			  &err);
	qsort(pairs, count, sizeof(*pairs), compare_pairs);
	do {
		uint64_t offsets[128];

		EXPECT_OK(index_sort_read(s, offsets, batch, &got, &err), &err);
		assert_true(got <= batch);
		for (size_t i = 0; i < got; i++, n++)
			if (n >= count || offsets[i] != pairs[n].offset)
				fail_msg("%zu of %zu is wrong", n, count);
	} while (got > 0);
	EXPECT_INT(n, count);
	EXPECT_INT(lseek(fd, 0, SEEK_END) > 0, spills);
	index_sort_free(s);
	(void)close(fd);
	for (size_t i = 0; i < count; i++)
		free(pairs[i].key);
	free(pairs);
}

TEST(index_sort_in_memory)
{
	for (size_t count = 0; count < 70; count++)
		check_sort(count, 12, 0, 1 + count % 7, false);
	check_sort(50000, 20, (size_t)64 << 20, 128, false);
}

/* One run more or less than fits, and runs merged in several rounds: with
 * 64 KiB, four are merged at once. */
TEST(index_sort_by_way_of_the_file)
{
	check_sort(1500, 20, 0, 128, true);
	check_sort(20000, 20, 0, 3, true);
	check_sort(100000, 12, 0, 128, true);
	check_sort(100000, 20, (size_t)1 << 20, 128, true);
}

/* Longer than the arena, and than the buffers of a merge. */
TEST(index_sort_of_long_keys)
{
	check_sort(60, 300000, 0, 128, true);
	check_sort(1000, 40000, 0, 128, true);
}

TEST(index_sort_reports_what_the_disk_refuses)
{
	struct cvx_err err = CVX_ERR_INIT;
	int fd = open(unit_temp_dir(), O_TMPFILE | O_CLOEXEC | O_WRONLY, 0600);
	int null = open("/dev/full", O_RDWR | O_CLOEXEC);
	uint64_t offsets[8];
	struct index_sort *s;
	int r = 0;
	size_t n;

	assert_true(fd >= 0 && null >= 0);
	EXPECT_OK(index_sort_new(0, null, &s, &err), &err);
	for (unsigned i = 0; r == 0 && i < 5000; i++)
		r = index_sort_add(s, "key", 3, i, &err);
	EXPECT_INT(r, -ENOSPC);
	index_sort_free(s);

	EXPECT_OK(index_sort_new(0, fd, &s, &err), &err);
	for (unsigned i = 0; i < 5000; i++)
		EXPECT_OK(index_sort_add(s, "key", 3, i, &err), &err);
	EXPECT_FAIL(index_sort_read(s, offsets, 8, &n, &err), &err, -EBADF,
		    "cannot read a temporary file");
	index_sort_free(s);
	(void)close(fd);
	(void)close(null);
}

TEST(index_sort_notices_a_shorter_file)
{
	struct cvx_err err = CVX_ERR_INIT;
	int fd = open_temp(O_RDWR);
	struct index_sort *s;
	uint64_t offsets[8];
	size_t n = 1;
	int r = 0;

	EXPECT_OK(index_sort_new(0, fd, &s, &err), &err);
	for (unsigned i = 0; i < 20000; i++)
		EXPECT_OK(index_sort_add(s, "key", 3, i, &err), &err);
	EXPECT_INT(ftruncate(fd, 1000), 0);
	while (r == 0 && n > 0)
		r = index_sort_read(s, offsets, 8, &n, &err);
	EXPECT_INT(r, -EIO);
	index_sort_free(s);
	(void)close(fd);
}

TEST(index_sort_refuses_a_key_that_no_document_has)
{
	struct cvx_err err = CVX_ERR_INIT;
	char *key = calloc(1, INDEX_KEY_MAX + 1);
	int fd = open_temp(O_RDWR);
	struct index_sort *s;

	assert_non_null(key);
	EXPECT_OK(index_sort_new(0, fd, &s, &err), &err);
	EXPECT_FAIL(index_sort_add(s, key, INDEX_KEY_MAX + 1, 0, &err), &err,
		    -EFBIG, "too long");
	index_sort_free(s);
	free(key);
	(void)close(fd);
}

UNIT_MAIN(UNIT_CASE(index_key_is_encoded_as_documented),
	  UNIT_CASE(index_key_orders_types),
	  UNIT_CASE(index_key_finds_fields_whatever_stands_between),
	  UNIT_CASE(index_key_has_the_creation_time_once),
	  UNIT_CASE(index_key_order_is_that_of_the_model),
	  UNIT_CASE(index_key_of_a_damaged_line_is_an_error),
	  UNIT_CASE(index_key_needs_time_and_id),
	  UNIT_CASE(index_sort_in_memory),
	  UNIT_CASE(index_sort_by_way_of_the_file),
	  UNIT_CASE(index_sort_of_long_keys),
	  UNIT_CASE(index_sort_reports_what_the_disk_refuses),
	  UNIT_CASE(index_sort_notices_a_shorter_file),
	  UNIT_CASE(index_sort_refuses_a_key_that_no_document_has))
