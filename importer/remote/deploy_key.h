/*
 * deploy_key: what the part of a key before its first '|' says (protocol.md
 * 2.4). The part behind it is secret and opaque.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_REMOTE_DEPLOY_KEY_H
#define CVX_IMPORTER_REMOTE_DEPLOY_KEY_H

#include <stdbool.h>
#include <stddef.h>

enum deploy_key_kind {
	DEPLOY_KEY_DEPLOYMENT, /* of one deployment, whatever its type */
	DEPLOY_KEY_PREVIEW,    /* "preview:TEAM:PROJECT|": of a project */
	DEPLOY_KEY_PROJECT,    /* "project:…|" */
	DEPLOY_KEY_INVALID,    /* without '|' */
};

enum deploy_key_kind deploy_key_kind(const char *key);

/* Whether the provisioning host takes it as a bearer (PRV-0). */
bool deploy_key_is_bearer(const char *key);

/* SEL-6. Points into the key. */
void deploy_key_name(const char *key, const char **ret, size_t *ret_size);

/* Team and project of a preview deploy key. They point into the key. */
void deploy_key_project(const char *key, const char **ret_team,
			size_t *ret_team_size, const char **ret_project,
			size_t *ret_project_size);

#endif
