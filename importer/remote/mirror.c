#include "importer/remote/mirror.h"

#include <stdlib.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/deployment.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/held.h"
#include "importer/remote/fetch.h"
#include "importer/remote/remote_export.h"
#include "importer/restore.h"
#include "importer/source.h"

static int take_in(const struct mirror_settings *s, int *fd,
		   const struct remote_export_result *archive,
		   struct cvx_err *err)
{
	const struct restore_target target = {
		.component = "",
		.path = archive->file_name,
		.mode = IMPORT_REPLACE,
	};
	const struct import_source source = source_of_fd(fd);
	struct restore_result result;
	struct restore *r;
	int code = restore_new(s->copy, &target, &source, &r, err);

	if (code < 0)
		return code;
	restore_set_copy(r);
	code = restore_commit(r, archive->size, &result, err);
	restore_free(r);
	return code < 0 ? cvx_err_prefix(err, "the deployment's snapshot") : 0;
}

static int hold_all(struct deployment *d, const char *component,
		    struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct table_info *tables = NULL;
	char **list = NULL;
	size_t count = 0, i;
	int r = deployment_list_tables(d, component, &tables, &count, err);

	for (i = 0; r == 0 && i < count; i++) {
		const struct held held = {.revision = tables[i].revision,
					  .way = FETCH_NO_WAY,
					  .cursor = (char *)"",
					  .used_ns = embedded_now_ns()};

		r = held_put(d, component, tables[i].name, &held, err);
	}
	count = 0;
	if (r == 0)
		r = deployment_list_components(d, component, &list, &count,
					       err);
	for (i = 0; r == 0 && i < count; i++)
		r = hold_all(d, list[i], err);
	deployment_free_components(list);
	return r;
}

int mirror_fetch(const struct mirror_settings *settings, struct cvx_err *err)
{
	CVX_AUTO(cvx_closep) int fd = file_open_unnamed(settings->dir_fd);
	struct remote_export_result archive = {.file_name = NULL};
	const struct remote_export_settings how = {
		.poll_ms = settings->poll_ms,
		.busy_ms = settings->patience_ms,
		.stall_ms = settings->patience_ms,
		.halt = settings->halt,
	};
	int r;

	if (fd < 0)
		return cvx_fail(err, fd, "cannot make a file in the cache");
	r = remote_export(settings->http, &how, fd, &archive, err);
	if (r == 0)
		r = take_in(settings, &fd, &archive, err);
	if (r == 0)
		r = hold_all(settings->copy, "", err);
	free(archive.file_name);
	return r;
}
