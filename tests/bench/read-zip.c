/*
 * read-zip: what libzip alone needs to read the entries of an archive.
 *
 *   read-zip FILE
 *
 * Prints two numbers: microseconds by the clock, and of processor time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <zip.h>

#define PIECE_SIZE ((size_t)1 << 20)

static uint64_t us_of(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts); /* cannot fail */
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static int read_entry(zip_t *zip, zip_uint64_t index, char *piece)
{
	zip_file_t *file = zip_fopen_index(zip, index, 0);
	zip_int64_t n;

	if (!file)
		return -1;
	do
		n = zip_fread(file, piece, PIECE_SIZE);
	while (n > 0);
	return zip_fclose(file) == 0 && n == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
	uint64_t start = us_of(CLOCK_MONOTONIC);
	uint64_t start_cpu = us_of(CLOCK_PROCESS_CPUTIME_ID);
	zip_t *zip = argc == 2 ? zip_open(argv[1], ZIP_RDONLY, NULL) : NULL;
	char *piece = malloc(PIECE_SIZE);
	zip_int64_t i, count = zip && piece ? zip_get_num_entries(zip, 0) : -1;
	int r = count < 0 ? -1 : 0;

	for (i = 0; r == 0 && i < count; i++)
		r = read_entry(zip, (zip_uint64_t)i, piece);
	if (r == 0)
		printf("%" PRIu64 " %" PRIu64 "\n",
		       us_of(CLOCK_MONOTONIC) - start,
		       us_of(CLOCK_PROCESS_CPUTIME_ID) - start_cpu);
	else
		fputs("read-zip: cannot read the archive\n", stderr);
	if (zip)
		zip_discard(zip);
	free(piece);
	return r < 0;
}
