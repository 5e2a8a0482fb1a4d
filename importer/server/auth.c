#include "importer/server/auth.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/deployment_key.h"
#include "importer/server/secret.h"

int auth_init(struct auth *a, struct deployment *d, struct cvx_err *err)
{
	int r = deployment_admin_key(d, &a->key, err);

	if (r == 0)
		a->secret = strchr(a->key, '|') + 1;
	return r;
}

void auth_fini(struct auth *a)
{
	free(a->key);
}

static unsigned fail(unsigned status, const char *name, const char *text,
		     struct cvx_err *err)
{
	(void)cvx_fail_named(err, -EACCES, name, "%s", text);
	return status;
}

/* "project:TEAM:PROJECT|S" and the like carry no deployment's name. */
static bool names_no_deployment(const char *key)
{
	return strncmp(key, "preview:", 8) == 0 ||
	       strncmp(key, "project:", 8) == 0;
}

unsigned auth_check_key(const struct auth *a, const char *key,
			struct cvx_err *err)
{
	CVX_AUTO(cvx_freep) char *rest = NULL;
	const char *bar = strchr(key, '|'), *start = key, *p;
	char *identity;

	if (bar && names_no_deployment(key)) {
		start = bar + 1;
	} else if (bar) {
		for (p = key; p < bar; p++)
			if (*p == ':')
				start = p + 1;
	}
	rest = strdup(start);
	if (!rest)
		return fail(503, "OutOfMemory", "out of memory", err);
	identity = strchr(rest, ':'); /* no key of ours has a colon */
	if (identity)
		*identity = '\0';
	if (secret_is_equal(strchr(rest, '|') ? a->key : a->secret, rest))
		return 0;
	return fail(401, "BadAdminKey",
		    "The admin key is not one of this deployment. Its own is "
		    "printed by: convexfs status --show-key",
		    err);
}

unsigned auth_check(const struct auth *a, const char *header, const char *arg,
		    struct cvx_err *err)
{
	if (!header && arg)
		return auth_check_key(a, arg, err);
	if (!header)
		return fail(403, "BadDeployKey",
			    "This needs an admin key, and none was given.",
			    err);
	if (strlen(header) < 7)
		return fail(400, "InvalidHeaderFailure",
			    "The header Authorization is too short.", err);
	if (strncasecmp(header, "convex ", 7) == 0)
		return auth_check_key(a, header + 7, err);
	if (strncasecmp(header, "bearer ", 7) == 0)
		return fail(403, "BadDeployKey",
			    "This needs an admin key; users are not known "
			    "here.",
			    err);
	return fail(400, "InvalidAdminKey",
		    "The header Authorization has no scheme that is known: "
		    "Convex KEY",
		    err);
}
