#include "importer/value/id.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cache/base/log.h"

#define VARINT_MAX 5
#define CHECKSUM_SIZE 2
#define BINARY_MAX 32 /* 23, and the zeros that base32_write reads */

/* The value of a base32 character plus one; 0: not in the alphabet. */
static const uint8_t values[256] = {
	['0'] = 1,  ['1'] = 2,	['2'] = 3,  ['3'] = 4,	['4'] = 5,  ['5'] = 6,
	['6'] = 7,  ['7'] = 8,	['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
	['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['g'] = 17, ['h'] = 18,
	['j'] = 19, ['k'] = 20, ['m'] = 21, ['n'] = 22, ['p'] = 23, ['q'] = 24,
	['r'] = 25, ['s'] = 26, ['t'] = 27, ['v'] = 28, ['w'] = 29, ['x'] = 30,
	['y'] = 31, ['z'] = 32,
};

/* Fletcher-16, but modulo 256 (import.md 2.1). */
static void checksum(const uint8_t *bytes, size_t size,
		     uint8_t sums[CHECKSUM_SIZE])
{
	const uint64_t lanes = UINT64_C(0x00ff00ff00ff00ff);
	const uint64_t ones = UINT64_C(0x0001000100010001);
	const uint64_t even = UINT64_C(0x0008000600040002);
	const uint64_t odd = UINT64_C(0x0007000500030001);
	unsigned a = 0, b = 0;

	/* Eight bytes at once: the upper lane of a product is the sum of all
	 * lanes, each with its weight. The first byte weighs 8, as it is part
	 * of so many sums, the last one 1. */
	for (; size >= 8; size -= 8, bytes += 8) {
		uint64_t word, x, y;

		memcpy(&word, bytes, sizeof(word));
		word = le64toh(word);
		x = word & lanes;
		y = word >> 8 & lanes;
		b += 8 * a + (unsigned)((x * even + y * odd) >> 48);
		a += (unsigned)((x + y) * ones >> 48);
	}
	for (; size > 0; size--) {
		a += *bytes++;
		b += a;
	}
	sums[0] = (uint8_t)a;
	sums[1] = (uint8_t)b;
}

static size_t varint_write(uint32_t n, uint8_t *out)
{
	size_t size = 0;

	for (; n >= 0x80; n >>= 7)
		out[size++] = (uint8_t)(n | 0x80);
	out[size++] = (uint8_t)n;
	return size;
}

/* Returns the size of the varint, 0 if it does not end in time. */
static size_t varint_read(const uint8_t *bytes, size_t size, uint32_t *ret)
{
	uint32_t n = 0;

	for (size_t i = 0; i < size && i < VARINT_MAX; i++) {
		/* Bits above 2^32 get lost; id_decode sees it in the end. */
		n |= (uint32_t)(bytes[i] & 0x7f) << (7 * i);
		if (bytes[i] < 0x80) {
			*ret = n;
			return i + 1;
		}
	}
	return 0;
}

/* All pairs of characters, in order: ten bits at once. */
#define PAIRS(c)                                                               \
	c "0" c "1" c "2" c "3" c "4" c "5" c "6" c "7" c "8" c "9" c "a" c    \
	  "b" c "c" c "d" c "e" c "f" c "g" c "h" c "j" c "k" c "m" c "n" c    \
	  "p" c "q" c "r" c "s" c "t" c "v" c "w" c "x" c "y" c "z"

static const char pairs[] = PAIRS("0") PAIRS("1") PAIRS("2") PAIRS("3")
	PAIRS("4") PAIRS("5") PAIRS("6") PAIRS("7") PAIRS("8") PAIRS("9")
		PAIRS("a") PAIRS("b") PAIRS("c") PAIRS("d") PAIRS("e")
			PAIRS("f") PAIRS("g") PAIRS("h") PAIRS("j") PAIRS("k")
				PAIRS("m") PAIRS("n") PAIRS("p") PAIRS("q")
					PAIRS("r") PAIRS("s") PAIRS("t")
						PAIRS("v") PAIRS("w") PAIRS("x")
							PAIRS("y") PAIRS("z");

static inline void eight_chars(uint64_t bits, char *text)
{
	memcpy(text, pairs + 2 * (bits >> 30), 2);
	memcpy(text + 2, pairs + 2 * (bits >> 20 & 1023), 2);
	memcpy(text + 4, pairs + 2 * (bits >> 10 & 1023), 2);
	memcpy(text + 6, pairs + 2 * (bits & 1023), 2);
}

static inline uint64_t load_40_bits(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return be64toh(word) >> 24;
}

/* Reads up to 8 bytes behind the last one, of which zeros are used. */
static size_t base32_write(const uint8_t *bytes, size_t size, char *text)
{
	size_t length = (size * 8 + 4) / 5, at = 0;
	char last[8];

	for (; length - at >= 8; at += 8, bytes += 5)
		eight_chars(load_40_bits(bytes), text + at);
	if (at < length) {
		eight_chars(load_40_bits(bytes), last);
		memcpy(text + at, last, length - at);
	}
	return length;
}

/* 40 bits; above them, if a character is not in the alphabet, others. */
static inline uint64_t read_eight_chars(const char *text)
{
	uint64_t bits = 0;
	uint8_t all = 0;

	for (size_t i = 0; i < 8; i++) {
		uint8_t value = (uint8_t)(values[(uint8_t)text[i]] - 1);

		all |= value; /* 255, where it is none */
		bits = bits << 5 | (value & 31);
	}
	return all > 31 ? UINT64_MAX : bits;
}

/* Drops the bits behind the last whole byte. False: not the alphabet. Writes
 * up to 3 bytes behind the last one. */
static bool base32_read(const char *text, size_t size, uint8_t *bytes)
{
	uint64_t bits, word;
	char last[8];

	for (; size > 0; size -= 8, text += 8, bytes += 5) {
		if (size < 8) {
			memset(last, '0', sizeof(last));
			memcpy(last, text, size);
			text = last;
		}
		bits = read_eight_chars(text);
		if (bits == UINT64_MAX)
			return false;
		word = htobe64(bits << 24);
		memcpy(bytes, &word, sizeof(word));
		if (size < 8)
			break;
	}
	return true;
}

size_t id_encode(uint32_t table, const struct internal_id *id,
		 char text[ID_TEXT_MAX])
{
	uint8_t binary[BINARY_MAX] = {0};
	size_t size;

	assert(table != 0);
	size = varint_write(table, binary);
	memcpy(binary + size, id->bytes, ID_SIZE);
	size += ID_SIZE;
	checksum(binary, size, binary + size);
	return base32_write(binary, size + CHECKSUM_SIZE, text);
}

int id_decode(const char *text, size_t size, uint32_t *ret_table,
	      struct internal_id *ret_id)
{
	uint8_t binary[BINARY_MAX], sums[CHECKSUM_SIZE];
	char again[ID_TEXT_MAX];
	struct internal_id id;
	uint32_t table;
	size_t number_size;

	if (size < ID_TEXT_MIN || size > ID_TEXT_MAX ||
	    !base32_read(text, size, binary))
		return -EINVAL;
	number_size = varint_read(binary, size * 5 / 8, &table);
	if (number_size == 0 || table == 0 ||
	    number_size + ID_SIZE + CHECKSUM_SIZE != size * 5 / 8)
		return -EINVAL;
	checksum(binary, number_size + ID_SIZE, sums);
	if (memcmp(sums, binary + number_size + ID_SIZE, CHECKSUM_SIZE) != 0)
		return -EINVAL;
	memcpy(id.bytes, binary + number_size, ID_SIZE);

	/* Overlong numbers, lost bits and stray bits at the end show here. Of
	 * most ids there can be none. */
	if ((size * 5 % 8 > 0 || number_size == VARINT_MAX ||
	     (number_size > 1 && binary[number_size - 1] == 0)) &&
	    (id_encode(table, &id, again) != size ||
	     memcmp(again, text, size) != 0))
		return -EINVAL;
	*ret_table = table;
	*ret_id = id;
	return 0;
}

void id_from_stamp(const struct id_stamp *stamp, uint64_t n,
		   struct internal_id *ret_id)
{
	uint64_t ms = htobe64(stamp->ms << 16);
	uint64_t counter = htobe64(stamp->counter + n);
	uint16_t day = htobe16(stamp->day);

	memcpy(ret_id->bytes, &ms, 6);
	memcpy(ret_id->bytes + 6, &counter, 8);
	memcpy(ret_id->bytes + 14, &day, 2);
}

void id_stamp_init(struct id_stamp *stamp, uint64_t now_ms)
{
	uint64_t random = 0;

	/*
	 * Up to 256 bytes come whole and without interruption once the kernel
	 * has seeded its pool, so only a kernel without the call can fail.
	 */
	if (getrandom(&random, sizeof(random), 0) != sizeof(random)) {
		log_error("document ids: the kernel gives no random bytes: %m");
		abort();
	}
	stamp->ms = now_ms & ((UINT64_C(1) << 48) - 1);
	stamp->counter = random >> 1;
	stamp->day = (uint16_t)(now_ms / 86400000);
}

int id_compare(const struct internal_id *a, const struct internal_id *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a->bytes, ID_SIZE);
	memcpy(y, b->bytes, ID_SIZE);
	if (x[0] == y[0]) {
		x[0] = x[1];
		y[0] = y[1];
	}
	x[0] = be64toh(x[0]);
	y[0] = be64toh(y[0]);
	return (x[0] > y[0]) - (x[0] < y[0]);
}
