#include "tests/unit/exported.h"

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "cache/base/file.h"
#include "importer/archive/archive.h"
#include "importer/export.h"
#include "importer/restore.h"
#include "importer/value/document.h"
#include "tests/unit/store.h"
#include "tests/unit/zip_maker.h"

#define MIB ((size_t)1 << 20)

int exported_temp_file(void)
{
	int fd = open(unit_temp_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		fail_msg("cannot make a file: %m");
	return fd;
}

static int read_fd(void *ctx, uint64_t off, void *buf, size_t size,
		   size_t *ret_n, struct cvx_err *err)
{
	int r = file_pread(*(const int *)ctx, buf, size, off, ret_n);

	return r < 0 ? cvx_fail(err, r, "cannot read") : 0;
}

void exported_open(struct exported *w)
{
	const struct import_source source = {&w->fd, read_fd};
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(archive_open(&source, w->size, &w->archive, &err), &err);
}

void exported_close(struct exported *w)
{
	archive_free(w->archive);
	(void)close(w->fd);
}

void exported_finish(struct export *e, struct exported *w)
{
	struct cvx_err err = CVX_ERR_INIT;

	w->fd = exported_temp_file();
	EXPECT_OK(export_write(e, w->fd, NULL, &w->size, &err), &err);
	export_free(e);
	exported_open(w);
}

struct export *exported_begin_with(struct deployment *d, bool with_files)
{
	const struct export_settings settings = {.include_storage = with_files};
	struct cvx_err err = CVX_ERR_INIT;
	struct export *e = NULL;

	EXPECT_OK(export_new(d, &settings, &e, &err), &err);
	return e;
}

struct export *exported_begin(struct deployment *d)
{
	return exported_begin_with(d, true);
}

void exported_write(struct deployment *d, struct exported *w)
{
	exported_finish(exported_begin(d), w);
}

char *exported_read_at(struct archive *a, uint64_t index)
{
	struct archive_stream *s = NULL;
	struct cvx_err err = CVX_ERR_INIT;
	struct archive_entry entry;
	size_t n = 0;
	char *text;

	EXPECT_OK(archive_entry(a, index, &entry, &err), &err);
	text = malloc((size_t)entry.size + 2);
	assert_non_null(text);
	EXPECT_OK(archive_stream_new(a, index, &s, &err), &err);
	EXPECT_OK(
		archive_stream_read(s, text, (size_t)entry.size + 1, &n, &err),
		&err);
	EXPECT_INT(n, entry.size);
	archive_stream_free(s);
	text[n] = '\0';
	return text;
}

char *exported_read(struct archive *a, const char *name)
{
	struct archive_entry entry;
	struct cvx_err err = CVX_ERR_INIT;
	uint64_t i;

	for (i = 0; i < archive_entry_count(a); i++) {
		EXPECT_OK(archive_entry(a, i, &entry, &err), &err);
		if (strcmp(entry.name, name) == 0)
			return exported_read_at(a, i);
	}
	return NULL;
}

void exported_expect(struct archive *a, const char *name, const char *want)
{
	char *text = exported_read(a, name);

	if (!text)
		fail_msg("there is no entry %s", name);
	EXPECT_TEXT(text, strlen(text), want);
	free(text);
}

void exported_restore(struct deployment *d, int fd, uint64_t size)
{
	const struct restore_target target = {"", "backup.zip",
					      IMPORT_REPLACE_ALL};
	const struct import_source source = {&fd, read_fd};
	struct cvx_err err = CVX_ERR_INIT;
	struct restore_result result;
	struct restore *restore = NULL;

	EXPECT_OK(restore_new(d, &target, &source, &restore, &err), &err);
	EXPECT_OK(restore_commit(restore, size, &result, &err), &err);
	restore_free(restore);
}

void exported_restore_maker(struct deployment *d, struct zip_maker *z)
{
	int fd = exported_temp_file();

	zip_end(z, "");
	EXPECT_INT(file_pwrite(fd, z->file.data, z->file.size, 0), 0);
	exported_restore(d, fd, z->file.size);
	(void)close(fd);
	zip_maker_fini(z);
}

/* Rows whose ids are those of numbers from first on, in steps. */
static char *make_id_rows(uint32_t table, uint32_t first, uint32_t count,
			  int32_t step, size_t pad)
{
	struct cvx_buf out = CVX_BUF_INIT(256 * MIB);
	struct internal_id id;
	char text[ID_TEXT_MAX], *filler = malloc(pad + 1);
	uint32_t i, n = first;
	size_t size;

	assert_non_null(filler);
	memset(filler, 'x', pad);
	for (i = 0; i < count; i++, n += (uint32_t)step) {
		memset(&id, 0, sizeof(id));
		id.bytes[0] = (uint8_t)(n >> 24);
		id.bytes[1] = (uint8_t)(n >> 16);
		id.bytes[2] = (uint8_t)(n >> 8);
		id.bytes[3] = (uint8_t)n;
		size = id_encode(table, &id, text);
		EXPECT_INT(cvx_buf_printf(&out,
					  "{\"_id\":\"%.*s\",\"pad\":\"%.*s\"}"
					  "\n",
					  (int)size, text, (int)(n % (pad + 1)),
					  filler),
			   0);
	}
	free(filler);
	EXPECT_INT(cvx_buf_append(&out, "", 1), 0);
	return out.data;
}

static int compare_lines(const void *a, const void *b)
{
	struct internal_id x, y;
	const char *s = *(char *const *)a, *t = *(char *const *)b;

	EXPECT_INT(document_line_id(s, strcspn(s, "\n"), &x), 0);
	EXPECT_INT(document_line_id(t, strcspn(t, "\n"), &y), 0);
	return id_compare(&x, &y);
}

char *exported_sort_lines(const char *text)
{
	size_t count = (size_t)store_count_lines(text), i, n = 0, size;
	const char **lines = calloc(count + 1, sizeof(*lines));
	char *out = malloc(strlen(text) + 1);

	assert_true(lines && out);
	for (i = 0; i < count; i++) {
		lines[i] = text;
		text = strchr(text, '\n') + 1;
	}
	qsort(lines, count, sizeof(*lines), compare_lines);
	for (i = 0; i < count; i++) {
		size = strcspn(lines[i], "\n") + 1;
		memcpy(out + n, lines[i], size);
		n += size;
	}
	out[n] = '\0';
	free(lines);
	return out;
}

void exported_import_ids(struct deployment *d, uint32_t first, uint32_t count,
			 int32_t step, size_t pad)
{
	char *rows = make_id_rows(10001, first, count, step, pad);
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(store_import(d, "t", IMPORT_APPEND, rows, &err), &err);
	free(rows);
}
