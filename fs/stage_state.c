/*
 * The part of a stage that is about people and state: who has it open, who
 * wrote and died, what is to become of it. Its bytes are stage.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "cache/spool.h"
#include "fs/process.h"
#include "fs/stage-private.h"
#include "importer/intake.h"

void stage_set_reopened(struct stage *s)
{
	s->reopened = true;
}

int stage_set_content_type(struct stage *s, const char *content_type,
			   struct cvx_err *err)
{
	char *copy = content_type ? strdup(content_type) : NULL, *old;

	if (content_type && !copy)
		return cvx_fail_memory(err);
	pthread_mutex_lock(&s->lock);
	old = s->content_type;
	s->content_type = copy;
	s->has_content_type = true;
	pthread_mutex_unlock(&s->lock);
	free(old);
	return 0;
}

void stage_stored_id(struct stage *s, char ret[ID_TEXT_MAX + 1])
{
	pthread_mutex_lock(&s->lock);
	memcpy(ret, s->stored_id, sizeof(s->stored_id));
	pthread_mutex_unlock(&s->lock);
}

void stage_discard(struct stage *s)
{
	pthread_mutex_lock(&s->lock);
	s->discarded = true;
	pthread_mutex_unlock(&s->lock);
}

void stage_opened(struct stage *s, pid_t tid)
{
	struct process_status status = {0};
	bool known = tid != 0 && process_read_status(tid, &status) == 0;

	pthread_mutex_lock(&s->lock);
	s->open_count++;
	if (known) {
		s->opener.process = status.tgid;
		s->opener.sid = status.sid;
	}
	pthread_mutex_unlock(&s->lock);
}

unsigned stage_closed(struct stage *s)
{
	unsigned left;

	pthread_mutex_lock(&s->lock);
	left = --s->open_count;
	pthread_mutex_unlock(&s->lock);
	return left;
}

static void add_writer(struct stage *s, pid_t process)
{
	for (unsigned i = 0; i < s->writer_count; i++)
		if (s->writers[i] == process)
			return;
	/* Past the limit a death goes unnoticed: only its last close counts. */
	if (s->writer_count < STAGE_WRITERS_MAX)
		s->writers[s->writer_count++] = process;
}

void stage_note_writer(struct stage *s, pid_t tid)
{
	struct process_status status;
	bool known;

	pthread_mutex_lock(&s->lock);
	known = tid == 0 || tid == s->last_writer_tid;
	if (!known && tid == s->opener.process) {
		add_writer(s, tid);
		s->last_writer_tid = tid;
		known = true;
	}
	pthread_mutex_unlock(&s->lock);
	if (known || process_read_status(tid, &status) < 0)
		return;
	pthread_mutex_lock(&s->lock);
	add_writer(s, status.tgid);
	s->last_writer_tid = tid;
	pthread_mutex_unlock(&s->lock);
}

void stage_note_death(struct stage *s, pid_t process, int signal, bool last)
{
	pthread_mutex_lock(&s->lock);
	if (last)
		s->died_of = signal;
	for (unsigned i = 0; i < s->writer_count; i++)
		if (s->writers[i] == process)
			s->died_of = signal;
	pthread_mutex_unlock(&s->lock);
}

void stage_note_flush(struct stage *s)
{
	pthread_mutex_lock(&s->lock);
	s->flushed = true;
	pthread_mutex_unlock(&s->lock);
}

void stage_note_refusal(struct stage *s)
{
	pthread_mutex_lock(&s->lock);
	if (s->refused_at == 0)
		s->refused_at = spool_size(s->spool);
	pthread_mutex_unlock(&s->lock);
}

void stage_break(struct stage *s, const struct cvx_err *err)
{
	pthread_mutex_lock(&s->lock);
	s->broken = *err;
	pthread_mutex_unlock(&s->lock);
}

void stage_set_witness(struct stage *s, pid_t process)
{
	pthread_mutex_lock(&s->lock);
	s->witness = process;
	pthread_mutex_unlock(&s->lock);
}

void stage_cancel(struct stage *s)
{
	pthread_mutex_lock(&s->cancel_lock);
	s->cancelled = true;
	if (s->cancellable)
		intake_cancel(s->cancellable);
	pthread_mutex_unlock(&s->cancel_lock);
}

bool stage_is_cancelled(struct stage *s)
{
	return s->cancelled;
}
