/*
 * inside: what the parts of the server share.
 *
 * Threads: fixed after server_start(); each part locks itself.
 */
#ifndef CVX_IMPORTER_SERVER_INSIDE_H
#define CVX_IMPORTER_SERVER_INSIDE_H

#include <stdatomic.h>

#include "importer/server/auth.h"
#include "importer/server/moment.h"
#include "importer/server/turn.h"

struct deployment;
struct http_server;
struct exports;
struct imports;
struct pages;
struct streams;
struct sync;
struct uploads;

struct server {
	struct deployment *d;
	struct auth auth;
	struct uploads *uploads;
	struct turn turn;
	struct moment moment;
	struct imports *imports;
	struct exports *exports;
	struct pages *pages;
	struct streams *streams;
	struct sync *sync;
	struct http_server *http;
	char *url;
	atomic_int whole_count; /* imports in one request that run */
};

#endif
