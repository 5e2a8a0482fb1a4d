/*
 * segment: files of rows, written hidden, published whole, never changed below
 * their committed length; and sorted tables of keys that find rows in them.
 *
 * A file begins as a stage: a hidden file in a stage folder, which its maker
 * holds locked. segment_publish() makes it durable and moves it to its name in
 * another folder. A process that dies leaves a stage without lock, which
 * segment_sweep_stages() removes.
 *
 * A key is 16 bytes and the offset of its row. A keys file holds keys in the
 * order of their bytes:
 *
 *   "CVXKEYS1" | count, 64 bits | count x (16 bytes | offset, 64 bits)
 *
 * with numbers in little-endian.
 *
 * Threads: not locked, but segment_stage_fd() may be written to from any.
 */
#ifndef CVX_CACHE_SEGMENT_H
#define CVX_CACHE_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEGMENT_KEY_SIZE 16

/* What the names of stages begin with. */
#define SEGMENT_STAGE_PREFIX "stage-"

struct cvx_err;
struct segment_stage;

struct segment_key {
	uint8_t bytes[SEGMENT_KEY_SIZE];
	uint64_t off;
};

/* Creates an empty stage in the folder, which stays the caller's. */
int segment_stage_new(int stage_dir_fd, struct segment_stage **ret,
		      struct cvx_err *err);

/* Removes the file, unless it is published. NULL is allowed. */
void segment_stage_free(struct segment_stage *s);

/* As long as the stage. */
int segment_stage_fd(const struct segment_stage *s);

/*
 * Gives the stage, whose bytes the caller has synced, its name in the folder
 * dir_fd. The name must not be there yet; it is durable after file_sync_dir().
 */
int segment_publish(struct segment_stage *s, int dir_fd, const char *name,
		    struct cvx_err *err);

/* Removes stages, folders of them too (stage_folder.h), whose makers are gone;
 * returns how many. */
unsigned segment_sweep_stages(int stage_dir_fd);

/* <0, 0, >0 in the order of the bytes. */
int segment_key_compare(const struct segment_key *a,
			const struct segment_key *b);

/* Sorts by bytes; equal keys keep no order. */
void segment_sort_keys(struct segment_key *keys, size_t count);

/* Writes a keys file to the descriptor, from its start. Not synced. */
int segment_write_keys(int fd, const struct segment_key *keys, size_t count);

/*
 * Reads count keys from the nth on. -EINVAL when the file is not a keys file
 * of file_count keys.
 */
int segment_open_keys(int dir_fd, const char *name, uint64_t file_count,
		      int *ret_fd);
int segment_read_keys(int fd, uint64_t nth, struct segment_key *keys,
		      size_t count);

/*
 * Calls found for each of the sorted keys whose bytes are in the keys file,
 * with the key and the offset in the file.
 */
int segment_match_keys(int fd, uint64_t file_count,
		       const struct segment_key *keys, size_t count,
		       void (*found)(void *ctx, const struct segment_key *key),
		       void *ctx);

#endif
