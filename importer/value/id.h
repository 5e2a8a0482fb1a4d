/*
 * id: document ids, their text form, and the generation of ascending ones
 * (import.md 2).
 *
 * An internal id is 16 opaque bytes, unique in its table. The text form also
 * carries the table number. Among ids of one table, the order of the bytes is
 * the order of the texts.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_VALUE_ID_H
#define CVX_IMPORTER_VALUE_ID_H

#include <stddef.h>
#include <stdint.h>

#define ID_SIZE 16
#define ID_TEXT_MIN 31
#define ID_TEXT_MAX 37

struct internal_id {
	uint8_t bytes[ID_SIZE];
};

/* Writes the text, not terminated, and returns its length; table is not 0. */
size_t id_encode(uint32_t table, const struct internal_id *id,
		 char text[ID_TEXT_MAX]);

/* Returns 0, or -EINVAL for whatever is not the canonical text of an id. */
int id_decode(const char *text, size_t size, uint32_t *ret_table,
	      struct internal_id *ret_id);

/*
 * Where the generated ids of one import start. The n-th id is
 *
 *   ms (48 bits, big-endian) | counter + n (64 bits, big-endian) | day (16)
 *
 * so ids of one stamp ascend, and a stamp that is greater in (ms, counter)
 * makes greater ids. counter starts below 2^63 and never overflows.
 */
struct id_stamp {
	uint64_t ms; /* since the Unix epoch, below 2^48 */
	uint64_t counter;
	uint16_t day; /* Unix seconds / 86400 */
};

void id_from_stamp(const struct id_stamp *stamp, uint64_t n,
		   struct internal_id *ret_id);

/* A stamp for the time now_ms with a random counter. */
void id_stamp_init(struct id_stamp *stamp, uint64_t now_ms);

/* <0, 0, >0 in the order of the bytes. */
int id_compare(const struct internal_id *a, const struct internal_id *b);

#endif
