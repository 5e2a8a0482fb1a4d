#include "importer/server/stored_pages.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "importer/server/by_time.h"
#include "importer/server/component_id.h"
#include "importer/server/compose.h"
#include "importer/server/cursor.h"
#include "importer/server/pages.h"
#include "importer/stored_file.h"
#include "importer/value/base64.h"

static struct time_key key_of(const struct stored_file *f)
{
	struct time_key key = {.time = f->creation_time};

	(void)snprintf(key.id, sizeof(key.id), "%s", f->id);
	return key;
}

static int compare(const void *a, const void *b)
{
	struct time_key x = key_of(a), y = key_of(b);

	return time_key_compare(&x, &y);
}

/* ORIGIN/api/storage/UUID[?component=ID] */
static bool add_url(cJSON *object, const struct stored_file *f,
		    const char *component, const char *origin)
{
	char id[ID_TEXT_MAX + 1], text[512];

	component_id_make(component, id);
	(void)snprintf(text, sizeof(text), "%s/api/storage/%s%s%s", origin,
		       f->internal_id, component[0] ? "?component=" : "",
		       component[0] ? id : "");
	return cJSON_AddStringToObject(object, "url", text);
}

cJSON *stored_file_json(const struct stored_file *f, const char *component,
			const struct stored_view *view)
{
	char sha256[BASE64_SIZE(STORED_FILE_SHA256_SIZE) + 1];
	cJSON *object = cJSON_CreateObject();

	base64_encode(f->sha256, sizeof(f->sha256), sha256);
	sha256[sizeof(sha256) - 1] = '\0';
	if (object &&
	    compose_add_float64(object, "_creationTime", f->creation_time) &&
	    cJSON_AddStringToObject(object, "_id", f->id) &&
	    ((!f->content_type && !view->url) ||
	     compose_add_text_or_null(object, "contentType",
				      f->content_type)) &&
	    cJSON_AddStringToObject(object, "sha256", sha256) &&
	    compose_add_float64(object, "size", (double)f->size) &&
	    (!view->url || add_url(object, f, component, view->url)))
		return object;
	cJSON_Delete(object);
	return NULL;
}

/* Files in the order of the page, and where in it the page begins. */
struct walk {
	const struct page_request *request;
	const struct stored_view *view;
	const struct stored_file *files;
	size_t count, next;
};

static const struct stored_file *nth(const struct walk *w, size_t n)
{
	return &w->files[w->request->descending ? w->count - 1 - n : n];
}

static int find_start(struct walk *w, struct cvx_err *err)
{
	struct time_key key, other;
	int order, r;

	if (!w->request->cursor)
		return 0;
	r = cursor_read(w->request, &key, err);
	if (r < 0)
		return r;
	for (; w->next < w->count; w->next++) {
		other = key_of(nth(w, w->next));
		order = time_key_compare(&other, &key);
		if (w->request->descending ? order < 0 : order > 0)
			break;
	}
	return 0;
}

static int print(struct walk *w, struct cvx_buf *out, struct cvx_err *err)
{
	struct cvx_buf text = CVX_BUF_INIT(2 * (size_t)PAGE_SIZE_MAX);
	struct time_key last = {.time = 0};
	char cursor[CURSOR_SIZE];
	uint64_t n;
	int r = 0;

	for (n = 0; r == 0 && w->next < w->count && n < w->request->count &&
		    text.size < PAGE_SIZE_MAX;
	     n++, w->next++) {
		if (n > 0)
			r = compose_fail_append(cvx_buf_puts(&text, ","), err);
		if (r == 0)
			r = compose_print(
				stored_file_json(nth(w, w->next),
						 w->request->component,
						 w->view),
				&text, err);
		last = key_of(nth(w, w->next));
	}
	cursor_print(w->request, &last, cursor);
	if (r == 0)
		r = compose_fail_append(
			cvx_buf_printf(
				out,
				"{\"continueCursor\":\"%s\",\"isDone\":%s,"
				"\"page\":[",
				cursor, w->next == w->count ? "true" : "false"),
			err);
	if (r == 0 && text.size > 0)
		r = compose_fail_append(
			cvx_buf_append(out, text.data, text.size), err);
	if (r == 0)
		r = compose_fail_append(cvx_buf_puts(out,
						     "],\"pageStatus\":null,"
						     "\"splitCursor\":null}"),
					err);
	cvx_buf_fini(&text);
	return r;
}

int stored_pages_print(struct deployment *d, const struct page_request *request,
		       const struct stored_view *view, struct cvx_buf *out,
		       struct cvx_err *err)
{
	struct walk w = {.request = request, .view = view};
	struct stored_file *files = NULL;
	size_t all;
	int r = deployment_list_stored_files(d, request->component, &files,
					     &all, err);

	if (r < 0)
		return r;
	if (all > 0)
		qsort(files, all, sizeof(*files), compare);
	w.files = files;
	w.count = all;
	/* Both ends are cut off, which is what a view leaves out. */
	while (w.count > 0 && w.files[0].creation_time < view->least) {
		w.files++;
		w.count--;
	}
	while (w.count > 0 && w.files[w.count - 1].creation_time > view->most)
		w.count--;
	r = find_start(&w, err);
	if (r == 0)
		r = print(&w, out, err);
	stored_files_free(files, all);
	return r;
}
