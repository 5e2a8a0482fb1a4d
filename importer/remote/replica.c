#include "importer/remote/replica_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "importer/changes.h"
#include "importer/deployment.h"
#include "importer/remote/halt.h"
#include "importer/remote/http.h"
#include "importer/remote/mirror.h"
#include "importer/remote/provision.h"

/* The pauses of http.h double six times: together they take no longer than
 * the timeout. */
#define BACKOFF_MAX_MS 500
#define BACKOFF_PART 64

/* Between two looks whether somebody else's snapshot is done. */
#define BUSY_MS 50

CVX_DEFINE_CLEANUP(struct replica, replica_close)

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int refresh(struct replica *r, const struct halt *halt,
		   struct cvx_err *err)
{
	const struct mirror_settings settings = {
		.access = r->settings.access,
		.dir = r->settings.dir,
		.idle_ms = r->settings.timeout_ms,
		.backoff_ms = r->backoff_ms,
		.halt = halt,
	};
	uint64_t begun_ms = now_ms();
	int64_t snapshot_ns;
	int result;

	/* A deployment takes one snapshot at a time. */
	for (;;) {
		result = mirror_refresh(&settings, &snapshot_ns, err);
		if (result != -EBUSY ||
		    now_ms() - begun_ms > r->settings.timeout_ms ||
		    !halt_sleep(halt, BUSY_MS))
			return result;
	}
}

int replica_refresh(struct replica *r, const struct halt *halt,
		    struct cvx_err *err)
{
	int result;

	(void)pthread_mutex_lock(&r->lock);
	result = refresh(r, halt, err);
	(void)pthread_mutex_unlock(&r->lock);
	return result;
}

void replica_show(struct replica *r, const struct halt *halt)
{
	struct cvx_err err = CVX_ERR_INIT;

	if (halt_is_requested(halt))
		halt = NULL;
	if (replica_refresh(r, halt, &err) < 0)
		log_warning("%s: the copy does not show yet what was written: "
			    "%s",
			    r->settings.access->name, err.msg);
}

static int open_http(struct replica *r, struct cvx_err *err)
{
	const struct provision_settings how = {
		.idle_ms = r->settings.timeout_ms,
		.backoff_ms = r->backoff_ms,
	};

	return remote_open(r->settings.access, &how, &r->http, err);
}

static int open_copy(struct replica *r, struct cvx_err *err)
{
	const struct deployment_settings records = {.dir = r->settings.dir};
	const struct deployment_settings copy = {
		.dir = r->settings.dir,
		.read_only = true,
		.origin_name = r->settings.access->name,
		.origin_url = r->settings.access->origin,
	};
	int result = deployment_open(&records, &r->records, err);

	if (result == 0)
		result = deployment_open(&copy, &r->copy, err);
	if (result < 0)
		return result;
	r->dir_fd = open(r->settings.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return r->dir_fd < 0 ? cvx_fail(err, -errno, "%s: %s", r->settings.dir,
					strerror(errno))
			     : 0;
}

/* A deployment that is away is told once. */
static void *follow(void *arg)
{
	struct replica *r = arg;
	struct cvx_err err = CVX_ERR_INIT;
	bool is_away = false;
	int result;

	while (halt_sleep(r->stop, r->settings.follow_ms)) {
		result = replica_refresh(r, r->stop, &err);
		if (result < 0 && result != -ECANCELED && !is_away)
			log_warning("%s: the copy is not brought up to date: "
				    "%s",
				    r->settings.access->name, err.msg);
		else if (result == 0 && is_away)
			log_info("%s: the copy is up to date again",
				 r->settings.access->name);
		is_away = result < 0;
	}
	return NULL;
}

static int start_following(struct replica *r, struct cvx_err *err)
{
	int result;

	if (r->settings.follow_ms == 0)
		return 0;
	result = halt_new(&r->stop, err);
	if (result < 0)
		return result;
	result = pthread_create(&r->follower, NULL, follow, r);
	if (result == 0)
		return 0;
	halt_free(CVX_TAKE(r->stop));
	return cvx_fail(err, -result, "cannot start a thread: %s",
			strerror(result));
}

static void stop_following(struct replica *r)
{
	if (!r->stop)
		return;
	halt_request(r->stop);
	(void)pthread_join(r->follower, NULL);
	halt_free(r->stop);
}

int replica_open(const struct replica_settings *settings, struct replica **ret,
		 struct cvx_err *err)
{
	CVX_AUTO(replica_closep) struct replica *r = calloc(1, sizeof(*r));
	int result;

	if (!r)
		return cvx_fail_memory(err);
	r->settings = *settings;
	if (r->settings.timeout_ms == 0)
		r->settings.timeout_ms = HTTP_IDLE_MS;
	r->backoff_ms = r->settings.timeout_ms / BACKOFF_PART + 1;
	if (r->backoff_ms > BACKOFF_MAX_MS)
		r->backoff_ms = BACKOFF_MAX_MS;
	r->dir_fd = -1;
	(void)pthread_mutex_init(&r->lock, NULL);
	result = replica_refresh(r, NULL, err);
	if (result == 0)
		result = open_http(r, err);
	if (result == 0)
		result = open_copy(r, err);
	if (result == 0)
		result = start_following(r, err);
	if (result < 0)
		return result;
	*ret = CVX_TAKE(r);
	return 0;
}

void replica_close(struct replica *r)
{
	if (!r)
		return;
	stop_following(r);
	deployment_close(r->copy);
	deployment_close(r->records);
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
