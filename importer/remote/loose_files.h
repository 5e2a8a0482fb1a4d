/*
 * loose_files: which stored files came into a deployment from here, under their
 * ids, before a row told what they are. They are still to get it
 * (remote_restore.h); of others, the time and type are settled.
 *
 * Memory:  some 100 bytes a file; behind LOOSE_FILES_MAX none is remembered.
 * Threads: locked inside.
 */
#ifndef CVX_IMPORTER_REMOTE_LOOSE_FILES_H
#define CVX_IMPORTER_REMOTE_LOOSE_FILES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define LOOSE_FILES_MAX ((size_t)100000)

struct loose_files {
	pthread_mutex_t lock;
	/* guarded by lock: */
	void *tree; /* of texts (search.h) */
	size_t count;
};

void loose_files_init(struct loose_files *l);
void loose_files_fini(struct loose_files *l);

/* Without memory it is not remembered. */
void loose_files_add(struct loose_files *l, const char *component,
		     const char *id);
void loose_files_remove(struct loose_files *l, const char *component,
			const char *id);
bool loose_files_has(struct loose_files *l, const char *component,
		     const char *id);

#endif
