/*
 * publish: files of segments and stored files, from a stage to a name (I2 and
 * I7 in commit.c).
 *
 * Threads: publish_segment() and publish_file() under the write lock; the rest
 * anywhere.
 */
#ifndef CVX_IMPORTER_EMBEDDED_PUBLISH_H
#define CVX_IMPORTER_EMBEDDED_PUBLISH_H

#include <stddef.h>
#include <stdint.h>

#include "cache/base/cleanup.h"
#include "cache/segment.h"

struct counters_row;
struct cvx_err;
struct deployment;

CVX_DEFINE_CLEANUP(struct segment_stage, segment_stage_free)

/* Stages with the bytes, synced. */
int publish_stage_text(struct deployment *d, const char *text, size_t size,
		       struct segment_stage **ret, struct cvx_err *err);
int publish_stage_keys(struct deployment *d, const struct segment_key *keys,
		       size_t count, struct segment_stage **ret,
		       struct cvx_err *err);

/*
 * Names synced stages as a segment with a fresh number. keys may be NULL.
 * Counts counters->segment up. After a failure nothing is left. The name is
 * durable after publish_sync().
 */
int publish_segment(struct deployment *d, struct counters_row *counters,
		    struct segment_stage *rows, struct segment_stage *keys,
		    uint64_t *ret_id, struct cvx_err *err);

int publish_sync(struct deployment *d, struct cvx_err *err);

/* A fresh number that no file has, for one to come. */
int publish_choose_number(struct deployment *d, struct counters_row *counters,
			  struct cvx_err *err);

/* The same for a run of an index (runs.h), in indexes/. */
int publish_run(struct deployment *d, struct counters_row *counters,
		struct segment_stage *stage, uint64_t *ret_id,
		struct cvx_err *err);
int publish_sync_runs(struct deployment *d, struct cvx_err *err);
void publish_remove_run(struct deployment *d, uint64_t id);

/*
 * Names a synced file of the folder as a stored file, likewise under the write
 * lock and with a fresh number. Durable after publish_sync_files().
 */
int publish_file(struct deployment *d, struct counters_row *counters,
		 int from_dir_fd, const char *from, uint64_t *ret_id,
		 struct cvx_err *err);
int publish_sync_files(struct deployment *d, struct cvx_err *err);

/* Unlinks the files of a segment (I4, I5). What cannot be removed now, the next
 * start removes. */
void publish_remove(struct deployment *d, uint64_t id);
void publish_remove_file(struct deployment *d, uint64_t id);

/* Reads the first size bytes of a segment's rows. */
int publish_read(struct deployment *d, uint64_t id, char *bytes, size_t size,
		 struct cvx_err *err);

#endif
