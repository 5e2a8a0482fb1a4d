#include "importer/server/early.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "importer/embedded/jobs.h"
#include "importer/server/work.h"

/* Parts that wait for one before them. A client sends some at a time. */
#define AHEAD_MAX 64

struct ahead {
	unsigned number;
	struct job_extent extent;
};

struct early {
	struct deployment *d;
	struct job target;
	struct work *work; /* NULL: not begun, or given up */
	unsigned next;	   /* the number of the part that is next */
	struct ahead ahead[AHEAD_MAX];
	size_t ahead_count;
	bool is_given_up;
};

int early_new(struct deployment *d, const struct job *target,
	      struct early **ret, struct cvx_err *err)
{
	struct early *e = calloc(1, sizeof(*e));

	if (!e)
		return cvx_fail_memory(err);
	e->d = d;
	e->next = 1;
	e->target.component = strdup(target->component);
	e->target.table = strdup(target->table);
	e->target.format = strdup(target->format);
	e->target.mode = strdup(target->mode);
	if (!e->target.component || !e->target.table || !e->target.format ||
	    !e->target.mode) {
		early_free(e);
		return cvx_fail_memory(err);
	}
	*ret = e;
	return 0;
}

void early_free(struct early *e)
{
	if (!e)
		return;
	work_free(e->work);
	job_fini(&e->target);
	free(e);
}

static void give_up(struct early *e, const struct cvx_err *why)
{
	if (why)
		log_debug("an upload is read when it is whole: %s", why->msg);
	work_free(CVX_TAKE(e->work));
	e->is_given_up = true;
}

static void append(struct early *e, int fd, const struct job_extent *extent)
{
	struct cvx_err err = CVX_ERR_INIT;

	if (!e->work &&
	    work_new_early(e->d, &e->target, fd, &e->work, &err) < 0) {
		give_up(e, &err);
		return;
	}
	work_add(e->work, extent);
	e->next++;
}

/* Those that have waited for the one before them. */
static void append_ahead(struct early *e, int fd)
{
	size_t i = 0;

	while (!e->is_given_up && i < e->ahead_count) {
		if (e->ahead[i].number != e->next) {
			i++;
			continue;
		}
		append(e, fd, &e->ahead[i].extent);
		e->ahead[i] = e->ahead[--e->ahead_count];
		i = 0;
	}
}

void early_add_part(struct early *e, unsigned number, int fd, uint64_t off,
		    uint64_t size)
{
	const struct job_extent extent = {off, size};

	if (e->is_given_up)
		return;
	/* One that comes again: which of the two counts is not known yet. */
	if (number < e->next || e->ahead_count == AHEAD_MAX) {
		give_up(e, NULL);
		return;
	}
	if (number > e->next) {
		e->ahead[e->ahead_count++] = (struct ahead){number, extent};
		return;
	}
	append(e, fd, &extent);
	append_ahead(e, fd);
}

static bool is_target(const struct early *e, const struct job *job)
{
	return strcmp(e->target.component, job->component) == 0 &&
	       strcmp(e->target.table, job->table) == 0 &&
	       strcmp(e->target.format, job->format) == 0 &&
	       strcmp(e->target.mode, job->mode) == 0;
}

struct work *early_end(struct early *e, const struct job *job)
{
	struct work *w = NULL;

	if (e->work && is_target(e, job) && work_is_of(e->work, job))
		w = CVX_TAKE(e->work);
	early_free(e);
	return w;
}
