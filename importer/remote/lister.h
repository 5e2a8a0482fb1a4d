/*
 * lister: keeps what a copy knows by name what its deployment has: components,
 * tables, schemas, stored files (embedded/copy.h; protocol.md 9.1, 11, 12).
 *
 * Each component is asked about when somebody looks at it, and after that not
 * again for as long as the answer is new enough.
 *
 * Threads: locked inside; one listing at a time.
 */
#ifndef CVX_IMPORTER_REMOTE_LISTER_H
#define CVX_IMPORTER_REMOTE_LISTER_H

#include <stdbool.h>
#include <stdint.h>

#include "importer/origin.h"

struct cvx_err;
struct deployment;
struct halt;
struct http;
struct lister;

struct lister_settings {
	struct http *http;
	struct deployment *copy; /* to be written; both outlive the lister */
	const char *name;	 /* of the deployment, for the log */
	uint64_t ttl_ms;	 /* how long an answer holds */
};

int lister_new(const struct lister_settings *settings, struct lister **ret,
	       struct cvx_err *err);
void lister_free(struct lister *l); /* NULL is allowed */

/* As origin.h says. halt may be NULL. */
int lister_list(struct lister *l, const char *component, enum origin_age age,
		const struct halt *halt, struct cvx_err *err);
int lister_list_files(struct lister *l, const char *component,
		      enum origin_age age, const struct halt *halt,
		      struct cvx_err *err);

/* Whether lister_list() of ORIGIN_RECENT would ask nothing. */
bool lister_is_recent(struct lister *l, const char *component);

/* Answers from before now do not hold any more. */
void lister_forget(struct lister *l);

/* The id that the component is asked about with, for free(); NULL: the root.
 * -ENOENT: it was in no list. */
int lister_component_id(struct lister *l, const char *component, char **ret,
			struct cvx_err *err);

#endif
