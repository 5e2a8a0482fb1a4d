/*
 * file_sink: a file that libzip writes an archive to, without another name
 * and without a copy in memory.
 *
 * libzip writes an entry's head twice, the second time when it knows the
 * entry's size; so the file is settled up to the entry that is under way.
 *
 * Threads: not locked.
 */
#ifndef CVX_IMPORTER_ARCHIVE_FILE_SINK_H
#define CVX_IMPORTER_ARCHIVE_FILE_SINK_H

#include <stddef.h>
#include <stdint.h>

#include <zip.h>

#include "cache/base/err.h"

#define FILE_SINK_BUFFER ((size_t)1 << 20)

struct file_sink {
	int fd;
	char *buf; /* bytes of the file from buf_off on */
	uint64_t buf_off;
	size_t buf_size;
	uint64_t pos, end; /* where libzip stands, and how far it has come */
	uint64_t complete; /* up to here libzip does not come back */
	uint64_t settled;  /* of that, what stands in the file */
	struct cvx_err failure; /* code 0: none */
	zip_error_t zip_error;
};

int file_sink_init(struct file_sink *s, int fd, struct cvx_err *err);
void file_sink_fini(struct file_sink *s);

/* What zip_open_from_source() needs; NULL without memory. The sink must
 * outlive it. */
zip_source_t *file_sink_source(struct file_sink *s);

#endif
