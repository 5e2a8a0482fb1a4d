#include "fs/report.h"

#include <pthread.h>
#include <search.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "fs/text.h"
#include "fs/tree.h"
#include "importer/deployment.h"
#include "importer/intake.h"

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
	char *import_path;	/* NULL: it is about no import */
	size_t import_size;	/* of the text about the import */
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
	free(r->import_path);
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
static void set_failure(struct report *r, const char *import_path,
			const char *text, size_t size)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf recorded = CVX_BUF_INIT(RECORDED_MAX);
	char *copy = strndup(text, size);
	char *path = import_path ? strdup(import_path) : NULL;
	uint64_t version = 0;

	if (!copy || print_recorded(r, &recorded, &version, NULL) < 0) {
		free(copy);
		free(path);
		return; /* the log has it */
	}
	pthread_mutex_lock(&r->lock);
	free(r->failure);
	free(r->import_path);
	r->failure = copy;
	r->import_path = path;
	r->import_size = size;
	r->recorded_then = version;
	pthread_mutex_unlock(&r->lock);
}

/* "PATH: ", unless the message begins so. */
static void print_path(const char *path, const char *message,
		       char text[TREE_PATH_MAX + 3])
{
	size_t size = strlen(path);
	bool begins = strncmp(message, path, size) == 0 &&
		      strncmp(message + size, ": ", 2) == 0;

	(void)snprintf(text, TREE_PATH_MAX + 3, "%s%s", begins ? "" : path,
		       begins ? "" : ": ");
}

static void set_message(struct report *r, const char *import_path,
			const char *path, const char *message)
{
	CVX_AUTO(cvx_buf_fini) struct cvx_buf text = CVX_BUF_INIT(FAILURE_MAX);

	if (cvx_buf_printf(&text, "%s%s\n", path, message) == 0)
		set_failure(r, import_path, text.data, text.size);
}

/* Puts the message behind the text about the import of the path, if that is
 * the last error; whether it is. */
static bool add_message(struct report *r, const char *import_path,
			const char *path, const char *message)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf recorded = CVX_BUF_INIT(RECORDED_MAX);
	char *text = NULL;
	uint64_t version;
	bool is_last;

	if (print_recorded(r, &recorded, &version, NULL) < 0)
		return false;
	pthread_mutex_lock(&r->lock);
	is_last = r->import_path && strcmp(r->import_path, import_path) == 0 &&
		  r->recorded_then == version;
	if (is_last && asprintf(&text, "%.*s%s%s\n", (int)r->import_size,
				r->failure, path, message) >= 0) {
		free(r->failure);
		r->failure = text;
	}
	pthread_mutex_unlock(&r->lock);
	return is_last;
}

void report_refusal(struct report *r, const char *path,
		    const struct cvx_err *err)
{
	char start[TREE_PATH_MAX + 3];

	print_path(path, err->msg, start);
	log_error("%s%s", start, err->msg);
	if (!add_message(r, path, start, err->msg))
		set_message(r, NULL, start, err->msg);
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
	char start[TREE_PATH_MAX + 3];

	if (err->code) {
		print_path(path, err->msg, start);
		log_error("%s: %s%s", path,
			  intake_is_unknown(err) ? "" : "not imported: ",
			  err->msg);
		if (text)
			set_failure(r, path, text, text_size);
		else
			set_message(r, path, start, err->msg);
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
