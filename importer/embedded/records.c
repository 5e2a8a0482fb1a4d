#include "importer/embedded/records.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/jobs.h"
#include "importer/embedded/json.h"
#include "importer/embedded/sql.h"
#include "importer/import.h"

/* Of a quarter of a second each, for the record of what was canceled. */
#define RECORD_TRIES 12

const char *import_mode_name(enum import_mode mode)
{
	switch (mode) {
	case IMPORT_REQUIRE_EMPTY:
		return "require-empty";
	case IMPORT_APPEND:
		return "append";
	case IMPORT_REPLACE:
		return "replace";
	case IMPORT_REPLACE_ALL:
		return "replace-all";
	}
	return "";
}

static const char *format_name(enum format_kind kind)
{
	switch (kind) {
	case FORMAT_CSV:
		return "csv";
	case FORMAT_JSONL:
		return "jsonLines";
	case FORMAT_JSON:
		return "jsonArray";
	}
	return "";
}

struct import_subject record_subject(const struct import_target *target)
{
	return (struct import_subject){
		.component = target->component,
		.table = target->table,
		.path = target->path,
		.format = format_name(target->format),
		.mode = import_mode_name(target->mode),
	};
}

const char *record_error_code(const struct cvx_err *cause)
{
	const char *name = cause->name;

	if (!name)
		name = strerrorname_np(-cause->code);
	return name ? name : "EIO";
}

static int prune(struct catalog *c, int64_t newest, struct cvx_err *err)
{
	struct catalog_query *q;
	int r;

	if (newest <= RECORD_COUNT_MAX)
		return 0;
	r = catalog_query(c, SQL_PRUNE_IMPORTS, &q, err);
	if (r < 0)
		return r;
	catalog_bind_int(q, 1, newest - RECORD_COUNT_MAX);
	return catalog_run(q, err);
}

/* Of a text of lines, without the end of the last one. */
static size_t text_size(const char *text)
{
	size_t size = strlen(text);

	while (size > 0 && text[size - 1] == '\n')
		size--;
	return size;
}

int record_insert(struct catalog *c, const struct import_record *record,
		  struct cvx_err *err)
{
	const struct import_subject *subject = &record->subject;
	CVX_AUTO(cvx_freep)
	char *text = strndup(record->error_text, text_size(record->error_text));
	struct catalog_query *q;
	int r;

	if (!text)
		return cvx_fail_memory(err);
	r = catalog_query(c, SQL_INSERT_IMPORT, &q, err);
	if (r < 0)
		return r;
	catalog_bind_text(q, 1, subject->component);
	catalog_bind_text(q, 2, subject->table);
	catalog_bind_text(q, 3, subject->path);
	catalog_bind_text(q, 4, subject->format);
	catalog_bind_text(q, 5, subject->mode);
	catalog_bind_int(q, 6, (int64_t)record->row_count);
	catalog_bind_int(q, 7, (int64_t)record->size);
	catalog_bind_int(q, 8, record->started_ns);
	catalog_bind_int(q, 9, embedded_now_ns());
	catalog_bind_text(q, 10, record->error_code);
	catalog_bind_text(q, 11, text);
	r = catalog_run(q, err);
	if (r == 0)
		r = prune(c, catalog_last_id(c), err);
	if (r == 0 && record->job != 0 && record->error_code[0] == '\0')
		r = job_complete(c, record->job, record->row_count, err);
	return r;
}

/* Whoever was canceled waits a quarter of a second at a time, which another's
 * commit may well take. */
static int begin_patiently(struct deployment *d, struct cvx_err *err)
{
	int r = embedded_begin(d, err), tries;

	for (tries = 1; r == -ECANCELED && tries < RECORD_TRIES; tries++)
		r = embedded_begin(d, err);
	return r;
}

static int end(struct deployment *d, int r, struct cvx_err *err)
{
	bool in_doubt;

	if (r == 0)
		return embedded_commit(d, &in_doubt, err);
	embedded_rollback(d);
	return r;
}

int record_commit(struct deployment *d, const struct import_record *record,
		  int64_t *ret_id, struct cvx_err *err)
{
	int r = begin_patiently(d, err);

	if (r < 0)
		return r;
	r = record_insert(d->writes, record, err);
	if (r == 0 && ret_id)
		*ret_id = catalog_last_id(d->writes);
	return end(d, r, err);
}

int record_settle(struct deployment *d, int64_t id, uint64_t row_count,
		  const char *error_code, const char *error_text,
		  struct cvx_err *err)
{
	CVX_AUTO(cvx_freep)
	char *text = strndup(error_text, text_size(error_text));
	struct catalog_query *q;
	int r;

	if (!text)
		return cvx_fail_memory(err);
	r = begin_patiently(d, err);
	if (r < 0)
		return r;
	r = catalog_query(d->writes, SQL_SETTLE_IMPORT, &q, err);
	if (r == 0) {
		catalog_bind_int(q, 1, id);
		catalog_bind_int(q, 2, (int64_t)row_count);
		catalog_bind_text(q, 3, error_code);
		catalog_bind_text(q, 4, text);
		r = catalog_run(q, err);
	}
	return end(d, r, err);
}

int import_record_failure(struct deployment *d,
			  const struct import_target *target,
			  const struct cvx_err *cause)
{
	struct import_record record = {
		.subject = record_subject(target),
		.started_ns = embedded_now_ns(),
		.error_code = record_error_code(cause),
		.error_text = cause->msg,
	};

	return record_commit(d, &record, NULL, NULL);
}

void running_add(struct deployment *d, struct running_import *running)
{
	struct running_import **link = &d->running;

	(void)pthread_mutex_lock(&d->running_lock);
	while (*link)
		link = &(*link)->next;
	running->next = NULL;
	*link = running;
	(void)pthread_mutex_unlock(&d->running_lock);
}

void running_remove(struct deployment *d, struct running_import *running)
{
	struct running_import **link = &d->running;

	(void)pthread_mutex_lock(&d->running_lock);
	while (*link != running)
		link = &(*link)->next;
	*link = running->next;
	(void)pthread_mutex_unlock(&d->running_lock);
}

/* A string member; text need not be terminated. */
static bool add_text(cJSON *object, const char *key, const char *text,
		     size_t size)
{
	CVX_AUTO(cvx_freep) char *copy = strndup(text, size);

	return copy && cJSON_AddStringToObject(object, key, copy);
}

static bool add_time(cJSON *object, const char *key, int64_t ns)
{
	char text[JSON_TIME_SIZE];

	json_print_time(ns, text);
	return cJSON_AddStringToObject(object, key, text);
}

static bool add_column(cJSON *object, const char *key, struct catalog_query *q,
		       int column)
{
	size_t size;
	const char *text = catalog_bytes(q, column, &size);

	return add_text(object, key, text, size);
}

static bool add_error(cJSON *object, struct catalog_query *q)
{
	size_t code_size;
	cJSON *error;

	(void)catalog_bytes(q, 8, &code_size);
	if (code_size == 0)
		return cJSON_AddNullToObject(object, "error");
	error = cJSON_AddObjectToObject(object, "error");
	return error && add_column(error, "code", q, 8) &&
	       add_column(error, "message", q, 9);
}

/* A finished import: a row of SQL_LIST_IMPORTS. */
static cJSON *finished_json(struct catalog_query *q)
{
	cJSON *object = cJSON_CreateObject();
	size_t code_size;

	(void)catalog_bytes(q, 8, &code_size);
	if (object &&
	    cJSON_AddNumberToObject(object, "id", (double)catalog_int(q, 0)) &&
	    add_column(object, "target", q, 1) &&
	    add_column(object, "format", q, 2) &&
	    add_column(object, "mode", q, 3) &&
	    cJSON_AddStringToObject(object, "state",
				    code_size > 0 ? "failed" : "completed") &&
	    cJSON_AddNumberToObject(object, "rows",
				    (double)catalog_int(q, 4)) &&
	    cJSON_AddNumberToObject(object, "bytes",
				    (double)catalog_int(q, 5)) &&
	    add_time(object, "started", catalog_int(q, 6)) &&
	    add_time(object, "finished", catalog_int(q, 7)) &&
	    cJSON_AddNullToObject(object, "progress") && add_error(object, q))
		return object;
	cJSON_Delete(object);
	return NULL;
}

static cJSON *running_json(struct running_import *running)
{
	const struct import_subject *subject = &running->subject;
	uint64_t available = running->available_size;
	uint64_t consumed = running->consumed_size;
	/* In hundredths, which is all that a person reads. */
	uint64_t percent = available == 0	   ? 0
			   : consumed >= available ? 100
						   : consumed * 100 / available;
	cJSON *object = cJSON_CreateObject();

	if (object && cJSON_AddNullToObject(object, "id") &&
	    cJSON_AddStringToObject(object, "target", subject->path) &&
	    cJSON_AddStringToObject(object, "format", subject->format) &&
	    cJSON_AddStringToObject(object, "mode", subject->mode) &&
	    cJSON_AddStringToObject(object, "state", "in_progress") &&
	    cJSON_AddNumberToObject(object, "rows",
				    (double)running->row_count) &&
	    cJSON_AddNumberToObject(object, "bytes", (double)available) &&
	    add_time(object, "started", running->started_ns) &&
	    cJSON_AddNullToObject(object, "finished") &&
	    cJSON_AddNumberToObject(object, "progress",
				    (double)percent / 100) &&
	    cJSON_AddNullToObject(object, "error"))
		return object;
	cJSON_Delete(object);
	return NULL;
}

static int print_finished(struct catalog *c, struct cvx_buf *out,
			  struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	int r = catalog_query(c, SQL_LIST_IMPORTS, &q, err);

	while (r == 0 && (r = catalog_next(q, err)) == 1)
		r = json_print_line(finished_json(q), out, err);
	return r;
}

int deployment_print_imports(struct deployment *d, struct cvx_buf *out,
			     struct cvx_err *err)
{
	struct running_import *running;
	int r = print_finished(embedded_lock_reads(d), out, err);

	embedded_unlock_reads(d);
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&d->running_lock);
	for (running = d->running; r == 0 && running; running = running->next)
		r = json_print_line(running_json(running), out, err);
	(void)pthread_mutex_unlock(&d->running_lock);
	return r;
}

static int print_last_error(struct catalog *c, const char *component,
			    const char *table, struct cvx_buf *out,
			    struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	const char *text;
	size_t size;
	int r = catalog_query(c, table ? SQL_LAST_OF_TABLE : SQL_LAST_FAILURE,
			      &q, err);

	if (r < 0)
		return r;
	if (table) {
		catalog_bind_text(q, 1, component);
		catalog_bind_text(q, 2, table);
	}
	r = catalog_next(q, err);
	if (r <= 0)
		return r;
	text = catalog_bytes(q, 0, &size);
	if (size == 0)
		return 0; /* the table's last import was completed */
	r = cvx_buf_append(out, text, size);
	if (r == 0 && text[size - 1] != '\n')
		r = cvx_buf_append(out, "\n", 1);
	return r < 0 ? cvx_fail(err, r, "the last error is too long") : 0;
}

int deployment_print_last_error(struct deployment *d, const char *component,
				const char *table, struct cvx_buf *out,
				struct cvx_err *err)
{
	int r = print_last_error(embedded_lock_reads(d), component, table, out,
				 err);

	embedded_unlock_reads(d);
	return r;
}
