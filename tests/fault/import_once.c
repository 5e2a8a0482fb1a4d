/*
 * import_once: one import, or one look at a deployment, in a process of its
 * own, so that tests can make it fail or kill it.
 *
 *   import_once import DIR TABLE MODE FILE   MODE: require-empty, append,
 *                                            replace; FILE ends in .csv,
 *                                            .jsonl, .json, or .zip, which
 *                                            is restored, whatever TABLE is
 *   import_once check DIR                    every invariant, to the last byte
 *   import_once cat DIR TABLE                the table's documents.jsonl, also
 *                                            that of _storage
 *   import_once which DIR TABLE FILE…        check, then the number from 1 of
 *                                            the FILE that the table equals;
 *                                            then replaces the table by the
 *                                            first, and checks again
 *   import_once export DIR FILE              an archive of the deployment
 *   import_once schema DIR FILE              sets the schema in FILE
 *   import_once index DIR TABLE INDEX        check, then the documents in the
 *                                            order of the index
 *
 * With IMPORT_ONCE_DIES in the environment it kills itself after telling the
 * outcome, so that nothing is closed.
 *
 * With IMPORT_ONCE_PREVIEWS in the environment an import is looked at before it
 * is committed, as the command does.
 *
 * Prints the outcome on standard output: "ok COUNT" or "failed ERRNO-NAME
 * TEXT", and exits with 0 or 1; 2 is a wrong call.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "importer/deployment.h"
#include "importer/deployment_schema.h"
#include "importer/embedded/embedded.h"
#include "importer/export.h"
#include "importer/import.h"
#include "importer/preview.h"
#include "importer/restore.h"
#include "importer/stored_file.h"

static int read_file(void *ctx, uint64_t off, void *buf, size_t size,
		     size_t *ret_n, struct cvx_err *err)
{
	int r = file_pread(*(const int *)ctx, buf, size, off, ret_n);

	return r < 0 ? cvx_fail(err, r, "cannot read: %s", strerror(-r)) : 0;
}

static bool parse_mode(const char *word, enum import_mode *ret)
{
	int mode;

	for (mode = IMPORT_REQUIRE_EMPTY; mode <= IMPORT_REPLACE; mode++) {
		*ret = (enum import_mode)mode;
		if (strcmp(word, import_mode_name(*ret)) == 0)
			return true;
	}
	return false;
}

static enum format_kind format_of(const char *path)
{
	const char *dot = strrchr(path, '.');

	if (dot && strcmp(dot, ".csv") == 0)
		return FORMAT_CSV;
	return dot && strcmp(dot, ".json") == 0 ? FORMAT_JSON : FORMAT_JSONL;
}

static bool is_archive(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && strcmp(dot, ".zip") == 0;
}

static bool previews(void)
{
	return getenv("IMPORT_ONCE_PREVIEWS") != NULL;
}

static int import_table(struct deployment *d,
			const struct import_target *target,
			const struct import_source *source, uint64_t size,
			uint64_t *ret_count, struct cvx_err *err)
{
	struct preview preview = {.tables = NULL};
	struct import_result result;
	struct import *imp;
	int r = import_new(d, target, source, &imp, err);

	if (r < 0)
		return r;
	import_available(imp, size);
	if (previews())
		r = import_preview(imp, size, &preview, err);
	preview_fini(&preview);
	if (r == 0)
		r = import_commit(imp, size, &result, err);
	import_free(imp);
	if (r == 0)
		*ret_count = result.document_count;
	return r;
}

static int restore_archive(struct deployment *d,
			   const struct restore_target *target,
			   const struct import_source *source, uint64_t size,
			   uint64_t *ret_count, struct cvx_err *err)
{
	struct preview preview = {.tables = NULL};
	struct restore_result result;
	struct restore *restore;
	int r = restore_new(d, target, source, &restore, err);

	if (r < 0)
		return r;
	if (previews())
		r = restore_preview(restore, size, &preview, err);
	preview_fini(&preview);
	if (r == 0)
		r = restore_commit(restore, size, &result, err);
	restore_free(restore);
	if (r == 0)
		*ret_count = result.document_count;
	return r;
}

static int import_file(struct deployment *d, const char *table,
		       enum import_mode mode, const char *path,
		       struct cvx_err *err)
{
	struct import_target target = {.component = "",
				       .table = table,
				       .path = path,
				       .format = format_of(path),
				       .mode = mode};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const struct restore_target archive = {"", path, mode};
	struct import_source source = {.ctx = &fd, .read = read_file};
	uint64_t count = 0, size;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return cvx_fail(err, -errno, "cannot open %s: %s", path,
				strerror(errno));
	size = (uint64_t)st.st_size;
	r = is_archive(path)
		    ? restore_archive(d, &archive, &source, size, &count, err)
		    : import_table(d, &target, &source, size, &count, err);
	(void)close(fd);
	if (r == 0)
		printf("ok %llu\n", (unsigned long long)count);
	return r;
}

static int cat_storage(struct deployment *d, struct cvx_err *err)
{
	struct cvx_buf text = CVX_BUF_INIT((size_t)1 << 20);
	int r = deployment_print_stored_files(d, "", &text, err);

	if (r == 0)
		r = file_write(STDOUT_FILENO, text.data, text.size);
	cvx_buf_fini(&text);
	return r;
}

static int cat_table(struct deployment *d, const char *table,
		     struct cvx_err *err)
{
	struct table_reader *reader;
	char bytes[65536];
	uint64_t off = 0;
	size_t n = 1;
	int r = deployment_open_table(d, "", table, &reader, err);

	if (r < 0)
		return r;
	while (r == 0 && n > 0) {
		r = table_reader_read(reader, off, bytes, sizeof(bytes), &n,
				      err);
		if (r == 0)
			r = file_write(STDOUT_FILENO, bytes, n);
		off += n;
	}
	table_reader_close(reader);
	return r;
}

static int export_to(struct deployment *d, const char *path,
		     struct cvx_err *err)
{
	const struct export_settings settings = {.include_storage = true};
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct export *e = NULL;
	uint64_t size = 0;
	int r = fd < 0 ? cvx_fail(err, -errno, "cannot make %s", path) : 0;

	if (r == 0)
		r = export_new(d, &settings, &e, err);
	if (r == 0)
		r = export_write(e, fd, NULL, &size, err);
	export_free(e);
	if (fd >= 0)
		(void)close(fd);
	if (r == 0)
		printf("ok %llu\n", (unsigned long long)size);
	return r;
}

static int set_schema(struct deployment *d, const char *path,
		      struct cvx_err *err)
{
	char text[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	int r = fd < 0 ? cvx_fail(err, -errno, "cannot open %s", path) : 0;

	if (r == 0)
		r = file_pread(fd, text, sizeof(text), 0, &n);
	if (fd >= 0)
		(void)close(fd);
	if (r == 0)
		r = deployment_set_schema(d, "", text, n, err);
	if (r == 0)
		printf("ok\n");
	return r;
}

static int cat_index(struct deployment *d, const char *table, const char *index,
		     struct cvx_err *err)
{
	struct index_reader *reader = NULL;
	char bytes[65536];
	uint64_t off = 0;
	size_t n = 1;
	int r = embedded_check(d, err);

	if (r == 0)
		r = deployment_open_index(d, "", table, index, &reader, err);
	while (r == 0 && n > 0) {
		r = index_reader_read(reader, off, bytes, sizeof(bytes), &n,
				      err);
		if (r == 0)
			r = file_write(STDOUT_FILENO, bytes, n);
		off += n;
	}
	index_reader_close(reader);
	return r;
}

static int check(struct deployment *d, struct cvx_err *err)
{
	int r = embedded_check(d, err);

	if (r == 0)
		printf("ok\n");
	return r;
}

/* Whether the file's bytes are the table's. */
static bool equals(struct table_reader *reader, const char *path)
{
	char want[65536], got[sizeof(want)];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t want_n = 1, got_n = 0;
	uint64_t off = 0;
	bool same = fd >= 0;

	while (same && want_n > 0) {
		same = file_pread(fd, want, sizeof(want), off, &want_n) == 0 &&
		       table_reader_read(reader, off, got, sizeof(got), &got_n,
					 NULL) == 0 &&
		       want_n == got_n && memcmp(want, got, want_n) == 0;
		off += want_n;
	}
	if (fd >= 0)
		(void)close(fd);
	return same;
}

static int print_which(struct deployment *d, const char *table,
		       char *const *paths, struct cvx_err *err)
{
	struct table_reader *reader;
	int i, r = deployment_open_table(d, "", table, &reader, err);

	if (r < 0)
		return r;
	for (i = 0; paths[i] && !equals(reader, paths[i]); i++)
		;
	table_reader_close(reader);
	if (!paths[i])
		return cvx_fail(err, -EIO, "the table equals no file");
	printf("%d\n", i + 1);
	return 0;
}

static int which(struct deployment *d, const char *table, char *const *paths,
		 struct cvx_err *err)
{
	int r = embedded_check(d, err);

	if (r == 0)
		r = print_which(d, table, paths, err);
	if (r == 0)
		r = import_file(d, table, IMPORT_REPLACE, paths[0], err);
	return r < 0 ? r : embedded_check(d, err);
}

int main(int argc, char **argv)
{
	struct deployment_settings settings = {.dir = argc > 2 ? argv[2] : ""};
	const char *verb = argc > 1 ? argv[1] : "";
	struct cvx_err err = CVX_ERR_INIT;
	struct deployment *d = NULL;
	enum import_mode mode = IMPORT_APPEND;
	int r;

	if (!(argc == 6 && strcmp(verb, "import") == 0 &&
	      parse_mode(argv[4], &mode)) &&
	    !(argc == 3 && strcmp(verb, "check") == 0) &&
	    !(argc >= 5 && strcmp(verb, "which") == 0) &&
	    !(argc == 4 && strcmp(verb, "cat") == 0) &&
	    !(argc == 4 && strcmp(verb, "export") == 0) &&
	    !(argc == 4 && strcmp(verb, "schema") == 0) &&
	    !(argc == 5 && strcmp(verb, "index") == 0)) {
		fprintf(stderr, "usage: import_once import DIR TABLE MODE FILE"
				" | check DIR | cat DIR TABLE"
				" | which DIR TABLE FILE..."
				" | export DIR FILE | schema DIR FILE"
				" | index DIR TABLE INDEX\n");
		return 2;
	}
	r = deployment_open(&settings, &d, &err);
	if (r == 0 && strcmp(verb, "import") == 0)
		r = import_file(d, argv[3], mode, argv[5], &err);
	else if (r == 0 && strcmp(verb, "cat") == 0)
		r = strcmp(argv[3], "_storage") == 0
			    ? cat_storage(d, &err)
			    : cat_table(d, argv[3], &err);
	else if (r == 0 && strcmp(verb, "export") == 0)
		r = export_to(d, argv[3], &err);
	else if (r == 0 && strcmp(verb, "schema") == 0)
		r = set_schema(d, argv[3], &err);
	else if (r == 0 && strcmp(verb, "index") == 0)
		r = cat_index(d, argv[3], argv[4], &err);
	else if (r == 0 && strcmp(verb, "which") == 0)
		r = which(d, argv[3], argv + 4, &err);
	else if (r == 0)
		r = check(d, &err);
	if (r < 0)
		printf("failed %s %s\n", strerrorname_np(-r), err.msg);
	if (getenv("IMPORT_ONCE_DIES")) {
		(void)fflush(stdout);
		(void)kill(getpid(), SIGKILL);
	}
	deployment_close(d);
	return r < 0 ? 1 : 0;
}
