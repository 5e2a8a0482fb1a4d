/*
 * ops_xattr: extended attributes (T-6).
 *
 * What we hand out for writing is FOPEN_DIRECT_IO, so the kernel does not ask
 * for security.capability before each write (fuse-facts.md b); else these
 * would cost a request a write.
 *
 * They say what is so: cp -a and rsync -X, which bring back what they have
 * copied, may set and remove them to no effect, like owners and modes. Only the
 * content type of a stored file, or of one that will be, is what it is set to.
 * Other attributes are refused.
 */
#include "fs/ops.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "fs/store.h"
#include "importer/deployment.h"
#include "importer/stored_file.h"
#include "importer/value/mime.h"
#include "importer/value/number.h"

#define XATTR_PREFIX "user.convex."
#define XATTR_TYPE "user.mime_type"
#define XATTR_SIZE_MAX ((size_t)64 << 10)

/* Who asks for attributes of what. */
struct asking {
	struct session *s;
	const struct node *n;
	const struct patience *patience; /* with a deployment elsewhere */
	struct cvx_err *err;		 /* why that one does not tell */
};

/* One attribute. print puts out the value; -ENODATA: the node has none. */
struct xattr {
	const char *name;
	int (*print)(const struct asking *q, struct cvx_buf *out);
	bool is_always; /* there: it need not be printed to be listed */
};

static int stat_table(const struct asking *q, struct table_info *ret)
{
	return deployment_stat_table(q->s->settings.deployment,
				     q->n->place.component, q->n->place.table,
				     ret, NULL);
}

static int print_documents(const struct asking *q, struct cvx_buf *out)
{
	uint64_t count = 0;
	int r = origin_count_documents(q->s->settings.deployment,
				       q->n->place.component, q->n->place.table,
				       q->patience, &count, q->err);

	return r < 0 ? r : cvx_buf_printf(out, "%" PRIu64, count);
}

static int print_number(const struct asking *q, struct cvx_buf *out)
{
	struct table_info info;
	int r = stat_table(q, &info);

	return r < 0 ? r : cvx_buf_printf(out, "%" PRIu32, info.number);
}

static int print_revision(const struct asking *q, struct cvx_buf *out)
{
	struct table_info info;
	int r = origin_hold_table(q->s->settings.deployment,
				  q->n->place.component, q->n->place.table,
				  ORIGIN_NOW, q->patience, q->err);

	if (r == 0)
		r = stat_table(q, &info);
	return r < 0 ? r : cvx_buf_printf(out, "%" PRIu64, info.revision);
}

static int print_last_error(const struct asking *q, struct cvx_buf *out)
{
	int r = deployment_print_last_error(q->s->settings.deployment,
					    q->n->place.component,
					    q->n->place.table, out, NULL);

	while (out->size > 0 && out->data[out->size - 1] == '\n')
		out->size--; /* it is a value, not a file */
	return r == 0 && out->size == 0 ? -ENODATA : r;
}

static const struct xattr table_xattrs[] = {
	{XATTR_PREFIX "documents", print_documents, true},
	{XATTR_PREFIX "table_number", print_number, true},
	{XATTR_PREFIX "revision", print_revision, true},
	{XATTR_PREFIX "last_error", print_last_error, false},
	{NULL, NULL, false},
};

/* The stored file, the caller's to stored_file_fini(). */
static int find_stored(const struct asking *q, struct stored_file *ret)
{
	int r = deployment_find_stored_file(q->s->settings.deployment,
					    q->n->place.component,
					    q->n->place.id, ret, NULL);

	return r == -ENOENT ? -ENODATA : r;
}

static int print_mime_type(const struct asking *q, struct cvx_buf *out)
{
	struct stored_file f;
	int r = find_stored(q, &f);

	if (r < 0)
		return r;
	r = f.content_type ? cvx_buf_puts(out, f.content_type) : -ENODATA;
	stored_file_fini(&f);
	return r;
}

/* In hexadecimal, as sha256sum prints it. */
static int print_sha256(const struct asking *q, struct cvx_buf *out)
{
	struct stored_file f;
	int r = find_stored(q, &f);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < sizeof(f.sha256); i++)
		r = cvx_buf_printf(out, "%02x", f.sha256[i]);
	stored_file_fini(&f);
	return r;
}

/* As in _storage/documents.jsonl. */
static int print_creation_time(const struct asking *q, struct cvx_buf *out)
{
	char text[NUMBER_TEXT_MAX];
	struct stored_file f;
	int r = find_stored(q, &f);

	if (r < 0)
		return r;
	r = cvx_buf_append(out, text, number_print(f.creation_time, text));
	stored_file_fini(&f);
	return r;
}

/* The one that the name now stands for, which may be a later one. */
static void read_ghost_id(struct session *s, const struct node *n,
			  char ret[ID_TEXT_MAX + 1])
{
	struct name there = names_find(s->names, n->path);

	memcpy(ret, there.stored_id, sizeof(there.stored_id));
	stage_unref(there.stage);
}

static int print_stored_id(const struct asking *q, struct cvx_buf *out)
{
	char id[ID_TEXT_MAX + 1];

	if (q->n->ghost)
		read_ghost_id(q->s, q->n, id);
	else if (q->n->stage)
		stage_stored_id(q->n->stage, id);
	else
		memcpy(id, q->n->place.id, sizeof(id));
	return id[0] ? cvx_buf_puts(out, id) : -ENODATA;
}

static const struct xattr file_xattrs[] = {
	{XATTR_TYPE, print_mime_type, false},
	{XATTR_PREFIX "sha256", print_sha256, false},
	{XATTR_PREFIX "creation_time", print_creation_time, false},
	{XATTR_PREFIX "storage_id", print_stored_id, false},
	{NULL, NULL, false},
};

static const struct xattr upload_xattrs[] = {
	{XATTR_PREFIX "storage_id", print_stored_id, false},
	{NULL, NULL, false},
};

static const struct xattr no_xattrs[] = {{NULL, NULL, false}};

/* The attributes that the node may have, in the order of the list. */
static const struct xattr *xattrs_of(const struct node *n)
{
	if (n->place.kind == TREE_TABLE ||
	    (n->place.kind == TREE_DOCUMENTS && !n->stage))
		return table_xattrs;
	if (n->place.kind == TREE_FILE && !n->stage && !n->ghost)
		return file_xattrs;
	if (n->place.kind == TREE_FILE || n->place.kind == TREE_UPLOAD)
		return upload_xattrs;
	return no_xattrs;
}

/* The protocol of both calls: size 0 asks for the size. */
static void reply_value(fuse_req_t req, const struct cvx_buf *value,
			size_t size)
{
	if (size == 0)
		fuse_reply_xattr(req, value->size);
	else if (size < value->size)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, value->data, value->size);
}

/* What came of either. */
static void reply(const struct asking *q, fuse_req_t req, int r,
		  const struct cvx_buf *value, size_t size)
{
	if (r == 0)
		reply_value(req, value, size);
	else if (q->err->code)
		ops_give_up(req, q->n->path, q->err);
	else
		fuse_reply_err(req, -r);
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf value = CVX_BUF_INIT(XATTR_SIZE_MAX);
	struct session *s = ops_session(req);
	struct node *n = nodes_find(s->nodes, ino);
	const struct xattr *x = n ? xattrs_of(n) : no_xattrs;
	struct ops_waiting w = {s, req};
	const struct patience patience = ops_patience(&w);
	struct cvx_err err = CVX_ERR_INIT;
	const struct asking q = {s, n, &patience, &err};
	int r = -ENODATA;

	while (x->name && strcmp(x->name, name) != 0)
		x++;
	if (x->name) {
		ops_settle(req);
		r = x->print(&q, &value);
	}
	reply(&q, req, r, &value, size);
	node_unref(s->nodes, n);
}

/* Only what has a value is listed. */
static int print_list(const struct asking *q, struct cvx_buf *out)
{
	int r = 0;

	for (const struct xattr *x = xattrs_of(q->n); r == 0 && x->name; x++) {
		CVX_AUTO(cvx_buf_fini)
		struct cvx_buf value = CVX_BUF_INIT(XATTR_SIZE_MAX);

		r = x->is_always ? 0 : x->print(q, &value);
		if (r == 0)
			r = cvx_buf_append(out, x->name, strlen(x->name) + 1);
		else if (r == -ENODATA)
			r = 0;
	}
	return r;
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf list = CVX_BUF_INIT(XATTR_SIZE_MAX);
	struct session *s = ops_session(req);
	struct node *n = nodes_find(s->nodes, ino);
	struct ops_waiting w = {s, req};
	const struct patience patience = ops_patience(&w);
	struct cvx_err err = CVX_ERR_INIT;
	const struct asking q = {s, n, &patience, &err};
	int r = 0;

	if (n && xattrs_of(n)->name) {
		ops_settle(req);
		r = print_list(&q, &list);
	}
	reply(&q, req, r, &list, size);
	node_unref(s->nodes, n);
}

/* --- setting ---------------------------------------------------------------
 */

/* Facts, which are what they are. */
static bool is_fact(const char *name)
{
	return strncmp(name, XATTR_PREFIX, strlen(XATTR_PREFIX)) == 0;
}

/* A content type can be set: before a file is stored, or of one that is. */
static int set_type(struct session *s, const struct node *n, const char *type,
		    struct cvx_err *err)
{
	char id[ID_TEXT_MAX + 1];

	if (s->settings.read_only)
		return cvx_fail(err, -EROFS, "the mount is read-only");
	if (n->stage)
		return stage_set_content_type(n->stage, type, err);
	if (n->ghost)
		read_ghost_id(s, n, id);
	else
		memcpy(id, n->place.id, sizeof(id));
	if (!id[0])
		return cvx_fail(err, -ENOTSUP, "%s: has no content type",
				n->path);
	return store_retype(&s->stage_env, n->place.component, id, type, err);
}

static int read_type(const char *value, size_t size,
		     char ret[MIME_TYPE_MAX + 1], struct cvx_err *err)
{
	memcpy(ret, value, size);
	if (memchr(value, '\0', size) || mime_normalise(ret, &size) < 0)
		return cvx_fail(err, -EINVAL, "\"%.*s\" is no content type",
				(int)size, value);
	ret[size] = '\0';
	return 0;
}

/* value NULL: to remove it. */
static void set_attribute(fuse_req_t req, fuse_ino_t ino, const char *name,
			  const char *value, size_t size)
{
	struct session *s = ops_session(req);
	struct node *n = nodes_find(s->nodes, ino);
	struct cvx_err err = CVX_ERR_INIT;
	char type[MIME_TYPE_MAX + 1];
	int r = -ENOTSUP;

	if (is_fact(name))
		r = 0;
	else if (n && strcmp(name, XATTR_TYPE) == 0 && size <= MIME_TYPE_MAX)
		r = value ? read_type(value, size, type, &err) : 0;
	if (r == 0 && !is_fact(name)) {
		ops_settle(req);
		r = set_type(s, n, value ? type : NULL, &err);
	}
	if (r < 0 && err.code)
		ops_refuse(req, n->path, &err);
	else
		fuse_reply_err(req, -r);
	node_unref(s->nodes, n);
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
		 const char *value, size_t size,
		 int flags __attribute__((unused)))
{
	set_attribute(req, ino, name, value, size);
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	set_attribute(req, ino, name, NULL, 0);
}
