/*
 * origin: the deployment that another one, on this machine, is a copy of.
 *
 * A copy knows the names of what there is, and holds the documents of some of
 * its tables and the bytes of some of its stored files. Who reads it says
 * first what he is about to read; the copy's keeper (remote/replica.h) then
 * brings that, and no more, up to date. Where a deployment is no copy all of
 * these do nothing and cost nothing.
 *
 * Each may ask the deployment over the network, and waits for it no longer than
 * the keeper's timeout without progress (F-5). -ECANCELED: the patience of who
 * waits has ended. -ENOENT: there is no such thing. Otherwise why the
 * deployment cannot be asked; then what the copy has is not to be shown.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_ORIGIN_H
#define CVX_IMPORTER_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>

struct cvx_err;
struct deployment;

/* Asked now and then by who waits, in his own thread; true for good once his
 * caller does not want to wait any more. */
struct patience {
	bool (*has_ended)(void *ctx);
	void *ctx; /* NULL for has_ended: he waits as long as it takes */
};

/* How new it must be. */
enum origin_age {
	ORIGIN_KNOWN,  /* as it was when the copy last asked */
	ORIGIN_RECENT, /* at most a moment ago: looking at names one by one */
	ORIGIN_NOW,    /* as it is now, or as long ago as cache_ttl allows */
};

/* What a keeper can do; each as the function below that is named alike. */
struct origin_ops {
	int (*list)(void *ctx, const char *component, enum origin_age age,
		    const struct patience *patience, struct cvx_err *err);
	int (*find_table)(void *ctx, const char *component, const char *table,
			  const struct patience *patience, struct cvx_err *err);
	int (*hold_table)(void *ctx, const char *component, const char *table,
			  enum origin_age age, uint64_t since_ns,
			  const struct patience *patience, struct cvx_err *err);
	int (*count_documents)(void *ctx, const char *component,
			       const char *table,
			       const struct patience *patience, uint64_t *ret,
			       struct cvx_err *err);
	int (*list_files)(void *ctx, const char *component, enum origin_age age,
			  const struct patience *patience, struct cvx_err *err);
	int (*has_files)(void *ctx, const char *component,
			 const struct patience *patience, bool *ret,
			 struct cvx_err *err);
	int (*hold_file)(void *ctx, const char *component, const char *id,
			 const struct patience *patience, struct cvx_err *err);
	int (*make_backup)(void *ctx, const char *component, bool with_files,
			   int fd, const struct patience *patience,
			   uint64_t *ret_size, int64_t *ret_ns,
			   struct cvx_err *err);
	void (*settle_imports)(void *ctx, const struct patience *patience,
			       void (*imported)(void *ctx, const char *path),
			       void *imported_ctx);
	bool (*is_stale)(void *ctx, int64_t *ret_since_ns);
};

/* Before anybody else uses the deployment; both outlive that. */
void origin_set(struct deployment *d, const struct origin_ops *ops, void *ctx);

bool origin_is_set(const struct deployment *d);

/* The components, and of this one the tables and the schema, are those of the
 * deployment; no documents. A component that is not there does nothing. */
int origin_list(struct deployment *d, const char *component,
		enum origin_age age, const struct patience *patience,
		struct cvx_err *err);

/* Whether there is a table of that name is as origin_list() has it with
 * ORIGIN_RECENT. Where the table's documents are here, and nothing was asked a
 * moment ago, the deployment is asked about it alone: which of them have
 * changed. */
int origin_find_table(struct deployment *d, const char *component,
		      const char *table, const struct patience *patience,
		      struct cvx_err *err);

/* Monotonic, for origin_hold_table_since(). */
uint64_t origin_moment(void);

/* The table's documents are here, as they are now, or as they were at that
 * moment or later. 0: as they are now. */
int origin_hold_table_since(struct deployment *d, const char *component,
			    const char *table, uint64_t since_ns,
			    const struct patience *patience,
			    struct cvx_err *err);

/* The table's documents are here. */
int origin_hold_table(struct deployment *d, const char *component,
		      const char *table, enum origin_age age,
		      const struct patience *patience, struct cvx_err *err);

/* How many documents the table has, without them; of a table that is here, of
 * any deployment, without a question. */
int origin_count_documents(struct deployment *d, const char *component,
			   const char *table, const struct patience *patience,
			   uint64_t *ret, struct cvx_err *err);

/* The stored files of the component are known, but for their bytes. */
int origin_list_files(struct deployment *d, const char *component,
		      enum origin_age age, const struct patience *patience,
		      struct cvx_err *err);

/* Whether the component has stored files, without a list of them. */
int origin_has_files(struct deployment *d, const char *component,
		     const struct patience *patience, bool *ret,
		     struct cvx_err *err);

/* The bytes of the stored file are here. */
int origin_hold_file(struct deployment *d, const char *component,
		     const char *id, const struct patience *patience,
		     struct cvx_err *err);

/* A backup of the component's tree as the deployment makes it, written to the
 * file: its size, and the moment that it shows. Only where origin_is_set(). */
int origin_make_backup(struct deployment *d, const char *component,
		       bool with_files, int fd, const struct patience *patience,
		       uint64_t *ret_size, int64_t *ret_ns,
		       struct cvx_err *err);

/* Imports whose outcome was not known are looked up, as far as the deployment
 * can be asked; their records then tell it. imported is called with the path of
 * each that was done after all. */
void origin_settle_imports(struct deployment *d,
			   const struct patience *patience,
			   void (*imported)(void *ctx, const char *path),
			   void *ctx);

/* Whether the deployment was away when it was asked last, and since when, in
 * Unix time. */
bool origin_is_stale(struct deployment *d, int64_t *ret_since_ns);

#endif
