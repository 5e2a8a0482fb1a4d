/*
 * routes: which request does what: one table of method, path, who may, what
 * body, and handler.
 *
 * A path that ends in '*' matches whatever follows; a second '/' at the start
 * is overlooked (URL-2). What is not in the table is 404 with nothing in it;
 * what is known of Convex, and not served here, is 404 NotServed with a text.
 *
 * Threads: fixed; hooks as http.h calls them.
 */
#ifndef CVX_IMPORTER_SERVER_ROUTES_H
#define CVX_IMPORTER_SERVER_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

struct http_exchange;
struct server;
struct spool;
struct upload_part;

/* Bodies that are kept in memory: QRY-3. */
#define ROUTE_JSON_MAX ((uint64_t)(16 << 20) + 2000)

enum route_access {
	ROUTE_OPEN,  /* anybody */
	ROUTE_ASKED, /* anybody, but a key that is given must be right */
	ROUTE_ADMIN,
};

struct route {
	int method; /* enum http_method */
	const char *path;
	enum route_access access;
	uint64_t body_max;
	/* Loop: where a body goes that is not kept in memory; may answer. */
	void (*begin)(struct server *s, struct http_exchange *x);
	/* Worker. */
	void (*handle)(struct server *s, struct http_exchange *x);
};

/* What is kept with an exchange. */
struct request {
	const struct route *route;
	bool is_admin;
	const char *rest; /* what '*' stands for; in the path */
	struct upload_part *part;
	struct spool *bytes;
	int fd; /* of a body that becomes a file; -1: none */
	uint64_t written;
};

struct request *request_of(const struct http_exchange *x);

/* The tables of the other files; each ends with an entry without a path. */
extern const struct route import_routes[];
extern const struct route export_routes[];
extern const struct route function_routes[];
extern const struct route about_routes[];
extern const struct route schema_routes[];
extern const struct route clear_routes[];
extern const struct route stored_routes[];
extern const struct route stream_routes[];

/* http.h's hooks; ctx is the server. */
void routes_begin(void *ctx, struct http_exchange *x);
void routes_handle(void *ctx, struct http_exchange *x);
void routes_end(void *ctx, struct http_exchange *x);

#endif
