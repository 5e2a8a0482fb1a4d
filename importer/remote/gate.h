/*
 * gate: one at a time, and who waits to pass can be interrupted.
 *
 * Threads: locked inside.
 */
#ifndef CVX_IMPORTER_REMOTE_GATE_H
#define CVX_IMPORTER_REMOTE_GATE_H

#include <pthread.h>
#include <stdbool.h>

struct cvx_err;
struct halt;

struct gate {
	pthread_mutex_t lock;
	/* guarded by lock: */
	pthread_cond_t changed;
	bool is_taken;
};

void gate_init(struct gate *g);
void gate_fini(struct gate *g);

/* -ECANCELED: halt was requested first. */
int gate_enter(struct gate *g, const struct halt *halt, struct cvx_err *err);
void gate_leave(struct gate *g);

#endif
