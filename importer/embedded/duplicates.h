/*
 * duplicates: rows whose _id another row has already (import.md 5.8, 7.5).
 *
 * Threads: not locked.
 */
#ifndef CVX_IMPORTER_EMBEDDED_DUPLICATES_H
#define CVX_IMPORTER_EMBEDDED_DUPLICATES_H

#include <stddef.h>
#include <stdint.h>

#include "cache/segment.h"
#include "importer/embedded/lines.h"
#include "importer/embedded/segments.h"
#include "importer/format/format.h"
#include "importer/value/id.h"

struct commit_rows;
struct cvx_err;
struct deployment;
struct segment_row;

struct duplicate {
	struct internal_id id;
	uint64_t off; /* of the row's line in the import */
	uint64_t row; /* its number from 1, or 0 */
	uint64_t other_off,
		other_row; /* of the earlier row, if in the import */
};

/* The first ones in the order of the file, and how many there are. */
struct duplicates {
	struct duplicate list[FORMAT_ERRORS_MAX];
	unsigned count;
	uint64_t total;
};

/* The places of the import's own lines, as keys in the order of the lines. */
int duplicates_collect_keys(const struct lines_place *lines,
			    struct segment_key *keys, size_t count,
			    struct cvx_err *err);

/* Ids that stand more than once among the sorted keys of the lines. */
int duplicates_find_within(const struct segment_key *keys, size_t count,
			   const struct lines_place *lines,
			   struct duplicates *ret, struct cvx_err *err);

/* Ids of the import that stand in the segments of its table already. */
int duplicates_find_existing(struct deployment *d,
			     const struct segment_row *segments,
			     size_t segment_count,
			     const struct commit_rows *rows,
			     struct duplicates *ret, struct cvx_err *err);

#endif
