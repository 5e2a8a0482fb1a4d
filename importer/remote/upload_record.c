#include "importer/remote/upload_record.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"
#include "cache/base/file.h"
#include "cache/base/log.h"
#include "importer/remote/query.h"
#include "importer/remote/secret.h"
#include "importer/remote/upload.h"
#include "importer/value/sha256.h"

#define NAME_SIZE ((size_t)2 * SHA256_SIZE + 1)
#define EXACT_MAX 9007199254740992.0 /* of a double that is a whole number */

struct upload_record {
	int dir_fd;
	char name[NAME_SIZE];
	int fd; /* locked with flock() as long as it is open */
	char *token;
	struct recorded_part *parts; /* by number - 1; no token: not there */
	size_t part_count;
	pthread_mutex_t lock;
	/* guarded by lock: */
	size_t size; /* of the file */
	bool is_broken;
};

/* --- names --------------------------------------------------------------- */

/* hex: of 2 * size + 1 bytes. */
static void print_hex(const unsigned char *bytes, size_t size, char *hex)
{
	size_t i;

	for (i = 0; i < size; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
}

static bool is_hex(const char *text, size_t size)
{
	return strlen(text) == 2 * size &&
	       strspn(text, "0123456789abcdef") == 2 * size;
}

static int print_name(const struct upload_record_key *key, char name[NAME_SIZE],
		      struct cvx_err *err)
{
	const struct file_part *place = &key->first->place;
	unsigned char hash[SHA256_SIZE];
	struct sha256 *sha;
	int r = sha256_new(&sha, err);

	if (r < 0)
		return r;
	sha256_add(sha, key->subject, strlen(key->subject) + 1);
	sha256_add(sha, &place->off, sizeof(place->off));
	sha256_add(sha, &place->size, sizeof(place->size));
	sha256_add(sha, key->first->hash, PART_HASH_SIZE);
	sha256_finish(sha, hash);
	sha256_free(sha);
	print_hex(hash, SHA256_SIZE, name);
	return 0;
}

static bool is_name(const char *text)
{
	return is_hex(text, SHA256_SIZE);
}

/* --- files --------------------------------------------------------------- */

static bool is_old(const struct stat *st)
{
	return time(NULL) - st->st_mtime > UPLOAD_RECORD_AGE_MAX_S;
}

/* The file, locked; -1: it is not there, or somebody has it. */
static int open_left(int dir_fd, const char *name, struct stat *st)
{
	CVX_AUTO(cvx_closep)
	int fd =
		openat(dir_fd, name,
		       O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, st) < 0 || !S_ISREG(st->st_mode) ||
	    flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -1;
	/* Again: who had it may have removed it, or added to it. */
	if (fstat(fd, st) < 0 || st->st_nlink == 0)
		return -1;
	return CVX_TAKE_FD(fd);
}

static void remove_left(int dir_fd, const char *name)
{
	struct stat st;
	CVX_AUTO(cvx_closep) int fd = open_left(dir_fd, name, &st);

	if (fd >= 0)
		(void)unlinkat(dir_fd, name, 0); /* or it is too old later */
}

struct survey {
	unsigned count;
	time_t oldest_time;
	char oldest[NAME_SIZE];
};

static void look_at(struct survey *s, int dir_fd, const char *name)
{
	struct stat st;

	if (!is_name(name) ||
	    fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (is_old(&st)) {
		remove_left(dir_fd, name);
		return;
	}
	if (s->count++ == 0 || st.st_mtime < s->oldest_time) {
		s->oldest_time = st.st_mtime;
		memcpy(s->oldest, name, NAME_SIZE);
	}
}

bool upload_record_tidy(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct survey s = {.count = 0};
	const struct dirent *entry;

	if (!dir) {
		cvx_closep(&fd);
		return false;
	}
	while ((entry = readdir(dir)))
		look_at(&s, dir_fd, entry->d_name);
	(void)closedir(dir);
	/* Each upload adds one, and comes by here before. */
	if (s.count >= UPLOAD_RECORDS_MAX)
		remove_left(dir_fd, s.oldest);
	return s.count > 0;
}

/* --- lines --------------------------------------------------------------- */

static int write_line(struct upload_record *r, cJSON *json)
{
	char *text = cJSON_PrintUnformatted(json);
	size_t size = text ? strlen(text) : 0;
	int result = 0;

	secret_delete_json(json);
	if (!text)
		return -ENOMEM;
	if (size + 1 > UPLOAD_RECORD_SIZE_MAX - r->size)
		result = -EFBIG;
	text[size] = '\n'; /* in the place of the NUL */
	if (result == 0)
		result = file_write(r->fd, text, size + 1);
	text[size] = '\0';
	secret_free(text);
	if (result == 0)
		r->size += size + 1;
	return result;
}

static int write_token(struct upload_record *r, const char *token)
{
	cJSON *json = cJSON_CreateObject();

	if (cJSON_AddStringToObject(json, "upload", token))
		return write_line(r, json);
	secret_delete_json(json);
	return -ENOMEM;
}

static int write_part(struct upload_record *r, const struct recorded_part *part)
{
	const struct file_part *place = &part->place;
	cJSON *json = cJSON_CreateObject();
	char hex[2 * PART_HASH_SIZE + 1];

	print_hex(part->hash, PART_HASH_SIZE, hex);
	if (cJSON_AddNumberToObject(json, "part", (double)place->number) &&
	    cJSON_AddNumberToObject(json, "off", (double)place->off) &&
	    cJSON_AddNumberToObject(json, "size", (double)place->size) &&
	    cJSON_AddStringToObject(json, "xxh128", hex) &&
	    cJSON_AddStringToObject(json, "token", part->token))
		return write_line(r, json);
	secret_delete_json(json);
	return -ENOMEM;
}

static bool read_number(const cJSON *json, const char *key, uint64_t *ret)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

	if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0) ||
	    item->valuedouble > EXACT_MAX)
		return false;
	*ret = (uint64_t)item->valuedouble;
	return true;
}

static bool read_hash(const char *hex, unsigned char hash[PART_HASH_SIZE])
{
	unsigned byte;
	size_t i;

	if (!hex || !is_hex(hex, PART_HASH_SIZE))
		return false;
	for (i = 0; i < PART_HASH_SIZE; i++) {
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return false;
		hash[i] = (unsigned char)byte;
	}
	return true;
}

/* The part's place, made if it is the first that has it. */
static struct recorded_part *find_place(struct upload_record *r, size_t number)
{
	struct recorded_part *more;

	if (number > r->part_count) {
		more = reallocarray(r->parts, number, sizeof(*more));
		if (!more)
			return NULL;
		memset(more + r->part_count, 0,
		       (number - r->part_count) * sizeof(*more));
		r->parts = more;
		r->part_count = number;
	}
	return &r->parts[number - 1];
}

static bool read_part(struct upload_record *r, const cJSON *json)
{
	const char *token = query_text(json, "token");
	struct recorded_part part = {.token = NULL}, *place;
	uint64_t number;

	if (!token || !token[0] || !read_number(json, "part", &number) ||
	    number < 1 || number > UPLOAD_PARTS_MAX ||
	    !read_number(json, "off", &part.place.off) ||
	    !read_number(json, "size", &part.place.size) ||
	    !read_hash(query_text(json, "xxh128"), part.hash))
		return false;
	place = find_place(r, number);
	if (!place)
		return false;
	part.place.number = number;
	part.token = secret_copy_text(token);
	if (!part.token)
		return false;
	secret_free(place->token);
	*place = part;
	return true;
}

static bool read_token(struct upload_record *r, const cJSON *json)
{
	const char *token = query_text(json, "upload");

	r->token = token && token[0] ? secret_copy_text(token) : NULL;
	return r->token != NULL;
}

/* The first line is the upload, the others are parts. */
static bool read_line(struct upload_record *r, const char *text, size_t size)
{
	cJSON *json = cJSON_ParseWithLength(text, size);
	bool ok = r->token ? read_part(r, json) : read_token(r, json);

	secret_delete_json(json);
	return ok;
}

/* Up to the last line that is whole. False: the upload is not known. */
static bool read_lines(struct upload_record *r, size_t size)
{
	CVX_AUTO(secret_freep) char *text = calloc(1, size + 1);
	const char *at = text, *lf;
	size_t n;

	if (!text || file_pread(r->fd, text, size, 0, &n) < 0)
		return false;
	while ((lf = memchr(at, '\n', n - (size_t)(at - text))) &&
	       read_line(r, at, (size_t)(lf - at)))
		at = lf + 1;
	r->size = (size_t)(at - text);
	return r->token && ftruncate(r->fd, (off_t)r->size) == 0;
}

/* --- records ------------------------------------------------------------- */

static struct upload_record *new_record(const struct upload_record_key *key,
					const char *name)
{
	struct upload_record *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->dir_fd = key->dir_fd;
	r->fd = -1;
	(void)snprintf(r->name, sizeof(r->name), "%s", name);
	(void)pthread_mutex_init(&r->lock, NULL);
	return r;
}

/* Under the lock. Who cannot remove it empties it. */
static void remove_file(struct upload_record *r)
{
	struct stat st;
	int result = 0;

	if (r->fd < 0 || (fstat(r->fd, &st) == 0 && st.st_nlink == 0))
		return;
	if (unlinkat(r->dir_fd, r->name, 0) == 0)
		result = file_sync_dir(r->dir_fd);
	else if (ftruncate(r->fd, 0) < 0)
		result = -errno;
	else
		result = file_sync(r->fd);
	if (result < 0)
		log_warning("record of an upload: cannot be removed: %s",
			    strerror(-result));
}

void upload_record_remove(struct upload_record *r)
{
	size_t i;

	if (!r)
		return;
	remove_file(r);
	cvx_closep(&r->fd);
	for (i = 0; i < r->part_count; i++)
		secret_free(r->parts[i].token);
	free(r->parts);
	secret_free(r->token);
	(void)pthread_mutex_destroy(&r->lock);
	free(r);
}

CVX_DEFINE_CLEANUP(struct upload_record, upload_record_remove)

/* A file that others could write is nobody's record. */
static bool is_ours(const struct stat *st)
{
	return st->st_uid == geteuid() && !(st->st_mode & 077) &&
	       (uint64_t)st->st_size <= UPLOAD_RECORD_SIZE_MAX && !is_old(st);
}

struct upload_record *upload_record_find(const struct upload_record_key *key)
{
	CVX_AUTO(upload_record_removep) struct upload_record *r = NULL;
	char name[NAME_SIZE];
	struct stat st;

	if (print_name(key, name, NULL) < 0)
		return NULL;
	r = new_record(key, name);
	if (!r)
		return NULL;
	r->fd = open_left(key->dir_fd, name, &st);
	if (r->fd < 0 || !is_ours(&st) || !read_lines(r, (size_t)st.st_size))
		return NULL;
	return CVX_TAKE(r);
}

int upload_record_make(const struct upload_record_key *key, const char *token,
		       struct upload_record **ret, struct cvx_err *err)
{
	CVX_AUTO(upload_record_removep) struct upload_record *r = NULL;
	char name[NAME_SIZE];
	int result = print_name(key, name, err);

	if (result < 0)
		return result;
	r = new_record(key, name);
	if (!r)
		return cvx_fail_memory(err);
	r->fd = openat(key->dir_fd, name,
		       O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (r->fd < 0)
		return cvx_fail(err, -errno, "record of an upload: %s",
				strerror(errno));
	if (flock(r->fd, LOCK_EX | LOCK_NB) < 0) { /* who has it tidies it up */
		cvx_closep(&r->fd);
		r->fd = -1;
		return cvx_fail(err, -EEXIST,
				"record of an upload: somebody has it");
	}
	result = write_token(r, token);
	if (result == 0)
		result = write_part(r, key->first);
	if (result < 0)
		return cvx_fail(err, result, "record of an upload: %s",
				strerror(-result));
	*ret = CVX_TAKE(r);
	return 0;
}

const char *upload_record_token(const struct upload_record *r)
{
	return r->token;
}

const struct recorded_part *upload_record_part(const struct upload_record *r,
					       size_t number)
{
	assert(number > 0);
	return number <= r->part_count && r->parts[number - 1].token
		       ? &r->parts[number - 1]
		       : NULL;
}

void upload_record_add(struct upload_record *r,
		       const struct recorded_part *part)
{
	int result = 0;

	(void)pthread_mutex_lock(&r->lock);
	if (!r->is_broken)
		result = write_part(r, part);
	if (result < 0) {
		r->is_broken = true;
		remove_file(r);
	}
	(void)pthread_mutex_unlock(&r->lock);
	if (result < 0)
		log_warning("record of an upload: %s; should this process end "
			    "in the middle, it begins anew",
			    strerror(-result));
}
