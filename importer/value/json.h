/*
 * json: a strict reader of JSON text, token by token (import.md 4.3).
 *
 * It is what reads a row when speed does not matter: to say what is wrong with
 * it and where, to find where its value ends, to drop overwritten fields, to
 * measure and to print. The scanner (scan.h) accepts exactly the same texts.
 *
 * Nothing is copied: a token is a range of the text.
 *
 * Threads: not locked.
 */
#ifndef CVX_IMPORTER_VALUE_JSON_H
#define CVX_IMPORTER_VALUE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Brackets that may be open at once (import.md 4.2). */
#define JSON_DEPTH_MAX 127

enum json_token {
	JSON_OBJECT, /* '{' */
	JSON_ARRAY,  /* '[' */
	JSON_CLOSE,  /* of the innermost object or array */
	JSON_KEY,    /* with its quotes; the colon is read, too */
	JSON_STRING, /* with its quotes */
	JSON_NUMBER,
	JSON_LITERAL, /* null, true, false */
	JSON_END,     /* the value is complete; what follows is not read */
	JSON_BAD,     /* json.fault and json.fault_off tell why */
};

enum json_state {
	JSON_WANTS_VALUE,
	JSON_WANTS_FIRST,     /* element or ']' */
	JSON_WANTS_FIRST_KEY, /* key or '}' */
	JSON_WANTS_NEXT,      /* ',' or the closing bracket */
};

struct json {
	const char *text;
	size_t size;
	size_t pos; /* what is read so far */

	size_t start, end; /* of the last token */
	unsigned depth;	   /* open brackets, behind the last token */
	const char *fault; /* static */
	size_t fault_off;

	enum json_state state;
	char open[JSON_DEPTH_MAX]; /* '{' or '[' */
};

void json_init(struct json *j, const char *text, size_t size);
enum json_token json_next(struct json *j);

/* Behind the first token of a value: goes to its end. False: it is bad, as
 * json_next() tells. */
bool json_skip_value(struct json *j, enum json_token first);

/* In an object or array: its next value, and what comes before that one, were
 * read by other means; they end at pos. */
void json_resume(struct json *j, size_t pos);

/* Whether only white space follows what is read; else sets the fault. */
bool json_is_at_end(struct json *j);

/*
 * Decodes a string token, text being its first quote and size its size with
 * both; out needs size bytes. Returns the size written.
 */
size_t json_decode_string(const char *text, size_t size, char *out);

#endif
