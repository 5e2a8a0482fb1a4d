/*
 * replica_inside: what replica.c and those who write there share.
 */
#ifndef CVX_IMPORTER_REMOTE_REPLICA_INSIDE_H
#define CVX_IMPORTER_REMOTE_REPLICA_INSIDE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "importer/remote/file_keeper.h"
#include "importer/remote/loose_files.h"
#include "importer/remote/replica.h"
#include "importer/remote/unknown_imports.h"

struct halt;
struct holder;
struct http;
struct lister;

struct replica {
	struct replica_settings settings;
	uint64_t backoff_ms;
	struct http *http;	    /* to write */
	struct http *reader;	    /* to read; gives up sooner if it may */
	struct deployment *copy;    /* read-only, what others see */
	struct deployment *records; /* the same, to be written */
	int dir_fd;
	struct lister *lister;
	struct holder *holder;
	struct file_keeper files;
	struct loose_files loose;
	struct unknown_imports unknown;

	pthread_mutex_t lock;
	/* guarded by lock: */
	bool is_away;	   /* the last question was not answered */
	int away_code;	   /* why not */
	int64_t away_ns;   /* since when, Unix time */
	uint64_t asked_ns; /* when it was found out last, monotonic */
};

/* Behind a change that was made there: what was asked before does not hold any
 * more. */
void replica_show(struct replica *r);

/* The copy has the table as it is there now, with its documents; or it has
 * none, if there is none. halt may be NULL. */
int replica_hold(struct replica *r, const char *component, const char *table,
		 const struct halt *halt, struct cvx_err *err);

/* replica_origin.c: what the copy asks. ctx is the replica. */
extern const struct origin_ops replica_origin_ops;

extern const struct change_ops remote_change_ops;

int remote_intake_begin(void *ctx, const struct intake_target *target,
			const struct import_source *source, struct intake **ret,
			struct cvx_err *err);
void remote_intake_record_failure(void *ctx, const struct intake_target *target,
				  const struct cvx_err *cause);
int remote_intake_make_table(void *ctx, const char *component,
			     const char *table, struct cvx_err *err);

#endif
