/*
 * intake: a file on its way into a deployment: rows into a table, or an archive
 * into many; as import.h and restore.h do it for a deployment on this machine,
 * or as another kind does it for its own.
 *
 *   changes_begin_intake -> intake_available* -> intake_commit -> intake_free
 *
 * The bytes stay with the caller and are read through a source. A commit that
 * fails is in the list of imports.
 *
 * Threads: calls are the owner's to serialise, but for intake_cancel().
 */
#ifndef CVX_IMPORTER_INTAKE_H
#define CVX_IMPORTER_INTAKE_H

#include "importer/import.h"

struct intake;

struct intake_target {
	struct import_target rows;
	/* An archive of tables: of rows only component, path and mode count. */
	bool is_archive;
};

/* One kind of them. What may be NULL is not done then. */
struct intake_ops {
	void (*free)(struct intake *in);
	void (*available)(struct intake *in, uint64_t size); /* or NULL */
	void (*restart)(struct intake *in);		     /* or NULL */
	int (*check)(struct intake *in, uint64_t size,
		     struct cvx_err *err); /* or NULL */
	int (*commit)(struct intake *in, uint64_t size,
		      uint64_t *ret_document_count, struct cvx_err *err);
	void (*cancel)(struct intake *in);
	int (*print_error)(struct intake *in, struct cvx_buf *out);
};

/* The first member of each kind. */
struct intake {
	const struct intake_ops *ops;
};

/* NULL is allowed. */
void intake_free(struct intake *in);

/* As the functions of import.h. */
void intake_available(struct intake *in, uint64_t size);
void intake_restart(struct intake *in);
int intake_check(struct intake *in, uint64_t size, struct cvx_err *err);

/* *ret_document_count is UINT64_MAX if the deployment does not say. */
int intake_commit(struct intake *in, uint64_t size,
		  uint64_t *ret_document_count, struct cvx_err *err);
void intake_cancel(struct intake *in);

/* After a failed commit: every known place of fault, a line each. */
int intake_print_error(struct intake *in, struct cvx_buf *out);

/* cvx_err.name of an outcome that is not known: the connection was lost when it
 * could not be called back any more. The code is -EINPROGRESS. */
#define INTAKE_UNKNOWN "OutcomeUnknown"

bool intake_is_unknown(const struct cvx_err *why);

#endif
