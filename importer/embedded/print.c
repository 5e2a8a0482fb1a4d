/* Texts of generated files. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/catalog.h"
#include "importer/deployment.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/json.h"
#include "importer/embedded/sql.h"
#include "importer/origin.h"

static int fail_append(int r, struct cvx_err *err)
{
	return r == -ENOMEM ? cvx_fail_memory(err)
			    : cvx_fail(err, r, "the text is too long");
}

int json_print_line(struct cJSON *object, struct cvx_buf *out,
		    struct cvx_err *err)
{
	char *text = object ? cJSON_PrintUnformatted(object) : NULL;
	int r = text ? cvx_buf_puts(out, text) : -ENOMEM;

	if (r == 0)
		r = cvx_buf_append(out, "\n", 1);
	cJSON_free(text);
	cJSON_Delete(object);
	return r < 0 ? fail_append(r, err) : 0;
}

void json_print_time(int64_t ns, char text[JSON_TIME_SIZE])
{
	time_t seconds = (time_t)(ns / 1000000000);
	char stamp[32];
	struct tm tm;

	(void)gmtime_r(&seconds, &tm);
	(void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(text, JSON_TIME_SIZE, "%s.%03dZ", stamp,
		       (int)(ns / 1000000 % 1000));
}

static int print_tables(struct catalog *c, const char *component,
			struct cvx_buf *out, struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	struct component_row row;
	const char *name;
	size_t size;
	int r = component_find(c, component, &row, err);

	if (r == 0)
		r = catalog_query(c, SQL_LIST_NUMBERS, &q, err);
	if (r < 0)
		return r;
	catalog_bind_text(q, 1, component);
	while ((r = catalog_next(q, err)) == 1) {
		name = catalog_bytes(q, 0, &size);
		/* A table's name needs no escapes. */
		r = cvx_buf_printf(out, "{\"name\":\"%.*s\",\"id\":%u}\n",
				   (int)size, name,
				   (unsigned)catalog_int(q, 1));
		if (r < 0)
			return fail_append(r, err);
	}
	return r;
}

int deployment_print_tables(struct deployment *d, const char *component,
			    struct cvx_buf *out, struct cvx_err *err)
{
	int r = print_tables(embedded_lock_reads(d), component, out, err);

	embedded_unlock_reads(d);
	return r;
}

int deployment_print_json(struct deployment *d, const char *const *options,
			  size_t option_count, struct cvx_buf *out,
			  struct cvx_err *err)
{
	cJSON *object = cJSON_CreateObject(), *list = NULL;
	size_t i;
	const char *url = d->origin_url;
	char since[JSON_TIME_SIZE];
	int64_t since_ns;
	bool ok = object &&
		  cJSON_AddStringToObject(object, "kind",
					  url ? "copy" : "embedded") &&
		  cJSON_AddStringToObject(object, "name", deployment_name(d)) &&
		  (!url || cJSON_AddStringToObject(object, "url", url)) &&
		  cJSON_AddStringToObject(object, "folder", d->dir) &&
		  (list = cJSON_AddObjectToObject(object, "options"));

	if (ok && origin_is_stale(d, &since_ns)) {
		json_print_time(since_ns, since);
		ok = cJSON_AddStringToObject(object, "stale", since);
	}

	for (i = 0; ok && i < option_count; i++)
		ok = cJSON_AddStringToObject(list, options[2 * i],
					     options[2 * i + 1]);
	if (!ok) {
		cJSON_Delete(object);
		object = NULL;
	}
	return json_print_line(object, out, err);
}
