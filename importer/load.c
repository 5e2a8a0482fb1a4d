#include "importer/load.h"

#include <string.h>

#include "cache/base/err.h"
#include "cache/segment.h"
#include "importer/embedded/commit.h"
#include "importer/embedded/duplicates.h"
#include "importer/pipeline.h"
#include "importer/value/refusal.h"

int load_refuse_duplicates(const struct duplicates *found,
			   uint32_t table_number, const char *table,
			   struct places *places, struct cvx_err *err)
{
	struct cvx_err cause = CVX_ERR_INIT;
	char id[ID_TEXT_MAX + 1], other[PLACES_ROW_SIZE];
	unsigned i;

	for (i = 0; i < found->count; i++) {
		id[id_encode(table_number, &found->list[i].id, id)] = '\0';
		if (found->list[i].other_row > 0) {
			places_name_row(places, found->list[i].other_row,
					other);
			(void)refuse(&cause, "DuplicateId",
				     "%s has the same _id %s", other, id);
		} else {
			(void)refuse(&cause, "DocumentExists",
				     "table %s has a document with the _id %s "
				     "already; append only adds documents",
				     table, id);
		}
		places_add(places, found->list[i].row, &cause);
	}
	places->total += found->total - found->count;
	return places_fail(places, err);
}

/* Sorts the ids and looks for equal ones. */
static int sort_keys(const struct pipeline_output *out, uint32_t table_number,
		     const char *table, struct places *places,
		     struct commit_rows *rows, struct cvx_err *err)
{
	struct lines_place lines = {.text = out->text, .size = out->size};
	size_t count = (size_t)out->document_count;
	struct duplicates found;
	int r;

	if (out->stage)
		lines.fd = segment_stage_fd(out->stage);
	segment_sort_keys(out->keys, count);
	memcpy(rows->first.bytes, out->keys[0].bytes, ID_SIZE);
	memcpy(rows->last.bytes, out->keys[count - 1].bytes, ID_SIZE);
	r = duplicates_find_within(out->keys, count, &lines, &found, err);
	if (r == 0 && found.count > 0)
		r = load_refuse_duplicates(&found, table_number, table, places,
					   err);
	return r;
}

int load_finish(struct deployment *d, struct pipeline *p, uint64_t size,
		const struct plan *plan, const char *table,
		struct places *places, struct commit_rows *rows,
		struct cvx_err *err)
{
	struct pipeline_output out;
	int r = pipeline_finish(p, size, err);

	if (r == 0)
		r = pipeline_peek(p, err);
	if (r == 0)
		r = pipeline_output(p, &out, err);
	if (r < 0)
		return r;
	*rows = (struct commit_rows){
		.stage = out.stage,
		.text = out.text,
		.size = out.size,
		.document_count = out.document_count,
		.stamp_count = out.stamp_count,
		.first = out.first,
		.last = out.last,
		.ascending = out.ascending,
		.beyond_plain = out.beyond_plain,
		.keys = out.keys,
	};
	if (out.keys) {
		r = sort_keys(&out, plan->stamp.table_number, table, places,
			      rows, err);
		if (r < 0)
			return r;
	}
	return commit_prepare(d, rows, &plan->rules, err);
}
