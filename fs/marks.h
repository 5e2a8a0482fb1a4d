/*
 * marks: what a single thread sees under a name for a short time.
 *
 * A thread that opens a file for writing is sent round once more and finds the
 * staged file under the name, on an inode of its own (ops_open.c): it has a
 * ticket for it.
 *
 * Paths have no leading '/'. Threads are those of the headers of requests; 0,
 * one outside of our sight, has no marks.
 *
 * Threads: locked inside.
 */
#ifndef CVX_FS_MARKS_H
#define CVX_FS_MARKS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cvx_err;
struct marks;
struct stage;
struct view;
struct view_revision;

#define MARKS_TICKET_SECONDS 10

int marks_new(struct marks **ret, struct cvx_err *err);
void marks_free(struct marks *ms);

/* -EEXIST when the thread has one for the path already. */
int marks_put_ticket(struct marks *ms, pid_t tid, const char *path,
		     struct stage *stage);

/* Whether the thread has been sent round and is on its way. */
bool marks_has_ticket(struct marks *ms, pid_t tid);

/* The stage of the thread's ticket for the path, referenced, or NULL. */
struct stage *marks_find_ticket(struct marks *ms, pid_t tid, const char *path);

/* Takes the ticket for the stage back; false if there was none. */
bool marks_take_ticket(struct marks *ms, pid_t tid, const struct stage *stage);

/*
 * A thread that has looked a folder up goes on to what is in it, when it is on
 * its way along a path: nothing happens to it in between, so that what was true
 * at the folder is no older than the call. The folder's number, and a moment
 * (origin.h) before it was looked up, not 0. It is over after
 * MARKS_WALK_MS, or with the next look-up of the thread; of too many threads
 * the oldest are forgotten.
 */
#define MARKS_WALK_MS 20

void marks_put_walk(struct marks *ms, pid_t tid, uint64_t folder,
		    uint64_t moment_ns);

/* The moment, 0 if the thread does not come from the folder; it is over. */
uint64_t marks_take_walk(struct marks *ms, pid_t tid, uint64_t folder);

/*
 * A ticket of a reader that came too late for the revision it had looked up:
 * the view that it shall find. marks_put_view takes it over; a thread has one
 * at a time for a path.
 */
void marks_put_view(struct marks *ms, pid_t tid, const char *path,
		    struct view *view);
bool marks_find_view(struct marks *ms, pid_t tid, const char *path,
		     struct view_revision *ret);
struct view *marks_take_view(struct marks *ms, pid_t tid, const char *path);

#endif
