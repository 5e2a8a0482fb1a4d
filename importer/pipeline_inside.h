/*
 * pipeline_inside: what pipeline.c (threads and their end), take.c (who gets a
 * block), cut.c (the source) and gather.c (the output) share.
 */
#ifndef CVX_IMPORTER_PIPELINE_INSIDE_H
#define CVX_IMPORTER_PIPELINE_INSIDE_H

#include <pthread.h>

#include "cache/base/err.h"
#include "importer/pipeline.h"

#define PIPELINE_THREADS_MAX 4

/* The longest text of one row; an array is one block with a byte order mark
 * perhaps, and with one byte too many it is refused. */
#define PIPELINE_TEXT_MAX (FORMAT_ROW_MAX + 64)

/* What one thread works with. */
struct worker {
	struct pipeline *p;
	pthread_t thread;
	char *text; /* the block */
	size_t text_capacity;
	struct rows rows;
	struct format_worker *converter; /* NULL: made when needed */
};

/* A block on its way. */
struct block {
	uint64_t seq; /* blocks count from 0 */
	uint64_t first_nth;
	size_t size;
	bool is_refused; /* nothing to convert, but this: */
	bool is_row;	 /* it is a row that is refused, not the file */
	struct cvx_err refusal;
};

/* So many blocks of a stream are read ahead. */
#define PIPELINE_READY_MAX 2

/* A block that waits for a thread. */
struct ready {
	struct block block;
	char *text;
	size_t text_capacity;
};

struct pipeline {
	struct import_source source;
	struct pipeline_hooks hooks;
	enum format_kind kind;
	_Atomic bool is_canceled;

	/* Guards what stands between the source and the blocks. */
	pthread_mutex_t cut_lock;
	struct format *format;
	bool has_begun, is_planned;
	uint64_t nth;	       /* of the next row */
	uint64_t next_seq;     /* of the next block */
	_Atomic uint64_t off;  /* of the next row in the source */
	struct cvx_buf ahead;  /* of a stream: what was read from off on */
	_Atomic uint64_t need; /* bytes behind off without which there is
				  nothing to do before the end is known */

	/* Guards everything below. Taken behind cut_lock. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t available_size;
	bool end_known;	   /* available_size is all */
	uint64_t end_size; /* what pipeline_finish() last took for the end */
	bool end_used;	   /* a block was cut that more bytes would lengthen */
	bool is_paused, quits;
	bool is_exhausted; /* a refusal or failure made the rest unreadable */
	unsigned active_count; /* threads at work */
	unsigned thread_count;
	struct worker threads[PIPELINE_THREADS_MAX];
	struct worker caller; /* of pipeline_finish() and _offer() */

	/* Of a stream. */
	bool is_cutting; /* a thread is in cut_block() */
	struct ready ready[PIPELINE_READY_MAX];
	unsigned first_ready, ready_count; /* a ring, in order */

	struct cvx_err failure; /* code 0: none */
	uint64_t turn;		/* the block whose rows come next */
	uint64_t row_count;	/* of the blocks before it */
	struct places places;
	struct cvx_buf memory; /* the output, unless there is a stage */
	struct segment_stage *stage;
	uint64_t writeback_off; /* of the stage: the disk has been told to
				   write what comes before */
	struct pipeline_output output;
	struct segment_key *keys; /* of the rows from unkeyed_size on */
	size_t key_count, key_capacity;
	uint64_t unkeyed_size;
	uint64_t unkeyed_count;
};

/*
 * cut.c: takes the next block, under cut_lock. 1: there is one, whose text is
 * in w; 0: none now; or a failure.
 */
int cut_block(struct pipeline *p, struct worker *w, struct block *ret,
	      struct cvx_err *err);

/* take.c: as cut_block(), for any thread and under no lock. */
int take_block(struct pipeline *p, struct worker *w, struct block *ret,
	       struct cvx_err *err);

/* gather.c: takes what the block became, waiting for its turn. */
int gather_block(struct pipeline *p, struct worker *w,
		 const struct block *block, struct cvx_err *err);
/* Forgets all output. */
void gather_reset(struct pipeline *p);

#endif
