/*
 * progress: how far a command is: on a terminal a bar that is drawn over and
 * over in one line, with bytes, rows, rate and time left; otherwise a plain
 * line at the beginning, and now and then one more.
 *
 * All of it goes to standard error.
 *
 * Threads: not locked.
 */
#ifndef CVX_FS_PROGRESS_H
#define CVX_FS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cvx_buf;

struct progress {
	const char *what; /* "people.csv" */
	bool is_terminal;
	bool is_drawn;
	int64_t started_ms, shown_ms;
};

/* Where it stands. */
struct progress_state {
	uint64_t done_size;
	uint64_t total_size; /* 0: not known yet */
	uint64_t row_count;  /* 0: no rows are counted */
};

/* what lives as long as p. Looks whether there is a terminal. */
void progress_init(struct progress *p, const char *what);

/* Draws it, if it is time to. */
void progress_show(struct progress *p, const struct progress_state *state);

/* Removes the bar. Before anything else is printed. */
void progress_clear(struct progress *p);

/* The line of a terminal of so many columns after so much time, without the
 * codes around it. */
int progress_print(const char *what, const struct progress_state *state,
		   int64_t elapsed_ms, unsigned columns, struct cvx_buf *out);

#endif
