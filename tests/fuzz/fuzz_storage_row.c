/*
 * fuzz_storage_row: rows about stored files that went wrong in random ways. A
 * row is refused as no JSON exactly when the slow reader of strict.h says so,
 * and what is taken from the others has its normal form.
 *
 * The same seed makes the same rows. CVX_FUZZ_LOOPS sets how many (60000),
 * CVX_SEED which ones. With CVX_LIBFUZZER defined they come from libFuzzer
 * instead, which needs the libraries built with its sanitizers:
 *
 *   clang -fsanitize=fuzzer,address,undefined -DCVX_LIBFUZZER ...
 */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/base/err.h"
#include "importer/archive/storage_row.h"
#include "importer/value/mime.h"
#include "tests/unit/strict.h"

#define LOOPS 60000
#define ROW_MAX 600

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void fail(const char *what, const char *row, size_t size)
{
	printf("not ok 1 - rows\n# %s: %.*s\n", what, (int)size, row);
	(void)fflush(stdout);
	abort();
}

static bool is_normal_type(const char *type)
{
	char copy[MIME_TYPE_MAX];
	size_t size = strlen(type);

	if (size > sizeof(copy))
		return false;
	memcpy(copy, type, size);
	return mime_normalise(copy, &size) == 0 && size == strlen(type) &&
	       memcmp(copy, type, size) == 0;
}

static bool is_uuid(const char *text)
{
	size_t i;

	for (i = 0; i < STORAGE_ROW_UUID_SIZE; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23
			    ? text[i] != '-'
			    : !text[i] || !strchr("0123456789abcdef", text[i]))
			return false;
	return text[i] == '\0';
}

static const char *find_fault(const struct storage_row *row)
{
	char text[ID_TEXT_MAX];
	struct internal_id key;
	uint32_t number;

	if (row->number == 0 ||
	    id_decode(text, id_encode(row->number, &row->key, text), &number,
		      &key) < 0 ||
	    number != row->number || id_compare(&key, &row->key) != 0)
		return "its id is none";
	if (row->has_time &&
	    (!isfinite(row->creation_time) || row->creation_time < 0))
		return "its time is none";
	if (row->content_type && !is_normal_type(row->content_type))
		return "its type is not in normal form";
	if (row->has_internal_id && !is_uuid(row->internal_id))
		return "its internal id is no UUID";
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *row = (const char *)bytes, *fault = NULL;
	struct storage_row read = {.number = 0};
	struct cvx_err err = CVX_ERR_INIT;
	struct strict *json = strict_parse(row, size, NULL);
	int r = storage_row_read(row, size, &read, &err);
	bool is_json = r == 0 || strcmp(err.name, "InvalidConvexValue") == 0;

	if (is_json != (json != NULL))
		fail("the two readers disagree", row, size);
	if (r < 0 && (r != -EINVAL || !err.msg[0]))
		fail("it was refused without a word", row, size);
	if (r == 0)
		fault = find_fault(&read);
	if (fault)
		fail(fault, row, size);
	storage_row_fini(&read);
	strict_free(json);
	return 0;
}

#ifndef CVX_LIBFUZZER

static const char *const seeds[] = {
	"{\"_id\":\"kg202081040g2081040g2081056ha43g\","
	"\"_creationTime\":1700000000000.5,"
	"\"sha256\":\"ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=\","
	"\"size\":3,\"contentType\":\"text/html; charset=UTF-8\","
	"\"internalId\":\"3f2504e0-4f89-41d3-9a0c-0305e82c3301\"}",
	"{ \"size\" : -9223372036854775808, "
	"\"contentType\":\"A/b;c=\\\"d\\\"\","
	"\"\\u005fid\":\"4c0g2081040g2081040g20819mas71r\",\"x\":[{}, [1e5]],"
	"\"internalId\":\"{3F2504E0-4F89-41D3-9A0C-0305E82C3301}\"}",
	("{\"_id\":\"kg202081040g2081040g2081056ha43g\",\"contentType\":null,"
	 "\"internalId\":\"3F2504E04F8941D39A0C0305E82C3301\",\"size\":0}"),
};

struct mutant {
	uint64_t state; /* of the generator, never 0 */
	size_t size;
	char bytes[ROW_MAX];
};

/* xorshift64* */
static uint32_t below(struct mutant *m, size_t limit)
{
	m->state ^= m->state >> 12;
	m->state ^= m->state << 25;
	m->state ^= m->state >> 27;
	return (uint32_t)((m->state * UINT64_C(0x2545f4914f6cdd1d) >> 33) %
			  limit);
}

static void mutate_once(struct mutant *m)
{
	static const char telling[] = "\"\\{}[],:;/=-.0 9eE+u\x7f\xc3";
	size_t at = below(m, m->size), n = 1 + below(m, 12), from;

	if (n > m->size - at)
		n = m->size - at;
	from = below(m, m->size - n + 1);
	switch (below(m, 4)) {
	case 0:
		m->bytes[at] = telling[below(m, sizeof(telling) - 1)];
		break;
	case 1:
		m->bytes[at] = (char)below(m, 256);
		break;
	case 2: /* bytes of another place */
		memmove(m->bytes + at, m->bytes + from, n);
		break;
	default: /* some are gone */
		if (m->size > n) {
			memmove(m->bytes + at, m->bytes + at + n,
				m->size - at - n);
			m->size -= n;
		}
	}
}

int main(void)
{
	static struct mutant m = {.state = UINT64_C(0x5deece66d2b79f1)};
	const char *text = getenv("CVX_FUZZ_LOOPS"), *seed = getenv("CVX_SEED");
	long i, loops = text ? strtol(text, NULL, 10) * 20 : LOOPS;

	if (seed)
		m.state ^= strtoull(seed, NULL, 10) << 32;
	printf("1..1\n");
	for (i = 0; i < loops; i++) {
		const char *from = seeds[i % 3];
		uint32_t n;

		m.size = strlen(from);
		memcpy(m.bytes, from, m.size);
		for (n = below(&m, 4); n > 0; n--)
			mutate_once(&m);
		(void)LLVMFuzzerTestOneInput((const uint8_t *)m.bytes, m.size);
	}
	printf("ok 1 - %ld rows are read or refused\n", loops);
	return 0;
}

#endif
