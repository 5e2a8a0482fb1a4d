/*
 * fail_nth: makes the n-th call of a kind fail, or kills the process in it.
 *
 *   LD_PRELOAD=libfail_nth.so CVX_FAIL=write:17:ENOSPC program …
 *
 * Kinds: write (write, pwrite), sync (fsync, fdatasync), rename, open (for
 * writing), truncate (ftruncate), memory (malloc, calloc, realloc), link
 * (linkat, mkdirat). In place of an errno, KILL ends the process by SIGKILL
 * where the call would begin.
 *
 * Memory that libfuse itself asks for does not fail: it then refuses a request
 * of the kernel before the program hears of it, which cannot tell a copy whose
 * only write was lost that way from a file that was meant to be empty.
 *
 * With CVX_FAIL_GATE=FILE every n-th call fails, as long as the file is there.
 *
 * When the call is reached, the file named by CVX_FAIL_HIT is made, so that
 * who counts n up knows when to stop. Calls count from the start of main(), in
 * all threads together, and only in the process itself.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum kind { WRITE, SYNC, RENAME, OPEN, TRUNCATE, MEMORY, LINK, NONE };

static enum kind chosen = NONE;
static int chosen_errno; /* 0: kill */
static _Atomic long left;
static const char *gate; /* NULL: there is none */
static long period;
static _Atomic long calls;

static const char *const kinds[] = {
	[WRITE] = "write", [SYNC] = "sync",	    [RENAME] = "rename",
	[OPEN] = "open",   [TRUNCATE] = "truncate", [MEMORY] = "memory",
	[LINK] = "link",
};

static const struct {
	const char *name;
	int value;
} errnos[] = {
	{"KILL", 0},	    {"ENOSPC", ENOSPC}, {"EIO", EIO},
	{"ENOMEM", ENOMEM}, {"EACCES", EACCES}, {"EDQUOT", EDQUOT},
	{"EPERM", EPERM},
};

static void give_up(const char *text)
{
	static const char head[] = "fail_nth: cannot read CVX_FAIL=";

	if (write(STDERR_FILENO, head, sizeof(head) - 1) < 0 ||
	    write(STDERR_FILENO, text, strlen(text)) < 0)
		_exit(98);
	_exit(99);
}

__attribute__((constructor)) static void read_settings(void)
{
	const char *text = getenv("CVX_FAIL"), *number, *name;
	enum kind kind;
	char *end;
	size_t i;

	if (!text)
		return;
	number = strchr(text, ':');
	name = number ? strchr(number + 1, ':') : NULL;
	if (!name)
		give_up(text);
	for (kind = WRITE; kind < NONE; kind++)
		if (strlen(kinds[kind]) == (size_t)(number - text) &&
		    strncmp(kinds[kind], text, (size_t)(number - text)) == 0)
			break;
	for (i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++)
		if (strcmp(errnos[i].name, name + 1) == 0)
			break;
	left = strtol(number + 1, &end, 10);
	if (kind == NONE || i == sizeof(errnos) / sizeof(errnos[0]) ||
	    end != name || left < 1)
		give_up(text);
	chosen_errno = errnos[i].value;
	gate = getenv("CVX_FAIL_GATE");
	period = left;
	chosen = kind;
}

/* Whether this call is the one; sets errno. Calls nothing that is replaced
 * here, but the system. */
static bool fails(enum kind kind)
{
	const char *hit;
	long fd;

	if (kind != chosen)
		return false;
	if (gate ? atomic_fetch_add(&calls, 1) % period != 0 ||
			    syscall(SYS_faccessat, AT_FDCWD, gate, F_OK) != 0
		 : atomic_fetch_sub(&left, 1) != 1)
		return false;
	hit = getenv("CVX_FAIL_HIT");
	if (hit) {
		fd = syscall(SYS_openat, AT_FDCWD, hit, O_WRONLY | O_CREAT,
			     0600);
		if (fd >= 0)
			(void)syscall(SYS_close, (int)fd);
	}
	if (chosen_errno == 0)
		(void)kill(getpid(), SIGKILL);
	errno = chosen_errno;
	return true;
}

/* The function that is hidden by ours. A union, since ISO C knows no cast
 * from a pointer to a function. */
#define NEXT(type, name)                                                       \
	({                                                                     \
		static union {                                                 \
			void *object;                                          \
			type function;                                         \
		} next_;                                                       \
		if (!next_.object)                                             \
			next_.object = dlsym(RTLD_NEXT, name);                 \
		next_.function;                                                \
	})

typedef ssize_t (*write_fn)(int, const void *, size_t);
typedef ssize_t (*pwrite_fn)(int, const void *, size_t, off_t);
typedef int (*sync_fn)(int);
typedef int (*rename_fn)(const char *, const char *);
typedef int (*renameat_fn)(int, const char *, int, const char *);
typedef int (*open_fn)(const char *, int, ...);
typedef int (*openat_fn)(int, const char *, int, ...);
typedef int (*truncate_fn)(int, off_t);
typedef int (*linkat_fn)(int, const char *, int, const char *, int);
typedef int (*mkdirat_fn)(int, const char *, mode_t);

ssize_t write(int fd, const void *bytes, size_t size)
{
	/* What a program says is not what it stores. */
	if (fd > STDERR_FILENO && fails(WRITE))
		return -1;
	return NEXT(write_fn, "write")(fd, bytes, size);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t off)
{
	return fails(WRITE) ? -1
			    : NEXT(pwrite_fn, "pwrite")(fd, bytes, size, off);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t off)
{
	return pwrite(fd, bytes, size, off);
}

int fsync(int fd)
{
	return fails(SYNC) ? -1 : NEXT(sync_fn, "fsync")(fd);
}

int fdatasync(int fd)
{
	return fails(SYNC) ? -1 : NEXT(sync_fn, "fdatasync")(fd);
}

int rename(const char *from, const char *to)
{
	return fails(RENAME) ? -1 : NEXT(rename_fn, "rename")(from, to);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	return fails(RENAME) ? -1
			     : NEXT(renameat_fn, "renameat")(from_fd, from,
							     to_fd, to);
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	return fails(LINK) ? -1
			   : NEXT(linkat_fn, "linkat")(from_fd, from, to_fd, to,
						       flags);
}

int mkdirat(int dir_fd, const char *path, mode_t mode)
{
	return fails(LINK) ? -1
			   : NEXT(mkdirat_fn, "mkdirat")(dir_fd, path, mode);
}

static bool is_for_writing(int flags)
{
	return (flags & (O_CREAT | O_WRONLY | O_RDWR)) != 0;
}

/* Only then is there a mode to read. */
static mode_t mode_of(int flags, va_list ap)
{
	return (flags & (O_CREAT | __O_TMPFILE)) != 0
		       ? (mode_t)va_arg(ap, unsigned)
		       : 0;
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	if (is_for_writing(flags) && fails(OPEN))
		return -1;
	return NEXT(open_fn, "open")(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open(path, flags, mode);
}

int openat(int dir_fd, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	if (is_for_writing(flags) && fails(OPEN))
		return -1;
	return NEXT(openat_fn, "openat")(dir_fd, path, flags, mode);
}

int openat64(int dir_fd, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return openat(dir_fd, path, flags, mode);
}

int ftruncate(int fd, off_t size)
{
	return fails(TRUNCATE) ? -1 : NEXT(truncate_fn, "ftruncate")(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
	return ftruncate(fd, size);
}

/* glibc's own names, since dlsym() itself asks for memory. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static bool memory_fails(const void *caller)
{
	Dl_info info;

	return fails(MEMORY) && !(dladdr(caller, &info) && info.dli_fname &&
				  strstr(info.dli_fname, "libfuse3"));
}

void *malloc(size_t size)
{
	return memory_fails(__builtin_return_address(0)) ? NULL
							 : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return memory_fails(__builtin_return_address(0))
		       ? NULL
		       : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return memory_fails(__builtin_return_address(0))
		       ? NULL
		       : __libc_realloc(old, size);
}
