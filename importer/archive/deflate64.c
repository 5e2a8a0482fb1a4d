#include "importer/archive/deflate64.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW_SIZE ((size_t)1 << 16)
#define BITS_MAX 15 /* of a code */
#define FAST_BITS 10
#define LENGTH_SYMBOLS 286 /* 288 have codes in fixed blocks */
#define LENGTH_CODES 288
#define DISTANCE_SYMBOLS 32
#define END_OF_BLOCK 256

/*
 * A prefix code. Symbols of at most FAST_BITS bits are looked up; longer ones
 * are counted out, one bit after the other.
 */
struct code {
	uint16_t fast[1 << FAST_BITS]; /* symbol << 4 | size; 0: not here */
	uint16_t count[BITS_MAX + 1];  /* of symbols by size */
	uint16_t symbols[LENGTH_CODES];
};

enum state {
	BLOCK_HEAD,
	STORED_HEAD,
	STORED,
	TABLE_HEAD,
	TABLE_ORDER,
	TABLE_SIZES,
	SYMBOL,
	DISTANCE,
	COPY,
	END,
};

/* What a step of the machine came to. */
enum step {
	STEP_ON,
	STEP_WANTS, /* more to read, or room */
	STEP_DAMAGED,
};

struct deflate64 {
	enum state state;
	bool is_last;
	uint64_t hold; /* bits that were read, the next one lowest */
	unsigned held;

	uint32_t left;	   /* bytes of a stored block, or of a match */
	uint32_t distance; /* of the match */
	unsigned length_count, distance_count, order_count, at;
	uint8_t sizes[LENGTH_CODES + DISTANCE_SYMBOLS];
	struct code lengths, distances; /* lengths: also of the sizes' code */

	uint64_t made;
	unsigned char window[WINDOW_SIZE];
};

struct deflate64 *deflate64_new(void)
{
	return calloc(1, sizeof(struct deflate64));
}

void deflate64_free(struct deflate64 *d)
{
	free(d);
}

static void refill(struct deflate64 *d, struct decoder_io *io)
{
	while (d->held <= 56 && io->in_size > 0) {
		d->hold |= (uint64_t)*io->in << d->held;
		d->held += 8;
		io->in++;
		io->in_size--;
	}
}

static uint32_t take(struct deflate64 *d, unsigned count)
{
	uint32_t bits = (uint32_t)(d->hold & ((UINT64_C(1) << count) - 1));

	d->hold >>= count;
	d->held -= count;
	return bits;
}

static void put(struct deflate64 *d, struct decoder_io *io, unsigned char byte)
{
	d->window[d->made++ % WINDOW_SIZE] = byte;
	*io->out++ = byte;
	io->out_size--;
}

/* The bits of a code stand highest first. */
static unsigned reverse(unsigned code, unsigned size)
{
	unsigned out = 0;

	while (size-- > 0) {
		out = out << 1 | (code & 1);
		code >>= 1;
	}
	return out;
}

static void fill_fast(struct code *c, unsigned code, unsigned size,
		      unsigned symbol)
{
	unsigned i;

	for (i = reverse(code, size); i < 1 << FAST_BITS; i += 1u << size)
		c->fast[i] = (uint16_t)(symbol << 4 | size);
}

/*
 * Gives codes to the symbols. False if they have too many, or too few unless
 * there is none at all, or one of a single bit.
 */
static bool build(struct code *c, const uint8_t *sizes, unsigned count)
{
	unsigned next[BITS_MAX + 2] = {0}, at[BITS_MAX + 2] = {0}, i, largest;
	int left = 1;

	memset(c->fast, 0, sizeof(c->fast));
	memset(c->count, 0, sizeof(c->count));
	for (i = 0; i < count; i++)
		c->count[sizes[i]]++;
	c->count[0] = 0;
	largest = 0;
	for (i = 1; i <= BITS_MAX; i++) {
		left = 2 * left - c->count[i];
		if (left < 0)
			return false;
		next[i + 1] = (next[i] + c->count[i]) << 1;
		at[i + 1] = at[i] + c->count[i];
		if (c->count[i] > 0)
			largest = i;
	}
	if (left > 0 && largest > 1)
		return false;
	for (i = 0; i < count; i++) {
		if (sizes[i] == 0)
			continue;
		c->symbols[at[sizes[i]]++] = (uint16_t)i;
		if (sizes[i] <= FAST_BITS)
			fill_fast(c, next[sizes[i]], sizes[i], i);
		next[sizes[i]]++;
	}
	return true;
}

/* The next symbol in *ret. */
static enum step read_symbol(struct deflate64 *d, const struct code *c,
			     unsigned *ret)
{
	unsigned entry = c->fast[d->hold & ((1 << FAST_BITS) - 1)];
	unsigned size = entry & 15, code = 0, first = 0, index = 0;

	if (size > 0 && size <= d->held) {
		(void)take(d, size);
		*ret = entry >> 4;
		return STEP_ON;
	}
	for (size = 1; size <= BITS_MAX; size++) {
		if (size > d->held)
			return STEP_WANTS;
		code = code << 1 | (unsigned)(d->hold >> (size - 1) & 1);
		first <<= 1;
		if (code < first + c->count[size]) {
			(void)take(d, size);
			*ret = c->symbols[index + code - first];
			return STEP_ON;
		}
		index += c->count[size];
		first += c->count[size];
	}
	return STEP_DAMAGED;
}

static void build_fixed(struct deflate64 *d)
{
	uint8_t sizes[LENGTH_CODES];

	memset(sizes, 8, 144);
	memset(sizes + 144, 9, 112);
	memset(sizes + 256, 7, 24);
	memset(sizes + 280, 8, 8);
	(void)build(&d->lengths, sizes, LENGTH_CODES); /* they fit */
	memset(sizes, 5, DISTANCE_SYMBOLS);
	(void)build(&d->distances, sizes, DISTANCE_SYMBOLS);
}

static enum step read_block_head(struct deflate64 *d)
{
	if (d->is_last) {
		d->state = END;
		return STEP_ON;
	}
	if (d->held < 3)
		return STEP_WANTS;
	d->is_last = take(d, 1);
	switch (take(d, 2)) {
	case 0:
		(void)take(d, d->held % 8);
		d->state = STORED_HEAD;
		return STEP_ON;
	case 1:
		build_fixed(d);
		d->state = SYMBOL;
		return STEP_ON;
	case 2:
		d->state = TABLE_HEAD;
		return STEP_ON;
	default:
		return STEP_DAMAGED;
	}
}

static enum step read_stored_head(struct deflate64 *d)
{
	uint32_t size;

	if (d->held < 32)
		return STEP_WANTS;
	size = take(d, 16);
	if (take(d, 16) != (size ^ 0xffff))
		return STEP_DAMAGED;
	d->left = size;
	d->state = STORED;
	return STEP_ON;
}

static enum step read_stored(struct deflate64 *d, struct decoder_io *io)
{
	while (d->left > 0) {
		if (io->out_size == 0 || d->held < 8)
			return STEP_WANTS;
		put(d, io, (unsigned char)take(d, 8));
		refill(d, io);
		d->left--;
	}
	d->state = BLOCK_HEAD;
	return STEP_ON;
}

static enum step read_table_head(struct deflate64 *d)
{
	if (d->held < 14)
		return STEP_WANTS;
	d->length_count = take(d, 5) + 257;
	d->distance_count = take(d, 5) + 1;
	d->order_count = take(d, 4) + 4;
	if (d->length_count > LENGTH_SYMBOLS)
		return STEP_DAMAGED;
	memset(d->sizes, 0, sizeof(d->sizes));
	d->at = 0;
	d->state = TABLE_ORDER;
	return STEP_ON;
}

static enum step read_table_order(struct deflate64 *d)
{
	static const uint8_t order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
					  11, 4,  12, 3, 13, 2, 14, 1, 15};

	if (d->at < d->order_count) {
		if (d->held < 3)
			return STEP_WANTS;
		d->sizes[order[d->at++]] = (uint8_t)take(d, 3);
		return STEP_ON;
	}
	if (!build(&d->lengths, d->sizes, sizeof(order)))
		return STEP_DAMAGED;
	memset(d->sizes, 0, sizeof(order));
	d->at = 0;
	d->state = TABLE_SIZES;
	return STEP_ON;
}

static enum step end_table(struct deflate64 *d)
{
	if (d->sizes[END_OF_BLOCK] == 0 ||
	    !build(&d->lengths, d->sizes, d->length_count) ||
	    !build(&d->distances, d->sizes + d->length_count,
		   d->distance_count))
		return STEP_DAMAGED;
	d->state = SYMBOL;
	return STEP_ON;
}

/* One size, or several that are equal. */
static enum step read_table_size(struct deflate64 *d)
{
	static const struct {
		uint8_t bits, least;
	} repeats[] = {{2, 3}, {3, 3}, {7, 11}};
	const uint64_t hold = d->hold;
	const unsigned held = d->held;
	unsigned symbol, count;
	uint8_t size = 0;
	enum step step;

	if (d->at == d->length_count + d->distance_count)
		return end_table(d);
	step = read_symbol(d, &d->lengths, &symbol);
	if (step != STEP_ON)
		return step;
	if (symbol < 16) {
		d->sizes[d->at++] = (uint8_t)symbol;
		return STEP_ON;
	}
	symbol -= 16;
	if (d->held < repeats[symbol].bits) {
		d->hold = hold;
		d->held = held;
		return STEP_WANTS;
	}
	if (symbol == 0) {
		if (d->at == 0)
			return STEP_DAMAGED;
		size = d->sizes[d->at - 1];
	}
	count = repeats[symbol].least + take(d, repeats[symbol].bits);
	if (count > d->length_count + d->distance_count - d->at)
		return STEP_DAMAGED;
	memset(d->sizes + d->at, size, count);
	d->at += count;
	return STEP_ON;
}

/* A byte, the start of a match or the end of the block. */
static enum step read_length(struct deflate64 *d, struct decoder_io *io)
{
	static const struct {
		uint8_t base, bits;
	} lengths[] = {
		{3, 0},	  {4, 0},   {5, 0},   {6, 0},	{7, 0},	 {8, 0},
		{9, 0},	  {10, 0},  {11, 1},  {13, 1},	{15, 1}, {17, 1},
		{19, 2},  {23, 2},  {27, 2},  {31, 2},	{35, 3}, {43, 3},
		{51, 3},  {59, 3},  {67, 4},  {83, 4},	{99, 4}, {115, 4},
		{131, 5}, {163, 5}, {195, 5}, {227, 5}, {3, 16},
	};
	const uint64_t hold = d->hold;
	const unsigned held = d->held;
	unsigned symbol;
	enum step step;

	if (io->out_size == 0)
		return STEP_WANTS;
	step = read_symbol(d, &d->lengths, &symbol);
	if (step != STEP_ON)
		return step;
	if (symbol < END_OF_BLOCK) {
		put(d, io, (unsigned char)symbol);
		return STEP_ON;
	}
	if (symbol == END_OF_BLOCK) {
		d->state = BLOCK_HEAD;
		return STEP_ON;
	}
	symbol -= END_OF_BLOCK + 1;
	if (symbol >= sizeof(lengths) / sizeof(*lengths))
		return STEP_DAMAGED;
	if (d->held < lengths[symbol].bits) {
		d->hold = hold;
		d->held = held;
		return STEP_WANTS;
	}
	d->left = lengths[symbol].base + take(d, lengths[symbol].bits);
	d->state = DISTANCE;
	return STEP_ON;
}

static enum step read_distance(struct deflate64 *d)
{
	const uint64_t hold = d->hold;
	const unsigned held = d->held;
	unsigned symbol, bits;
	enum step step = read_symbol(d, &d->distances, &symbol);

	if (step != STEP_ON)
		return step;
	bits = symbol < 2 ? 0 : symbol / 2 - 1;
	if (d->held < bits) {
		d->hold = hold;
		d->held = held;
		return STEP_WANTS;
	}
	d->distance = symbol < 2
			      ? symbol + 1
			      : ((2 + symbol % 2) << bits) + 1 + take(d, bits);
	if (d->distance > d->made)
		return STEP_DAMAGED;
	d->state = COPY;
	return STEP_ON;
}

static enum step copy(struct deflate64 *d, struct decoder_io *io)
{
	while (d->left > 0) {
		if (io->out_size == 0)
			return STEP_WANTS;
		put(d, io, d->window[(d->made - d->distance) % WINDOW_SIZE]);
		d->left--;
	}
	d->state = SYMBOL;
	return STEP_ON;
}

static enum step step_on(struct deflate64 *d, struct decoder_io *io)
{
	switch (d->state) {
	case BLOCK_HEAD:
		return read_block_head(d);
	case STORED_HEAD:
		return read_stored_head(d);
	case STORED:
		return read_stored(d, io);
	case TABLE_HEAD:
		return read_table_head(d);
	case TABLE_ORDER:
		return read_table_order(d);
	case TABLE_SIZES:
		return read_table_size(d);
	case SYMBOL:
		return read_length(d, io);
	case DISTANCE:
		return read_distance(d);
	case COPY:
		return copy(d, io);
	case END:
		break;
	}
	return STEP_WANTS;
}

enum decoder_outcome deflate64_run(struct deflate64 *d, struct decoder_io *io)
{
	enum step step;

	do {
		refill(d, io);
		step = step_on(d, io);
	} while (step == STEP_ON);
	if (step == STEP_DAMAGED)
		return DECODER_DAMAGED;
	return d->state == END ? DECODER_ENDED : DECODER_GOES_ON;
}
