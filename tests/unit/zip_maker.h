/*
 * zip_maker: ZIP files in memory, true ones and ones that lie.
 */
#ifndef CVX_TESTS_UNIT_ZIP_MAKER_H
#define CVX_TESTS_UNIT_ZIP_MAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/base/buf.h"
#include "importer/source.h"

struct zip_maker {
	struct cvx_buf file;
	struct cvx_buf directory;
	uint64_t count;
};

/* What an entry's header in the directory says other than the truth. */
struct zip_lie {
	bool is_stored; /* not deflated, which is no lie */
	bool is_zstd;	/* likewise */
	uint32_t crc_xor;
	int64_t size_more, packed_size_more;
	uint16_t flags;
	uint16_t method; /* 0: the true one */
	uint16_t mode;	 /* of the file, with its type; 0: a plain one */
	bool has_offset; /* the local header is that at offset */
	uint64_t offset;
	bool has_descriptor; /* sizes of 0xFFFFFFFF in a data descriptor, as the
				exports have */
};

void zip_maker_init(struct zip_maker *z);
void zip_maker_fini(struct zip_maker *z);

/* lie may be NULL. */
void zip_add(struct zip_maker *z, const char *name, const void *bytes,
	     size_t size, const struct zip_lie *lie);
void zip_add_text(struct zip_maker *z, const char *name, const char *text);

/* Appends directory and end; then file holds the archive. */
void zip_end(struct zip_maker *z, const char *comment);

/* The buffer as a source; ctx is the buffer. */
struct import_source zip_source_of(const struct cvx_buf *file);

#endif
