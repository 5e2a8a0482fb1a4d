/*
 * Stored files of a copy. Each has its row from the start; its bytes are there
 * when files/ has them under its number.
 */
#include "importer/embedded/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "cache/catalog.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/counters.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/files.h"
#include "importer/embedded/files_stage.h"
#include "importer/embedded/publish.h"
#include "importer/embedded/tables.h"
#include "importer/value/id.h"

/* A file of the caller's list, with what its id says. */
struct wanted {
	const struct stored_file *file;
	struct internal_id key;
	uint32_t number;
};

static int compare_wanted(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	return id_compare(&x->key, &y->key);
}

static int make_wanted(const struct stored_file *list, size_t count,
		       struct wanted **ret, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep)
	struct wanted *all = calloc(count + 1, sizeof(*all));
	size_t i;

	if (!all)
		return cvx_fail_memory(err);
	for (i = 0; i < count; i++) {
		all[i].file = &list[i];
		if (id_decode(list[i].id, strlen(list[i].id), &all[i].number,
			      &all[i].key) < 0 ||
		    all[i].number != all[0].number)
			return cvx_fail(err, -EPROTO,
					"\"%.80s\" cannot be the id of a "
					"stored file here",
					list[i].id);
	}
	qsort(all, count, sizeof(*all), compare_wanted);
	for (i = 1; i < count; i++)
		if (id_compare(&all[i - 1].key, &all[i].key) == 0)
			return cvx_fail(err, -EPROTO,
					"the stored file %s is listed twice",
					all[i].file->id);
	*ret = CVX_TAKE(all);
	return 0;
}

static bool is_same(const struct stored_file *a, const struct stored_file *b)
{
	const char *x = a->content_type ? a->content_type : "";
	const char *y = b->content_type ? b->content_type : "";

	return strcmp(a->id, b->id) == 0 && a->size == b->size &&
	       a->creation_time == b->creation_time && strcmp(x, y) == 0 &&
	       memcmp(a->sha256, b->sha256, sizeof(a->sha256)) == 0 &&
	       strcmp(a->internal_id, b->internal_id) == 0;
}

/* What is to be done to the storage of one component. */
struct change {
	struct file_row *had; /* by key */
	size_t had_count;
	const struct wanted **fresh;
	const struct file_row **gone;
	size_t fresh_count, gone_count;
};

static void change_fini(struct change *c)
{
	size_t i;

	for (i = 0; i < c->had_count; i++)
		stored_file_fini(&c->had[i].file);
	free(c->had);
	free(c->fresh);
	free(c->gone);
	*c = (struct change){.had = NULL};
}

static int read_had(struct catalog *c, const char *component,
		    struct change *change, struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	struct file_row row, *more;
	size_t capacity = 0;
	int r = files_begin(c, component, &q, err);

	while (r == 0 && (r = files_next(q, &row, err)) == 1) {
		if (change->had_count == capacity) {
			capacity = capacity * 2 + 16;
			more = reallocarray(change->had, capacity,
					    sizeof(*more));
			if (!more) {
				stored_file_fini(&row.file);
				return cvx_fail_memory(err);
			}
			change->had = more;
		}
		change->had[change->had_count++] = row;
		r = 0;
	}
	return r;
}

static void compare(struct change *c, const struct wanted *list, size_t count)
{
	size_t i = 0, j = 0;
	int order;

	while (i < c->had_count || j < count) {
		order = i == c->had_count ? 1
			: j == count	  ? -1
				     : id_compare(&c->had[i].key, &list[j].key);
		if (order == 0 && is_same(&c->had[i].file, list[j].file)) {
			i++;
			j++;
			continue;
		}
		if (order <= 0)
			c->gone[c->gone_count++] = &c->had[i++];
		if (order >= 0)
			c->fresh[c->fresh_count++] = &list[j++];
	}
}

/* 1: there is something to do. */
static int find_change(struct catalog *catalog, const char *component,
		       const struct wanted *list, size_t count,
		       struct change *ret, struct cvx_err *err)
{
	int r;

	change_fini(ret);
	r = read_had(catalog, component, ret, err);
	if (r < 0)
		return r;
	ret->fresh = calloc(count + 1, sizeof(*ret->fresh));
	ret->gone = calloc(ret->had_count + 1, sizeof(*ret->gone));
	if (!ret->fresh || !ret->gone)
		return cvx_fail_memory(err);
	compare(ret, list, count);
	return ret->fresh_count + ret->gone_count > 0;
}

static int drop_row(struct catalog *c, struct storage_info *info,
		    const struct file_row *row, struct cvx_err *err)
{
	uint64_t size;
	int r = stored_file_measure(&row->file, &size, err);

	if (r < 0)
		return r;
	info->file_count--;
	info->size -= row->file.size;
	info->documents_size -= size;
	return file_delete(c, row->id, err);
}

static int add_row(struct deployment *d, struct counters_row *counters,
		   int64_t component, struct storage_info *info,
		   const struct wanted *w, struct cvx_err *err)
{
	/* Borrows the texts of the list's file. */
	struct file_row row = {.key = w->key, .file = *w->file};
	uint64_t size;
	int r = publish_choose_number(d, counters, err);

	if (r == 0)
		r = stored_file_measure(&row.file, &size, err);
	if (r < 0)
		return r;
	row.id = counters->segment;
	info->file_count++;
	info->size += row.file.size;
	info->documents_size += size;
	return file_insert(d->writes, component, &row, err);
}

static int apply(struct deployment *d, const char *component,
		 const struct change *change, struct cvx_err *err)
{
	struct counters_row counters;
	struct component_row owner;
	struct storage_info info;
	uint32_t old_number;
	size_t i;
	int r = component_find(d->writes, component, &owner, err);

	if (r == 0)
		r = storage_find(d->writes, owner.id, &info, err);
	if (r == 0)
		r = counters_get(d->writes, &counters, err);
	if (r < 0)
		return r;
	old_number = info.number;
	for (i = 0; r == 0 && i < change->gone_count; i++)
		r = drop_row(d->writes, &info, change->gone[i], err);
	for (i = 0; r == 0 && i < change->fresh_count; i++) {
		info.number = change->fresh[i]->number;
		r = add_row(d, &counters, owner.id, &info, change->fresh[i],
			    err);
	}
	if (r < 0)
		return r;
	storage_touch(&info, &counters);
	r = storage_put(d->writes, owner.id, &info, err);
	if (r == 0 && info.number != old_number)
		r = component_release_number(d->writes, &owner, old_number,
					     err);
	return r < 0 ? r : counters_put(d->writes, &counters, err);
}

static int apply_locked(struct deployment *d, const char *component,
			const struct wanted *list, size_t count,
			struct change *change, struct cvx_err *err)
{
	bool in_doubt;
	size_t i;
	int r = embedded_begin(d, err);

	if (r < 0)
		return r;
	r = find_change(d->writes, component, list, count, change, err);
	if (r == 1)
		r = apply(d, component, change, err);
	if (r < 0) {
		embedded_rollback(d);
		return r;
	}
	r = embedded_commit(d, &in_doubt, err);
	for (i = 0; r == 0 && i < change->gone_count; i++)
		publish_remove_file(d, change->gone[i]->id); /* I4 */
	return r;
}

int copy_set_files(struct deployment *d, const char *component,
		   const struct stored_file *list, size_t count,
		   struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct wanted *wanted = NULL;
	struct change change = {.had = NULL};
	int r = make_wanted(list, count, &wanted, err);

	if (r < 0)
		return r;
	r = find_change(embedded_lock_reads(d), component, wanted, count,
			&change, err);
	embedded_unlock_reads(d);
	if (r == 1)
		r = apply_locked(d, component, wanted, count, &change, err);
	change_fini(&change);
	return r;
}

/* --- their bytes --------------------------------------------------------- */

static int find_row(struct catalog *c, const char *component, const char *id,
		    struct file_row *ret, struct cvx_err *err)
{
	struct internal_id key;
	uint32_t number;
	int r = 0;

	if (id_decode(id, strlen(id), &number, &key) == 0)
		r = file_find(c, component, &key, ret, err);
	if (r == 1 && strcmp(ret->file.id, id) != 0) {
		stored_file_fini(&ret->file);
		r = 0;
	}
	if (r == 0)
		return cvx_fail(err, -ENOENT, "there is no stored file %.80s",
				id);
	return r < 0 ? r : 0;
}

int copy_has_file(struct deployment *d, const char *component, const char *id,
		  struct stored_file *ret, struct cvx_err *err)
{
	const struct timespec now[2] = {{.tv_nsec = UTIME_NOW},
					{.tv_nsec = UTIME_NOW}};
	char name[STORED_FILE_NAME_SIZE];
	struct file_row row;
	int r = find_row(embedded_lock_reads(d), component, id, &row, err);

	embedded_unlock_reads(d);
	if (r < 0)
		return r;
	*ret = row.file;
	stored_file_name(row.id, name);
	/* Only when it was used is noted; without, it may go too soon. */
	return utimensat(d->stored_fd, name, now, AT_SYMLINK_NOFOLLOW) == 0;
}

int copy_put_file(struct deployment *d, const char *component, const char *id,
		  int fd, uint64_t size, struct cvx_err *err)
{
	CVX_AUTO(stage_folder_freep) struct stage_folder *stage = NULL;
	struct stored_file came = {.size = 0};
	char from[32], to[STORED_FILE_NAME_SIZE];
	struct file_row row;
	int r = files_stage_new(d, &stage, err);

	if (r == 0)
		r = file_copy_in(stage, fd, size, &came, err);
	if (r == 0)
		r = embedded_begin(d, err); /* I7 */
	if (r < 0)
		return r;
	r = find_row(d->writes, component, id, &row, err);
	if (r == 0) {
		if (row.file.size != came.size ||
		    memcmp(row.file.sha256, came.sha256, sizeof(came.sha256)) !=
			    0)
			r = cvx_fail(err, -EPROTO,
				     "the stored file %s came with another "
				     "checksum than the deployment tells",
				     id);
		files_stage_name(0, from);
		stored_file_name(row.id, to);
		if (r == 0 && renameat(stage_folder_fd(stage), from,
				       d->stored_fd, to) < 0)
			r = cvx_fail(err, -errno, "cannot keep the file %s: %s",
				     id, strerror(errno));
		stored_file_fini(&row.file);
	}
	embedded_rollback(d);
	return r;
}

static int list_bytes(struct deployment *d, DIR *dir, struct copy_bytes **list,
		      size_t *count)
{
	char name[STORED_FILE_NAME_SIZE];
	const struct dirent *entry;
	struct copy_bytes *more;
	size_t capacity = 0;
	struct stat st;
	uint64_t number;

	while ((entry = readdir(dir))) {
		number = strtoull(entry->d_name, NULL, 10);
		stored_file_name(number, name);
		if (strcmp(name, entry->d_name) != 0 ||
		    fstatat(d->stored_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (*count == capacity) {
			capacity = capacity * 2 + 16;
			more = reallocarray(*list, capacity, sizeof(*more));
			if (!more)
				return -ENOMEM;
			*list = more;
		}
		(*list)[(*count)++] = (struct copy_bytes){
			.number = number,
			.size = (uint64_t)st.st_size,
			.used_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 +
				   st.st_mtim.tv_nsec,
		};
	}
	return 0;
}

int copy_list_bytes(struct deployment *d, struct copy_bytes **ret,
		    size_t *ret_count, struct cvx_err *err)
{
	int fd = openat(d->stored_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct copy_bytes *list = NULL;
	size_t count = 0;
	int r;

	if (!dir) {
		r = -errno;
		cvx_closep(&fd);
		return cvx_fail(err, r, "cannot list %s/files: %s", d->dir,
				strerror(-r));
	}
	r = list_bytes(d, dir, &list, &count);
	(void)closedir(dir);
	if (r < 0) {
		free(list);
		return cvx_fail_memory(err);
	}
	*ret = list;
	*ret_count = count;
	return 0;
}

void copy_drop_bytes(struct deployment *d, uint64_t number)
{
	char name[STORED_FILE_NAME_SIZE];

	stored_file_name(number, name);
	if (unlinkat(d->stored_fd, name, 0) < 0 && errno != ENOENT)
		log_warning("%s/files/%s: %s", d->dir, name, strerror(errno));
}
