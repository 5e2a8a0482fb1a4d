/* From parts to an import at the deployment: finish_upload, and finding the
 * import whose answer was lost. */

#include "importer/remote/remote_import_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/remote/halt.h"
#include "importer/remote/http.h"
#include "importer/remote/query.h"
#include "importer/remote/upload.h"

#define FINISHES_MAX 4 /* repetitions of finish_upload */
#define LIST_QUERY "_system/cli/queryImport:list"

static const char *format_name(enum remote_format format)
{
	switch (format) {
	case REMOTE_CSV:
		return "csv";
	case REMOTE_JSON_LINES:
		return "jsonLines";
	case REMOTE_JSON_ARRAY:
		return "jsonArray";
	case REMOTE_ZIP:
		return "zip";
	}
	return "";
}

/* As an import document says it (7.4). */
static const char *document_format(enum remote_format format)
{
	switch (format) {
	case REMOTE_CSV:
		return "csv";
	case REMOTE_JSON_LINES:
		return "jsonl";
	case REMOTE_JSON_ARRAY:
		return "json_array";
	case REMOTE_ZIP:
		return "zip";
	}
	return "";
}

/* IMP-7, and with capital letters in import documents. */
static const char *mode_name(enum import_mode mode, bool in_document)
{
	switch (mode) {
	case IMPORT_REQUIRE_EMPTY:
		return in_document ? "RequireEmpty" : "requireEmpty";
	case IMPORT_APPEND:
		return in_document ? "Append" : "append";
	case IMPORT_REPLACE:
		return in_document ? "Replace" : "replace";
	case IMPORT_REPLACE_ALL:
		return in_document ? "ReplaceAll" : "replaceAll";
	}
	return "";
}

const cJSON *remote_import_member(const cJSON *object, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* --- step 0: other imports ----------------------------------------------- */

static int list_imports(struct remote_import *imp, const struct halt *halt,
			cJSON **ret, struct cvx_err *err)
{
	int r = query_run(imp->http, LIST_QUERY, NULL, NULL, halt, ret, err);

	if (r == 0 && !cJSON_IsArray(*ret)) {
		cJSON_Delete(*ret);
		return query_fail_value(QUERY_ENDPOINT, LIST_QUERY, err,
					"not a list");
	}
	return r;
}

static double creation_time(const cJSON *document)
{
	const cJSON *item = remote_import_member(document, "_creationTime");

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static bool is_in_progress(const cJSON *document)
{
	const char *state =
		query_text(remote_import_member(document, "state"), "state");

	return state && strcmp(state, "in_progress") == 0;
}

int remote_import_look_at_others(void *ctx, const struct halt *halt,
				 struct cvx_err *err)
{
	struct remote_import *imp = ctx;
	const cJSON *one;
	bool others = false;
	cJSON *list;
	int r;

	r = list_imports(imp, halt, &list, err);
	if (r < 0)
		return r;
	cJSON_ArrayForEach(one, list)
	{
		others |= is_in_progress(one);
		if (creation_time(one) > imp->newest_before)
			imp->newest_before = creation_time(one);
	}
	cJSON_Delete(list);
	if (others && imp->settings.may_join &&
	    !imp->settings.may_join(imp->settings.ctx))
		return cvx_fail(err, -ECANCELED,
				"not begun: another import of this deployment "
				"is in progress");
	return 0;
}

/* --- finish_upload ---------------------------------------------------------
 */

int remote_import_print_hint(const struct remote_import *imp,
			     struct cvx_buf *out)
{
	int r;

	if (imp->target.format == REMOTE_ZIP)
		return cvx_buf_append(out, "", 1);
	r = cvx_buf_printf(out, "?format=%s&mode=%s&tableName=",
			   format_name(imp->target.format),
			   mode_name(imp->target.mode, false));
	if (r == 0)
		r = http_escape(out, imp->table);
	if (r == 0 && imp->component[0])
		r = cvx_buf_puts(out, "&componentPath=");
	if (r == 0)
		r = http_escape(out, imp->component);
	return r < 0 ? r : cvx_buf_append(out, "", 1);
}

int remote_import_print_subject(const struct remote_import *imp,
				struct cvx_buf *out)
{
	int r = cvx_buf_printf(out, "%s %s %s ", http_site(imp->http),
			       format_name(imp->target.format),
			       mode_name(imp->target.mode, false));

	if (r == 0)
		r = http_escape(out, imp->component);
	if (r == 0)
		r = cvx_buf_puts(out, " ");
	if (r == 0 && imp->table)
		r = http_escape(out, imp->table);
	return r < 0 ? r : cvx_buf_append(out, "", 1);
}

static cJSON *make_tokens(const struct remote_import *imp)
{
	cJSON *list = cJSON_CreateArray(), *token;
	size_t i, count = upload_part_count(imp->upload);

	for (i = 0; list && i < count; i++) {
		token = cJSON_CreateString(upload_part_token(imp->upload, i));
		if (cJSON_AddItemToArray(list, token))
			continue;
		cJSON_Delete(token);
		cJSON_Delete(list);
		return NULL;
	}
	return list;
}

static bool fill_finish(const struct remote_import *imp, cJSON *body)
{
	cJSON *import = cJSON_AddObjectToObject(body, "import");
	cJSON *tokens;

	if (imp->table &&
	    !cJSON_AddStringToObject(import, "tableName", imp->table))
		return false;
	if (imp->component[0] &&
	    !cJSON_AddStringToObject(import, "componentPath", imp->component))
		return false;
	if (!cJSON_AddStringToObject(import, "mode",
				     mode_name(imp->target.mode, false)) ||
	    !cJSON_AddStringToObject(import, "format",
				     format_name(imp->target.format)) ||
	    !cJSON_AddStringToObject(body, "uploadToken",
				     upload_token(imp->upload)))
		return false;
	tokens = make_tokens(imp);
	if (cJSON_AddItemToObject(body, "partTokens", tokens))
		return true;
	cJSON_Delete(tokens);
	return false;
}

/* A POST with a body in JSON, which is deleted; repeated after HTTP_NOT_SENT,
 * and with ambiguous also when it may have arrived. Without a halt it does not
 * take long. */
int remote_import_post(struct remote_import *imp, const char *path, cJSON *body,
		       const struct halt *halt, bool ambiguous,
		       struct http_answer *answer, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *text = cJSON_PrintUnformatted(body);
	struct http_call call = {
		.method = "POST",
		.path = path,
		.content_type = "application/json",
		.body = text,
		.total_ms = halt ? HTTP_TOTAL_MS : HTTP_CONNECT_MS,
		.repetitions_max = halt ? 0 : 2,
		.halt = halt,
	};

	cJSON_Delete(body);
	*answer = (struct http_answer){.outcome = HTTP_LOCAL};
	if (!text)
		return cvx_fail_memory(err);
	call.body_size = strlen(text);
	return http_perform_repeated(imp->http, &call, ambiguous, answer, err);
}

static int take_id(struct remote_import *imp, const char *id,
		   struct cvx_err *err)
{
	imp->id = strdup(id);
	return imp->id ? 0 : cvx_fail_memory(err);
}

static int try_finish(struct remote_import *imp, bool *ret_ambiguous,
		      struct cvx_err *err)
{
	const struct http_call call = {.method = "POST",
				       .path = "/api/import/finish_upload"};
	cJSON *body = cJSON_CreateObject(), *json = NULL;
	struct http_answer answer;
	int r;

	*ret_ambiguous = false;
	if (!fill_finish(imp, body)) {
		cJSON_Delete(body);
		return cvx_fail_memory(err);
	}
	r = remote_import_post(imp, call.path, body, imp->halt, false, &answer,
			       err);
	if (r < 0)
		*ret_ambiguous = answer.outcome == HTTP_AMBIGUOUS;
	else
		r = http_parse(&call, &answer, &json, err);
	imp->is_refused = answer.outcome == HTTP_REFUSED ||
			  answer.outcome == HTTP_NOT_FOUND ||
			  answer.status >= 500;
	if (r == 0 && !query_text(json, "importId"))
		r = http_fail_answer(&call, answer.status, err,
				     "importId is missing");
	if (r == 0)
		r = take_id(imp, query_text(json, "importId"), err);
	cJSON_Delete(json);
	http_answer_fini(&answer);
	return r;
}

/* Whether the import document is one that our finish_upload may have made. */
static bool may_be_ours(const struct remote_import *imp, const cJSON *one)
{
	const cJSON *format = remote_import_member(one, "format");
	const char *kind = query_text(format, "format");
	const char *table = query_text(format, "table");
	const char *mode = query_text(one, "mode");
	const char *component = query_text(one, "component_path");
	const char *state =
		query_text(remote_import_member(one, "state"), "state");

	return creation_time(one) > imp->newest_before && kind && mode &&
	       state && query_text(one, "_id") &&
	       strcmp(kind, document_format(imp->target.format)) == 0 &&
	       strcmp(mode, mode_name(imp->target.mode, true)) == 0 &&
	       strcmp(component ? component : "", imp->component) == 0 &&
	       (!imp->table || (table && strcmp(table, imp->table) == 0)) &&
	       (strcmp(state, "uploaded") == 0 ||
		strcmp(state, "waiting_for_confirmation") == 0);
}

/* 7.8: the answer was lost; is there an import of ours? Sets imp->id if so. */
static int look_up(struct remote_import *imp, struct cvx_err *err)
{
	const cJSON *one, *found = NULL;
	unsigned count = 0;
	cJSON *list;
	int r;

	r = list_imports(imp, imp->halt, &list, err);
	if (r < 0)
		return r;
	cJSON_ArrayForEach(one, list)
	{
		if (!may_be_ours(imp, one))
			continue;
		found = one;
		count++;
	}
	if (count > 1)
		r = cvx_fail(err, -EREMOTEIO,
			     "the answer to finish_upload was lost, and %u "
			     "imports wait that could be this one; none was "
			     "confirmed",
			     count);
	else if (found)
		r = take_id(imp, query_text(found, "_id"), err);
	cJSON_Delete(list);
	return r;
}

int remote_import_finish(struct remote_import *imp, struct cvx_err *err)
{
	const struct http_answer none = {.outcome = HTTP_AMBIGUOUS};
	bool ambiguous;
	unsigned number;
	int r;

	for (number = 1;; number++) {
		r = try_finish(imp, &ambiguous, err);
		if (r == 0 || !ambiguous || number > FINISHES_MAX)
			return r;
		imp->is_refused = false; /* as long as that is not known */
		if (!http_wait_to_repeat(imp->http, number, &none, imp->halt))
			return cvx_fail(err, -ECANCELED, "interrupted");
		r = look_up(imp, err);
		if (r < 0 || imp->id)
			return r;
	}
}
