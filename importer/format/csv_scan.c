#include "importer/format/csv_scan.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "importer/format/text.h"

#define WINDOW_SIZE 64
#define NO_WINDOW (~(size_t)(WINDOW_SIZE - 1))

#ifdef __SSE2__

static uint64_t bits_of(const __m128i bytes[4], char byte)
{
	const __m128i wanted = _mm_set1_epi8(byte);
	uint64_t bits = 0;

	for (int i = 0; i < 4; i++) {
		__m128i equal = _mm_cmpeq_epi8(bytes[i], wanted);

		bits |= (uint64_t)(uint32_t)_mm_movemask_epi8(equal)
			<< (16 * i);
	}
	return bits;
}

static void read_window(struct csv_scan *s, const char *p)
{
	__m128i bytes[4];

	for (int i = 0; i < 4; i++)
		bytes[i] = _mm_loadu_si128((const __m128i *)(p + 16 * i));
	s->ends = bits_of(bytes, '\n') | bits_of(bytes, '\r');
	s->seps = s->ends | bits_of(bytes, ',');
	s->quotes = bits_of(bytes, '"');
}

#else

static void read_window(struct csv_scan *s, const char *p)
{
	s->ends = s->seps = s->quotes = 0;
	for (int i = 0; i < WINDOW_SIZE; i++) {
		uint64_t bit = (uint64_t)1 << i;

		if (p[i] == '\n' || p[i] == '\r')
			s->ends |= bit;
		else if (p[i] == ',')
			s->seps |= bit;
		else if (p[i] == '"')
			s->quotes |= bit;
	}
	s->seps |= s->ends;
}

#endif

/* Makes the window the one that pos, which is within the text, lies in. */
static void move_window(struct csv_scan *s, size_t pos)
{
	size_t left;

	s->base = pos & ~(size_t)(WINDOW_SIZE - 1);
	left = s->size - s->base;
	if (left >= WINDOW_SIZE) {
		read_window(s, s->text + s->base);
	} else {
		char rest[WINDOW_SIZE] = {0};

		memcpy(rest, s->text + s->base, left);
		read_window(s, rest);
	}
}

static inline void reach(struct csv_scan *s, size_t pos)
{
	if (pos - s->base >= WINDOW_SIZE)
		move_window(s, pos);
}

/* The next separator at or behind pos, or the end of the text. */
static inline size_t next_sep(struct csv_scan *s, size_t pos)
{
	while (pos < s->size) {
		uint64_t bits;

		reach(s, pos);
		bits = s->seps >> (pos - s->base);
		if (bits != 0)
			return pos + (size_t)__builtin_ctzll(bits);
		pos = s->base + WINDOW_SIZE;
	}
	return s->size;
}

static inline size_t next_quote(struct csv_scan *s, size_t pos)
{
	while (pos < s->size) {
		uint64_t bits;

		reach(s, pos);
		bits = s->quotes >> (pos - s->base);
		if (bits != 0)
			return pos + (size_t)__builtin_ctzll(bits);
		pos = s->base + WINDOW_SIZE;
	}
	return s->size;
}

/*
 * The quote that closes the one before pos, or the end of the text; sets
 * *doubled when there are doubled quotes in between.
 */
static inline size_t closing_quote(struct csv_scan *s, size_t pos,
				   bool *doubled)
{
	for (;;) {
		pos = next_quote(s, pos);
		if (pos + 1 >= s->size || s->text[pos + 1] != '"')
			return pos;
		*doubled = true;
		pos += 2;
	}
}

static inline bool next_field(struct csv_scan *s, size_t *pos,
			      struct csv_cell *ret)
{
	size_t start = *pos, end;

	ret->text = s->text + start;
	ret->raw = false;
	if (start < s->size && s->text[start] == '"') {
		size_t close = closing_quote(s, start + 1, &ret->raw);

		end = close < s->size ? next_sep(s, close + 1) : close;
		/* The usual field "…" is a part of the text; one that was not
		 * closed, or goes on behind the quote, is not so simple. */
		if (ret->raw || end != close + 1) {
			ret->raw = true;
			ret->size = end - start;
		} else {
			ret->text++;
			ret->size = close - start - 1;
		}
	} else {
		end = next_sep(s, start);
		ret->size = end - start;
	}
	if (end == s->size) {
		s->ran_out = true;
		*pos = end;
		return false;
	}
	*pos = end + 1;
	return s->text[end] == ',';
}

void csv_scan_init(struct csv_scan *s, const char *text, size_t size)
{
	/* No pos lies in this window: the first look moves it. */
	*s = (struct csv_scan){.text = text, .size = size, .base = NO_WINDOW};
}

size_t csv_skip_blank(const char *text, size_t size, size_t pos)
{
	while (pos < size && (text[pos] == '\n' || text[pos] == '\r'))
		pos++;
	return pos;
}

bool csv_next_field(struct csv_scan *s, size_t *pos, struct csv_cell *ret)
{
	return next_field(s, pos, ret);
}

size_t csv_next_record(struct csv_scan *s, size_t *pos, const uint16_t *slot_of,
		       size_t column_count, struct csv_cell *cells)
{
	struct csv_cell ignored;
	size_t count = 0, at = *pos;
	bool more;

	do {
		more = next_field(s, &at,
				  count < column_count ? &cells[slot_of[count]]
						       : &ignored);
		count++;
	} while (more);
	*pos = at;
	return count;
}

size_t csv_unquote(const char *text, size_t size, char *out)
{
	const char *end = text + size;
	const char *p = text + 1;
	char *to = out;

	while (p < end) {
		const char *quote = memchr(p, '"', (size_t)(end - p));
		const char *stop = quote ? quote : end;

		memcpy(to, p, (size_t)(stop - p));
		to += stop - p;
		if (!quote)
			break;
		p = quote + 1;
		if (p == end || *p != '"') {
			/* Closed: what follows is data as it stands. */
			memcpy(to, p, (size_t)(end - p));
			to += end - p;
			break;
		}
		*to++ = *p++;
	}
	return (size_t)(to - out);
}

size_t csv_find_end(const char *text, size_t size, uint64_t count_max,
		    uint64_t *ret_count)
{
	struct csv_scan s;
	size_t pos = 0, end = 0;
	uint64_t count = 0;

	csv_scan_init(&s, text, size);
	while (count < count_max) {
		size_t sep = pos;
		bool doubled;

		if (pos < size && text[pos] == '"')
			sep = closing_quote(&s, pos + 1, &doubled) + 1;
		sep = next_sep(&s, sep);
		if (sep >= size)
			break;
		pos = sep + 1;
		if (text[sep] != ',') {
			end = pos;
			/* CR LF is one line end. */
			if (text[sep] != '\n' || sep == 0 ||
			    text[sep - 1] != '\r')
				count++;
		}
	}
	*ret_count = count;
	return end;
}

size_t csv_last_line_end(const char *text, size_t size)
{
	const char *lf = size > 0 ? memrchr(text, '\n', size) : NULL;
	size_t end = lf ? (size_t)(lf - text) + 1 : 0;
	const char *cr =
		size > end ? memrchr(text + end, '\r', size - end) : NULL;

	return cr ? (size_t)(cr - text) + 1 : end;
}

uint64_t csv_count_line_ends(const char *text, size_t size)
{
	uint64_t count = 0;

	if (size == 0 || !memchr(text, '\r', size))
		return text_count(text, size, '\n');
	for (size_t i = 0; i < size; i++)
		count += text[i] == '\r' ||
			 (text[i] == '\n' && (i == 0 || text[i - 1] != '\r'));
	return count;
}
