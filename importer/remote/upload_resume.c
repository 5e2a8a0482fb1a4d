#include "importer/remote/upload_resume.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/log.h"
#include "importer/remote/halt.h"
#include "importer/remote/part_hash.h"
#include "importer/remote/upload_record.h"
#include "importer/remote/upload_send.h"

static int hash_part(const struct upload_send *send,
		     const struct file_part *part,
		     unsigned char hash[PART_HASH_SIZE])
{
	CVX_AUTO(cvx_freep) char *bytes = malloc(UPLOAD_RESUME_STEP);
	struct part_hash *sum = part_hash_new();
	uint64_t done, size;
	int r = bytes && sum ? 0 : -ENOMEM;

	for (done = 0; r == 0 && done < part->size; done += size) {
		size = part->size - done;
		if (size > UPLOAD_RESUME_STEP)
			size = UPLOAD_RESUME_STEP;
		r = halt_is_requested(send->halt)
			    ? -ECANCELED
			    : file_part_read(send->source, part->off + done,
					     bytes, (size_t)size);
		if (r == 0)
			part_hash_add(sum, bytes, (size_t)size);
	}
	if (r == 0)
		part_hash_finish(sum, hash);
	part_hash_free(sum);
	return r;
}

struct upload_record *upload_resume_find(const struct upload_resume *at,
					 const struct upload_send *send,
					 const struct file_part *first,
					 char **ret_token)
{
	struct recorded_part part = {.place = *first};
	const struct upload_record_key key = {at->dir_fd, at->subject, &part};
	struct upload_record *record;

	if (!upload_record_tidy(key.dir_fd) ||
	    hash_part(send, first, part.hash) < 0)
		return NULL;
	record = upload_record_find(&key);
	if (!record)
		return NULL;
	*ret_token = strdup(upload_record_token(record));
	if (*ret_token)
		return record;
	upload_record_remove(record);
	return NULL;
}

/* What fails here fails again when the part is sent. */
enum arrived upload_resume_part(const struct upload_record *record,
				const struct upload_send *send,
				const struct file_part *part, char **ret_token)
{
	const struct recorded_part *known =
		upload_record_part(record, part->number);
	unsigned char hash[PART_HASH_SIZE];

	if (!known)
		return ARRIVED_NOT;
	if (known->place.off != part->off || known->place.size != part->size)
		return ARRIVED_OTHER;
	if (hash_part(send, part, hash) < 0)
		return ARRIVED_NOT;
	if (memcmp(hash, known->hash, PART_HASH_SIZE) != 0)
		return ARRIVED_OTHER;
	*ret_token = strdup(known->token);
	return *ret_token ? ARRIVED_SAME : ARRIVED_NOT;
}

void upload_resume_note(const struct upload_resume *at,
			const struct upload_send *send,
			const struct file_part *part,
			const struct sent_part *sent,
			struct upload_record **record)
{
	struct recorded_part noted = {.place = *part, .token = sent->token};
	const struct upload_record_key key = {at->dir_fd, at->subject, &noted};
	struct cvx_err err = CVX_ERR_INIT;
	int r;

	memcpy(noted.hash, sent->hash, PART_HASH_SIZE);
	if (*record) {
		upload_record_add(*record, &noted);
		return;
	}
	r = upload_record_make(&key, send->token, record, &err);
	if (r < 0 && r != -EEXIST)
		log_warning("%s; should this process end in the middle, its "
			    "upload begins anew",
			    err.msg);
}
