#include "importer/embedded/plan.h"

#include <errno.h>
#include <string.h>

#include "cache/base/err.h"
#include "importer/embedded/embedded.h"
#include "importer/import.h"
#include "importer/value/refusal.h"

/* id.h: a counter starts below this. */
#define COUNTER_START_MAX (UINT64_C(1) << 63)

static int fail_conflict(const struct plan_facts *facts, const char *owner,
			 const char *table, struct cvx_err *err)
{
	if (strcmp(owner, "_file_storage") == 0)
		return refuse(err, "TableConflict",
			      "row 1: its _id has the table number %u, which "
			      "belongs to the system table _storage",
			      facts->number);
	if (owner[0] == '_')
		return refuse(err, "TableConflict",
			      "row 1: its _id has the table number %u, which "
			      "belongs to the system table %s",
			      facts->number, owner);
	return refuse(err, "TableConflict",
		      "row 1: its _id has the table number %u, which belongs "
		      "to table %s; import it there, or remove _id from the "
		      "rows to give them new ids in %s",
		      facts->number, owner, table);
}

/* import.md 7.3 for a single table. */
static int assign_number(struct catalog *c, const struct import_target *target,
			 const struct plan_facts *facts, struct plan *plan,
			 uint32_t *ret, struct cvx_err *err)
{
	char owner[NAME_MAX_SIZE + 1];
	int r;

	if (!facts->has_number && plan->table_found) {
		*ret = plan->table.info.number;
		return 0;
	}
	if (!facts->has_number)
		return table_fresh_number(c, &plan->component, ret, err);
	r = table_find_number(c, &plan->component, facts->number, owner, err);
	if (r == 1 && strcmp(owner, target->table) != 0)
		return fail_conflict(facts, owner, target->table, err);
	*ret = facts->number;
	return r < 0 ? r : 0;
}

/* import.md 7.4 for a single table. */
static int check_mode(const struct import_target *target,
		      const struct plan *plan, uint32_t number,
		      struct cvx_err *err)
{
	const struct table_info *info = &plan->table.info;
	bool creates = !plan->table_found;

	switch (target->mode) {
	case IMPORT_REQUIRE_EMPTY:
		if (plan->table_found && info->document_count > 0)
			return refuse(err, "TableExists",
				      "table %s has documents already; append "
				      "to it or replace it",
				      target->table);
		creates = true;
		break;
	case IMPORT_REPLACE:
		creates = true;
		break;
	case IMPORT_APPEND:
		if (plan->table_found && number != info->number)
			return refuse(err, "TableNumberConflict",
				      "row 1: its _id has the table number %u, "
				      "but table %s has the number %u",
				      number, target->table, info->number);
		break;
	}
	if (creates && plan->component.table_count >= TABLE_COUNT_MAX)
		return table_fail_too_many(err);
	return 0;
}

static int check_base(const struct import_target *target,
		      const struct plan *plan, struct cvx_err *err)
{
	if (target->base_revision == 0 ||
	    (plan->table_found &&
	     plan->table.info.revision == target->base_revision))
		return 0;
	return cvx_fail(err, -ESTALE,
			"table %s was changed by someone else since it was "
			"opened; open it again and repeat the edit",
			target->table);
}

static enum document_encoding
choose_encoding(const struct import_target *target,
		const struct plan_facts *facts, const struct plan *plan)
{
	if (target->canonical && target->format == FORMAT_JSONL &&
	    facts->is_export_line &&
	    (!plan->table_found || plan->table.info.document_count == 0 ||
	     plan->table.beyond_plain))
		return DOCUMENT_UNIFORM;
	return DOCUMENT_PLAIN;
}

/* The n-th double above; the bits of positive doubles count up as they do. */
static double double_above(double value, uint64_t n)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	bits += n;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* Above everything that was given before, even if the clock went back. */
static void choose_stamp(const struct last_stamp *last,
			 struct document_stamp *stamp)
{
	int64_t now_ns = embedded_now_ns();
	uint64_t now_ms = (uint64_t)(now_ns / 1000000);
	double time;

	id_stamp_init(&stamp->id, now_ms);
	if (last->ms > now_ms ||
	    (last->ms == now_ms && last->counter >= stamp->id.counter)) {
		stamp->id.ms = last->ms;
		if (last->counter + 1 < COUNTER_START_MAX)
			stamp->id.counter = last->counter + 1;
		else
			stamp->id.ms++;
	}
	time = (double)now_ms + (double)(now_ns % 1000000) * 1e-6;
	if (time <= last->time)
		time = double_above(last->time, 1);
	stamp->creation_time = time;
}

int plan_make(struct catalog *c, const struct import_target *target,
	      const struct plan_facts *facts, struct plan *ret,
	      struct cvx_err *err)
{
	struct plan plan;
	uint32_t number = 0;
	int r;

	memset(&plan, 0, sizeof(plan));
	r = table_check_name(target->table, err);
	if (r == 0)
		r = component_find(c, target->component, &plan.component, err);
	if (r == 0)
		r = table_find(c, target->component, target->table, &plan.table,
			       err);
	if (r < 0)
		return r;
	plan.table_found = r == 1;
	r = check_base(target, &plan, err);
	if (r == 0)
		r = assign_number(c, target, facts, &plan, &number, err);
	if (r == 0)
		r = check_mode(target, &plan, number, err);
	if (r == 0)
		r = counters_get(c, &plan.counters, err);
	if (r < 0)
		return r;
	plan.encoding = choose_encoding(target, facts, &plan);
	plan.stamp.table_number = number;
	choose_stamp(&plan.counters.last, &plan.stamp);
	*ret = plan;
	return 0;
}

/* Whether rows with the stamp come behind everything up to last. */
static bool is_behind(const struct document_stamp *stamp,
		      const struct last_stamp *last)
{
	return stamp->creation_time > last->time &&
	       (stamp->id.ms > last->ms || (stamp->id.ms == last->ms &&
					    stamp->id.counter > last->counter));
}

bool plan_is_stale(const struct plan *old, const struct plan *now,
		   const struct import_target *target)
{
	if (old->encoding != now->encoding ||
	    old->stamp.table_number != now->stamp.table_number)
		return true;
	return target->mode == IMPORT_APPEND && now->table_found &&
	       !is_behind(&old->stamp, &now->table.last);
}

struct last_stamp plan_last_stamp(const struct document_stamp *stamp,
				  uint64_t count)
{
	struct last_stamp last = {stamp->id.ms, stamp->id.counter,
				  stamp->creation_time};

	if (count > 0) {
		last.counter += count - 1;
		last.time = double_above(last.time, count - 1);
	}
	return last;
}
