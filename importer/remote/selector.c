#include "importer/remote/selector.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/err.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"

/* ^[a-z]+-[a-z]+-[0-9]+$ */
static bool is_deployment_name(const char *text)
{
	size_t i, n;

	for (i = 0; i < 2; i++) {
		n = strspn(text, LOWER);
		if (n == 0 || text[n] != '-')
			return false;
		text += n + 1;
	}
	n = strspn(text, "0123456789");
	return n > 0 && text[n] == '\0';
}

static enum selector_kind kind_of(const char *text)
{
	if (strcmp(text, "dev") == 0)
		return SELECTOR_DEV;
	if (strcmp(text, "prod") == 0)
		return SELECTOR_PROD;
	if (strcmp(text, "local") == 0)
		return SELECTOR_LOCAL;
	return SELECTOR_REFERENCE;
}

/* One piece up to a colon or the end; moves behind the colon. */
static int take_piece(const char **p, char **ret, struct cvx_err *err)
{
	size_t size = strcspn(*p, ":");

	if (size == 0)
		return cvx_fail(err, -EINVAL,
				"nothing stands before or behind a colon");
	*ret = strndup(*p, size);
	if (!*ret)
		return cvx_fail_memory(err);
	*p += size + ((*p)[size] == ':');
	return 0;
}

int selector_read(struct selector *ret, const char *text, struct cvx_err *err)
{
	struct selector s = {SELECTOR_NAME, NULL, NULL, NULL};
	size_t i, colon_count = 0;
	const char *p = text;
	int r = 0;

	for (i = 0; text[i]; i++) {
		if (iscntrl((unsigned char)text[i]))
			return cvx_fail(err, -EINVAL,
					"--deployment: a control character");
		colon_count += text[i] == ':';
	}
	if (i == 0)
		return cvx_fail(err, -EINVAL, "--deployment: empty");
	if (colon_count > 2)
		return cvx_fail(err, -EINVAL,
				"--deployment %s: more than two colons; it is "
				"TEAM:PROJECT:DEPLOYMENT at most",
				text);
	if (colon_count == 2)
		r = take_piece(&p, &s.team, err);
	if (r == 0 && colon_count >= 1)
		r = take_piece(&p, &s.project, err);
	if (r == 0)
		r = take_piece(&p, &s.text, err);
	if (r < 0) {
		selector_fini(&s);
		return cvx_err_prefix(err, "--deployment %s", text);
	}
	if (colon_count > 0 || !is_deployment_name(s.text))
		s.kind = kind_of(s.text);
	if (s.kind != SELECTOR_NAME && s.kind != SELECTOR_REFERENCE) {
		free(s.text);
		s.text = NULL;
	}
	*ret = s;
	return 0;
}

void selector_fini(struct selector *s)
{
	free(s->team);
	free(s->project);
	free(s->text);
	*s = (struct selector){SELECTOR_NAME, NULL, NULL, NULL};
}
