#include "importer/origin.h"

#include <assert.h>
#include <stddef.h>
#include <time.h>

#include "importer/deployment.h"
#include "importer/embedded/embedded.h"
#include "importer/stored_file.h"

void origin_set(struct deployment *d, const struct origin_ops *ops, void *ctx)
{
	d->origin = ops;
	d->origin_ctx = ctx;
}

bool origin_is_set(const struct deployment *d)
{
	return d->origin != NULL;
}

int origin_list(struct deployment *d, const char *component,
		enum origin_age age, const struct patience *patience,
		struct cvx_err *err)
{
	return d->origin ? d->origin->list(d->origin_ctx, component, age,
					   patience, err)
			 : 0;
}

int origin_find_table(struct deployment *d, const char *component,
		      const char *table, const struct patience *patience,
		      struct cvx_err *err)
{
	return d->origin ? d->origin->find_table(d->origin_ctx, component,
						 table, patience, err)
			 : 0;
}

uint64_t origin_moment(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int origin_hold_table_since(struct deployment *d, const char *component,
			    const char *table, uint64_t since_ns,
			    const struct patience *patience,
			    struct cvx_err *err)
{
	return d->origin ? d->origin->hold_table(d->origin_ctx, component,
						 table, ORIGIN_NOW, since_ns,
						 patience, err)
			 : 0;
}

int origin_hold_table(struct deployment *d, const char *component,
		      const char *table, enum origin_age age,
		      const struct patience *patience, struct cvx_err *err)
{
	return d->origin ? d->origin->hold_table(d->origin_ctx, component,
						 table, age, 0, patience, err)
			 : 0;
}

int origin_count_documents(struct deployment *d, const char *component,
			   const char *table, const struct patience *patience,
			   uint64_t *ret, struct cvx_err *err)
{
	struct table_info info;
	int r;

	if (d->origin)
		return d->origin->count_documents(d->origin_ctx, component,
						  table, patience, ret, err);
	r = deployment_stat_table(d, component, table, &info, err);
	if (r == 0)
		*ret = info.document_count;
	return r;
}

int origin_list_files(struct deployment *d, const char *component,
		      enum origin_age age, const struct patience *patience,
		      struct cvx_err *err)
{
	return d->origin ? d->origin->list_files(d->origin_ctx, component, age,
						 patience, err)
			 : 0;
}

int origin_hold_file(struct deployment *d, const char *component,
		     const char *id, const struct patience *patience,
		     struct cvx_err *err)
{
	return d->origin ? d->origin->hold_file(d->origin_ctx, component, id,
						patience, err)
			 : 0;
}

int origin_make_backup(struct deployment *d, const char *component,
		       bool with_files, int fd, const struct patience *patience,
		       uint64_t *ret_size, int64_t *ret_ns, struct cvx_err *err)
{
	assert(d->origin);
	return d->origin->make_backup(d->origin_ctx, component, with_files, fd,
				      patience, ret_size, ret_ns, err);
}

void origin_settle_imports(struct deployment *d,
			   const struct patience *patience,
			   void (*imported)(void *ctx, const char *path),
			   void *ctx)
{
	if (d->origin)
		d->origin->settle_imports(d->origin_ctx, patience, imported,
					  ctx);
}

bool origin_is_stale(struct deployment *d, int64_t *ret_since_ns)
{
	return d->origin && d->origin->is_stale(d->origin_ctx, ret_since_ns);
}

int origin_has_files(struct deployment *d, const char *component,
		     const struct patience *patience, bool *ret,
		     struct cvx_err *err)
{
	struct storage_info info;
	int r;

	if (d->origin)
		return d->origin->has_files(d->origin_ctx, component, patience,
					    ret, err);
	r = deployment_stat_storage(d, component, &info, err);
	if (r == 0)
		*ret = info.file_count > 0;
	return r;
}
