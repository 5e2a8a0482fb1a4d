#include "fs/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/figures.h"

/* Without a terminal a line is printed this often. */
#define LINE_MS 10000

#define COLUMNS_DEFAULT 80
#define COLUMNS_MAX 200
#define WHAT_COLUMNS 24
#define BAR_COLUMNS_MIN 10
#define BAR_COLUMNS_MAX 40

/* Rates of the first moments say nothing. */
#define RATE_MS 500

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void progress_init(struct progress *p, const char *what)
{
	const char *term = getenv("TERM");

	*p = (struct progress){
		.what = what,
		.is_terminal = isatty(STDERR_FILENO) &&
			       (!term || strcmp(term, "dumb") != 0),
		.started_ms = now_ms(),
	};
}

/* "45 %  90.1 MB of 200.0 MB  1,234,567 rows  52.1 MB/s  0:02 left" */
static int print_figures(const struct progress_state *state, int64_t elapsed_ms,
			 struct cvx_buf *out)
{
	char done[FIGURES_SIZE], text[FIGURES_SIZE];
	uint64_t total = state->total_size, left;
	double rate = 0;
	int r;

	figures_print_size(state->done_size, done);
	if (total > 0) {
		figures_print_size(total, text);
		r = cvx_buf_printf(
			out, "%3d %%  %s of %s",
			(int)(100.0 * (double)state->done_size / (double)total),
			done, text);
	} else {
		r = cvx_buf_puts(out, done);
	}
	if (r == 0 && state->row_count > 0) {
		figures_print_count(state->row_count, text);
		r = cvx_buf_printf(out, "  %s row%s", text,
				   state->row_count == 1 ? "" : "s");
	}
	if (elapsed_ms >= RATE_MS)
		rate = (double)state->done_size * 1000 / (double)elapsed_ms;
	if (r == 0 && rate >= 1) {
		figures_print_size((uint64_t)rate, text);
		r = cvx_buf_printf(out, "  %s/s", text);
	}
	if (r == 0 && rate >= 1 && total > state->done_size) {
		left = (uint64_t)((double)(total - state->done_size) / rate);
		figures_print_duration(left, text);
		r = cvx_buf_printf(out, "  %s left", text);
	}
	return r;
}

static int print_bar(const struct progress_state *state, size_t columns,
		     struct cvx_buf *out)
{
	size_t inside = columns - 2, i;
	size_t full = (size_t)((double)inside * (double)state->done_size /
			       (double)state->total_size);
	int r = cvx_buf_puts(out, "[");

	for (i = 0; r == 0 && i < inside; i++)
		r = cvx_buf_puts(out, i < full ? "#" : " ");
	return r < 0 ? r : cvx_buf_puts(out, "]");
}

/* The end of a long name says more than its beginning. A name that is not
 * plain ASCII could break the line. */
static int print_what(const char *what, struct cvx_buf *out)
{
	size_t size = strlen(what), i;
	const char *from =
		size > WHAT_COLUMNS ? what + size - WHAT_COLUMNS + 3 : what;
	int r = from == what ? 0 : cvx_buf_puts(out, "...");

	for (i = 0; r == 0 && from[i]; i++)
		r = cvx_buf_append(
			out, from[i] >= ' ' && from[i] <= '~' ? &from[i] : "?",
			1);
	return r;
}

int progress_print(const char *what, const struct progress_state *state,
		   int64_t elapsed_ms, unsigned columns, struct cvx_buf *out)
{
	struct progress_state s = *state;
	CVX_AUTO(cvx_buf_fini) struct cvx_buf figures = CVX_BUF_INIT(4096);
	size_t start = out->size, used;
	int r;

	if (s.total_size > 0 && s.done_size > s.total_size)
		s.done_size = s.total_size;
	r = print_figures(&s, elapsed_ms, &figures);
	if (r == 0)
		r = print_what(what, out);
	if (r == 0)
		r = cvx_buf_puts(out, "  ");
	used = out->size - start + figures.size + 2;
	if (r == 0 && s.total_size > 0 && used + BAR_COLUMNS_MIN < columns) {
		r = print_bar(&s,
			      columns - used > BAR_COLUMNS_MAX
				      ? BAR_COLUMNS_MAX
				      : columns - used - 1,
			      out);
		if (r == 0)
			r = cvx_buf_puts(out, " ");
	}
	if (r == 0)
		r = cvx_buf_append(out, figures.data, figures.size);
	/* A line that is too long would be two. */
	if (r == 0 && out->size - start >= columns)
		out->size = start + columns - 1;
	return r;
}

static unsigned terminal_columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return COLUMNS_DEFAULT;
	return size.ws_col > COLUMNS_MAX ? COLUMNS_MAX : size.ws_col;
}

void progress_show(struct progress *p, const struct progress_state *state)
{
	CVX_AUTO(cvx_buf_fini) struct cvx_buf line = CVX_BUF_INIT(4096);
	int64_t now = now_ms();

	if (!p->is_terminal &&
	    now - (p->shown_ms ? p->shown_ms : p->started_ms) < LINE_MS)
		return;
	p->shown_ms = now;
	/* What cannot be shown is not missed. */
	if (progress_print(p->what, state, now - p->started_ms,
			   p->is_terminal ? terminal_columns() : COLUMNS_MAX,
			   &line) < 0)
		return;
	if (p->is_terminal) {
		fprintf(stderr, "\r%.*s\033[K", (int)line.size, line.data);
		p->is_drawn = true;
	} else {
		fprintf(stderr, "%.*s\n", (int)line.size, line.data);
	}
	(void)fflush(stderr);
}

void progress_clear(struct progress *p)
{
	if (p->is_drawn)
		fputs("\r\033[K", stderr);
	p->is_drawn = false;
}
