#include "importer/server/import_document.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "importer/embedded/jobs.h"
#include "importer/server/compose.h"
#include "importer/server/mode.h"

static cJSON *format_json(const struct job *job)
{
	cJSON *object = cJSON_CreateObject();
	const char *name = mode_record_format(job->format);

	if (object &&
	    cJSON_AddStringToObject(object, "format", name ? name : "") &&
	    (!job->table[0] ||
	     cJSON_AddStringToObject(object, "table", job->table)))
		return object;
	cJSON_Delete(object);
	return NULL;
}

static bool add_state_members(cJSON *object, const struct job *job)
{
	switch (job->state) {
	case JOB_UPLOADED:
		return true;
	case JOB_WAITING:
		return cJSON_AddStringToObject(object, "message_to_confirm",
					       job->message) &&
		       cJSON_AddBoolToObject(object,
					     "require_manual_confirmation",
					     job->needs_confirmation);
	case JOB_IN_PROGRESS:
		return compose_add_raw(object, "checkpoint_messages",
				       job->progress_list) &&
		       cJSON_AddStringToObject(object, "progress_message",
					       job->progress);
	case JOB_COMPLETED:
		return compose_add_int64(object, "num_rows_written",
					 (int64_t)job->row_count);
	case JOB_FAILED:
		return cJSON_AddStringToObject(object, "error_message",
					       job->error_text);
	}
	return false;
}

static cJSON *state_json(const struct job *job)
{
	cJSON *object = cJSON_CreateObject();

	if (object && add_state_members(object, job) &&
	    cJSON_AddStringToObject(object, "state",
				    job_state_name(job->state)) &&
	    (job->state != JOB_COMPLETED ||
	     compose_add_int64(object, "timestamp", job->finished_ns)))
		return object;
	cJSON_Delete(object);
	return NULL;
}

static cJSON *requestor_json(void)
{
	cJSON *object = cJSON_CreateObject();

	if (object && cJSON_AddStringToObject(object, "type", "snapshotImport"))
		return object;
	cJSON_Delete(object);
	return NULL;
}

/* Adds and takes over the value; NULL: memory ran out. */
static bool add_value(cJSON *object, const char *key, cJSON *value)
{
	if (value && cJSON_AddItemToObject(object, key, value))
		return true;
	cJSON_Delete(value);
	return false;
}

/* Takes the rows that were to be written for those that were. */
static bool set_written(cJSON *checkpoint)
{
	cJSON *count =
		cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(
					checkpoint, "total_num_rows_to_write"),
				true);

	if (count && cJSON_ReplaceItemInObjectCaseSensitive(
			     checkpoint, "num_rows_written", count))
		return true;
	cJSON_Delete(count);
	return false;
}

/* Nothing is written before the commit, and all of it by then (import.md 10).
 * Counts of rows are below what cJSON's numbers print exactly. */
static bool add_checkpoints(cJSON *object, const struct job *job)
{
	cJSON *list, *item;

	if (job->state != JOB_COMPLETED)
		return compose_add_raw(object, "checkpoints", job->checkpoints);
	list = cJSON_Parse(job->checkpoints);
	cJSON_ArrayForEach(item, list)
	{
		if (!set_written(item)) {
			cJSON_Delete(list);
			return false;
		}
	}
	return add_value(object, "checkpoints", list);
}

static cJSON *job_json(const struct job *job)
{
	cJSON *object = cJSON_CreateObject();
	const char *mode = mode_record_name(job->mode);
	char key[48];

	(void)snprintf(key, sizeof(key), "uploads/%" PRId64, job->number);
	if (object &&
	    compose_add_float64(object, "_creationTime", job->created_ms) &&
	    cJSON_AddStringToObject(object, "_id", job->id) &&
	    add_checkpoints(object, job) &&
	    compose_add_text_or_null(object, "component_path",
				     job->component) &&
	    add_value(object, "format", format_json(job)) &&
	    cJSON_AddStringToObject(object, "fq_object_key", key) &&
	    cJSON_AddNullToObject(object, "member_id") &&
	    cJSON_AddStringToObject(object, "mode", mode ? mode : "") &&
	    add_value(object, "requestor", requestor_json()) &&
	    add_value(object, "state", state_json(job)))
		return object;
	cJSON_Delete(object);
	return NULL;
}

int import_document_print(struct deployment *d, const char *id,
			  struct cvx_buf *out, struct cvx_err *err)
{
	struct job job;
	int r = job_find(d, id, &job, err);

	if (r < 0)
		return r;
	if (r == 0)
		return compose_print(cJSON_CreateNull(), out, err);
	r = compose_print(job_json(&job), out, err);
	job_fini(&job);
	return r;
}

int import_document_print_list(struct deployment *d, struct cvx_buf *out,
			       struct cvx_err *err)
{
	cJSON *array = cJSON_CreateArray();
	struct job *list = NULL;
	size_t count = 0, i;
	int r = job_list(d, &list, &count, err);

	for (i = 0; r == 0 && array && i < count; i++) {
		cJSON *item = job_json(&list[i]);

		if (!item || !cJSON_AddItemToArray(array, item)) {
			cJSON_Delete(item);
			cJSON_Delete(array);
			array = NULL;
		}
	}
	if (r == 0)
		jobs_free(list, count);
	if (r == 0)
		return compose_print(array, out, err);
	cJSON_Delete(array);
	return r;
}
