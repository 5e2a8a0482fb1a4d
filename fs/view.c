#include "fs/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/rejects.h"
#include "fs/nodes.h"
#include "fs/readme.h"
#include "fs/report.h"
#include "fs/stage.h"
#include "fs/staged.h"
#include "fs/stored.h"
#include "fs/text.h"
#include "importer/deployment.h"
#include "importer/deployment_schema.h"
#include "importer/origin.h"
#include "importer/stored_file.h"

/* The longest generated file: a registry of 10,000 tables is a tenth of it,
 * and imports.jsonl is kept short by the deployment. */
#define TEXT_MAX ((size_t)64 << 20)

struct view {
	struct stage_base bytes;
	struct index_reader *index; /* or the bytes of an index */
	struct view_revision revision;
};

bool view_is_text(enum tree_kind kind)
{
	switch (kind) {
	case TREE_README:
	case TREE_MARKER:
	case TREE_REGISTRY:
	case TREE_DEPLOYMENT:
	case TREE_SCHEMA:
	case TREE_IMPORTS:
	case TREE_STAGED:
	case TREE_LAST_ERROR:
		return true;
	case TREE_BACKUP:
	case TREE_FULL_BACKUP:
	case TREE_ROOT:
	case TREE_TABLE:
	case TREE_REGISTRY_DIR:
	case TREE_STORAGE_DIR:
	case TREE_COMPONENTS_DIR:
	case TREE_COMPONENT:
	case TREE_CONTROL_DIR:
	case TREE_COMPONENT_CONTROL_DIR:
	case TREE_INDEXES_DIR:
	case TREE_INDEX_DIR:
	case TREE_SCRATCH_DIR:
	case TREE_INDEX:
	case TREE_DOCUMENTS:
	case TREE_FILE_LIST:
	case TREE_REJECTED:
	case TREE_ERROR:
	case TREE_DROP:
	case TREE_ARCHIVE:
	case TREE_UPLOAD:
	case TREE_FILE:
	case TREE_SCRATCH:
		return false;
	}
	return false;
}

static int print_marker(const struct view_env *env,
			const struct tree_place *place, struct cvx_buf *out,
			struct cvx_err *err)
{
	struct table_info info;
	int r = deployment_stat_table(env->deployment, place->component,
				      place->table, &info, err);

	if (r < 0)
		return r;
	return cvx_buf_puts(out, "\"uniform\"\n") < 0 ? cvx_fail_memory(err)
						      : 0;
}

/* Without a schema there is no file. */
static int print_schema(const struct view_env *env,
			const struct tree_place *place, struct cvx_buf *out,
			struct cvx_err *err)
{
	int r = deployment_print_schema(env->deployment, place->component, out,
					err);

	if (r < 0 || out->size > 0)
		return r;
	return cvx_fail(err, -ENOENT, "there is no schema");
}

static int print(const struct view_env *env, const struct tree_place *place,
		 struct cvx_buf *out, struct cvx_err *err)
{
	switch (place->kind) {
	case TREE_README:
		return readme_print(deployment_name(env->deployment), out, err);
	case TREE_MARKER:
		return print_marker(env, place, out, err);
	case TREE_REGISTRY:
		return deployment_print_tables(env->deployment,
					       place->component, out, err);
	case TREE_SCHEMA:
		return print_schema(env, place, out, err);
	case TREE_DEPLOYMENT:
		return deployment_print_json(env->deployment, env->options,
					     env->option_count, out, err);
	case TREE_IMPORTS:
		return deployment_print_imports(env->deployment, out, err);
	case TREE_STAGED:
		return staged_print(env->names, out, err);
	case TREE_LAST_ERROR:
		return report_print(env->report, out, err);
	case TREE_BACKUP:
	case TREE_FULL_BACKUP:
	case TREE_ROOT:
	case TREE_TABLE:
	case TREE_REGISTRY_DIR:
	case TREE_STORAGE_DIR:
	case TREE_COMPONENTS_DIR:
	case TREE_COMPONENT:
	case TREE_CONTROL_DIR:
	case TREE_COMPONENT_CONTROL_DIR:
	case TREE_INDEXES_DIR:
	case TREE_INDEX_DIR:
	case TREE_SCRATCH_DIR:
	case TREE_INDEX:
	case TREE_DOCUMENTS:
	case TREE_FILE_LIST:
	case TREE_REJECTED:
	case TREE_ERROR:
	case TREE_DROP:
	case TREE_ARCHIVE:
	case TREE_UPLOAD:
	case TREE_FILE:
	case TREE_SCRATCH:
		break;
	}
	return cvx_fail(err, -ENOENT, "there is no such generated file");
}

int view_print(const struct view_env *env, const struct tree_place *place,
	       struct text **ret, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini) struct cvx_buf out = CVX_BUF_INIT(TEXT_MAX);
	int r = print(env, place, &out, err);

	return r < 0 ? r : text_new(&out, ret, err);
}

static int open_reject(const struct view_env *env, const struct node *n,
		       struct stage_base *ret, struct cvx_err *err)
{
	enum tree_kind kind = n->place.kind;
	CVX_AUTO(cvx_freep)
	char *path = strndup(n->path, tree_reject_base(kind, n->path));
	int r;

	if (!path)
		return cvx_fail_memory(err);
	r = kind == TREE_ERROR
		    ? rejects_open_text(env->rejects, path, &ret->fd)
		    : rejects_open_bytes(env->rejects, path, &ret->fd);
	return r < 0 ? cvx_fail(err, r, "%s: %s", n->path, strerror(-r)) : 0;
}

/* How often what a copy lets go of at once is fetched again. */
#define HOLD_TRIES 10

static int hold_table(const struct view_env *env, const struct tree_place *p,
		      const struct patience *patience, struct cvx_err *err)
{
	return origin_hold_table(env->deployment, p->component, p->table,
				 ORIGIN_KNOWN, patience, err);
}

static int open_table(const struct view_env *env, const struct tree_place *p,
		      const struct patience *patience, struct stage_base *ret,
		      struct view_revision *ret_revision, struct cvx_err *err)
{
	const struct table_info *info;
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < HOLD_TRIES; i++) {
		r = hold_table(env, p, patience, err);
		if (r == 0)
			r = deployment_open_table(env->deployment, p->component,
						  p->table, &ret->reader, err);
	}

	if (r < 0)
		return r;
	info = table_reader_info(ret->reader);
	ret->size = info->size;
	*ret_revision = (struct view_revision){
		.revision = info->revision,
		.size = info->size,
		.committed_ns = info->committed_ns,
	};
	return 0;
}

/* How often a list that changes while it is printed is printed again. */
#define LIST_TRIES 100

/* Its text is made when it is opened: its size is known without. */
static int open_list(const struct view_env *env, const struct tree_place *p,
		     struct stage_base *ret, struct view_revision *ret_revision,
		     struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini) struct cvx_buf out = CVX_BUF_INIT(TEXT_MAX);
	struct storage_info info, before;
	int r = deployment_stat_storage(env->deployment, p->component, &info,
					err);

	for (int i = 0; r == 0 && i < LIST_TRIES; i++) {
		before = info;
		cvx_buf_clear(&out);
		r = deployment_print_stored_files(env->deployment, p->component,
						  &out, err);
		if (r == 0)
			r = deployment_stat_storage(env->deployment,
						    p->component, &info, err);
		if (r == 0 && before.revision == info.revision)
			break;
	}
	if (r == 0)
		r = text_new(&out, &ret->text, err);
	if (r < 0)
		return r;
	ret->size = ret->text->size;
	*ret_revision = stored_list_revision(&before);
	return 0;
}

int view_open_stored_base(const struct view_env *env, const char *component,
			  const char *id, const struct patience *patience,
			  struct stage_base *ret,
			  struct view_revision *ret_revision,
			  struct cvx_err *err)
{
	struct stored_file f;
	int r = stored_find(env->deployment, component, id, patience, &f, err);

	if (r < 0)
		return r;
	stored_file_fini(&f);
	r = origin_hold_file(env->deployment, component, id, patience, err);
	if (r == 0)
		r = deployment_open_stored_file(env->deployment, component, id,
						&ret->fd, &f, err);

	if (r < 0)
		return r;
	ret->size = f.size;
	*ret_revision = stored_revision(&f);
	stored_file_fini(&f);
	return 0;
}

int view_open_base(const struct view_env *env, const struct node *n,
		   const struct patience *patience, struct stage_base *ret,
		   struct view_revision *ret_revision, struct cvx_err *err)
{
	struct stage_base base = STAGE_BASE_NONE;
	int r = 0;

	base.size = n->size;
	*ret_revision = (struct view_revision){0};
	if (n->text) {
		base.text = text_ref(n->text);
		if (n->place.kind == TREE_SCHEMA)
			ret_revision->revision = n->version; /* W-8 */
	} else if (n->place.kind == TREE_DOCUMENTS) {
		r = open_table(env, &n->place, patience, &base, ret_revision,
			       err);
	} else if (n->place.kind == TREE_FILE_LIST) {
		r = open_list(env, &n->place, &base, ret_revision, err);
	} else if (n->place.kind == TREE_FILE) {
		r = view_open_stored_base(env, n->place.component, n->place.id,
					  patience, &base, ret_revision, err);
	} else if (n->place.kind == TREE_REJECTED ||
		   n->place.kind == TREE_ERROR) {
		r = open_reject(env, n, &base, err);
	} else {
		r = cvx_fail(err, -ENOENT, "%s: cannot be read", n->path);
	}
	if (r == 0)
		*ret = base;
	return r;
}

static int open_index(const struct view_env *env, const struct tree_place *p,
		      const struct patience *patience, struct view *v,
		      struct cvx_err *err)
{
	const struct table_info *info;
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < HOLD_TRIES; i++) {
		r = hold_table(env, p, patience, err);
		if (r == 0)
			r = deployment_open_index(env->deployment, p->component,
						  p->table, p->index, &v->index,
						  err);
	}

	if (r < 0)
		return r;
	info = index_reader_info(v->index);
	v->revision = (struct view_revision){
		.revision = info->revision,
		.size = info->size,
		.committed_ns = info->committed_ns,
	};
	return 0;
}

int view_open(const struct view_env *env, const struct node *n,
	      const struct patience *patience, struct view **ret,
	      struct cvx_err *err)
{
	struct view *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return cvx_fail_memory(err);
	v->bytes.fd = -1;
	r = n->place.kind == TREE_INDEX
		    ? open_index(env, &n->place, patience, v, err)
		    : view_open_base(env, n, patience, &v->bytes, &v->revision,
				     err);
	if (r < 0) {
		free(v);
		return r;
	}
	*ret = v;
	return 0;
}

int view_open_stored(const struct view_env *env, const char *component,
		     const char *id, const struct patience *patience,
		     struct view **ret, struct cvx_err *err)
{
	struct view *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return cvx_fail_memory(err);
	v->bytes = (struct stage_base)STAGE_BASE_NONE;
	r = view_open_stored_base(env, component, id, patience, &v->bytes,
				  &v->revision, err);
	if (r < 0) {
		free(v);
		return r;
	}
	*ret = v;
	return 0;
}

void view_close(struct view *v)
{
	if (!v)
		return;
	stage_base_fini(&v->bytes);
	index_reader_close(v->index);
	free(v);
}

struct view_revision view_revision(const struct view *v)
{
	return v->revision;
}

void view_bytes_fini(struct view_bytes *b)
{
	free(b->own);
	text_unref(b->text);
}

static int read_text(struct text *t, uint64_t off, size_t size,
		     struct view_bytes *ret)
{
	if (off < t->size) {
		ret->text = text_ref(t);
		ret->data = t->data + off;
		ret->size = t->size - (size_t)off;
		if (ret->size > size)
			ret->size = size;
	}
	return 0;
}

/*
 * A short answer means the end of the file to the kernel, so a range that
 * goes over the end of one segment into the next is copied together.
 */
static int read_table(struct table_reader *tr, uint64_t off, size_t size,
		      struct view_bytes *ret, struct cvx_err *err)
{
	uint64_t end = table_reader_info(tr)->size;
	size_t want = off >= end ? 0 : size;
	int r;

	if (want > end - off)
		want = (size_t)(end - off);
	if (want == 0)
		return 0;
	r = table_reader_locate(tr, off, want, &ret->fd, &ret->fd_off,
				&ret->size, err);
	if (r < 0 || ret->size == want)
		return r;
	ret->fd = -1;
	ret->size = 0;
	ret->own = malloc(want);
	if (!ret->own)
		return cvx_fail_memory(err);
	ret->data = ret->own;
	return table_reader_read(tr, off, ret->own, want, &ret->size, err);
}

/* A stored file, which does not change. */
static int read_stored(const struct stage_base *b, uint64_t off, size_t size,
		       struct view_bytes *ret)
{
	if (off >= b->size)
		return 0;
	ret->fd = b->fd;
	ret->fd_off = off;
	ret->size = b->size - off < size ? (size_t)(b->size - off) : size;
	return 0;
}

/* A short answer would be the end of the file. */
static int read_index(struct index_reader *ir, uint64_t off, size_t size,
		      struct view_bytes *ret, struct cvx_err *err)
{
	ret->own = malloc(size);
	if (!ret->own)
		return cvx_fail_memory(err);
	ret->data = ret->own;
	return index_reader_read(ir, off, ret->own, size, &ret->size, err);
}

static int read_file(int fd, uint64_t off, size_t size, struct view_bytes *ret,
		     struct cvx_err *err)
{
	int r;

	ret->own = malloc(size);
	if (!ret->own)
		return cvx_fail_memory(err);
	ret->data = ret->own;
	r = file_pread(fd, ret->own, size, off, &ret->size);
	return r < 0 ? cvx_fail(err, r, "cannot read a kept file: %s",
				strerror(-r))
		     : 0;
}

int view_read(struct view *v, uint64_t off, size_t size, struct view_bytes *ret,
	      struct cvx_err *err)
{
	int r;

	*ret = (struct view_bytes){.fd = -1};
	if (v->index)
		r = read_index(v->index, off, size, ret, err);
	else if (v->bytes.reader)
		r = read_table(v->bytes.reader, off, size, ret, err);
	else if (v->bytes.text)
		r = read_text(v->bytes.text, off, size, ret);
	else if (v->revision.revision)
		r = read_stored(&v->bytes, off, size, ret);
	else
		r = read_file(v->bytes.fd, off, size, ret, err);
	if (r < 0)
		free(CVX_TAKE(ret->own));
	return r;
}
