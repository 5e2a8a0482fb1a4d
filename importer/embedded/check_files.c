/* embedded_check(): what must be true of stored files. */

#include "importer/embedded/check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/catalog.h"
#include "importer/embedded/component_rows.h"
#include "importer/embedded/embedded.h"
#include "importer/embedded/files.h"
#include "importer/embedded/table_numbers.h"
#include "importer/value/mime.h"
#include "importer/value/sha256.h"

#define PIECE_SIZE ((size_t)256 << 10)

CVX_DEFINE_CLEANUP(struct sha256, sha256_free)

static int fail(const struct file_row *row, const char *what,
		struct cvx_err *err)
{
	return cvx_fail(err, -EIO, "stored file %s: %s", row->file.id, what);
}

/* The hash of the file's bytes. */
static int hash_file(int fd, unsigned char hash[SHA256_SIZE],
		     struct cvx_err *err)
{
	CVX_AUTO(sha256_freep) struct sha256 *s = NULL;
	CVX_AUTO(cvx_freep) char *piece = malloc(PIECE_SIZE);
	uint64_t off = 0;
	size_t n = PIECE_SIZE;
	int r;

	if (!piece)
		return cvx_fail_memory(err);
	r = sha256_new(&s, err);
	for (; r == 0 && n == PIECE_SIZE; off += n) {
		r = file_pread(fd, piece, PIECE_SIZE, off, &n);
		if (r < 0)
			return cvx_fail(err, r, "cannot read a file: %s",
					strerror(-r));
		sha256_add(s, piece, n);
	}
	if (r == 0)
		sha256_finish(s, hash);
	return r;
}

static int check_type(const struct file_row *row, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *copy = NULL;
	size_t size;

	if (!row->file.content_type)
		return 0;
	copy = strdup(row->file.content_type);
	if (!copy)
		return cvx_fail_memory(err);
	size = strlen(copy);
	if (mime_normalise(copy, &size) < 0 ||
	    size != strlen(row->file.content_type) ||
	    memcmp(copy, row->file.content_type, size) != 0)
		return fail(row, "its content type is not in normal form", err);
	return 0;
}

static int check_file(struct deployment *d, const struct file_row *row,
		      struct cvx_err *err)
{
	unsigned char hash[SHA256_SIZE];
	CVX_AUTO(cvx_closep) int fd = -1;
	char name[STORED_FILE_NAME_SIZE];
	struct stat st;
	int r;

	stored_file_name(row->id, name);
	fd = openat(d->stored_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(row, "its bytes are missing", err);
	if ((uint64_t)st.st_size != row->file.size)
		return fail(row, "its size is not as noted", err);
	r = hash_file(fd, hash, err);
	if (r == 0 && memcmp(hash, row->file.sha256, sizeof(hash)) != 0)
		r = fail(row, "its SHA-256 is not as noted", err);
	return r < 0 ? r : check_type(row, err);
}

/* Adds the file up. */
static int add_up(const struct file_row *row, struct storage_info *sum,
		  struct cvx_err *err)
{
	uint64_t size;
	int r = stored_file_measure(&row->file, &size, err);

	sum->file_count++;
	sum->size += row->file.size;
	sum->documents_size += size;
	return r;
}

static int check_files(struct deployment *d, const char *component,
		       struct storage_info *sum, struct cvx_err *err)
{
	CVX_AUTO(catalog_endp) struct catalog_query *q = NULL;
	struct file_row row;
	int r = files_begin(d->writes, component, &q, err), more;

	while (r == 0 && (more = files_next(q, &row, err)) != 0) {
		if (more < 0)
			return more;
		r = check_file(d, &row, err);
		if (r == 0)
			r = add_up(&row, sum, err);
		stored_file_fini(&row.file);
	}
	return r;
}

int check_storage(struct deployment *d, const char *component,
		  struct cvx_err *err)
{
	struct storage_info info, sum = {.number = 0};
	struct component_row owner;
	char name[NAME_MAX_SIZE + 1];
	int r = component_find(d->writes, component, &owner, err);

	if (r == 0)
		r = storage_find(d->writes, owner.id, &info, err);
	if (r == 0)
		r = check_files(d, component, &sum, err);
	if (r < 0)
		return r;
	if (sum.file_count != info.file_count || sum.size != info.size ||
	    sum.documents_size != info.documents_size)
		return cvx_fail(err, -EIO,
				"the totals of the stored files are wrong");
	r = table_find_user_number(d->writes, owner.id, info.number, name, err);
	if (r == 1)
		return cvx_fail(err, -EIO,
				"table %s has the number of the stored files",
				name);
	return r;
}
