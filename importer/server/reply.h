/*
 * reply: answers in the forms of the protocol (HTTP-6), and the JSON of
 * requests (HTTP-4).
 *
 * Threads: as http.h has it for an exchange.
 */
#ifndef CVX_IMPORTER_SERVER_REPLY_H
#define CVX_IMPORTER_SERVER_REPLY_H

#include <stddef.h>

struct cJSON;
struct cvx_buf;
struct cvx_err;
struct http_exchange;

/* An answer to a small question is not longer; one with documents may be. */
#define REPLY_MAX ((size_t)64 << 20)

void reply_empty(struct http_exchange *x, unsigned status);
void reply_text(struct http_exchange *x, const char *text);

/* The bytes are taken over. */
void reply_json(struct http_exchange *x, struct cvx_buf *body);

/* The object is taken over; NULL: memory ran out. */
void reply_object(struct http_exchange *x, struct cJSON *object);

void reply_error(struct http_exchange *x, unsigned status, const char *code,
		 const char *message);

/* A failure: its name is the code, and tells the status; one without a name
 * is the server's. */
void reply_failure(struct http_exchange *x, const struct cvx_err *err);

/* JSON with more values than any request has a use for: each costs some 70
 * bytes of memory, however short it is. */
#define REPLY_VALUES_MAX (1u << 17)

/* The text, which may be NULL, as JSON, which the caller deletes. NULL: it is
 * none, or of more values. */
struct cJSON *reply_parse(const char *text, size_t size);

/*
 * The body as JSON, which the caller deletes; *ret is an object. -EINVAL:
 * it is answered already.
 */
int reply_read_json(struct http_exchange *x, struct cJSON **ret);

/* The text of a member that is a string; NULL: it is not there, or no
 * string. It lives as long as the object. */
const char *reply_member(const struct cJSON *object, const char *key);

#endif
