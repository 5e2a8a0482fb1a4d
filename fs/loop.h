/*
 * loop: the threads that answer the kernel's requests.
 *
 * There is always one that waits for the next request: who takes a request
 * while nobody else waits starts another worker first, up to
 * LOOP_WORKERS_MAX. Many may wait for a commit or a close at the same time,
 * and the request that ends their waiting must still be read. Idle workers
 * above LOOP_IDLE_MAX end.
 *
 * Threads: loop_stop may be called from a signal handler.
 */
#ifndef CVX_FS_LOOP_H
#define CVX_FS_LOOP_H

#define LOOP_WORKERS_MAX 256
#define LOOP_IDLE_MAX 4

struct cvx_err;
struct fuse_session;
struct loop;

/* Starts no thread yet. */
int loop_new(struct fuse_session *fuse, struct loop **ret, struct cvx_err *err);
void loop_free(struct loop *l);

/* Answers until the mount ends or loop_stop is called, and returns when every
 * request that was begun has been answered. */
int loop_run(struct loop *l, struct cvx_err *err);

void loop_stop(struct loop *l);

#endif
