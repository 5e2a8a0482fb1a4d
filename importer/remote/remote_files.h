/*
 * remote_files: stored files of a deployment behind a URL come and go
 * (protocol.md 12).
 *
 * Each upload makes another file. When its answer is lost the deployment is
 * asked for a file that is new, and of these bytes; it is uploaded again only
 * if the lost one cannot have been stored.
 *
 * A component is named by its id, or NULL. An error named INTAKE_UNKNOWN: the
 * answer was lost, and what has become of it cannot be told.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_REMOTE_REMOTE_FILES_H
#define CVX_IMPORTER_REMOTE_REMOTE_FILES_H

#include <stdint.h>

#include "importer/value/id.h"

struct cvx_err;
struct halt;
struct http;

/* As deployment_store_file(). The bytes are read twice: they are sent with
 * their checksum. */
int remote_store_file(struct http *http, const char *component,
		      const char *content_type, int fd, uint64_t size,
		      const struct halt *halt, char ret_id[ID_TEXT_MAX + 1],
		      struct cvx_err *err);

/* As deployment_delete_stored_file(). */
int remote_delete_file(struct http *http, const char *component, const char *id,
		       const struct halt *halt, struct cvx_err *err);

#endif
