#include "importer/remote/mirror.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/base/log.h"
#include "importer/deployment.h"
#include "importer/deployment_schema.h"
#include "importer/remote/halt.h"
#include "importer/remote/http.h"
#include "importer/remote/listing.h"
#include "importer/remote/provision.h"
#include "importer/remote/remote_export.h"
#include "importer/restore.h"
#include "importer/source.h"

/* One refresh under way. */
struct refresh {
	const struct mirror_settings *settings;
	struct http *http;
	struct deployment *d;
	int fd; /* the archive */
	struct remote_export_result archive;
	struct cvx_err *err;
};

static int open_http(struct refresh *f)
{
	const struct provision_settings how = {
		.idle_ms = f->settings->idle_ms,
		.backoff_ms = f->settings->backoff_ms,
	};

	return remote_open(f->settings->access, &how, &f->http, f->err);
}

static int open_copy(struct refresh *f)
{
	const struct deployment_settings settings = {.dir = f->settings->dir};
	CVX_AUTO(cvx_closep) int dir_fd = -1;
	int r = deployment_open(&settings, &f->d, f->err);

	if (r < 0)
		return r;
	dir_fd = open(f->settings->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->fd = dir_fd < 0 ? -errno : file_open_unnamed(dir_fd);
	return f->fd < 0 ? cvx_fail(f->err, f->fd, "%s: %s", f->settings->dir,
				    strerror(-f->fd))
			 : 0;
}

static int download(struct refresh *f)
{
	const struct remote_export_settings settings = {
		.include_storage = true,
		.poll_ms = f->settings->poll_ms,
		.halt = f->settings->halt,
	};
	int r = remote_export(f->http, &settings, f->fd, &f->archive, f->err);

	if (r == -EBUSY)
		return cvx_fail(f->err, r,
				"the deployment makes another snapshot just "
				"now; try again when that is done");
	return r;
}

static int read_archive(void *ctx, uint64_t off, void *buf, size_t size,
			size_t *ret_n, struct cvx_err *err)
{
	const struct refresh *f = ctx;
	int r = file_pread(f->fd, buf, size, off, ret_n);

	return r < 0 ? cvx_fail(err, r, "cannot read the snapshot: %s",
				strerror(-r))
		     : 0;
}

static int restore(struct refresh *f)
{
	const struct restore_target target = {
		.component = "",
		.path = f->archive.file_name,
		.mode = IMPORT_REPLACE_ALL,
	};
	const struct import_source source = {f, read_archive};
	struct restore_result result;
	struct restore *r;
	int code = restore_new(f->d, &target, &source, &r, f->err);

	if (code < 0)
		return code;
	restore_set_copy(r);
	code = restore_commit(r, f->archive.size, &result, f->err);
	restore_free(r);
	return code < 0 ? cvx_err_prefix(f->err, "the snapshot of %s",
					 f->settings->access->origin)
			: 0;
}

/* The schema is not part of a snapshot. id: NULL for the root. */
static int copy_schema(struct refresh *f, const char *component, const char *id)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf text = CVX_BUF_INIT(DEPLOYMENT_SCHEMA_MAX);
	struct cvx_err err = CVX_ERR_INIT;
	int r = remote_print_schema(f->http, id, f->settings->halt, &text,
				    &err);

	if (r == 0)
		r = deployment_set_schema(f->d, component, text.data, text.size,
					  &err);
	if (r == -ECANCELED) {
		*f->err = err;
		return r;
	}
	if (r < 0)
		log_warning("schema of %s%s%s is left out: %s",
			    f->settings->access->name,
			    component[0] ? ", component " : "", component,
			    err.msg);
	return 0;
}

static int copy_schemas(struct refresh *f)
{
	struct remote_component *list = NULL;
	struct cvx_err err = CVX_ERR_INIT;
	size_t i, count = 0;
	int r = copy_schema(f, "", NULL);

	if (r < 0)
		return r;
	r = remote_list_components(f->http, f->settings->halt, &list, &count,
				   &err);
	if (r < 0)
		log_warning("schemas of components are left out: %s", err.msg);
	for (i = 0, r = 0; r == 0 && i < count; i++)
		if (deployment_find_component(f->d, list[i].path, NULL) == 0)
			r = copy_schema(f, list[i].path, list[i].id);
	remote_components_free(list, count);
	return r;
}

/* What held for the earlier copy must not refuse the next one. */
static int drop_schemas(struct refresh *f, const char *component)
{
	char **list = NULL;
	size_t i, count = 0;
	int r = deployment_set_schema(f->d, component, "", 0, f->err);

	if (r == 0)
		r = deployment_list_components(f->d, component, &list, &count,
					       f->err);
	for (i = 0; r == 0 && i < count; i++)
		r = drop_schemas(f, list[i]);
	deployment_free_components(list);
	return r;
}

int mirror_refresh(const struct mirror_settings *settings,
		   int64_t *ret_snapshot_ns, struct cvx_err *err)
{
	struct cvx_err own = CVX_ERR_INIT;
	struct refresh f = {.settings = settings, .fd = -1, .err = &own};
	int r;

	r = open_http(&f);
	if (r == 0)
		r = remote_check_key(f.http, settings->halt, &own);
	if (r == 0)
		r = open_copy(&f);
	if (r == 0)
		r = download(&f);
	if (r == 0)
		r = drop_schemas(&f, "");
	if (r == 0)
		r = restore(&f);
	if (r == 0)
		r = copy_schemas(&f);
	if (r == 0)
		*ret_snapshot_ns = f.archive.start_ts;
	else if (err)
		*err = own;
	deployment_close(f.d);
	http_free(f.http);
	cvx_closep(&f.fd);
	free(f.archive.file_name);
	return r;
}
