/*
 * write-close: copies a file as cp does and tells how long the last close took.
 *
 *   write-close SOURCE TARGET
 *
 * Prints two numbers, nanoseconds: of opening and all writes, and of close.
 * Writes have the size that cp chooses: st_blksize, but at least 128 KiB.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CHUNK_MIN ((size_t)128 << 10)
#define CHUNK_MAX ((size_t)16 << 20)

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

static size_t chunk_size(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_blksize < (blksize_t)CHUNK_MIN)
		return CHUNK_MIN;
	return (size_t)st.st_blksize < CHUNK_MAX ? (size_t)st.st_blksize
						 : CHUNK_MAX;
}

static int copy_all(int from, int to)
{
	size_t size = chunk_size(to);
	char *chunk = malloc(size);
	ssize_t n = chunk ? 1 : -1;

	while (n > 0) {
		n = read(from, chunk, size);
		/* A short write is a failure: regular files write it all. */
		if (n > 0 && write(to, chunk, (size_t)n) != n)
			n = -1;
	}
	free(chunk);
	return n < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	uint64_t start, written, closed;
	int from, to;

	if (argc != 3) {
		fprintf(stderr, "usage: write-close SOURCE TARGET\n");
		return 1;
	}
	from = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (from < 0) {
		fprintf(stderr, "write-close: cannot open %s: %s\n", argv[1],
			strerror(errno));
		return 1;
	}
	start = now_ns();
	to = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (to < 0 || copy_all(from, to) < 0) {
		fprintf(stderr, "write-close: cannot write %s: %s\n", argv[2],
			strerror(errno));
		return 1;
	}
	written = now_ns();
	if (close(to) < 0) {
		fprintf(stderr, "write-close: close of %s: %s\n", argv[2],
			strerror(errno));
		return 1;
	}
	closed = now_ns();
	printf("%" PRIu64 " %" PRIu64 "\n", written - start, closed - written);
	return 0;
}
