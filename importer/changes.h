/*
 * changes: everything that changes a deployment, whichever kind it is: one on
 * this machine does it itself, one behind a URL by the requests that there are
 * for it (protocol.md). Who writes does not ask which kind it has.
 *
 * The functions are those of deployment.h, deployment_schema.h and
 * stored_file.h, with their errors. What a kind cannot do is -EROFS, with a
 * sentence that says why, and what to do instead.
 *
 * A change whose outcome is not known is named INTAKE_UNKNOWN (intake.h).
 *
 * Threads: any. A change ends soon after its thread is asked to give up
 *          (cancel.h).
 */
#ifndef CVX_IMPORTER_CHANGES_H
#define CVX_IMPORTER_CHANGES_H

#include <stddef.h>
#include <stdint.h>

#include "importer/value/id.h"

struct cvx_err;
struct deployment;
struct import_source;
struct intake;
struct intake_target;
struct storage_row;

/* What one kind of deployment does. */
struct change_ops {
	int (*begin_intake)(void *ctx, const struct intake_target *target,
			    const struct import_source *source,
			    struct intake **ret, struct cvx_err *err);
	void (*record_failure)(void *ctx, const struct intake_target *target,
			       const struct cvx_err *cause);

	int (*create_table)(void *ctx, const char *component, const char *table,
			    struct cvx_err *err);
	int (*delete_table)(void *ctx, const char *component, const char *table,
			    struct cvx_err *err);
	int (*register_tables)(void *ctx, const char *component,
			       const char *text, size_t size,
			       struct cvx_err *err);

	int (*create_component)(void *ctx, const char *component,
				struct cvx_err *err);
	int (*delete_component)(void *ctx, const char *component,
				struct cvx_err *err);
	int (*set_schema)(void *ctx, const char *component, const char *text,
			  size_t size, struct cvx_err *err);

	int (*store_file)(void *ctx, const char *component,
			  const char *content_type, int fd, uint64_t size,
			  char ret_id[ID_TEXT_MAX + 1], struct cvx_err *err);
	/* *ret_type, for free(): the content type that the file now has;
	 * NULL: none. */
	int (*restore_file)(void *ctx, const char *component,
			    const struct storage_row *row, int fd,
			    uint64_t size, char **ret_type,
			    struct cvx_err *err);
	int (*describe_files)(void *ctx, const char *component,
			      const struct storage_row *rows, size_t count,
			      struct cvx_err *err);
	int (*delete_file)(void *ctx, const char *component, const char *id,
			   struct cvx_err *err);
};

/* Of one deployment. */
struct changes {
	const struct change_ops *ops;
	void *ctx;
};

/* Of a deployment on this machine, as long as it is open. */
struct changes deployment_changes(struct deployment *d);

#endif
