#include "fs/closest.h"

#include <limits.h>
#include <string.h>

#define WORD_MAX ((size_t)31)

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned word_distance(const char *a, const char *b)
{
	/* d[i][j]: of the first i letters of a and the first j of b */
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];
	size_t m = strlen(a), n = strlen(b), i, j;

	if (m > WORD_MAX || n > WORD_MAX)
		return UINT_MAX;
	for (i = 0; i <= m; i++)
		d[i][0] = (unsigned)i;
	for (j = 0; j <= n; j++)
		d[0][j] = (unsigned)j;
	for (i = 1; i <= m; i++) {
		for (j = 1; j <= n; j++) {
			unsigned cost = a[i - 1] != b[j - 1];

			d[i][j] =
				smaller(d[i - 1][j - 1] + cost,
					smaller(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				d[i][j] = smaller(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[m][n];
}

int word_is_close(const char *typed, const char *known)
{
	size_t size = strlen(typed);

	return size > 1 && word_distance(typed, known) <= 1 + size / 4;
}
