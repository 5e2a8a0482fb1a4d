/*
 * pipeline: the bytes of one file become canonical lines, by several threads.
 *
 * Blocks of whole rows are cut from the source one after the other, converted
 * apart, and put together in order: small output stays in memory, larger goes
 * to a stage. Nothing here knows what the lines are for.
 *
 * A file that is still being written is converted as far as it goes: with
 * pipeline_offer() the threads of the pipeline work, pipeline_finish() makes
 * the caller work along to the end.
 *
 * A source that is slow to read, as an entry of an archive, is read by one of
 * the threads at a time, into the block where it is converted.
 *
 * Which rows are refused, and their numbers, do not depend on the threads.
 *
 * Threads: calls are the owner's to serialise, but for pipeline_cancel() and
 *          pipeline_peek(). The hooks and the source are called from any of
 *          the threads; the hooks by one at a time.
 */
#ifndef CVX_IMPORTER_PIPELINE_H
#define CVX_IMPORTER_PIPELINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/base/buf.h"
#include "importer/format/format.h"
#include "importer/import.h"
#include "importer/places.h"

/* Blocks have this size, unless a row is longer: a block and its lines stay in
 * the cache of one processor from the source to the stage. */
#define PIPELINE_BLOCK_SIZE ((size_t)256 << 10)

/* Files up to this size are not worth threads of their own. */
#define PIPELINE_SMALL_SIZE ((size_t)2 << 20)

/* Output up to this size stays in memory. */
#define PIPELINE_MEMORY_MAX ((size_t)1 << 20)

/* So far the threads may be behind the writer before he has to help. */
#define PIPELINE_LAG_MAX ((uint64_t)16 << 20)

struct cvx_err;
struct pipeline;
struct plan_facts;
struct segment_key;
struct segment_stage;

struct pipeline_hooks {
	void *ctx;
	/* Called once, when the first row is known or there is none. */
	int (*plan)(void *ctx, const struct plan_facts *facts,
		    enum document_encoding *ret_encoding,
		    struct document_stamp *ret_stamp,
		    struct format_rules *ret_rules, struct cvx_err *err);
	int (*new_stage)(void *ctx, struct segment_stage **ret,
			 struct cvx_err *err);
	/* The source is read from its start to its end, each read beginning
	 * where the one before ended; only pipeline_reset() begins anew. To
	 * read it takes time, and the bytes are what they are for good. The
	 * owner, who offers all of it at once, then waits for its end. */
	bool is_stream;
	/* Bytes read and rows converted so far. */
	_Atomic uint64_t *consumed_size;
	_Atomic uint64_t *row_count;
};

/* What has been converted. All of it is the pipeline's. */
struct pipeline_output {
	const char *text;	     /* the lines, if there is no stage */
	struct segment_stage *stage; /* not synced */
	uint64_t size;
	uint64_t document_count;
	uint64_t stamp_count; /* ids and times that were given, at most */
	struct internal_id first, last; /* of the first row and the last, if
					   document_count > 0 */
	bool ascending;
	bool beyond_plain;
	struct segment_key *keys; /* document_count of them in no order,
				     unless ascending */
};

/* Copies source and hooks. */
int pipeline_new(enum format_kind kind, const struct import_source *source,
		 const struct pipeline_hooks *hooks, struct pipeline **ret,
		 struct cvx_err *err);

/* Waits for the threads. NULL is allowed. */
void pipeline_free(struct pipeline *p);

/*
 * The bytes [0, size) may be converted. A caller who is PIPELINE_LAG_MAX bytes
 * ahead of the threads converts a block himself, which takes milliseconds.
 */
void pipeline_offer(struct pipeline *p, uint64_t size);

/*
 * Converts all of the bytes [0, size), which are the whole file as far as is
 * known. Returns 0 or a failure other than a refusal. May be called again, and
 * with a greater size.
 */
int pipeline_finish(struct pipeline *p, uint64_t size, struct cvx_err *err);

/* Forgets all work, and waits until no thread uses the source. */
void pipeline_reset(struct pipeline *p);

/* The work under way ends with -ECANCELED, as does all to come. */
void pipeline_cancel(struct pipeline *p);

/* 0, or the first refusal or failure that is known by now. */
int pipeline_peek(struct pipeline *p, struct cvx_err *err);

/* After pipeline_finish(). */
const struct places *pipeline_places(const struct pipeline *p);
int pipeline_output(struct pipeline *p, struct pipeline_output *ret,
		    struct cvx_err *err);

/* What pipeline_output() gave becomes the caller's: the stage, and text and
 * keys to free(). Only pipeline_free() may follow. */
void pipeline_give_output(struct pipeline *p);

#endif
