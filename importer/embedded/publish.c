#include "importer/embedded/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/embedded/commit.h"
#include "importer/embedded/counters.h"
#include "importer/embedded/embedded.h"

/* Numbers that leftovers of failed commits may occupy in a row. */
#define NUMBER_TRIES 100000

/* Stages of other processes are swept when one is made, but not often. */
#define SWEEP_INTERVAL_NS (INT64_C(600) * 1000000000)

static int new_stage(struct deployment *d, struct segment_stage **ret,
		     struct cvx_err *err)
{
	if (d->read_only)
		return embedded_fail_read_only(d, err);
	return segment_stage_new(d->stage_fd, ret, err);
}

int commit_new_stage(struct deployment *d, struct segment_stage **ret,
		     struct cvx_err *err)
{
	int64_t now_ns = embedded_now_ns(), swept_ns = d->swept_ns;

	if (now_ns - swept_ns > SWEEP_INTERVAL_NS && !d->read_only &&
	    atomic_compare_exchange_strong(&d->swept_ns, &swept_ns, now_ns))
		(void)segment_sweep_stages(d->stage_fd); /* only tidying */
	return new_stage(d, ret, err);
}

int publish_stage_text(struct deployment *d, const char *text, size_t size,
		       struct segment_stage **ret, struct cvx_err *err)
{
	CVX_AUTO(segment_stage_freep) struct segment_stage *stage = NULL;
	int r = new_stage(d, &stage, err);

	if (r < 0)
		return r;
	r = file_pwrite(segment_stage_fd(stage), text, size, 0);
	if (r == 0)
		r = file_sync(segment_stage_fd(stage));
	if (r < 0)
		return cvx_fail(err, r, "cannot store the rows: %s",
				strerror(-r));
	*ret = CVX_TAKE(stage);
	return 0;
}

int publish_stage_keys(struct deployment *d, const struct segment_key *keys,
		       size_t count, struct segment_stage **ret,
		       struct cvx_err *err)
{
	CVX_AUTO(segment_stage_freep) struct segment_stage *stage = NULL;
	int r = new_stage(d, &stage, err);

	if (r < 0)
		return r;
	r = segment_write_keys(segment_stage_fd(stage), keys, count);
	if (r == 0)
		r = file_sync(segment_stage_fd(stage));
	if (r < 0)
		return cvx_fail(err, r, "cannot store the ids: %s",
				strerror(-r));
	*ret = CVX_TAKE(stage);
	return 0;
}

/* A leftover may be what a commit in doubt names (I5). */
static bool is_taken(struct deployment *d, uint64_t id)
{
	char name[SEGMENT_NAME_SIZE], stored[STORED_FILE_NAME_SIZE];

	segment_rows_name(id, name);
	if (faccessat(d->segments_fd, name, F_OK, 0) == 0)
		return true;
	segment_keys_name(id, name);
	if (faccessat(d->segments_fd, name, F_OK, 0) == 0)
		return true;
	stored_file_name(id, stored);
	return faccessat(d->stored_fd, stored, F_OK, 0) == 0 ||
	       faccessat(d->indexes_fd, stored, F_OK, 0) == 0;
}

/* Counts up to a number that no file has. */
int publish_choose_number(struct deployment *d, struct counters_row *counters,
			  struct cvx_err *err)
{
	unsigned tries;

	for (tries = 0; tries < NUMBER_TRIES; tries++)
		if (!is_taken(d, ++counters->segment))
			return 0;
	return cvx_fail(err, -EEXIST,
			"%s holds %d files that nothing names; open the "
			"deployment again",
			d->dir, NUMBER_TRIES);
}

int publish_segment(struct deployment *d, struct counters_row *counters,
		    struct segment_stage *rows, struct segment_stage *keys,
		    uint64_t *ret_id, struct cvx_err *err)
{
	char rows_name[SEGMENT_NAME_SIZE], keys_name[SEGMENT_NAME_SIZE];
	int r = publish_choose_number(d, counters, err);

	if (r < 0)
		return r;
	segment_rows_name(counters->segment, rows_name);
	segment_keys_name(counters->segment, keys_name);
	r = segment_publish(rows, d->segments_fd, rows_name, err);
	if (r == 0 && keys)
		r = segment_publish(keys, d->segments_fd, keys_name, err);
	if (r < 0) {
		(void)unlinkat(d->segments_fd, rows_name, 0);
		(void)unlinkat(d->segments_fd, keys_name, 0);
		return r;
	}
	*ret_id = counters->segment;
	return 0;
}

int publish_file(struct deployment *d, struct counters_row *counters,
		 int from_dir_fd, const char *from, uint64_t *ret_id,
		 struct cvx_err *err)
{
	char name[STORED_FILE_NAME_SIZE];
	int r = publish_choose_number(d, counters, err);

	if (r < 0)
		return r;
	stored_file_name(counters->segment, name);
	if (renameat(from_dir_fd, from, d->stored_fd, name) < 0)
		return cvx_fail(err, -errno,
				"cannot name the file %s/files/%s: "
				"%s",
				d->dir, name, strerror(errno));
	*ret_id = counters->segment;
	return 0;
}

int publish_run(struct deployment *d, struct counters_row *counters,
		struct segment_stage *stage, uint64_t *ret_id,
		struct cvx_err *err)
{
	char name[STORED_FILE_NAME_SIZE];
	int r = publish_choose_number(d, counters, err);

	if (r < 0)
		return r;
	stored_file_name(counters->segment, name);
	r = segment_publish(stage, d->indexes_fd, name, err);
	if (r < 0) {
		(void)unlinkat(d->indexes_fd, name, 0);
		return r;
	}
	*ret_id = counters->segment;
	return 0;
}

static int sync_folder(struct deployment *d, int fd, const char *folder,
		       struct cvx_err *err)
{
	int r = file_sync_dir(fd);

	if (r < 0)
		return cvx_fail(err, r, "cannot sync %s/%s: %s", d->dir, folder,
				strerror(-r));
	return 0;
}

int publish_sync(struct deployment *d, struct cvx_err *err)
{
	return sync_folder(d, d->segments_fd, "segments", err);
}

int publish_sync_files(struct deployment *d, struct cvx_err *err)
{
	return sync_folder(d, d->stored_fd, "files", err);
}

int publish_sync_runs(struct deployment *d, struct cvx_err *err)
{
	return sync_folder(d, d->indexes_fd, "indexes", err);
}

void publish_remove(struct deployment *d, uint64_t id)
{
	char name[SEGMENT_NAME_SIZE];

	segment_rows_name(id, name);
	(void)unlinkat(d->segments_fd, name, 0);
	segment_keys_name(id, name);
	(void)unlinkat(d->segments_fd, name, 0);
}

static void remove_stored(int dir_fd, uint64_t id)
{
	char name[STORED_FILE_NAME_SIZE];

	stored_file_name(id, name);
	(void)unlinkat(dir_fd, name, 0);
}

void publish_remove_file(struct deployment *d, uint64_t id)
{
	remove_stored(d->stored_fd, id);
}

void publish_remove_run(struct deployment *d, uint64_t id)
{
	remove_stored(d->indexes_fd, id);
}

int publish_read(struct deployment *d, uint64_t id, char *bytes, size_t size,
		 struct cvx_err *err)
{
	struct segment_file *file;
	size_t n = 0;
	int r = segment_file_ref(d, id, &file, err);

	if (r < 0)
		return r;
	r = file_pread(file->fd, bytes, size, 0, &n);
	segment_file_unref(d, file);
	if (r == 0 && n < size)
		r = -EIO; /* shorter than what was committed */
	if (r < 0)
		return cvx_fail(err, r,
				"cannot read %s/segments/%" PRIu64 ".rows: %s",
				d->dir, id, strerror(-r));
	return 0;
}
