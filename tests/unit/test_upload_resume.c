/* importer/remote/upload_resume and upload_record: an upload that a process
 * died in the middle of is gone on with, and nothing is there twice. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "importer/remote/http.h"
#include "importer/remote/remote_import.h"
#include "importer/remote/upload_record.h"
#include "tests/unit/loopback.h"
#include "tests/unit/upload.h"

#define PART_SIZE 10
#define PARTS_MAX 8
#define UPLOADS_MAX 4
#define BODY_MAX 16

/* Six parts, a row each. */
#define ROWS                                                                   \
	"{\"n\":101}\n{\"n\":102}\n{\"n\":103}\n{\"n\":104}\n{\"n\":105}\n"    \
	"{\"n\":106}\n"

/* --- a deployment that keeps parts, and appends ----------------------------
 */

struct stored {
	char parts[PARTS_MAX][BODY_MAX];
	size_t sizes[PARTS_MAX];
	bool is_gone; /* the deployment does not know the upload any more */
};

struct model {
	bool in_order;	     /* parts are appended as they come */
	unsigned answer_max; /* more parts are not answered */
	bool refuses_finish; /* of the first upload */
	const char *folder;  /* of records, looked into at finish_upload */
	struct stored uploads[UPLOADS_MAX];
	unsigned start_count;
	unsigned answer_count;	     /* parts that were answered */
	_Atomic unsigned hung_count; /* and those that never are */
	unsigned part_count;	     /* requests for parts, and their bytes */
	size_t part_size;
	unsigned finish_count;
	unsigned records_at_finish;
	bool is_confirmed;
	char pending[256]; /* the file of the import */
	char table[512];
};

/* How many records there are; *path is the last one's, for free(). */
static unsigned count_records(const char *folder, char **path)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	unsigned count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		if (!path)
			continue;
		free(*path);
		*path = loopback_format("%s/%s", folder, entry->d_name);
	}
	(void)closedir(dir);
	return count;
}

static char *take_part(struct model *m, const struct loopback_request *q,
		       struct loopback_answer *a)
{
	size_t upload = strtoul(strstr(q->query, "=u") + 2, NULL, 10);
	size_t number = strtoul(strstr(q->query, "partNumber=") + 11, NULL, 10);
	struct stored *s;

	assert_true(upload < UPLOADS_MAX && number >= 1 && number <= PARTS_MAX);
	assert_true(q->body_size < BODY_MAX);
	s = &m->uploads[upload];
	m->part_count++;
	m->part_size += q->body_size;
	if (s->is_gone) {
		a->status = 400;
		return loopback_format("{\"code\":\"InvalidUploadToken\"}");
	}
	if (m->answer_count >= m->answer_max) {
		m->hung_count++;
		a->fault = LOOPBACK_HANG;
		return NULL;
	}
	m->answer_count++;
	memcpy(s->parts[number - 1], q->body, q->body_size);
	s->sizes[number - 1] = q->body_size;
	return loopback_format(m->in_order ? "\"\"" : "\"p%zu\"", number);
}

static char *finish(struct model *m, const struct loopback_request *q,
		    struct loopback_answer *a)
{
	size_t upload =
		strtoul(strstr(q->body, "\"uploadToken\":\"u") + 16, NULL, 10);
	struct stored *s;
	size_t i;

	assert_true(upload < UPLOADS_MAX);
	m->records_at_finish += count_records(m->folder, NULL);
	if (upload == 0 && m->refuses_finish) {
		a->status = 400;
		return loopback_format("{\"code\":\"InvalidUploadToken\"}");
	}
	assert_non_null(strstr(q->body, "\"mode\":\"append\""));
	s = &m->uploads[upload];
	m->pending[0] = '\0';
	for (i = 0; i < PARTS_MAX; i++)
		(void)snprintf(m->pending + strlen(m->pending),
			       sizeof(m->pending) - strlen(m->pending), "%.*s",
			       (int)s->sizes[i], s->parts[i]);
	s->is_gone = true;
	m->is_confirmed = false;
	return loopback_format("{\"importId\":\"i%u\"}", m->finish_count++);
}

static char *print_state(const struct model *m)
{
	return loopback_format(
		"{\"status\":\"success\",\"value\":{\"_id\":\"i\",\"state\":"
		"{\"state\":\"%s\"}}}",
		m->is_confirmed ? "completed" : "waiting_for_confirmation");
}

static void play(void *ctx, const struct loopback_request *q,
		 struct loopback_answer *a)
{
	struct model *m = ctx;

	if (strstr(q->body, "queryImport:list"))
		a->body = loopback_format(
			"{\"status\":\"success\",\"value\":[]}");
	else if (strcmp(q->path, "/api/query") == 0)
		a->body = print_state(m);
	else if (strcmp(q->path, "/api/import/start_upload") == 0)
		a->body = loopback_format("{\"uploadToken\":\"u%u\"}",
					  m->start_count++);
	else if (strcmp(q->path, "/api/import/upload_part") == 0)
		a->body = take_part(m, q, a);
	else if (strcmp(q->path, "/api/import/finish_upload") == 0)
		a->body = finish(m, q, a);
	else if (strcmp(q->path, "/api/perform_import") == 0 &&
		 !m->is_confirmed) {
		m->is_confirmed = true;
		(void)snprintf(m->table + strlen(m->table),
			       sizeof(m->table) - strlen(m->table), "%s",
			       m->pending);
	}
}

/* --- one deployment, and processes that import into it ---------------------
 */

struct trial {
	struct model model;
	struct loopback *server;
	char folder[300];
	int folder_fd;
};

static void trial_begin(struct trial *t)
{
	memset(t, 0, sizeof(*t));
	(void)snprintf(t->folder, sizeof(t->folder), "%s/records.XXXXXX",
		       unit_temp_dir());
	assert_non_null(mkdtemp(t->folder));
	t->folder_fd = open(t->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t->folder_fd >= 0);
	t->model.folder = t->folder;
	t->model.answer_max = UINT32_MAX;
	t->server = loopback_start(play, &t->model);
}

static void trial_end(struct trial *t)
{
	loopback_stop(t->server);
	(void)close(t->folder_fd);
}

static struct remote_import *new_import(struct trial *t, struct http *http,
					struct upload_file *file,
					const char *table)
{
	const struct remote_import_target target = {.component = "",
						    .table = table,
						    .format = REMOTE_JSON_LINES,
						    .mode = IMPORT_APPEND};
	const struct remote_import_settings settings = {
		.part_size = PART_SIZE,
		.poll_ms = 1,
		.keeps_records = true,
		.record_dir_fd = t->folder_fd,
	};
	struct import_source source = {file, upload_file_read};
	struct remote_import *imp = NULL;
	struct cvx_err err = CVX_ERR_INIT;

	EXPECT_OK(remote_import_new(http, &target, &source, &settings, &imp,
				    &err),
		  &err);
	return imp;
}

/* A whole import, in this process. */
static void import_into(struct trial *t, const char *table, const char *text)
{
	struct http *http = upload_http_new(t->server, 0);
	struct upload_file file = {text, strlen(text)};
	struct remote_import *imp = new_import(t, http, &file, table);
	struct cvx_err err = CVX_ERR_INIT;
	uint64_t count;

	loopback_sync(t->server);
	EXPECT_OK(remote_import_commit(imp, file.size, &count, &err), &err);
	loopback_sync(t->server);
	remote_import_free(imp);
	http_free(http);
}

#define ROW_COUNT 6
#define TRIES_MAX 20000

/* How many lines the only record has; 0: there is none. */
static unsigned count_lines(const struct trial *t)
{
	char *path = NULL, *text, *at;
	unsigned count = 0;
	size_t size;

	if (count_records(t->folder, &path) == 0)
		return 0;
	text = unit_read_file(path, &size);
	for (at = text; (at = strchr(at, '\n')); at++)
		count++;
	free(text);
	free(path);
	return count;
}

/* An import whose process is going to die. */
struct stuck {
	struct http *http;
	struct upload_file file;
	struct remote_import *imp;
};

/* Some parts have arrived, by it or one before, and no answer comes to the
 * others. Which ones is chance, but for the first. */
static void get_stuck(struct trial *t, struct stuck *s, const char *text,
		      unsigned part_count)
{
	unsigned hung = t->model.in_order ? 1 : ROW_COUNT - part_count, tries;

	t->model.answer_max = part_count;
	loopback_sync(t->server);
	s->http = upload_http_new(t->server, 0);
	s->file = (struct upload_file){text, strlen(text)};
	s->imp = new_import(t, s->http, &s->file, "t");
	remote_import_available(s->imp, s->file.size);
	for (tries = 0; tries < TRIES_MAX; tries++) {
		loopback_sync(t->server);
		if (t->model.hung_count == hung &&
		    (t->model.in_order || count_lines(t) == part_count + 1))
			return;
		(void)usleep(1000);
	}
	fail_msg("%u parts were sent, %u lines are on record",
		 t->model.part_count, count_lines(t));
}

/* What counts from now on is what comes. */
static void forget_requests(struct trial *t)
{
	loopback_sync(t->server);
	t->model.answer_max = UINT32_MAX;
	t->model.part_count = 0;
	t->model.part_size = 0;
	t->model.hung_count = 0;
	loopback_sync(t->server);
}

static void put_back(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	EXPECT_INT(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

/* The record is what it was at that moment: whoever dies removes nothing. */
static void die(struct trial *t, struct stuck *s)
{
	char *path = NULL, *text = NULL;
	size_t size;

	if (count_records(t->folder, &path) > 0)
		text = unit_read_file(path, &size);
	remote_import_free(s->imp);
	http_free(s->http);
	if (text)
		put_back(path, text);
	free(text);
	free(path);
	forget_requests(t);
}

static void die_in_the_middle(struct trial *t, const char *text,
			      unsigned part_count)
{
	struct stuck s;

	get_stuck(t, &s, text, part_count);
	die(t, &s);
}

static void expect_sent(const struct trial *t, unsigned parts, unsigned starts)
{
	EXPECT_INT(t->model.part_count, parts);
	EXPECT_INT(t->model.part_size, parts * PART_SIZE);
	EXPECT_INT(t->model.start_count, starts);
	EXPECT_INT(t->model.records_at_finish, 0);
}

/* --- going on --------------------------------------------------------------
 */

TEST(upload_resume_sends_only_the_parts_that_had_not_arrived)
{
	struct trial t;

	trial_begin(&t);
	die_in_the_middle(&t, ROWS, 3);
	import_into(&t, "t", ROWS);
	expect_sent(&t, 3, 1);
	assert_string_equal(t.model.table, ROWS);
	EXPECT_INT(t.model.finish_count, 1);
	EXPECT_INT(count_records(t.folder, NULL), 0);
	trial_end(&t);
}

/* The one that goes on dies as well. */
TEST(upload_resume_goes_on_with_what_went_on)
{
	struct trial t;

	trial_begin(&t);
	die_in_the_middle(&t, ROWS, 3);
	die_in_the_middle(&t, ROWS, 5);
	import_into(&t, "t", ROWS);
	expect_sent(&t, 1, 1);
	assert_string_equal(t.model.table, ROWS);
	trial_end(&t);
}

TEST(upload_resume_of_a_file_that_is_still_being_written)
{
	struct trial t;
	struct http *http;
	struct upload_file file = {ROWS, strlen(ROWS)};
	struct remote_import *imp;
	struct cvx_err err = CVX_ERR_INIT;
	uint64_t count;
	size_t size;

	trial_begin(&t);
	die_in_the_middle(&t, ROWS, 3);
	http = upload_http_new(t.server, 0);
	imp = new_import(&t, http, &file, "t");
	for (size = 1; size < file.size; size++)
		remote_import_available(imp, size);
	EXPECT_OK(remote_import_commit(imp, file.size, &count, &err), &err);
	remote_import_free(imp);
	http_free(http);
	loopback_sync(t.server);
	expect_sent(&t, 3, 1);
	assert_string_equal(t.model.table, ROWS);
	trial_end(&t);
}

/* Whoever runs it once more has it once more, and sent all of it. */
TEST(upload_resume_does_not_outlive_the_import)
{
	struct trial t;

	trial_begin(&t);
	import_into(&t, "t", ROWS);
	forget_requests(&t);
	import_into(&t, "t", ROWS);
	expect_sent(&t, 6, 2);
	assert_string_equal(t.model.table, ROWS ROWS);
	trial_end(&t);
}

/* --- beginning anew --------------------------------------------------------
 */

TEST(upload_resume_of_other_bytes_sends_all_of_them)
{
	static const char changed[] =
		"{\"n\":101}\n{\"n\":902}\n{\"n\":903}\n{\"n\":904}\n"
		"{\"n\":905}\n{\"n\":906}\n";
	struct trial t;

	trial_begin(&t);
	die_in_the_middle(&t, ROWS, 4);
	import_into(&t, "t", changed);
	EXPECT_INT(t.model.start_count, 2);
	assert_string_equal(t.model.table, changed);
	EXPECT_INT(t.model.finish_count, 1);
	EXPECT_INT(count_records(t.folder, NULL), 0);
	trial_end(&t);
}

TEST(upload_resume_of_another_beginning_leaves_the_record)
{
	static const char changed[] = "{\"n\":901}\n{\"n\":102}\n{\"n\":103}\n";
	struct trial t;

	trial_begin(&t);
	die_in_the_middle(&t, ROWS, 3);
	t.model.records_at_finish = 0;
	import_into(&t, "t", changed);
	EXPECT_INT(t.model.start_count, 2);
	EXPECT_INT(t.model.part_count, 3);
	assert_string_equal(t.model.table, changed);
	EXPECT_INT(count_records(t.folder, NULL), 1);
	trial_end(&t);
}

TEST(upload_resume_is_of_one_table)
{
	struct trial t;

	trial_begin(&t);
	die_in_the_middle(&t, ROWS, 3);
	import_into(&t, "other", ROWS);
	EXPECT_INT(t.model.start_count, 2);
	EXPECT_INT(t.model.part_count, 6);
	assert_string_equal(t.model.table, ROWS);
	trial_end(&t);
}

TEST(upload_resume_with_a_token_that_is_refused_begins_anew)
{
	struct trial t;

	trial_begin(&t);
	die_in_the_middle(&t, ROWS, 3);
	t.model.uploads[0].is_gone = true;
	import_into(&t, "t", ROWS);
	EXPECT_INT(t.model.start_count, 2);
	assert_string_equal(t.model.table, ROWS);
	EXPECT_INT(t.model.finish_count, 1);
	EXPECT_INT(count_records(t.folder, NULL), 0);
	trial_end(&t);
}

TEST(upload_resume_that_cannot_be_finished_begins_anew)
{
	struct trial t;

	trial_begin(&t);
	die_in_the_middle(&t, ROWS, 5);
	t.model.refuses_finish = true;
	import_into(&t, "t", ROWS);
	expect_sent(&t, 1 + 6, 2);
	assert_string_equal(t.model.table, ROWS);
	EXPECT_INT(t.model.finish_count, 1);
	trial_end(&t);
}

/* IMP-9: what was under way may be in the file already. */
TEST(upload_resume_is_not_where_parts_are_appended)
{
	struct trial t;

	trial_begin(&t);
	t.model.in_order = true;
	die_in_the_middle(&t, ROWS, 3);
	EXPECT_INT(count_records(t.folder, NULL), 0);
	import_into(&t, "t", ROWS);
	expect_sent(&t, 6, 2);
	assert_string_equal(t.model.table, ROWS);
	trial_end(&t);
}

/* Two at once are two imports, though their bytes are the same. */
TEST(upload_resume_leaves_alone_what_lives)
{
	struct trial t;
	struct stuck s;

	trial_begin(&t);
	get_stuck(&t, &s, ROWS, 3);
	forget_requests(&t);
	import_into(&t, "t", ROWS);
	EXPECT_INT(t.model.part_count, 6);
	EXPECT_INT(t.model.start_count, 2);
	assert_string_equal(t.model.table, ROWS);
	EXPECT_INT(count_lines(&t), 4);
	remote_import_free(s.imp);
	http_free(s.http);
	trial_end(&t);
}

TEST(upload_resume_forgets_what_was_canceled)
{
	struct trial t;
	struct http *http;
	struct upload_file file = {ROWS, strlen(ROWS)};
	struct remote_import *imp;
	unsigned tries;

	trial_begin(&t);
	http = upload_http_new(t.server, 0);
	imp = new_import(&t, http, &file, "t");
	remote_import_available(imp, file.size);
	for (tries = 0; tries < 20000 && count_lines(&t) < 2; tries++)
		(void)usleep(1000);
	EXPECT_INT(count_records(t.folder, NULL), 1);
	remote_import_free(imp);
	http_free(http);
	EXPECT_INT(count_records(t.folder, NULL), 0);
	trial_end(&t);
}

/* --- records ---------------------------------------------------------------
 */

static struct recorded_part first_part(unsigned char byte)
{
	struct recorded_part part = {.place = {0, PART_SIZE, 1},
				     .token = (char *)"p1"};

	memset(part.hash, byte, sizeof(part.hash));
	return part;
}

/* As a process leaves it that dies; its path, for free(). It is
 * the only one in the folder. */
static char *leave_record(const struct trial *t, unsigned char byte)
{
	const struct recorded_part part = first_part(byte);
	const struct upload_record_key key = {t->folder_fd, "s", &part};
	struct upload_record *record = NULL;
	struct cvx_err err = CVX_ERR_INIT;
	char *path = NULL, *text;
	size_t size;

	EXPECT_OK(upload_record_make(&key, "secret", &record, &err), &err);
	EXPECT_INT(count_records(t->folder, &path), 1);
	text = unit_read_file(path, &size);
	upload_record_remove(record);
	EXPECT_INT(count_records(t->folder, NULL), 0);
	put_back(path, text);
	free(text);
	return path;
}

static struct upload_record *find_record(const struct trial *t,
					 unsigned char byte)
{
	const struct recorded_part part = first_part(byte);
	const struct upload_record_key key = {t->folder_fd, "s", &part};

	return upload_record_find(&key);
}

TEST(upload_record_is_its_users_alone)
{
	const struct recorded_part part = first_part(1);
	struct trial t;
	struct upload_record *record = NULL;
	struct upload_record_key key = {-1, "s", &part};
	struct cvx_err err = CVX_ERR_INIT;
	struct stat st;
	char *path = NULL;

	trial_begin(&t);
	key.dir_fd = t.folder_fd;
	EXPECT_OK(upload_record_make(&key, "secret", &record, &err), &err);
	(void)count_records(t.folder, &path);
	EXPECT_INT(stat(path, &st), 0);
	EXPECT_INT(st.st_mode & 07777, 0600);
	free(path);
	upload_record_remove(record);
	path = leave_record(&t, 1);
	record = find_record(&t, 1);
	assert_non_null(record);
	assert_string_equal(upload_record_token(record), "secret");
	assert_null(find_record(&t, 1)); /* it is in use */
	upload_record_remove(record);
	free(path);
	path = leave_record(&t, 1);
	EXPECT_INT(chmod(path, 0620), 0);
	assert_null(find_record(&t, 1)); /* somebody may have written it */
	free(path);
	trial_end(&t);
}

TEST(upload_record_ends_at_a_line_that_is_torn)
{
	static const char torn[] = "{\"part\":2,\"off\":10,\"tok";
	const struct recorded_part second = {.place = {10, PART_SIZE, 2},
					     .token = (char *)"p2"};
	struct trial t;
	struct upload_record *record;
	char *path, *text;
	size_t size;
	int fd;

	trial_begin(&t);
	path = leave_record(&t, 1);
	fd = open(path, O_WRONLY | O_APPEND);
	EXPECT_INT(write(fd, torn, strlen(torn)), strlen(torn));
	(void)close(fd);
	record = find_record(&t, 1);
	assert_non_null(record);
	assert_non_null(upload_record_part(record, 1));
	assert_null(upload_record_part(record, 2));
	upload_record_add(record, &second);
	text = unit_read_file(path, &size);
	assert_non_null(strstr(text, "\n{\"part\":2,\"off\":10,\"size\":10,"));
	assert_null(strstr(text, "tok{"));
	free(text);
	upload_record_remove(record);
	free(path);
	trial_end(&t);
}

TEST(upload_record_of_garbage_is_none)
{
	static const char *const texts[] = {
		"",
		"\n",
		"[]\n",
		"{\"upload\":\"\"}\n",
		"{\"upload\":7}\n",
		"\x01\xff\n",
	};
	struct trial t;
	char *path;
	size_t i;
	int fd;

	trial_begin(&t);
	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		path = leave_record(&t, 1);
		fd = open(path, O_WRONLY | O_TRUNC);
		EXPECT_INT(write(fd, texts[i], strlen(texts[i])),
			   strlen(texts[i]));
		(void)close(fd);
		assert_null(find_record(&t, 1));
		EXPECT_INT(count_records(t.folder, NULL), 0);
		free(path);
	}
	trial_end(&t);
}

TEST(upload_record_goes_when_it_is_old)
{
	struct trial t;
	struct timespec times[2] = {{0, UTIME_OMIT}, {0, 0}};
	char *path;

	trial_begin(&t);
	times[1].tv_sec = time(NULL) - UPLOAD_RECORD_AGE_MAX_S - 60;
	path = leave_record(&t, 1);
	EXPECT_INT(utimensat(AT_FDCWD, path, times, 0), 0);
	assert_false(upload_record_tidy(t.folder_fd));
	EXPECT_INT(count_records(t.folder, NULL), 0);
	free(path);
	trial_end(&t);
}

TEST(upload_record_goes_when_there_are_too_many)
{
	struct trial t;
	struct timespec times[2] = {{0, UTIME_OMIT}, {0, 0}};
	char *path, *other;
	unsigned i;

	trial_begin(&t);
	times[1].tv_sec = time(NULL) - 60;
	path = leave_record(&t, 0);
	EXPECT_INT(utimensat(AT_FDCWD, path, times, 0), 0);
	for (i = 1; i < UPLOAD_RECORDS_MAX; i++) {
		other = loopback_format("%s/%064x", t.folder, i);
		put_back(other, "");
		free(other);
	}
	assert_true(upload_record_tidy(t.folder_fd));
	EXPECT_INT(count_records(t.folder, NULL), UPLOAD_RECORDS_MAX - 1);
	EXPECT_INT(access(path, F_OK), -1);
	free(path);
	trial_end(&t);
}

UNIT_MAIN(UNIT_CASE(upload_resume_sends_only_the_parts_that_had_not_arrived),
	  UNIT_CASE(upload_resume_goes_on_with_what_went_on),
	  UNIT_CASE(upload_resume_of_a_file_that_is_still_being_written),
	  UNIT_CASE(upload_resume_does_not_outlive_the_import),
	  UNIT_CASE(upload_resume_of_other_bytes_sends_all_of_them),
	  UNIT_CASE(upload_resume_of_another_beginning_leaves_the_record),
	  UNIT_CASE(upload_resume_is_of_one_table),
	  UNIT_CASE(upload_resume_with_a_token_that_is_refused_begins_anew),
	  UNIT_CASE(upload_resume_that_cannot_be_finished_begins_anew),
	  UNIT_CASE(upload_resume_is_not_where_parts_are_appended),
	  UNIT_CASE(upload_resume_leaves_alone_what_lives),
	  UNIT_CASE(upload_resume_forgets_what_was_canceled),
	  UNIT_CASE(upload_record_is_its_users_alone),
	  UNIT_CASE(upload_record_ends_at_a_line_that_is_torn),
	  UNIT_CASE(upload_record_of_garbage_is_none),
	  UNIT_CASE(upload_record_goes_when_it_is_old),
	  UNIT_CASE(upload_record_goes_when_there_are_too_many))
