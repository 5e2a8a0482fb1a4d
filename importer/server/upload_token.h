/*
 * upload_token: the leave to store a file for an hour, in a URL (FIL-1, FIL-2).
 *
 * A token tells the component and when it ends, sealed with the deployment's
 * key, so nothing is kept about it, and it is good for every process that
 * serves the deployment.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_SERVER_UPLOAD_TOKEN_H
#define CVX_IMPORTER_SERVER_UPLOAD_TOKEN_H

#include "importer/value/id.h"

struct auth;
struct cvx_err;

#define UPLOAD_LEAVE_SIZE 128

int upload_token_make(const struct auth *auth, const char *component,
		      char token[UPLOAD_LEAVE_SIZE], struct cvx_err *err);

/* The id of the component. StorageTokenInvalid, StorageTokenExpired. */
int upload_token_check(const struct auth *auth, const char *token,
		       char component_id[ID_TEXT_MAX + 1], struct cvx_err *err);

#endif
