/*
 * outcome: how a command ended, as its --json tells it.
 *
 *   outcome_begin -> fields of the command's own, outcome_add_state,
 *   outcome_add_error in any order -> outcome_flush
 *
 * Each command prints one object, wrong calls included: a program that asked
 * for JSON gets it whatever happens.
 *
 * Threads: not locked.
 */
#ifndef CVX_FS_OUTCOME_H
#define CVX_FS_OUTCOME_H

#include <stdbool.h>

#include "fs/exit_status.h"

struct cvx_err;
struct json_out;

/* Ended by outcome_flush(). */
void outcome_begin(struct json_out *j);

/* "state": "completed" or "failed", as in .convex/imports.jsonl (T-5). */
void outcome_add_state(struct json_out *j, enum exit_status status);

/*
 * "error": null if it is done (cause may be NULL then), else "code" (the stable
 * name, or that of the errno) and "message"; and with places not NULL "places",
 * an array of its lines. The text is cut into them.
 */
void outcome_add_error(struct json_out *j, enum exit_status status,
		       const struct cvx_err *cause, char *places);

/*
 * Prints the object on standard output, and returns what the command is to
 * end with: its status; or if it is done and that cannot be told, local
 * trouble. what: "import", for the sentence that says so.
 */
enum exit_status outcome_flush(struct json_out *j, const char *what,
			       enum exit_status status);

/* Calls use with each line of the text, empty ones left out. The text is
 * cut. */
void outcome_each_line(char *text, void (*use)(void *ctx, const char *line),
		       void *ctx);

#endif
