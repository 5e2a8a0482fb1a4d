#include "importer/server/work.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/embedded/jobs.h"
#include "importer/import.h"
#include "importer/preview.h"
#include "importer/restore.h"
#include "importer/server/mode.h"
#include "importer/server/uploads.h"

#define TEXT_MAX ((size_t)4 << 20)

#define NOTICE                                                                 \
	"The import runs on the server and goes on when this client ends."

struct work {
	int64_t number;
	int fd;
	/* An early one grows while others read what is before its end: room is
	 * there from the beginning, and the counts are set last. */
	_Atomic uint64_t size;
	struct job_extent *extents;
	uint64_t *starts; /* of the extents in the file */
	_Atomic size_t extent_count;
	struct import *import;	 /* one of the two */
	struct restore *restore; /* the other is NULL */
	struct preview preview;
};

CVX_DEFINE_CLEANUP(struct work, work_free)

/* --- the bytes ----------------------------------------------------------- */

/* The extent that holds the byte at off, which is below the size. */
static size_t find_extent(const struct work *w, uint64_t off)
{
	size_t low = 0, high = w->extent_count - 1, middle;

	while (low < high) {
		middle = high - (high - low) / 2;
		if (w->starts[middle] <= off)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

static int read_source(void *ctx, uint64_t off, void *buf, size_t size,
		       size_t *ret_n, struct cvx_err *err)
{
	const struct work *w = ctx;
	size_t done = 0, want, n, i;
	int r;

	while (done < size && off + done < w->size) {
		i = find_extent(w, off + done);
		uint64_t inside = off + done - w->starts[i];
		uint64_t left = w->extents[i].size - inside;

		want = size - done;
		if (want > left)
			want = (size_t)left;
		r = file_pread(w->fd, (char *)buf + done, want,
			       w->extents[i].off + inside, &n);
		if (r == 0 && n < want)
			r = -EIO;
		if (r < 0)
			return cvx_fail(err, r, "cannot read the upload: %s",
					strerror(-r));
		done += n;
	}
	*ret_n = done;
	return 0;
}

static int copy_extents(struct work *w, const struct job *job,
			struct cvx_err *err)
{
	size_t i, count = job->extent_count;
	uint64_t start = 0;

	w->extents = calloc(count + 1, sizeof(*w->extents));
	w->starts = calloc(count + 1, sizeof(*w->starts));
	if (!w->extents || !w->starts)
		return cvx_fail_memory(err);
	for (i = 0; i < count; i++) {
		w->extents[i] = job->extents[i];
		w->starts[i] = start;
		start += job->extents[i].size;
	}
	w->extent_count = count;
	w->size = start;
	return 0;
}

/* --- making -------------------------------------------------------------- */

static int make_import(struct work *w, struct deployment *d,
		       const struct job *job,
		       const struct import_source *source, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *path = NULL;
	struct import_target target = {
		.component = job->component,
		.table = job->table,
		.makes_component = true,
		.is_early = w->number == 0,
	};

	if (!mode_read(job->mode, &target.mode) ||
	    !mode_read_format(job->format, &target.format))
		return cvx_fail(err, -EIO, "the record of import %s is damaged",
				job->id);
	if (asprintf(&path, "%s.%s", job->table,
		     mode_extension(target.format)) < 0) {
		path = NULL;
		return cvx_fail_memory(err);
	}
	target.path = path;
	return import_new(d, &target, source, &w->import, err);
}

static int make_restore(struct work *w, struct deployment *d,
			const struct job *job,
			const struct import_source *source, struct cvx_err *err)
{
	struct restore_target target = {
		.component = job->component,
		.path = "upload.zip",
	};

	if (!mode_read(job->mode, &target.mode))
		return cvx_fail(err, -EIO, "the record of import %s is damaged",
				job->id);
	return restore_new(d, &target, source, &w->restore, err);
}

int work_new(struct deployment *d, const struct job *job, struct work **ret,
	     struct cvx_err *err)
{
	CVX_AUTO(work_freep) struct work *w = calloc(1, sizeof(*w));
	struct import_source source = {w, read_source};
	int r;

	if (!w)
		return cvx_fail_memory(err);
	w->number = job->number;
	w->fd = -1;
	r = copy_extents(w, job, err);
	if (r == 0)
		r = job_open_upload(d, job->number, &w->fd, err);
	if (r == 0 && strcmp(job->format, "zip") == 0)
		r = make_restore(w, d, job, &source, err);
	else if (r == 0)
		r = make_import(w, d, job, &source, err);
	if (r == 0 && w->import)
		import_set_job(w->import, job->number);
	if (r == 0 && w->restore)
		restore_set_job(w->restore, job->number);
	if (r < 0)
		return r;
	*ret = CVX_TAKE(w);
	return 0;
}

int work_new_early(struct deployment *d, const struct job *target, int fd,
		   struct work **ret, struct cvx_err *err)
{
	CVX_AUTO(work_freep) struct work *w = calloc(1, sizeof(*w));
	const struct import_source source = {w, read_source};
	int r;

	if (!w)
		return cvx_fail_memory(err);
	w->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (w->fd < 0)
		return cvx_fail(err, -errno, "cannot read the upload: %s",
				strerror(errno));
	w->extents = calloc(UPLOAD_PART_MAX, sizeof(*w->extents));
	w->starts = calloc(UPLOAD_PART_MAX, sizeof(*w->starts));
	if (!w->extents || !w->starts)
		return cvx_fail_memory(err);
	r = make_import(w, d, target, &source, err);
	if (r < 0)
		return r;
	*ret = CVX_TAKE(w);
	return 0;
}

void work_add(struct work *w, const struct job_extent *extent)
{
	size_t n = w->extent_count;

	assert(n < UPLOAD_PART_MAX);
	if (extent->size == 0)
		return;
	w->extents[n] = *extent;
	w->starts[n] = w->size;
	w->extent_count = n + 1;
	w->size += extent->size;
	import_available(w->import, w->size);
}

bool work_is_of(const struct work *w, const struct job *job)
{
	uint64_t off = 0, first = 0; /* of the job's extent that is looked at */
	size_t i, k = 0;

	for (i = 0; i < w->extent_count; i++) {
		while (k < job->extent_count &&
		       off == first + job->extents[k].size)
			first += job->extents[k++].size;
		/* The job's are joined, so one of ours lies in one of them. */
		if (k == job->extent_count ||
		    w->extents[i].off != job->extents[k].off + off - first ||
		    w->extents[i].size > job->extents[k].size - (off - first))
			return false;
		off += w->extents[i].size;
	}
	return off == job->size;
}

void work_adopt(struct work *w, const struct job *job)
{
	w->number = job->number;
	import_set_job(w->import, job->number);
}

void work_free(struct work *w)
{
	if (!w)
		return;
	import_free(w->import);
	restore_free(w->restore);
	preview_fini(&w->preview);
	cvx_closep(&w->fd);
	free(w->extents);
	free(w->starts);
	free(w);
}

int64_t work_number(const struct work *w)
{
	return w->number;
}

void work_cancel(struct work *w)
{
	if (w->import)
		import_cancel(w->import);
	else
		restore_cancel(w->restore);
}

/* --- what it will do ----------------------------------------------------- */

void work_summary_fini(struct work_summary *s)
{
	free(s->message);
	free(s->checkpoints);
}

/* The caller's text of what is in the buffer, which is emptied. */
static char *take_text(struct cvx_buf *b)
{
	char *text = strndup(b->data ? b->data : "", b->size);

	cvx_buf_fini(b);
	return text;
}

static char *print_message(const struct preview *p)
{
	struct cvx_buf text = CVX_BUF_INIT(TEXT_MAX);
	int r = preview_print(p, &text);

	if (r == 0)
		r = cvx_buf_puts(&text, text.size > 0 ? "\n" NOTICE : NOTICE);
	/* Ten thousand tables with the longest names do not fit. */
	if (r == -EFBIG) {
		cvx_buf_clear(&text);
		r = cvx_buf_printf(&text, "This import changes %zu tables.\n%s",
				   p->table_count, NOTICE);
	}
	if (r < 0) {
		cvx_buf_fini(&text);
		return NULL;
	}
	return take_text(&text);
}

static bool add_count(cJSON *object, const char *key, uint64_t n)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, n);
	return cJSON_AddRawToObject(object, key, text);
}

static cJSON *checkpoint(const struct preview_table *t)
{
	cJSON *object = cJSON_CreateObject();

	if (object &&
	    (t->component[0]
		     ? cJSON_AddStringToObject(object, "component_path",
					       t->component)
		     : cJSON_AddNullToObject(object, "component_path")) &&
	    cJSON_AddStringToObject(object, "display_table_name", t->table) &&
	    add_count(object, "existing_rows_in_table", t->existing_count) &&
	    add_count(object, "existing_rows_to_delete", t->delete_count) &&
	    cJSON_AddBoolToObject(object, "is_missing_id_field",
				  t->lacks_ids) &&
	    add_count(object, "num_rows_written", 0) &&
	    cJSON_AddNullToObject(object, "tablet_id") &&
	    add_count(object, "total_num_rows_to_write", t->create_count))
		return object;
	cJSON_Delete(object);
	return NULL;
}

static char *print_checkpoints(const struct preview *p)
{
	cJSON *list = cJSON_CreateArray();
	char *text = NULL;
	size_t i;

	for (i = 0; list && i < p->table_count; i++) {
		cJSON *item = checkpoint(&p->tables[i]);

		if (!item || !cJSON_AddItemToArray(list, item)) {
			cJSON_Delete(item);
			cJSON_Delete(CVX_TAKE(list));
		}
	}
	if (list)
		text = cJSON_PrintUnformatted(list);
	cJSON_Delete(list);
	return text;
}

int work_parse(struct work *w, struct work_summary *ret, struct cvx_err *err)
{
	int r = w->import ? import_preview(w->import, w->size, &w->preview, err)
			  : restore_preview(w->restore, w->size, &w->preview,
					    err);

	if (r < 0)
		return r;
	ret->needs_confirmation = w->preview.needs_confirmation;
	ret->message = print_message(&w->preview);
	ret->checkpoints = print_checkpoints(&w->preview);
	return ret->message && ret->checkpoints ? 0 : cvx_fail_memory(err);
}

static char *describe_table(const struct preview_table *t)
{
	char *text;

	if (asprintf(&text, "Converted %" PRIu64 " %s for %s%s%s",
		     t->create_count,
		     strcmp(t->table, "_storage") ? "documents" : "files",
		     t->component, t->component[0] ? "/" : "", t->table) < 0)
		return NULL;
	return text;
}

static bool add_line(cJSON *list, char *line)
{
	cJSON *item = line ? cJSON_CreateString(line) : NULL;

	free(line);
	return item && cJSON_AddItemToArray(list, item);
}

/* import.md 10.6 stops after so many, too. */
#define LINES_MAX 20

int work_describe(struct work *w, char **ret_progress, char **ret_list,
		  struct cvx_err *err)
{
	cJSON *list = cJSON_CreateArray();
	bool ok = list;
	size_t i;

	for (i = 0; ok && i < w->preview.table_count && i < LINES_MAX; i++)
		if (w->preview.tables[i].create_count > 0)
			ok = add_line(list,
				      describe_table(&w->preview.tables[i]));
	*ret_list = ok ? cJSON_PrintUnformatted(list) : NULL;
	cJSON_Delete(list);
	*ret_progress =
		strdup(w->preview.table_count > 0 ? "Making all of it visible"
						  : "Reading the file again");
	return *ret_list && *ret_progress ? 0 : cvx_fail_memory(err);
}

int work_commit(struct work *w, struct cvx_err *err)
{
	struct restore_result restored;
	struct import_result imported;

	return w->import ? import_commit(w->import, w->size, &imported, err)
			 : restore_commit(w->restore, w->size, &restored, err);
}

char *work_error(const struct work *w)
{
	struct cvx_buf text = CVX_BUF_INIT(TEXT_MAX);
	int r = w->import ? import_print_error(w->import, &text)
			  : restore_print_error(w->restore, &text);

	while (text.size > 0 && text.data[text.size - 1] == '\n')
		text.size--;
	if (r < 0 || text.size == 0) {
		cvx_buf_fini(&text);
		return NULL;
	}
	return take_text(&text);
}
