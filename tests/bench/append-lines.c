/*
 * append-lines: appends documents one by one, as a program that keeps a log.
 *
 *   append-lines FILE COUNT
 *
 * For each line: open(O_APPEND), one write, close. Prints the nanoseconds of
 * each, a line each.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COUNT_MAX 1000000

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

static int append(const char *path, uint64_t number)
{
	char line[128];
	int size = snprintf(line, sizeof(line),
			    "{\"number\":%" PRIu64
			    ",\"event\":\"signed in\",\"device\":\"phone\"}\n",
			    number);
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, line, (size_t)size) != size)
		r = -EIO;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

int main(int argc, char **argv)
{
	uint64_t count = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
	uint64_t *taken;
	int r = 0;

	if (count == 0 || count > COUNT_MAX) {
		fprintf(stderr, "usage: append-lines FILE COUNT\n");
		return 1;
	}
	taken = calloc(count, sizeof(*taken));
	if (!taken) {
		fprintf(stderr, "append-lines: out of memory\n");
		return 1;
	}
	for (uint64_t i = 0; i < count && r == 0; i++) {
		uint64_t start = now_ns();

		r = append(argv[1], i);
		taken[i] = now_ns() - start;
	}
	for (uint64_t i = 0; i < count && r == 0; i++)
		printf("%" PRIu64 "\n", taken[i]);
	free(taken);
	if (r < 0)
		fprintf(stderr, "append-lines: %s: %s\n", argv[1],
			strerror(-r));
	return r < 0 ? 1 : 0;
}
