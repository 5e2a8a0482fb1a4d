#include "tests/unit/store.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "importer/deployment_schema.h"
#include "importer/embedded/embedded.h"
#include "importer/value/id.h"
#include "tests/unit/unit.h"
#include "tests/unit/vector_files.h"

#define DIR_COUNT_MAX 1000

static char dirs[DIR_COUNT_MAX][300];
static unsigned dir_count;

const char *store_new_dir(void)
{
	char *dir = dirs[dir_count];

	assert_true(dir_count < DIR_COUNT_MAX);
	(void)snprintf(dir, sizeof(dirs[0]), "%s/store-%u", unit_temp_dir(),
		       dir_count);
	dir_count++;
	return dir;
}

struct deployment *store_open(const char *dir)
{
	struct deployment_settings settings = {.dir = dir};
	struct cvx_err err = CVX_ERR_INIT;
	struct deployment *d = NULL;

	EXPECT_OK(deployment_open(&settings, &d, &err), &err);
	return d;
}

void store_close(struct deployment *d)
{
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(embedded_check(d, &err), &err);
	deployment_close(d);
}

struct table_info store_stat(struct deployment *d, const char *table)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct table_info info = {.number = 0};

	EXPECT_OK(deployment_stat_table(d, "", table, &info, &err), &err);
	return info;
}

bool store_has(struct deployment *d, const char *table)
{
	struct table_info info;

	return deployment_stat_table(d, "", table, &info, NULL) == 0;
}

char *store_cat(struct deployment *d, const char *table)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct table_reader *reader = NULL;
	size_t size, n = 0;
	char *text;

	EXPECT_OK(deployment_open_table(d, "", table, &reader, &err), &err);
	size = (size_t)table_reader_info(reader)->size;
	text = malloc(size + 1);
	assert_non_null(text);
	EXPECT_OK(table_reader_read(reader, 0, text, size, &n, &err), &err);
	EXPECT_INT(n, size);
	text[n] = '\0';
	table_reader_close(reader);
	return text;
}

uint64_t store_count_lines(const char *text)
{
	uint64_t count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

static int read_text(void *ctx, uint64_t off, void *buf, size_t size,
		     size_t *ret_n, struct cvx_err *err)
{
	const struct store_text *text = ctx;

	(void)err;
	if (off > text->size)
		off = text->size;
	if (size > text->size - off)
		size = text->size - off;
	if (size > 0)
		memcpy(buf, text->text + off, size);
	*ret_n = size;
	return 0;
}

struct import_source store_source(struct store_text *text)
{
	return (struct import_source){.ctx = text, .read = read_text};
}

struct import_target store_target(const char *table, enum import_mode mode)
{
	return (struct import_target){.component = "",
				      .table = table,
				      .path = "users/data.jsonl",
				      .format = FORMAT_JSONL,
				      .mode = mode};
}

int store_import_target(struct deployment *d,
			const struct import_target *target, const char *text,
			size_t size, struct import_result *ret,
			struct cvx_err *err)
{
	struct store_text bytes = {text, size};
	struct import_source source = store_source(&bytes);
	struct import_result result;
	struct import *imp = NULL;
	int r = import_new(d, target, &source, &imp, err);

	if (r < 0)
		return r;
	import_available(imp, size);
	r = import_commit(imp, size, ret ? ret : &result, err);
	import_free(imp);
	return r;
}

int store_import(struct deployment *d, const char *table, enum import_mode mode,
		 const char *text, struct cvx_err *err)
{
	struct import_target target = store_target(table, mode);

	return store_import_target(d, &target, text, strlen(text), NULL, err);
}

char *store_make_rows(uint64_t first, uint64_t count, size_t pad)
{
	size_t capacity = (size_t)count * (pad + 40) + 1, n = 0;
	char *text = malloc(capacity);
	uint64_t i;

	assert_non_null(text);
	for (i = first; i < first + count; i++) {
		n += (size_t)snprintf(text + n, capacity - n,
				      "{\"n\":%llu,\"pad\":\"",
				      (unsigned long long)i);
		memset(text + n, 'x', pad);
		n += pad;
		n += (size_t)snprintf(text + n, capacity - n, "\"}\n");
	}
	text[n] = '\0';
	return text;
}

unsigned store_count_files(struct deployment *d, const char *folder)
{
	const struct dirent *entry;
	unsigned count = 0;
	char path[400];
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%s/%s", deployment_dir(d), folder);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	(void)closedir(dir);
	return count;
}

void store_set_schema(struct deployment *d, const char *text)
{
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(deployment_set_schema(d, "", text, strlen(text), &err), &err);
}

void store_make_initial(struct deployment *d, const cJSON *initial)
{
	const cJSON *schema = cJSON_GetObjectItem(initial, "schema");
	struct cvx_err err = CVX_ERR_INIT;
	const cJSON *table, *id;
	char *text;

	cJSON_ArrayForEach(table, cJSON_GetObjectItem(initial, "tables"))
	{
		struct cvx_buf rows = CVX_BUF_INIT(1 << 20);
		const char *name = vector_string(table, "name");

		EXPECT_INT(
			cvx_buf_printf(
				&rows, "{\"name\":\"%s\",\"id\":%d}\n", name,
				cJSON_GetObjectItem(table, "number")->valueint),
			0);
		EXPECT_OK(deployment_register_tables(d, "", rows.data,
						     rows.size, &err),
			  &err);
		cvx_buf_clear(&rows);
		cJSON_ArrayForEach(id, cJSON_GetObjectItem(table, "ids"))
			EXPECT_INT(cvx_buf_printf(&rows, "{\"_id\":\"%s\"}\n",
						  id->valuestring),
				   0);
		EXPECT_INT(cvx_buf_append(&rows, "", 1), 0);
		EXPECT_OK(store_import(d, name, IMPORT_APPEND, rows.data, &err),
			  &err);
		cvx_buf_fini(&rows);
	}
	if (!schema)
		return;
	text = cJSON_PrintUnformatted(schema);
	store_set_schema(d, text);
	free(text);
}

void store_expect_tables(struct deployment *d, const cJSON *want,
			 const char *what)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct table_info *got = NULL;
	const cJSON *table;
	size_t count = 0, i = 0;

	EXPECT_OK(deployment_list_tables(d, "", &got, &count, &err), &err);
	if (count != (size_t)cJSON_GetArraySize(want))
		fail_msg("%s: %zu tables", what, count);
	cJSON_ArrayForEach(table, want)
	{
		if (strcmp(got[i].name, vector_string(table, "name")) != 0 ||
		    got[i].number !=
			    cJSON_GetObjectItem(table, "number")->valuedouble ||
		    (double)got[i].document_count !=
			    cJSON_GetObjectItem(table, "count")->valuedouble)
			fail_msg("%s: table %s has number %u, %u rows", what,
				 got[i].name, got[i].number,
				 (unsigned)got[i].document_count);
		i++;
	}
	free(got);
}

void store_expect_cat(struct deployment *d, const char *table, const char *want)
{
	char *text = store_cat(d, table);

	EXPECT_TEXT(text, strlen(text), want);
	free(text);
}

char *store_print_all(struct deployment *d)
{
	struct cvx_buf out = CVX_BUF_INIT((size_t)64 << 20);
	struct cvx_err err = CVX_ERR_INIT;
	struct table_info *list = NULL;
	size_t count = 0, i;

	EXPECT_OK(deployment_print_tables(d, "", &out, &err), &err);
	EXPECT_OK(deployment_list_tables(d, "", &list, &count, &err), &err);
	for (i = 0; i < count; i++) {
		char *text = store_cat(d, list[i].name);

		EXPECT_INT(cvx_buf_printf(&out, "%llu\n",
					  (unsigned long long)list[i].revision),
			   0);
		EXPECT_INT(cvx_buf_puts(&out, text), 0);
		free(text);
	}
	free(list);
	EXPECT_INT(cvx_buf_append(&out, "", 1), 0);
	return out.data;
}

struct import *store_start_import(struct deployment *d, const char *table,
				  enum import_mode mode,
				  struct store_text *bytes)
{
	struct import_target target = store_target(table, mode);
	struct import_source source = store_source(bytes);
	struct cvx_err err = CVX_ERR_INIT;
	struct import *imp = NULL;

	EXPECT_OK(import_new(d, &target, &source, &imp, &err), &err);
	import_available(imp, bytes->size);
	EXPECT_OK(import_check(imp, bytes->size, &err), &err);
	return imp;
}

void store_finish_import(struct import *imp, const struct store_text *bytes)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct import_result result;

	EXPECT_OK(import_commit(imp, bytes->size, &result, &err), &err);
	import_free(imp);
}

void store_expect_order(const char *text, uint64_t count)
{
	const char *line = text, *end = text + strlen(text), *lf, *at;
	uint64_t n = 0;

	for (; line < end; line = lf + 1, n++) {
		lf = memchr(line, '\n', (size_t)(end - line));
		assert_non_null(lf);
		at = memmem(line, (size_t)(lf - line), "\"n\":", 4);
		assert_non_null(at);
		assert_true(strtod(at + 4, NULL) == (double)n);
	}
	EXPECT_INT(n, count);
}
