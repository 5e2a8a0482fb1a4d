/*
 * exports: archives of the deployment that clients ask for (protocol.md 8,
 * import.md 13).
 *
 * One at a time, by the process whose turn it is. One that is broken off is
 * begun anew when the deployment is served the next time.
 *
 * Threads: locked inside.
 */
#ifndef CVX_IMPORTER_SERVER_EXPORTS_H
#define CVX_IMPORTER_SERVER_EXPORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "importer/server/imports.h"

struct cvx_err;
struct deployment;
struct exports;
struct turn;

int exports_start(struct deployment *d, struct turn *turn,
		  const struct imports_hooks *hooks, struct exports **ret,
		  struct cvx_err *err);

/* Breaks off what runs. Calls may still come. */
void exports_stop(struct exports *ex);
void exports_free(struct exports *ex); /* NULL is allowed */

/* ExportInProgress. */
int exports_request(struct exports *ex, bool with_storage,
		    const char *component, struct cvx_err *err);

/* id: the export's, or its start in decimal. The descriptor is the caller's.
 * ExportNotFound, ExportNotComplete, BadSnapshotId. */
int exports_open(struct exports *ex, const char *id, int *ret_fd,
		 uint64_t *ret_size, int64_t *ret_start_ns,
		 struct cvx_err *err);

/* ExportNotFound; -EINVAL without a name: it is over already. */
int exports_cancel(struct exports *ex, const char *id, struct cvx_err *err);

/* ExportNotFound, ExportNotComplete, SnapshotExpirationInPast,
 * SnapshotExpirationTooLarge. */
int exports_set_expiration(struct exports *ex, const char *id, int64_t ns,
			   struct cvx_err *err);

#endif
