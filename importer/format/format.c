#include "importer/format/kind.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "importer/format/csv.h"
#include "importer/value/refusal.h"

static const char byte_order_mark[] = {'\xef', '\xbb', '\xbf'};

static const struct format_ops *ops_of(enum format_kind kind)
{
	switch (kind) {
	case FORMAT_CSV:
		return &csv_ops;
	case FORMAT_JSONL:
		return &jsonl_ops;
	case FORMAT_JSON:
		return &json_array_ops;
	}
	return NULL;
}

int format_new(enum format_kind kind, struct format **ret, struct cvx_err *err)
{
	struct format *f = calloc(1, sizeof(*f));

	if (!f)
		return cvx_fail_memory(err);
	f->kind = kind;
	f->ops = ops_of(kind);
	f->encoding = DOCUMENT_PLAIN;
	assert(f->ops);
	*ret = f;
	return 0;
}

void format_free(struct format *f)
{
	if (!f)
		return;
	csv_header_free(f->header);
	free(f);
}

enum format_kind format_kind(const struct format *f)
{
	return f->kind;
}

int format_begin(struct format *f, const char *text, size_t size, bool at_end,
		 size_t *ret_used, struct cvx_err *err)
{
	size_t mark = sizeof(byte_order_mark);
	size_t used = 0;
	int r;

	if (size < mark && !at_end)
		return 1;
	/* M-8; a second mark is a fault of the first row. */
	if (size < mark || memcmp(text, byte_order_mark, mark) != 0)
		mark = 0;
	if (f->ops->begin) {
		r = f->ops->begin(f, text + mark, size - mark, at_end, &used,
				  err);
		if (r != 0)
			return r;
	}
	*ret_used = mark + used;
	return 0;
}

bool format_first_number(const struct format *f, const char *text, size_t size,
			 uint32_t *ret_number)
{
	return f->ops->first_number(f, text, size, ret_number);
}

int format_plan(struct format *f, enum document_encoding encoding,
		const struct document_stamp *stamp, struct cvx_err *err)
{
	/* M-7: only JSON lines are ever uniform. */
	if (encoding != DOCUMENT_PLAIN && f->kind != FORMAT_JSONL)
		return cvx_fail(err, -EINVAL,
				"only JSON lines have a uniform encoding");
	f->encoding = encoding;
	f->stamp = *stamp;
	return 0;
}

void format_set_rules(struct format *f, const struct format_rules *rules)
{
	f->check = rules->check;
	if (f->header && rules->is_optional)
		csv_header_mark_optional(f->header, rules->is_optional,
					 rules->check.ctx);
}

size_t format_cut(const struct format *f, const char *text, size_t size,
		  bool at_end, uint64_t *ret_row_bound)
{
	return f->ops->cut(f, text, size, at_end, ret_row_bound);
}

int format_refuse_long_row(const struct format *f, struct cvx_err *err)
{
	if (f->kind == FORMAT_JSON)
		return refuse(err, "JsonArrayTooLarge",
			      "a JSON array may have %zu MiB; write it as JSON "
			      "lines (.jsonl), which have no limit",
			      FORMAT_JSON_MAX >> 20);
	return refuse(err, "ValueTooLargeError",
		      "the %s has more than %zu MiB, and a document holds at "
		      "most 1 MiB%s",
		      f->ops->row_word, FORMAT_ROW_MAX >> 20,
		      f->kind == FORMAT_CSV ? " (is a quote never closed?)"
					    : "");
}

int format_worker_new(const struct format *f, struct format_worker **ret,
		      struct cvx_err *err)
{
	struct format_worker *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return cvx_fail_memory(err);
	w->format = f;
	r = f->ops->worker_init(w, err);
	if (r < 0) {
		free(w);
		return r;
	}
	*ret = w;
	return 0;
}

int json_worker_init(struct format_worker *w, struct cvx_err *err)
{
	int r = document_reader_new(w->format->encoding, &w->format->stamp,
				    &w->reader, err);

	if (r == 0)
		document_reader_set_check(w->reader, &w->format->check);
	return r;
}

void format_worker_free(struct format_worker *w)
{
	if (!w)
		return;
	document_reader_free(w->reader);
	csv_converter_free(w->converter);
	free(w);
}

int format_convert(struct format_worker *w, const char *text, size_t size,
		   uint64_t first_nth, struct rows *rows, struct cvx_err *err)
{
	rows_clear(rows);
	return w->format->ops->convert(w, text, size, first_nth, rows, err);
}

int format_convert_more(struct format_worker *w, struct rows *rows,
			struct cvx_err *err)
{
	assert(rows->continues && w->format->kind == FORMAT_JSON);
	rows_clear(rows);
	return json_array_convert_more(w, rows, err);
}

bool is_refusal(const struct cvx_err *err)
{
	return err->name != NULL;
}
