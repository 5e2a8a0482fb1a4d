/*
 * restore-zip: restores an archive into a new deployment.
 *
 *   restore-zip DIR FILE
 *
 * DIR must not be there. Prints three numbers: microseconds by the clock and of
 * processor time that the restore took, and the KiB of memory that it needed
 * more than the open deployment did before.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/deployment.h"
#include "importer/embedded/embedded.h"
#include "importer/restore.h"

static int read_file(void *ctx, uint64_t off, void *buf, size_t size,
		     size_t *ret_n, struct cvx_err *err)
{
	int r = file_pread(*(const int *)ctx, buf, size, off, ret_n);

	return r < 0 ? cvx_fail(err, r, "cannot read: %s", strerror(-r)) : 0;
}

static uint64_t us_of(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts); /* cannot fail */
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static long peak_kib(void)
{
	struct rusage usage = {.ru_maxrss = 0};

	(void)getrusage(RUSAGE_SELF, &usage); /* cannot fail */
	return usage.ru_maxrss;
}

static int restore_all(struct deployment *d, const char *path,
		       struct cvx_err *err)
{
	const struct restore_target target = {"", path, IMPORT_REQUIRE_EMPTY};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const struct import_source source = {.ctx = &fd, .read = read_file};
	struct restore_result result;
	struct restore *restore;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return cvx_fail(err, -errno, "cannot open %s: %s", path,
				strerror(errno));
	r = restore_new(d, &target, &source, &restore, err);
	if (r == 0) {
		r = restore_commit(restore, (uint64_t)st.st_size, &result, err);
		restore_free(restore);
	}
	(void)close(fd); /* was only read */
	return r;
}

int main(int argc, char **argv)
{
	struct deployment_settings settings = {.dir = argc > 1 ? argv[1] : ""};
	struct cvx_err err = CVX_ERR_INIT;
	struct deployment *d;
	uint64_t start, start_cpu;
	long idle;
	int r;

	if (argc != 3) {
		fputs("usage: restore-zip DIR FILE\n", stderr);
		return 1;
	}
	r = deployment_open(&settings, &d, &err);
	if (r == 0) {
		idle = peak_kib();
		start = us_of(CLOCK_MONOTONIC);
		start_cpu = us_of(CLOCK_PROCESS_CPUTIME_ID);
		r = restore_all(d, argv[2], &err);
		printf("%" PRIu64 " %" PRIu64 " %ld\n",
		       us_of(CLOCK_MONOTONIC) - start,
		       us_of(CLOCK_PROCESS_CPUTIME_ID) - start_cpu,
		       peak_kib() - idle);
		deployment_close(d);
	}
	if (r < 0)
		fprintf(stderr, "restore-zip: %s\n", err.msg);
	return r < 0;
}
