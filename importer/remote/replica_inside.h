/*
 * replica_inside: what replica.c and remote_intake.c share.
 */
#ifndef CVX_IMPORTER_REMOTE_REPLICA_INSIDE_H
#define CVX_IMPORTER_REMOTE_REPLICA_INSIDE_H

#include <pthread.h>
#include <stdint.h>

#include "importer/remote/replica.h"

struct halt;
struct http;

struct replica {
	struct replica_settings settings;
	uint64_t backoff_ms;
	struct http *http;
	struct deployment *copy;    /* read-only, what others see */
	struct deployment *records; /* the same, to record imports in */
	int dir_fd;

	pthread_mutex_t lock; /* held while the copy is brought up to date */

	struct halt *stop; /* of the thread that follows; NULL: there is none */
	pthread_t follower;
};

/* Brings the copy up to date: it shows what was there when this was called, or
 * later. halt may be NULL. */
int replica_refresh(struct replica *r, const struct halt *halt,
		    struct cvx_err *err);

/* The same behind a change that was made: a failure is logged only, for what
 * the deployment has taken stands there whether the copy shows it or not. A
 * halt that was requested is not heeded any more. */
void replica_show(struct replica *r, const struct halt *halt);

extern const struct change_ops remote_change_ops;

int remote_intake_begin(void *ctx, const struct intake_target *target,
			const struct import_source *source, struct intake **ret,
			struct cvx_err *err);
void remote_intake_record_failure(void *ctx, const struct intake_target *target,
				  const struct cvx_err *cause);
int remote_intake_make_table(void *ctx, const char *component,
			     const char *table, struct cvx_err *err);

#endif
