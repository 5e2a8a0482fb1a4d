/*
 * turn: which of the processes that serve a deployment works on its jobs.
 *
 * One at a time has the turn, until it ends, by whatever way.
 *
 * Threads: locked inside.
 */
#ifndef CVX_IMPORTER_SERVER_TURN_H
#define CVX_IMPORTER_SERVER_TURN_H

#include <pthread.h>
#include <stdbool.h>

struct deployment;

struct turn {
	struct deployment *d;
	pthread_mutex_t lock; /* guards fd */
	int fd;		      /* of the locked file; -1: not our turn */
};

void turn_init(struct turn *t, struct deployment *d);
void turn_fini(struct turn *t);

/* Whether it is this process's turn, which from then on it stays. */
bool turn_is_ours(struct turn *t);

#endif
