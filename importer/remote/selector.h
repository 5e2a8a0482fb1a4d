/*
 * selector: the words of --deployment (protocol.md 2.5).
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_REMOTE_SELECTOR_H
#define CVX_IMPORTER_REMOTE_SELECTOR_H

struct cvx_err;

enum selector_kind {
	SELECTOR_NAME,	    /* "happy-otter-123": text */
	SELECTOR_DEV,	    /* the caller's own */
	SELECTOR_PROD,	    /* the default production deployment */
	SELECTOR_LOCAL,	    /* on this machine */
	SELECTOR_REFERENCE, /* such as "preview/pr-42": text */
};

struct selector {
	enum selector_kind kind;
	char *team;    /* NULL: the current one */
	char *project; /* NULL: the current one */
	char *text;    /* NULL where the kind says it all */
};

int selector_read(struct selector *ret, const char *text, struct cvx_err *err);
void selector_fini(struct selector *s);

#endif
