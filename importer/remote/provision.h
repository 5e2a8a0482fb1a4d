/*
 * provision: turns what was selected into the URL of a deployment and a key
 * for it, by asking the provisioning host or reading a local deployment's
 * record (protocol.md 2.7, 2.8).
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_REMOTE_PROVISION_H
#define CVX_IMPORTER_REMOTE_PROVISION_H

#include <stdbool.h>
#include <stdint.h>

struct cvx_err;
struct selection;
struct settings;
struct halt;

/* How a deployment is reached. */
struct remote_access {
	char *origin;
	char *key;    /* the admin key, a secret */
	char *name;   /* "happy-otter-123"; the host if the key has none */
	char *type;   /* "prod", "dev", "preview", …; NULL: unknown */
	char *notice; /* to be shown to the user once; NULL: nothing */
	uint64_t part_size; /* of uploads (IMP-4); 0: as usual */
};

struct provision_settings {
	const struct halt *halt; /* or NULL */
	uint64_t idle_ms;	 /* 0: HTTP_IDLE_MS */
	uint64_t backoff_ms;	 /* 0: as http.h says */
	bool is_brief;		 /* of remote_open(): as http.h says */
};

/*
 * -EACCES: not logged in, no access, or a wrong key; -EINVAL with nothing
 * selected; otherwise as http.h says.
 */
int provision(const struct selection *selection,
	      const struct settings *settings,
	      const struct provision_settings *how, struct remote_access *ret,
	      struct cvx_err *err);
void remote_access_fini(struct remote_access *a);

/* Requests to the deployment; http_free() it. how: NULL for what http.h says.
 */
struct http;
int remote_open(const struct remote_access *a,
		const struct provision_settings *how, struct http **ret,
		struct cvx_err *err);

/* MSC-1: a wrong address or key is told at once. Deployments that do not know
 * the question pass. */
int remote_check_key(struct http *http, const struct halt *halt,
		     struct cvx_err *err);

#endif
