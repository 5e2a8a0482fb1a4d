/*
 * secret: texts that nobody else may see, such as admin keys. They are wiped
 * before their memory is given back, and stand in no message and no log.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_REMOTE_SECRET_H
#define CVX_IMPORTER_REMOTE_SECRET_H

#include <stddef.h>

struct cJSON;
struct cvx_buf;

/* A copy, ended by NUL; NULL without memory. secret_free() it. */
char *secret_copy(const char *text, size_t size);
char *secret_copy_text(const char *text);

/* before, text and behind one after the other; NULL without memory. */
char *secret_join(const char *before, const char *text, const char *behind);

/* Wipes up to the NUL. NULL is allowed. */
void secret_free(char *text);

static inline void secret_freep(char **p)
{
	secret_free(*p);
}

/* cvx_buf_fini() that wipes. What the buffer left behind when it moved is not
 * reached: reserve its room before the secret goes in. */
void secret_buf_fini(struct cvx_buf *b);

/* cJSON_Delete() that wipes every string. NULL is allowed. */
void secret_delete_json(struct cJSON *json);

#endif
