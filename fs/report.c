#include "fs/report.h"

#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "fs/tree.h"
#include "importer/deployment.h"

#define REFUSAL_MAX (TREE_PATH_MAX + CVX_ERR_MSG_SIZE + 8)

/* Outcomes that are remembered; above that all are forgotten. */
#define OUTCOMES_MAX 4096

struct outcome {
	char *path;
	int code;
};

struct report {
	struct deployment *deployment;
	const char *component;

	pthread_mutex_t lock;
	/* guarded by lock: */
	char *refusal;	/* the last failure, if it was one */
	void *outcomes; /* tsearch tree: imports that failed */
	unsigned outcome_count;
};

static int compare(const void *a, const void *b)
{
	const struct outcome *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static void outcome_free(void *at)
{
	struct outcome *o = at;

	free(o->path);
	free(o);
}

int report_new(struct deployment *d, const char *component, struct report **ret,
	       struct cvx_err *err)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r)
		return cvx_fail_memory(err);
	r->deployment = d;
	r->component = component;
	pthread_mutex_init(&r->lock, NULL);
	*ret = r;
	return 0;
}

void report_free(struct report *r)
{
	if (!r)
		return;
	tdestroy(r->outcomes, outcome_free);
	free(r->refusal);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void report_refusal(struct report *r, const char *path,
		    const struct cvx_err *err)
{
	struct cvx_buf text = CVX_BUF_INIT(REFUSAL_MAX);

	log_error("%s: %s", path, err->msg);
	if (cvx_buf_printf(&text, "%s: %s\n", path, err->msg) < 0 ||
	    cvx_buf_append(&text, "", 1) < 0) {
		cvx_buf_fini(&text);
		return; /* the log has it */
	}
	pthread_mutex_lock(&r->lock);
	free(r->refusal);
	r->refusal = text.data;
	pthread_mutex_unlock(&r->lock);
}

static void remember(struct report *r, const char *path, int code)
{
	struct outcome key = {.path = (char *)path};
	struct outcome **found = tfind(&key, &r->outcomes, compare);
	struct outcome *o;

	if (found) {
		(*found)->code = code;
		return;
	}
	if (r->outcome_count == OUTCOMES_MAX) {
		tdestroy(r->outcomes, outcome_free);
		r->outcomes = NULL;
		r->outcome_count = 0;
	}
	o = calloc(1, sizeof(*o));
	if (!o || !(o->path = strdup(path)) ||
	    !tsearch(o, &r->outcomes, compare)) {
		if (o)
			free(o->path);
		free(o);
		return; /* fsync will not tell; everything else does */
	}
	o->code = code;
	r->outcome_count++;
}

static void forget(struct report *r, const char *path)
{
	struct outcome key = {.path = (char *)path};
	struct outcome **found = tfind(&key, &r->outcomes, compare);
	struct outcome *o = found ? *found : NULL;

	if (!o)
		return;
	(void)tdelete(o, &r->outcomes, compare);
	outcome_free(o);
	r->outcome_count--;
}

void report_import(struct report *r, const char *path,
		   const struct cvx_err *err)
{
	if (err->code)
		log_error("%s: not imported: %s", path, err->msg);
	pthread_mutex_lock(&r->lock);
	if (err->code) {
		remember(r, path, err->code);
		free(r->refusal);
		r->refusal = NULL;
	} else {
		forget(r, path);
	}
	pthread_mutex_unlock(&r->lock);
}

int report_outcome(struct report *r, const char *path)
{
	struct outcome key = {.path = (char *)path};
	struct outcome **found;
	int code;

	pthread_mutex_lock(&r->lock);
	found = tfind(&key, &r->outcomes, compare);
	code = found ? (*found)->code : 0;
	pthread_mutex_unlock(&r->lock);
	return code;
}

int report_print(struct report *r, struct cvx_buf *out, struct cvx_err *err)
{
	bool any;
	int ret = 0;

	pthread_mutex_lock(&r->lock);
	any = r->refusal != NULL;
	if (any)
		ret = cvx_buf_puts(out, r->refusal);
	pthread_mutex_unlock(&r->lock);
	if (ret < 0)
		return cvx_fail_memory(err);
	if (any)
		return 0;
	return deployment_print_last_error(r->deployment, r->component, NULL,
					   out, err);
}
