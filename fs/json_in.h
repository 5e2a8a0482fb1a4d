/*
 * json_in: fields of the JSON objects that the control files of a mount hold.
 *
 * Threads: any.
 */
#ifndef CVX_FS_JSON_IN_H
#define CVX_FS_JSON_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A value as it stands in the text that it was read from; empty: none. */
struct json_in {
	const char *text;
	size_t size;
};

/* The value of the field; empty if there is none, or if it is no object. */
struct json_in json_in_field(struct json_in object, const char *name);

/* Whether all of the text is one object. */
bool json_in_is_object(struct json_in text);

/* A string decoded, cut at the size; anything else as it stands. "" for an
 * empty one and for null. Control characters become spaces. */
void json_in_text(struct json_in value, char *out, size_t size);

/* 0 if it is none. */
uint64_t json_in_number(struct json_in value);

/* Takes the next line of the text; false at its end. */
bool json_in_line(struct json_in *text, struct json_in *ret);

#endif
