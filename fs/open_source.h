/*
 * open_source: what the words of a command line select becomes a deployment
 * that can be worked with. The one place where commands get theirs from.
 *
 * Threads: any, as long as nobody changes the environment.
 */
#ifndef CVX_FS_OPEN_SOURCE_H
#define CVX_FS_OPEN_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/exit_status.h"

struct cvx_err;
struct deployment;

struct source_words {
	const char *source;   /* NULL: the environment decides */
	const char *env_file; /* NULL: none */
	/* Nothing will be changed: a deployment that is not there is not made,
	 * and one that cannot be written to will do. */
	bool only_reads;
};

enum exit_status open_source(const struct source_words *words,
			     struct deployment **ret, struct cvx_err *err);

/*
 * The same for a command that can work with deployments elsewhere, too: one is
 * opened as *ret_http, and *ret is NULL, or the other way round. only_reads as
 * in struct source_words. *ret_part_size, unless ret_part_size is NULL: of
 * uploads to it; 0: as usual.
 */
struct http;
struct source_flags;
enum exit_status open_any_source(const struct source_flags *flags,
				 bool only_reads, struct deployment **ret,
				 struct http **ret_http,
				 uint64_t *ret_part_size, struct cvx_err *err);

/* What a failure of a deployment elsewhere means for a command. */
enum exit_status source_exit_status(int code);

/* The same once it has been reached: then it is not the call that is wrong. */
enum exit_status source_work_status(int code);

#endif
