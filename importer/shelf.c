#include "importer/shelf.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/segment.h"
#include "importer/embedded/commit.h"

void shelf_init(struct shelf *s, struct deployment *d)
{
	*s = (struct shelf){.d = d};
	(void)pthread_mutex_init(&s->lock, NULL);
	cvx_buf_init(&s->memory, SHELF_MEMORY_MAX);
}

static void unmap(struct shelf *s)
{
	if (s->map)
		(void)munmap(s->map, s->map_size);
	s->map = NULL;
}

void shelf_fini(struct shelf *s)
{
	unmap(s);
	segment_stage_free(s->stage);
	cvx_buf_fini(&s->memory);
	(void)pthread_mutex_destroy(&s->lock);
}

static int fail(int r, struct cvx_err *err)
{
	return r == -ENOMEM ? cvx_fail_memory(err)
			    : cvx_fail(err, r, "cannot store the rows: %s",
				       strerror(-r));
}

static int write_stage(struct shelf *s, const void *bytes, size_t size,
		       struct cvx_err *err)
{
	int r = 0;

	if (!s->stage) {
		r = commit_new_stage(s->d, &s->stage, err);
		if (r < 0)
			return r;
		r = file_pwrite(segment_stage_fd(s->stage), s->memory.data,
				s->memory.size, 0);
		cvx_buf_fini(&s->memory);
	}
	if (r == 0)
		r = file_pwrite(segment_stage_fd(s->stage), bytes, size,
				s->size);
	return r < 0 ? fail(r, err) : 0;
}

/* Under the lock. */
static int put(struct shelf *s, const void *bytes, size_t size,
	       uint64_t *ret_off, struct cvx_err *err)
{
	static const char zeros[8];
	size_t gap = (size_t)(-size % sizeof(zeros));
	int r;

	unmap(s);
	if (s->stage || size + gap > SHELF_MEMORY_MAX - s->memory.size) {
		r = write_stage(s, bytes, size, err);
		if (r < 0)
			return r;
	} else {
		r = cvx_buf_append(&s->memory, bytes, size);
		if (r == 0)
			r = cvx_buf_append(&s->memory, zeros, gap);
		if (r < 0)
			return fail(r, err);
	}
	*ret_off = s->size;
	s->size += size + gap;
	return 0;
}

int shelf_put(struct shelf *s, const void *bytes, size_t size,
	      uint64_t *ret_off, struct cvx_err *err)
{
	int r;

	(void)pthread_mutex_lock(&s->lock);
	r = put(s, bytes, size, ret_off, err);
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}

int shelf_look(struct shelf *s, const char **ret, struct cvx_err *err)
{
	if (s->stage && !s->map) {
		s->map_size = (size_t)s->size;
		s->map = mmap(NULL, s->map_size, PROT_READ, MAP_SHARED,
			      segment_stage_fd(s->stage), 0);
		if (s->map == MAP_FAILED) {
			s->map = NULL;
			return fail(-errno, err);
		}
	}
	*ret = s->stage ? s->map : s->memory.data;
	return 0;
}
