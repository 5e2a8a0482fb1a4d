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
#define LANES 16

/* Fletcher-16, but modulo 256 (import.md 2.1). */
struct sums {
	unsigned a, b;
};

static inline void sum_byte(struct sums *sums, uint8_t byte)
{
	sums->a += byte;
	sums->b += sums->a;
}

/*
 * Eight bytes at once: the upper lane of a product is the sum of all lanes,
 * each with its weight. The first byte weighs 8, as it is part of so many sums,
 * the last one 1.
 */
static inline void sum_eight(struct sums *sums, const uint8_t *bytes)
{
	const uint64_t lanes = UINT64_C(0x00ff00ff00ff00ff);
	const uint64_t ones = UINT64_C(0x0001000100010001);
	const uint64_t even = UINT64_C(0x0008000600040002);
	const uint64_t odd = UINT64_C(0x0007000500030001);
	uint64_t word, x, y;

	memcpy(&word, bytes, sizeof(word));
	word = le64toh(word);
	x = word & lanes;
	y = word >> 8 & lanes;
	sums->b += 8 * sums->a + (unsigned)((x * even + y * odd) >> 48);
	sums->a += (unsigned)((x + y) * ones >> 48);
}

static void checksum(const uint8_t *bytes, size_t size,
		     uint8_t ret[CHECKSUM_SIZE])
{
	struct sums sums = {0, 0};

	for (; size >= 8; size -= 8, bytes += 8)
		sum_eight(&sums, bytes);
	for (; size > 0; size--)
		sum_byte(&sums, *bytes++);
	ret[0] = (uint8_t)sums.a;
	ret[1] = (uint8_t)sums.b;
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

/* Sixteen characters side by side; as signs those above U+007F are negative. */
typedef uint8_t lanes __attribute__((vector_size(LANES)));
typedef int8_t signs __attribute__((vector_size(LANES)));

/*
 * The values of characters; *bad is not 0 where one is not in the alphabet:
 * 0-9 and a-z without i, l, o and u. A comparison that holds gives -1.
 */
static inline lanes values_of(lanes c, lanes *bad)
{
	signs s = (signs)c, is_letter = s > '9';
	lanes letter = c - ('a' - 10) +
		       (lanes)((s > 'i') + (s > 'l') + (s > 'o') + (s > 'u'));

	*bad |= (lanes)((s < '0') | (is_letter & (s < 'a')) | (s > 'z') |
			(s == 'i') | (s == 'l') | (s == 'o') | (s == 'u'));
	return ((lanes)is_letter & letter) | (~(lanes)is_letter & (c - '0'));
}

static inline void read_values(const char *text, uint8_t *values, lanes *bad)
{
	lanes c;

	memcpy(&c, text, LANES);
	c = values_of(c, bad);
	memcpy(values, &c, LANES);
}

/* The 40 bits of eight values: first two become one, then four, then all. */
static inline uint64_t join_values(const uint8_t *eight)
{
	const uint64_t twos = UINT64_C(0x00ff00ff00ff00ff);
	const uint64_t fours = UINT64_C(0x0000ffff0000ffff);
	uint64_t x;

	memcpy(&x, eight, sizeof(x));
	x = le64toh(x);
	x = (x & twos) << 5 | (x >> 8 & twos);
	x = (x & fours) << 10 | (x >> 16 & fours);
	return (x & UINT32_MAX) << 20 | x >> 32;
}

/* Of ID_TEXT_MIN to ID_TEXT_MAX characters, and zeros behind their bits.
 * False: not the alphabet. */
static bool base32_read(const char *text, size_t size,
			uint8_t bytes[BINARY_MAX])
{
	uint8_t values[5 * 8] = {0};
	lanes bad = {0};
	uint64_t any[2], bits[5], words[4];
	unsigned i;

	/* The last sixteen may be read twice. */
	read_values(text, values, &bad);
	if (size > 2 * LANES)
		read_values(text + LANES, values + LANES, &bad);
	read_values(text + size - LANES, values + size - LANES, &bad);
	memcpy(any, &bad, sizeof(any));
	if (any[0] | any[1])
		return false;
	for (i = 0; i < 5; i++)
		bits[i] = join_values(values + 8 * i);
	words[0] = htobe64(bits[0] << 24 | bits[1] >> 16);
	words[1] = htobe64(bits[1] << 48 | bits[2] << 8 | bits[3] >> 32);
	words[2] = htobe64(bits[3] << 32 | bits[4] >> 8);
	words[3] = htobe64(bits[4] << 56);
	memcpy(bytes, words, sizeof(words));
	return true;
}

/*
 * Most table numbers take two bytes. Then the four groups of 40 bits come
 * straight from the parts: to put these together in memory first costs more
 * than all the rest, as loads wait for stores that they are not the same as.
 */
static size_t encode_usual(uint32_t table, const struct internal_id *id,
			   char *text)
{
	const uint8_t low = (uint8_t)(table | 0x80),
		      high = (uint8_t)(table >> 7);
	const uint64_t forty = (UINT64_C(1) << 40) - 1;
	struct sums sums = {0, 0};
	uint64_t first, second, check;

	memcpy(&first, id->bytes, 8);
	memcpy(&second, id->bytes + 8, 8);
	first = be64toh(first);
	second = be64toh(second);
	sum_byte(&sums, low);
	sum_byte(&sums, high);
	sum_eight(&sums, id->bytes);
	sum_eight(&sums, id->bytes + 8);
	check = (sums.a & 255) << 8 | (sums.b & 255);
	eight_chars((uint64_t)low << 32 | (uint64_t)high << 24 | first >> 40,
		    text);
	eight_chars(first & forty, text + 8);
	eight_chars(second >> 24, text + 16);
	eight_chars((second << 16 & forty) | check, text + 24);
	return 32;
}

size_t id_encode(uint32_t table, const struct internal_id *id,
		 char text[ID_TEXT_MAX])
{
	uint8_t binary[BINARY_MAX] = {0};
	size_t size;

	assert(table != 0);
	if (table >= 1U << 7 && table < 1U << 14)
		return encode_usual(table, id, text);
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
	/* 48 bits, 64 and 16, in two stores: see encode_usual. */
	uint64_t counter = stamp->counter + n;
	uint64_t first = htobe64(stamp->ms << 16 | counter >> 48);
	uint64_t second = htobe64(counter << 16 | stamp->day);

	memcpy(ret_id->bytes, &first, 8);
	memcpy(ret_id->bytes + 8, &second, 8);
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
