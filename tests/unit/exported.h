/*
 * exported: archives that exports have written, read and restored, for tests.
 */
#ifndef CVX_TESTS_UNIT_EXPORTED_H
#define CVX_TESTS_UNIT_EXPORTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct archive;
struct deployment;
struct export;
struct zip_maker;

/* An archive that was written. */
struct exported {
	int fd;
	uint64_t size;
	struct archive *archive;
};

/* An unnamed file. */
int exported_temp_file(void);

/* Opens the archive in the file; exported_close() ends both. */
void exported_open(struct exported *w);
void exported_close(struct exported *w);

/* An export, with stored files unless it is said; written, freed and opened;
 * all in one. */
struct export *exported_begin_with(struct deployment *d, bool with_files);
struct export *exported_begin(struct deployment *d);
void exported_finish(struct export *e, struct exported *w);
void exported_write(struct deployment *d, struct exported *w);

/* The whole entry, terminated, its checksum and size verified; the caller
 * frees it. NULL if there is none of the name. */
char *exported_read_at(struct archive *a, uint64_t index);
char *exported_read(struct archive *a, const char *name);
void exported_expect(struct archive *a, const char *name, const char *want);

/* Replaces all by an archive; the second ends and frees it. */
void exported_restore(struct deployment *d, int fd, uint64_t size);
void exported_restore_maker(struct deployment *d, struct zip_maker *z);

/* Appends rows to the table t whose ids are those of numbers from first on, in
 * steps, with up to pad bytes more in each. */
void exported_import_ids(struct deployment *d, uint32_t first, uint32_t count,
			 int32_t step, size_t pad);

/* The lines of the text by their ids; the caller frees them. */
char *exported_sort_lines(const char *text);

#endif
