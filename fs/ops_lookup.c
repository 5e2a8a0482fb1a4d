/*
 * ops_lookup: what stands under a name, as a node.
 */
#include "fs/ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "cache/rejects.h"
#include "fs/process.h"
#include "fs/stored.h"
#include "fs/text.h"
#include "importer/deployment.h"
#include "importer/deployment_schema.h"
#include "importer/stored_file.h"

/* A name of a folder that is being looked up. */
struct sought {
	struct session *s;
	const struct tree_place *parent;
	const char *name;
	const char *path;
	pid_t tid;
	uint64_t since_ns; /* the folder was looked up on the way; or 0 */
	const struct patience *patience; /* or NULL */
};

static int not_there(const struct sought *q, struct cvx_err *err)
{
	return cvx_fail(err, -ENOENT, "%s: there is no such file", q->path);
}

static int stage_node(const struct sought *q, struct stage *stage,
		      struct node **ret, struct cvx_err *err)
{
	const struct tree_place place = stage_place(stage, NULL);
	const struct node_key key = {
		.place = &place,
		.path = q->path,
		.stage = stage,
		.number = stage_number(stage),
	};

	return nodes_look_up(q->s->nodes, &key, ret, err);
}

static int folder_node(const struct sought *q, const struct tree_place *place,
		       uint64_t version, int64_t mtime_ns, struct node **ret,
		       struct cvx_err *err)
{
	const struct node_key key = {
		.place = place,
		.path = q->path,
		.version = version,
		.mtime_ns = mtime_ns,
	};

	return nodes_look_up(q->s->nodes, &key, ret, err);
}

/* Finds what only the mount knows. 0: found; 1: nothing of that name. */
static int find_name(const struct sought *q, struct node **ret,
		     struct cvx_err *err)
{
	struct name n = names_find(q->s->names, q->path);
	struct tree_place place = {
		.kind = TREE_SCRATCH_DIR,
		.component = q->parent->component,
	};
	struct node_key key = {
		.place = &place,
		.path = q->path,
		.version = n.serial,
		.size = n.size,
		.mtime_ns = n.mtime_ns,
	};
	int r = 1;

	switch (n.kind) {
	case NAME_NONE:
		break;
	case NAME_STAGED:
		r = stage_node(q, n.stage, ret, err);
		stage_unref(n.stage);
		break;
	case NAME_FOLDER:
		r = folder_node(q, &place, n.serial, 0, ret, err);
		break;
	case NAME_GHOST:
		key.ghost = true;
		r = tree_file(q->parent, q->name, &place, err);
		if (r == 0)
			r = nodes_look_up(q->s->nodes, &key, ret, err);
		break;
	}
	return r;
}

static int find_table(const struct sought *q, const struct tree_place *place,
		      struct node **ret, struct cvx_err *err)
{
	struct deployment *d = q->s->settings.deployment;
	struct table_info info;
	int r = place->kind == TREE_TABLE
			? origin_find_table(d, place->component, place->table,
					    q->patience, err)
			: origin_list(d, place->component, ORIGIN_RECENT,
				      q->patience, err);

	if (r == 0)
		r = deployment_stat_table(d, place->component, place->table,
					  &info, err);
	/* It may be one that is new there. */
	if (r == -ENOENT && origin_is_set(d)) {
		r = origin_list(d, place->component, ORIGIN_NOW, q->patience,
				err);
		if (r == 0)
			r = deployment_stat_table(d, place->component,
						  place->table, &info, err);
	}
	/* The node outlives commits, so it cannot hold their time. */
	return r < 0 ? r : folder_node(q, place, 0, 0, ret, err);
}

static int find_component(const struct sought *q, struct node **ret,
			  struct cvx_err *err)
{
	struct deployment *d = q->s->settings.deployment;
	char path[TREE_PATH_MAX + 1];
	struct tree_place place;
	const char *kept;
	int r = tree_join(path, q->parent->component, q->name);

	if (r < 0)
		return not_there(q, err);
	r = origin_list(d, q->parent->component, ORIGIN_RECENT, q->patience,
			err);
	if (r == 0)
		r = deployment_find_component(d, path, err);
	/* It may be one that is new there. */
	if (r == -ENOENT && origin_is_set(d)) {
		r = origin_list(d, q->parent->component, ORIGIN_NOW,
				q->patience, err);
		if (r == 0)
			r = deployment_find_component(d, path, err);
	}
	if (r == 0)
		r = components_keep(q->s->components, path, &kept, err);
	if (r < 0)
		return r;
	place = tree_component(kept);
	return folder_node(q, &place, 0, 0, ret, err);
}

static int revision_node(const struct sought *q, const struct tree_place *place,
			 const struct view_revision *revision,
			 struct node **ret, struct cvx_err *err)
{
	const struct node_key key = {
		.place = place,
		.path = q->path,
		.version = revision->revision,
		.size = revision->size,
		.mtime_ns = revision->committed_ns,
	};

	return nodes_look_up(q->s->nodes, &key, ret, err);
}

/* What the thread was sent round for. 0: found; 1: it was not. */
static int find_late(const struct sought *q, const struct tree_place *place,
		     struct node **ret, struct cvx_err *err)
{
	struct view_revision late;

	if (!marks_find_view(q->s->marks, q->tid, q->path, &late))
		return 1;
	return revision_node(q, place, &late, ret, err);
}

static int find_documents(const struct sought *q,
			  const struct tree_place *place, struct node **ret,
			  struct cvx_err *err)
{
	struct deployment *d = q->s->settings.deployment;
	struct view_revision now;
	struct table_info info;
	bool is_cleared = origin_is_set(d) && process_is_clearing(q->tid);
	int r = is_cleared ? 0
			   : origin_hold_table_since(d, place->component,
						     place->table, q->since_ns,
						     q->patience, err);

	if (r == 0)
		r = deployment_stat_table(d, place->component, place->table,
					  &info, err);
	if (r < 0)
		return r;
	now = (struct view_revision){info.revision, info.size,
				     info.committed_ns};
	/* Nobody is shown its size, for which it would be fetched. */
	if (is_cleared)
		now = (struct view_revision){.revision = NODE_CLEARED};
	return revision_node(q, place, &now, ret, err);
}

static int find_index(const struct sought *q, const struct tree_place *place,
		      struct node **ret, struct cvx_err *err)
{
	struct deployment *d = q->s->settings.deployment;
	struct view_revision now;
	struct table_info info;
	int r = origin_list(d, place->component, ORIGIN_RECENT, q->patience,
			    err);

	if (r == 0)
		r = origin_hold_table(d, place->component, place->table,
				      ORIGIN_NOW, q->patience, err);
	if (r == 0)
		r = deployment_stat_index(d, place->component, place->table,
					  place->index, &info, err);
	if (r < 0)
		return r;
	now = (struct view_revision){info.revision, info.size,
				     info.committed_ns};
	return revision_node(q, place, &now, ret, err);
}

static int find_stored(const struct sought *q, const struct tree_place *place,
		       struct node **ret, struct cvx_err *err)
{
	struct view_revision now;
	struct deployment *d = q->s->settings.deployment;
	char name[TREE_NAME_MAX + 1];
	struct stored_file f;
	int r = origin_list_files(d, place->component, ORIGIN_RECENT,
				  q->patience, err);

	if (r == 0)
		r = stored_find(d, place->component, place->id, q->patience, &f,
				err);
	if (r < 0)
		return r;
	stored_name(&f, name);
	now = stored_revision(&f);
	stored_file_fini(&f);
	if (strcmp(name, q->name) != 0)
		return not_there(q, err);
	return revision_node(q, place, &now, ret, err);
}

static int find_list(const struct sought *q, const struct tree_place *place,
		     struct node **ret, struct cvx_err *err)
{
	struct deployment *d = q->s->settings.deployment;
	struct view_revision now;
	struct storage_info info;
	int r = origin_list_files(d, place->component, ORIGIN_NOW, q->patience,
				  err);

	if (r == 0)
		r = deployment_stat_storage(d, place->component, &info, err);

	if (r < 0)
		return r;
	now = stored_list_revision(&info);
	return revision_node(q, place, &now, ret, err);
}

/* When a table was last committed, or made; 0: there is none. A registry that
 * says something else in as many bytes names a table that is newer than all it
 * had, so programs that go by time and size see it (T-2). */
static int registry_mtime(const struct sought *q, const char *component,
			  int64_t *ret_ns, struct cvx_err *err)
{
	struct table_info *tables;
	size_t count, i;
	int r = deployment_list_tables(q->s->settings.deployment, component,
				       &tables, &count, err);

	if (r < 0)
		return r;
	*ret_ns = 0;
	for (i = 0; i < count; i++)
		if (tables[i].committed_ns > *ret_ns)
			*ret_ns = tables[i].committed_ns;
	free(tables);
	return 0;
}

/* What was kept to try again is in the table. */
static void drop_imported(void *ctx, const char *path)
{
	const struct session *s = ctx;

	if (rejects_drop(s->settings.rejects, path) < 0)
		log_warning("%s: was imported after all, and what was kept of "
			    "it cannot be removed",
			    path);
}

/* Before anybody is shown what came of imports (F-3, T-5). */
static void settle_imports(const struct sought *q)
{
	origin_settle_imports(q->s->settings.deployment, q->patience,
			      drop_imported, q->s);
}

static int find_text(const struct sought *q, const struct tree_place *place,
		     struct node **ret, struct cvx_err *err)
{
	struct node_key key = {.place = place, .path = q->path};
	int r = 0;

	if (place->kind == TREE_REGISTRY || place->kind == TREE_SCHEMA)
		r = origin_list(q->s->settings.deployment, place->component,
				ORIGIN_NOW, q->patience, err);
	if (place->kind == TREE_IMPORTS)
		settle_imports(q);
	if (r == 0)
		r = view_print(&q->s->view_env, place, &key.text, err);

	if (r < 0)
		return r;
	key.version = text_version(key.text);
	key.size = key.text->size;
	if (place->kind == TREE_REGISTRY)
		r = registry_mtime(q, place->component, &key.mtime_ns, err);
	if (r == 0)
		r = nodes_look_up(q->s->nodes, &key, ret, err);
	text_unref(key.text);
	return r;
}

static int find_reject(const struct sought *q, const struct tree_place *place,
		       struct node **ret, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep)
	char *path = strndup(q->path, tree_reject_base(place->kind, q->path));
	struct node_key key = {.place = place, .path = q->path};
	struct reject_info info;

	if (!path)
		return cvx_fail_memory(err);
	settle_imports(q);
	if (rejects_find(q->s->settings.rejects, path, &info) < 0)
		return not_there(q, err);
	free(info.path);
	if (place->kind == TREE_ERROR ? !info.has_text : !info.has_bytes)
		return not_there(q, err);
	key.version = (uint64_t)info.made_ns;
	key.mtime_ns = info.made_ns;
	key.size = place->kind == TREE_ERROR ? info.text_size : info.size;
	return nodes_look_up(q->s->nodes, &key, ret, err);
}

static int find_backup(const struct sought *q, const struct tree_place *place,
		       struct node **ret, struct cvx_err *err)
{
	struct node_key key = {.place = place, .path = q->path};
	int r = backups_find(q->s->backups, place->kind == TREE_FULL_BACKUP,
			     q->tid, &key.backup, err);

	if (r < 0)
		return r;
	key.version = backup_serial(key.backup);
	r = nodes_look_up(q->s->nodes, &key, ret, err);
	backup_unref(key.backup);
	return r;
}

static int find_file(const struct sought *q, const struct tree_place *place,
		     struct node **ret, struct cvx_err *err)
{
	int r;

	if (hidden_from(q->s->hidden, q->path, q->tid))
		return not_there(q, err);
	if (view_is_text(place->kind))
		return find_text(q, place, ret, err);
	r = find_late(q, place, ret, err);
	if (r <= 0)
		return r;
	if (place->kind == TREE_DOCUMENTS)
		return find_documents(q, place, ret, err);
	if (place->kind == TREE_INDEX)
		return find_index(q, place, ret, err);
	if (place->kind == TREE_FILE_LIST)
		return find_list(q, place, ret, err);
	if (place->kind == TREE_FILE)
		return find_stored(q, place, ret, err);
	if (place->kind == TREE_BACKUP || place->kind == TREE_FULL_BACKUP)
		return find_backup(q, place, ret, err);
	if (place->kind == TREE_REJECTED || place->kind == TREE_ERROR)
		return find_reject(q, place, ret, err);
	return not_there(q, err);
}

static int find_folder(const struct sought *q, const struct tree_place *place,
		       struct node **ret, struct cvx_err *err)
{
	if (hidden_from(q->s->hidden, q->path, q->tid))
		return not_there(q, err);
	if (place->kind == TREE_TABLE || place->kind == TREE_INDEX_DIR)
		return find_table(q, place, ret, err);
	if (place->kind == TREE_COMPONENT)
		return find_component(q, ret, err);
	if (place->kind == TREE_REGISTRY_DIR ||
	    place->kind == TREE_STORAGE_DIR ||
	    place->kind == TREE_COMPONENTS_DIR ||
	    place->kind == TREE_CONTROL_DIR ||
	    place->kind == TREE_COMPONENT_CONTROL_DIR ||
	    place->kind == TREE_INDEXES_DIR)
		return folder_node(q, place, 0, 0, ret, err);
	return not_there(q, err); /* scratch folders have names of their own */
}

int lookup_node(struct session *s, const struct node *parent, const char *name,
		pid_t tid, const struct patience *patience, struct node **ret,
		struct cvx_err *err)
{
	char dir[TREE_PATH_MAX + 1], path[TREE_PATH_MAX + 1];
	const struct sought q = {
		.s = s,
		.parent = &parent->place,
		.name = name,
		.path = path,
		.tid = tid,
		.since_ns = marks_take_walk(s->marks, tid, parent->number),
		.patience = patience,
	};
	struct tree_place place;
	struct stage *mine;
	int r;

	nodes_path(s->nodes, parent, dir);
	r = tree_join(path, dir, name);
	if (r < 0)
		return cvx_fail(err, r, "the path is too long");
	mine = marks_find_ticket(s->marks, tid, path);
	if (mine) {
		r = stage_node(&q, mine, ret, err);
		stage_unref(mine);
		return r;
	}
	r = find_name(&q, ret, err);
	if (r <= 0)
		return r;
	if (tree_folder(&parent->place, name, &place, NULL) == 0 &&
	    place.kind != TREE_SCRATCH_DIR)
		return find_folder(&q, &place, ret, err);
	if (tree_file(&parent->place, name, &place, NULL) == 0)
		return find_file(&q, &place, ret, err);
	return not_there(&q, err);
}

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct session *s = ops_session(req);
	struct cvx_err err = CVX_ERR_INIT;
	struct node *dir, *n = NULL;
	struct ops_waiting w = {s, req};
	const struct patience patience = ops_patience(&w);
	const uint64_t begun_ns = origin_moment();
	struct fuse_entry_param e;
	int r;

	ops_settle(req);
	dir = nodes_find(s->nodes, parent);
	if (!dir) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	r = lookup_node(s, dir, name, ops_caller(req), &patience, &n, &err);
	log_debug("lookup %s in %llu: %d", name, (unsigned long long)parent, r);
	if (r < 0) {
		err.code = r;
		ops_give_up(req, name, &err);
	} else {
		attr_entry(s, n, &e);
		if (n->place.kind == TREE_TABLE)
			marks_put_walk(s->marks, ops_caller(req), n->number,
				       begun_ns);
		if (fuse_reply_entry(req, &e) == -ENOENT)
			nodes_forget(s->nodes, n->number, 1);
	}
	node_unref(s->nodes, n);
	node_unref(s->nodes, dir);
}

void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	nodes_forget(ops_session(req)->nodes, ino, lookups);
	fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, size_t count,
		     struct fuse_forget_data *forgets)
{
	struct session *s = ops_session(req);

	for (size_t i = 0; i < count; i++)
		nodes_forget(s->nodes, forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}
