/*
 * remote_tables: a table of a deployment behind a URL goes (protocol.md 11.4).
 *
 * The deployment deletes tables with their documents. So it is asked first
 * whether there are any; documents that others write between the two requests
 * go with the table. When an answer is lost, it is asked again what is there.
 *
 * Threads: any.
 */
#ifndef CVX_IMPORTER_REMOTE_REMOTE_TABLES_H
#define CVX_IMPORTER_REMOTE_REMOTE_TABLES_H

struct cvx_err;
struct halt;
struct http;

/* As deployment_delete_table(): an empty one. component: its id, or NULL. An
 * error named INTAKE_UNKNOWN: the answer was lost, and so is the deployment. */
int remote_delete_table(struct http *http, const char *component,
			const char *table, const struct halt *halt,
			struct cvx_err *err);

#endif
