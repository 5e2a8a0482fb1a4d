/*
 * csv: the header of a CSV file, and the conversion of its records.
 *
 * A document's fields are printed in the order of their names. So the header
 * maps each column to a slot, slots stand in the order of printing, and the
 * text before each value is made once.
 *
 * Threads: a header is fixed once read; a converter belongs to one thread at a
 *          time.
 */
#ifndef CVX_IMPORTER_FORMAT_CSV_H
#define CVX_IMPORTER_FORMAT_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "importer/format/csv_scan.h"

struct cvx_err;
struct format;
struct rows;

enum csv_slot_kind {
	CSV_SLOT_VALUE,		    /* any field but the next two */
	CSV_SLOT_ID,		    /* _id from a column */
	CSV_SLOT_CREATION_TIME,	    /* _creationTime from a column */
	CSV_SLOT_NEW_ID,	    /* _id that no column brings */
	CSV_SLOT_NEW_CREATION_TIME, /* the same of _creationTime */
};

/* So many bytes of a key are copied at once, whatever its size. */
#define CSV_KEY_STEP 32

struct csv_slot {
	enum csv_slot_kind kind;
	size_t column;	 /* the last one of that name; from 0 */
	size_t name_off; /* in header->names */
	size_t name_size;
	size_t key_off; /* of ,"name": or {"name": in header->keys */
	size_t key_size;
	bool optional; /* the empty cell is no field (import.md 6.2) */
};

struct csv_header {
	size_t column_count;
	uint16_t *slot_of; /* for each column */
	struct csv_slot *slots;
	size_t slot_count;
	size_t field_count; /* slots that come from columns */
	char *names;
	char *keys; /* and CSV_KEY_STEP bytes that may be copied with them */
	size_t keys_size;
	uint64_t names_value_size; /* what names and the object itself add to
				      a document's size (import.md 4.2) */
	bool too_many_fields; /* more distinct names than an object may have;
				 slots are then of no use */
	/* Slots that are checked first; NULL: no column brings them. */
	const struct csv_slot *id, *creation_time;
	const struct csv_slot *reserved; /* a field that begins with '_' and
					    may not */
	uint64_t block_row_count_max;	 /* so that lines stay bounded */
};

/*
 * Reads the header record at the start of text; *ret_used is where it ends.
 * Returns as format_begin does; *ret is NULL when there is no record at all.
 */
int csv_header_read(const char *text, size_t size, bool at_end,
		    struct csv_header **ret, size_t *ret_used,
		    struct cvx_err *err);
void csv_header_free(struct csv_header *h);

/* Asks about each field that comes from a column. */
void csv_header_mark_optional(struct csv_header *h,
			      bool (*is_optional)(const void *ctx,
						  const char *field,
						  size_t size),
			      const void *ctx);

struct csv_converter;

int csv_converter_new(const struct format *f, struct csv_converter **ret,
		      struct cvx_err *err);
void csv_converter_free(struct csv_converter *c);

/* As format_convert. */
int csv_converter_run(struct csv_converter *c, const char *text, size_t size,
		      uint64_t first_nth, struct rows *rows,
		      struct cvx_err *err);

#endif
