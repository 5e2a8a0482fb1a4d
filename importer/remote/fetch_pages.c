#include "importer/remote/fetch_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/remote/http.h"

#define PAGE_SIZE_MAX ((uint64_t)2 << 30)

static int write_page(void *ctx, const void *bytes, size_t size,
		      struct cvx_err *err)
{
	struct fetch *f = ctx;
	int r;

	if (f->page_size + size > PAGE_SIZE_MAX)
		return cvx_fail(err, -EMSGSIZE, "a page is too large");
	r = file_pwrite(f->page_fd, bytes, size, f->page_size);
	if (r < 0)
		return cvx_fail(err, r, "cannot write to the cache: %s",
				strerror(-r));
	f->page_size += size;
	return 0;
}

static void begin_page(void *ctx)
{
	struct fetch *f = ctx;

	f->page_size = 0;
}

/* One request; its answer becomes the page. */
int fetch_load_page(struct fetch *f, struct http_call *call,
		    struct http_answer *answer)
{
	int r;

	call->write = write_page;
	call->begin = begin_page;
	call->ctx = f;
	call->content_type = "application/json";
	call->halt = f->halt;
	r = http_perform_repeated(f->http, call, true, answer, f->err);
	f->page_status = answer->status;
	if (r == 0 && answer->status == 560) /* an error, kept apart */
		r = write_page(f, answer->body.data, answer->body.size, f->err);
	return r;
}

/* The page in memory; munmap() it. */
int fetch_map_page(struct fetch *f, struct range *ret)
{
	void *map;

	if (f->page_size == 0)
		return cvx_fail(f->err, -EPROTO, "it is empty");
	map = mmap(NULL, f->page_size, PROT_READ, MAP_PRIVATE, f->page_fd, 0);
	if (map == MAP_FAILED)
		return cvx_fail(f->err, -errno, "mmap: %s", strerror(errno));
	*ret = (struct range){map, f->page_size};
	return 0;
}

static int fail_form(struct fetch *f)
{
	return cvx_fail(f->err, -EPROTO, "it is no JSON object");
}

/* The value of a member whose key was read; what is not the list, or comes
 * before what is to be known for that, is passed over. */
static int read_member(struct fetch *f, struct json *j,
		       const struct fetch_form *form, struct range *found,
		       size_t name, bool is_on_way)
{
	size_t start = j->pos;
	enum json_token token;
	int r = 0;

	if (is_on_way) {
		r = form->read(f, found, j);
	} else {
		token = json_next(j);
		start = j->start;
		if (token == JSON_BAD || !json_skip_value(j, token))
			r = fail_form(f);
	}
	if (r == 0 && name < form->count)
		found[name] = (struct range){j->text + start, j->pos - start};
	return r;
}

int fetch_read_form(struct fetch *f, const struct range *page,
		    const struct fetch_form *form, struct range *found)
{
	bool is_read = false, is_on_way;
	enum json_token token;
	struct range key;
	struct json j;
	size_t name;
	int r = 0;

	for (name = 0; name < form->count; name++)
		found[name] = (struct range){"", 0};
	json_init(&j, page->text, page->size);
	token = json_next(&j);
	if (token == JSON_OBJECT)
		token = json_next(&j);
	while (r == 0 && token == JSON_KEY) {
		key = (struct range){j.text + j.start, j.end - j.start};
		name = members_find(&key, form->names, form->count);
		if (name < form->count && found[name].size > 0)
			return cvx_fail(f->err, -EPROTO, "%s come twice",
					form->names[name]);
		is_on_way =
			name == form->list && (form->before == form->list ||
					       found[form->before].size > 0);
		is_read = is_read || is_on_way;
		r = read_member(f, &j, form, found, name, is_on_way);
		token = json_next(&j);
	}
	if (r == 0 && (token != JSON_CLOSE || !json_is_at_end(&j)))
		r = fail_form(f);
	if (r == 0 && found[form->list].size == 0)
		r = cvx_fail(f->err, -EPROTO, "no %s", form->names[form->list]);
	if (r < 0 || is_read)
		return r;
	json_init(&j, found[form->list].text, found[form->list].size);
	return form->read(f, found, &j);
}

/* *cursor becomes that of the next page; NULL behind the last one. Never the
 * same again, or it would not end. */
int fetch_take_cursor(struct fetch *f, bool is_last, const struct range *value,
		      char **cursor)
{
	CVX_AUTO(cvx_freep) char *before = *cursor;

	*cursor = NULL;
	if (is_last)
		return 0;
	*cursor = range_string(value);
	if (!*cursor || (before && strcmp(before, *cursor) == 0))
		return cvx_fail(f->err, -EPROTO,
				"there is more, but no way to it");
	return 0;
}

int fetch_blame_page(struct fetch *f, const char *method, const char *path)
{
	const struct http_call call = {.method = method, .path = path};

	return http_blame_answer(&call, f->page_status, f->err);
}
