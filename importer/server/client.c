#include "importer/server/client.h"

#include <errno.h>
#include <string.h>

#include "cache/base/err.h"

/* The last versions that are too old. */
static const struct {
	const char *name;
	unsigned version[3];
} too_old[] = {
	{"npm", {0, 19, 1}},   {"npm-cli", {0, 19, 1}}, {"actions", {0, 19, 1}},
	{"python", {0, 0, 2}}, {"rust", {0, 0, 1}},
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_tag(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
}

/* Reads "1.48.0"; what follows is a tag, or nothing. */
static bool read_version(const char *p, const char *end, unsigned version[3])
{
	unsigned i;

	for (i = 0; i < 3; i++) {
		const char *first = p;

		version[i] = 0;
		for (; p < end && is_digit(*p) && p - first < 9; p++)
			version[i] = version[i] * 10 + (unsigned)(*p - '0');
		if (p == first || (*first == '0' && p - first > 1))
			return false;
		if (i < 2 && (p == end || *p++ != '.'))
			return false;
	}
	if (p == end)
		return true;
	if (*p != '-' && *p != '+')
		return false;
	if (++p == end)
		return false;
	for (; p < end; p++)
		if (!is_tag(*p) && *p != '+')
			return false;
	return true;
}

bool client_is_version(const char *text, size_t size)
{
	unsigned version[3];

	return read_version(text, text + size, version);
}

static unsigned fail(const char *name, const char *text, const char *header,
		     struct cvx_err *err)
{
	(void)cvx_fail_named(err, -EINVAL, name, "%s: \"%.100s\"", text,
			     header);
	return 400;
}

static bool is_too_old(const char *name, size_t size, const unsigned v[3])
{
	size_t i, j;

	for (i = 0; i < sizeof(too_old) / sizeof(*too_old); i++) {
		if (strlen(too_old[i].name) != size ||
		    strncmp(too_old[i].name, name, size) != 0)
			continue;
		for (j = 0; j < 3; j++)
			if (v[j] != too_old[i].version[j])
				return v[j] < too_old[i].version[j];
		return true;
	}
	return false;
}

unsigned client_check(const char *header, struct cvx_err *err)
{
	const char *end, *dash;
	unsigned version[3];

	if (!header || !*header)
		return 0;
	end = header + strlen(header);
	dash = strchr(header, '-');
	if (!dash)
		return fail("InvalidClientVersion",
			    "Convex-Client is not NAME-VERSION", header, err);
	/* The longest right-hand side that is a version. */
	for (; dash; dash = strchr(dash + 1, '-')) {
		if (!read_version(dash + 1, end, version))
			continue;
		if (!is_too_old(header, (size_t)(dash - header), version))
			return 0;
		return fail("ClientVersionUnsupported",
			    "This client is too old", header, err);
	}
	return fail("InvalidClientVersion", "Convex-Client has no version",
		    header, err);
}
