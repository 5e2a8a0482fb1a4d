#include "tests/unit/zip_maker.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>

#include "tests/unit/unit.h"

#define FILE_MAX ((size_t)256 << 20)

void zip_maker_init(struct zip_maker *z)
{
	cvx_buf_init(&z->file, FILE_MAX);
	cvx_buf_init(&z->directory, FILE_MAX);
	z->count = 0;
}

void zip_maker_fini(struct zip_maker *z)
{
	cvx_buf_fini(&z->file);
	cvx_buf_fini(&z->directory);
}

static void put_bytes(struct cvx_buf *b, const void *bytes, size_t size)
{
	EXPECT_INT(cvx_buf_append(b, bytes, size), 0);
}

static void put(struct cvx_buf *b, uint64_t value, unsigned size)
{
	unsigned char bytes[8];
	unsigned i;

	for (i = 0; i < size; i++)
		bytes[i] = (unsigned char)(value >> 8 * i);
	put_bytes(b, bytes, size);
}

static unsigned char *deflate_all(const void *bytes, size_t size,
				  size_t *ret_size)
{
	uLong bound = compressBound((uLong)size) + 64;
	unsigned char *out = malloc(bound);
	z_stream s;

	memset(&s, 0, sizeof(s));
	assert_non_null(out);
	EXPECT_INT(deflateInit2(&s, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY),
		   Z_OK);
	s.next_in = (unsigned char *)(uintptr_t)bytes;
	s.avail_in = (uInt)size;
	s.next_out = out;
	s.avail_out = (uInt)bound;
	EXPECT_INT(deflate(&s, Z_FINISH), Z_STREAM_END);
	*ret_size = s.total_out;
	(void)deflateEnd(&s);
	return out;
}

static unsigned char *zstd_all(const void *bytes, size_t size, size_t *ret_size)
{
	size_t bound = ZSTD_compressBound(size);
	unsigned char *out = malloc(bound);

	assert_non_null(out);
	*ret_size = ZSTD_compress(out, bound, bytes, size, 1);
	EXPECT_INT(ZSTD_isError(*ret_size), 0);
	return out;
}

/* The part that both headers share, from the version needed to the extras. */
static void put_common(struct cvx_buf *b, uint16_t flags, uint16_t method,
		       uint32_t crc, uint64_t packed, uint64_t size,
		       size_t name_size, unsigned extra_size)
{
	put(b, extra_size ? 45 : 20, 2);
	put(b, flags, 2);
	put(b, method, 2);
	put(b, 0, 4); /* time, date */
	put(b, crc, 4);
	put(b, extra_size ? UINT32_MAX : packed, 4);
	put(b, extra_size ? UINT32_MAX : size, 4);
	put(b, name_size, 2);
	put(b, extra_size, 2);
}

void zip_add(struct zip_maker *z, const char *name, const void *bytes,
	     size_t size, const struct zip_lie *lie)
{
	static const struct zip_lie truth;
	const struct zip_lie *l = lie ? lie : &truth;
	size_t packed_size = size, name_size = strlen(name);
	unsigned char *packed = NULL;
	uint32_t crc = (uint32_t)crc32(0, bytes, (uInt)size);
	uint64_t off = z->file.size;
	bool is_stored = l->is_stored || size == 0;
	uint16_t method = is_stored ? 0 : 8, flags = l->flags;

	if (!is_stored && l->is_zstd) {
		packed = zstd_all(bytes, size, &packed_size);
		method = 93;
	} else if (!is_stored) {
		packed = deflate_all(bytes, size, &packed_size);
	}
	if (l->has_descriptor)
		flags |= 0x808;
	put(&z->file, 0x04034b50, 4);
	if (l->has_descriptor)
		put_common(&z->file, flags, method, 0, 0, 0, name_size, 0);
	else
		put_common(&z->file, flags, l->method ? l->method : method, crc,
			   packed_size, size, name_size, 0);
	put_bytes(&z->file, name, name_size);
	put_bytes(&z->file, packed ? packed : bytes, packed_size);
	if (l->has_descriptor) {
		put(&z->file, 0x08074b50, 4);
		put(&z->file, crc, 4);
		put(&z->file, UINT64_MAX, 8);
	}
	free(packed);

	put(&z->directory, 0x02014b50, 4);
	put(&z->directory, 0x031e, 2);
	put_common(&z->directory, flags, l->method ? l->method : method,
		   crc ^ l->crc_xor,
		   packed_size + (uint64_t)l->packed_size_more,
		   size + (uint64_t)l->size_more, name_size,
		   l->has_descriptor ? 28 : 0);
	put(&z->directory, 0, 2); /* comment */
	put(&z->directory, 0, 2); /* disk */
	put(&z->directory, 0, 2); /* internal attributes */
	put(&z->directory, (uint64_t)(l->mode ? l->mode : 0100644) << 16, 4);
	off = l->has_offset ? l->offset : off;
	put(&z->directory, l->has_descriptor ? UINT32_MAX : off, 4);
	put_bytes(&z->directory, name, name_size);
	if (l->has_descriptor) {
		put(&z->directory, 1, 2);
		put(&z->directory, 24, 2);
		put(&z->directory, size, 8);
		put(&z->directory, packed_size, 8);
		put(&z->directory, off, 8);
	}
	z->count++;
}

void zip_add_text(struct zip_maker *z, const char *name, const char *text)
{
	zip_add(z, name, text, strlen(text), NULL);
}

void zip_end(struct zip_maker *z, const char *comment)
{
	uint64_t off = z->file.size, size = z->directory.size, end;
	bool is_large = z->count >= UINT16_MAX;

	if (size > 0)
		put_bytes(&z->file, z->directory.data, z->directory.size);
	end = z->file.size;
	if (is_large) {
		put(&z->file, 0x06064b50, 4);
		put(&z->file, 44, 8);
		put(&z->file, 45, 2);
		put(&z->file, 45, 2);
		put(&z->file, 0, 8); /* disks */
		put(&z->file, z->count, 8);
		put(&z->file, z->count, 8);
		put(&z->file, size, 8);
		put(&z->file, off, 8);
		put(&z->file, 0x07064b50, 4);
		put(&z->file, 0, 4);
		put(&z->file, end, 8);
		put(&z->file, 1, 4);
	}
	put(&z->file, 0x06054b50, 4);
	put(&z->file, 0, 4); /* disks */
	put(&z->file, is_large ? UINT16_MAX : z->count, 2);
	put(&z->file, is_large ? UINT16_MAX : z->count, 2);
	put(&z->file, is_large ? UINT32_MAX : size, 4);
	put(&z->file, is_large ? UINT32_MAX : off, 4);
	put(&z->file, strlen(comment), 2);
	put_bytes(&z->file, comment, strlen(comment));
}

static int read_file(void *ctx, uint64_t off, void *buf, size_t size,
		     size_t *ret_n, struct cvx_err *err)
{
	const struct cvx_buf *file = ctx;

	(void)err;
	*ret_n = 0;
	if (off >= file->size)
		return 0;
	*ret_n = file->size - off < size ? (size_t)(file->size - off) : size;
	memcpy(buf, file->data + off, *ret_n);
	return 0;
}

struct import_source zip_source_of(const struct cvx_buf *file)
{
	return (struct import_source){.ctx = (void *)(uintptr_t)file,
				      .read = read_file};
}
