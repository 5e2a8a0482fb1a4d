#include "fs/listing.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/rejects.h"
#include "fs/ops.h"
#include "fs/stored.h"
#include "importer/deployment.h"
#include "importer/deployment_schema.h"
#include "importer/stored_file.h"

/* All names of a folder together. */
#define NAMES_SIZE_MAX ((size_t)256 << 20)

struct item {
	size_t name_at; /* in names */
	bool is_folder;
	uint64_t number;
};

struct listing {
	struct listings *of;
	struct listing *previous, *next; /* guarded by the lock of of */
	pthread_mutex_t lock;
	/* guarded by lock: */
	struct item *items;
	size_t count, capacity;
	struct cvx_buf names; /* each ended by NUL */
	bool has_files;	      /* the deployment of a copy has stored files */
};

struct listings {
	pthread_mutex_t lock;
	struct listing *first; /* guarded by lock */
};

int listings_new(struct listings **ret, struct cvx_err *err)
{
	struct listings *ls = calloc(1, sizeof(*ls));

	if (!ls)
		return cvx_fail_memory(err);
	pthread_mutex_init(&ls->lock, NULL);
	*ret = ls;
	return 0;
}

void listings_free(struct listings *ls)
{
	if (!ls)
		return;
	while (ls->first)
		listing_free(ls->first);
	pthread_mutex_destroy(&ls->lock);
	free(ls);
}

int listing_new(struct listings *of, struct listing **ret, struct cvx_err *err)
{
	struct listing *l = calloc(1, sizeof(*l));

	if (!l)
		return cvx_fail_memory(err);
	l->of = of;
	pthread_mutex_init(&l->lock, NULL);
	cvx_buf_init(&l->names, NAMES_SIZE_MAX);
	pthread_mutex_lock(&of->lock);
	l->next = of->first;
	if (l->next)
		l->next->previous = l;
	of->first = l;
	pthread_mutex_unlock(&of->lock);
	*ret = l;
	return 0;
}

static void take_out(struct listing *l)
{
	pthread_mutex_lock(&l->of->lock);
	if (l->previous)
		l->previous->next = l->next;
	else
		l->of->first = l->next;
	if (l->next)
		l->next->previous = l->previous;
	pthread_mutex_unlock(&l->of->lock);
}

void listing_free(struct listing *l)
{
	if (!l)
		return;
	take_out(l);
	free(l->items);
	cvx_buf_fini(&l->names);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static int add(void *ctx, const char *name, bool is_folder, uint64_t number)
{
	struct listing *l = ctx;
	size_t at = l->names.size;

	if (l->count == l->capacity) {
		size_t want = l->capacity ? l->capacity * 2 : 16;
		struct item *p = reallocarray(l->items, want, sizeof(*p));

		if (!p)
			return -ENOMEM;
		l->items = p;
		l->capacity = want;
	}
	if (cvx_buf_append(&l->names, name, strlen(name) + 1) < 0)
		return -ENOMEM;
	l->items[l->count++] = (struct item){at, is_folder, number};
	return 0;
}

static bool has(const struct listing *l, const char *name)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->names.data + l->items[i].name_at, name) == 0)
			return true;
	return false;
}

/* A folder of the deployment, with the number under which it is known. */
static int add_folder(struct listing *l, struct session *s, const char *dir,
		      const char *name)
{
	char path[TREE_PATH_MAX + 1];
	uint64_t number = 0;

	if (tree_join(path, dir, name) == 0)
		number = nodes_number_of(s->nodes, path, 0);
	return add(l, name, true, number);
}

static int add_tables(struct listing *l, struct session *s,
		      const struct tree_place *place, const char *dir,
		      struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct table_info *tables = NULL;
	size_t count = 0;
	int r = deployment_list_tables(s->settings.deployment, place->component,
				       &tables, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++)
		if (add_folder(l, s, dir, tables[i].name) < 0)
			r = cvx_fail_memory(err);
	return r;
}

/* The components right below the place's own, or only their folder. */
static int add_components(struct listing *l, struct session *s,
			  const struct tree_place *place, const char *dir,
			  struct cvx_err *err)
{
	char **paths;
	const char *slash;
	size_t count;
	int r = deployment_list_components(
		s->settings.deployment, place->component, &paths, &count, err);

	if (r < 0)
		return r;
	if (place->kind != TREE_COMPONENTS_DIR)
		r = count > 0 ? add_folder(l, s, dir, "_components") : 0;
	else
		for (size_t i = 0; r == 0 && i < count; i++) {
			slash = strrchr(paths[i], '/');
			r = add_folder(l, s, dir, slash ? slash + 1 : paths[i]);
		}
	deployment_free_components(paths);
	return r < 0 ? cvx_fail_memory(err) : 0;
}

/* The files that rejects have in the folder. */
static int add_rejects(struct listing *l, struct session *s, const char *dir)
{
	struct reject_info *list;
	char name[TREE_NAME_MAX + sizeof(TREE_REJECTED_SUFFIX)];
	size_t count, dir_size = strlen(dir);
	int r = rejects_list(s->settings.rejects, &list, &count, NULL);

	for (size_t i = 0; r == 0 && i < count; i++) {
		const char *base = list[i].path;

		if (dir_size > 0) {
			if (strncmp(base, dir, dir_size) != 0 ||
			    base[dir_size] != '/')
				continue;
			base += dir_size + 1;
		}
		if (strchr(base, '/') || strlen(base) > TREE_NAME_MAX)
			continue;
		if (list[i].has_text) {
			(void)snprintf(name, sizeof(name), "%s%s", base,
				       TREE_ERROR_SUFFIX);
			r = has(l, name) ? 0 : add(l, name, false, 0);
		}
		if (r == 0 && list[i].has_bytes) {
			(void)snprintf(name, sizeof(name), "%s%s", base,
				       TREE_REJECTED_SUFFIX);
			r = has(l, name) ? 0 : add(l, name, false, 0);
		}
	}
	if (r == 0)
		rejects_list_free(list, count);
	return r;
}

static int add_stored(struct listing *l, struct session *s,
		      const struct tree_place *place, struct cvx_err *err)
{
	char name[TREE_NAME_MAX + 1];
	struct stored_file *files;
	size_t count;
	int r = deployment_list_stored_files(
		s->settings.deployment, place->component, &files, &count, err);

	if (r < 0)
		return r;
	r = add(l, "documents.jsonl", false, 0);
	for (size_t i = 0; r == 0 && i < count; i++) {
		stored_name(&files[i], name);
		r = add(l, name, false, 0);
	}
	stored_files_free(files, count);
	return r < 0 ? cvx_fail_memory(err) : 0;
}

/* Only the folder. */
static int add_storage(struct listing *l, struct session *s,
		       const struct tree_place *place, const char *dir,
		       struct cvx_err *err)
{
	struct storage_info info;
	int r = deployment_stat_storage(s->settings.deployment,
					place->component, &info, err);

	if (r < 0)
		return r;
	if ((info.file_count > 0 || l->has_files) &&
	    add_folder(l, s, dir, "_storage") < 0)
		return cvx_fail_memory(err);
	return 0;
}

static int add_files(struct listing *l, const char *const *names)
{
	int r = 0;

	for (; r == 0 && *names; names++)
		r = add(l, *names, false, 0);
	return r;
}

static int fill_component(struct listing *l, struct session *s,
			  const struct tree_place *place, const char *dir,
			  struct cvx_err *err)
{
	int r = 0;

	if (place->kind == TREE_ROOT)
		r = add(l, "README.md", false, 0);
	if (r == 0)
		r = add_folder(l, s, dir, "_tables");
	if (r < 0)
		return cvx_fail_memory(err);
	r = add_tables(l, s, place, dir, err);
	if (r == 0)
		r = add_storage(l, s, place, dir, err);
	return r < 0 ? r : add_components(l, s, place, dir, err);
}

/* What .convex has of one component. */
static int fill_control(struct listing *l, struct session *s,
			const struct tree_place *place, const char *dir,
			struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf schema = CVX_BUF_INIT(DEPLOYMENT_SCHEMA_MAX + 1);
	int r = deployment_print_schema(s->settings.deployment,
					place->component, &schema, err);

	if (r < 0)
		return r;
	if (schema.size > 0)
		r = add(l, "schema.json", false, 0);
	if (r == 0)
		r = add_folder(l, s, dir, "indexes");
	return r < 0 ? cvx_fail_memory(err) : 0;
}

static int add_indexes(struct listing *l, struct session *s,
		       const struct tree_place *place, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) struct index_info *list = NULL;
	char name[TREE_NAME_MAX + 1];
	size_t count = 0;
	int r = deployment_list_indexes(s->settings.deployment,
					place->component, place->table, &list,
					&count, err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		(void)snprintf(name, sizeof(name), "%s.jsonl", list[i].name);
		if (add(l, name, false, 0) < 0)
			r = cvx_fail_memory(err);
	}
	return r;
}

/* What the deployment has in the folder. */
static int fill_served(struct listing *l, struct session *s,
		       const struct tree_place *place, const char *dir,
		       struct cvx_err *err)
{
	static const char *const table[] = {
		"documents.jsonl",
		"generated_schema.jsonl",
		NULL,
	};
	static const char *const registry[] = {"documents.jsonl", NULL};
	static const char *const control[] = {
		"deployment.json",
		"imports.jsonl",
		"staged.jsonl",
		"last-error",
		"snapshot.zip",
		"snapshot-with-storage.zip",
		NULL,
	};
	int r = 0;

	switch (place->kind) {
	case TREE_ROOT:
	case TREE_COMPONENT:
		return fill_component(l, s, place, dir, err);
	case TREE_STORAGE_DIR:
		return add_stored(l, s, place, err);
	case TREE_COMPONENTS_DIR:
		return add_components(l, s, place, dir, err);
	case TREE_TABLE:
		r = add_files(l, table);
		break;
	case TREE_REGISTRY_DIR:
		r = add_files(l, registry);
		break;
	case TREE_CONTROL_DIR:
		r = add_files(l, control);
		return r < 0 ? cvx_fail_memory(err)
			     : fill_control(l, s, place, dir, err);
	case TREE_COMPONENT_CONTROL_DIR:
		return fill_control(l, s, place, dir, err);
	case TREE_INDEXES_DIR:
		return add_tables(l, s, place, dir, err);
	case TREE_INDEX_DIR:
		return add_indexes(l, s, place, err);
	case TREE_SCRATCH_DIR:
	case TREE_README:
	case TREE_DOCUMENTS:
	case TREE_MARKER:
	case TREE_REGISTRY:
	case TREE_FILE_LIST:
	case TREE_SCHEMA:
	case TREE_INDEX:
	case TREE_DEPLOYMENT:
	case TREE_IMPORTS:
	case TREE_STAGED:
	case TREE_LAST_ERROR:
	case TREE_BACKUP:
	case TREE_FULL_BACKUP:
	case TREE_REJECTED:
	case TREE_ERROR:
	case TREE_DROP:
	case TREE_ARCHIVE:
	case TREE_UPLOAD:
	case TREE_FILE:
	case TREE_SCRATCH:
		break;
	}
	return r < 0 ? cvx_fail_memory(err) : 0;
}

static int fill(struct listing *l, struct session *s, const struct node *dir,
		const char *path, struct cvx_err *err)
{
	int r = add(l, ".", true, dir->number);

	if (r == 0)
		r = add(l, "..", true, 0);
	if (r < 0)
		return cvx_fail_memory(err);
	r = fill_served(l, s, &dir->place, path, err);
	if (r < 0)
		return r;
	if (names_list(s->names, path, add, l) < 0 ||
	    add_rejects(l, s, path) < 0)
		return cvx_fail_memory(err);
	return 0;
}

/* What a copy knows by name is brought up to date before it is listed. */
static int ask_origin(struct session *s, const struct tree_place *place,
		      const struct patience *patience, bool *ret_has_files,
		      struct cvx_err *err)
{
	struct deployment *d = s->settings.deployment;
	int r = 0;

	*ret_has_files = false;
	if (!origin_is_set(d))
		return 0;
	if (place->kind == TREE_STORAGE_DIR)
		return origin_list_files(d, place->component, ORIGIN_NOW,
					 patience, err);
	if (place->kind != TREE_SCRATCH_DIR)
		r = origin_list(d, place->component,
				place->kind == TREE_TABLE ? ORIGIN_RECENT
							  : ORIGIN_NOW,
				patience, err);
	if (r == 0 &&
	    (place->kind == TREE_ROOT || place->kind == TREE_COMPONENT))
		r = origin_has_files(d, place->component, patience,
				     ret_has_files, err);
	return r;
}

int listing_fill(struct listing *l, struct session *s, const struct node *dir,
		 const struct patience *patience, struct cvx_err *err)
{
	char path[TREE_PATH_MAX + 1];
	bool has_files;
	int r = ask_origin(s, &dir->place, patience, &has_files, err);

	if (r < 0)
		return r;
	nodes_path(s->nodes, dir, path);
	pthread_mutex_lock(&l->lock);
	l->has_files = has_files;
	l->count = 0;
	cvx_buf_clear(&l->names);
	r = fill(l, s, dir, path, err);
	pthread_mutex_unlock(&l->lock);
	return r;
}

void listing_walk(struct listing *l, size_t from,
		  int (*fn)(void *ctx, size_t index, const char *name,
			    int is_folder, uint64_t number),
		  void *ctx)
{
	pthread_mutex_lock(&l->lock);
	for (size_t i = from; i < l->count; i++)
		if (fn(ctx, i, l->names.data + l->items[i].name_at,
		       l->items[i].is_folder, l->items[i].number) != 0)
			break;
	pthread_mutex_unlock(&l->lock);
}
