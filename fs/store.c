#include "fs/store.h"

#include <errno.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/spool.h"
#include "fs/expected.h"
#include "fs/stage-private.h"
#include "fs/stored.h"
#include "importer/archive/storage_rows.h"
#include "importer/changes.h"
#include "importer/stored_file.h"

/* A row has some 250 bytes. */
#define LIST_MAX ((size_t)64 << 20)

static const char *name_of(const struct stage *s)
{
	const char *slash = strrchr(s->path, '/');

	return slash ? slash + 1 : s->path;
}

/* The content type that it shall have, to be freed; NULL: none. It can be set
 * while the file is stored. */
static int copy_type(struct stage *s, char **ret, struct cvx_err *err)
{
	const char *type = stored_type(name_of(s));
	char *copy;

	pthread_mutex_lock(&s->lock);
	if (s->has_content_type)
		type = s->content_type;
	copy = type ? strdup(type) : NULL;
	pthread_mutex_unlock(&s->lock);
	*ret = copy;
	return type && !copy ? cvx_fail_memory(err) : 0;
}

/* What it has become, for those who ask for the name they wrote. in_place: it
 * shows under that name. */
static void note_stored(struct stage *s, const char *id, bool in_place)
{
	pthread_mutex_lock(&s->lock);
	memcpy(s->stored_id, id, strlen(id) + 1);
	s->stored_in_place = in_place;
	pthread_mutex_unlock(&s->lock);
}

/* The bytes, as a file that can be read. */
static int open_bytes(struct stage *s, int *ret_fd, struct cvx_err *err)
{
	int r = stage_copy_base(s, err);

	return r < 0 ? r : spool_descriptor(s->spool, ret_fd, err);
}

static int store_upload(struct stage *s, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *type = NULL;
	const struct changes *changes = s->env->changes;
	char id[ID_TEXT_MAX + 1];
	int fd;
	int r = copy_type(s, &type, err);

	if (r == 0)
		r = open_bytes(s, &fd, err);
	if (r == 0)
		r = changes->ops->store_file(changes->ctx, s->place.component,
					     type, fd, spool_size(s->spool), id,
					     err);
	if (r == 0)
		note_stored(s, id, false);
	return r;
}

/* What a file of that id is, if no row tells. */
static int make_row(const char *id, const char *type, struct storage_row *ret,
		    struct cvx_err *err)
{
	struct storage_row row = {.number = 0};

	if (id_decode(id, strlen(id), &row.number, &row.key) < 0)
		return cvx_fail(err, -EINVAL, "%s: is no id", id);
	if (type && !(row.content_type = strdup(type)))
		return cvx_fail_memory(err);
	*ret = row;
	return 0;
}

static int store_by_id(struct stage *s, struct expected *e, struct cvx_err *err)
{
	CVX_AUTO(storage_row_fini) struct storage_row row = {.number = 0};
	CVX_AUTO(cvx_freep) char *type = NULL;
	CVX_AUTO(stored_file_fini) struct stored_file now = {.size = 0};
	const struct changes *changes = s->env->changes;
	char name[TREE_NAME_MAX + 1];
	struct storage_row told;
	int r = copy_type(s, &type, err), fd;

	if (r == 0)
		r = make_row(s->place.id, type, &row, err);
	if (r == 0)
		r = expected_find(e, s->place.component, row.number, &row.key,
				  &told, err);
	if (r == 1) {
		storage_row_fini(&row);
		row = told;
	}
	if (r >= 0)
		r = open_bytes(s, &fd, err);
	if (r == 0)
		r = changes->ops->restore_file(changes->ctx, s->place.component,
					       &row, fd, spool_size(s->spool),
					       &now.content_type, err);
	if (r < 0)
		return r;
	memcpy(now.id, s->place.id, sizeof(now.id));
	stored_name(&now, name);
	note_stored(s, s->place.id, strcmp(name, name_of(s)) == 0);
	return 0;
}

static int take_list(struct stage *s, struct expected *e, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini) struct cvx_buf text = CVX_BUF_INIT(LIST_MAX);
	CVX_AUTO(storage_rows_fini) struct storage_rows rows = {NULL, 0};
	const struct changes *changes = s->env->changes;
	int r = stage_read_all(s, LIST_MAX, &text, err);

	if (r == 0)
		r = storage_rows_read(text.data, text.size, &rows, err);
	if (r == 0)
		r = changes->ops->describe_files(changes->ctx,
						 s->place.component, rows.list,
						 rows.count, err);
	return r < 0 ? r : expected_put(e, s->place.component, &rows, err);
}

int store_commit(struct stage *s, struct expected *e, struct cvx_err *err)
{
	if (s->place.kind == TREE_UPLOAD)
		return store_upload(s, err);
	if (s->place.kind == TREE_FILE)
		return store_by_id(s, e, err);
	return take_list(s, e, err);
}

int store_retype(const struct stage_env *env, const char *component,
		 const char *id, const char *content_type, struct cvx_err *err)
{
	CVX_AUTO(storage_row_fini) struct storage_row row = {.number = 0};
	const struct changes *changes = env->changes;
	int r = make_row(id, content_type, &row, err);

	return r < 0 ? r
		     : changes->ops->describe_files(changes->ctx, component,
						    &row, 1, err);
}
