#include "fs/open_source.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "fs/source.h"
#include "importer/deployment.h"

static int check_exists(const char *dir, struct cvx_err *err)
{
	if (access(dir, F_OK) == 0 || errno != ENOENT)
		return 0;
	return cvx_fail(err, -ENOENT,
			"there is no deployment in %s; a mount or an import "
			"makes one",
			dir);
}

static int open_dir(const char *dir, bool only_reads, struct deployment **ret,
		    struct cvx_err *err)
{
	struct deployment_settings settings = {.dir = dir};
	int r = deployment_open(&settings, ret, err);

	if (r != -EACCES && r != -EROFS)
		return r;
	if (!only_reads)
		return cvx_err_prefix(err, "cannot write");
	settings.read_only = true;
	*err = (struct cvx_err)CVX_ERR_INIT;
	r = deployment_open(&settings, ret, err);
	return r == -EACCES ? cvx_err_prefix(err, "cannot read") : r;
}

enum exit_status open_source(const struct source_words *words,
			     struct deployment **ret, struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *dir = NULL;
	int r = source_find(words->source, words->env_file, &dir, err);

	if (r < 0)
		return r == -EINVAL || r == -ENOTSUP
			       ? EXIT_STATUS_WRONG_CALL
			       : EXIT_STATUS_LOCAL_TROUBLE;
	if (words->only_reads && check_exists(dir, err) < 0)
		return EXIT_STATUS_NOT_REACHED;
	r = open_dir(dir, words->only_reads, ret, err);
	return r < 0 ? EXIT_STATUS_LOCAL_TROUBLE : EXIT_STATUS_DONE;
}

enum exit_status source_exit_status(int code)
{
	switch (code) {
	case 0:
		return EXIT_STATUS_DONE;
	case -EINVAL:
	case -ENOTSUP:
	case -ENOENT:
		return EXIT_STATUS_WRONG_CALL;
	case -EACCES:
	case -EPERM:
	case -EBUSY:
		return EXIT_STATUS_DEPLOYMENT_REFUSED;
	case -ENOMEM:
	case -ENOSPC:
	case -EROFS:
		return EXIT_STATUS_LOCAL_TROUBLE;
	default:
		return EXIT_STATUS_NOT_REACHED;
	}
}

enum exit_status source_work_status(int code)
{
	enum exit_status status = source_exit_status(code);

	return status == EXIT_STATUS_WRONG_CALL ? EXIT_STATUS_DEPLOYMENT_REFUSED
						: status;
}

static enum exit_status open_remote(const struct remote_access *access,
				    struct http **ret, struct cvx_err *err)
{
	int r = remote_open(access, NULL, ret, err);

	if (r < 0)
		return EXIT_STATUS_LOCAL_TROUBLE;
	r = remote_check_key(*ret, NULL, err);
	return r == 0 ? EXIT_STATUS_DONE : source_exit_status(r);
}

enum exit_status open_any_source(const struct source_flags *flags,
				 bool only_reads, struct deployment **ret,
				 struct http **ret_http,
				 uint64_t *ret_part_size, struct cvx_err *err)
{
	enum exit_status status = EXIT_STATUS_DONE;
	struct source source;
	int r = source_select(flags, &source, err);

	if (r < 0)
		return source_exit_status(r);
	if (ret_part_size)
		*ret_part_size = source.access.part_size;
	if (!source.dir)
		status = open_remote(&source.access, ret_http, err);
	else if (only_reads && check_exists(source.dir, err) < 0)
		status = EXIT_STATUS_NOT_REACHED;
	else
		r = open_dir(source.dir, only_reads, ret, err);
	source_fini(&source);
	return r < 0 ? EXIT_STATUS_LOCAL_TROUBLE : status;
}
