/*
 * exit_status: what the command's exit status means (filesystem.md C-9).
 *
 * Threads: any.
 */
#ifndef CVX_FS_EXIT_STATUS_H
#define CVX_FS_EXIT_STATUS_H

enum exit_status {
	EXIT_STATUS_DONE = 0,
	EXIT_STATUS_WRONG_CALL = 1,
	EXIT_STATUS_INPUT_REFUSED = 2,
	EXIT_STATUS_DEPLOYMENT_REFUSED = 3,
	EXIT_STATUS_NOT_REACHED = 4,
	EXIT_STATUS_OUTCOME_UNKNOWN = 5,
	EXIT_STATUS_LOCAL_TROUBLE = 6, /* disk, memory, FUSE */
	EXIT_STATUS_INTERRUPTED = 130,
};

/* Of 0, or of a negative errno of options, folders and what is started with
 * them: a wrong call, or trouble on this machine. */
enum exit_status exit_status_of(int r);

#endif
