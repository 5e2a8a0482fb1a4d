/*
 * walk: finds its way in canonical text (import.md 4.5) without reading all of
 * it: kinds, ends, fields.
 *
 * The text is one value as document.h and value.h write it: no white space,
 * keys in order, wrappers only "$bytes" and "$float". That it is so is trusted,
 * not checked. Damaged text is never read past its end and never walked
 * forever, and where the damage shows, NULL comes back; but it may also pass
 * for another value.
 *
 * Every function takes the place of a value (or what is said) and the end of
 * the text, and returns a place in it.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_VALUE_WALK_H
#define CVX_IMPORTER_VALUE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The types of import.md 4.1, in their sort order. */
enum walk_kind {
	WALK_NULL,
	WALK_INT64,
	WALK_FLOAT64,
	WALK_BOOLEAN,
	WALK_STRING,
	WALK_BYTES,
	WALK_ARRAY,
	WALK_OBJECT,
	WALK_DAMAGED, /* no value begins here */
};

enum walk_kind walk_kind(const char *p, const char *end);

/* Behind the value. */
const char *walk_value(const char *p, const char *end);

/* Behind the string, of which p is the first quote. */
const char *walk_string(const char *p, const char *end);

/* Behind the number, of which p is the first character. Not for "$float". */
const char *walk_number(const char *p, const char *end, bool *ret_int64);

/*
 * A wrapper, {"$bytes":"…"} or {"$float":"…"}: *ret_text and *ret_size are the
 * base64 in it.
 */
const char *walk_wrapper(const char *p, const char *end, const char **ret_text,
			 size_t *ret_size);

/*
 * The fields of an object one by one. Start with place at its '{':
 *
 *   const char *place = object;
 *   while (walk_field(&place, end, &field))
 *           use field; place = walk_value(field.value, end);
 *
 * which ends with place at the '}', or NULL if the text is damaged; a place
 * that is NULL stays so. Elements of an array likewise; each begins at place.
 */
struct walk_field {
	const char *key; /* between its quotes, escaped as it stands there */
	size_t key_size;
	const char *value;
};

bool walk_field(const char **place, const char *end, struct walk_field *ret);
bool walk_element(const char **place, const char *end);

/*
 * The value of the field of the object at p, or NULL. The key is compared with
 * the text, so it must be one that needs no escapes.
 */
const char *walk_find(const char *p, const char *end, const char *key,
		      size_t key_size);

/* Decodes the string [p, end), quotes included; out needs end - p bytes.
 * Returns the size written. */
size_t walk_decode(const char *p, const char *end, char *out);

/* The int64 whose text is [p, end). */
int64_t walk_int64(const char *p, const char *end);

/* The float64 whose text is [p, end), bit for bit. False: damaged. */
bool walk_float64(const char *p, const char *end, uint64_t *ret_bits);

#endif
