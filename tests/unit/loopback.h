/*
 * loopback: an HTTP server on this machine for tests, which answers what a
 * function says and can do everything wrong that servers and networks do.
 *
 * Threads: the function is called by one thread at a time.
 */
#ifndef CVX_TESTS_UNIT_LOOPBACK_H
#define CVX_TESTS_UNIT_LOOPBACK_H

#include <stdbool.h>
#include <stddef.h>

struct loopback;

struct loopback_request {
	const char *method;
	const char *path;    /* as sent, without the query */
	const char *query;   /* as sent; "" without */
	const char *headers; /* lines with CRLF */
	const char *body;    /* ended by NUL */
	size_t body_size;
};

enum loopback_fault {
	LOOPBACK_FINE,
	LOOPBACK_DROP,	   /* closed without an answer */
	LOOPBACK_RESET,	   /* the same with a reset */
	LOOPBACK_LEAVE,	   /* as dropped, and nobody listens any more */
	LOOPBACK_TRUNCATE, /* half of the body, then closed */
	LOOPBACK_LONGER,   /* Content-Length promises one byte more */
	LOOPBACK_SLOW,	   /* some bytes at a time */
	LOOPBACK_HANG,	   /* nothing comes until the server ends */
	LOOPBACK_GARBAGE,  /* that is not HTTP */
};

struct loopback_answer {
	int status;	     /* 200 unless said otherwise */
	const char *headers; /* further lines, each with CRLF */
	char *body;	     /* the server frees it */
	size_t body_size;    /* 0 with a body: its strlen() */
	enum loopback_fault fault;
	unsigned delay_ms;
};

typedef void loopback_handler(void *ctx, const struct loopback_request *q,
			      struct loopback_answer *a);

/* What can go wrong with one request. */
struct loopback_trouble {
	const char *name;
	enum loopback_fault fault;
	int status;	  /* 0: as it would be */
	const char *body; /* NULL: as it would be */
	bool acts;	  /* the server does what it is asked nevertheless */
	bool heals;	  /* whoever asks succeeds if this happens once */
};

extern const struct loopback_trouble loopback_troubles[];
extern const size_t loopback_trouble_count;

/* Makes it of an answer, which is what acts says. */
void loopback_make_trouble(const struct loopback_trouble *t,
			   struct loopback_answer *a);

/* A body; the caller, or the server, frees it. */
char *loopback_format(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

struct loopback *loopback_start(loopback_handler *handler, void *ctx);
void loopback_stop(struct loopback *l);

/* "http://127.0.0.1:PORT", and PORT. As long as l. */
const char *loopback_url(const struct loopback *l);
const char *loopback_port(const struct loopback *l);

/* What this thread has written is seen by the function's next call, and what
 * that has written so far by this thread. */
void loopback_sync(struct loopback *l);

/* How many requests came, over how many connections, and how many of them were
 * under way at once. */
unsigned loopback_count(struct loopback *l);
unsigned loopback_connection_count(struct loopback *l);
unsigned loopback_most_at_once(struct loopback *l);

/* Whether the line is among the request's headers, to the end of the line. */
bool loopback_has_header(const struct loopback_request *q, const char *line);

#endif
