#include "cache/base/figures.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

void figures_print_size(uint64_t size, char text[FIGURES_SIZE])
{
	static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
	double value = (double)size / 1000;
	size_t i = 0;

	if (size < 1000) {
		(void)snprintf(text, FIGURES_SIZE, "%" PRIu64 " byte%s", size,
			       size == 1 ? "" : "s");
		return;
	}
	/* What would be printed as 1000.0 is 1.0 of the next. */
	while (value >= 999.95) {
		value /= 1000;
		i++;
	}
	(void)snprintf(text, FIGURES_SIZE, "%.1f %s", value, units[i]);
}

void figures_print_count(uint64_t n, char text[FIGURES_SIZE])
{
	char digits[FIGURES_SIZE];
	int size = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	int i;

	for (i = 0; i < size; i++) {
		if (i > 0 && (size - i) % 3 == 0)
			*text++ = ',';
		*text++ = digits[i];
	}
	*text = '\0';
}

void figures_print_duration(uint64_t seconds, char text[FIGURES_SIZE])
{
	uint64_t hours = seconds / 3600, minutes = seconds / 60 % 60;

	if (hours > 99)
		(void)snprintf(text, FIGURES_SIZE, "days");
	else if (hours > 0)
		(void)snprintf(text, FIGURES_SIZE,
			       "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, hours,
			       minutes, seconds % 60);
	else
		(void)snprintf(text, FIGURES_SIZE, "%" PRIu64 ":%02" PRIu64,
			       minutes, seconds % 60);
}
