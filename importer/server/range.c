#include "importer/server/range.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Digits, as far as they go; false: there are none. What is larger than any
 * file is UINT64_MAX, which is behind the end as well (RFC 9110 14.1.2). */
static bool read_number(const char **p, uint64_t *ret)
{
	const char *first = *p;
	bool fits = true;
	uint64_t n = 0;

	for (; **p >= '0' && **p <= '9'; (*p)++)
		fits = fits && !__builtin_mul_overflow(n, 10, &n) &&
		       !__builtin_add_overflow(n, (uint64_t)(**p - '0'), &n);
	*ret = fits ? n : UINT64_MAX;
	return *p != first;
}

enum range_kind range_read(const char *header, uint64_t file_size,
			   struct range *ret)
{
	uint64_t first = 0, last = 0;
	bool has_first, has_last;
	const char *p;

	if (!header || strncmp(header, "bytes=", 6) != 0)
		return RANGE_NONE;
	p = header + 6;
	has_first = read_number(&p, &first);
	if (*p++ != '-')
		return RANGE_BAD;
	has_last = read_number(&p, &last);
	if (*p || (!has_first && !has_last))
		return RANGE_BAD;
	if (!has_first) { /* the last so many bytes */
		first = last < file_size ? file_size - last : 0;
		has_last = last > 0;
		last = file_size;
		if (!has_last)
			return RANGE_BAD;
	} else if (!has_last || last >= file_size) {
		last = file_size;
	} else {
		last++;
	}
	if (first >= file_size || last <= first)
		return RANGE_BAD;
	*ret = (struct range){first, last - first};
	return RANGE_ONE;
}
