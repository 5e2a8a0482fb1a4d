/*
 * hidden: what a single process does not see, because it expects that nothing
 * is there.
 *
 *   hidden   A program that replaces a file by unlinking or renaming it away
 *            first (mv from outside, tar, install, unzip, cp -b) finds the
 *            name free until it has made it again. Everybody else goes on
 *            seeing the file, and so does the program after HIDDEN_SECONDS.
 *   fresh    A folder that a program has made is empty to it, but for what it
 *            makes in it: cp -r does not look, and fails on what it finds. That
 *            lasts as long as the program, HIDDEN_FRESH_SECONDS at most.
 *
 * Paths have no leading '/'. Threads are those of the headers of requests; from
 * 0, one outside of our sight, nothing is hidden.
 *
 * Cost:    nothing while nobody hides anything; a look at /proc for each name
 *          looked up while somebody does.
 * Threads: locked inside.
 */
#ifndef CVX_FS_HIDDEN_H
#define CVX_FS_HIDDEN_H

#include <stdbool.h>
#include <sys/types.h>

struct cvx_err;
struct hidden;

#define HIDDEN_SECONDS 10
#define HIDDEN_FRESH_SECONDS 600

int hidden_new(struct hidden **ret, struct cvx_err *err);
void hidden_free(struct hidden *h);

/* Hides the path from the thread's process. */
void hidden_put(struct hidden *h, const char *path, pid_t tid);

/* The process has made that folder. */
void hidden_put_fresh(struct hidden *h, const char *path, pid_t tid);

bool hidden_from(struct hidden *h, const char *path, pid_t tid);

/* The process has made what is there, and sees it from now on. */
void hidden_show(struct hidden *h, const char *path, pid_t tid);

#endif
