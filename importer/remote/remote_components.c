#include "importer/remote/remote_components.h"

#include <errno.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/remote/listing.h"

int remote_find_component(struct http *http, const char *path,
			  const struct halt *halt, char **ret,
			  struct cvx_err *err)
{
	struct remote_component *list;
	size_t count, i;
	int r;

	*ret = NULL;
	if (!path[0])
		return 0;
	r = remote_list_components(http, halt, &list, &count, err);
	if (r < 0)
		return r;
	for (i = 0; i < count && !*ret; i++)
		if (strcmp(list[i].path, path) == 0)
			*ret = CVX_TAKE(list[i].id);
	remote_components_free(list, count);
	return *ret ? 0
		    : cvx_fail(err, -ENOENT, "there is no component %s", path);
}
