#include "fs/report.h"

#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "fs/text.h"
#include "fs/tree.h"
#include "importer/deployment.h"

#define RECORDED_MAX ((size_t)1 << 20)
#define FAILURE_MAX (TREE_PATH_MAX + CVX_ERR_MSG_SIZE + 8)

/* Outcomes that are remembered; above that all are forgotten. */
#define OUTCOMES_MAX 4096

struct outcome {
	char *path;
	int code;
};

struct report {
	struct deployment *deployment;

	pthread_mutex_t lock;
	/* guarded by lock: */
	char *failure;		/* what failed last in this mount */
	uint64_t recorded_then; /* what the deployment said at that time */
	void *outcomes;		/* tsearch tree: imports that failed */
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

int report_new(struct deployment *d, struct report **ret, struct cvx_err *err)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r)
		return cvx_fail_memory(err);
	r->deployment = d;
	pthread_mutex_init(&r->lock, NULL);
	*ret = r;
	return 0;
}

void report_free(struct report *r)
{
	if (!r)
		return;
	tdestroy(r->outcomes, outcome_free);
	free(r->failure);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* The deployment's last error, and a number that tells it from others. */
static int print_recorded(struct report *r, struct cvx_buf *out,
			  uint64_t *ret_version, struct cvx_err *err)
{
	struct text *text;
	int ret =
		deployment_print_last_error(r->deployment, "", NULL, out, err);

	if (ret == 0)
		ret = text_new(out, &text, err);
	if (ret < 0)
		return ret;
	*ret_version = text_version(text);
	text_unref(text);
	return 0;
}

/* What we say is the last error until the deployment records another one. */
static void set_failure(struct report *r, const char *text, size_t size)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf recorded = CVX_BUF_INIT(RECORDED_MAX);
	char *copy = strndup(text, size);
	uint64_t version = 0;

	if (!copy || print_recorded(r, &recorded, &version, NULL) < 0) {
		free(copy);
		return; /* the log has it */
	}
	pthread_mutex_lock(&r->lock);
	free(r->failure);
	r->failure = copy;
	r->recorded_then = version;
	pthread_mutex_unlock(&r->lock);
}

static void set_message(struct report *r, const char *path, const char *message)
{
	CVX_AUTO(cvx_buf_fini) struct cvx_buf text = CVX_BUF_INIT(FAILURE_MAX);

	if (cvx_buf_printf(&text, "%s: %s\n", path, message) == 0)
		set_failure(r, text.data, text.size);
}

void report_refusal(struct report *r, const char *path,
		    const struct cvx_err *err)
{
	log_error("%s: %s", path, err->msg);
	set_message(r, path, err->msg);
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
		   const struct cvx_err *err, const char *text,
		   size_t text_size)
{
	if (err->code) {
		log_error("%s: not imported: %s", path, err->msg);
		if (text)
			set_failure(r, text, text_size);
		else
			set_message(r, path, err->msg);
	}
	pthread_mutex_lock(&r->lock);
	if (err->code)
		remember(r, path, err->code);
	else
		forget(r, path);
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
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf recorded = CVX_BUF_INIT(RECORDED_MAX);
	uint64_t version;
	int ret = print_recorded(r, &recorded, &version, err);

	if (ret < 0)
		return ret;
	pthread_mutex_lock(&r->lock);
	if (r->failure && r->recorded_then == version)
		ret = cvx_buf_puts(out, r->failure);
	else if (recorded.size > 0)
		ret = cvx_buf_append(out, recorded.data, recorded.size);
	pthread_mutex_unlock(&r->lock);
	return ret < 0 ? cvx_fail_memory(err) : 0;
}
