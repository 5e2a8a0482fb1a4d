/*
 * process: what /proc tells about the programs that use the mount.
 *
 * While the kernel waits for our answer to a FLUSH, the caller may hold locks
 * that some files of /proc take as well. Reading one of those would never
 * return, and the mount, and every ps, would hang with it. So only these are
 * read: status, comm and fdinfo/, which take no such lock, and stat, but only
 * of a task that is exiting and has let go of its descriptors (fuse-facts.md
 * 0.3 and b), and syscall, but only of a task whose LOOKUP is being answered:
 * what that waits for is held by an execve that has ended its other threads,
 * and looks nothing up. Never fd/, exe, or anything else.
 *
 * A task is named by the number in the header of a request: that of a thread.
 *
 * Threads: any.
 */
#ifndef CVX_FS_PROCESS_H
#define CVX_FS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_status {
	pid_t tgid;
	pid_t sid;	  /* as this process sees it; 0 for one outside */
	uint64_t fd_size; /* 0: exiting, without descriptors any more */
	uint64_t pending; /* signals on their way: bit n - 1 for signal n */
	uint64_t blocked;
};

/* -ESRCH when the task is gone, -EACCES or another errno when /proc does not
 * tell. */
int process_read_status(pid_t tid, struct process_status *ret);

/*
 * The signal that an exiting task dies of, 0 if none. Only for a task whose
 * fd_size is 0.
 */
int process_read_death(pid_t tid, int *ret_signal);

/* The program's name as the kernel has it, 15 bytes at most. */
int process_read_comm(pid_t tid, char ret[16]);

/*
 * Whether the task is in a call that cuts the file at the end of its path to
 * nothing, whatever is in it: open with O_TRUNC to write, truncate to 0. Only
 * for a task that waits for the answer to a LOOKUP. False also where /proc does
 * not tell.
 */
bool process_is_clearing(pid_t tid);

/*
 * Whether a descriptor that can write to the inode is open in the task: 1, 0,
 * -ESRCH when it is gone, or another errno when that cannot be seen.
 */
int process_holds(pid_t tid, uint64_t inode);

/* Whether a signal is pending that asks the task to end. */
bool process_is_asked_to_end(const struct process_status *status);

#endif
