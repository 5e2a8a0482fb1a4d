#include "importer/archive/deflate_block.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_ISAL
#include <isa-l.h>
#endif
#include <zlib.h>

/* The block is judged by its first bytes: packed if they shrink to less than
 * 63 of 64. */
#define SAMPLE_SIZE ((size_t)32 << 10)
#define SHRINKS(from, to) ((to) < (from) - (from) / 64)

/* The most that a stored block of deflate holds, and its head. */
#define STORED_MAX 65535
#define STORED_HEAD 5

#ifdef HAVE_ISAL

struct deflate_packer {
	struct isal_zstream stream;
	uint8_t level_buffer[ISAL_DEF_LVL1_DEFAULT];
};

struct deflate_packer *deflate_packer_new(void)
{
	return calloc(1, sizeof(struct deflate_packer));
}

void deflate_packer_free(struct deflate_packer *p)
{
	free(p);
}

/* 0 if it does not fit into the room. */
static size_t pack(struct deflate_packer *p, const void *bytes, size_t size,
		   bool is_last, uint8_t *out, size_t room)
{
	isal_deflate_stateless_init(&p->stream);
	p->stream.level = 1;
	p->stream.level_buf = p->level_buffer;
	p->stream.level_buf_size = sizeof(p->level_buffer);
	p->stream.gzip_flag = IGZIP_DEFLATE;
	p->stream.flush = FULL_FLUSH;
	p->stream.end_of_stream = is_last;
	p->stream.next_in = (uint8_t *)bytes;
	p->stream.avail_in = (uint32_t)size;
	p->stream.next_out = out;
	p->stream.avail_out = (uint32_t)room;
	if (isal_deflate_stateless(&p->stream) != COMP_OK ||
	    p->stream.avail_in > 0)
		return 0;
	return room - p->stream.avail_out;
}

uint32_t deflate_checksum(const void *bytes, size_t size)
{
	return crc32_gzip_refl(0, bytes, size);
}

#else

struct deflate_packer {
	z_stream stream;
};

struct deflate_packer *deflate_packer_new(void)
{
	struct deflate_packer *p = calloc(1, sizeof(*p));

	if (p && deflateInit2(&p->stream, 1, Z_DEFLATED, -MAX_WBITS, 8,
			      Z_DEFAULT_STRATEGY) != Z_OK) {
		free(p);
		p = NULL;
	}
	return p;
}

void deflate_packer_free(struct deflate_packer *p)
{
	if (!p)
		return;
	(void)deflateEnd(&p->stream); /* tells whether it was at the end */
	free(p);
}

/* 0 if it does not fit into the room. */
static size_t pack(struct deflate_packer *p, const void *bytes, size_t size,
		   bool is_last, uint8_t *out, size_t room)
{
	int code;

	(void)deflateReset(&p->stream);
	p->stream.next_in = (Bytef *)bytes;
	p->stream.avail_in = (uInt)size;
	p->stream.next_out = out;
	p->stream.avail_out = (uInt)room;
	code = deflate(&p->stream, is_last ? Z_FINISH : Z_FULL_FLUSH);
	if (p->stream.avail_in > 0 || p->stream.avail_out == 0 ||
	    (is_last && code != Z_STREAM_END))
		return 0;
	return room - p->stream.avail_out;
}

uint32_t deflate_checksum(const void *bytes, size_t size)
{
	return (uint32_t)crc32_z(0, bytes, size);
}

#endif

uint32_t deflate_join_checksums(uint32_t first, uint32_t second,
				uint64_t second_size)
{
	return (uint32_t)crc32_combine(first, second, (z_off_t)second_size);
}

/* Carries the bytes as they are. */
static size_t store(const uint8_t *bytes, size_t size, bool is_last,
		    uint8_t *out)
{
	uint8_t *to = out;
	size_t n;

	do {
		n = size < STORED_MAX ? size : STORED_MAX;
		size -= n;
		*to++ = is_last && size == 0; /* and the kind: 0 */
		*to++ = (uint8_t)n;
		*to++ = (uint8_t)(n >> 8);
		*to++ = (uint8_t)~n;
		*to++ = (uint8_t)(~n >> 8);
		memcpy(to, bytes, n);
		to += n;
		bytes += n;
	} while (size > 0);
	return (size_t)(to - out);
}

/* Whether packing is worth the time. */
static bool shrinks(struct deflate_packer *p, const void *bytes, size_t size,
		    uint8_t *out)
{
	size_t n;

	if (size < 2 * SAMPLE_SIZE)
		return true;
	n = pack(p, bytes, SAMPLE_SIZE, true, out, DEFLATE_PACKED_MAX);
	return n > 0 && SHRINKS(SAMPLE_SIZE, n);
}

size_t deflate_block(struct deflate_packer *p, const void *bytes, size_t size,
		     bool is_last, uint8_t *out)
{
	size_t n = 0;

	assert(size <= DEFLATE_BLOCK_SIZE);
	if (size > 0 && shrinks(p, bytes, size, out))
		n = pack(p, bytes, size, is_last, out, DEFLATE_PACKED_MAX);
	if (n == 0)
		n = store(bytes, size, is_last, out);
	return n;
}
