/* importer/server: the small parts that decide what a client may do
 * (protocol.md 2.4, 3, 7, 12). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/spool.h"
#include "importer/deployment_key.h"
#include "importer/embedded/jobs.h"
#include "importer/server/auth.h"
#include "importer/server/client.h"
#include "importer/server/component_id.h"
#include "importer/server/compose.h"
#include "importer/server/range.h"
#include "importer/server/secret.h"
#include "importer/server/server.h"
#include "importer/server/upload_token.h"
#include "importer/server/uploads.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"

/* Copies the text; returns its length. */
static size_t put(char *to, const char *text)
{
	memcpy(to, text, strlen(text));
	return strlen(text);
}

TEST(secrets_are_compared_whole)
{
	assert_true(secret_is_equal("abc", "abc"));
	assert_true(secret_is_equal("", ""));
	assert_false(secret_is_equal("abc", "abcabc"));
	assert_false(secret_is_equal("abc", "ab"));
	assert_false(secret_is_equal("abc", ""));
	assert_false(secret_is_equal("", "abc"));
	assert_false(secret_is_equal("abc", "abd"));
}

/* SEL-8, HTTP-1: NAME|SECRET in whatever dress. */
TEST(SEL8_keys_are_known_by_name_and_secret)
{
	static const struct {
		const char *form; /* %n: the name, %s: the secret */
		unsigned status;
	} cases[] = {
		{"%n|%s", 0},	       {"prod:%n|%s", 0},
		{"dev:%n|%s", 0},      {"preview:a:b|%s", 0},
		{"project:a:b|%s", 0}, {"%s", 0},
		{"%n|%s:e30=", 0},     {"prod:%n|%s:e30=", 0},
		{"other|%s", 401},     {"%n|", 401},
		{"|%s", 401},	       {"", 401},
		{"%n", 401},	       {"%n|%s0", 401},
		{"preview:%n|", 401},  {"%n|%s|", 401},
	};
	struct deployment *d = store_open(store_new_dir());
	struct cvx_err err = CVX_ERR_INIT;
	struct auth auth;
	size_t i;

	EXPECT_OK(auth_init(&auth, d, &err), &err);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char key[400] = "", *end = key;
		const char *p;

		for (p = cases[i].form; *p; p++) {
			if (p[0] == '%' && p[1] == 'n')
				end += put(end, deployment_name(d));
			else if (p[0] == '%')
				end += put(end, auth.secret);
			else
				*end++ = *p;
			p += p[0] == '%';
		}
		*end = '\0';
		if (auth_check_key(&auth, key, &err) != cases[i].status)
			fail_msg("%s", cases[i].form);
	}
	auth_fini(&auth);
	store_close(d);
}

/* A key stays what it is, and another deployment has another one. */
TEST(keys_are_made_with_their_deployment)
{
	const char *dir = store_new_dir();
	struct deployment *d = store_open(dir), *other;
	struct cvx_err err = CVX_ERR_INIT;
	char *first, *second, *third;

	EXPECT_OK(deployment_admin_key(d, &first, &err), &err);
	store_close(d);
	d = store_open(dir);
	EXPECT_OK(deployment_admin_key(d, &second, &err), &err);
	other = store_open(store_new_dir());
	EXPECT_OK(deployment_admin_key(other, &third, &err), &err);
	assert_string_equal(first, second);
	EXPECT_INT(strlen(strchr(first, '|') + 1), 64);
	assert_string_not_equal(strchr(first, '|'), strchr(third, '|'));
	store_close(other);
	store_close(d);
	free(first);
	free(second);
	free(third);
}

/* HTTP-3 */
TEST(HTTP3_clients_tell_a_version)
{
	static const struct {
		const char *header;
		unsigned status;
		const char *name;
	} cases[] = {
		{"npm-1.48.0", 0, NULL},
		{"npm-cli-1.48.0", 0, NULL},
		{"npm-0.19.2", 0, NULL},
		{"npm-0.19.2-alpha.1", 0, NULL},
		{"a-b-c-0.0.1", 0, NULL},
		{"rust-0.0.2", 0, NULL},
		{"other-0.0.1", 0, NULL},
		{"", 0, NULL},
		{"npm-0.19.1", 400, "ClientVersionUnsupported"},
		{"npm-0.1.0", 400, "ClientVersionUnsupported"},
		{"npm-cli-0.19.1", 400, "ClientVersionUnsupported"},
		{"actions-0.0.0", 400, "ClientVersionUnsupported"},
		{"python-0.0.2", 400, "ClientVersionUnsupported"},
		{"rust-0.0.1", 400, "ClientVersionUnsupported"},
		{"npm", 400, "InvalidClientVersion"},
		{"npm-", 400, "InvalidClientVersion"},
		{"npm-1.2", 400, "InvalidClientVersion"},
		{"npm-01.2.3", 400, "InvalidClientVersion"},
	};
	struct cvx_err err = CVX_ERR_INIT;
	size_t i;

	EXPECT_INT(client_check(NULL, &err), 0);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (client_check(cases[i].header, &err) != cases[i].status ||
		    (cases[i].name && strcmp(err.name, cases[i].name) != 0))
			fail_msg("%s", cases[i].header);
	}
}

TEST(versions_are_semantic)
{
	static const char *const good[] = {"1.48.0", "0.0.0", "1.2.3-a.b-c",
					   "1.2.3+7", "1.2.3-rc.1+7"};
	static const char *const bad[] = {
		"",	  "1.2",    "1.2.3.4", "v1.2.3", "1.2.x",
		"1.2.3-", "1.2.3 ", "1..3",    "1.2.3_", "01.2.3"};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(*good); i++)
		if (!client_is_version(good[i], strlen(good[i])))
			fail_msg("%s", good[i]);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (client_is_version(bad[i], strlen(bad[i])))
			fail_msg("%s", bad[i]);
}

/* FIL-4 */
TEST(FIL4_ranges_of_a_file_of_ten_bytes)
{
	static const struct {
		const char *header;
		enum range_kind kind;
		uint64_t off, size;
	} cases[] = {
		{NULL, RANGE_NONE, 0, 0},
		{"lines=1-2", RANGE_NONE, 0, 0},
		{"bytes=0-0", RANGE_ONE, 0, 1},
		{"bytes=0-9", RANGE_ONE, 0, 10},
		{"bytes=2-", RANGE_ONE, 2, 8},
		{"bytes=2-100", RANGE_ONE, 2, 8},
		{"bytes=-3", RANGE_ONE, 7, 3},
		{"bytes=-100", RANGE_ONE, 0, 10},
		{"bytes=9-18446744073709551615", RANGE_ONE, 9, 1},
		{"bytes=10-", RANGE_BAD, 0, 0},
		{"bytes=5-4", RANGE_BAD, 0, 0},
		{"bytes=-0", RANGE_BAD, 0, 0},
		{"bytes=-", RANGE_BAD, 0, 0},
		{"bytes=0-1,3-4", RANGE_BAD, 0, 0},
		{"bytes=x", RANGE_BAD, 0, 0},
		{"bytes=0-99999999999999999999", RANGE_ONE, 0, 10},
		{"bytes=4-184467440737095516160", RANGE_ONE, 4, 6},
		{"bytes=-99999999999999999999", RANGE_ONE, 0, 10},
		{"bytes=99999999999999999999-", RANGE_BAD, 0, 0},
		{"bytes=18446744073709551616-18446744073709551617", RANGE_BAD,
		 0, 0},
	};
	struct range range;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		enum range_kind kind = range_read(cases[i].header, 10, &range);

		if (kind != cases[i].kind ||
		    (kind == RANGE_ONE && (range.off != cases[i].off ||
					   range.size != cases[i].size)))
			fail_msg("%s", cases[i].header);
	}
	EXPECT_INT(range_read("bytes=0-", 0, &range), RANGE_BAD);
}

TEST(addresses_to_listen_on)
{
	static const struct {
		const char *text, *address;
		unsigned port;
	} good[] = {
		{"", "127.0.0.1", 3210},
		{":5", "127.0.0.1", 5},
		{"127.0.0.1:0", "127.0.0.1", 0},
		{"localhost:9", "127.0.0.1", 9},
		{"10.0.0.1", "10.0.0.1", 3210},
		{"[::1]:7", "::1", 7},
		{"::1", "::1", 3210},
		{"[::1]", "::1", 3210},
	};
	static const char *const bad[] = {
		"127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "host:1",
		"[::1",	      "1.2.3:4",	 "[x]:1"};
	struct cvx_err err = CVX_ERR_INIT;
	uint16_t port;
	char *address;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
		EXPECT_OK(
			server_read_listen(good[i].text, &address, &port, &err),
			&err);
		assert_string_equal(address, good[i].address);
		EXPECT_INT(port, good[i].port);
		free(address);
	}
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT_INT(server_read_listen(bad[i], &address, &port, &err),
			   -EINVAL);
	EXPECT_INT(server_check_address("127.1.2.3", false, &err), 0);
	EXPECT_INT(server_check_address("::1", false, &err), 0);
	EXPECT_INT(server_check_address("0.0.0.0", false, &err), -EPERM);
	EXPECT_INT(server_check_address("::", false, &err), -EPERM);
	EXPECT_INT(server_check_address("10.0.0.1", true, &err), 0);
}

/* VAL-7 */
TEST(VAL7_timestamps_are_eight_bytes)
{
	char text[STAMP_TEXT_SIZE];
	uint64_t stamp;

	compose_print_stamp(0, text);
	assert_string_equal(text, "AAAAAAAAAAA=");
	compose_print_stamp(3, text);
	assert_string_equal(text, "AwAAAAAAAAA=");
	compose_print_stamp(UINT64_MAX, text);
	assert_true(compose_read_stamp(text, &stamp));
	assert_true(stamp == UINT64_MAX);
	assert_false(compose_read_stamp("", &stamp));
	assert_false(compose_read_stamp("AAAA", &stamp));
	assert_false(compose_read_stamp("AwAAAAAAAAA!", &stamp));
}

/* FIL-2 */
TEST(FIL2_tokens_are_good_for_their_deployment)
{
	struct deployment *d = store_open(store_new_dir());
	struct deployment *other = store_open(store_new_dir());
	char token[UPLOAD_LEAVE_SIZE], id[ID_TEXT_MAX + 1],
		root[ID_TEXT_MAX + 1];
	struct cvx_err err = CVX_ERR_INIT;
	struct auth auth, stranger;

	EXPECT_OK(auth_init(&auth, d, &err), &err);
	EXPECT_OK(auth_init(&stranger, other, &err), &err);
	EXPECT_OK(upload_token_make(&auth, "", token, &err), &err);
	EXPECT_OK(upload_token_check(&auth, token, id, &err), &err);
	component_id_make("", root);
	assert_string_equal(id, root);
	EXPECT_INT(upload_token_check(&stranger, token, id, &err), -EINVAL);
	assert_string_equal(err.name, "StorageTokenInvalid");
	token[0]++; /* a later end */
	EXPECT_INT(upload_token_check(&auth, token, id, &err), -EINVAL);
	EXPECT_INT(upload_token_check(&auth, "", id, &err), -EINVAL);
	auth_fini(&auth);
	auth_fini(&stranger);
	store_close(other);
	store_close(d);
}

/* --- uploads ------------------------------------------------------------- */

static void send_part(struct uploads *u, const char *token, const char *number,
		      const char *bytes,
		      char part_token[UPLOAD_PART_TOKEN_SIZE])
{
	struct cvx_err err = CVX_ERR_INIT;
	struct upload_part *part;

	EXPECT_OK(uploads_begin_part(u, token, number, strlen(bytes), &part,
				     &err),
		  &err);
	EXPECT_OK(upload_part_write(part, bytes, strlen(bytes), &err), &err);
	EXPECT_OK(upload_part_finish(part, part_token, &err), &err);
	upload_part_free(part);
}

/* Frees the extents, as whoever claims an upload does. */
static void expect_claimed(struct claimed_upload *c, const char *expected)
{
	struct cvx_err err = CVX_ERR_INIT;
	char text[16] = "";
	size_t i, n, at = 0;

	for (i = 0; i < c->extent_count; i++) {
		EXPECT_OK(spool_read(c->bytes, c->extents[i].off, text + at,
				     (size_t)c->extents[i].size, &n, &err),
			  &err);
		at += n;
	}
	assert_string_equal(text, expected);
	free(c->extents);
}

/* IMP-8, -9: what is named by tokens counts, in the order of its numbers. */
TEST(IMP9_parts_in_any_order_make_the_file)
{
	struct deployment *d = store_open(store_new_dir());
	char token[UPLOAD_TOKEN_SIZE], parts[4][UPLOAD_PART_TOKEN_SIZE];
	const char *chosen[] = {parts[0], parts[3], parts[1]};
	struct cvx_err err = CVX_ERR_INIT;
	struct claimed_upload claimed;
	struct upload_part *half;
	struct uploads *u;

	EXPECT_OK(uploads_new(d, 3600, &u, &err), &err);
	EXPECT_OK(uploads_start(u, token, &err), &err);
	send_part(u, token, "3", "cc", parts[0]);
	send_part(u, token, "1", "aa", parts[1]);
	send_part(u, token, "2", "no", parts[2]);
	EXPECT_OK(uploads_begin_part(u, token, "4", 5, &half, &err), &err);
	EXPECT_OK(upload_part_write(half, "x", 1, &err), &err);
	EXPECT_INT(upload_part_finish(half, parts[3], &err), -EINVAL);
	/* Not while parts arrive. */
	EXPECT_INT(uploads_claim(u, token, chosen, 1, &claimed, &err), -EINVAL);
	assert_string_equal(err.name, "UploadNotFinished");
	upload_part_free(half);
	send_part(u, token, "2", "b", parts[3]);
	EXPECT_OK(uploads_claim(u, token, chosen, 3, &claimed, &err), &err);
	expect_claimed(&claimed, "aabcc");
	EXPECT_INT(uploads_claim(u, token, chosen, 3, &claimed, &err), -EINVAL);
	assert_string_equal(err.name, "InvalidUploadToken");
	uploads_end(u, &claimed);
	uploads_free(u);
	store_close(d);
}

/* What there was no room for is finished when it is asked again. */
TEST(IMP11_an_upload_that_was_put_back_can_be_finished)
{
	struct deployment *d = store_open(store_new_dir());
	char token[UPLOAD_TOKEN_SIZE], part[UPLOAD_PART_TOKEN_SIZE];
	const char *chosen[] = {part};
	struct cvx_err err = CVX_ERR_INIT;
	struct claimed_upload claimed;
	struct uploads *u;
	int round;

	EXPECT_OK(uploads_new(d, 3600, &u, &err), &err);
	EXPECT_OK(uploads_start(u, token, &err), &err);
	send_part(u, token, "1", "abc", part);
	for (round = 0; round < 3; round++) {
		EXPECT_OK(uploads_claim(u, token, chosen, 1, &claimed, &err),
			  &err);
		expect_claimed(&claimed, "abc");
		if (round < 2)
			uploads_put_back(u, &claimed);
		else
			uploads_end(u, &claimed);
	}
	EXPECT_INT(uploads_claim(u, token, chosen, 1, &claimed, &err), -EINVAL);
	uploads_free(u);
	store_close(d);
}

/* The usual case: parts that follow each other are one piece. */
TEST(parts_in_order_are_one_extent)
{
	struct deployment *d = store_open(store_new_dir());
	char token[UPLOAD_TOKEN_SIZE], parts[50][UPLOAD_PART_TOKEN_SIZE];
	struct cvx_err err = CVX_ERR_INIT;
	struct claimed_upload claimed;
	const char *chosen[50];
	struct uploads *u;
	char number[8];
	size_t i;

	EXPECT_OK(uploads_new(d, 3600, &u, &err), &err);
	EXPECT_OK(uploads_start(u, token, &err), &err);
	for (i = 0; i < 50; i++) {
		(void)snprintf(number, sizeof(number), "%zu", i + 1);
		send_part(u, token, number, "abc", parts[i]);
		chosen[i] = parts[i];
	}
	EXPECT_OK(uploads_claim(u, token, chosen, 50, &claimed, &err), &err);
	EXPECT_INT(claimed.extent_count, 1);
	EXPECT_INT(claimed.extents[0].size, 150);
	free(claimed.extents);
	uploads_end(u, &claimed);
	uploads_free(u);
	store_close(d);
}

TEST(uploads_are_limited)
{
	struct deployment *d = store_open(store_new_dir());
	char token[UPLOAD_TOKEN_SIZE];
	struct cvx_err err = CVX_ERR_INIT;
	struct uploads *u;
	int i;

	EXPECT_OK(uploads_new(d, 3600, &u, &err), &err);
	for (i = 0; i < UPLOAD_COUNT_MAX; i++)
		EXPECT_OK(uploads_start(u, token, &err), &err);
	EXPECT_INT(uploads_start(u, token, &err), -EBUSY);
	uploads_free(u);
	store_close(d);
}

UNIT_MAIN(UNIT_CASE(secrets_are_compared_whole),
	  UNIT_CASE(SEL8_keys_are_known_by_name_and_secret),
	  UNIT_CASE(keys_are_made_with_their_deployment),
	  UNIT_CASE(HTTP3_clients_tell_a_version),
	  UNIT_CASE(versions_are_semantic),
	  UNIT_CASE(FIL4_ranges_of_a_file_of_ten_bytes),
	  UNIT_CASE(addresses_to_listen_on),
	  UNIT_CASE(VAL7_timestamps_are_eight_bytes),
	  UNIT_CASE(FIL2_tokens_are_good_for_their_deployment),
	  UNIT_CASE(IMP9_parts_in_any_order_make_the_file),
	  UNIT_CASE(IMP11_an_upload_that_was_put_back_can_be_finished),
	  UNIT_CASE(parts_in_order_are_one_extent),
	  UNIT_CASE(uploads_are_limited))
