/*
 * marks: what a single process, or thread, sees under a name for a short time.
 *
 *   hidden   A program that replaces a file by unlinking or renaming it away
 *            first (mv from outside, tar, install, unzip, cp -b) finds the
 *            name free until it has made it again. Everybody else goes on
 *            seeing the file, and so does the program after
 *            MARKS_HIDE_SECONDS.
 *   ticket   A thread that opens a file for writing is sent round once more
 *            and finds the staged file under the name, on an inode of its own
 *            (ops_open.c).
 *
 * Paths have no leading '/'. Threads are those of the headers of requests; 0,
 * one outside of our sight, has no marks.
 *
 * Threads: locked inside.
 */
#ifndef CVX_FS_MARKS_H
#define CVX_FS_MARKS_H

#include <stdbool.h>
#include <sys/types.h>

struct cvx_err;
struct marks;
struct stage;
struct view;
struct view_revision;

#define MARKS_HIDE_SECONDS 10
#define MARKS_TICKET_SECONDS 10

int marks_new(struct marks **ret, struct cvx_err *err);
void marks_free(struct marks *ms);

/* Hides the path from the thread's process. */
void marks_hide(struct marks *ms, const char *path, pid_t tid);
bool marks_is_hidden(struct marks *ms, const char *path, pid_t tid);
void marks_show(struct marks *ms, const char *path, pid_t tid);

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
 * The same for a reader that came too late for the revision it had looked up:
 * the view that it shall find. marks_put_view takes it over; a thread has one
 * at a time for a path.
 */
void marks_put_view(struct marks *ms, pid_t tid, const char *path,
		    struct view *view);
bool marks_find_view(struct marks *ms, pid_t tid, const char *path,
		     struct view_revision *ret);
struct view *marks_take_view(struct marks *ms, pid_t tid, const char *path);

#endif
