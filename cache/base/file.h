/*
 * file: reading and writing whole ranges of files, and making them durable.
 *
 * The functions return 0 or a negative errno, repeat what a signal
 * interrupted, and never stop half-way without an error.
 *
 * Threads: any.
 */
#ifndef CVX_CACHE_BASE_FILE_H
#define CVX_CACHE_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

int file_write(int fd, const void *bytes, size_t size);
int file_pwrite(int fd, const void *bytes, size_t size, uint64_t off);

/* Reads until size bytes or the end; *ret_n tells how many. */
int file_pread(int fd, void *bytes, size_t size, uint64_t off, size_t *ret_n);

/* fdatasync: the bytes and the size are durable. */
int file_sync(int fd);

/* Begins to write size bytes from off to the disk, so that file_sync() finds
 * less to wait for; 0: to the end. Only advice: what fails, that tells. */
void file_sync_early(int fd, uint64_t off, uint64_t size);

/* fsync of a folder: the names in it are durable. */
int file_sync_dir(int dir_fd);

/* mkdir -p with the mode for what is made; an existing folder is fine. */
int file_make_dirs(const char *path, mode_t mode);

/* A new file without a name in the folder, open for both; or an errno. */
int file_open_unnamed(int dir_fd);

#endif
