#include "importer/archive/decoder.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>
#ifdef HAVE_ISAL
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#endif

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/archive/deflate64.h"
#include "importer/value/refusal.h"

/* One way of packing. */
struct method {
	unsigned number;
	void *(*new)(void); /* NULL without memory */
	void (*free)(void *state);
	enum decoder_outcome (*run)(void *state, struct decoder_io *io);
};

struct decoder {
	const struct method *method;
	void *state;
};

CVX_DEFINE_CLEANUP(struct decoder, decoder_free)

/* Libraries count bytes in 32 bits. */
static unsigned clamp(size_t size)
{
	return size > UINT_MAX ? UINT_MAX : (unsigned)size;
}

static void move(struct decoder_io *io, size_t used, size_t made)
{
	io->in += used;
	io->in_size -= used;
	io->out += made;
	io->out_size -= made;
}

/* Stored bytes have no state, but NULL means something else. */
static void *store_new(void)
{
	return malloc(1);
}

static enum decoder_outcome store_run(void *state __attribute__((unused)),
				      struct decoder_io *io)
{
	size_t n = io->in_size < io->out_size ? io->in_size : io->out_size;

	if (n > 0)
		memcpy(io->out, io->in, n);
	move(io, n, n);
	return io->in_ends && io->in_size == 0 ? DECODER_ENDED
					       : DECODER_GOES_ON;
}

#ifdef HAVE_ISAL

static void *deflate_new(void)
{
	struct inflate_state *s = malloc(sizeof(*s));

	if (s) {
		isal_inflate_init(s);
		s->crc_flag = ISAL_DEFLATE; /* no header, no checksum */
	}
	return s;
}

static void deflate_free(void *state)
{
	free(state);
}

static enum decoder_outcome deflate_run(void *state, struct decoder_io *io)
{
	struct inflate_state *s = state;
	unsigned in_size = clamp(io->in_size), out_size = clamp(io->out_size);
	int r;

	s->next_in = (unsigned char *)(uintptr_t)io->in;
	s->avail_in = in_size;
	s->next_out = io->out;
	s->avail_out = out_size;
	r = isal_inflate(s);
	move(io, in_size - s->avail_in, out_size - s->avail_out);
	if (r < 0)
		return DECODER_DAMAGED;
	return s->block_state == ISAL_BLOCK_FINISH ? DECODER_ENDED
						   : DECODER_GOES_ON;
}

uint32_t decoder_crc(uint32_t crc, const void *bytes, size_t size)
{
	return crc32_gzip_refl(crc, bytes, size);
}

#else

static void *deflate_new(void)
{
	z_stream *s = calloc(1, sizeof(*s));

	if (s && inflateInit2(s, -MAX_WBITS) != Z_OK) {
		free(s);
		return NULL;
	}
	return s;
}

static void deflate_free(void *state)
{
	(void)inflateEnd(state); /* complains of what was not read */
	free(state);
}

static enum decoder_outcome deflate_run(void *state, struct decoder_io *io)
{
	z_stream *s = state;
	unsigned in_size = clamp(io->in_size), out_size = clamp(io->out_size);
	int r;

	s->next_in = (unsigned char *)(uintptr_t)io->in;
	s->avail_in = in_size;
	s->next_out = io->out;
	s->avail_out = out_size;
	r = inflate(s, Z_NO_FLUSH);
	move(io, in_size - s->avail_in, out_size - s->avail_out);
	if (r == Z_STREAM_END)
		return DECODER_ENDED;
	if (r == Z_MEM_ERROR)
		return DECODER_NO_MEMORY;
	return r == Z_OK || r == Z_BUF_ERROR ? DECODER_GOES_ON
					     : DECODER_DAMAGED;
}

uint32_t decoder_crc(uint32_t crc, const void *bytes, size_t size)
{
	return (uint32_t)crc32_z(crc, bytes, size);
}

#endif

static void *deflate64_new_state(void)
{
	return deflate64_new();
}

static void deflate64_free_state(void *state)
{
	deflate64_free(state);
}

static enum decoder_outcome deflate64_run_state(void *state,
						struct decoder_io *io)
{
	return deflate64_run(state, io);
}

static void *zstd_new(void)
{
	ZSTD_DStream *s = ZSTD_createDStream();
	size_t r;

	if (!s)
		return NULL;
	r = ZSTD_DCtx_setParameter(s, ZSTD_d_windowLogMax, DECODER_WINDOW_LOG);
	if (ZSTD_isError(r)) {
		(void)ZSTD_freeDStream(s);
		return NULL;
	}
	return s;
}

static void zstd_free(void *state)
{
	(void)ZSTD_freeDStream(state); /* fails for nothing that is made here */
}

static enum decoder_outcome explain_zstd(size_t result)
{
	ZSTD_ErrorCode code = ZSTD_getErrorCode(result);

	if (code == ZSTD_error_memory_allocation)
		return DECODER_NO_MEMORY;
	return code == ZSTD_error_frameParameter_windowTooLarge
		       ? DECODER_TOO_FAR
		       : DECODER_DAMAGED;
}

/* An entry may hold several frames. */
static enum decoder_outcome zstd_run(void *state, struct decoder_io *io)
{
	ZSTD_inBuffer in = {io->in, io->in_size, 0};
	ZSTD_outBuffer out = {io->out, io->out_size, 0};
	size_t r = 1;
	bool is_moved;

	do {
		size_t used = in.pos, made = out.pos;

		r = ZSTD_decompressStream(state, &out, &in);
		if (ZSTD_isError(r))
			break;
		is_moved = in.pos > used || out.pos > made;
	} while (is_moved && in.pos < in.size && out.pos < out.size);
	move(io, in.pos, out.pos);
	if (ZSTD_isError(r))
		return explain_zstd(r);
	return r == 0 && io->in_ends && io->in_size == 0 ? DECODER_ENDED
							 : DECODER_GOES_ON;
}

static const struct method methods[] = {
	{0, store_new, free, store_run},
	{8, deflate_new, deflate_free, deflate_run},
	{9, deflate64_new_state, deflate64_free_state, deflate64_run_state},
	{20, zstd_new, zstd_free, zstd_run}, /* as it was numbered at first */
	{93, zstd_new, zstd_free, zstd_run},
};

static int refuse_method(unsigned number, struct cvx_err *err)
{
	static const struct {
		unsigned number;
		const char *name;
	} known[] = {
		{1, "shrink"}, {2, "reduce"},  {3, "reduce"},	{4, "reduce"},
		{5, "reduce"}, {6, "implode"}, {12, "bzip2"},	{14, "LZMA"},
		{95, "xz"},    {96, "JPEG"},   {97, "WavPack"}, {98, "PPMd"},
		{99, "AES"},
	};
	const char *name = "an unknown method";
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].number == number)
			name = known[i].name;
	return refuse(err, "InvalidZip",
		      "it is packed with %s (method %u), which is not "
		      "supported; pack it with deflate",
		      name, number);
}

int decoder_new(unsigned method, struct decoder **ret, struct cvx_err *err)
{
	CVX_AUTO(decoder_freep) struct decoder *d = NULL;
	size_t i;

	for (i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		if (methods[i].number == method)
			break;
	if (i == sizeof(methods) / sizeof(*methods))
		return refuse_method(method, err);
	d = calloc(1, sizeof(*d));
	if (!d)
		return cvx_fail_memory(err);
	d->method = &methods[i];
	d->state = d->method->new ();
	if (!d->state)
		return cvx_fail_memory(err);
	*ret = CVX_TAKE(d);
	return 0;
}

void decoder_free(struct decoder *d)
{
	if (!d)
		return;
	if (d->state)
		d->method->free(d->state);
	free(d);
}

enum decoder_outcome decoder_run(struct decoder *d, struct decoder_io *io)
{
	return d->method->run(d->state, io);
}
