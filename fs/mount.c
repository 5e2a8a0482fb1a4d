#include "fs/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/base/log.h"
#include "cache/rejects.h"
#include "fs/cache_dir.h"
#include "fs/daemon.h"
#include "fs/mountpoint.h"
#include "fs/open_source.h"
#include "fs/option_print.h"
#include "fs/options.h"
#include "fs/paths.h"
#include "fs/session.h"
#include "fs/source.h"
#include "importer/changes.h"
#include "importer/deployment.h"
#include "importer/remote/replica.h"
#include "importer/server/server.h"

#define READY_TIMEOUT_MS 60000
/* The copy of a deployment is made before the mount answers. */
#define COPY_TIMEOUT_MS (24 * 3600 * 1000)

/* Everything of one mount. Paths are resolved: they hold in the background. */
struct mount {
	struct mount_options options;
	char *mountpoint;
	char *state_dir; /* of the embedded deployment, or of the copy */
	struct source source;
	char *log;	     /* a file; NULL: another place */
	char *serve_address; /* NULL: it is not served */
	uint16_t serve_port;
	struct daemon_link link;
	struct deployment *deployment;
	struct replica *replica; /* of a deployment elsewhere, or NULL */
	struct changes changes;
	struct rejects *rejects;
	int spool_dir_fd;
	int uploads_fd; /* of a deployment elsewhere; -1: none */
};

/* What the signal handler stops. */
static struct session *_Atomic running;

static void mount_fini(struct mount *m)
{
	mount_options_fini(&m->options);
	free(m->mountpoint);
	free(m->state_dir);
	free(m->log);
	free(m->serve_address);
	source_fini(&m->source);
}

static enum exit_status print_failure(enum exit_status status,
				      const struct cvx_err *err)
{
	fprintf(stderr, "convexfs: %s\n", err->msg);
	return status;
}

static bool is_remote(const struct mount *m)
{
	return m->source.access.origin != NULL;
}

/* --- before anything is opened ------------------------------------------- */

/* What lies in the mount point is hidden by the mount: a deployment there
 * would wait for itself. */
static int check_outside(const struct mount *m, const char *path,
			 const char *what, struct cvx_err *err)
{
	if (!path || !path_is_inside(path, m->mountpoint))
		return 0;
	return cvx_fail(err, -EINVAL,
			"%s %s lies in the mount point, which would hide it",
			what, path);
}

static int resolve_log(struct mount *m, struct cvx_err *err)
{
	if (!m->options.log || strcmp(m->options.log, "syslog") == 0)
		return 0;
	return path_resolve(m->options.log, &m->log, err);
}

static int resolve_cache_dir(struct mount *m, struct cvx_err *err)
{
	char *resolved = NULL;
	int r = cache_dir_resolve(m->options.cache_dir, &resolved, err);

	if (r < 0)
		return r;
	free(m->options.cache_dir);
	m->options.cache_dir = resolved;
	return 0;
}

/* The copy of a deployment elsewhere lies in cache_dir. */
static int find_state_dir(struct mount *m, struct cvx_err *err)
{
	if (!is_remote(m)) {
		m->state_dir = CVX_TAKE(m->source.dir);
		return 0;
	}
	if (asprintf(&m->state_dir, "%s/copy-%016" PRIx64, m->options.cache_dir,
		     cache_dir_hash(m->source.access.origin)) >= 0)
		return 0;
	m->state_dir = NULL;
	return cvx_fail_memory(err);
}

static int resolve_folders(struct mount *m, struct cvx_err *err)
{
	int r = resolve_cache_dir(m, err);

	if (r == 0)
		r = find_state_dir(m, err);
	if (r == 0)
		r = resolve_log(m, err);
	if (r == 0)
		r = check_outside(m, m->options.cache_dir, "cache_dir", err);
	if (r == 0)
		r = check_outside(m, m->state_dir, "the deployment", err);
	if (r == 0)
		r = check_outside(m, m->log, "log", err);
	return r;
}

static int resolve_listen(struct mount *m, struct cvx_err *err)
{
	int r = server_read_listen(m->options.serve, &m->serve_address,
				   &m->serve_port, err);

	return r < 0 ? r
		     : server_check_address(m->serve_address,
					    m->options.allow_remote, err);
}

static enum exit_status select_source(struct mount *m, struct cvx_err *err)
{
	const struct mount_options *o = &m->options;
	const struct source_flags flags = {
		.source = o->source,
		.env_file = o->env_file,
		.url = o->url,
		.prod = o->prod,
		.preview_name = o->preview_name,
		.deployment_name = o->deployment_name,
		.deployment = o->deployment,
	};
	int r = source_select(&flags, &m->source, err);

	return source_exit_status(r);
}

/* All that can be told to be wrong without changing anything. */
static enum exit_status prepare(struct mount *m, struct cvx_err *err)
{
	struct mount_options *o = &m->options;
	enum exit_status status = select_source(m, err);

	if (status == EXIT_STATUS_DONE)
		status = mountpoint_check(o->mountpoint, &m->mountpoint, err);
	if (status == EXIT_STATUS_DONE && o->allow_other)
		status = mountpoint_check_allow_other(err);
	if (status == EXIT_STATUS_DONE && o->serve && is_remote(m))
		return exit_status_of(
			cvx_fail(err, -EINVAL,
				 "-o serve: %s is elsewhere, and served there",
				 m->source.access.name));
	if (status == EXIT_STATUS_DONE && o->serve)
		status = exit_status_of(resolve_listen(m, err));
	if (status == EXIT_STATUS_DONE)
		status = exit_status_of(resolve_folders(m, err));
	return status;
}

/* --- opening ------------------------------------------------------------- */

static int open_log(const struct mount *m, struct cvx_err *err)
{
	if (m->options.debug)
		log_set_level(LOG_LEVEL_DEBUG);
	if (m->log)
		return log_to_file(m->log, err);
	if (m->options.log || !m->options.foreground)
		log_to_syslog("convexfs");
	return 0;
}

/* Each staged file may need a descriptor. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warning("limit of open files: %s", strerror(errno));
}

/* Rejects stand at paths of the mount, so each component that is mounted has
 * its own. */
static int name_rejects(const struct mount *m, const char *dir, char **ret)
{
	const char *component = m->options.component;

	if (!component || !component[0])
		return asprintf(ret, "%s/rejects", dir);
	return asprintf(ret, "%s/rejects-%016" PRIx64, dir,
			cache_dir_hash(component));
}

/* The folders of this deployment in cache_dir. */
static int open_cache(struct mount *m, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *dir = NULL, *spool = NULL, *rejects = NULL;
	CVX_AUTO(cvx_closep) int fd = -1;
	int r;

	r = cache_dir_path(m->options.cache_dir, m->state_dir, &dir, err);
	if (r < 0)
		return r;
	if (asprintf(&spool, "%s/spool", dir) < 0 ||
	    name_rejects(m, dir, &rejects) < 0)
		return cvx_fail_memory(err);
	r = cache_dir_open(dir, &fd, err);
	if (r == 0)
		r = cache_dir_open(spool, &m->spool_dir_fd, err);
	if (r < 0)
		return r;
	return rejects_open(rejects, m->options.reject_limit, &m->rejects, err);
}

/* Others who use this machine have no business in the copy. */
static int make_copy_private(const struct mount *m, struct cvx_err *err)
{
	CVX_AUTO(cvx_closep) int fd = -1;

	return cache_dir_open(m->state_dir, &fd, err);
}

static enum exit_status open_replica(struct mount *m, struct cvx_err *err)
{
	struct replica_settings settings = {
		.access = &m->source.access,
		.dir = m->state_dir,
		.timeout_ms = m->options.timeout_s * 1000,
		.ttl_ms = m->options.cache_ttl_s * 1000,
		.size_max = m->options.cache_size,
		.offline_reads = m->options.offline_reads,
		.keeps_uploads = true,
	};
	int r = make_copy_private(m, err);

	if (r == 0)
		r = cache_dir_open_uploads(m->options.cache_dir,
					   m->source.access.origin,
					   &m->uploads_fd, err);
	settings.uploads_fd = m->uploads_fd;
	if (r < 0)
		return EXIT_STATUS_LOCAL_TROUBLE;
	r = replica_open(&settings, &m->replica, err);
	if (r < 0)
		return source_exit_status(r);
	m->deployment = replica_deployment(m->replica);
	m->changes = replica_changes(m->replica);
	return EXIT_STATUS_DONE;
}

static enum exit_status open_embedded(struct mount *m, struct cvx_err *err)
{
	const struct deployment_settings settings = {
		.dir = m->state_dir,
		.read_only = m->options.read_only,
	};
	int r = deployment_open(&settings, &m->deployment, err);

	if (r == -EACCES || r == -EROFS)
		(void)cvx_err_prefix(err, m->options.read_only
						  ? "cannot read"
						  : "cannot write; to read "
						    "only: -o ro");
	if (r < 0)
		return EXIT_STATUS_LOCAL_TROUBLE;
	m->changes = deployment_changes(m->deployment);
	return EXIT_STATUS_DONE;
}

static enum exit_status open_deployment(struct mount *m, struct cvx_err *err)
{
	enum exit_status status =
		is_remote(m) ? open_replica(m, err) : open_embedded(m, err);
	int r;

	if (status != EXIT_STATUS_DONE)
		return status;
	if (!m->options.component || !m->options.component[0])
		return EXIT_STATUS_DONE;
	r = deployment_find_component(m->deployment, m->options.component, err);
	return r < 0 ? EXIT_STATUS_WRONG_CALL : EXIT_STATUS_DONE;
}

static int open_session(struct mount *m, const struct option_texts *texts,
			struct session **ret, struct cvx_err *err)
{
	const struct mount_options *o = &m->options;
	const struct session_settings settings = {
		.mountpoint = m->mountpoint,
		.deployment = m->deployment,
		.changes = &m->changes,
		.component = o->component ? o->component : "",
		.rejects = m->rejects,
		.spool_dir_fd = m->spool_dir_fd,
		.mode = o->mode,
		.read_only = o->read_only,
		.allow_delete = o->allow_delete,
		.allow_other = o->allow_other,
		.uid = o->uid,
		.gid = o->gid,
		.umask = o->umask,
		.debug = o->debug,
		.source = is_remote(m) ? m->source.access.origin
			  : o->source  ? o->source
				       : "local",
		.options = texts->texts,
		.option_count = texts->pair_count,
	};

	return session_new(&settings, ret, err);
}

/* --- running ------------------------------------------------------------- */

static void on_stop_signal(int sig __attribute__((unused)))
{
	struct session *s = running;

	if (s)
		session_stop(s);
}

static void block_stop_signals(sigset_t *old)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, &set, old);
}

static void handle_signals(void)
{
	const struct sigaction stop = {.sa_handler = on_stop_signal};
	const struct sigaction ignore = {.sa_handler = SIG_IGN};

	(void)sigaction(SIGINT, &stop, NULL);
	(void)sigaction(SIGTERM, &stop, NULL);
	(void)sigaction(SIGHUP, &stop, NULL);
	(void)sigaction(SIGPIPE, &ignore, NULL);
}

/* Asks the mount as anybody would. The answer comes from session_run; without
 * one the end of the mount ends the question. */
static void *announce(void *arg)
{
	struct mount *m = arg;
	struct stat st;

	if (stat(m->mountpoint, &st) < 0)
		return NULL;
	daemon_ready(&m->link);
	return NULL;
}

/* -o serve. *ret is NULL if it is not asked for. */
static int start_server(struct mount *m, struct server **ret,
			struct cvx_err *err)
{
	const struct server_settings settings = {
		.address = m->serve_address,
		.port = m->serve_port,
		.allow_remote = m->options.allow_remote,
	};
	int r;

	*ret = NULL;
	if (!m->serve_address)
		return 0;
	r = server_start(m->deployment, &settings, ret, err);
	if (r == 0)
		log_info("%s: served at %s", m->mountpoint, server_url(*ret));
	return r;
}

static int run_session(struct mount *m, struct session *s, struct cvx_err *err)
{
	struct server *server;
	pthread_t announcer;
	sigset_t old;
	int r;

	block_stop_signals(&old); /* threads inherit this */
	r = start_server(m, &server, err);
	if (r < 0) {
		session_free(s);
		return r;
	}
	r = pthread_create(&announcer, NULL, announce, m);
	if (r != 0) {
		server_stop(server);
		session_free(s);
		return cvx_fail(err, -r, "cannot start a thread: %s",
				strerror(r));
	}
	running = s;
	handle_signals();
	(void)sigdelset(&old, SIGINT);
	(void)sigdelset(&old, SIGTERM);
	(void)sigdelset(&old, SIGHUP);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	r = session_run(s, err);
	block_stop_signals(&old);
	running = NULL;
	server_stop(server);
	session_free(s);
	(void)pthread_join(announcer, NULL);
	return r;
}

/* From opening to the end of the mount. */
static enum exit_status serve(struct mount *m, struct cvx_err *err)
{
	struct option_texts texts = {NULL, 0, NULL};
	struct session *session = NULL;
	enum exit_status status = EXIT_STATUS_DONE;
	int r;

	(void)umask(077);
	raise_descriptor_limit();
	r = open_log(m, err);
	if (r == 0)
		r = open_cache(m, err);
	if (r == 0)
		status = open_deployment(m, err);
	if (r == 0 && status == EXIT_STATUS_DONE)
		r = mount_options_describe(&m->options, is_remote(m), &texts,
					   err);
	if (r == 0 && status == EXIT_STATUS_DONE)
		r = open_session(m, &texts, &session, err);
	if (r == 0 && status == EXIT_STATUS_DONE)
		r = run_session(m, session, err);
	option_texts_fini(&texts);
	if (m->replica)
		replica_close(m->replica);
	else
		deployment_close(m->deployment);
	rejects_close(m->rejects);
	if (m->spool_dir_fd >= 0)
		(void)close(m->spool_dir_fd);
	cvx_closep(&m->uploads_fd);
	return r < 0 ? EXIT_STATUS_LOCAL_TROUBLE : status;
}

/* The child of daemon_fork. Its parent prints what happens before the mount
 * answers; later trouble is for the log. */
static enum exit_status serve_in_background(struct mount *m,
					    struct cvx_err *err)
{
	enum exit_status status;

	/* Keep no folder busy; the paths are absolute. */
	if (chdir("/") < 0)
		log_warning("cannot change to /: %s", strerror(errno));
	status = serve(m, err);
	if (status == EXIT_STATUS_DONE && m->link.fd >= 0) {
		(void)cvx_fail(err, -EIO, "unmounted before it answered");
		status = EXIT_STATUS_LOCAL_TROUBLE;
	}
	if (status == EXIT_STATUS_DONE)
		return status;
	if (m->link.fd < 0)
		log_error("mount on %s: %s", m->mountpoint, err->msg);
	else
		daemon_failed(&m->link, status, err);
	return status;
}

static enum exit_status mount_prepared(struct mount *m)
{
	struct cvx_err err = CVX_ERR_INIT;
	enum exit_status status;
	sigset_t old;

	block_stop_signals(&old);
	if (m->options.foreground) {
		status = serve(m, &err);
	} else if (daemon_fork(&m->link, &err) < 0) {
		status = EXIT_STATUS_LOCAL_TROUBLE;
	} else if (m->link.child == 0) {
		return serve_in_background(m, &err);
	} else {
		status = daemon_await(&m->link,
				      is_remote(m) ? COPY_TIMEOUT_MS
						   : READY_TIMEOUT_MS,
				      &err);
	}
	return status == EXIT_STATUS_DONE ? status
					  : print_failure(status, &err);
}

static enum exit_status mount_with(int argc, char *const argv[],
				   int (*read_options)(struct mount_options *,
						       int, char *const[],
						       struct cvx_err *))
{
	struct mount m = {
		.link = {0, -1}, .spool_dir_fd = -1, .uploads_fd = -1};
	struct cvx_err err = CVX_ERR_INIT;
	enum exit_status status;

	mount_options_init(&m.options);
	status = exit_status_of(read_options(&m.options, argc, argv, &err));
	if (status == EXIT_STATUS_DONE && m.options.help) {
		options_print_help(&mount_command_options, stdout);
	} else {
		if (status == EXIT_STATUS_DONE)
			status = prepare(&m, &err);
		if (status != EXIT_STATUS_DONE)
			(void)print_failure(status, &err);
		else if (!m.options.dry_run)
			status = mount_prepared(&m);
	}
	mount_fini(&m);
	return status;
}

enum exit_status mount_command(int argc, char *const argv[])
{
	return mount_with(argc, argv, mount_options_read);
}

enum exit_status mount_helper(int argc, char *const argv[])
{
	return mount_with(argc, argv, mount_options_read_helper);
}
