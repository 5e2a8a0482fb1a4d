#include "fs/commit.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache/base/buf.h"
#include "cache/base/cancel.h"
#include "cache/base/cleanup.h"
#include "cache/base/file.h"
#include "cache/base/log.h"
#include "cache/rejects.h"
#include "cache/spool.h"
#include "fs/names.h"
#include "fs/report.h"
#include "fs/stage-private.h"
#include "fs/store.h"
#include "fs/text.h"
#include "importer/changes.h"
#include "importer/deployment.h"
#include "importer/deployment_schema.h"
#include "importer/intake.h"
#include "importer/origin.h"

/* A registry of tables holds some 40 bytes a table. */
#define REGISTRY_MAX ((size_t)16 << 20)
#define MARKER_MAX ((size_t)4096)
#define ERROR_TEXT_MAX ((size_t)64 << 10)

struct commits {
	struct commit_env env;

	pthread_mutex_t lock;
	/* guarded by lock: */
	pthread_cond_t moved;
	struct turn *line; /* the first is being committed */
};

/* Someone in line, on the stack of the thread that waits. */
struct turn {
	struct turn *next;
};

/* How often one in line looks whether it was cancelled. */
#define ASK_MS 50

int commits_new(const struct commit_env *env, struct commits **ret,
		struct cvx_err *err)
{
	struct commits *c = calloc(1, sizeof(*c));

	if (!c)
		return cvx_fail_memory(err);
	c->env = *env;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->moved, NULL);
	*ret = c;
	return 0;
}

void commits_free(struct commits *c)
{
	if (!c)
		return;
	pthread_cond_destroy(&c->moved);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static void leave_line(struct commits *c, struct turn *t)
{
	struct turn **at;

	pthread_mutex_lock(&c->lock);
	for (at = &c->line; *at != t; at = &(*at)->next)
		continue;
	*at = t->next;
	pthread_cond_broadcast(&c->moved);
	pthread_mutex_unlock(&c->lock);
}

/* Waits until all who came before are through. -ECANCELED if the stage was
 * cancelled meanwhile; then there is no turn to end. */
static int take_turn(struct commits *c, struct turn *t, struct stage *s,
		     struct cvx_err *err)
{
	struct timespec next;
	struct turn **at;
	bool mine;

	*t = (struct turn){NULL};
	pthread_mutex_lock(&c->lock);
	for (at = &c->line; *at; at = &(*at)->next)
		continue;
	*at = t;
	while (c->line != t && !stage_is_cancelled(s) && !cancel_is_asked()) {
		(void)clock_gettime(CLOCK_REALTIME, &next);
		next.tv_nsec += ASK_MS * 1000000;
		next.tv_sec += next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		(void)pthread_cond_timedwait(&c->moved, &c->lock, &next);
	}
	mine = c->line == t;
	pthread_mutex_unlock(&c->lock);
	if (mine)
		return 0;
	leave_line(c, t);
	return cvx_fail(err, -ECANCELED, "canceled before it began");
}

static int import(struct stage *s, struct cvx_err *err)
{
	uint64_t count;
	int r = stage_need_intake(s, err);

	if (r == 0)
		r = intake_commit(s->intake, stage_import_size(s), &count, err);
	if (r == 0)
		log_debug("%s: %" PRIu64 " documents", s->path, count);
	return r;
}

static int register_tables(struct stage *s, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini) struct cvx_buf text;
	const struct changes *changes = s->env->changes;
	int r = stage_read_all(s, REGISTRY_MAX, &text, err);

	return r < 0 ? r
		     : changes->ops->register_tables(changes->ctx,
						     s->place.component,
						     text.data, text.size, err);
}

/* W-8: the schema that was opened must be there still. */
static int check_schema_base(struct stage *s, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf now = CVX_BUF_INIT(DEPLOYMENT_SCHEMA_MAX + 1);
	struct text *text = NULL;
	uint64_t version;
	int r;

	if (s->base_revision == 0)
		return 0;
	r = deployment_print_schema(s->env->deployment, s->place.component,
				    &now, err);
	if (r == 0)
		r = text_new(&now, &text, err);
	if (r < 0)
		return r;
	version = text_version(text);
	text_unref(text);
	if (version == s->base_revision)
		return 0;
	return cvx_fail(err, -ESTALE,
			"the schema was changed by someone else since it was "
			"opened; open it again and repeat the edit");
}

static int set_schema(struct stage *s, struct cvx_err *err)
{
	CVX_AUTO(cvx_buf_fini) struct cvx_buf text;
	const struct changes *changes = s->env->changes;
	int r = stage_read_all(s, DEPLOYMENT_SCHEMA_MAX + 1, &text, err);

	if (r == 0)
		r = check_schema_base(s, err);
	if (r < 0)
		return r;
	return changes->ops->set_schema(changes->ctx, s->place.component,
					text.size > 0 ? text.data : "",
					text.size, err);
}

/* import.md 6.6: of all shapes, only the marker of today's exports. */
static int check_marker(struct stage *s, struct cvx_err *err)
{
	static const char marker[] = "\"uniform\"";
	CVX_AUTO(cvx_buf_fini) struct cvx_buf text;
	int r = stage_read_all(s, MARKER_MAX, &text, err);
	size_t n;

	if (r < 0 && r != -EFBIG)
		return r;
	n = text.size;
	while (n > 0 && strchr(" \t\r\n", text.data[n - 1]))
		n--;
	if (r < 0 || n != sizeof(marker) - 1 ||
	    memcmp(text.data, marker, n) != 0)
		return cvx_fail_named(err, -EINVAL, "InvalidGeneratedSchema",
				      "%s: only %s is understood here; tables "
				      "of older exports come in with the "
				      "archive",
				      s->path, marker);
	return 0;
}

static int replace_reject(struct commits *c, struct stage *s,
			  struct cvx_err *err)
{
	size_t base = tree_reject_base(TREE_REJECTED, s->path);
	CVX_AUTO(cvx_freep) char *path = strndup(s->path, base);
	CVX_AUTO(cvx_closep) int fd = -1;
	char text[ERROR_TEXT_MAX];
	size_t n = 0;
	int r;

	if (!path)
		return cvx_fail_memory(err);
	r = stage_copy_base(s, err);
	if (r < 0)
		return r;
	if (rejects_open_text(c->env.rejects, path, &fd) == 0)
		r = file_pread(fd, text, sizeof(text), 0, &n);
	if (r < 0)
		return cvx_fail(err, r, "%s: cannot read its error: %s", path,
				strerror(-r));
	return rejects_keep(c->env.rejects, path, s->spool, text, n, err);
}

static int killed(struct stage *s, struct cvx_err *err)
{
	return cvx_fail(err, -EIO,
			"%s: its writer was ended by signal %d (%s), so the "
			"file may be cut",
			s->path, s->died_of, strsignal(s->died_of));
}

static int perform(struct commits *c, struct stage *s, struct cvx_err *err)
{
	if (s->broken.code) {
		*err = s->broken;
		return err->code;
	}
	if (s->died_of)
		return killed(s, err);
	switch (s->place.kind) {
	case TREE_DOCUMENTS:
	case TREE_DROP:
	case TREE_ARCHIVE:
		return import(s, err);
	case TREE_REGISTRY:
		return register_tables(s, err);
	case TREE_MARKER:
		return check_marker(s, err);
	case TREE_SCHEMA:
		return set_schema(s, err);
	case TREE_REJECTED:
		return replace_reject(c, s, err);
	case TREE_UPLOAD:
	case TREE_FILE:
	case TREE_FILE_LIST:
		return store_commit(s, c->env.expected, err);
	case TREE_README:
	case TREE_SCRATCH:
	case TREE_ROOT:
	case TREE_TABLE:
	case TREE_REGISTRY_DIR:
	case TREE_STORAGE_DIR:
	case TREE_COMPONENTS_DIR:
	case TREE_COMPONENT:
	case TREE_CONTROL_DIR:
	case TREE_COMPONENT_CONTROL_DIR:
	case TREE_INDEXES_DIR:
	case TREE_INDEX_DIR:
	case TREE_SCRATCH_DIR:
	case TREE_INDEX:
	case TREE_DEPLOYMENT:
	case TREE_IMPORTS:
	case TREE_STAGED:
	case TREE_LAST_ERROR:
	case TREE_BACKUP:
	case TREE_FULL_BACKUP:
	case TREE_ERROR:
		return 0;
	}
	return 0;
}

/* All places of fault, if there are several. */
static int print_places(struct stage *s, struct cvx_buf *out)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf places = CVX_BUF_INIT(ERROR_TEXT_MAX);
	int r = 0;

	if (s->intake)
		r = intake_print_error(s->intake, &places);
	if (r < 0 || places.size == 0 ||
	    !memchr(places.data, '\n', places.size - 1))
		return r;
	return cvx_buf_append(out, places.data, places.size);
}

/* The text of FILE.error: what, where, and how to go on. */
static int print_reject(struct stage *s, const struct cvx_err *why,
			struct cvx_buf *out)
{
	const char *name = strrchr(s->path, '/');
	int r;

	name = name ? name + 1 : s->path;
	r = cvx_buf_printf(out,
			   intake_is_unknown(why)
				   ? "It is not known whether %s was "
				     "imported: look before you try again.\n"
				   : "%s was not imported; nothing was "
				     "changed.\n",
			   s->path);
	if (r == 0)
		r = cvx_buf_printf(out, "%s\n", why->msg);
	if (r == 0)
		r = print_places(s, out);
	if (r == 0 && out->data[out->size - 1] != '\n')
		r = cvx_buf_puts(out, "\n");
	if (r == 0 && s->refused_at > 0)
		r = cvx_buf_printf(out,
				   "The writing program was told so after "
				   "%" PRIu64 " bytes and may have stopped "
				   "there: the file may be cut.\n",
				   s->refused_at);
	if (r == 0)
		r = cvx_buf_printf(out,
				   intake_is_unknown(why)
					   ? "The file is kept as "
					     "%s" TREE_REJECTED_SUFFIX
					     ". When the deployment is back, "
					     ".convex/imports.jsonl tells what "
					     "came of it; if it was imported, "
					     "what is kept goes. To try again, "
					     "rename it to %s.\n"
					   : "The file is kept as "
					     "%s" TREE_REJECTED_SUFFIX
					     ". Mend it and rename it to %s to "
					     "try again, or remove it.\n",
				   name, name);
	return r;
}

/* F-3. What cannot be kept is lost with a warning: the table is as before. */
static void keep_reject(struct commits *c, struct stage *s,
			const struct cvx_buf *text)
{
	struct cvx_err err = CVX_ERR_INIT;
	int r = stage_copy_base(s, &err);

	if (r == 0)
		r = rejects_keep(c->env.rejects, s->path, s->spool, text->data,
				 text->size, &err);
	if (r < 0)
		log_warning("%s: what was written could not be kept: %s",
			    s->path, err.msg);
}

/* What failed before an import saw it is in the list of imports as well. */
static void record_failure(struct stage *s, const struct cvx_err *why)
{
	const struct intake_target target = stage_intake_target(s);
	const struct changes *changes = s->env->changes;

	if (tree_is_import(s->place.kind) || target.is_archive)
		changes->ops->record_failure(changes->ctx, &target, why);
}

/* What failed is kept, and told; the import's own record is made already, if
 * it got that far. */
static void fail(struct commits *c, struct stage *s, const struct cvx_err *why,
		 bool recorded)
{
	CVX_AUTO(cvx_buf_fini)
	struct cvx_buf text = CVX_BUF_INIT(ERROR_TEXT_MAX);

	if (!tree_is_target(s->place.kind)) {
		report_refusal(c->env.report, s->path, why);
		return;
	}
	if (!recorded)
		record_failure(s, why);
	if (print_reject(s, why, &text) < 0)
		cvx_buf_clear(&text);
	keep_reject(c, s, &text);
	report_import(c->env.report, s->path, why,
		      text.size > 0 ? text.data : NULL, text.size);
}

/* Does the commit, with its consequences, between begin and end. */
static int run(struct commits *c, struct stage *s, struct cvx_err *err)
{
	struct turn turn;
	int r = take_turn(c, &turn, s, err);
	const atomic_bool *outer;
	bool recorded = false;

	if (r == 0) {
		/* Who waits for more than the commit has a flag already. */
		outer = cancel_watch(NULL);
		(void)cancel_watch(outer ? outer : &s->cancelled);
		r = perform(c, s, err);
		(void)cancel_watch(outer);
		recorded = s->intake && !s->broken.code && !s->died_of;
		leave_line(c, &turn);
	}
	if (r < 0) {
		fail(c, s, err, recorded);
		return r;
	}
	*err = (struct cvx_err)CVX_ERR_INIT;
	if (tree_is_target(s->place.kind)) {
		report_import(c->env.report, s->path, err, NULL, 0);
		if (rejects_drop(c->env.rejects, s->path) < 0)
			log_warning("%s: its reject could not be removed",
				    s->path);
	}
	return 0;
}

void commit_settle_name(struct commits *c, struct stage *s)
{
	const struct stage_facts f = stage_facts(s);
	struct name ghost = {.size = f.size, .mtime_ns = f.mtime_ns};

	stage_stored_id(s, ghost.stored_id);
	if (s->stored_in_place)
		(void)names_remove(c->env.names, s->path, s);
	else
		names_make_ghost(c->env.names, s->path, s, &ghost);
}

int commit_stage(struct commits *c, struct stage *s, struct cvx_err *err)
{
	int r = stage_begin_commit(s, false, err);

	if (r <= 0)
		return r;
	r = run(c, s, err);
	if (r == 0)
		commit_settle_name(c, s);
	else
		(void)names_remove(c->env.names, s->path, s);
	stage_end_commit(s, err);
	stage_spend(s);
	return r;
}

/* Takes over path, gives the old one back. */
static char *set_target(struct stage *s, const struct tree_place *place,
			char *path)
{
	char *old;

	pthread_mutex_lock(&s->lock);
	old = s->path;
	s->path = path;
	s->place = *place;
	pthread_mutex_unlock(&s->lock);
	return old;
}

/* A copy of the table as it is, such as an editor's backup put back. */
static bool is_what_is_there(const struct stage *s)
{
	const struct table_info *from;
	struct table_info now;

	if (s->place.kind != TREE_DOCUMENTS || s->base_use != BASE_CONTENTS ||
	    !s->base.reader)
		return false;
	if (origin_hold_table(s->env->deployment, s->place.component,
			      s->place.table, ORIGIN_NOW, NULL, NULL) < 0)
		return false;
	from = table_reader_info(s->base.reader);
	return strcmp(from->name, s->place.table) == 0 &&
	       deployment_stat_table(s->env->deployment, s->place.component,
				     s->place.table, &now, NULL) == 0 &&
	       from->revision == now.revision;
}

int commit_renamed(struct commits *c, struct stage *s,
		   const struct tree_place *place, const char *path,
		   struct cvx_err *err)
{
	const struct cvx_err none = CVX_ERR_INIT;
	char *copy = strdup(path);
	struct tree_place old_place;
	char *old_path;
	int r;

	if (!copy)
		return cvx_fail_memory(err);
	r = stage_begin_commit(s, true, err);
	if (r < 0) {
		free(copy);
		return r;
	}
	stage_fit_intake(s, place, path);
	old_place = s->place;
	old_path = set_target(s, place, copy);
	r = is_what_is_there(s) ? 0 : run(c, s, err);
	if (r < 0)
		old_path = set_target(s, &old_place, old_path);
	free(old_path);
	/* The rename has told it; a later close has nothing to repeat. */
	stage_end_commit(s, &none);
	if (r == 0)
		stage_spend(s);
	return r;
}

int commit_empty(struct commits *c, const struct tree_place *place,
		 const char *path, struct cvx_err *err)
{
	struct stage *s;
	int r = stage_new(c->env.stage, place, path, 0, &s, err);

	if (r < 0)
		return r;
	stage_set_truncated(s);
	r = commit_stage(c, s, err);
	stage_unref(s);
	return r;
}
