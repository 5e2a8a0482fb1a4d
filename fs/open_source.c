#include "fs/open_source.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "fs/source.h"
#include "importer/deployment.h"

/* Reading makes no deployment where none is. */
static int check_exists(const struct source_words *words, const char *dir,
			struct cvx_err *err)
{
	if (!words->read_only || access(dir, F_OK) == 0 || errno != ENOENT)
		return 0;
	return cvx_fail(err, -ENOENT, "there is no deployment in %s", dir);
}

enum exit_status open_source(const struct source_words *words,
			     struct deployment **ret, struct cvx_err *err)
{
	struct deployment_settings settings = {.read_only = words->read_only};
	CVX_AUTO(cvx_freep) char *dir = NULL;
	int r = source_find(words->source, words->env_file, &dir, err);

	if (r < 0)
		return r == -EINVAL || r == -ENOTSUP
			       ? EXIT_STATUS_WRONG_CALL
			       : EXIT_STATUS_LOCAL_TROUBLE;
	if (check_exists(words, dir, err) < 0)
		return EXIT_STATUS_NOT_REACHED;
	settings.dir = dir;
	r = deployment_open(&settings, ret, err);
	if (r == -EACCES || r == -EROFS)
		(void)cvx_err_prefix(err, words->read_only ? "cannot read"
							   : "cannot write");
	return r < 0 ? EXIT_STATUS_LOCAL_TROUBLE : EXIT_STATUS_DONE;
}
