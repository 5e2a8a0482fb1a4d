/*
 * log: what the operator reads. Standard error until log_to_syslog() or
 * log_to_file() is called.
 *
 * error: a user's operation failed for our reason; warning: we carried on;
 * info: start, stop, reconnect; debug: a line an operation. The message says
 * "what object: why". Keys and tokens are never logged.
 *
 * Threads: log_*() from any; the settings are made before threads start.
 */
#ifndef CVX_CACHE_BASE_LOG_H
#define CVX_CACHE_BASE_LOG_H

struct cvx_err;

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

void log_set_level(enum log_level level);
enum log_level log_get_level(void);
void log_to_syslog(const char *ident);

/* Appends to the file from now on, one line a message, with the time. */
int log_to_file(const char *path, struct cvx_err *err);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
