#include "fs/tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cache/base/err.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The part of a name that has been understood so far is cut off its end. */
struct stem {
	const char *text;
	size_t size;
};

static bool stem_cut(struct stem *s, const char *suffix)
{
	size_t n = strlen(suffix);

	if (s->size <= n || memcmp(s->text + s->size - n, suffix, n) != 0)
		return false;
	s->size -= n;
	return true;
}

static bool is(const char *name, const char *word)
{
	return strcmp(name, word) == 0;
}

static int check_name(const char *name, struct cvx_err *err)
{
	if (strlen(name) > TREE_NAME_MAX)
		return cvx_fail(err, -ENAMETOOLONG,
				"the name is longer than %d bytes",
				TREE_NAME_MAX);
	return 0;
}

static void set_table(struct tree_place *place, const char *table, size_t size)
{
	memcpy(place->table, table, size);
	place->table[size] = '\0';
}

struct tree_place tree_root(const char *component)
{
	return (struct tree_place){
		.kind = TREE_ROOT,
		.component = component,
	};
}

struct tree_place tree_component(const char *component)
{
	return (struct tree_place){
		.kind = TREE_COMPONENT,
		.component = component,
	};
}

static bool is_component(enum tree_kind kind)
{
	return kind == TREE_ROOT || kind == TREE_COMPONENT;
}

bool tree_is_folder(enum tree_kind kind)
{
	return kind <= TREE_SCRATCH_DIR;
}

bool tree_is_import(enum tree_kind kind)
{
	return kind == TREE_DOCUMENTS || kind == TREE_DROP;
}

bool tree_is_drop(enum tree_kind kind)
{
	return kind == TREE_DROP || kind == TREE_ARCHIVE ||
	       kind == TREE_UPLOAD || kind == TREE_FILE;
}

bool tree_can_append(enum tree_kind kind)
{
	return kind == TREE_DROP || kind == TREE_ARCHIVE;
}

bool tree_is_target(enum tree_kind kind)
{
	switch (kind) {
	case TREE_README:
	case TREE_DOCUMENTS:
	case TREE_MARKER:
	case TREE_REGISTRY:
	case TREE_FILE_LIST:
	case TREE_SCHEMA:
	case TREE_DROP:
	case TREE_ARCHIVE:
	case TREE_UPLOAD:
	case TREE_FILE:
		return true;
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
	case TREE_DEPLOYMENT:
	case TREE_IMPORTS:
	case TREE_STAGED:
	case TREE_LAST_ERROR:
	case TREE_BACKUP:
	case TREE_FULL_BACKUP:
	case TREE_REJECTED:
	case TREE_ERROR:
	case TREE_SCRATCH:
		return false;
	}
	return false;
}

static bool cut_format(struct stem *s, enum format_kind *ret)
{
	static const struct {
		const char *suffix;
		enum format_kind format;
	} endings[] = {
		{".jsonl", FORMAT_JSONL},
		{".csv", FORMAT_CSV},
		{".json", FORMAT_JSON},
	};

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		if (stem_cut(s, endings[i].suffix)) {
			*ret = endings[i].format;
			return true;
		}
	}
	return false;
}

static bool cut_mode(struct stem *s, enum import_mode *ret)
{
	static const struct {
		const char *suffix;
		enum import_mode mode;
	} words[] = {
		{".append", IMPORT_APPEND},
		{".replace", IMPORT_REPLACE},
		{".require-empty", IMPORT_REQUIRE_EMPTY},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (stem_cut(s, words[i].suffix)) {
			*ret = words[i].mode;
			return true;
		}
	}
	return false;
}

/* M-2: of archives only. */
static bool cut_replace_all(struct stem *s, enum import_mode *ret)
{
	if (!stem_cut(s, ".replace-all"))
		return false;
	*ret = IMPORT_REPLACE_ALL;
	return true;
}

/*
 * A file that is imported, with its format and, if the name says it, its mode
 * (M-2). The rest of the name goes to *stem.
 */
static bool parse_drop(const char *name, struct tree_place *place,
		       struct stem *stem)
{
	stem->text = name;
	stem->size = strlen(name);
	if (name[0] == '.' || !cut_format(stem, &place->format))
		return false;
	place->mode_named = cut_mode(stem, &place->mode);
	place->kind = TREE_DROP;
	return true;
}

static int refuse_long(const char *name, const char *of, struct cvx_err *err)
{
	return cvx_fail_named(err, -ENAMETOOLONG, "ImportInvalidName",
			      "%.64s...: the name of a %s has at most %d "
			      "bytes",
			      name, of, NAME_MAX_SIZE);
}

static int component_file(const struct tree_place *parent, const char *name,
			  struct tree_place *place, struct cvx_err *err)
{
	struct stem stem = {name, strlen(name)};

	if (parent->kind == TREE_ROOT && is(name, "README.md")) {
		place->kind = TREE_README;
	} else if (parse_drop(name, place, &stem)) {
		if (stem.size > NAME_MAX_SIZE)
			return refuse_long(stem.text, "table", err);
		if (!name_is_user_table(stem.text, stem.size))
			return cvx_fail_named(
				err, -EINVAL, "ImportInvalidName",
				"%s: '%.*s' cannot be the name of a table",
				name, (int)stem.size, stem.text);
		set_table(place, stem.text, stem.size);
	} else if (name[0] != '.' && stem_cut(&stem, ".zip")) {
		place->kind = TREE_ARCHIVE;
		place->mode_named = cut_mode(&stem, &place->mode) ||
				    cut_replace_all(&stem, &place->mode);
	}
	return 0;
}

static void table_file(const struct tree_place *parent, const char *name,
		       struct tree_place *place)
{
	struct stem stem;

	set_table(place, parent->table, strlen(parent->table));
	if (is(name, "documents.jsonl")) {
		place->kind = TREE_DOCUMENTS;
		place->format = FORMAT_JSONL;
		place->mode_named = true;
		place->mode = IMPORT_REPLACE;
	} else if (is(name, "generated_schema.jsonl")) {
		place->kind = TREE_MARKER;
	} else if (parse_drop(name, place, &stem) &&
		   (is(name, "documents.csv") || is(name, "documents.json"))) {
		place->mode_named = true; /* M-3 */
		place->mode = IMPORT_REPLACE;
	}
}

/* Whether the name, up to its first '.', is the text of an id. */
static bool parse_id(const char *name, char ret[ID_TEXT_MAX + 1])
{
	size_t size = strcspn(name, ".");
	struct internal_id id;
	uint32_t number;

	if (size > ID_TEXT_MAX || id_decode(name, size, &number, &id) < 0)
		return false;
	memcpy(ret, name, size);
	ret[size] = '\0';
	return true;
}

static void storage_file(const char *name, struct tree_place *place)
{
	static const char list[] = "documents.jsonl";

	if (is(name, list))
		place->kind = TREE_FILE_LIST;
	else if (strncmp(name, list, sizeof(list) - 1) == 0)
		return; /* what editors keep beside it */
	else if (parse_id(name, place->id))
		place->kind = TREE_FILE;
	else if (name[0] != '.')
		place->kind = TREE_UPLOAD;
}

static int refuse_to_make(struct cvx_err *err)
{
	return cvx_fail(err, -EPERM, "nothing can be made in .convex/");
}

static bool is_control(enum tree_kind kind)
{
	return kind == TREE_CONTROL_DIR || kind == TREE_COMPONENT_CONTROL_DIR;
}

/* Editors make other files than schema.json beside it; those are scratch. */
static void control_file(const struct tree_place *parent, const char *name,
			 struct tree_place *place)
{
	if (is(name, "schema.json"))
		place->kind = TREE_SCHEMA;
	else if (parent->kind != TREE_CONTROL_DIR)
		return;
	else if (is(name, "deployment.json"))
		place->kind = TREE_DEPLOYMENT;
	else if (is(name, "imports.jsonl"))
		place->kind = TREE_IMPORTS;
	else if (is(name, "staged.jsonl"))
		place->kind = TREE_STAGED;
	else if (is(name, "last-error"))
		place->kind = TREE_LAST_ERROR;
	else if (is(name, "snapshot.zip"))
		place->kind = TREE_BACKUP;
	else if (is(name, "snapshot-with-storage.zip"))
		place->kind = TREE_FULL_BACKUP;
}

/* <index>.jsonl */
static int index_file(const struct tree_place *parent, const char *name,
		      struct tree_place *place, struct cvx_err *err)
{
	struct stem stem = {name, strlen(name)};

	if (!stem_cut(&stem, ".jsonl") || stem.size > NAME_MAX_SIZE)
		return refuse_to_make(err);
	place->kind = TREE_INDEX;
	set_table(place, parent->table, strlen(parent->table));
	memcpy(place->index, stem.text, stem.size);
	place->index[stem.size] = '\0';
	return 0;
}

/* The name without suffix, if that is a target. */
static bool parse_reject(const struct tree_place *parent, const char *name,
			 const char *suffix, enum tree_kind kind,
			 struct tree_place *place)
{
	struct stem stem = {name, strlen(name)};
	char base[TREE_NAME_MAX + 1];
	struct tree_place of;

	if (!stem_cut(&stem, suffix) || stem.size > TREE_NAME_MAX)
		return false;
	memcpy(base, stem.text, stem.size);
	base[stem.size] = '\0';
	if (tree_file(parent, base, &of, NULL) < 0 || !tree_is_target(of.kind))
		return false;
	*place = of;
	place->kind = kind;
	return true;
}

int tree_file(const struct tree_place *parent, const char *name,
	      struct tree_place *ret, struct cvx_err *err)
{
	struct tree_place place = {
		.kind = TREE_SCRATCH,
		.component = parent->component,
	};
	int r = check_name(name, err);

	if (r < 0)
		return r;
	if (parent->kind == TREE_INDEX_DIR) {
		r = index_file(parent, name, &place, err);
	} else if (parent->kind == TREE_INDEXES_DIR) {
		r = refuse_to_make(err);
	} else if (parent->kind != TREE_SCRATCH_DIR &&
		   (parse_reject(parent, name, TREE_REJECTED_SUFFIX,
				 TREE_REJECTED, &place) ||
		    parse_reject(parent, name, TREE_ERROR_SUFFIX, TREE_ERROR,
				 &place))) {
		r = 0;
	} else if (is_control(parent->kind)) {
		control_file(parent, name, &place);
	} else if (is_component(parent->kind)) {
		r = component_file(parent, name, &place, err);
	} else if (parent->kind == TREE_TABLE) {
		table_file(parent, name, &place);
	} else if (parent->kind == TREE_STORAGE_DIR) {
		storage_file(name, &place);
	} else if (parent->kind == TREE_REGISTRY_DIR &&
		   is(name, "documents.jsonl")) {
		place.kind = TREE_REGISTRY;
	}
	if (r == 0)
		*ret = place;
	return r;
}

/* A folder right in a component. */
static int component_folder(const struct tree_place *parent, const char *name,
			    struct tree_place *place, struct cvx_err *err)
{
	size_t size = strlen(name);

	if (is(name, "_tables")) {
		place->kind = TREE_REGISTRY_DIR;
	} else if (is(name, "_storage")) {
		place->kind = TREE_STORAGE_DIR;
	} else if (is(name, "_components")) {
		place->kind = TREE_COMPONENTS_DIR;
	} else if (is(name, ".convex")) {
		place->kind = parent->kind == TREE_ROOT
				      ? TREE_CONTROL_DIR
				      : TREE_COMPONENT_CONTROL_DIR;
	} else if (name[0] == '.') {
		place->kind = TREE_SCRATCH_DIR;
	} else if (size > NAME_MAX_SIZE) {
		return refuse_long(name, "table", err);
	} else if (!name_is_user_table(name, size)) {
		return cvx_fail_named(err, -EINVAL, "ImportInvalidName",
				      "'%s' cannot be the name of a table: "
				      "letters, digits and '_' only, and a "
				      "letter first",
				      name);
	} else {
		place->kind = TREE_TABLE;
		set_table(place, name, size);
	}
	return 0;
}

/* A folder in .convex/indexes. */
static int index_folder(const char *name, struct tree_place *place,
			struct cvx_err *err)
{
	size_t size = strlen(name);

	if (size > NAME_MAX_SIZE || !name_is_user_table(name, size))
		return refuse_to_make(err);
	place->kind = TREE_INDEX_DIR;
	set_table(place, name, size);
	return 0;
}

/* A folder in _components. */
static int named_component(const char *name, struct tree_place *place,
			   struct cvx_err *err)
{
	size_t size = strlen(name);

	if (name[0] == '.')
		return 0; /* a scratch folder, as everywhere */
	if (size > NAME_MAX_SIZE)
		return refuse_long(name, "component", err);
	if (!name_is_identifier(name, size))
		return cvx_fail_named(err, -EINVAL, "InvalidComponentPath",
				      "'%s' cannot be the name of a component: "
				      "letters, digits and '_' only, and no "
				      "digit first",
				      name);
	place->kind = TREE_COMPONENT;
	return 0;
}

int tree_folder(const struct tree_place *parent, const char *name,
		struct tree_place *ret, struct cvx_err *err)
{
	struct tree_place place = {
		.kind = TREE_SCRATCH_DIR,
		.component = parent->component,
	};
	int r = check_name(name, err);

	if (r < 0)
		return r;
	if (is_component(parent->kind))
		r = component_folder(parent, name, &place, err);
	else if (parent->kind == TREE_COMPONENTS_DIR)
		r = named_component(name, &place, err);
	else if (parent->kind == TREE_STORAGE_DIR && name[0] != '.')
		r = cvx_fail(err, -EPERM,
			     "%s: there are no folders in _storage", name);
	else if (is_control(parent->kind) && is(name, "indexes"))
		place.kind = TREE_INDEXES_DIR;
	else if (parent->kind == TREE_INDEXES_DIR)
		r = index_folder(name, &place, err);
	else if (is_control(parent->kind) || parent->kind == TREE_INDEX_DIR)
		r = refuse_to_make(err);
	if (r == 0)
		*ret = place;
	return r;
}

bool tree_guess(const struct tree_place *parent, const char *name,
		struct tree_place *ret, char *ret_name)
{
	const char *dot = strrchr(name, '.');

	if (name[0] == '.' && dot > name + 1) {
		memcpy(ret_name, name + 1, (size_t)(dot - name) - 1);
		ret_name[dot - name - 1] = '\0';
		if (tree_file(parent, ret_name, ret, NULL) == 0 &&
		    tree_is_import(ret->kind))
			return true;
	}
	(void)snprintf(ret_name, TREE_NAME_MAX + 1, "documents.jsonl");
	return parent->kind == TREE_TABLE &&
	       tree_file(parent, ret_name, ret, NULL) == 0;
}

enum import_mode tree_mode(const struct tree_place *place, bool append,
			   enum import_mode mount_mode)
{
	if (append)
		return IMPORT_APPEND;
	if (place->mode_named)
		return place->mode;
	/* M-4: what a single table does not bring does not concern it. */
	if (mount_mode == IMPORT_REPLACE_ALL && place->kind != TREE_ARCHIVE)
		return IMPORT_REPLACE;
	return mount_mode;
}

size_t tree_reject_base(enum tree_kind kind, const char *path)
{
	const char *suffix =
		kind == TREE_ERROR ? TREE_ERROR_SUFFIX : TREE_REJECTED_SUFFIX;

	return strlen(path) - strlen(suffix);
}

int tree_join(char *ret, const char *dir, const char *name)
{
	int n = snprintf(ret, TREE_PATH_MAX + 1, "%s%s%s", dir,
			 dir[0] ? "/" : "", name);

	return n > TREE_PATH_MAX ? -ENAMETOOLONG : 0;
}
