#include "importer/remote/file_keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/embedded/copy.h"
#include "importer/remote/lister.h"
#include "importer/remote/listing.h"
#include "importer/remote/trim.h"
#include "importer/stored_file.h"

#define RANGE_SIZE ((size_t)8 << 20)

void file_keeper_init(struct file_keeper *k)
{
	size_t i;

	for (i = 0; i < FILE_GATE_COUNT; i++)
		gate_init(&k->gates[i]);
}

void file_keeper_fini(struct file_keeper *k)
{
	size_t i;

	for (i = 0; i < FILE_GATE_COUNT; i++)
		gate_fini(&k->gates[i]);
}

static struct gate *gate_of(struct file_keeper *k, const char *id)
{
	unsigned sum = 0;

	for (; *id; id++)
		sum = sum * 31 + (unsigned char)*id;
	return &k->gates[sum % FILE_GATE_COUNT];
}

static int download(const struct file_keeper *k, const char *component_id,
		    const struct stored_file *file, int fd,
		    const struct halt *halt, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *bytes = malloc(RANGE_SIZE);
	uint64_t off = 0;
	size_t n = 0;
	int r = 0;

	if (!bytes)
		return cvx_fail_memory(err);
	for (; r == 0 && off < file->size; off += n) {
		r = remote_read_stored_file(k->http, component_id, file, off,
					    bytes, RANGE_SIZE, halt, &n, err);
		if (r < 0)
			break;
		r = file_pwrite(fd, bytes, n, off);
		if (r < 0)
			return cvx_fail(err, r, "cannot write to the cache: %s",
					strerror(-r));
	}
	return r;
}

static int bring(const struct file_keeper *k, const char *component,
		 const struct stored_file *file, const struct halt *halt,
		 struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *component_id = NULL;
	CVX_AUTO(cvx_closep) int fd = file_open_unnamed(k->dir_fd);
	int r;

	if (fd < 0)
		return cvx_fail(err, fd, "cannot make a file in the cache");
	r = lister_list(k->lister, component, ORIGIN_KNOWN, halt, err);
	if (r == 0)
		r = lister_component_id(k->lister, component, &component_id,
					err);
	if (r == 0)
		r = download(k, component_id, file, fd, halt, err);
	if (r == 0)
		r = copy_put_file(k->copy, component, file->id, fd, file->size,
				  err);
	return r < 0 ? r : trim_copy(k->copy, k->size_max, "", NULL, err);
}

int file_keeper_hold(struct file_keeper *k, const char *component,
		     const char *id, const struct halt *halt,
		     struct cvx_err *err)
{
	struct gate *gate = gate_of(k, id);
	struct stored_file file;
	int r = copy_has_file(k->copy, component, id, &file, err);

	if (r < 0)
		return r;
	stored_file_fini(&file);
	if (r == 1)
		return 0;
	r = gate_enter(gate, halt, err);
	if (r < 0)
		return r;
	r = copy_has_file(k->copy, component, id, &file, err);
	if (r < 0)
		goto out;
	if (r == 0)
		r = bring(k, component, &file, halt, err);
	stored_file_fini(&file);
out:
	gate_leave(gate);
	return r < 0 ? r : 0;
}
