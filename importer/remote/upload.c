#include "importer/remote/upload.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache/base/cancel.h"
#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "importer/remote/halt.h"
#include "importer/remote/http.h"
#include "importer/remote/pace.h"
#include "importer/remote/upload_record.h"
#include "importer/remote/upload_resume.h"
#include "importer/remote/upload_send.h"

#define BOM_SIZE 3
/* Parts of files whose size is not known yet double after so many; sooner if
 * they are small, so that there are enough for any file. */
#define PARTS_OF_ONE_SIZE 2000
#define SMALL_PARTS_OF_ONE_SIZE 400
/* How often one who waits asks whether his thread is to give up. */
#define ASK_MS 50

/* What the token of the first part has told. */
enum order {
	ORDER_UNKNOWN,
	ORDER_STRICT, /* one part at a time */
	ORDER_FREE,
};

struct upload {
	struct upload_settings settings;

	char *start_path;
	char *subject; /* NULL: nothing is put on record */

	pthread_mutex_t lock; /* guards all that follows */
	pthread_cond_t changed;
	pthread_t threads[PACE_MAX];
	size_t thread_count;
	struct halt *halt; /* of this round; another one after a restart */
	uint64_t available;
	uint64_t size; /* UINT64_MAX: not known yet */
	uint64_t next_off;
	uint64_t fixed_part_size; /* 0: parts grow */
	uint64_t sent_size;
	char *token;   /* NULL: not begun */
	char **tokens; /* of parts; NULL: not there yet */
	size_t part_count;
	size_t room; /* of tokens */
	enum order order;
	struct upload_record *record; /* or NULL */
	bool has_looked;	      /* for a record, which is done once */
	bool is_resumed;	      /* goes on with the record */
	struct pace pace;
	unsigned at_work; /* threads that are not waiting */
	unsigned round_count;
	bool is_starting;
	bool is_prepared;
	bool begins_again; /* once at_work is 0 */
	bool is_canceled;
	bool is_ending;
	struct cvx_err failure; /* code 0: none */
};

static void lock(struct upload *u)
{
	(void)pthread_mutex_lock(&u->lock);
}

static void unlock(struct upload *u)
{
	(void)pthread_mutex_unlock(&u->lock);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void announce(struct upload *u)
{
	(void)pthread_cond_broadcast(&u->changed);
}

static void wait_for_change(struct upload *u)
{
	(void)pthread_cond_wait(&u->changed, &u->lock);
}

static void fail(struct upload *u, const struct cvx_err *err)
{
	if (u->failure.code == 0)
		u->failure = *err;
	halt_request(u->halt);
	announce(u);
}

static void cancel(struct upload *u)
{
	struct cvx_err err = CVX_ERR_INIT;

	u->is_canceled = true;
	(void)cvx_fail(&err, -ECANCELED, "interrupted");
	fail(u, &err);
}

/* Unless the thread is asked to give up. */
static void wait_as_asked(struct upload *u)
{
	struct timespec next;

	if (!cancel_is_watched()) {
		wait_for_change(u);
		return;
	}
	(void)clock_gettime(CLOCK_REALTIME, &next);
	next.tv_nsec += ASK_MS * 1000000;
	next.tv_sec += next.tv_nsec / 1000000000;
	next.tv_nsec %= 1000000000;
	(void)pthread_cond_timedwait(&u->changed, &u->lock, &next);
	if (cancel_is_asked())
		cancel(u);
}

/* Everything that an earlier round has done. */
static void forget(struct upload *u)
{
	size_t i;

	for (i = 0; i < u->part_count; i++)
		free(u->tokens[i]);
	free(u->token);
	u->token = NULL;
	u->part_count = 0;
	u->next_off = 0;
	u->sent_size = 0;
	u->fixed_part_size = 0;
	u->order = ORDER_UNKNOWN;
	upload_record_remove(CVX_TAKE(u->record));
	u->is_resumed = false;
}

/* --- what a thread does next, under the lock ---------------------------- */

static uint64_t base_of(struct upload *u)
{
	char bom[BOM_SIZE];

	if (!u->settings.drops_bom || u->available < BOM_SIZE ||
	    file_part_read(&u->settings.source, 0, bom, BOM_SIZE) < 0 ||
	    memcmp(bom, "\xef\xbb\xbf", BOM_SIZE) != 0)
		return 0;
	return BOM_SIZE;
}

/* IMP-4. The size of the next part, unless the file ends before. */
static uint64_t part_size(const struct upload *u)
{
	if (u->fixed_part_size)
		return u->fixed_part_size;
	return u->settings.part_size
	       << u->part_count / (u->settings.part_size < UPLOAD_PART_SIZE
					   ? SMALL_PARTS_OF_ONE_SIZE
					   : PARTS_OF_ONE_SIZE);
}

/* The first part is cut: what is known of the size decides. */
static void begin_parts(struct upload *u)
{
	uint64_t least;

	u->next_off = base_of(u);
	if (u->size == UINT64_MAX)
		return;
	least = (u->size - u->next_off + UPLOAD_PARTS_MAX - 1) /
		UPLOAD_PARTS_MAX;
	u->fixed_part_size =
		least > u->settings.part_size ? least : u->settings.part_size;
}

static bool has_part(const struct upload *u)
{
	uint64_t margin = u->part_count == 0 ? BOM_SIZE : 0;

	if (u->size != UINT64_MAX)
		return u->next_off < u->size;
	return u->available >= u->next_off + part_size(u) + margin;
}

static bool may_send(const struct upload *u)
{
	unsigned sending = u->at_work;

	if (!u->token || u->part_count >= UPLOAD_PARTS_MAX)
		return false;
	if (u->order != ORDER_FREE)
		return sending == 0;
	return sending < u->pace.at_once;
}

static bool is_idle(const struct upload *u)
{
	return u->at_work == 0 && !u->is_starting;
}

static bool is_done(const struct upload *u)
{
	return u->size != UINT64_MAX && u->token && is_idle(u) &&
	       u->next_off >= u->size && !u->begins_again;
}

/* Room for the token of the part, which is NULL until it is there. */
static int add_part(struct upload *u, struct file_part *part)
{
	uint64_t size = part_size(u);
	char **more;

	if (u->part_count == u->room) {
		more = reallocarray(u->tokens, u->room * 2 + 16, sizeof(*more));
		if (!more)
			return -ENOMEM;
		u->tokens = more;
		u->room = u->room * 2 + 16;
	}
	if (u->size != UINT64_MAX && size > u->size - u->next_off)
		size = u->size - u->next_off;
	*part = (struct file_part){u->next_off, size, u->part_count + 1};
	u->tokens[u->part_count++] = NULL;
	u->next_off += size;
	return 0;
}

static bool is_last(const struct upload *u, const struct file_part *part)
{
	return u->size != UINT64_MAX && part->off + part->size >= u->size;
}

/* --- the work of a thread, which enters and leaves with the lock --------- */

static struct upload_send send_of(const struct upload *u)
{
	return (struct upload_send){u->settings.http, &u->settings.source,
				    u->halt, u->token};
}

static struct upload_resume resume_of(const struct upload *u)
{
	return (struct upload_resume){u->settings.record_dir_fd, u->subject};
}

/* Whether to look for a record, and by which part. */
static bool may_be_left(struct upload *u, struct file_part *first)
{
	if (u->has_looked || !u->subject)
		return false;
	u->has_looked = true;
	begin_parts(u);
	*first = (struct file_part){u->next_off, part_size(u), 1};
	return !is_last(u, first);
}

/* What arrived before is good for nothing. */
static void begin_anew(struct upload *u)
{
	u->begins_again = true;
	halt_request(u->halt); /* the others of this round */
}

static void begin_again(struct upload *u, const struct cvx_err *err)
{
	if (u->round_count >= 6) {
		fail(u, err);
		return;
	}
	u->round_count++;
	pace_note_trouble(&u->pace);
	begin_anew(u);
}

static void *work(void *ctx);

/* More threads, now that several parts may go at once. */
static void add_threads(struct upload *u, size_t count)
{
	while (u->thread_count < count && !u->is_ending) {
		if (pthread_create(&u->threads[u->thread_count], NULL, work,
				   u) != 0)
			break; /* those that are there do it */
		u->thread_count++;
	}
}

/* Only where parts come in any order is there a record. */
static void go_on_with(struct upload *u, struct upload_record *record)
{
	u->record = record;
	u->is_resumed = true;
	u->order = ORDER_FREE;
	add_threads(u, u->pace.at_once);
}

/* Begins an upload: step 0 of the import, then the token. */
static void do_start(struct upload *u)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct http_answer none = {.outcome = HTTP_LOCAL};
	struct halt *halt = u->halt;
	unsigned number = u->round_count;
	bool prepare = !u->is_prepared && u->settings.prepare;
	struct upload_record *record = NULL;
	struct file_part first = {.number = 1};
	bool looks = may_be_left(u, &first);
	const struct upload_send send = send_of(u);
	const struct upload_resume at = resume_of(u);
	char *token = NULL;
	int r = 0;

	u->is_starting = true;
	unlock(u);
	if (number > 0)
		(void)http_wait_to_repeat(u->settings.http, number, &none,
					  halt); /* the start sees a halt */
	if (prepare)
		r = u->settings.prepare(u->settings.ctx, halt, &err);
	if (r == 0 && looks)
		record = upload_resume_find(&at, &send, &first, &token);
	if (r == 0 && !record)
		r = upload_send_start(u->settings.http, u->start_path, halt,
				      &token, &err);
	lock(u);
	u->is_starting = false;
	u->is_prepared |= r == 0;
	if (r < 0 && !u->begins_again)
		fail(u, &err);
	if (r == 0) {
		u->token = token;
		begin_parts(u);
	}
	if (record)
		go_on_with(u, record);
	announce(u);
}

static void take_result(struct upload *u, const struct file_part *part,
			char *token, bool was_sent)
{
	u->tokens[part->number - 1] = token;
	u->sent_size += part->size;
	if (u->order == ORDER_FREE && was_sent) {
		pace_note_part(&u->pace, part->size, has_part(u), now_ms());
		add_threads(u, u->pace.at_once);
	}
	if (u->order != ORDER_UNKNOWN)
		return;
	u->order = token[0] ? ORDER_FREE : ORDER_STRICT;
	if (u->order == ORDER_FREE)
		add_threads(u, u->pace.at_once);
}

/* Sends a part, unless it is there; at_work, without the lock. *ret_record: as
 * the upload's is from now on. */
static int get_there(const struct upload *u, const struct upload_send *send,
		     const struct file_part *part, bool keeps,
		     struct upload_record **ret_record, struct sent_part *ret,
		     enum arrived *ret_arrived, struct cvx_err *err)
{
	const struct upload_resume at = resume_of(u);
	int r;

	*ret = (struct sent_part){.token = NULL};
	*ret_arrived = ARRIVED_NOT;
	if (u->is_resumed)
		*ret_arrived = upload_resume_part(*ret_record, send, part,
						  &ret->token);
	if (*ret_arrived != ARRIVED_NOT)
		return 0;
	r = upload_send_part(send, part, keeps, ret, err);
	if (r == 0 && keeps && ret->is_hashed && ret->token[0])
		upload_resume_note(&at, send, part, ret, ret_record);
	return r;
}

static void do_part(struct upload *u)
{
	struct cvx_err err = CVX_ERR_INIT;
	const struct upload_send send = send_of(u);
	struct upload_record *record = u->record;
	struct file_part part;
	struct sent_part sent;
	enum arrived arrived;
	bool keeps;
	int r;

	if (add_part(u, &part) < 0) {
		(void)cvx_fail_memory(&err);
		fail(u, &err);
		return;
	}
	keeps = record ||
		(u->subject && part.number == 1 && !is_last(u, &part));
	u->at_work++;
	unlock(u);
	r = get_there(u, &send, &part, keeps, &record, &sent, &arrived, &err);
	lock(u);
	u->at_work--;
	if (record)
		u->record = record;
	if (u->is_resumed && u->failure.code == 0 &&
	    (arrived == ARRIVED_OTHER || sent.is_refused ||
	     (r == 0 && !sent.token[0])))
		begin_anew(u);
	if (r == 0 && arrived != ARRIVED_OTHER)
		take_result(u, &part, sent.token, arrived == ARRIVED_NOT);
	else if (u->begins_again || u->failure.code != 0)
		; /* that was why */
	else if (sent.begins_again)
		begin_again(u, &err);
	else
		fail(u, &err);
	announce(u);
}

/* The round is over: everything from the start, with another halt. */
static void do_begin_again(struct upload *u)
{
	struct cvx_err err = CVX_ERR_INIT;
	struct halt *halt = NULL;

	u->begins_again = false;
	forget(u);
	if (halt_new(&halt, &err) < 0) {
		fail(u, &err);
		return;
	}
	halt_free(u->halt);
	u->halt = halt;
	if (u->is_canceled)
		halt_request(halt);
	announce(u);
}

static bool can_start(const struct upload *u)
{
	return !u->token && is_idle(u) &&
	       (u->size != UINT64_MAX || has_part(u));
}

static void *work(void *ctx)
{
	struct upload *u = ctx;

	lock(u);
	while (!u->is_ending) {
		if (u->begins_again && is_idle(u))
			do_begin_again(u);
		else if (u->failure.code != 0 || u->begins_again)
			wait_for_change(u);
		else if (can_start(u))
			do_start(u);
		else if (may_send(u) && has_part(u))
			do_part(u);
		else
			wait_for_change(u);
	}
	unlock(u);
	return NULL;
}

/* --- what the owner calls ------------------------------------------------ */

int upload_new(const struct upload_settings *settings, struct upload **ret,
	       struct cvx_err *err)
{
	struct upload *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return cvx_fail_memory(err);
	u->settings = *settings;
	if (u->settings.part_size == 0)
		u->settings.part_size = UPLOAD_PART_SIZE;
	u->size = UINT64_MAX;
	pace_init(&u->pace);
	if (asprintf(&u->start_path, "/api/import/start_upload%s",
		     settings->hint ? settings->hint : "") < 0) {
		free(u);
		return cvx_fail_memory(err);
	}
	u->settings.hint = NULL;
	u->subject = settings->subject ? strdup(settings->subject) : NULL;
	u->settings.subject = NULL;
	r = settings->subject && !u->subject ? cvx_fail_memory(err)
					     : halt_new(&u->halt, err);
	if (r < 0) {
		free(u->subject);
		free(u->start_path);
		free(u);
		return r;
	}
	(void)pthread_mutex_init(&u->lock, NULL);
	(void)pthread_cond_init(&u->changed, NULL);
	*ret = u;
	return 0;
}

void upload_free(struct upload *u)
{
	size_t i, count;

	if (!u)
		return;
	lock(u);
	u->is_ending = true;
	count = u->thread_count;
	halt_request(u->halt);
	announce(u);
	unlock(u);
	for (i = 0; i < count; i++)
		(void)pthread_join(u->threads[i], NULL);
	forget(u);
	free(u->tokens);
	halt_free(u->halt);
	free(u->subject);
	free(u->start_path);
	(void)pthread_cond_destroy(&u->changed);
	(void)pthread_mutex_destroy(&u->lock);
	free(u);
}

void upload_available(struct upload *u, uint64_t size)
{
	lock(u);
	if (size > u->available)
		u->available = size;
	if (u->thread_count == 0 && has_part(u))
		add_threads(u, 1);
	announce(u);
	unlock(u);
}

uint64_t upload_consumed(struct upload *u)
{
	uint64_t off;

	lock(u);
	off = u->token ? u->next_off : 0;
	unlock(u);
	return off;
}

void upload_restart(struct upload *u)
{
	lock(u);
	u->size = UINT64_MAX; /* or a thread would begin before we return */
	u->available = 0;
	u->begins_again = true;
	halt_request(u->halt);
	announce(u);
	while (!is_idle(u))
		wait_for_change(u);
	if (u->begins_again)
		do_begin_again(u);
	if (!u->is_canceled)
		u->failure.code = 0;
	u->round_count = 0;
	unlock(u);
}

int upload_finish(struct upload *u, uint64_t size, struct cvx_err *err)
{
	struct upload_record *record;
	int r = 0;

	lock(u);
	u->size = size;
	u->available = size;
	add_threads(u, 1);
	announce(u);
	if (u->thread_count == 0) {
		(void)cvx_fail(&u->failure, -EAGAIN, "no thread");
		u->size = UINT64_MAX;
	}
	while (!is_done(u) && u->failure.code == 0 &&
	       !(u->part_count >= UPLOAD_PARTS_MAX && has_part(u) &&
		 is_idle(u)))
		wait_as_asked(u);
	while (!is_idle(u)) /* nobody reads the source any more */
		wait_for_change(u);
	if (u->failure.code != 0) {
		r = u->failure.code;
		if (err)
			*err = u->failure;
	} else if (!is_done(u)) {
		r = cvx_fail(err, -EFBIG, "more than %d parts",
			     UPLOAD_PARTS_MAX);
	}
	record = CVX_TAKE(u->record);
	unlock(u);
	/* From now on something may be made of the parts. */
	upload_record_remove(record);
	return r;
}

const char *upload_token(const struct upload *u)
{
	return u->token;
}

size_t upload_part_count(const struct upload *u)
{
	return u->part_count;
}

const char *upload_part_token(const struct upload *u, size_t i)
{
	return u->tokens[i];
}

bool upload_was_resumed(const struct upload *u)
{
	return u->is_resumed;
}

uint64_t upload_sent_size(struct upload *u)
{
	uint64_t size;

	lock(u);
	size = u->sent_size;
	unlock(u);
	return size;
}

void upload_cancel(struct upload *u)
{
	lock(u);
	cancel(u);
	unlock(u);
}
