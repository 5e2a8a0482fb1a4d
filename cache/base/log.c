#include "cache/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "cache/base/err.h"

#define LINE_SIZE 1024

static _Atomic enum log_level level_now = LOG_LEVEL_INFO;
static enum { TO_STDERR, TO_SYSLOG, TO_FILE } sink = TO_STDERR;
static int file_fd = -1;

static const struct {
	const char *word;
	int priority;
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", LOG_ERR},
	[LOG_LEVEL_WARNING] = {"warning", LOG_WARNING},
	[LOG_LEVEL_INFO] = {"info", LOG_INFO},
	[LOG_LEVEL_DEBUG] = {"debug", LOG_DEBUG},
};

void log_set_level(enum log_level level)
{
	level_now = level;
}

enum log_level log_get_level(void)
{
	return level_now;
}

void log_to_syslog(const char *ident)
{
	openlog(ident, LOG_PID, LOG_DAEMON);
	sink = TO_SYSLOG;
}

int log_to_file(const char *path, struct cvx_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0)
		return cvx_fail(err, -errno, "cannot open the log file %s: %s",
				path, strerror(errno));
	if (file_fd >= 0)
		(void)close(file_fd);
	file_fd = fd;
	sink = TO_FILE;
	return 0;
}

__attribute__((format(printf, 2, 0))) static void
log_line(enum log_level level, const char *fmt, va_list ap)
{
	char text[LINE_SIZE], line[LINE_SIZE + 64], stamp[32];
	struct timespec now;
	struct tm tm;
	int n = 0;

	if (level > level_now)
		return;
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	switch (sink) {
	case TO_SYSLOG:
		syslog(levels[level].priority, "%s", text);
		return;
	case TO_STDERR:
		n = snprintf(line, sizeof(line), "convexfs: %s: %s\n",
			     levels[level].word, text);
		break;
	case TO_FILE:
		(void)clock_gettime(CLOCK_REALTIME, &now);
		(void)gmtime_r(&now.tv_sec, &tm);
		(void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
		n = snprintf(line, sizeof(line), "%s.%03ldZ %s: %s\n", stamp,
			     now.tv_nsec / 1000000, levels[level].word, text);
		break;
	}
	/* One write a line, so that lines of several threads do not mix. A
	 * log that cannot be written has nowhere to complain. */
	if (write(sink == TO_FILE ? file_fd : STDERR_FILENO, line, (size_t)n) <
	    0)
		return;
}

#define DEFINE_LOG(name, level)                                                \
	void name(const char *fmt, ...)                                        \
	{                                                                      \
		va_list ap;                                                    \
                                                                               \
		va_start(ap, fmt);                                             \
		log_line(level, fmt, ap);                                      \
		va_end(ap);                                                    \
	}

DEFINE_LOG(log_error, LOG_LEVEL_ERROR)
DEFINE_LOG(log_warning, LOG_LEVEL_WARNING)
DEFINE_LOG(log_info, LOG_LEVEL_INFO)
DEFINE_LOG(log_debug, LOG_LEVEL_DEBUG)
