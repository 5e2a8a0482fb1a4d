/*
 * export: a deployment becomes a backup archive (import.md 13).
 *
 * export_new() takes one consistent snapshot and keeps what it names readable,
 * whatever is committed meanwhile, also by other processes. export_write()
 * makes the archive of it:
 *
 *   README.md
 *   _tables/documents.jsonl         of each component, the root first
 *   <table>/documents.jsonl,
 *   <table>/generated_schema.jsonl  of each table, the smallest first
 *   _storage/documents.jsonl        of each component, if files are included,
 *   _storage/<id>[.<extension>]     with the files
 *
 * Entries are dated by the newest commit, so that a deployment that has not
 * changed gives the same archive again.
 *
 * Nothing is written to the deployment but names in its folder stage/, which
 * export_free(), or the next start after a crash, removes.
 *
 * Memory:  archive_writer.h, and some 500 bytes an entry.
 * Threads: calls are the owner's to serialise, but for export_cancel().
 */
#ifndef CVX_IMPORTER_EXPORT_H
#define CVX_IMPORTER_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

struct cvx_err;
struct deployment;
struct export;

struct export_settings {
	bool include_storage;
	/* Its tree becomes the root of the archive; NULL or "": all there is.
	 */
	const char *component;
};

/* The deployment must outlive it. -ENOENT if there is no such component. */
int export_new(struct deployment *d, const struct export_settings *settings,
	       struct export **ret, struct cvx_err *err);

/* NULL is allowed. */
void export_free(struct export *e);

/* When the snapshot was taken: Unix time. */
int64_t export_snapshot_ns(const struct export *e);

/* snapshot_<deployment>_<snapshot_ns>.zip (import.md 13.1), as long as e. */
const char *export_file_name(const struct export *e);

/* What it holds. */
struct export_counts {
	uint64_t component_count;
	uint64_t table_count;
	uint64_t document_count;
	uint64_t file_count;
	uint64_t size; /* of all entries, before they are packed */
};

void export_count(const struct export *e, struct export_counts *ret);

struct export_progress {
	uint64_t done; /* bytes before packing, of export_counts.size */
	uint64_t
		settled; /* the first bytes of the file that stay as they are */
};

/* Called now and then, by the thread that writes. */
struct export_watcher {
	void (*report)(void *ctx, const struct export_progress *progress);
	void *ctx;
};

/*
 * Writes the archive from the start of fd, an empty file that can be sought.
 * May be called once. Nothing is synced. -ECANCELED after export_cancel().
 * watcher may be NULL.
 */
int export_write(struct export *e, int fd, const struct export_watcher *watcher,
		 uint64_t *ret_size, struct cvx_err *err);

void export_cancel(struct export *e);

#endif
