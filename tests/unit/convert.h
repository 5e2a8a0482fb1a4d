/*
 * convert: what the importer does with a format, for tests: the bytes of a
 * file are given bit by bit, cut into blocks, converted and put together.
 */
#ifndef CVX_TESTS_UNIT_CONVERT_H
#define CVX_TESTS_UNIT_CONVERT_H

#include "importer/format/format.h"

#define CONVERT_TABLE 10001

struct converted {
	struct cvx_buf lines;
	uint64_t row_count;
	uint64_t document_count;
	uint64_t refused_count;
	uint64_t block_count;
	/* Rows count from 1 in the file; 0 is the file as a whole. */
	struct row_error errors[FORMAT_ERRORS_MAX];
	unsigned error_count;
	bool any_id_given;
	bool beyond_plain;
	bool has_number; /* format_first_number found one */
	uint32_t number;
};

/* The ids and times that documents without them get. */
extern const struct document_stamp convert_stamp;

/*
 * Converts the text. seed 0 gives it whole; any other seed gives pieces of
 * random sizes. Fails the case for whatever is wrong with the interface, not
 * for refusals.
 */
void convert_text(enum format_kind kind, const char *text, size_t size,
		  enum document_encoding encoding, unsigned seed,
		  struct converted *ret);
void converted_fini(struct converted *c);

/* The same file in pieces must become the same. */
void convert_expect_same(const struct converted *got,
			 const struct converted *want);

/* The format that the file's name tells. */
enum format_kind convert_kind_of(const char *path);

/* The text must become the lines, given without _creationTime and _id. */
void convert_expect_lines(enum format_kind kind, const char *text, size_t size,
			  const char *lines);

/* The row must be refused with the name and a message that says the text. */
void convert_expect_refusal(enum format_kind kind, const char *text,
			    size_t size, uint64_t row, const char *name,
			    const char *says);

#endif
