#include "importer/server/pages.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/deployment.h"
#include "importer/deployment_schema.h"
#include "importer/embedded/embedded.h"
#include "importer/server/by_time.h"
#include "importer/server/compose.h"
#include "importer/server/cursor.h"

/* Indexes that stay open. */
#define KEPT_MAX 8
#define IDLE_NS (INT64_C(60) * 1000000000)

struct kept {
	struct kept *next;
	unsigned ref_count; /* users, and the list */
	struct index_reader *reader;
	char *component;
	char table[NAME_MAX_SIZE + 1];
	uint64_t revision;
	int64_t used_ns;
};

struct pages {
	struct deployment *d;
	pthread_mutex_t lock; /* guards what follows */
	struct kept *first;   /* the one used last */
};

int pages_new(struct deployment *d, struct pages **ret, struct cvx_err *err)
{
	struct pages *p = calloc(1, sizeof(*p));

	if (!p)
		return cvx_fail_memory(err);
	p->d = d;
	(void)pthread_mutex_init(&p->lock, NULL);
	*ret = p;
	return 0;
}

/* --- open indexes -------------------------------------------------------- */

static void kept_free(struct kept *k)
{
	index_reader_close(k->reader);
	free(k->component);
	free(k);
}

static void unref(struct pages *p, struct kept *k)
{
	bool is_last;

	(void)pthread_mutex_lock(&p->lock);
	is_last = --k->ref_count == 0;
	(void)pthread_mutex_unlock(&p->lock);
	if (is_last)
		kept_free(k);
}

void pages_free(struct pages *p)
{
	struct kept *k;

	if (!p)
		return;
	while ((k = p->first)) {
		p->first = k->next;
		kept_free(k);
	}
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}

void pages_close_idle(struct pages *p)
{
	int64_t now = embedded_now_ns();
	struct kept **link = &p->first, *k = NULL;

	(void)pthread_mutex_lock(&p->lock);
	while (*link && now - (*link)->used_ns < IDLE_NS)
		link = &(*link)->next;
	/* The list is in the order of use: one after the other goes. */
	k = *link;
	if (k)
		*link = k->next;
	(void)pthread_mutex_unlock(&p->lock);
	if (k)
		unref(p, k);
}

/* Takes it out of the list and refs it; what is of another revision goes. */
static struct kept *take(struct pages *p, const char *component,
			 const struct table_info *info)
{
	struct kept **link = &p->first, *k, *old = NULL;

	(void)pthread_mutex_lock(&p->lock);
	while ((k = *link) && (strcmp(k->component, component) != 0 ||
			       strcmp(k->table, info->name) != 0))
		link = &k->next;
	if (k) {
		*link = k->next;
		if (k->revision != info->revision) {
			old = k;
			k = NULL;
		}
	}
	(void)pthread_mutex_unlock(&p->lock);
	if (old)
		unref(p, old);
	return k;
}

/* Puts it first, with a reference for the list; the one not used for longest
 * goes when there are too many. */
static void put_first(struct pages *p, struct kept *k)
{
	struct kept **link, *last = NULL;
	size_t n;

	(void)pthread_mutex_lock(&p->lock);
	k->used_ns = embedded_now_ns();
	k->next = p->first;
	p->first = k;
	k->ref_count++;
	for (link = &p->first, n = 0; *link && n < KEPT_MAX; n++)
		link = &(*link)->next;
	last = *link;
	*link = NULL;
	(void)pthread_mutex_unlock(&p->lock);
	if (last)
		unref(p, last);
}

static int open_index(struct pages *p, const char *component, const char *table,
		      struct kept **ret, struct cvx_err *err)
{
	struct kept *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return cvx_fail_memory(err);
	k->component = strdup(component);
	r = k->component
		    ? deployment_open_index(p->d, component, table,
					    "by_creation_time", &k->reader, err)
		    : cvx_fail_memory(err);
	if (r < 0) {
		kept_free(k);
		return r;
	}
	(void)snprintf(k->table, sizeof(k->table), "%s", table);
	k->revision = index_reader_info(k->reader)->revision;
	*ret = k;
	return 0;
}

/* -ENOENT: there is no such table. */
static int get_index(struct pages *p, const char *component, const char *table,
		     struct kept **ret, struct cvx_err *err)
{
	struct table_info info;
	struct kept *k;
	int r = deployment_stat_table(p->d, component, table, &info, err);

	if (r < 0)
		return r;
	/* What is in the list has a reference there, which becomes ours. */
	k = take(p, component, &info);
	if (!k) {
		r = open_index(p, component, table, &k, err);
		if (r < 0)
			return r;
		k->ref_count = 1;
	}
	put_first(p, k);
	*ret = k;
	return 0;
}

/* --- pages --------------------------------------------------------------- */

struct page {
	const struct page_request *request;
	struct by_time lines;
	uint64_t at; /* where the next line begins, or ends if descending */
	struct time_key last;
	uint64_t count;
	struct cvx_buf text; /* the documents, between commas */
};

static bool is_done(const struct page *p)
{
	return p->at == (p->request->descending ? 0 : p->lines.size);
}

static bool is_full(const struct page *p)
{
	return p->count >= p->request->count || p->count >= PAGE_ROWS_MAX ||
	       p->text.size >= PAGE_SIZE_MAX;
}

static int start(struct page *p, struct cvx_err *err)
{
	const struct page_request *request = p->request;
	int r;

	if (!request->cursor) {
		p->at = request->descending ? p->lines.size : 0;
		return 0;
	}
	r = cursor_read(request, &p->last, err);
	return r < 0 ? r
		     : by_time_find(&p->lines, &p->last, !request->descending,
				    &p->at, err);
}

static int add_line(struct page *p, struct cvx_err *err)
{
	bool descending = p->request->descending;
	struct by_time_line line;
	int r = by_time_at(&p->lines, descending ? p->at - 1 : p->at, &line,
			   err);

	if (r == 0 && p->text.size > 0)
		r = compose_fail_append(cvx_buf_puts(&p->text, ","), err);
	if (r == 0)
		r = compose_fail_append(
			cvx_buf_append(&p->text, line.text, line.size), err);
	if (r == 0)
		r = time_key_read(&line, &p->last, err);
	if (r < 0)
		return r;
	p->at = descending ? line.start : line.end;
	p->count++;
	return 0;
}

static int print_page(const struct page *p, struct cvx_buf *out,
		      struct cvx_err *err)
{
	char cursor[CURSOR_SIZE];
	int r;

	cursor_print(p->request, &p->last, cursor);
	r = cvx_buf_printf(
		out, "{\"continueCursor\":\"%s\",\"isDone\":%s,\"page\":[",
		cursor, is_done(p) ? "true" : "false");
	if (r == 0 && p->text.size > 0)
		r = cvx_buf_append(out, p->text.data, p->text.size);
	if (r == 0)
		r = cvx_buf_puts(out, "],\"pageStatus\":null,"
				      "\"splitCursor\":null}");
	return compose_fail_append(r, err);
}

static int read_page(struct page *p, struct cvx_buf *out, struct cvx_err *err)
{
	int r = start(p, err);

	while (r == 0 && !is_done(p) && !is_full(p))
		r = add_line(p, err);
	return r < 0 ? r : print_page(p, out, err);
}

int pages_print(struct pages *p, const struct page_request *request,
		struct cvx_buf *out, struct cvx_err *err)
{
	/* A page may have one document more than its bytes. */
	struct page page = {.request = request,
			    .text = CVX_BUF_INIT(4 * (size_t)PAGE_SIZE_MAX)};
	struct kept *k = NULL;
	int r = get_index(p, request->component, request->table, &k, err);

	if (r < 0 && r != -ENOENT)
		return r;
	by_time_init(&page.lines, k ? k->reader : NULL,
		     k ? index_reader_info(k->reader)->size : 0);
	r = read_page(&page, out, err);
	by_time_fini(&page.lines);
	cvx_buf_fini(&page.text);
	if (k)
		unref(p, k);
	return r;
}
