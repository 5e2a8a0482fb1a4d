/*
 * deployment_key: the admin key of an embedded deployment, made with it.
 *
 * It opens everything, in the form NAME|SECRET that Convex's own client takes.
 * It is printed by `convexfs status --show-key` and by nothing else.
 *
 * Threads: locked inside.
 */
#ifndef CVX_IMPORTER_DEPLOYMENT_KEY_H
#define CVX_IMPORTER_DEPLOYMENT_KEY_H

struct cvx_err;
struct deployment;

/* "NAME|SECRET"; *ret is the caller's to free(). */
int deployment_admin_key(struct deployment *d, char **ret, struct cvx_err *err);

#endif
