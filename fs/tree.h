/*
 * tree: what each name of the mount is, told from the name alone
 * (filesystem.md 1 and 2).
 *
 * A place is what a name stands for below a folder: a table, the documents of
 * a table, a drop, a scratch file. Whether something is there is another
 * question; a place says what it would be. So a name has two readings, one as
 * a folder and one as a file: "sedAbC1" at the root is a table to mkdir and a
 * scratch file to an editor.
 *
 * Each component has the same tree; only README.md is at the top of the mount
 * alone, and so is what .convex has of the whole deployment.
 *
 * Names that begin with '.' are never targets: editors, rsync and others keep
 * their temporary files under them. At the root such a folder is a scratch
 * folder, and a file that has a target's ending but no table's name before it
 * is refused, so that nobody takes a file that is never imported for one that
 * was. In _storage it is the other way round: every other name is that of a
 * file to be stored, but for what begins with "documents.jsonl".
 *
 * Threads: any; nothing here has state and nothing touches a disk.
 */
#ifndef CVX_FS_TREE_H
#define CVX_FS_TREE_H

#include <stdbool.h>

#include "importer/format/format.h"
#include "importer/import.h"
#include "importer/value/id.h"
#include "importer/value/name.h"

struct cvx_err;

/* The longest name and the longest path that the mount takes. */
#define TREE_NAME_MAX 255
#define TREE_PATH_MAX 4095

enum tree_kind {
	/* folders */
	TREE_ROOT,
	TREE_TABLE,
	TREE_REGISTRY_DIR,	    /* _tables */
	TREE_STORAGE_DIR,	    /* _storage */
	TREE_COMPONENTS_DIR,	    /* _components */
	TREE_COMPONENT,		    /* _components/<name> */
	TREE_CONTROL_DIR,	    /* .convex */
	TREE_COMPONENT_CONTROL_DIR, /* that of a component */
	TREE_INDEXES_DIR,	    /* .convex/indexes */
	TREE_INDEX_DIR,		    /* .convex/indexes/<table> */
	TREE_SCRATCH_DIR,

	/* files that are always there, or never */
	TREE_README,
	TREE_DOCUMENTS, /* <table>/documents.jsonl */
	TREE_MARKER,	/* <table>/generated_schema.jsonl */
	TREE_REGISTRY,	/* _tables/documents.jsonl */
	TREE_FILE_LIST, /* _storage/documents.jsonl */
	TREE_SCHEMA,	/* .convex/schema.json */
	TREE_INDEX,	/* .convex/indexes/<table>/<index>.jsonl */
	TREE_DEPLOYMENT,
	TREE_IMPORTS,
	TREE_STAGED, /* .convex/staged.jsonl */
	TREE_LAST_ERROR,
	TREE_BACKUP,	  /* .convex/snapshot.zip */
	TREE_FULL_BACKUP, /* .convex/snapshot-with-storage.zip */
	TREE_REJECTED,	  /* FILE.rejected and FILE.error beside a target */
	TREE_ERROR,

	/* files that exist when someone makes them */
	TREE_DROP,    /* imported; documents.csv and .json are drops too */
	TREE_ARCHIVE, /* a ZIP at the root of a component: restored */
	TREE_UPLOAD,  /* in _storage: stored under a new id */
	TREE_FILE,    /* _storage/<id>, with any ending: under that id */
	TREE_SCRATCH,
};

struct tree_place {
	enum tree_kind kind;
	/* The path in the deployment of the component that it belongs to (of
	 * TREE_COMPONENT: that it is). Not its own: who gives one to
	 * tree_root() or tree_component() lets it live as long as all places.
	 */
	const char *component;
	/* of the table folder, of a file in it, of a drop at the root */
	char table[NAME_MAX_SIZE + 1];
	char id[ID_TEXT_MAX + 1];      /* FILE */
	char index[NAME_MAX_SIZE + 1]; /* INDEX */
	enum format_kind format;       /* DOCUMENTS and DROP */
	bool mode_named;	       /* the name says the mode (M-2, M-3) */
	enum import_mode mode;	       /* if it does */
};

/* The place of the mount's top, which shows that component. */
struct tree_place tree_root(const char *component);

/* The place of another component, below its _components. */
struct tree_place tree_component(const char *component);

/*
 * What the name would be in the folder. What may not be there is refused:
 * -EINVAL or -ENAMETOOLONG for names, -EPERM for what has its place elsewhere
 * or nowhere. A look-up takes every refusal for "not there".
 *
 * Of a TREE_COMPONENT the component is still that of the folder. Its own path
 * is both of them joined, and tree_component() of that is its place.
 */
int tree_folder(const struct tree_place *parent, const char *name,
		struct tree_place *ret, struct cvx_err *err);
int tree_file(const struct tree_place *parent, const char *name,
	      struct tree_place *ret, struct cvx_err *err);

bool tree_is_folder(enum tree_kind kind);

/* Closing a written file of this place imports documents into its table. */
bool tree_is_import(enum tree_kind kind);

/* A file of this place is there while it is staged, and gone when what it
 * holds is in the deployment (W-11). */
bool tree_is_drop(enum tree_kind kind);

/* What is appended to a file of this place is all that is imported (M-1). */
bool tree_can_append(enum tree_kind kind);

/* Writing to it means something to the deployment, if only to be refused. */
bool tree_is_target(enum tree_kind kind);

/*
 * What a scratch file in the folder will probably be renamed to, so that its
 * import can follow the writer: ".NAME.XXXXXX" (rsync, editors) to NAME, and
 * anything else in a table's folder to documents.jsonl. Puts the name into
 * ret_name of TREE_NAME_MAX + 1 bytes; false if there is nothing to guess.
 */
bool tree_guess(const struct tree_place *parent, const char *name,
		struct tree_place *ret, char *ret_name);

/* The mode of an import through the place (M-1 to M-4). */
enum import_mode tree_mode(const struct tree_place *place, bool append,
			   enum import_mode mount_mode);

/* ".rejected" and ".error". */
#define TREE_REJECTED_SUFFIX ".rejected"
#define TREE_ERROR_SUFFIX ".error"

/* How long the path of a reject's file is without its suffix. */
size_t tree_reject_base(enum tree_kind kind, const char *path);

/* Puts dir, '/' and name into ret (of TREE_PATH_MAX + 1 bytes); "" is the
 * top, or the root component. -ENAMETOOLONG if it does not fit. */
int tree_join(char *ret, const char *dir, const char *name);

#endif
