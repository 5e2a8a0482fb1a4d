/* The small library under everything: errors, buffers, files. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/base/buf.h"
#include "cache/base/cleanup.h"
#include "cache/base/file.h"

TEST(err_keeps_code_name_and_text)
{
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_INT(cvx_fail_named(&err, -EFBIG, "TooBig", "row %d", 7), -EFBIG);
	EXPECT_INT(err.code, -EFBIG);
	assert_string_equal(err.name, "TooBig");
	assert_string_equal(err.msg, "row 7");
}

TEST(err_prefix_goes_in_front_and_keeps_the_code)
{
	struct cvx_err err = CVX_ERR_INIT;

	(void)cvx_fail(&err, -EINVAL, "no colon");
	EXPECT_INT(cvx_err_prefix(&err, "users/%s", "a.jsonl"), -EINVAL);
	assert_string_equal(err.msg, "users/a.jsonl: no colon");
}

TEST(err_quotes_no_control_characters)
{
	struct cvx_err err = CVX_ERR_INIT;

	(void)cvx_fail(&err, -EINVAL, "a\nb\x1b[31mc");
	assert_string_equal(err.msg, "a?b?[31mc");
}

TEST(err_cuts_what_is_too_long)
{
	struct cvx_err err = CVX_ERR_INIT;
	char text[2 * CVX_ERR_MSG_SIZE];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	(void)cvx_fail(&err, -EINVAL, "%s", text);
	EXPECT_INT(strlen(err.msg), CVX_ERR_MSG_SIZE - 1);
	(void)cvx_err_prefix(&err, "%s", text);
	EXPECT_INT(strlen(err.msg), CVX_ERR_MSG_SIZE - 1);
}

TEST(err_may_be_absent)
{
	EXPECT_INT(cvx_fail(NULL, -EIO, "unheard"), -EIO);
}

TEST(buf_never_grows_above_its_limit)
{
	struct cvx_buf b = CVX_BUF_INIT(10);

	EXPECT_INT(cvx_buf_puts(&b, "12345678"), 0);
	EXPECT_INT(cvx_buf_puts(&b, "abc"), -EFBIG);
	EXPECT_TEXT(b.data, b.size, "12345678");
	EXPECT_INT(cvx_buf_puts(&b, "9A"), 0);
	EXPECT_INT(b.size, 10);
	EXPECT_INT(cvx_buf_reserve(&b, SIZE_MAX), -EFBIG);
	cvx_buf_fini(&b);
	EXPECT_INT(b.size, 0);
	EXPECT_INT(b.limit, 10);
}

TEST(buf_prints_text_of_any_length)
{
	struct cvx_buf b = CVX_BUF_INIT(4096);

	EXPECT_INT(cvx_buf_printf(&b, "%s-%d", "x", 42), 0);
	EXPECT_INT(cvx_buf_printf(&b, "%1000d", 1), 0);
	EXPECT_INT(b.size, 4 + 1000);
	EXPECT_INT(memcmp(b.data, "x-42 ", 5), 0);
	cvx_buf_fini(&b);
}

TEST(file_pread_stops_at_the_end)
{
	CVX_AUTO(cvx_closep) int fd = -1;
	char path[512], text[16];
	size_t n = 0;

	(void)snprintf(path, sizeof(path), "%s/f", unit_temp_dir());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	EXPECT_INT(file_write(fd, "hello", 5), 0);
	EXPECT_INT(file_pwrite(fd, "HE", 2, 0), 0);
	EXPECT_INT(file_sync(fd), 0);
	EXPECT_INT(file_pread(fd, text, sizeof(text), 1, &n), 0);
	EXPECT_TEXT(text, n, "Ello");
	EXPECT_INT(file_pread(fd, text, sizeof(text), 99, &n), 0);
	EXPECT_INT(n, 0);
}

TEST(file_errors_are_negative_errno)
{
	size_t n;
	char c;

	EXPECT_INT(file_pread(-1, &c, 1, 0, &n), -EBADF);
	EXPECT_INT(file_pwrite(-1, &c, 1, 0), -EBADF);
	EXPECT_INT(file_write(-1, &c, 1), -EBADF);
	EXPECT_INT(file_sync(-1), -EBADF);
	EXPECT_INT(file_sync_dir(-1), -EBADF);
}

TEST(file_make_dirs_makes_parents_and_accepts_what_is_there)
{
	char path[512], file[540], below[560];
	struct stat st;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/a/b//c", unit_temp_dir());
	EXPECT_INT(file_make_dirs(path, 0700), 0);
	EXPECT_INT(file_make_dirs(path, 0700), 0);
	EXPECT_INT(stat(path, &st), 0);
	EXPECT_INT(st.st_mode & 0777, 0700);

	(void)snprintf(file, sizeof(file), "%s/f", path);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	(void)snprintf(below, sizeof(below), "%s/x", file);
	EXPECT_INT(file_make_dirs(below, 0700), -ENOTDIR);
	EXPECT_INT(file_make_dirs("", 0700), -ENOENT);
}

UNIT_MAIN(UNIT_CASE(err_keeps_code_name_and_text),
	  UNIT_CASE(err_prefix_goes_in_front_and_keeps_the_code),
	  UNIT_CASE(err_quotes_no_control_characters),
	  UNIT_CASE(err_cuts_what_is_too_long), UNIT_CASE(err_may_be_absent),
	  UNIT_CASE(buf_never_grows_above_its_limit),
	  UNIT_CASE(buf_prints_text_of_any_length),
	  UNIT_CASE(file_pread_stops_at_the_end),
	  UNIT_CASE(file_errors_are_negative_errno),
	  UNIT_CASE(file_make_dirs_makes_parents_and_accepts_what_is_there))
