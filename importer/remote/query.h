/*
 * query: functions of a deployment, called over HTTP (protocol.md 5).
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_REMOTE_QUERY_H
#define CVX_IMPORTER_REMOTE_QUERY_H

#include <stdbool.h>
#include <stdint.h>

struct cJSON;
struct cvx_err;
struct http;
struct halt;

/*
 * Runs the query "module/path:export" with one object of arguments, which is
 * deleted; NULL stands for {}. ts: as query_timestamp() gives it, or NULL for
 * now. *ret, the value in convex_encoded_json, is the caller's to delete.
 *
 * An error of the function is -EREMOTEIO with its text; -EPERM if it says that
 * the key has no permission (HTTP-8).
 */
int query_run(struct http *http, const char *path, struct cJSON *args,
	      const char *ts, const struct halt *halt, struct cJSON **ret,
	      struct cvx_err *err);

/*
 * Likewise the mutation. With may_repeat it is repeated also when it may have
 * been done before: *ret_may_have_run tells of that, and of an answer that was
 * lost.
 */
int query_mutate(struct http *http, const char *path, struct cJSON *args,
		 bool may_repeat, const struct halt *halt, struct cJSON **ret,
		 bool *ret_may_have_run, struct cvx_err *err);

/* The error of a query that answered with that message; NULL: with none. */
int query_fail(const char *path, const char *message, struct cvx_err *err);

/* The value that the function gave is not what it should be: -EPROTO, and what
 * it is not. endpoint: where it was called, of a query QUERY_ENDPOINT. */
#define QUERY_ENDPOINT "/api/query"
#define QUERY_MUTATION_ENDPOINT "/api/mutation"
int query_fail_value(const char *endpoint, const char *path,
		     struct cvx_err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The deployment's present time as base64, for query_run(); free() it. */
int query_timestamp(struct http *http, const struct halt *halt, char **ret,
		    struct cvx_err *err);

/* {"$integer":…}, a whole number, or a decimal string; false: none of them. */
bool query_read_integer(const struct cJSON *item, int64_t *ret);

/* Text of a member; NULL if there is none, or it is no string. */
const char *query_text(const struct cJSON *object, const char *key);

#endif
