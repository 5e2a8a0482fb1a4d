/*
 * mime: media types, their normal form (import.md 6.7) and the extensions of
 * file names that belong to them (import.md 13.4).
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_VALUE_MIME_H
#define CVX_IMPORTER_VALUE_MIME_H

#include <stddef.h>

/* A longer content type is refused; real ones have some 30 bytes. */
#define MIME_TYPE_MAX 1024

/*
 * Brings a content type into its normal form, in place: type, subtype, names
 * of parameters and the value of charset in lower case, an empty list of
 * parameters dropped. -EINVAL if it is none.
 */
int mime_normalise(char *text, size_t *size);

/*
 * The first extension, without its dot, that mime-db lists for the type, which
 * is matched as it stands up to its first ';'. NULL: there is none. Static.
 */
const char *mime_extension(const char *content_type);

/* The media type of an extension, in letters of any case; NULL: unknown.
 * Static. */
const char *mime_type_of_extension(const char *extension);

#endif
