/*
 * stage-private: the inside of a stage, for stage.c and commit.c only.
 */
#ifndef CVX_FS_STAGE_PRIVATE_H
#define CVX_FS_STAGE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "cache/base/err.h"
#include "fs/stage.h"

struct cvx_buf;
struct intake;
struct intake_target;
struct spool;

/* Processes that are remembered as writers of one file. */
#define STAGE_WRITERS_MAX 32

enum base_use {
	BASE_NONE,
	BASE_CONTENTS,
	BASE_BEFORE,
};

struct stage {
	_Atomic unsigned refs;
	const struct stage_env *env;
	uint64_t number;
	_Atomic uint64_t shown;

	pthread_mutex_t lock;
	/* guarded by lock: */
	pthread_cond_t settled; /* committing became false */
	struct tree_place place;
	char *path;
	struct spool *spool;
	struct stage_base base;
	enum base_use base_use;
	uint64_t base_revision; /* 0: whatever is there may be replaced */
	int64_t mtime_ns;
	bool append;
	bool dirty, touched, discarded, flushed, reopened;
	unsigned user_count;   /* of its bytes */
	bool spent, gone;      /* the bytes; stage_spend() */
	uint64_t gone_size;    /* how many they were */
	uint64_t refused_at;   /* how much was there when it was; 0: never */
	struct cvx_err broken; /* a write that failed: the file is not whole */

	/* What a scratch file may become; its import is made for that. NULL
	 * when nothing is guessed. */
	char *guess_path;
	struct tree_place guess;

	/* The import, and how far it may read: [import_off, follow_end) of the
	 * spool. */
	struct intake *intake; /* of an archive: while committing */
	uint64_t import_off;   /* what an earlier commit has appended */
	uint64_t follow_end;
	unsigned restarts;

	/* While committing, the committing thread alone uses intake, place,
	 * path and base; writers wait. */
	bool committing;
	struct cvx_err outcome; /* of the last commit */
	char stored_id[ID_TEXT_MAX + 1];
	bool stored_in_place;  /* and it shows under the name of this file */
	bool has_content_type; /* it was set; NULL: to none */
	char *content_type;

	/* Who. */
	unsigned open_count;
	struct stage_opener opener;
	pid_t last_writer_tid;
	pid_t writers[STAGE_WRITERS_MAX];
	unsigned writer_count;
	int died_of;
	pid_t witness;

	pthread_mutex_t cancel_lock;
	atomic_bool cancelled; /* set by stage_cancel() */
	/* guarded by cancel_lock: */
	struct intake *cancellable;
};

/*
 * Begins a commit: 1. Or there is nothing to commit, and the outcome of the
 * commit before is returned again: 0 or its error. With force there is always
 * something.
 */
int stage_begin_commit(struct stage *s, bool force, struct cvx_err *err);

/* Ends it, for all who wait. */
void stage_end_commit(struct stage *s, const struct cvx_err *outcome);

/* The intake of all that is staged; made if there is none. */
int stage_need_intake(struct stage *s, struct cvx_err *err);
void stage_drop_intake(struct stage *s);

/* What it is made for; its texts are those of the stage. */
struct intake_target stage_intake_target(const struct stage *s);

/* Drops it unless it was made for what the file is going to be. */
void stage_fit_intake(struct stage *s, const struct tree_place *place,
		      const char *path);

/* The bytes that are to be imported: how many. */
uint64_t stage_import_size(struct stage *s);

/* All that is staged, as one text of at most max bytes, else -EFBIG. out is
 * initialised by this, and the caller's to cvx_buf_fini() in any case. */
int stage_read_all(struct stage *s, size_t max, struct cvx_buf *out,
		   struct cvx_err *err);

/* Copies a base into the spool. */
int stage_copy_base(struct stage *s, struct cvx_err *err);

#endif
