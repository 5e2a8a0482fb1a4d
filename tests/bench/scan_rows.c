/*
 * scan_rows: reads a JSON-lines file and makes documents of its rows, in one
 * thread and nothing else, for callgrind and for rates.
 *
 *   scan_rows FILE [ROUNDS]
 *
 * Prints the rows and bytes read, the bytes written and the seconds taken. With
 * 0 rounds the file is only read into memory, so that two runs give the cost of
 * the rows alone.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "importer/value/document.h"

struct counts {
	uint64_t rows, bytes_in, bytes_out;
};

static int read_file(const char *path, struct cvx_buf *text)
{
	FILE *file = fopen(path, "rb");
	int r = file ? 0 : -errno;
	size_t n = 1;

	while (r == 0 && n > 0) {
		r = cvx_buf_reserve(text, 1 << 20);
		if (r == 0) {
			n = fread(text->data + text->size, 1, 1 << 20, file);
			text->size += n;
		}
	}
	if (file)
		(void)fclose(file);
	return r;
}

static int scan(struct document_reader *reader, const struct cvx_buf *text,
		struct cvx_buf *out, struct counts *counts, struct cvx_err *err)
{
	const char *p = text->data, *end = text->data + text->size;
	struct document doc;
	int r;

	while (p < end) {
		size_t size = 0;

		if (out->size > 1 << 20) {
			counts->bytes_out += out->size;
			cvx_buf_clear(out);
		}
		/* As a file of such rows is read. */
		r = document_read_line(reader, p, (size_t)(end - p),
				       counts->rows, out, &doc, &size, err);
		if (r > 0)
			r = cvx_fail(
				err, -EINVAL,
				"it is too long, or the last one without end");
		if (r < 0)
			return cvx_err_prefix(err, "row %" PRIu64,
					      counts->rows + 1);
		counts->rows++;
		p += size + 1;
	}
	counts->bytes_in += text->size;
	counts->bytes_out += out->size;
	cvx_buf_clear(out);
	return 0;
}

static double now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail */
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	/* Table 10001, November 2025. */
	const struct document_stamp stamp = {
		.table_number = 10001,
		.id = {.ms = 1763800000000, .counter = 1, .day = 20414},
		.creation_time = 1763800000000.0,
	};
	struct cvx_buf text = CVX_BUF_INIT((size_t)4 << 30);
	struct cvx_buf out = CVX_BUF_INIT((size_t)1 << 30);
	struct document_reader *reader = NULL;
	struct cvx_err err = CVX_ERR_INIT;
	struct counts counts = {0};
	long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 1;
	double before;
	int r;

	if (argc < 2) {
		fputs("usage: scan_rows FILE [ROUNDS]\n", stderr);
		return 1;
	}
	r = read_file(argv[1], &text);
	if (r < 0)
		r = cvx_fail(&err, r, "%s: %s", argv[1], strerror(-r));
	else
		r = document_reader_new(DOCUMENT_PLAIN, &stamp, &reader, &err);
	before = now();
	for (long i = 0; r == 0 && i < rounds; i++)
		r = scan(reader, &text, &out, &counts, &err);
	if (r < 0)
		fprintf(stderr, "scan_rows: %s\n", err.msg);
	else
		printf("rows %" PRIu64 " in %" PRIu64 " out %" PRIu64
		       " seconds %.6f\n",
		       counts.rows, counts.bytes_in, counts.bytes_out,
		       now() - before);
	document_reader_free(reader);
	cvx_buf_fini(&out);
	cvx_buf_fini(&text);
	return r < 0;
}
