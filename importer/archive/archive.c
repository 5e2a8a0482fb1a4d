#include "importer/archive/archive.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <search.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <zip.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/archive/decoder.h"
#include "importer/value/refusal.h"

#define END_SIZE 22 /* the record at the end, without its comment */
#define COMMENT_MAX 65535
#define LOCATOR_SIZE 20 /* in front of it, in ZIP64 */
#define END64_SIZE 56	/* in front of that */
#define LOCAL_SIZE 30	/* the fixed part of a local header */

/* Packed bytes are read in pieces of this size. */
#define RAW_SIZE ((size_t)128 << 10)

/* Where an entry that was read lies. */
struct extent {
	uint64_t start, end;
	uint64_t index;
};

struct archive {
	struct import_source source;
	uint64_t base; /* bytes in front of the archive */
	uint64_t size; /* of the rest */

	pthread_mutex_t lock; /* guards all below, and the source */
	zip_t *zip;

	/* What libzip does with the source. */
	uint64_t pos;
	uint64_t first_read; /* position of the first read, or UINT64_MAX */
	zip_error_t zip_error;
	struct cvx_err failure; /* of the source; code 0: none */

	void *extents; /* a tree of struct extent, see claim() */
};

struct archive_stream {
	struct archive *a;
	zip_file_t *file;
	struct archive_entry entry;
	uint32_t want_crc;
	struct decoder *decoder; /* NULL: nothing is packed */

	unsigned char *raw; /* RAW_SIZE bytes; io.in points into it */
	uint64_t raw_left;  /* not read yet */
	struct decoder_io io;
	uint64_t off;
	uint32_t crc; /* of the bytes before off */
	bool is_at_end;
};

CVX_DEFINE_CLEANUP(struct archive, archive_free)
CVX_DEFINE_CLEANUP(struct archive_stream, archive_stream_free)

static zip_int64_t fail_source(struct archive *a, int system_error)
{
	zip_error_set(&a->zip_error, ZIP_ER_READ, system_error);
	return -1;
}

static zip_int64_t read_source(struct archive *a, void *buf, uint64_t size)
{
	uint64_t left = a->size - a->pos;
	size_t n;

	if (a->first_read == UINT64_MAX)
		a->first_read = a->pos;
	if (size > left)
		size = left;
	if (size > SSIZE_MAX)
		size = SSIZE_MAX;
	if (a->source.read(a->source.ctx, a->base + a->pos, buf, (size_t)size,
			   &n, &a->failure) < 0)
		return fail_source(a, -a->failure.code);
	a->pos += n;
	return (zip_int64_t)n;
}

static zip_int64_t seek_source(struct archive *a, void *args, uint64_t size)
{
	zip_int64_t pos = zip_source_seek_compute_offset(a->pos, a->size, args,
							 size, &a->zip_error);

	if (pos < 0)
		return -1;
	a->pos = (uint64_t)pos;
	return 0;
}

static zip_int64_t stat_source(const struct archive *a, zip_stat_t *st)
{
	zip_stat_init(st);
	st->size = a->size;
	st->valid = ZIP_STAT_SIZE;
	return sizeof(*st);
}

static zip_int64_t source_command(void *ctx, void *buf, zip_uint64_t size,
				  zip_source_cmd_t command)
{
	struct archive *a = ctx;

	/* libzip has more commands than a source that is read needs. */
	if (command == ZIP_SOURCE_READ)
		return read_source(a, buf, size);
	if (command == ZIP_SOURCE_SEEK)
		return seek_source(a, buf, size);
	if (command == ZIP_SOURCE_TELL)
		return (zip_int64_t)a->pos;
	if (command == ZIP_SOURCE_STAT)
		return stat_source(a, buf);
	if (command == ZIP_SOURCE_ERROR)
		return zip_error_to_data(&a->zip_error, buf, size);
	if (command == ZIP_SOURCE_SUPPORTS)
		return zip_source_make_command_bitmap(
			ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE,
			ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE,
			ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_SUPPORTS,
			-1);
	if (command == ZIP_SOURCE_OPEN)
		a->pos = 0;
	if (command == ZIP_SOURCE_OPEN || command == ZIP_SOURCE_CLOSE ||
	    command == ZIP_SOURCE_FREE)
		return 0;
	zip_error_set(&a->zip_error, ZIP_ER_OPNOTSUPP, 0);
	return -1;
}

/*
 * The one place that knows what libzip's errors are here. The source's own
 * failures pass through; what the machine lacks is no fault of the archive.
 */
static int fail_zip(struct archive *a, const zip_error_t *error,
		    struct cvx_err *err)
{
	switch (zip_error_code_zip(error)) {
	case ZIP_ER_MEMORY:
		return cvx_fail_memory(err);
	case ZIP_ER_NOZIP:
		return refuse(err, "InvalidZip",
			      "this is not a ZIP, or its end is missing");
	case ZIP_ER_INCONS:
		return refuse(err, "InvalidZip",
			      "the ZIP contradicts itself: it was cut or "
			      "damaged");
	case ZIP_ER_EOF:
		return refuse(err, "InvalidZip", "its data is cut");
	case ZIP_ER_MULTIDISK:
		return refuse(err, "InvalidZip",
			      "archives of several parts are not supported");
	default: /* libzip's numbers are no enum */
		break;
	}
	if (a->failure.code != 0) {
		if (err)
			*err = a->failure;
		return a->failure.code;
	}
	/* A place behind the end cannot be sought. */
	if (zip_error_code_zip(error) == ZIP_ER_INVAL)
		return refuse(err, "InvalidZip",
			      "the ZIP says that its data lies where the file "
			      "has ended");
	return refuse(err, "InvalidZip", "%s",
		      zip_error_strerror((zip_error_t *)error));
}

static void prefix_entry(struct cvx_err *err, const char *name)
{
	if (err)
		(void)cvx_err_prefix(err, "%.200s", name);
}

static uint64_t little(const unsigned char *bytes, unsigned size)
{
	uint64_t value = 0;

	while (size-- > 0)
		value = value << 8 | bytes[size];
	return value;
}

static bool is_signature(const unsigned char *bytes, unsigned char a,
			 unsigned char b)
{
	return bytes[0] == 'P' && bytes[1] == 'K' && bytes[2] == a &&
	       bytes[3] == b;
}

/* The record at the end: behind it only its comment. */
static bool find_end(const unsigned char *tail, size_t size, size_t *ret)
{
	size_t at, comment;

	if (size < END_SIZE)
		return false;
	for (at = size - END_SIZE;; at--) {
		comment = size - END_SIZE - at;
		if (is_signature(tail + at, 5, 6) &&
		    little(tail + at + 20, 2) <= comment) {
			*ret = at;
			return true;
		}
		if (at == 0)
			return false;
	}
}

static int has_directory_at(struct archive *a, uint64_t off, bool *ret,
			    struct cvx_err *err)
{
	unsigned char bytes[4];
	size_t n;
	int r;

	*ret = false;
	if (off > a->size || a->size - off < sizeof(bytes))
		return 0;
	r = a->source.read(a->source.ctx, off, bytes, sizeof(bytes), &n, err);
	*ret = r == 0 && n == sizeof(bytes) && is_signature(bytes, 1, 2);
	return r;
}

/*
 * Offsets in an archive count from its start, which libzip takes for that of
 * the file. With data in front, the directory does not lie where the record at
 * the end says, but as much behind it as there is data.
 */
static int find_base(struct archive *a, struct cvx_err *err)
{
	const size_t capacity =
		COMMENT_MAX + END_SIZE + LOCATOR_SIZE + END64_SIZE;
	CVX_AUTO(cvx_freep) unsigned char *tail = malloc(capacity);
	uint64_t tail_off = a->size > capacity ? a->size - capacity : 0;
	uint64_t off, size, end_off;
	bool is_there;
	size_t n, at;
	int r;

	if (!tail)
		return cvx_fail_memory(err);
	r = a->source.read(a->source.ctx, tail_off, tail, capacity, &n, err);
	if (r < 0 || !find_end(tail, n, &at))
		return r; /* libzip says what is wrong */
	size = little(tail + at + 12, 4);
	off = little(tail + at + 16, 4);
	end_off = tail_off + at;
	if (at >= LOCATOR_SIZE + END64_SIZE &&
	    is_signature(tail + at - LOCATOR_SIZE, 6, 7) &&
	    is_signature(tail + at - LOCATOR_SIZE - END64_SIZE, 6, 6)) {
		at -= LOCATOR_SIZE + END64_SIZE;
		size = little(tail + at + 40, 8);
		off = little(tail + at + 48, 8);
		end_off = tail_off + at;
	}
	if (size == 0 || size > end_off || off >= end_off - size)
		return 0;
	r = has_directory_at(a, off, &is_there, err);
	if (r < 0 || is_there)
		return r;
	r = has_directory_at(a, end_off - size, &is_there, err);
	if (r == 0 && is_there) {
		a->base = end_off - size - off;
		a->size -= a->base;
	}
	return r;
}

int archive_open(const struct import_source *source, uint64_t size,
		 struct archive **ret, struct cvx_err *err)
{
	CVX_AUTO(archive_freep) struct archive *a = calloc(1, sizeof(*a));
	zip_source_t *zip_source;
	zip_error_t error;
	int r;

	if (!a)
		return cvx_fail_memory(err);
	(void)pthread_mutex_init(&a->lock, NULL);
	zip_error_init(&a->zip_error);
	a->source = *source;
	a->size = size;
	if (size == 0)
		return refuse(err, "InvalidZip", "the file is empty");
	r = find_base(a, err);
	if (r < 0)
		return r;
	zip_error_init(&error);
	zip_source = zip_source_function_create(source_command, a, &error);
	if (zip_source)
		a->zip = zip_open_from_source(zip_source, ZIP_RDONLY, &error);
	if (!a->zip) {
		r = fail_zip(a, &error, err);
		zip_source_free(zip_source);
	}
	zip_error_fini(&error);
	if (r < 0)
		return r;
	*ret = CVX_TAKE(a);
	return 0;
}

void archive_free(struct archive *a)
{
	if (!a)
		return;
	if (a->zip)
		zip_discard(a->zip);
	zip_error_fini(&a->zip_error);
	tdestroy(a->extents, free);
	(void)pthread_mutex_destroy(&a->lock);
	free(a);
}

uint64_t archive_entry_count(const struct archive *a)
{
	return (uint64_t)zip_get_num_entries(a->zip, 0);
}

/* Under the lock. */
static int find_entry(struct archive *a, uint64_t index, zip_stat_t *st,
		      struct archive_entry *ret, struct cvx_err *err)
{
	ret->name = zip_get_name(a->zip, index, ZIP_FL_ENC_RAW);
	if (!ret->name || zip_stat_index(a->zip, index, 0, st) < 0)
		return fail_zip(a, zip_get_error(a->zip), err);
	ret->size = (st->valid & ZIP_STAT_SIZE) ? st->size : 0;
	return 0;
}

int archive_entry(struct archive *a, uint64_t index, struct archive_entry *ret,
		  struct cvx_err *err)
{
	zip_stat_t st;
	int r;

	(void)pthread_mutex_lock(&a->lock);
	r = find_entry(a, index, &st, ret, err);
	(void)pthread_mutex_unlock(&a->lock);
	return r;
}

/* Extents of which no two share a byte have an order; those that do are equal
 * in it, so that a tree finds them. */
static int compare_extents(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	if (x->end <= y->start)
		return -1;
	return x->start >= y->end;
}

/* Remembers where the entry lies; no two may share a byte. */
static int claim(struct archive *a, const struct extent *extent,
		 struct cvx_err *err)
{
	struct extent *copy = malloc(sizeof(*copy));
	struct extent *const *node;
	uint64_t other;

	if (!copy)
		return cvx_fail_memory(err);
	*copy = *extent;
	node = tsearch(copy, &a->extents, compare_extents);
	if (!node) {
		free(copy);
		return cvx_fail_memory(err);
	}
	if (*node == copy)
		return 0;
	free(copy);
	other = (*node)->index;
	if (other == extent->index)
		return 0; /* read again */
	return refuse(err, "InvalidZip",
		      "it shares its bytes with the entry %.200s",
		      zip_get_name(a->zip, other, ZIP_FL_ENC_RAW));
}

/* Opens the packed bytes, which nobody else may claim. Under the lock. */
static int open_file(struct archive *a, uint64_t index, const zip_stat_t *st,
		     zip_file_t **ret, struct cvx_err *err)
{
	struct extent extent = {.index = index};

	if ((st->valid & ZIP_STAT_ENCRYPTION_METHOD) &&
	    st->encryption_method != ZIP_EM_NONE)
		return refuse(err, "InvalidZip",
			      "it is encrypted, which is not supported");
	/* The first thing that is read is the entry's local header. */
	a->first_read = UINT64_MAX;
	*ret = zip_fopen_index(a->zip, index, ZIP_FL_COMPRESSED);
	if (!*ret)
		return fail_zip(a, zip_get_error(a->zip), err);
	if (a->first_read == UINT64_MAX)
		return 0;
	extent.start = a->first_read;
	if (st->comp_size > a->size - extent.start)
		return refuse(err, "InvalidZip", "its data is cut");
	extent.end = extent.start + LOCAL_SIZE + st->comp_size;
	return claim(a, &extent, err);
}

int archive_claim(struct archive *a, uint64_t index, struct cvx_err *err)
{
	struct archive_entry entry = {.name = ""};
	zip_file_t *file = NULL;
	zip_stat_t st;
	int r;

	(void)pthread_mutex_lock(&a->lock);
	r = find_entry(a, index, &st, &entry, err);
	if (r == 0)
		r = open_file(a, index, &st, &file, err);
	if (file)
		(void)zip_fclose(file); /* was not read */
	(void)pthread_mutex_unlock(&a->lock);
	if (r < 0)
		prefix_entry(err, entry.name);
	return r;
}

static int open_stream(struct archive_stream *s, uint64_t index,
		       struct cvx_err *err)
{
	struct archive *a = s->a;
	zip_stat_t st;
	int r;

	(void)pthread_mutex_lock(&a->lock);
	r = find_entry(a, index, &st, &s->entry, err);
	if (r == 0)
		r = open_file(a, index, &st, &s->file, err);
	(void)pthread_mutex_unlock(&a->lock);
	if (r < 0)
		return r;
	s->want_crc = (st.valid & ZIP_STAT_CRC) ? st.crc : 0;
	s->raw_left = st.comp_size;
	s->is_at_end = s->raw_left == 0;
	if (s->is_at_end)
		return 0;
	s->raw = malloc(RAW_SIZE);
	if (!s->raw)
		return cvx_fail_memory(err);
	return decoder_new(st.comp_method, &s->decoder, err);
}

int archive_stream_new(struct archive *a, uint64_t index,
		       struct archive_stream **ret, struct cvx_err *err)
{
	CVX_AUTO(archive_stream_freep)
	struct archive_stream *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return cvx_fail_memory(err);
	s->a = a;
	s->entry.name = "";
	r = open_stream(s, index, err);
	if (r < 0) {
		prefix_entry(err, s->entry.name);
		return r;
	}
	*ret = CVX_TAKE(s);
	return 0;
}

void archive_stream_free(struct archive_stream *s)
{
	if (!s)
		return;
	if (s->file) {
		(void)pthread_mutex_lock(&s->a->lock);
		(void)zip_fclose(s->file); /* was only read */
		(void)pthread_mutex_unlock(&s->a->lock);
	}
	decoder_free(s->decoder);
	free(s->raw);
	free(s);
}

static int read_raw(struct archive_stream *s, struct cvx_err *err)
{
	size_t size = s->raw_left < RAW_SIZE ? (size_t)s->raw_left : RAW_SIZE;
	zip_int64_t got;
	int r = 0;

	(void)pthread_mutex_lock(&s->a->lock);
	got = zip_fread(s->file, s->raw, size);
	if (got < 0)
		r = fail_zip(s->a, zip_file_get_error(s->file), err);
	else if (got == 0)
		r = refuse(err, "InvalidZip", "its data is cut");
	(void)pthread_mutex_unlock(&s->a->lock);
	if (r < 0)
		return r;
	s->raw_left -= (uint64_t)got;
	s->io.in = s->raw;
	s->io.in_size = (size_t)got;
	s->io.in_ends = s->raw_left == 0;
	return 0;
}

/* What the directory says of the whole entry. */
static int verify(const struct archive_stream *s, struct cvx_err *err)
{
	if (s->off < s->entry.size)
		return refuse(err, "InvalidZip",
			      "it has fewer bytes than the directory of the "
			      "ZIP says");
	if (s->crc != s->want_crc)
		return refuse(err, "InvalidZip", "its checksum is wrong");
	return 0;
}

/* Unpacks some bytes to where io.out points, and counts them. */
static int unpack(struct archive_stream *s, struct cvx_err *err)
{
	const unsigned char *out = s->io.out;
	size_t in_size, made;
	int r = 0;

	if (s->io.in_size == 0 && s->raw_left > 0)
		r = read_raw(s, err);
	if (r < 0)
		return r;
	in_size = s->io.in_size;
	switch (decoder_run(s->decoder, &s->io)) {
	case DECODER_ENDED:
		s->is_at_end = true;
		break;
	case DECODER_GOES_ON:
		if (s->io.out == out && s->io.in_size == in_size)
			return refuse(err, "InvalidZip", "its data is cut");
		break;
	case DECODER_DAMAGED:
		return refuse(err, "InvalidZip",
			      "its compressed data is damaged");
	case DECODER_TOO_FAR:
		return refuse(err, "InvalidZip",
			      "it is packed with a window of more than %zu MiB",
			      DECODER_WINDOW_MAX >> 20);
	case DECODER_NO_MEMORY:
		return cvx_fail_memory(err);
	}
	made = (size_t)(s->io.out - out);
	s->off += made;
	if (s->off > s->entry.size)
		return refuse(err, "InvalidZip",
			      "it has more bytes than the directory of the ZIP "
			      "says");
	s->crc = decoder_crc(s->crc, out, made);
	return 0;
}

int archive_stream_read(struct archive_stream *s, void *buf, size_t size,
			size_t *ret_n, struct cvx_err *err)
{
	int r = 0;

	s->io.out = buf;
	s->io.out_size = size;
	while (r == 0 && s->io.out_size > 0 && !s->is_at_end)
		r = unpack(s, err);
	if (r == 0 && s->is_at_end)
		r = verify(s, err);
	if (r < 0) {
		prefix_entry(err, s->entry.name);
		return r;
	}
	*ret_n = size - s->io.out_size;
	return 0;
}
