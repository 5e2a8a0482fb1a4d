#include "fs/staged.h"

#include <errno.h>
#include <stdlib.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "fs/json_out.h"
#include "fs/names.h"
#include "fs/stage.h"
#include "fs/tree.h"

static const char *state_of(const struct stage_facts *f,
			    const struct tree_place *place)
{
	if (f->is_committing)
		return "committing";
	if (!tree_is_target(place->kind))
		return "scratch";
	return f->open_count > 0 ? "writing" : "closed";
}

static int print_stage(struct stage *s, const struct stage_facts *f,
		       struct cvx_buf *out)
{
	char path[TREE_PATH_MAX + 1];
	struct tree_place place = stage_place(s, path);
	struct json_out j;
	int r;

	json_out_init(&j);
	json_out_open(&j, "", "{");
	json_out_text(&j, "path", path);
	json_out_number(&j, "bytes", f->size);
	json_out_number(&j, "open", f->open_count);
	json_out_text(&j, "state", state_of(f, &place));
	json_out_close(&j, "}");
	r = j.failure;
	if (r == 0)
		r = cvx_buf_append(out, j.text.data, j.text.size);
	if (r == 0)
		r = cvx_buf_puts(out, "\n");
	json_out_fini(&j);
	return r;
}

int staged_print(struct names *names, struct cvx_buf *out, struct cvx_err *err)
{
	struct stage **stages = NULL;
	size_t count = 0, i;
	int r = names_stages(names, &stages, &count);

	for (i = 0; i < count; i++) {
		const struct stage_facts f = stage_facts(stages[i]);

		if (r == 0 && !f.is_discarded)
			r = print_stage(stages[i], &f, out);
		stage_unref(stages[i]);
	}
	free(stages);
	if (r == -EFBIG)
		return cvx_fail(err, r, "too many files are staged");
	return r < 0 ? cvx_fail_memory(err) : 0;
}
