/*
 * Who still has a file open for writing, and who died (filesystem.md W-4,
 * W-5; fuse-facts.md c). The files here are ordinary ones: what is asked is
 * their inode numbers, as /proc shows them.
 */
#include "fs/last_close.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/process.h"
#include "tests/unit/unit.h"

static int open_file(int flags, uint64_t *ret_inode)
{
	char path[4096];
	struct stat st;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/file", unit_temp_dir());
	fd = open(path, flags | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	*ret_inode = st.st_ino;
	return fd;
}

static struct close_answer ask(const struct close_question *q)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct close_answer a;
	struct last_close *lc;

	EXPECT_OK(last_close_new(&lc, &err), &err);
	last_close_ask(lc, q, &a);
	last_close_free(lc);
	return a;
}

static struct close_question closed_by(pid_t closer, uint64_t inode)
{
	return (struct close_question){
		.inode = inode,
		.closer = closer,
		.opener = getpid(),
		.opener_sid = getsid(0),
	};
}

/* A child that runs fn and then waits to be killed; it has said when it was
 * done. */
static pid_t start_child(void (*fn)(int fd), int fd)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		fn(fd);
		(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void end_child(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void keep(int fd)
{
	(void)fd;
}

static void drop(int fd)
{
	close(fd);
}

static void leave_session(int fd)
{
	(void)fd;
	(void)setsid();
}

TEST(w4_an_open_descriptor_is_a_holder)
{
	uint64_t inode;
	int fd = open_file(O_WRONLY, &inode);
	struct close_question q = closed_by(getpid(), inode);
	struct close_answer a = ask(&q);

	EXPECT_INT(a.holders, HOLDERS_SOME);
	EXPECT_INT(a.holder, getpid());
	EXPECT_INT(a.closer, getpid());
	EXPECT_INT(a.died_of, 0);
	close(fd);
}

TEST(w4_after_the_last_close_nobody_holds)
{
	uint64_t inode;
	int fd = open_file(O_WRONLY, &inode);
	struct close_question q = closed_by(getpid(), inode);

	close(fd);
	EXPECT_INT(ask(&q).holders, HOLDERS_NONE);
}

TEST(w4_readers_do_not_count)
{
	uint64_t inode;
	int fd = open_file(O_RDONLY, &inode);
	struct close_question q = closed_by(getpid(), inode);

	EXPECT_INT(ask(&q).holders, HOLDERS_NONE);
	close(fd);
}

TEST(w4_a_descriptor_for_both_counts)
{
	uint64_t inode;
	int fd = open_file(O_RDWR, &inode);
	struct close_question q = closed_by(getpid(), inode);

	EXPECT_INT(ask(&q).holders, HOLDERS_SOME);
	close(fd);
}

TEST(w4_a_duplicate_counts)
{
	uint64_t inode;
	int fd = open_file(O_WRONLY, &inode), copy = dup(fd);
	struct close_question q = closed_by(getpid(), inode);

	close(fd);
	EXPECT_INT(ask(&q).holders, HOLDERS_SOME);
	close(copy);
	EXPECT_INT(ask(&q).holders, HOLDERS_NONE);
}

TEST(w4_a_child_that_inherited_it_counts)
{
	uint64_t inode;
	int fd = open_file(O_WRONLY, &inode);
	pid_t child = start_child(keep, fd);
	struct close_question q = closed_by(getpid(), inode);
	struct close_answer a;

	close(fd);
	a = ask(&q);
	EXPECT_INT(a.holders, HOLDERS_SOME);
	EXPECT_INT(a.holder, child);
	end_child(child);
	EXPECT_INT(ask(&q).holders, HOLDERS_NONE);
}

TEST(w4_a_child_that_closed_it_does_not_count)
{
	uint64_t inode;
	int fd = open_file(O_WRONLY, &inode);
	pid_t child = start_child(drop, fd);
	struct close_question q = closed_by(child, inode);

	EXPECT_INT(ask(&q).holders, HOLDERS_SOME); /* we */
	close(fd);
	EXPECT_INT(ask(&q).holders, HOLDERS_NONE);
	end_child(child);
}

/* The same helper asks again and again: what it knows must not grow old. */
TEST(w4_a_process_that_comes_later_is_seen)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct close_question q;
	struct close_answer a;
	struct last_close *lc;
	uint64_t inode;
	int fd = open_file(O_WRONLY, &inode);
	pid_t child;

	EXPECT_OK(last_close_new(&lc, &err), &err);
	q = closed_by(getpid(), inode);
	for (int i = 0; i < 20; i++) {
		child = start_child(keep, fd);
		close(fd);
		last_close_ask(lc, &q, &a);
		EXPECT_INT(a.holders, HOLDERS_SOME);
		EXPECT_INT(a.holder, child);
		end_child(child);
		last_close_ask(lc, &q, &a);
		EXPECT_INT(a.holders, HOLDERS_NONE);
		fd = open_file(O_WRONLY, &inode);
		q.inode = inode;
	}
	close(fd);
	last_close_free(lc);
}

/* fuse-facts.md, failure 6: documented, and why the session is what counts. */
TEST(w4_a_child_that_left_the_session_is_not_seen)
{
	uint64_t inode;
	int fd = open_file(O_WRONLY, &inode);
	pid_t child = start_child(leave_session, fd);
	struct close_question q = closed_by(getpid(), inode);

	close(fd);
	EXPECT_INT(ask(&q).holders, HOLDERS_NONE);
	end_child(child);
}

TEST(w4_the_witness_is_asked_first)
{
	uint64_t inode;
	int fd = open_file(O_WRONLY, &inode);
	pid_t child = start_child(leave_session, fd);
	struct close_question q = closed_by(getpid(), inode);

	close(fd);
	q.witness = child;
	EXPECT_INT(ask(&q).holder, child);
	end_child(child);
	EXPECT_INT(ask(&q).holders, HOLDERS_NONE);
}

TEST(w4_a_closer_that_is_gone_is_unknown)
{
	uint64_t inode;
	int fd = open_file(O_WRONLY, &inode);
	pid_t child = start_child(drop, fd);
	struct close_question q = closed_by(child, inode);

	end_child(child);
	close(fd);
	EXPECT_INT(ask(&q).holders, HOLDERS_UNKNOWN);
}

/* A process that waits to be collected has let go of its descriptors, as one
 * that closes them at its end has. */
static pid_t start_zombie(int signal, int status)
{
	siginfo_t si;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (signal) {
			/* It may be ignored where the tests were started. */
			(void)sigaction(
				signal,
				&(struct sigaction){.sa_handler = SIG_DFL},
				NULL);
			(void)kill(getpid(), signal);
		}
		_exit(status);
	}
	assert_int_equal(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT), 0);
	return pid;
}

TEST(w5_the_signal_that_ends_a_closer_is_told)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGKILL, SIGHUP};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		pid_t child = start_zombie(signals[i], 0);
		struct close_question q = closed_by(child, UINT64_MAX);

		EXPECT_INT(ask(&q).died_of, signals[i]);
		EXPECT_INT(waitpid(child, NULL, 0), child);
	}
}

TEST(w5_an_exit_with_any_status_is_no_death)
{
	static const int statuses[] = {0, 1, 2, 9, 127, 255};

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		pid_t child = start_zombie(0, statuses[i]);
		struct close_question q = closed_by(child, UINT64_MAX);

		EXPECT_INT(ask(&q).died_of, 0);
		EXPECT_INT(waitpid(child, NULL, 0), child);
	}
}

TEST(a_process_reads_itself)
{
	struct process_status status;
	char comm[16];

	EXPECT_INT(process_read_status(getpid(), &status), 0);
	EXPECT_INT(status.tgid, getpid());
	EXPECT_INT(status.sid, getsid(0));
	assert_true(status.fd_size > 0);
	EXPECT_INT(process_read_comm(getpid(), comm), 0);
	EXPECT_TEXT(comm, strlen(comm), "test_last_close");
}

TEST(a_process_that_is_not_there_is_esrch)
{
	struct process_status status;
	pid_t gone = start_zombie(0, 0);
	char comm[16];

	EXPECT_INT(waitpid(gone, NULL, 0), gone);
	EXPECT_INT(process_read_status(gone, &status), -ESRCH);
	EXPECT_INT(process_read_comm(gone, comm), -ESRCH);
	EXPECT_INT(process_holds(gone, 1), -ESRCH);
}

static void block_usr1(int fd)
{
	sigset_t set;

	(void)fd;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* interrupt.h: a blocked signal does not end anybody. */
TEST(a_pending_signal_that_is_blocked_does_not_ask_to_end)
{
	pid_t child = start_child(block_usr1, -1);
	struct process_status status;

	assert_int_equal(kill(child, SIGUSR1), 0);
	EXPECT_INT(process_read_status(child, &status), 0);
	assert_true(status.pending & (UINT64_C(1) << (SIGUSR1 - 1)));
	EXPECT_INT(process_is_asked_to_end(&status), 0);
	end_child(child);
}

TEST(only_some_signals_ask_to_end)
{
	static const struct {
		int signal;
		bool ends;
	} cases[] = {
		{SIGINT, true},	   {SIGTERM, true},  {SIGHUP, true},
		{SIGKILL, true},   {SIGQUIT, true},  {SIGCHLD, false},
		{SIGALRM, false},  {SIGURG, false},  {SIGPROF, false},
		{SIGWINCH, false}, {SIGUSR1, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct process_status status = {
			.pending = UINT64_C(1) << (cases[i].signal - 1)};

		EXPECT_INT(process_is_asked_to_end(&status), cases[i].ends);
		status.blocked = status.pending;
		EXPECT_INT(process_is_asked_to_end(&status), false);
	}
}

UNIT_MAIN(UNIT_CASE(w4_an_open_descriptor_is_a_holder),
	  UNIT_CASE(w4_after_the_last_close_nobody_holds),
	  UNIT_CASE(w4_readers_do_not_count),
	  UNIT_CASE(w4_a_descriptor_for_both_counts),
	  UNIT_CASE(w4_a_duplicate_counts),
	  UNIT_CASE(w4_a_child_that_inherited_it_counts),
	  UNIT_CASE(w4_a_child_that_closed_it_does_not_count),
	  UNIT_CASE(w4_a_process_that_comes_later_is_seen),
	  UNIT_CASE(w4_a_child_that_left_the_session_is_not_seen),
	  UNIT_CASE(w4_the_witness_is_asked_first),
	  UNIT_CASE(w4_a_closer_that_is_gone_is_unknown),
	  UNIT_CASE(w5_the_signal_that_ends_a_closer_is_told),
	  UNIT_CASE(w5_an_exit_with_any_status_is_no_death),
	  UNIT_CASE(a_process_reads_itself),
	  UNIT_CASE(a_process_that_is_not_there_is_esrch),
	  UNIT_CASE(a_pending_signal_that_is_blocked_does_not_ask_to_end),
	  UNIT_CASE(only_some_signals_ask_to_end))
