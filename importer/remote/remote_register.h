/*
 * remote_register: tables of a deployment behind a URL get the numbers of a
 * backup: _tables/documents.jsonl (import.md 6.7, 7.3).
 *
 * There is no request for that alone. An archive that lists tables and has no
 * rows for them gives them their numbers, all or none. It is imported as
 * require-empty, so that it is refused if one of them has documents by then:
 * none is lost.
 *
 * Memory:  the list, twice, and the tables of the component.
 * Threads: any. The imports are given up as their thread is (cancel.h).
 */
#ifndef CVX_IMPORTER_REMOTE_REMOTE_REGISTER_H
#define CVX_IMPORTER_REMOTE_REMOTE_REGISTER_H

#include <stddef.h>
#include <stdint.h>

struct archive_place;
struct cvx_err;
struct halt;

/* As deployment_register_tables(). An error named INTAKE_UNKNOWN: it may have
 * been done. */
int remote_register_tables(const struct archive_place *place, const char *text,
			   size_t size, const struct halt *halt,
			   struct cvx_err *err);

/*
 * Before rows that carry the number come into the table: another, empty table
 * that has it gets one that is free, as in a deployment on this machine
 * (filesystem.md M-5). Nothing is done where that does not help: then the
 * deployment says what stands in the way of the rows.
 */
int remote_make_room(const struct archive_place *place, const char *table,
		     uint32_t number, const struct halt *halt,
		     struct cvx_err *err);

/* An archive that lists no table makes the component, if it is missing
 * (protocol.md IMP-14). */
int remote_make_component(const struct archive_place *place,
			  struct cvx_err *err);

#endif
