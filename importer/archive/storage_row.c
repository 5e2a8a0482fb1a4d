#include "importer/archive/storage_row.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/err.h"
#include "importer/value/base64.h"
#include "importer/value/explain.h"
#include "importer/value/json.h"
#include "importer/value/mime.h"
#include "importer/value/number.h"
#include "importer/value/refusal.h"

/* The longest text of a member that can be right: all of it escaped. */
#define STRING_MAX (6 * MIME_TYPE_MAX + 2)
#define KEY_MAX (6 * sizeof("_creationTime") + 2)

#define CREATION_TIME_END 9007199254740992.0

enum member {
	MEMBER_ID,
	MEMBER_TIME,
	MEMBER_SHA256,
	MEMBER_SIZE,
	MEMBER_TYPE,
	MEMBER_INTERNAL_ID,
	MEMBER_COUNT
};

static const char *const member_names[MEMBER_COUNT] = {
	[MEMBER_ID] = "_id",	       [MEMBER_TIME] = "_creationTime",
	[MEMBER_SHA256] = "sha256",    [MEMBER_SIZE] = "size",
	[MEMBER_TYPE] = "contentType", [MEMBER_INTERNAL_ID] = "internalId",
};

/* The token of a value; of an array or object, its bracket. */
struct value {
	bool is_there; /* and not null */
	enum json_token kind;
	const char *text;
	size_t size;
};

int storage_row_check_time(const struct storage_row *row, struct cvx_err *err)
{
	if (!row->has_time ||
	    (row->creation_time > 0 && row->creation_time < CREATION_TIME_END))
		return 0;
	return refuse(err, "InvalidDocumentError",
		      "\"_creationTime\": it must be above 0 and below 2^53");
}

void storage_row_fini(struct storage_row *row)
{
	free(row->content_type);
	row->content_type = NULL;
}

static int check_syntax(const char *line, size_t size, struct cvx_err *err)
{
	enum json_token token;
	struct json j;
	int r;

	json_init(&j, line, size);
	do
		token = json_next(&j);
	while (token != JSON_END && token != JSON_BAD);
	if (token == JSON_END && json_is_at_end(&j))
		return 0;
	r = explain_syntax(err, line, size, false, j.fault_off, j.fault);
	/* import.md 6.5: an entry that is no text is a damaged archive. */
	if (err && err->name && strcmp(err->name, "NotUtf8") == 0)
		err->name = "InvalidZip";
	return r;
}

/* Which member the key token names, or MEMBER_COUNT. */
static enum member find_member(const char *token, size_t size)
{
	char key[KEY_MAX];
	int member;

	if (size > sizeof(key))
		return MEMBER_COUNT;
	size = json_decode_string(token, size, key);
	for (member = 0; member < MEMBER_COUNT; member++)
		if (strlen(member_names[member]) == size &&
		    memcmp(member_names[member], key, size) == 0)
			break;
	return (enum member)member;
}

/* The known members of a line whose syntax is checked; the last of a name
 * counts. False: it is no object. */
static bool read_members(const char *line, size_t size,
			 struct value values[MEMBER_COUNT])
{
	struct value value = {.is_there = true};
	enum member member;
	struct json j;

	json_init(&j, line, size);
	if (json_next(&j) != JSON_OBJECT)
		return false;
	while (json_next(&j) == JSON_KEY) {
		member = find_member(line + j.start, j.end - j.start);
		value.kind = json_next(&j);
		value.text = line + j.start;
		value.size = j.end - j.start;
		while (j.depth > 1)
			(void)json_next(&j);
		value.is_there =
			value.kind != JSON_LITERAL || value.text[0] != 'n';
		if (member != MEMBER_COUNT)
			values[member] = value;
	}
	return true;
}

static int fail(enum member member, const char *what, struct cvx_err *err)
{
	return refuse(err, "InvalidConvexValue", "\"%s\": %s",
		      member_names[member], what);
}

/* The string's bytes; what is too long cannot be right. */
static int read_string(const struct value *value, char text[STRING_MAX],
		       size_t *ret_size)
{
	if (value->kind != JSON_STRING || value->size > STRING_MAX)
		return -EINVAL;
	*ret_size = json_decode_string(value->text, value->size, text);
	return 0;
}

static int read_id(const struct value *value, struct storage_row *row,
		   struct cvx_err *err)
{
	char text[STRING_MAX];
	size_t size;

	if (!value->is_there)
		return fail(MEMBER_ID, "a stored file needs one", err);
	if (read_string(value, text, &size) < 0 ||
	    id_decode(text, size, &row->number, &row->key) < 0)
		return fail(MEMBER_ID, "it is not the id of a document", err);
	return 0;
}

static int read_time(const struct value *value, struct storage_row *row,
		     struct cvx_err *err)
{
	if (!value->is_there)
		return 0;
	if (value->kind == JSON_NUMBER)
		row->creation_time = number_read(value->text, value->size);
	if (value->kind != JSON_NUMBER || !isfinite(row->creation_time) ||
	    row->creation_time < 0)
		return fail(MEMBER_TIME, "it is not a number of milliseconds",
			    err);
	row->has_time = true;
	return 0;
}

static int read_sha256(const struct value *value, struct storage_row *row,
		       struct cvx_err *err)
{
	char text[STRING_MAX];
	size_t size, byte_count;

	if (!value->is_there)
		return 0;
	if (read_string(value, text, &size) < 0 ||
	    !base64_check(text, size, &byte_count) || byte_count != SHA256_SIZE)
		return fail(MEMBER_SHA256, "it is not the base64 of 32 bytes",
			    err);
	base64_decode(text, size, row->sha256);
	row->has_sha256 = true;
	return 0;
}

/* An integer of 64 bits; what it says is not looked at. */
static int check_size(const struct value *value, struct cvx_err *err)
{
	static const char max[] = "9223372036854775808"; /* behind the sign */
	const char *digits = value->text;
	size_t size = value->size;
	bool is_negative;

	if (!value->is_there)
		return 0;
	is_negative = value->kind == JSON_NUMBER && digits[0] == '-';
	if (is_negative) {
		digits++;
		size--;
	}
	if (value->kind == JSON_NUMBER && size < sizeof(max) &&
	    strspn(digits, "0123456789") >= size &&
	    !(is_negative && digits[0] == '0') &&
	    (size < sizeof(max) - 1 ||
	     memcmp(digits, max, size) < (is_negative ? 1 : 0)))
		return 0;
	return fail(MEMBER_SIZE, "it is not an integer", err);
}

static int read_type(const struct value *value, struct storage_row *row,
		     struct cvx_err *err)
{
	char text[STRING_MAX];
	size_t size;

	if (!value->is_there)
		return 0;
	if (read_string(value, text, &size) < 0 ||
	    mime_normalise(text, &size) < 0)
		return fail(MEMBER_TYPE, "it is not a media type", err);
	row->content_type = strndup(text, size);
	return row->content_type ? 0 : cvx_fail_memory(err);
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F');
}

/* Cuts "{…}" or "urn:uuid:…" off; size is what is left. */
static const char *strip_uuid(const char *text, size_t *size)
{
	static const char urn[] = "urn:uuid:";
	size_t urn_size = sizeof(urn) - 1;

	if (*size == STORAGE_ROW_UUID_SIZE + 2 && text[0] == '{' &&
	    text[*size - 1] == '}') {
		*size -= 2;
		return text + 1;
	}
	if (*size == STORAGE_ROW_UUID_SIZE + urn_size &&
	    memcmp(text, urn, urn_size) == 0) {
		*size -= urn_size;
		return text + urn_size;
	}
	return text;
}

/* Lower case and hyphenated, whichever of the four forms it has. */
static bool read_uuid(const char *text, size_t size,
		      char uuid[STORAGE_ROW_UUID_SIZE + 1])
{
	size_t i, n = 0;
	bool hyphens;

	text = strip_uuid(text, &size);
	hyphens = size == STORAGE_ROW_UUID_SIZE;
	if (!hyphens && size != STORAGE_ROW_UUID_SIZE - 4)
		return false;
	for (i = 0; i < size; i++) {
		if (n == 8 || n == 13 || n == 18 || n == 23) {
			uuid[n++] = '-';
			if (hyphens && text[i++] != '-')
				return false;
		}
		if (!is_hex(text[i]))
			return false;
		uuid[n++] = (char)(text[i] >= 'A' && text[i] <= 'F'
					   ? text[i] - 'A' + 'a'
					   : text[i]);
	}
	uuid[n] = '\0';
	return true;
}

static int read_internal_id(const struct value *value, struct storage_row *row,
			    struct cvx_err *err)
{
	char text[STRING_MAX];
	size_t size;

	if (!value->is_there)
		return 0;
	if (read_string(value, text, &size) < 0 ||
	    !read_uuid(text, size, row->internal_id))
		return fail(MEMBER_INTERNAL_ID, "it is not a UUID", err);
	row->has_internal_id = true;
	return 0;
}

int storage_row_read(const char *line, size_t size, struct storage_row *ret,
		     struct cvx_err *err)
{
	struct value values[MEMBER_COUNT] = {{.is_there = false}};
	struct storage_row row = {.number = 0};
	int r = check_syntax(line, size, err);

	if (r < 0)
		return r;
	if (!read_members(line, size, values))
		return refuse(err, "InvalidConvexValue",
			      "a stored file's row is a JSON object");
	r = read_id(&values[MEMBER_ID], &row, err);
	if (r == 0)
		r = read_time(&values[MEMBER_TIME], &row, err);
	if (r == 0)
		r = read_sha256(&values[MEMBER_SHA256], &row, err);
	if (r == 0)
		r = check_size(&values[MEMBER_SIZE], err);
	if (r == 0)
		r = read_internal_id(&values[MEMBER_INTERNAL_ID], &row, err);
	if (r == 0)
		r = read_type(&values[MEMBER_TYPE], &row, err);
	if (r == 0)
		*ret = row;
	return r;
}
