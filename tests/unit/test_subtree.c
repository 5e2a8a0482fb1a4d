/* importer/archive: subtree; import.md 1.3, 13.1. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "importer/archive/archive.h"
#include "importer/archive/subtree.h"
#include "importer/archive/writer.h"
#include "importer/source.h"
#include "tests/unit/unit.h"
#include "tests/unit/zip_maker.h"

#define LOG "_components/mail/_components/log/"

/* A whole backup, and what becomes of it. */
struct cut {
	struct zip_maker whole;
	int fd; /* of the part */
	uint64_t size;
	struct archive *part;
};

static void begin(struct cut *c)
{
	struct zip_maker *z = &c->whole;

	*c = (struct cut){.part = NULL};
	zip_maker_init(z);
	zip_add_text(z, "README.md", "what it is");
	zip_add_text(z, "_tables/documents.jsonl", "1");
	zip_add_text(z, "_components/mail/_tables/documents.jsonl", "22");
	zip_add_text(z, "_components/mailer/_tables/documents.jsonl", "3");
	zip_add_text(z, "t/documents.jsonl", "4");
	zip_add_text(z, LOG "_tables/documents.jsonl", "");
	zip_add_text(z, LOG "t/documents.jsonl", "666");
	zip_add_text(z, "_components/mail/t/documents.jsonl", "7777");
	zip_add_text(z, "x/_components/mail/t/documents.jsonl", "8");
	c->fd = open(unit_temp_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_true(c->fd >= 0);
}

static int cut(struct cut *c, const char *component,
	       const struct archive_watcher *watcher, struct cvx_err *err)
{
	const struct import_source whole = zip_source_of(&c->whole.file);

	return subtree_write(&whole, c->whole.file.size, component, c->fd,
			     watcher, &c->size, err);
}

static void end(struct cut *c)
{
	archive_free(c->part);
	(void)close(c->fd);
	zip_maker_fini(&c->whole);
}

static void expect_entry(struct cut *c, uint64_t index, const char *name,
			 const char *text)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct archive_stream *stream;
	struct archive_entry entry;
	char got[100];
	size_t n;

	EXPECT_OK(archive_entry(c->part, index, &entry, &err), &err);
	assert_string_equal(entry.name, name);
	EXPECT_OK(archive_stream_new(c->part, index, &stream, &err), &err);
	EXPECT_OK(archive_stream_read(stream, got, sizeof(got), &n, &err),
		  &err);
	EXPECT_TEXT(got, n, text);
	archive_stream_free(stream);
}

static void open_part(struct cut *c)
{
	const struct import_source part = source_of_fd(&c->fd);
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(archive_open(&part, c->size, &c->part, &err), &err);
}

TEST(subtree_of_a_component_has_it_as_its_root)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct cut c;

	begin(&c);
	zip_end(&c.whole, "");
	EXPECT_OK(cut(&c, "mail", NULL, &err), &err);
	open_part(&c);
	EXPECT_INT(archive_entry_count(c.part), 5);
	expect_entry(&c, 0, "README.md", "what it is");
	expect_entry(&c, 1, "_tables/documents.jsonl", "22");
	expect_entry(&c, 2, "_components/log/_tables/documents.jsonl", "");
	expect_entry(&c, 3, "_components/log/t/documents.jsonl", "666");
	expect_entry(&c, 4, "t/documents.jsonl", "7777");
	end(&c);
}

TEST(subtree_of_a_component_below_another)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct cut c;

	begin(&c);
	zip_end(&c.whole, "");
	EXPECT_OK(cut(&c, "mail/log", NULL, &err), &err);
	open_part(&c);
	EXPECT_INT(archive_entry_count(c.part), 3);
	expect_entry(&c, 1, "_tables/documents.jsonl", "");
	expect_entry(&c, 2, "t/documents.jsonl", "666");
	end(&c);
}

TEST(subtree_of_a_component_that_is_not_there_is_none)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct cut c;

	begin(&c);
	zip_end(&c.whole, "");
	EXPECT_FAIL(cut(&c, "mai", NULL, &err), &err, -ENOENT,
		    "component mai is not in the backup");
	EXPECT_FAIL(cut(&c, "log", NULL, &err), &err, -ENOENT, "log");
	end(&c);
}

TEST(subtree_of_a_damaged_backup_is_refused)
{
	const struct zip_lie lie = {.crc_xor = 1};
	struct cvx_err err = CVX_ERR_INIT;
	struct cut c;

	begin(&c);
	zip_add(&c.whole, "_components/mail/u/documents.jsonl", "9", 1, &lie);
	zip_end(&c.whole, "");
	EXPECT_FAIL(cut(&c, "mail", NULL, &err), &err, -EINVAL,
		    "_components/mail/u/documents.jsonl");
	/* Nobody asks for what is not in the part. */
	EXPECT_OK(cut(&c, "mailer", NULL, &err), &err);
	end(&c);
}

static int give_up(void *ctx __attribute__((unused)),
		   uint64_t done __attribute__((unused)),
		   uint64_t settled __attribute__((unused)),
		   struct cvx_err *err)
{
	return cvx_fail(err, -ECANCELED, "enough");
}

TEST(subtree_ends_when_its_watcher_gives_up)
{
	const struct archive_watcher watcher = {give_up, NULL};
	struct cvx_err err = CVX_ERR_INIT;
	struct cut c;

	begin(&c);
	zip_end(&c.whole, "");
	EXPECT_FAIL(cut(&c, "mail", &watcher, &err), &err, -ECANCELED,
		    "enough");
	end(&c);
}

UNIT_MAIN(UNIT_CASE(subtree_of_a_component_has_it_as_its_root),
	  UNIT_CASE(subtree_of_a_component_below_another),
	  UNIT_CASE(subtree_of_a_component_that_is_not_there_is_none),
	  UNIT_CASE(subtree_of_a_damaged_backup_is_refused),
	  UNIT_CASE(subtree_ends_when_its_watcher_gives_up))
