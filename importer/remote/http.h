/*
 * http: requests to one origin, over connections that are kept.
 *
 * Every request has deadlines: 10 s to connect, http_settings.idle_ms without
 * a byte in either direction, and http_call.total_ms in all; and any thread
 * can interrupt it. Certificates are verified. Proxies are taken from the
 * usual variables, further certificates from SSL_CERT_FILE. No POST follows a
 * redirect, and none is repeated behind the caller's back once a byte of its
 * body may have been read; a GET follows five, without its key to elsewhere.
 *
 * Errors say "POST /api/query: 503 Overloaded: …": the path without its query,
 * the status, the deployment's code and its own text. Keys are cut out. Of an
 * answer that is not what was asked for they say "POST /api/query: 200, but the
 * answer is wrong: …", wherever that shows.
 *
 * Memory:  an answer of http_call.answer_limit bytes.
 * Threads: locked inside; requests of several threads run at once.
 */
#ifndef CVX_IMPORTER_REMOTE_HTTP_H
#define CVX_IMPORTER_REMOTE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/base/buf.h"

struct cJSON;
struct cvx_err;
struct http;
struct halt;

#define HTTP_CONNECT_MS 10000
#define HTTP_IDLE_MS 60000
#define HTTP_TOTAL_MS 300000 /* for calls that answer in JSON */
#define HTTP_JSON_MAX ((size_t)64 << 20)

struct http_settings {
	const char *origin; /* from http_origin() */
	/* Sent as Authorization, a secret; NULL: none. */
	const char *authorization;
	const char *secret; /* another text that no message may hold; or NULL */
	uint64_t idle_ms;   /* 0: HTTP_IDLE_MS */
	uint64_t backoff_ms; /* of the first repetition; 0: 500 */
	/* What was not answered in time is not asked for again: somebody waits,
	 * who can ask himself. */
	bool is_brief;
};

/* How a request ended, as far as it matters for repeating it (protocol.md
 * 15.3). */
enum http_outcome {
	HTTP_DONE,	/* 2xx */
	HTTP_NOT_SENT,	/* the other side cannot have acted on it */
	HTTP_AMBIGUOUS, /* it may have: cut off, 408, 425, 429, 5xx */
	HTTP_NOT_FOUND, /* 404 */
	HTTP_REFUSED,	/* any other status, 501 among them */
	HTTP_LOCAL,	/* interrupted, no memory, the sink's own error */
};

struct http_call {
	const char *method;	  /* "GET", "POST" or "PUT" */
	const char *path;	  /* "/api/…", encoded, with its query */
	const char *content_type; /* NULL: not sent */
	const char *range;	  /* "0-99": that part only; NULL: all */
	const char *header; /* a further line: "Digest: …"; NULL: none */
	/* The body: bytes, or, if read is not NULL, what read gives: size bytes
	 * from off, or a negative errno. */
	const void *body;
	uint64_t body_size;
	int (*read)(void *ctx, uint64_t off, void *bytes, size_t size);
	/* Takes the bytes of a 2xx answer; NULL: they go to http_answer.body.
	 * A negative errno, with *err filled, ends the call. */
	int (*write)(void *ctx, const void *bytes, size_t size,
		     struct cvx_err *err);
	/* Before each request of http_perform_repeated(): read and write begin
	 * again. NULL: they have no state. */
	void (*begin)(void *ctx);
	void *ctx;
	size_t answer_limit;	  /* 0: HTTP_JSON_MAX */
	uint64_t total_ms;	  /* 0: no deadline but idle_ms */
	unsigned repetitions_max; /* of http_perform_repeated(); 0: 6 */
	bool no_authorization;
	bool accept_560; /* as 200: errors of functions (QRY-6) */
	const struct halt *halt;
};

struct http_answer {
	enum http_outcome outcome;
	/* http_perform_repeated(): an earlier request was HTTP_AMBIGUOUS. */
	bool may_have_arrived;
	/* Of its body some bytes were never sent: whoever needs all of them
	 * cannot have acted on it. */
	bool body_is_cut;
	int status; /* 0: none came */
	struct cvx_buf body;
	char code[64]; /* of an error that the deployment explained; or "" */
	char *disposition;  /* Content-Disposition; NULL: none */
	char *deprecation;  /* what PRV-12 wants printed; NULL: nothing */
	bool is_deprecated; /* the text takes the place of an error (OUT-3) */
	uint64_t retry_after_ms; /* 0: the answer does not say */
};

int http_new(const struct http_settings *settings, struct http **ret,
	     struct cvx_err *err);
void http_free(struct http *h);

/* The settings' origin; as long as h. */
const char *http_site(const struct http *h);

/* The origin of a URL, checked as URL-1 wants it: "https://host[:port]", for
 * free(). A path or query of the URL is dropped (URL-2). */
int http_origin(const char *url, char **ret, struct cvx_err *err);

/*
 * One request. 0 for status 2xx. *ret is filled in any case; end it with
 * http_answer_fini().
 */
int http_perform(struct http *h, const struct http_call *call,
		 struct http_answer *ret, struct cvx_err *err);
void http_answer_fini(struct http_answer *a);

/* An answer of that status that is not what the request asks for: -EPROTO, and
 * the text, with its place in front. */
int http_fail_answer(const struct http_call *call, int status,
		     struct cvx_err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Puts the same place in front of an error that reading the answer ended with;
 * returns its code. Of what failed here, such as a full disk, it says the
 * place alone. */
int http_blame_answer(const struct http_call *call, int status,
		      struct cvx_err *err);

/* The answer's body as JSON; -EPROTO if it is none. secret_delete_json() it. */
int http_parse(const struct http_call *call, const struct http_answer *answer,
	       struct cJSON **ret, struct cvx_err *err);

/*
 * Sleeps before repetition number (1, 2, …, 6) as protocol.md 15.3 says. False:
 * there were enough, or halt was requested.
 */
bool http_wait_to_repeat(struct http *h, unsigned number,
			 const struct http_answer *answer,
			 const struct halt *halt);

/*
 * http_perform(), repeated as long as it makes sense: after HTTP_NOT_SENT, and
 * with ambiguous also after HTTP_AMBIGUOUS.
 */
int http_perform_repeated(struct http *h, const struct http_call *call,
			  bool ambiguous, struct http_answer *ret,
			  struct cvx_err *err);

/* Appends text with everything but A-Z a-z 0-9 - . _ ~ as %XX. */
int http_escape(struct cvx_buf *out, const char *text);

#endif
