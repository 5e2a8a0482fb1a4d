/*
 * store: embedded deployments in folders of their own, for tests. Whatever
 * fails here fails the case.
 */
#ifndef CVX_TESTS_UNIT_STORE_H
#define CVX_TESTS_UNIT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/deployment.h"
#include "importer/import.h"

/* A folder's path below unit_temp_dir(), not made; another one each time. The
 * text lives until the program ends. */
const char *store_new_dir(void);

struct deployment *store_open(const char *dir);

/* Verifies everything (embedded_check), then closes. */
void store_close(struct deployment *d);

struct table_info store_stat(struct deployment *d, const char *table);
bool store_has(struct deployment *d, const char *table);

/* documents.jsonl, terminated; the caller frees it. */
char *store_cat(struct deployment *d, const char *table);

/* The table's documents.jsonl must be that. */
void store_expect_cat(struct deployment *d, const char *table,
		      const char *want);

/* All that can be seen of the tables: names, numbers, revisions, documents. */
char *store_print_all(struct deployment *d);

/* How many lines the text has. */
uint64_t store_count_lines(const char *text);

/* The field n of the count lines must count from 0. */
void store_expect_order(const char *text, uint64_t count);

/* A source of memory. */
struct store_text {
	const char *text;
	size_t size;
};
struct import_source store_source(struct store_text *text);

struct import_target store_target(const char *table, enum import_mode mode);

/* An import of the text, all at once. */
int store_import_target(struct deployment *d,
			const struct import_target *target, const char *text,
			size_t size, struct import_result *ret,
			struct cvx_err *err);
int store_import(struct deployment *d, const char *table, enum import_mode mode,
		 const char *text, struct cvx_err *err);

/* An import that has converted the text, and its commit, which frees it. */
struct import *store_start_import(struct deployment *d, const char *table,
				  enum import_mode mode,
				  struct store_text *bytes);
void store_finish_import(struct import *imp, const struct store_text *bytes);

/* count rows {"n":first}, {"n":first+1}, … with pad bytes of text each. */
char *store_make_rows(uint64_t first, uint64_t count, size_t pad);

/* The cases of modes.json: the tables and the schema that a deployment begins
 * with, and the tables that it must have in the end. */
struct cJSON;
void store_make_initial(struct deployment *d, const struct cJSON *initial);
void store_expect_tables(struct deployment *d, const struct cJSON *want,
			 const char *what);

/* The schema, which must be accepted. */
void store_set_schema(struct deployment *d, const char *text);

/* How many files the deployment's folder "segments" or "stage" holds. */
unsigned store_count_files(struct deployment *d, const char *folder);

#endif
