#include "importer/server/encoding.h"

#include <errno.h>
#include <string.h>

#include "cache/base/buf.h"
#include "cache/base/err.h"
#include "importer/value/value.h"

static const struct {
	const char *word;
	enum encoding encoding;
} words[] = {
	{"json", ENCODING_CLEAN},
	{"convex_clean_json", ENCODING_CLEAN},
	{"convex_encoded_json", ENCODING_INTERNAL},
	{"convex_json", ENCODING_INTERNAL},
	{"export_json", ENCODING_EXPORT},
};

int encoding_read(const char *word, enum encoding *ret, struct cvx_err *err)
{
	size_t i;

	*ret = ENCODING_CLEAN;
	if (!word)
		return 0;
	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(words[i].word, word) == 0) {
			*ret = words[i].encoding;
			return 0;
		}
	}
	return cvx_fail_named(err, -EINVAL, "BadFormat",
			      "\"%.100s\" is not a format of values", word);
}

int encoding_print(enum encoding encoding, const char *canonical, size_t size,
		   struct cvx_buf *out)
{
	switch (encoding) {
	case ENCODING_CLEAN:
		return value_print_clean(canonical, size, out);
	case ENCODING_INTERNAL:
		return value_print_internal(canonical, size, out);
	case ENCODING_EXPORT:
		break;
	}
	return cvx_buf_append(out, canonical, size);
}
