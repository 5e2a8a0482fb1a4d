#include "importer/remote/replica_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/deployment.h"
#include "importer/origin.h"
#include "importer/remote/halt.h"
#include "importer/remote/holder.h"
#include "importer/remote/http.h"
#include "importer/remote/lister.h"
#include "importer/remote/provision.h"

/* The pauses of http.h double six times: together they take no longer than
 * the timeout. */
#define BACKOFF_MAX_MS 500
#define BACKOFF_PART 64

CVX_DEFINE_CLEANUP(struct replica, replica_close)

void replica_show(struct replica *r)
{
	lister_forget(r->lister);
	holder_forget(r->holder, NULL, NULL);
}

int replica_hold(struct replica *r, const char *component, const char *table,
		 const struct halt *halt, struct cvx_err *err)
{
	int result = lister_list(r->lister, component, ORIGIN_NOW, halt, err);

	if (result == 0)
		result = holder_hold_table(r->holder, component, table,
					   ORIGIN_NOW, 0, halt, err);
	return result == -ENOENT ? 0 : result;
}

static int open_http(struct replica *r, uint64_t backoff_ms, bool is_brief,
		     struct http **ret, struct cvx_err *err)
{
	const struct provision_settings how = {
		.idle_ms = r->settings.timeout_ms,
		.backoff_ms = backoff_ms,
		.is_brief = is_brief,
	};

	return remote_open(r->settings.access, &how, ret, err);
}

static int open_copy(struct replica *r, struct cvx_err *err)
{
	struct deployment_settings copy = {
		.dir = r->settings.dir,
		.origin_name = r->settings.access->name,
		.origin_url = r->settings.access->origin,
	};
	int result = deployment_open(&copy, &r->records, err);

	copy.read_only = true;
	if (result == 0)
		result = deployment_open(&copy, &r->copy, err);
	if (result < 0)
		return result;
	r->dir_fd = open(r->settings.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return r->dir_fd < 0 ? cvx_fail(err, -errno, "%s: %s", r->settings.dir,
					strerror(errno))
			     : 0;
}

static int make_parts(struct replica *r, struct cvx_err *err)
{
	const struct lister_settings lister = {
		.http = r->reader,
		.copy = r->records,
		.name = r->settings.access->name,
		.ttl_ms = r->settings.ttl_ms,
	};
	struct holder_settings holder = {
		.http = r->reader,
		.copy = r->records,
		.dir_fd = r->dir_fd,
		.timeout_ms = r->settings.timeout_ms,
		.ttl_ms = r->settings.ttl_ms,
		.size_max = r->settings.size_max,
	};
	int result = lister_new(&lister, &r->lister, err);

	holder.lister = r->lister;
	if (result == 0)
		result = holder_new(&holder, &r->holder, err);
	r->files.http = r->reader;
	r->files.lister = r->lister;
	r->files.copy = r->records;
	r->files.dir_fd = r->dir_fd;
	r->files.size_max = r->settings.size_max;
	return result;
}

/* A wrong address or key is told at once. */
static int ask_first(struct replica *r, struct cvx_err *err)
{
	int result = remote_check_key(r->reader, NULL, err);

	/* Away, with offline_reads, the copy is all there is. */
	return result == 0 || (result != -EACCES && r->settings.offline_reads)
		       ? origin_list(r->copy, "", ORIGIN_NOW, NULL, err)
		       : result;
}

int replica_open(const struct replica_settings *settings, struct replica **ret,
		 struct cvx_err *err)
{
	CVX_AUTO(replica_closep) struct replica *r = calloc(1, sizeof(*r));
	uint64_t backoff_ms;
	int result;

	if (!r)
		return cvx_fail_memory(err);
	r->settings = *settings;
	if (r->settings.timeout_ms == 0)
		r->settings.timeout_ms = HTTP_IDLE_MS;
	backoff_ms = r->settings.timeout_ms / BACKOFF_PART + 1;
	if (backoff_ms > BACKOFF_MAX_MS)
		backoff_ms = BACKOFF_MAX_MS;
	r->dir_fd = -1;
	(void)pthread_mutex_init(&r->lock, NULL);
	file_keeper_init(&r->files);
	loose_files_init(&r->loose);
	unknown_imports_init(&r->unknown);
	result = open_http(r, backoff_ms, false, &r->http, err);
	/* Where the copy may answer, there is no need to wait for long. */
	if (result == 0)
		result =
			open_http(r, r->settings.offline_reads ? 1 : backoff_ms,
				  true, &r->reader, err);
	if (result == 0)
		result = open_copy(r, err);
	if (result == 0)
		result = make_parts(r, err);
	if (result < 0)
		return result;
	origin_set(r->copy, &replica_origin_ops, r);
	result = ask_first(r, err);
	if (result < 0)
		return result;
	*ret = CVX_TAKE(r);
	return 0;
}

void replica_close(struct replica *r)
{
	if (!r)
		return;
	holder_free(r->holder);
	lister_free(r->lister);
	file_keeper_fini(&r->files);
	loose_files_fini(&r->loose);
	unknown_imports_fini(&r->unknown);
	deployment_close(r->copy);
	deployment_close(r->records);
	http_free(r->reader);
	http_free(r->http);
	cvx_closep(&r->dir_fd);
	(void)pthread_mutex_destroy(&r->lock);
	free(r);
}

struct deployment *replica_deployment(const struct replica *r)
{
	return r->copy;
}

struct changes replica_changes(struct replica *r)
{
	return (struct changes){&remote_change_ops, r};
}
