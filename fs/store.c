#include "fs/store.h"

#include <errno.h>
#include <string.h>

#include "cache/spool.h"
#include "fs/stage-private.h"
#include "fs/stored.h"
#include "importer/stored_file.h"

static const char *name_of(const struct stage *s)
{
	const char *slash = strrchr(s->path, '/');

	return slash ? slash + 1 : s->path;
}

/* What it has become, for those who ask for the name they wrote. */
static int note_stored(struct stage *s, const char *id, struct cvx_err *err)
{
	char name[TREE_NAME_MAX + 1];
	struct stored_file f;
	int r = deployment_find_stored_file(s->env->deployment,
					    s->place.component, id, &f, err);

	if (r < 0)
		return r;
	stored_name(&f, name);
	stored_file_fini(&f);
	pthread_mutex_lock(&s->lock);
	memcpy(s->stored_id, id, strlen(id) + 1);
	s->stored_in_place = strcmp(name, name_of(s)) == 0;
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static int store_upload(struct stage *s, struct cvx_err *err)
{
	char id[ID_TEXT_MAX + 1];
	int r, fd;

	r = stage_copy_base(s, err);
	if (r == 0)
		r = spool_descriptor(s->spool, &fd, err);
	if (r == 0)
		r = deployment_store_file(s->env->deployment,
					  s->place.component,
					  stored_type(name_of(s)), fd,
					  spool_size(s->spool), id, err);
	if (r < 0)
		return r;
	/* It is stored, whoever may have deleted it again. */
	(void)note_stored(s, id, NULL);
	return 0;
}

int store_commit(struct stage *s, struct cvx_err *err)
{
	if (s->place.kind == TREE_UPLOAD)
		return store_upload(s, err);
	return cvx_fail(err, -ENOTSUP,
			"%s: stored files cannot be restored one by one yet",
			s->path);
}
