/*
 * remote_import_inside: what the files of remote_import.h share: the object,
 * finishing its upload, its states, and its confirmation.
 *
 * Threads: as remote_import.h says.
 */
#ifndef CVX_IMPORTER_REMOTE_REMOTE_IMPORT_INSIDE_H
#define CVX_IMPORTER_REMOTE_REMOTE_IMPORT_INSIDE_H

#include "importer/remote/remote_import.h"

struct cJSON;
struct cvx_buf;
struct halt;
struct http_answer;
struct upload;

enum import_state {
	STATE_UPLOADED,
	STATE_WAITING,
	STATE_IN_PROGRESS,
	STATE_COMPLETED,
	STATE_FAILED,
};

struct remote_import {
	struct http *http;
	struct remote_import_target target; /* its texts are our own */
	struct remote_import_settings settings;
	struct upload *upload;
	struct halt *halt;
	char *component;
	char *table;
	double newest_before; /* _creationTime of the newest other import */
	char *id;
	char *error;
	char *message;	      /* of the plan */
	uint64_t count;	      /* if it ended before it was performed */
	bool is_refused;      /* finish_upload, and nothing came of it */
	bool was_prepared;    /* or tried to be */
	bool was_performed;   /* or may have been */
	bool has_ended;	      /* completed, failed or canceled */
	int checkpoint_count; /* that were reported */
};

/* A member of an object, or NULL. */
const struct cJSON *remote_import_member(const struct cJSON *object,
					 const char *key);

/* A POST with a body in JSON, which is deleted; repeated after HTTP_NOT_SENT,
 * and with ambiguous also when it may have arrived. Without a halt it does not
 * take long. */
int remote_import_post(struct remote_import *imp, const char *path,
		       struct cJSON *body, const struct halt *halt,
		       bool ambiguous, struct http_answer *answer,
		       struct cvx_err *err);

/* Step 0 (IMP-3), as upload_settings.prepare. */
int remote_import_look_at_others(void *ctx, const struct halt *halt,
				 struct cvx_err *err);

/* What finish_upload will say of the import, behind the path of start_upload:
 * servers that know it read the file while it arrives. Nothing for an archive.
 */
int remote_import_print_hint(const struct remote_import *imp,
			     struct cvx_buf *out);

/* What the upload is for, in a line: deployment, format, mode and target. */
int remote_import_print_subject(const struct remote_import *imp,
				struct cvx_buf *out);

/* finish_upload; a lost answer is looked up (7.8). Sets imp->id, or
 * imp->is_refused. */
int remote_import_finish(struct remote_import *imp, struct cvx_err *err);

/* Between two looks at the state, in ms: the one behind a pause above 0. */
uint64_t remote_import_next_pause(uint64_t ms);

/* As it is now. The caller deletes *ret, the state object; NULL after a
 * failure.
 */
int remote_import_look(struct remote_import *imp, struct cJSON **ret,
		       enum import_state *ret_state, struct cvx_err *err);

/* Until the state is neither of the two that pass by themselves; likewise. */
int remote_import_wait(struct remote_import *imp, struct cJSON **ret,
		       enum import_state *ret_state, struct cvx_err *err);

/* The deployment refused; its text is the error. */
int remote_import_fail(struct remote_import *imp, const struct cJSON *state,
		       struct cvx_err *err);

int remote_import_complete(struct remote_import *imp, const struct cJSON *state,
			   uint64_t *ret_count);

/* Waits until there is something to confirm, or the import is over. */
int remote_import_wait_for_plan(struct remote_import *imp,
				struct remote_plan *ret, struct cvx_err *err);

/* From the confirmation to the end. */
int remote_import_run(struct remote_import *imp, uint64_t *ret_count,
		      struct cvx_err *err);

/* Gives up an import that nobody has confirmed. It never runs; telling the
 * deployment so only tidies up. */
void remote_import_abandon(struct remote_import *imp);

#endif
