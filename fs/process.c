#include "fs/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cache/base/cleanup.h"

/* One read(2) of this size holds everything that is looked for. */
#define STATUS_SIZE 8192

/* The number of the field exit_code in /proc/PID/stat. */
#define STAT_EXIT_CODE 52

static int read_some(int dir_fd, const char *path, char *buf, size_t size)
{
	CVX_AUTO(cvx_closep) int fd = -1;
	ssize_t n;

	fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return 0;
}

static int read_task_file(pid_t tid, const char *name, char *buf, size_t size)
{
	char path[48];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, name);
	return read_some(AT_FDCWD, path, buf, size);
}

/* The first number behind "\nKEY:", in the base; false if there is none. */
static bool find_number(const char *text, const char *key, int base,
			uint64_t *ret)
{
	const char *at = strstr(text, key);
	char *end;
	unsigned long long n;

	if (!at)
		return false;
	at += strlen(key);
	errno = 0;
	n = strtoull(at, &end, base);
	if (end == at || errno)
		return false;
	*ret = n;
	return true;
}

int process_read_status(pid_t tid, struct process_status *ret)
{
	char buf[STATUS_SIZE];
	uint64_t tgid, sid, fd_size, own, shared, blocked;
	int r = read_task_file(tid, "status", buf, sizeof(buf));

	if (r < 0)
		return r;
	if (!find_number(buf, "\nTgid:", 10, &tgid) ||
	    !find_number(buf, "\nFDSize:", 10, &fd_size) ||
	    !find_number(buf, "\nNSsid:", 10, &sid) ||
	    !find_number(buf, "\nSigPnd:", 16, &own) ||
	    !find_number(buf, "\nShdPnd:", 16, &shared) ||
	    !find_number(buf, "\nSigBlk:", 16, &blocked))
		return -ENODATA;
	*ret = (struct process_status){
		.tgid = (pid_t)tgid,
		.sid = (pid_t)sid,
		.fd_size = fd_size,
		.pending = own | shared,
		.blocked = blocked,
	};
	return 0;
}

int process_read_death(pid_t tid, int *ret_signal)
{
	char buf[1024];
	const char *at;
	char *end;
	unsigned long code;
	int r = read_task_file(tid, "stat", buf, sizeof(buf));

	if (r < 0)
		return r;
	/* The second field is the name in parentheses and may hold any byte;
	 * nothing behind it holds a parenthesis. */
	at = strrchr(buf, ')');
	for (int field = 2; at && field < STAT_EXIT_CODE; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return -ENODATA;
	code = strtoul(at + 1, &end, 10);
	if (end == at + 1)
		return -ENODATA;
	*ret_signal = (int)(code & 0x7f);
	return 0;
}

int process_read_comm(pid_t tid, char ret[16])
{
	char buf[64];
	int r = read_task_file(tid, "comm", buf, sizeof(buf));

	if (r < 0)
		return r;
	buf[strcspn(buf, "\n")] = '\0';
	(void)snprintf(ret, 16, "%.15s", buf);
	return 0;
}

static bool clears(uint64_t flags)
{
	return (flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY;
}

/* "NUMBER 0xARG 0xARG …", or "running". Numbers are those of our own machine;
 * under those of a 32-bit program that mean one of these no size is seen. */
bool process_is_clearing(pid_t tid)
{
	char buf[256];
	uint64_t args[3];
	char *at, *end;
	long number;
	size_t i;

	if (tid == 0 || read_task_file(tid, "syscall", buf, sizeof(buf)) < 0)
		return false;
	number = strtol(buf, &at, 10);
	if (at == buf)
		return false;
	for (i = 0; i < 3; i++, at = end) {
		args[i] = strtoull(at, &end, 16);
		if (end == at)
			return false;
	}
#ifdef SYS_open
	if (number == SYS_open)
		return clears(args[1]);
#endif
#ifdef SYS_creat
	if (number == SYS_creat)
		return true;
#endif
	return (number == SYS_openat && clears(args[2])) ||
	       (number == SYS_truncate && args[1] == 0);
}

/* 1 if the descriptor that the text describes can write to the inode. */
static int entry_holds(int dir_fd, const char *name, uint64_t inode)
{
	char buf[512];
	uint64_t ino, flags;
	int r = read_some(dir_fd, name, buf, sizeof(buf));

	if (r == -ESRCH)
		return 0; /* closed meanwhile */
	if (r < 0)
		return r;
	if (!find_number(buf, "\nflags:", 8, &flags) ||
	    !find_number(buf, "\nino:", 10, &ino))
		return -ENODATA;
	return ino == inode && (flags & O_ACCMODE) != O_RDONLY;
}

int process_holds(pid_t tid, uint64_t inode)
{
	_Alignas(struct dirent64) char entries[8192];
	CVX_AUTO(cvx_closep) int dir_fd = -1;
	char path[48];
	ssize_t n;
	int r = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/fdinfo", (int)tid);
	dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	while (r == 0 && (n = getdents64(dir_fd, entries, sizeof(entries))) > 0)
		for (ssize_t at = 0; r == 0 && at < n;) {
			const struct dirent64 *e =
				(const struct dirent64 *)(entries + at);

			at += e->d_reclen;
			if (e->d_name[0] != '.')
				r = entry_holds(dir_fd, e->d_name, inode);
		}
	if (r == 0 && n < 0)
		r = errno == ENOENT ? -ESRCH : -errno;
	return r;
}

bool process_is_asked_to_end(const struct process_status *status)
{
	static const int ends[] = {SIGKILL, SIGTERM, SIGINT, SIGHUP,
				   SIGQUIT, SIGXCPU, SIGABRT};
	uint64_t open = status->pending & ~status->blocked;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (open & (UINT64_C(1) << (ends[i] - 1)))
			return true;
	return false;
}
