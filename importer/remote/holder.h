/*
 * holder: keeps the documents in a copy that somebody reads what they are in
 * its deployment (embedded/held.h, fetch.h), table by table, and lets go of
 * what was not read for longest when it becomes too much.
 *
 * A table that was read before costs one question: whether it has changed.
 * What has changed is put into the copy as a new revision of its table, so
 * that whoever reads the one before reads on.
 *
 * Threads: locked inside; tables are fetched side by side.
 */
#ifndef CVX_IMPORTER_REMOTE_HOLDER_H
#define CVX_IMPORTER_REMOTE_HOLDER_H

#include <stdint.h>

#include "importer/origin.h"

struct cvx_err;
struct deployment;
struct halt;
struct holder;
struct http;
struct lister;

struct holder_settings {
	struct http *http;
	struct lister *lister;
	struct deployment *copy; /* to be written */
	int dir_fd;		 /* for what comes; all outlive the holder */
	uint64_t timeout_ms;	 /* F-5 */
	uint64_t ttl_ms;	 /* how long an answer holds */
	uint64_t size_max;	 /* of all that is held; 0: any */
};

int holder_new(const struct holder_settings *settings, struct holder **ret,
	       struct cvx_err *err);
void holder_free(struct holder *h); /* NULL is allowed */

/* As origin.h says. halt may be NULL. since_ns: an answer from that moment or
 * later (age.h) is new enough in any case; 0: from now. */
int holder_hold_table(struct holder *h, const char *component,
		      const char *table, enum origin_age age, uint64_t since_ns,
		      const struct halt *halt, struct cvx_err *err);

/*
 * Whether a table that is held is there, and at most a moment ago was what it
 * is here: 1, it has documents that it had before; 0, that is not told, and its
 * component's names are to be asked for. Costs at most one request. What has
 * changed is taken in, if it all comes with the answer; else nothing is. For
 * one table a moment: who looks at several is told 0.
 */
int holder_look(struct holder *h, const char *component, const char *table,
		const struct halt *halt, struct cvx_err *err);

/* What was asked about the table before now does not hold any more; NULL: about
 * any table. */
void holder_forget(struct holder *h, const char *component, const char *table);

#endif
