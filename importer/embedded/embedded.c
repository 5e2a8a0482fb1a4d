#include "importer/embedded/embedded.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "cache/base/cancel.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/base/log.h"
#include "cache/catalog.h"
#include "importer/deployment.h"
#include "importer/embedded/recovery.h"
#include "importer/embedded/schemas.h"
#include "importer/embedded/sql.h"

#define SECRET_SIZE 32
#define DEPLOYMENT_NAME_MAX 64

CVX_DEFINE_CLEANUP(struct deployment, deployment_close)

struct catalog *embedded_lock_reads(struct deployment *d)
{
	(void)pthread_mutex_lock(&d->read_lock);
	return d->reads;
}

void embedded_unlock_reads(struct deployment *d)
{
	(void)pthread_mutex_unlock(&d->read_lock);
}

/* How often one who waits for another thread looks whether his work was
 * canceled, and how often he looks at least: see catalog_begin(). */
#define LOOK_EVERY_NS 50000000
#define LOOKS_MIN 5

static int lock_writes(struct deployment *d, struct cvx_err *err)
{
	struct timespec next;
	int looks;

	if (!cancel_is_watched()) {
		(void)pthread_mutex_lock(&d->write_lock);
		return 0;
	}
	for (looks = 0; pthread_mutex_trylock(&d->write_lock) != 0; looks++) {
		if (cancel_is_asked() && looks >= LOOKS_MIN)
			return cvx_fail(err, -ECANCELED,
					"canceled while another change was "
					"being committed");
		(void)clock_gettime(CLOCK_REALTIME, &next);
		next.tv_nsec += LOOK_EVERY_NS;
		next.tv_sec += next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		if (pthread_mutex_timedlock(&d->write_lock, &next) == 0)
			break;
	}
	return 0;
}

int embedded_fail_read_only(const struct deployment *d, struct cvx_err *err)
{
	if (d->origin_url)
		return cvx_fail(err, -EROFS,
				"the deployment %s is elsewhere: a mount of it "
				"takes files with rows, archives and new "
				"tables, but no other changes",
				d->origin_name);
	return cvx_fail(err, -EROFS, "the deployment %s is read-only", d->name);
}

int embedded_begin(struct deployment *d, struct cvx_err *err)
{
	int r;

	if (d->read_only)
		return embedded_fail_read_only(d, err);
	r = lock_writes(d, err);
	if (r < 0)
		return r;
	if (d->in_doubt)
		r = catalog_settle(d->writes, err);
	if (r == 0) {
		d->in_doubt = false;
		r = catalog_begin(d->writes, err);
	}
	if (r < 0)
		(void)pthread_mutex_unlock(&d->write_lock);
	return r;
}

int embedded_commit(struct deployment *d, bool *ret_in_doubt,
		    struct cvx_err *err)
{
	int r = catalog_commit(d->writes, err);

	if (r < 0)
		d->in_doubt = catalog_settle(d->writes, NULL) < 0;
	*ret_in_doubt = d->in_doubt;
	(void)pthread_mutex_unlock(&d->write_lock);
	return r;
}

void embedded_rollback(struct deployment *d)
{
	catalog_rollback(d->writes);
	(void)pthread_mutex_unlock(&d->write_lock);
}

void segment_rows_name(uint64_t id, char name[SEGMENT_NAME_SIZE])
{
	(void)snprintf(name, SEGMENT_NAME_SIZE, "%" PRIu64 ".rows", id);
}

void segment_keys_name(uint64_t id, char name[SEGMENT_NAME_SIZE])
{
	(void)snprintf(name, SEGMENT_NAME_SIZE, "%" PRIu64 ".keys", id);
}

void stored_file_name(uint64_t id, char name[STORED_FILE_NAME_SIZE])
{
	(void)snprintf(name, STORED_FILE_NAME_SIZE, "%" PRIu64, id);
}

int64_t embedded_now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int segment_file_ref(struct deployment *d, uint64_t id,
		     struct segment_file **ret, struct cvx_err *err)
{
	struct segment_file **bucket = &d->files[id % SEGMENT_FILE_BUCKETS], *f;
	char name[SEGMENT_NAME_SIZE];
	int r = 0;

	(void)pthread_mutex_lock(&d->files_lock);
	for (f = *bucket; f && f->id != id; f = f->next)
		;
	if (!f) {
		f = calloc(1, sizeof(*f));
		if (!f) {
			r = cvx_fail_memory(err);
			goto out;
		}
		segment_rows_name(id, name);
		f->fd = openat(d->segments_fd, name, O_RDONLY | O_CLOEXEC);
		if (f->fd < 0) {
			r = cvx_fail(err, -errno,
				     "cannot open %s/segments/%s: %s", d->dir,
				     name, strerror(errno));
			free(f);
			goto out;
		}
		f->id = id;
		f->next = *bucket;
		*bucket = f;
	}
	f->ref_count++;
	*ret = f;
out:
	(void)pthread_mutex_unlock(&d->files_lock);
	return r;
}

void segment_file_unref(struct deployment *d, struct segment_file *f)
{
	struct segment_file **link;

	(void)pthread_mutex_lock(&d->files_lock);
	assert(f->ref_count > 0);
	if (--f->ref_count == 0) {
		link = &d->files[f->id % SEGMENT_FILE_BUCKETS];
		while (*link != f)
			link = &(*link)->next;
		*link = f->next;
		(void)close(f->fd);
		free(f);
	}
	(void)pthread_mutex_unlock(&d->files_lock);
}

/* Opens the folder of the deployment's folder, made if it is not there. */
static int open_subfolder(struct deployment *d, const char *name, int *ret_fd,
			  struct cvx_err *err)
{
	if (!d->read_only && mkdirat(d->dir_fd, name, 0700) < 0 &&
	    errno != EEXIST)
		return cvx_fail(err, -errno, "cannot make %s/%s: %s", d->dir,
				name, strerror(errno));
	*ret_fd = openat(d->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd < 0)
		return cvx_fail(err, -errno, "cannot open %s/%s: %s", d->dir,
				name, strerror(errno));
	return 0;
}

static int open_folder(struct deployment *d, const char *dir,
		       struct cvx_err *err)
{
	char path[PATH_MAX];
	int r = 0;

	if (!d->read_only)
		r = file_make_dirs(dir, 0700);
	if (r == -ENOTDIR || r == -EEXIST)
		return cvx_fail(err, -ENOTDIR, "%s is not a folder", dir);
	if (r == -EROFS)
		return cvx_fail(err, r,
				"%s cannot be made on a read-only file system",
				dir);
	if (r < 0)
		return cvx_fail(err, r, "cannot make the folder %s: %s", dir,
				strerror(-r));
	d->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->dir_fd < 0 && errno == ENOTDIR)
		return cvx_fail(err, -errno, "%s is not a folder", dir);
	if (d->dir_fd < 0 && errno == ENOENT)
		return cvx_fail(err, -errno, "there is no deployment in %s",
				dir);
	if (d->dir_fd < 0 || !realpath(dir, path))
		return cvx_fail(err, -errno, "cannot open the folder %s: %s",
				dir, strerror(errno));
	d->dir = strdup(path);
	if (!d->dir)
		return cvx_fail_memory(err);
	if (!d->read_only && faccessat(d->dir_fd, ".", W_OK, 0) < 0)
		return cvx_fail(err, -errno,
				"the folder %s cannot be written to (%s); "
				"mount it with -o ro to read it",
				d->dir, strerror(errno));
	return 0;
}

static int open_catalogs(struct deployment *d, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *path = NULL;
	struct catalog_settings settings = {
		.read_only = d->read_only,
		.application_id = SQL_APPLICATION_ID,
		.migrations = sql_migrations,
		.migration_count = SQL_VERSION,
		.statements = sql_statements,
		.statement_count = SQL_COUNT,
	};
	struct statvfs fs;
	int r = 0;

	if (asprintf(&path, "%s/catalog.sqlite3", d->dir) < 0) {
		path = NULL;
		return cvx_fail_memory(err);
	}
	if (d->read_only &&
	    faccessat(d->dir_fd, "catalog.sqlite3", F_OK, 0) < 0)
		return cvx_fail(err, -errno, "there is no deployment in %s",
				d->dir);
	/* SQLite would make it as the umask says; and nobody but SQLite may
	 * open it, so it is made without opening. */
	if (!d->read_only &&
	    mknodat(d->dir_fd, "catalog.sqlite3", S_IFREG | 0600, 0) < 0 &&
	    errno != EEXIST)
		return cvx_fail(err, -errno, "cannot make the catalog %s: %s",
				path, strerror(errno));
	settings.path = path;
	settings.immutable =
		d->read_only && fstatvfs(d->dir_fd, &fs) == 0 &&
		(fs.f_flag & ST_RDONLY) != 0 &&
		faccessat(d->dir_fd, "catalog.sqlite3-wal", F_OK, 0) < 0;
	if (!d->read_only)
		r = catalog_open(&settings, &d->writes, err);
	settings.read_only = true;
	if (r == 0)
		r = catalog_open(&settings, &d->reads, err);
	return r;
}

/* The name is the folder's, in the letters of deployment names. */
static void make_name(const char *dir, char name[DEPLOYMENT_NAME_MAX])
{
	const char *base = strrchr(dir, '/');
	size_t n = 0, i;
	char c;

	base = base ? base + 1 : dir;
	n = (size_t)snprintf(name, DEPLOYMENT_NAME_MAX, "local");
	for (i = 0; base[i] && n < DEPLOYMENT_NAME_MAX - 2; i++) {
		c = (char)tolower((unsigned char)base[i]);
		if (!isalnum((unsigned char)c))
			c = '-';
		if (c == '-' && name[n - 1] == '-')
			continue;
		if (i == 0 && c != '-')
			name[n++] = '-';
		name[n++] = c;
	}
	while (name[n - 1] == '-')
		n--;
	name[n] = '\0';
	if (strcmp(name, "local-local") == 0)
		name[sizeof("local") - 1] = '\0';
}

static int put_meta(struct catalog *c, const char *key, const void *value,
		    size_t size, struct cvx_err *err)
{
	struct catalog_query *q;
	int r = catalog_query(c, SQL_PUT_META, &q, err);

	if (r < 0)
		return r;
	catalog_bind_text(q, 1, key);
	catalog_bind_bytes(q, 2, value, size);
	return catalog_run(q, err);
}

/* Reads the name into d; 1 if there is one. */
static int read_name(struct deployment *d, struct catalog *c,
		     struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	const char *bytes;
	size_t size;
	int r = catalog_query(c, SQL_GET_META, &q, err);

	if (r < 0)
		return r;
	catalog_bind_text(q, 1, "name");
	r = catalog_next(q, err);
	if (r <= 0)
		return r;
	bytes = catalog_bytes(q, 0, &size);
	d->name = strndup(bytes, size);
	return d->name ? 1 : cvx_fail_memory(err);
}

/* A new deployment gets its name and a secret. */
static int name_deployment(struct deployment *d, struct cvx_err *err)
{
	char name[DEPLOYMENT_NAME_MAX], secret[SECRET_SIZE];
	bool in_doubt;
	int r = read_name(d, d->reads, err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		return cvx_fail(err, -EIO, "no random numbers are to be had");
	make_name(d->dir, name);
	r = embedded_begin(d, err);
	if (r < 0)
		return r;
	r = read_name(d, d->writes, err); /* made by another meanwhile? */
	if (r == 0)
		r = put_meta(d->writes, "name", name, strlen(name), err);
	if (r == 0)
		r = put_meta(d->writes, "secret", secret, sizeof(secret), err);
	if (r != 0) {
		embedded_rollback(d);
		return r < 0 ? r : 0;
	}
	r = embedded_commit(d, &in_doubt, err);
	if (r < 0)
		return r;
	d->name = strdup(name);
	return d->name ? 0 : cvx_fail_memory(err);
}

static int sync_folders(struct deployment *d, struct cvx_err *err)
{
	int r = file_sync_dir(d->dir_fd);

	if (r == 0) {
		int parent = openat(d->dir_fd, "..",
				    O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		/* A parent that may not be read is not ours to sync. */
		if (parent >= 0)
			r = file_sync_dir(parent);
		cvx_closep(&parent);
	}
	if (r < 0)
		return cvx_fail(err, r, "cannot sync the folder %s: %s", d->dir,
				strerror(-r));
	return 0;
}

static int copy_origin(struct deployment *d,
		       const struct deployment_settings *settings,
		       struct cvx_err *err)
{
	if (!settings->origin_url)
		return 0;
	d->origin_url = strdup(settings->origin_url);
	d->origin_name = strdup(settings->origin_name);
	return d->origin_url && d->origin_name ? 0 : cvx_fail_memory(err);
}

int deployment_open(const struct deployment_settings *settings,
		    struct deployment **ret, struct cvx_err *err)
{
	CVX_AUTO(deployment_closep) struct deployment *d = NULL;
	bool is_new;
	int r;

	assert(settings && settings->dir && ret);
	d = calloc(1, sizeof(*d));
	if (!d)
		return cvx_fail_memory(err);
	d->read_only = settings->read_only;
	d->dir_fd = d->segments_fd = d->stage_fd = -1;
	d->stored_fd = d->indexes_fd = -1;
	(void)pthread_mutex_init(&d->write_lock, NULL);
	(void)pthread_mutex_init(&d->read_lock, NULL);
	(void)pthread_mutex_init(&d->files_lock, NULL);
	(void)pthread_mutex_init(&d->schemas_lock, NULL);
	(void)pthread_mutex_init(&d->running_lock, NULL);

	r = copy_origin(d, settings, err);
	if (r == 0)
		r = open_folder(d, settings->dir, err);
	if (r < 0)
		return r;
	/* Folders came with later versions, too. */
	is_new = faccessat(d->dir_fd, "catalog.sqlite3", F_OK, 0) < 0 ||
		 faccessat(d->dir_fd, "files", F_OK, 0) < 0 ||
		 faccessat(d->dir_fd, "indexes", F_OK, 0) < 0;
	r = open_catalogs(d, err);
	if (r == 0)
		r = open_subfolder(d, "segments", &d->segments_fd, err);
	if (r == 0)
		r = open_subfolder(d, "files", &d->stored_fd, err);
	if (r == 0)
		r = open_subfolder(d, "indexes", &d->indexes_fd, err);
	if (r == 0 && !d->read_only)
		r = open_subfolder(d, "stage", &d->stage_fd, err);
	if (r == 0 && is_new && !d->read_only)
		r = sync_folders(d, err);
	if (r == 0)
		r = d->read_only ? read_name(d, d->reads, err)
				 : name_deployment(d, err);
	if (r >= 0 && !d->name)
		r = cvx_fail(err, -EIO,
			     "the deployment in %s was never finished; open it "
			     "once for writing",
			     d->dir);
	d->swept_ns = embedded_now_ns();
	if (r >= 0 && !d->read_only)
		r = recovery_run(d, err);
	if (r < 0)
		return r;
	*ret = CVX_TAKE(d);
	return 0;
}

void deployment_close(struct deployment *d)
{
	size_t i;

	if (!d)
		return;
	assert(!d->running);
	for (i = 0; i < SEGMENT_FILE_BUCKETS; i++)
		assert(!d->files[i]);
	catalog_close(d->reads);
	catalog_close(d->writes);
	cvx_closep(&d->stage_fd);
	cvx_closep(&d->indexes_fd);
	cvx_closep(&d->stored_fd);
	cvx_closep(&d->segments_fd);
	cvx_closep(&d->dir_fd);
	schemas_forget_all(d);
	(void)pthread_mutex_destroy(&d->running_lock);
	(void)pthread_mutex_destroy(&d->schemas_lock);
	(void)pthread_mutex_destroy(&d->files_lock);
	(void)pthread_mutex_destroy(&d->read_lock);
	(void)pthread_mutex_destroy(&d->write_lock);
	free(d->name);
	free(d->origin_name);
	free(d->origin_url);
	free(d->dir);
	free(d);
}

const char *deployment_name(const struct deployment *d)
{
	return d->origin_name ? d->origin_name : d->name;
}

const char *deployment_dir(const struct deployment *d)
{
	return d->dir;
}

int deployment_version(struct deployment *d, uint64_t *ret, struct cvx_err *err)
{
	int r = catalog_version(embedded_lock_reads(d), ret, err);

	embedded_unlock_reads(d);
	return r;
}
