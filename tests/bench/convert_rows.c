/*
 * convert_rows: what one worker of an import does with a file, and nothing
 * else: cuts it into blocks of 256 KiB and converts them.
 *
 *   convert_rows FILE [ROUNDS]
 *
 * The name of the file tells the format. Prints the rows, the bytes read and
 * written, the CPU seconds for cutting and for all, and the rate. With 0 rounds
 * the file is only read, so that two runs of callgrind give the cost of the
 * rows alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/file.h"
#include "importer/format/format.h"

#define BLOCK_SIZE ((size_t)256 << 10)

struct counts {
	uint64_t rows, bytes_in, bytes_out;
	double cut_s, all_s;
};

/* Of this thread, so that others on the machine matter little. */
static double now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts); /* cannot fail */
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int read_file(const char *path, struct cvx_buf *text,
		     struct cvx_err *err)
{
	CVX_AUTO(cvx_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int r = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;

	if (r == 0)
		r = cvx_buf_reserve(text, (size_t)st.st_size + 1);
	if (r == 0)
		r = file_pread(fd, text->data, (size_t)st.st_size, 0,
			       &text->size);
	return r < 0 ? cvx_fail(err, r, "%s: %s", path, strerror(-r)) : 0;
}

static enum format_kind kind_of(const char *path)
{
	const char *dot = strrchr(path, '.');

	if (dot && strcmp(dot, ".csv") == 0)
		return FORMAT_CSV;
	return dot && strcmp(dot, ".json") == 0 ? FORMAT_JSON : FORMAT_JSONL;
}

/* A block of BLOCK_SIZE, or more where a row is longer. */
static size_t cut(const struct format *f, const char *text, size_t left,
		  uint64_t *rows)
{
	size_t size = BLOCK_SIZE, n = 0;

	for (; n == 0; size *= 2)
		n = format_cut(f, text, size < left ? size : left, size >= left,
			       rows);
	return n;
}

static int convert(const struct format *f, struct format_worker *w,
		   const char *text, size_t size, struct rows *rows,
		   struct counts *counts, struct cvx_err *err)
{
	size_t pos = 0, n;
	uint64_t bound, nth = 0;
	int r;

	while (pos < size) {
		double before = now();

		n = cut(f, text + pos, size - pos, &bound);
		counts->cut_s += now() - before;
		r = format_convert(w, text + pos, n, nth, rows, err);
		if (r < 0)
			return r;
		if (rows->error_count > 0) {
			*err = rows->errors[0].err;
			return cvx_err_prefix(err, "row %" PRIu64,
					      nth + rows->errors[0].row);
		}
		counts->rows += rows->row_count;
		counts->bytes_out += rows->text.size;
		while (rows->continues) {
			r = format_convert_more(w, rows, err);
			if (r < 0)
				return r;
			counts->rows += rows->row_count;
			counts->bytes_out += rows->text.size;
		}
		nth += bound;
		pos += n;
	}
	counts->bytes_in += size;
	return 0;
}

static int run(const char *path, long rounds, struct counts *counts,
	       struct cvx_err *err)
{
	/* Table 10001, November 2025. */
	const struct document_stamp stamp = {
		.table_number = 10001,
		.id = {.ms = 1763800000000, .counter = 1, .day = 20414},
		.creation_time = 1763800000000.0,
	};
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf text = CVX_BUF_INIT((size_t)4 << 30);
	struct format_worker *w = NULL;
	struct format *f = NULL;
	struct rows rows;
	size_t used = 0;
	double before;
	int r;

	rows_init(&rows);
	r = read_file(path, &text, err);
	if (r == 0)
		r = format_new(kind_of(path), &f, err);
	if (r == 0)
		r = format_begin(f, text.data, text.size, true, &used, err);
	if (r == 0)
		r = format_plan(f, DOCUMENT_PLAIN, &stamp, err);
	if (r == 0)
		r = format_worker_new(f, &w, err);
	before = now();
	for (long i = 0; r == 0 && i < rounds; i++)
		r = convert(f, w, text.data + used, text.size - used, &rows,
			    counts, err);
	counts->all_s = now() - before;
	rows_fini(&rows);
	format_worker_free(w);
	format_free(f);
	return r;
}

int main(int argc, char **argv)
{
	struct counts c = {0};
	struct cvx_err err = CVX_ERR_INIT;

	if (argc < 2) {
		fputs("usage: convert_rows FILE [ROUNDS]\n", stderr);
		return 1;
	}
	if (run(argv[1], argc > 2 ? strtol(argv[2], NULL, 10) : 1, &c, &err) <
	    0) {
		fprintf(stderr, "convert_rows: %s\n", err.msg);
		return 1;
	}
	printf("rows %" PRIu64 " in %" PRIu64 " out %" PRIu64
	       " cut %.6f seconds %.6f MB/s %.0f\n",
	       c.rows, c.bytes_in, c.bytes_out, c.cut_s, c.all_s,
	       c.all_s > 0 ? (double)c.bytes_in / 1e6 / c.all_s : 0);
	return 0;
}
