/*
 * table_place: how far a table was read, over commits to it.
 *
 * The bytes of a segment below its committed size never change, and its number
 * is not used again (I1 in commit.c). So as long as a table has the segment
 * that holds the last byte that was read, what is before that byte is what it
 * was, and what is behind it was appended. A table that was replaced or
 * emptied has none of its old segments; one whose segments were joined
 * (compact.h, or rows with ids of their own that were appended) may have lost
 * the one.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_EMBEDDED_TABLE_PLACE_H
#define CVX_IMPORTER_EMBEDDED_TABLE_PLACE_H

#include <stdbool.h>
#include <stdint.h>

struct table_reader;

struct table_place {
	uint64_t off;	  /* bytes of documents.jsonl that were read */
	uint64_t segment; /* that holds the last of them; 0 if off is 0 */
};

/* Whether the first bytes of the table, up to the place, are those that were
 * read. */
bool table_reader_has(const struct table_reader *tr,
		      const struct table_place *place);

/* off: at most the table's size. */
struct table_place table_reader_place(const struct table_reader *tr,
				      uint64_t off);

#endif
