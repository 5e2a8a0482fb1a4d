#include "importer/server/cursor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cache/base/err.h"
#include "importer/server/by_time.h"
#include "importer/server/pages.h"
#include "importer/server/scope.h"
#include "importer/value/id.h"

/* What a cursor is good for: the table's place and the order. */
static uint64_t scope(const struct page_request *request)
{
	uint64_t h = scope_add_text(SCOPE_INIT, request->component);

	h = scope_add_text(h, request->table);
	return scope_add_text(h, request->descending ? "desc" : "asc");
}

void cursor_print(const struct page_request *request,
		  const struct time_key *key, char text[CURSOR_SIZE])
{
	uint64_t bits;

	memcpy(&bits, &key->time, sizeof(bits));
	(void)snprintf(text, CURSOR_SIZE, "%016" PRIx64 "%016" PRIx64 "%s",
		       scope(request), bits, key->id);
}

int cursor_read(const struct page_request *request, struct time_key *key,
		struct cvx_err *err)
{
	const char *id;
	uint64_t of = 0, bits = 0;
	struct internal_id internal;
	uint32_t table;
	int used = 0;

	if (strlen(request->cursor) < CURSOR_SIZE)
		(void)sscanf(request->cursor, "%16" SCNx64 "%16" SCNx64 "%n",
			     &of, &bits, &used);
	id = request->cursor + used;
	/* A page without documents ends where nothing is: with no id. */
	if (used != 32 || of != scope(request) ||
	    (*id && id_decode(id, strlen(id), &table, &internal) < 0))
		return cvx_fail(err, -EINVAL,
				"InvalidCursor: the cursor is not one of this "
				"table and order");
	memcpy(&key->time, &bits, sizeof(bits));
	(void)snprintf(key->id, sizeof(key->id), "%s", id);
	return 0;
}
