/*
 * entry_lines: an archive's entry, line by line.
 *
 * Memory:  the longest line.
 * Threads: not locked.
 */
#ifndef CVX_IMPORTER_ARCHIVE_ENTRY_LINES_H
#define CVX_IMPORTER_ARCHIVE_ENTRY_LINES_H

#include <stddef.h>
#include <stdint.h>

struct archive;
struct cvx_err;

struct entry_lines_hooks {
	void *ctx;

	/* Gets each line without its LF, which the last one may lack. */
	int (*line)(void *ctx, const char *line, size_t size,
		    struct cvx_err *err);

	/* Told behind each piece how many bytes were read; may stop it. */
	int (*progress)(void *ctx, size_t size, struct cvx_err *err);
};

/*
 * Reads the entry to its end and counts *row up, which is the number of the
 * line under way. A line of more than line_max bytes is refused with
 * ValueTooLargeError. The text of a refusal, also of line()'s, begins with the
 * name of the entry and the row.
 */
int entry_lines_read(struct archive *a, uint64_t index, size_t line_max,
		     const struct entry_lines_hooks *hooks, uint64_t *row,
		     struct cvx_err *err);

#endif
