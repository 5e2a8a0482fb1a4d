/*
 * removal: something of a deployment behind a URL goes, by one POST that is
 * answered with nothing. When an answer is lost, it is asked what is there.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_REMOTE_REMOVAL_H
#define CVX_IMPORTER_REMOTE_REMOVAL_H

struct cvx_err;
struct halt;
struct http;

struct removal {
	struct http *http;
	const struct halt *halt; /* or NULL */
	const char *kind;	 /* "table", for sentences */
	const char *name;
	const char *path; /* of the request */
	const char *body; /* in JSON; NULL: there was no memory for it */
	/* 1: it is there, and may go. 0: it is not there. -ENOTEMPTY: something
	 * is in it. */
	int (*look)(const void *ctx, struct cvx_err *err);
	const void *ctx;
};

/* Once look() has said 1. -ENOENT if it says 0. An error named INTAKE_UNKNOWN:
 * the answer was lost, and so is the deployment. */
int removal_run(const struct removal *removal, struct cvx_err *err);

#endif
