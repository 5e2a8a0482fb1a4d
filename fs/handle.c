#include "fs/handle.h"

#include <pthread.h>
#include <stdlib.h>

#include "cache/base/err.h"
#include "fs/backup.h"
#include "fs/nodes.h"
#include "fs/stage.h"
#include "fs/view.h"

struct handles {
	struct nodes *nodes;
	pthread_mutex_t lock;
	/* guarded by lock: */
	struct handle *first;
};

int handles_new(struct nodes *nodes, struct handles **ret, struct cvx_err *err)
{
	struct handles *hs = calloc(1, sizeof(*hs));

	if (!hs)
		return cvx_fail_memory(err);
	hs->nodes = nodes;
	pthread_mutex_init(&hs->lock, NULL);
	*ret = hs;
	return 0;
}

void handles_free(struct handles *hs)
{
	if (!hs)
		return;
	while (hs->first)
		handle_free(hs, hs->first);
	pthread_mutex_destroy(&hs->lock);
	free(hs);
}

int handle_new(struct handles *hs, const struct handle *what,
	       struct handle **ret, struct cvx_err *err)
{
	struct handle *h = malloc(sizeof(*h));
	int r = h ? 0 : cvx_fail_memory(err);

	if (r == 0 && what->stage)
		r = stage_use(what->stage, err);
	if (r < 0) {
		free(h);
		view_close(what->view);
		stage_unref(what->stage);
		if (what->backup)
			backup_close(what->backup);
		return r;
	}
	h->node = what->node;
	h->view = what->view;
	h->stage = what->stage;
	h->backup = what->backup;
	h->writes = what->writes;
	h->answers = 0;
	pthread_mutex_lock(&hs->lock);
	h->next = hs->first;
	h->at = &hs->first;
	if (h->next)
		h->next->at = &h->next;
	hs->first = h;
	pthread_mutex_unlock(&hs->lock);
	*ret = h;
	return 0;
}

void handle_answer(struct handle *h)
{
	atomic_fetch_add_explicit(&h->answers, 1, memory_order_release);
}

void handle_free(struct handles *hs, struct handle *h)
{
	(void)atomic_load_explicit(&h->answers, memory_order_acquire);
	pthread_mutex_lock(&hs->lock);
	*h->at = h->next;
	if (h->next)
		h->next->at = h->at;
	pthread_mutex_unlock(&hs->lock);
	view_close(h->view);
	if (h->stage)
		stage_leave(h->stage);
	stage_unref(h->stage);
	if (h->backup)
		backup_close(h->backup);
	node_unref(hs->nodes, h->node);
	free(h);
}

void handles_each_stage(struct handles *hs, void (*fn)(struct stage *stage))
{
	pthread_mutex_lock(&hs->lock);
	for (const struct handle *h = hs->first; h; h = h->next)
		if (h->writes)
			fn(h->stage);
	pthread_mutex_unlock(&hs->lock);
}
