/*
 * unit: the frame of the unit tests, on cmocka.
 *
 * A case is a function TEST(name); a file ends with UNIT_MAIN listing them.
 * After each case the count of open descriptors must be what it was before.
 * Output is TAP. Cases run from the top of the source tree.
 */
#ifndef CVX_TESTS_UNIT_UNIT_H
#define CVX_TESTS_UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cache/base/err.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define UNIT_CASE(fn)                                                          \
	cmocka_unit_test_setup_teardown(fn, unit_count_fds, unit_check_fds)

#define UNIT_MAIN(...)                                                         \
	int main(void)                                                         \
	{                                                                      \
		const struct CMUnitTest cases[] = {__VA_ARGS__};               \
                                                                               \
		cmocka_set_message_output(CM_OUTPUT_TAP);                      \
		return cmocka_run_group_tests(cases, NULL, NULL);              \
	}

int unit_count_fds(void **state);
int unit_check_fds(void **state);

/* The call must return 0; prints the error otherwise. */
#define EXPECT_OK(call, err)                                                   \
	do {                                                                   \
		int got_ = (call);                                             \
		if (got_ != 0)                                                 \
			fail_msg("%s: %d: %s", #call, got_, (err)->msg);       \
	} while (0)

/* The call must fail with the code, and say the text somewhere. */
#define EXPECT_FAIL(call, err, want_code, want_text)                           \
	do {                                                                   \
		int got_ = (call);                                             \
		if (got_ != (want_code))                                       \
			fail_msg("%s: %d, not %d: %s", #call, got_,            \
				 (want_code), (err)->msg);                     \
		if (!strstr((err)->msg, (want_text)))                          \
			fail_msg("'%s' is not in '%s'", (want_text),           \
				 (err)->msg);                                  \
	} while (0)

#define EXPECT_INT(got, want)                                                  \
	do {                                                                   \
		long long got_ = (long long)(got), want_ = (long long)(want);  \
		if (got_ != want_)                                             \
			fail_msg("%s is %lld, not %lld", #got, got_, want_);   \
	} while (0)

/* Compares size bytes at got with the C string want. */
void unit_expect_text(const char *what, const char *got, size_t size,
		      const char *want);
#define EXPECT_TEXT(got, size, want) unit_expect_text(#got, got, size, want)

/* A fresh folder below TMPDIR, as long as the program runs; removed at exit. */
const char *unit_temp_dir(void);

/* The whole file, ended by NUL; the caller frees it. Fails the case if not. */
char *unit_read_file(const char *path, size_t *ret_size);

#endif
