/*
 * auth: who may ask (HTTP-1, HTTP-2, HTTP-7; SEL-8).
 *
 * There is one key, the deployment's, and it may do everything.
 *
 * Threads: fixed after auth_init().
 */
#ifndef CVX_IMPORTER_SERVER_AUTH_H
#define CVX_IMPORTER_SERVER_AUTH_H

struct cvx_err;
struct deployment;

struct auth {
	char *key;	    /* NAME|SECRET */
	const char *secret; /* in it */
};

int auth_init(struct auth *a, struct deployment *d, struct cvx_err *err);
void auth_fini(struct auth *a);

/*
 * 0 if the key is the deployment's, else 401 and the error's name and text. A
 * type prefix is cut off, and so is the identity of a user to act as.
 */
unsigned auth_check_key(const struct auth *a, const char *key,
			struct cvx_err *err);

/*
 * 0, or the status of the answer and the error's name and text. header is the
 * value of Authorization, arg that of the query's adminKey; NULL: none. With
 * neither the answer is 403.
 */
unsigned auth_check(const struct auth *a, const char *header, const char *arg,
		    struct cvx_err *err);

#endif
