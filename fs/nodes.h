/*
 * nodes: the inodes that the kernel knows of.
 *
 * A node is one thing under one number for as long as the kernel or an open
 * file remembers it. What can be read is a new node for each of its contents:
 * each revision of a table, each text of a generated file. So the kernel's
 * cache can never mix two, and who reads an old one reads it to its end (T-2,
 * T-3). A staged file is the node of its stage (stage.h).
 *
 * Numbers are a random tag of the mount and a counter, below 2^53 so that
 * JavaScript can hold them. The tag lets last_close.h find our files among
 * those of all file systems by number alone.
 *
 * Ownership: a node lives while look-ups or references are left. What it says
 *            is fixed, but for the path of a scratch folder.
 * Threads:   locked inside.
 */
#ifndef CVX_FS_NODES_H
#define CVX_FS_NODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/tree.h"

struct cvx_err;
struct backup;
struct nodes;
struct stage;
struct text;

#define NODES_ROOT UINT64_C(1) /* as the kernel names it */

/* The version of a node that only who clears it looks up: its size, 0, is not
 * that of what could be read. */
#define NODE_CLEARED UINT64_MAX

struct node {
	uint64_t number;
	struct tree_place place;
	char *path;	     /* a file's, as it was looked up; of folders, which
			      * may move, nodes_path() tells it */
	uint64_t version;    /* of what is read, 0 where there is only one */
	uint64_t size;	     /* of what is read */
	int64_t mtime_ns;    /* 0: the time of mounting */
	struct text *text;   /* a generated file's, or NULL */
	struct stage *stage; /* a staged file's, or NULL */
	bool ghost;	     /* of a file that has been imported (names.h) */
	struct backup *backup; /* an archive's that is made on opening, or NULL
				*/
	_Atomic pid_t reader;  /* the thread that opened it last to read it */

	/* nodes.c's own */
	uint64_t lookups;
	uint64_t refs;
	bool listed; /* found by path and version */
};

/* component: shown at the root of the mount; the caller's. */
int nodes_new(const char *component, struct nodes **ret, struct cvx_err *err);
void nodes_free(struct nodes *ns);

/* A number that no node has had. */
uint64_t nodes_number(struct nodes *ns);

/* What node_look_up is to find or make. */
struct node_key {
	const struct tree_place *place;
	const char *path;
	uint64_t version;
	uint64_t size;
	int64_t mtime_ns;
	struct text *text;     /* borrowed; a new node takes a reference */
	struct stage *stage;   /* likewise */
	struct backup *backup; /* likewise */
	uint64_t number;       /* the stage's; 0: any */
	bool ghost;
};

/* The node of the key with one more look-up and one more reference. */
int nodes_look_up(struct nodes *ns, const struct node_key *key,
		  struct node **ret, struct cvx_err *err);

/* A node by the kernel's number, with one more reference; NULL if unknown. */
struct node *nodes_find(struct nodes *ns, uint64_t number);

void node_unref(struct nodes *ns, struct node *n);
void nodes_forget(struct nodes *ns, uint64_t number, uint64_t lookups);

/* The next look-up of its path makes another node. */
void nodes_retire(struct nodes *ns, struct node *n);

/* The number of a node of that path and version, 0 if there is none. */
uint64_t nodes_number_of(struct nodes *ns, const char *path, uint64_t version);

/* A folder's path at this moment, into ret of TREE_PATH_MAX + 1 bytes. */
void nodes_path(struct nodes *ns, const struct node *n, char *ret);

/* A scratch folder has moved, and with it those below it. */
int nodes_move(struct nodes *ns, const char *from, const char *to,
	       struct cvx_err *err);

#endif
