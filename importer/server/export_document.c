#include "importer/server/export_document.h"

#include <inttypes.h>
#include <stdio.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "importer/embedded/export_jobs.h"
#include "importer/server/compose.h"

static const char *state_name(enum export_state state)
{
	switch (state) {
	case EXPORT_REQUESTED:
		return "requested";
	case EXPORT_IN_PROGRESS:
		return "in_progress";
	case EXPORT_COMPLETED:
		return "completed";
	case EXPORT_FAILED:
		return "failed";
	case EXPORT_CANCELED:
		return "canceled";
	}
	return "";
}

static bool add_format(cJSON *object, const struct export_job *job)
{
	cJSON *format = cJSON_AddObjectToObject(object, "format");

	return format && cJSON_AddStringToObject(format, "format", "zip") &&
	       cJSON_AddBoolToObject(format, "include_storage",
				     job->has_storage);
}

/* 8.3: canceled_ts, complete_ts, failed_ts, each in its state. */
static bool add_end(cJSON *object, const struct export_job *job,
		    enum export_state state, const char *key)
{
	return job->state != state ||
	       compose_add_int64(object, key, job->finished_ns);
}

static bool add_progress(cJSON *object, const struct export_job *job)
{
	return job->state != EXPORT_IN_PROGRESS ||
	       compose_add_text_or_null(object, "progress_message",
					job->progress);
}

static bool add_start(cJSON *object, const struct export_job *job)
{
	if (job->start_ns)
		return compose_add_int64(object, "start_ts", job->start_ns);
	return job->state != EXPORT_CANCELED ||
	       cJSON_AddNullToObject(object, "start_ts");
}

static bool add_expiration(cJSON *object, const struct export_job *job)
{
	return job->state > EXPORT_COMPLETED ||
	       compose_add_int64(object, "expiration_ts", job->expiration_ns);
}

static cJSON *job_json(const struct export_job *job)
{
	cJSON *object = cJSON_CreateObject();
	char key[48];

	(void)snprintf(key, sizeof(key), "exports/%" PRId64 ".zip",
		       job->number);
	if (object &&
	    compose_add_float64(object, "_creationTime", job->created_ms) &&
	    cJSON_AddStringToObject(object, "_id", job->id) &&
	    add_end(object, job, EXPORT_CANCELED, "canceled_ts") &&
	    add_end(object, job, EXPORT_COMPLETED, "complete_ts") &&
	    compose_add_text_or_null(object, "component", job->component) &&
	    add_expiration(object, job) &&
	    add_end(object, job, EXPORT_FAILED, "failed_ts") &&
	    add_format(object, job) && add_progress(object, job) &&
	    cJSON_AddStringToObject(object, "requestor", "snapshotExport") &&
	    (job->state != EXPORT_COMPLETED ||
	     compose_add_int64(object, "size", (int64_t)job->size)) &&
	    add_start(object, job) &&
	    cJSON_AddStringToObject(object, "state", state_name(job->state)) &&
	    (job->state != EXPORT_COMPLETED ||
	     cJSON_AddStringToObject(object, "zip_object_key", key)))
		return object;
	cJSON_Delete(object);
	return NULL;
}

int export_document_print_latest(struct deployment *d, struct cvx_buf *out,
				 struct cvx_err *err)
{
	struct export_job job;
	int r = export_job_latest(d, &job, err);

	if (r < 0)
		return r;
	if (r == 0)
		return compose_print(cJSON_CreateNull(), out, err);
	r = compose_print(job_json(&job), out, err);
	export_job_fini(&job);
	return r;
}
