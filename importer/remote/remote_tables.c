#include "importer/remote/remote_tables.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/intake.h"
#include "importer/remote/halt.h"
#include "importer/remote/http.h"
#include "importer/remote/listing.h"
#include "importer/value/name.h"

#define PATH "/api/delete_tables"
#define REPETITIONS_MAX 4

int remote_find_component(struct http *http, const char *path,
			  const struct halt *halt, char **ret,
			  struct cvx_err *err)
{
	struct remote_component *list;
	size_t count, i;
	int r;

	*ret = NULL;
	if (!path[0])
		return 0;
	r = remote_list_components(http, halt, &list, &count, err);
	if (r < 0)
		return r;
	for (i = 0; i < count && !*ret; i++)
		if (strcmp(list[i].path, path) == 0)
			*ret = CVX_TAKE(list[i].id);
	remote_components_free(list, count);
	return *ret ? 0
		    : cvx_fail(err, -ENOENT, "there is no component %s", path);
}

static int is_there(struct http *http, const char *component, const char *table,
		    const struct halt *halt, bool *ret, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct remote_table *list = NULL;
	size_t count = 0, i;
	int r = remote_list_tables(http, component, halt, &list, &count, err);

	*ret = false;
	for (i = 0; r == 0 && i < count; i++)
		*ret |= strcmp(list[i].name, table) == 0;
	return r;
}

/* 1: it is there, and empty. 0: it is not there. */
static int look(struct http *http, const char *component, const char *table,
		const struct halt *halt, struct cvx_err *err)
{
	uint64_t count = 0;
	bool yes;
	int r = is_there(http, component, table, halt, &yes, err);

	if (r < 0 || !yes)
		return r;
	r = remote_count_documents(http, component, table, halt, &count, err);
	if (r < 0)
		return r;
	if (count > 0)
		return cvx_fail(err, -ENOTEMPTY,
				"table %s has documents; empty it first",
				table);
	return 1;
}

/* {"tableNames":[…],"componentId":…}; NULL without memory. */
static char *print_body(const char *component, const char *table)
{
	cJSON *body = cJSON_CreateObject();
	cJSON *list = cJSON_AddArrayToObject(body, "tableNames");
	cJSON *name = cJSON_CreateString(table);
	char *text = NULL;

	if (!cJSON_AddItemToArray(list, name))
		cJSON_Delete(name);
	else if (!component ||
		 cJSON_AddStringToObject(body, "componentId", component))
		text = cJSON_PrintUnformatted(body);
	cJSON_Delete(body);
	return text;
}

/* How a request failed. */
struct attempt {
	bool is_ambiguous; /* it may have been done all the same */
	bool was_answered; /* it is over, one way or the other */
};

static int request(struct http *http, const char *component, const char *table,
		   const struct halt *halt, struct attempt *ret,
		   struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *text = print_body(component, table);
	struct http_call call = {.method = "POST",
				 .path = PATH,
				 .content_type = "application/json",
				 .body = text,
				 .total_ms = HTTP_TOTAL_MS,
				 .halt = halt};
	struct http_answer answer;
	int r;

	*ret = (struct attempt){.is_ambiguous = false};
	if (!text)
		return cvx_fail_memory(err);
	call.body_size = strlen(text);
	r = http_perform_repeated(http, &call, false, &answer, err);
	ret->is_ambiguous = r < 0 && (answer.outcome == HTTP_AMBIGUOUS ||
				      halt_is_requested(halt));
	ret->was_answered = answer.status != 0;
	if (r == 0 && answer.body.size > 0) { /* it is not the deployment's */
		ret->is_ambiguous = true;
		r = cvx_fail(err, -EPROTO,
			     "POST " PATH
			     ": %d, but the answer should be empty",
			     answer.status);
	}
	http_answer_fini(&answer);
	return r;
}

static int fail_unknown(const char *table, const struct cvx_err *why,
			struct cvx_err *err)
{
	return cvx_fail_named(err, -EINPROGRESS, INTAKE_UNKNOWN,
			      "outcome unknown: table %s may be deleted or not "
			      "(%.300s)",
			      table, why->msg);
}

/* The answer was lost. 1: the table is there as before; 0: it is gone. */
static int look_again(struct http *http, const char *component,
		      const char *table, unsigned number,
		      const struct halt *halt, const struct cvx_err *lost,
		      struct cvx_err *err)
{
	const struct http_answer none = {.outcome = HTTP_AMBIGUOUS};
	int r = 1;

	if (!http_wait_to_repeat(http, number, &none, halt))
		return fail_unknown(table, lost, err);
	r = look(http, component, table, halt, err);
	return r < 0 && r != -ENOTEMPTY ? fail_unknown(table, lost, err) : r;
}

int remote_delete_table(struct http *http, const char *component,
			const char *table, const struct halt *halt,
			struct cvx_err *err)
{
	struct cvx_err why = CVX_ERR_INIT;
	unsigned number;
	struct attempt last;
	int r;

	/* The deployment would take another name for it (SCH-8). */
	if (!name_is_user_table(table, strlen(table)))
		return cvx_fail(err, -EINVAL,
				"%s is not the name of a table that can be "
				"deleted",
				table);
	r = look(http, component, table, halt, err);
	if (r == 0)
		r = cvx_fail(err, -ENOENT, "there is no table %s", table);
	for (number = 1; r == 1; number++) {
		r = request(http, component, table, halt, &last, &why);
		if (r < 0 && last.is_ambiguous && number <= REPETITIONS_MAX)
			r = look_again(http, component, table, number, halt,
				       &why, err);
		else if (r < 0 && last.is_ambiguous && !last.was_answered)
			r = fail_unknown(table, &why, err);
		else if (r < 0 && err)
			*err = why;
	}
	return r;
}
