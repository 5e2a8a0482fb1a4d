/*
 * unknown_imports: those that were confirmed, and of which nobody could say
 * then what came of them. They are looked up when the deployment is back
 * (protocol.md 15.3), and their records then say how they ended.
 *
 * Memory:  UNKNOWN_IMPORTS_MAX of them; behind that the oldest stays unknown,
 *          as all do when the process ends.
 * Threads: locked inside.
 */
#ifndef CVX_IMPORTER_REMOTE_UNKNOWN_IMPORTS_H
#define CVX_IMPORTER_REMOTE_UNKNOWN_IMPORTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define UNKNOWN_IMPORTS_MAX 64

struct deployment;
struct halt;
struct http;
struct remote_import;
struct unknown_import;

struct unknown_imports {
	pthread_mutex_t lock;
	/* guarded by lock: */
	struct unknown_import *first; /* the newest */
	bool is_settling;	      /* by one thread: none of them is freed */
};

void unknown_imports_init(struct unknown_imports *u);
void unknown_imports_fini(struct unknown_imports *u);

/* Takes over the import. record: its id (embedded/records.h); 0: it has none.
 * path: where it was written. */
void unknown_imports_add(struct unknown_imports *u,
			 struct remote_import *import, int64_t record,
			 const char *path);

/* Something else was written at that path: what was kept there is no longer
 * that of imports before. */
void unknown_imports_supersede(struct unknown_imports *u, const char *path);

/*
 * Looks them up, until one cannot be: then why not; else 0, also when another
 * thread is at it. records is where they are on record. imported is called for
 * each that was done after all and was not superseded, with its path; it must
 * not call anything of this.
 */
int unknown_imports_settle(struct unknown_imports *u, struct http *http,
			   struct deployment *records, const struct halt *halt,
			   void (*imported)(void *ctx, const char *path),
			   void *ctx);

#endif
