#include "importer/remote/archive_import.h"

#include "importer/remote/remote_import.h"

int archive_import_run(const struct archive_import *how, int fd, uint64_t size,
		       struct cvx_err *err)
{
	const struct remote_import_target target = {
		.component = how->component,
		.format = REMOTE_ZIP,
		.mode = how->mode,
	};
	const struct remote_import_settings settings = {.may_join = NULL};
	const struct import_source source = source_of_fd(&fd);
	struct remote_import *imp;
	struct remote_plan plan;
	uint64_t count;
	int r = remote_import_new(how->http, &target, &source, &settings, &imp,
				  err);

	if (r < 0)
		return r;
	r = remote_import_prepare(imp, size, &plan, err);
	if (r == 0 && how->confirm)
		r = how->confirm(how->ctx, err);
	if (r == 0)
		r = remote_import_perform(imp, &count, err);
	remote_import_free(imp);
	return r;
}
