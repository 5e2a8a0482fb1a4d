#include "fs/stored.h"

#include <errno.h>

#include "importer/origin.h"
#include "importer/stored_file.h"

int stored_find(struct deployment *d, const char *component, const char *id,
		const struct patience *patience, struct stored_file *ret,
		struct cvx_err *err)
{
	int r = deployment_find_stored_file(d, component, id, ret, err);

	if (r != -ENOENT || !origin_is_set(d))
		return r;
	r = origin_list_files(d, component, ORIGIN_NOW, patience, err);
	return r < 0 ? r
		     : deployment_find_stored_file(d, component, id, ret, err);
}
