/*
 * local_record: where the official client's own local deployment listens, and
 * its key (protocol.md 2.8).
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_REMOTE_LOCAL_RECORD_H
#define CVX_IMPORTER_REMOTE_LOCAL_RECORD_H

#include <stdbool.h>
#include <stdint.h>

struct cvx_err;
struct settings;

struct local_record {
	char *url; /* http://127.0.0.1:PORT */
	char *key;
	char *name;	     /* NULL: the record has none */
	uint64_t project_id; /* 0: belongs to no project */
};

/*
 * The record of the deployment called name, or, if that is NULL, of the one of
 * this folder (LOC-1). -ENOENT: there is none; -EINVAL: it is broken.
 */
int local_record_find(struct local_record *ret, const struct settings *settings,
		      const char *name, bool anonymous, struct cvx_err *err);
void local_record_fini(struct local_record *r);

#endif
