/* From the source to blocks of whole rows. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "importer/embedded/plan.h"
#include "importer/pipeline_inside.h"

/* The bytes of the source that the text of a worker holds. */
struct view {
	uint64_t limit; /* bytes there are */
	bool end_known; /* and there will be no more */
	size_t size;	/* of the text, which starts at off */
	bool is_all;	/* the text goes up to limit */
};

static int reserve_text(struct worker *w, size_t size, struct cvx_err *err)
{
	char *text;

	if (size == 0)
		size = 1;
	if (size <= w->text_capacity)
		return 0;
	text = realloc(w->text, size);
	if (!text)
		return cvx_fail_memory(err);
	w->text = text;
	w->text_capacity = size;
	return 0;
}

/* The text begins with what of a stream was read already. */
static int take_ahead(struct pipeline *p, struct worker *w, struct view *v,
		      struct cvx_err *err)
{
	size_t n = p->ahead.size;
	int r;

	if (n == 0)
		return 0;
	assert(v->size == 0 && n <= v->limit - p->off);
	r = reserve_text(w, n, err);
	if (r < 0)
		return r;
	memcpy(w->text, p->ahead.data, n);
	cvx_buf_clear(&p->ahead);
	v->size = n;
	return 0;
}

/* Keeps what of a stream was read and is not in the block of size bytes. */
static int keep_ahead(struct pipeline *p, const struct worker *w,
		      const struct view *v, size_t size, struct cvx_err *err)
{
	if (!p->hooks.is_stream || size >= v->size)
		return 0;
	if (cvx_buf_append(&p->ahead, w->text + size, v->size - size) < 0)
		return cvx_fail_memory(err);
	return 0;
}

/* Lengthens the text to size bytes from off, or to the limit. */
static int read_text(struct pipeline *p, struct worker *w, struct view *v,
		     size_t size, struct cvx_err *err)
{
	uint64_t left = v->limit - p->off;
	size_t n;
	int r;

	if (size < v->size)
		size = v->size;
	if (size > left)
		size = (size_t)left;
	r = reserve_text(w, size, err);
	if (r == 0 && size > v->size) {
		r = p->source.read(p->source.ctx, p->off + v->size,
				   w->text + v->size, size - v->size, &n, err);
		if (r == 0 && n != size - v->size)
			r = cvx_fail(err, -EIO,
				     "the staged file is shorter than it was");
		v->size = size;
	}
	v->is_all = v->size == left;
	return r;
}

/*
 * The text holds too little. Lengthens it and returns 1, or 0 when the rest
 * has not been written yet.
 */
static int read_more(struct pipeline *p, struct worker *w, struct view *v,
		     struct cvx_err *err)
{
	size_t size = v->size * 2 < PIPELINE_TEXT_MAX ? v->size * 2
						      : PIPELINE_TEXT_MAX;
	int r;

	if (size < PIPELINE_BLOCK_SIZE)
		size = PIPELINE_BLOCK_SIZE;
	if (v->is_all && !v->end_known) {
		p->need = size;
		return 0;
	}
	if (v->is_all)
		return cvx_fail(err, -EIO, "the end of the file is not seen");
	r = read_text(p, w, v, size, err);
	return r < 0 ? r : 1;
}

/* A block of one refusal, which is numbered and listed in its turn. */
static int refuse_block(struct pipeline *p, bool is_row,
			const struct cvx_err *cause, struct block *ret)
{
	*ret = (struct block){.seq = p->next_seq++,
			      .is_refused = true,
			      .is_row = is_row,
			      .refusal = *cause};
	return 1;
}

/* 1: a refusal became a block; 0: begun, or nothing to do now. */
static int begin(struct pipeline *p, struct worker *w, struct view *v,
		 struct block *ret, struct cvx_err *err)
{
	struct cvx_err cause = CVX_ERR_INIT;
	size_t used;
	int r;

	assert(p->off == 0);
	if (!p->format) {
		r = format_new(p->kind, &p->format, err);
		if (r < 0)
			return r;
	}
	for (;;) {
		r = format_begin(p->format, w->text, v->size,
				 v->is_all && v->end_known, &used, &cause);
		if (r == 1 && v->size >= FORMAT_ROW_MAX)
			r = format_refuse_long_row(p->format, &cause);
		if (r < 0 && !cause.name) {
			*err = cause;
			return r;
		}
		if (r < 0)
			return refuse_block(p, false, &cause, ret);
		if (r == 0)
			break;
		r = read_more(p, w, v, err);
		if (r <= 0)
			return r;
	}
	/* What follows is read again as a block of its own. */
	memmove(w->text, w->text + used, v->size - used);
	v->size -= used;
	p->off += used;
	p->has_begun = true;
	return 0;
}

/* What the first row tells; size is that of the whole rows in the text. */
static void look_at_first(const struct pipeline *p, const char *text,
			  size_t size, struct plan_facts *facts)
{
	const char *lf;

	memset(facts, 0, sizeof(*facts));
	if (size == 0)
		return;
	facts->has_number =
		format_first_number(p->format, text, size, &facts->number);
	if (p->kind == FORMAT_JSONL) {
		lf = memchr(text, '\n', size);
		facts->is_export_line = document_is_export_line(
			text, lf ? (size_t)(lf - text) : size);
	}
}

static int plan(struct pipeline *p, const char *text, size_t size,
		struct cvx_err *err)
{
	enum document_encoding encoding;
	struct document_stamp stamp;
	struct format_rules rules;
	struct plan_facts facts;
	int r;

	look_at_first(p, text, size, &facts);
	r = p->hooks.plan(p->hooks.ctx, &facts, &encoding, &stamp, &rules, err);
	if (r == 0)
		r = format_plan(p->format, encoding, &stamp, err);
	if (r < 0)
		return r;
	format_set_rules(p->format, &rules);
	p->is_planned = true;
	return 0;
}

static void note_end_used(struct pipeline *p)
{
	(void)pthread_mutex_lock(&p->lock);
	p->end_used = true;
	(void)pthread_mutex_unlock(&p->lock);
}

/* Cuts whole rows off the start of the text. 1, 0 or a failure. */
static int cut_rows(struct pipeline *p, struct worker *w, struct view *v,
		    struct block *ret, struct cvx_err *err)
{
	struct cvx_err cause = CVX_ERR_INIT;
	uint64_t row_bound;
	size_t size;
	int r;

	for (;;) {
		size = format_cut(p->format, w->text, v->size, false,
				  &row_bound);
		if (size > 0)
			break;
		if (v->size > FORMAT_ROW_MAX) {
			(void)format_refuse_long_row(p->format, &cause);
			return refuse_block(p, p->kind != FORMAT_JSON, &cause,
					    ret);
		}
		if (v->is_all && v->end_known) {
			note_end_used(p);
			size = format_cut(p->format, w->text, v->size, true,
					  &row_bound);
			assert(size > 0);
			break;
		}
		r = read_more(p, w, v, err);
		if (r <= 0)
			return r;
	}
	if (!p->is_planned) {
		r = plan(p, w->text, size, err);
		if (r < 0)
			return r;
	}
	*ret = (struct block){
		.seq = p->next_seq++, .first_nth = p->nth, .size = size};
	p->nth += row_bound;
	p->off += size;
	p->need = PIPELINE_BLOCK_SIZE;
	*p->hooks.consumed_size = p->off;
	return 1;
}

/* The end is known to be here, and nothing was cut: a file without rows. */
static int end_without_rows(struct pipeline *p, struct cvx_err *err)
{
	if (p->is_planned)
		return 0;
	note_end_used(p);
	return plan(p, NULL, 0, err);
}

/* As cut_block(), with what was read in the text. */
static int cut_text(struct pipeline *p, struct worker *w, struct view *v,
		    struct block *ret, struct cvx_err *err)
{
	size_t size = p->kind == FORMAT_JSON ? PIPELINE_TEXT_MAX
					     : PIPELINE_BLOCK_SIZE;
	int r = take_ahead(p, w, v, err);

	if (r == 0)
		r = read_text(p, w, v, size, err);
	if (r == 0 && !p->has_begun) {
		if (v->end_known && v->is_all)
			note_end_used(p);
		r = begin(p, w, v, ret, err);
		if (r == 0 && p->has_begun)
			r = read_text(p, w, v, size, err);
		if (r != 0 || !p->has_begun)
			return r;
	}
	if (r < 0)
		return r;
	if (v->size == 0)
		return v->end_known ? end_without_rows(p, err) : 0;
	return cut_rows(p, w, v, ret, err);
}

int cut_block(struct pipeline *p, struct worker *w, struct block *ret,
	      struct cvx_err *err)
{
	struct view v = {.limit = 0};
	bool ends;
	int r, kept;

	(void)pthread_mutex_lock(&p->lock);
	v.limit = p->available_size;
	v.end_known = p->end_known;
	ends = p->is_exhausted || p->is_paused;
	(void)pthread_mutex_unlock(&p->lock);
	if (p->is_canceled)
		return cvx_fail(err, -ECANCELED, "the import was canceled");
	if (ends)
		return 0;
	if (p->off > v.limit)
		return cvx_fail(err, -EIO,
				"the staged file is shorter than it was");
	if (!v.end_known &&
	    (p->kind == FORMAT_JSON || v.limit - p->off < p->need))
		return 0;
	if (v.end_known && p->has_begun && p->off == v.limit)
		return end_without_rows(p, err);

	r = cut_text(p, w, &v, ret, err);
	if (r < 0)
		return r;
	kept = keep_ahead(p, w, &v, r == 1 ? ret->size : 0, err);
	return kept < 0 ? kept : r;
}
