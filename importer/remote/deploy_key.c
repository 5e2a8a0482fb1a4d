#include "importer/remote/deploy_key.h"

#include <assert.h>
#include <string.h>

static size_t prefix_size(const char *key)
{
	return strcspn(key, "|");
}

static bool begins_with(const char *key, const char *word)
{
	return strncmp(key, word, strlen(word)) == 0;
}

static size_t count_colons(const char *key)
{
	size_t i, n = 0, size = prefix_size(key);

	for (i = 0; i < size; i++)
		n += key[i] == ':';
	return n;
}

enum deploy_key_kind deploy_key_kind(const char *key)
{
	if (!strchr(key, '|'))
		return DEPLOY_KEY_INVALID;
	if (begins_with(key, "preview:") && count_colons(key) == 2)
		return DEPLOY_KEY_PREVIEW;
	if (begins_with(key, "project:"))
		return DEPLOY_KEY_PROJECT;
	return DEPLOY_KEY_DEPLOYMENT;
}

bool deploy_key_is_bearer(const char *key)
{
	return deploy_key_kind(key) != DEPLOY_KEY_INVALID &&
	       (begins_with(key, "dev:") || begins_with(key, "prod:"));
}

void deploy_key_name(const char *key, const char **ret, size_t *ret_size)
{
	size_t size = prefix_size(key), start = size;

	while (start > 0 && key[start - 1] != ':')
		start--;
	*ret = key + start;
	*ret_size = size - start;
}

void deploy_key_project(const char *key, const char **ret_team,
			size_t *ret_team_size, const char **ret_project,
			size_t *ret_project_size)
{
	assert(deploy_key_kind(key) == DEPLOY_KEY_PREVIEW);
	*ret_team = strchr(key, ':') + 1;
	*ret_team_size = strcspn(*ret_team, ":");
	*ret_project = *ret_team + *ret_team_size + 1;
	*ret_project_size = strcspn(*ret_project, "|");
}
