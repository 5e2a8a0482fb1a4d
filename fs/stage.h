/*
 * stage: a file that is being written, until it is committed or dropped.
 *
 * Bytes go to a spool. If the file is to be imported, the import follows the
 * writer: bytes written in order are made available to it, bytes written
 * behind what it has seen start it over (W-2). What the bytes become is
 * another room's business: commit.h.
 *
 * A stage may begin with the contents of another file, its base:
 *   as its contents, for an open without O_TRUNC (W-8), a renamed file, a
 *       reject that is edited; they are read from where they are, and copied
 *       when the first byte changes;
 *   as what stands before it, for O_APPEND: read back they are one file, but
 *       only the bytes behind the base are imported (M-1).
 *
 * Ownership: counted references.
 * Threads:   locked inside. The lock is held over the spool's disk work, over
 *            copying a base, over import_restart and over the block that
 *            import_available may convert, none of which takes a lock of this
 *            folder. It is not held over a commit.
 */
#ifndef CVX_FS_STAGE_H
#define CVX_FS_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/tree.h"

struct cvx_err;
struct deployment;
struct changes;
struct stage;
struct table_reader;
struct text;

/* What all stages of a mount share. */
struct stage_env {
	struct deployment *deployment; /* read from, and what no intake does */
	const struct changes *changes;
	int spool_dir_fd;
	enum import_mode mode; /* M-4 */
};

/* An empty file for the path. number is its inode's; env outlives it. */
int stage_new(const struct stage_env *env, const struct tree_place *place,
	      const char *path, uint64_t number, struct stage **ret,
	      struct cvx_err *err);
struct stage *stage_ref(struct stage *s);
void stage_unref(struct stage *s); /* NULL is allowed */

/* Contents to begin with. Exactly one of reader, text and fd is given, and
 * becomes the stage's. */
struct stage_base {
	struct table_reader *reader;
	struct text *text;
	int fd; /* -1: none */
	uint64_t size;
};

#define STAGE_BASE_NONE                                                        \
	{                                                                      \
		NULL, NULL, -1, 0                                              \
	}

/* Drops what a base holds. */
void stage_base_fini(struct stage_base *base);

/* All four before the first write. Revision 0: none to compare (W-8). */
void stage_set_contents(struct stage *s, struct stage_base *base,
			uint64_t revision);
void stage_set_append(struct stage *s);
void stage_set_before(struct stage *s, struct stage_base *base);

/* A scratch file that will probably be renamed to this: the import may follow
 * its writer as well. */
int stage_set_guess(struct stage *s, const struct tree_place *place,
		    const char *path, struct cvx_err *err);

/* For O_TRUNC: empty, and that is something to commit. */
void stage_set_truncated(struct stage *s);

/* Its inode shows another number to programs, or its descriptors are on
 * another inode. */
void stage_set_shown(struct stage *s, uint64_t number);

/* The number of its inode, and the one that programs and /proc see. */
uint64_t stage_number(const struct stage *s);
uint64_t stage_shown(const struct stage *s);
void stage_set_mtime(struct stage *s, int64_t ns);

/* With append, or after stage_set_append, off does not count. */
int stage_write(struct stage *s, uint64_t off, const void *bytes, size_t size,
		bool append, struct cvx_err *err);
int stage_read(struct stage *s, uint64_t off, void *buf, size_t size,
	       size_t *ret_n, struct cvx_err *err);
int stage_truncate(struct stage *s, uint64_t size, struct cvx_err *err);

/* Makes the staged bytes durable (W-9). */
int stage_sync(struct stage *s, struct cvx_err *err);

/* What is known to be wrong with the bytes so far, whatever comes behind them.
 * whole: having looked at all of them. */
int stage_check(struct stage *s, bool whole, struct cvx_err *err);

/* What it is, and where: into ret_path of TREE_PATH_MAX + 1 bytes, if not
 * NULL. */
struct tree_place stage_place(struct stage *s, char *ret_path);

/* It is another file now: a rename. */
int stage_retarget(struct stage *s, const struct tree_place *place,
		   const char *path, struct cvx_err *err);

/* The content type that it is to have as a stored file, in place of that of its
 * ending. NULL: none. */
int stage_set_content_type(struct stage *s, const char *content_type,
			   struct cvx_err *err);

/* The id of the stored file that its last commit has made, or "". */
void stage_stored_id(struct stage *s, char ret[ID_TEXT_MAX + 1]);

/* Who has it open for writing. */
struct stage_opener {
	pid_t process;
	pid_t sid;
};

/* How it stands, all of it at one moment. */
struct stage_facts {
	uint64_t size;
	int64_t mtime_ns;
	/* Something was staged that has not been committed. */
	bool is_dirty;
	/* Nothing was ever written to it. */
	bool is_untouched;
	/* stage_set_reopened(), and nothing was written: its name is not
	 * kept. */
	bool was_opened_for_nothing;
	/* stage_note_flush() since it became dirty. */
	bool was_flushed;
	bool is_discarded;
	bool is_committing;
	unsigned open_count; /* descriptions that are open for writing */
	struct stage_opener opener;
	pid_t witness; /* stage_set_witness(); 0: none */
};

struct stage_facts stage_facts(struct stage *s);

/* It was made by an open of something imported already. */
void stage_set_reopened(struct stage *s);

/* Unlinked, or replaced: never commit it. */
void stage_discard(struct stage *s);

/*
 * Its bytes are committed, or kept as a reject, and it has no name any more.
 * The kernel may remember its inode for long, and so may we; the bytes go as
 * soon as nobody uses them. Written to once more, it is not spent.
 */
void stage_spend(struct stage *s);

/* A handle, be it only for reading, begins and ends to use the bytes. -ESTALE
 * if they are gone. */
int stage_use(struct stage *s, struct cvx_err *err);
void stage_leave(struct stage *s);

void stage_opened(struct stage *s, pid_t tid);
/* How many descriptions are still open. */
unsigned stage_closed(struct stage *s);

/* A thread has written. */
void stage_note_writer(struct stage *s, pid_t tid);

/* A process closes it while it dies of a signal: if it has written, or if this
 * was the last close, the file may be cut (W-5). */
void stage_note_death(struct stage *s, pid_t process, int signal, bool last);

/* A close that was not the last one has been seen since it became dirty. */
void stage_note_flush(struct stage *s);

/* A writer was told, while it wrote, that the file is refused: what is staged
 * may end there. */
void stage_note_refusal(struct stage *s);

/* Bytes of it may be missing, or nobody can tell whether they are: its commit
 * fails with that error, until it is made empty. */
void stage_break(struct stage *s, const struct cvx_err *err);

/* The process that was last seen to hold it open, 0: none. */
void stage_set_witness(struct stage *s, pid_t process);

/* Stops the commit that runs or comes next, if it still can be stopped. */
void stage_cancel(struct stage *s);
bool stage_is_cancelled(struct stage *s);

#endif
