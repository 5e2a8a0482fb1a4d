/* What one process does not see (fuse-facts.md a7). */
#include "fs/hidden.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static struct hidden *new_hidden(void)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct hidden *h;

	EXPECT_OK(hidden_new(&h, &err), &err);
	return h;
}

/* A process that does nothing. */
static pid_t start_other(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static void end_other(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

TEST(what_is_hidden_is_hidden_from_one_process)
{
	struct hidden *h = new_hidden();
	pid_t other = start_other();

	assert_false(hidden_from(h, "t/a", getpid()));
	hidden_put(h, "t/a", getpid());
	assert_true(hidden_from(h, "t/a", getpid()));
	assert_false(hidden_from(h, "t/a", other));
	assert_false(hidden_from(h, "t/b", getpid()));
	hidden_show(h, "t/a", other);
	assert_true(hidden_from(h, "t/a", getpid()));
	hidden_show(h, "t/a", getpid());
	assert_false(hidden_from(h, "t/a", getpid()));
	end_other(other);
	hidden_free(h);
}

TEST(a_fresh_folder_has_only_what_was_made_in_it)
{
	struct hidden *h = new_hidden();
	pid_t other = start_other();

	hidden_put_fresh(h, "t", getpid());
	assert_false(hidden_from(h, "t", getpid()));
	assert_true(hidden_from(h, "t/a", getpid()));
	assert_true(hidden_from(h, "t/b", getpid()));
	assert_false(hidden_from(h, "t/a", other));
	assert_false(hidden_from(h, "a", getpid()));
	hidden_show(h, "t/a", getpid());
	assert_false(hidden_from(h, "t/a", getpid()));
	assert_true(hidden_from(h, "t/b", getpid()));
	/* Made, and unlinked to be made again. */
	hidden_put(h, "t/a", getpid());
	assert_true(hidden_from(h, "t/a", getpid()));
	hidden_show(h, "t/a", getpid());
	assert_false(hidden_from(h, "t/a", getpid()));
	end_other(other);
	hidden_free(h);
}

TEST(a_folder_in_a_fresh_one_is_fresh_when_it_was_made)
{
	struct hidden *h = new_hidden();

	hidden_put_fresh(h, "c", getpid());
	assert_true(hidden_from(h, "c/t", getpid()));
	hidden_put_fresh(h, "c/t", getpid());
	assert_false(hidden_from(h, "c/t", getpid()));
	assert_true(hidden_from(h, "c/t/a", getpid()));
	hidden_free(h);
}

/* A number that was another process's once, under the same mount. */
TEST(nothing_is_hidden_from_another_program_of_the_same_number)
{
	struct hidden *h = new_hidden();

	hidden_put_fresh(h, "t", getpid());
	assert_int_equal(prctl(PR_SET_NAME, "another"), 0);
	assert_false(hidden_from(h, "t/a", getpid()));
	hidden_free(h);
}

TEST(nothing_is_hidden_from_threads_out_of_sight)
{
	struct hidden *h = new_hidden();

	hidden_put(h, "t/a", 0);
	hidden_put_fresh(h, "t", 0);
	assert_false(hidden_from(h, "t/a", 0));
	assert_false(hidden_from(h, "t/a", getpid()));
	hidden_free(h);
}

UNIT_MAIN(UNIT_CASE(what_is_hidden_is_hidden_from_one_process),
	  UNIT_CASE(a_fresh_folder_has_only_what_was_made_in_it),
	  UNIT_CASE(a_folder_in_a_fresh_one_is_fresh_when_it_was_made),
	  UNIT_CASE(nothing_is_hidden_from_another_program_of_the_same_number),
	  UNIT_CASE(nothing_is_hidden_from_threads_out_of_sight))
