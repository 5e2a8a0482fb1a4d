#include "importer/format/csv_scan.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define WINDOW_SIZE 64

/* A bit for each of 64 bytes. */
struct window {
	uint64_t lfs;
	uint64_t ends; /* CR, LF */
	uint64_t seps; /* those and ',' */
	uint64_t quotes;
};

#ifdef __SSE2__

static inline void see_16(struct window *w, const char *p, unsigned shift)
{
	const __m128i bytes = _mm_loadu_si128((const __m128i *)p);
	__m128i lfs = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n'));
	__m128i ends =
		_mm_or_si128(lfs, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\r')));
	__m128i seps =
		_mm_or_si128(ends, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(',')));
	__m128i quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));

	w->lfs |= (uint64_t)(unsigned)_mm_movemask_epi8(lfs) << shift;
	w->ends |= (uint64_t)(unsigned)_mm_movemask_epi8(ends) << shift;
	w->seps |= (uint64_t)(unsigned)_mm_movemask_epi8(seps) << shift;
	w->quotes |= (uint64_t)(unsigned)_mm_movemask_epi8(quotes) << shift;
}

static inline void see(struct window *w, const char *p)
{
	*w = (struct window){0};
	see_16(w, p, 0);
	see_16(w, p + 16, 16);
	see_16(w, p + 32, 32);
	see_16(w, p + 48, 48);
}

#else

static inline void see(struct window *w, const char *p)
{
	*w = (struct window){0};
	for (unsigned i = 0; i < WINDOW_SIZE; i++) {
		w->lfs |= (uint64_t)(p[i] == '\n') << i;
		w->ends |= (uint64_t)(p[i] == '\r') << i;
		w->seps |= (uint64_t)(p[i] == ',') << i;
		w->quotes |= (uint64_t)(p[i] == '"') << i;
	}
	w->ends |= w->lfs;
	w->seps |= w->ends;
}

#endif

/* The window at base, which is within the text. */
static inline void see_text(struct window *w, const char *text, size_t size,
			    size_t base)
{
	if (size - base >= WINDOW_SIZE) {
		see(w, text + base);
	} else {
		/* Zeros behind the text are nothing that is looked for. */
		char rest[WINDOW_SIZE] = {0};

		memcpy(rest, text + base, size - base);
		see(w, rest);
	}
}

/* Bits from n, which is at most WINDOW_SIZE. */
static inline uint64_t bits_from(size_t n)
{
	return n < WINDOW_SIZE ? ~(uint64_t)0 << n : 0;
}

static void move_window(struct csv_scan *s, size_t base)
{
	struct window w;

	see_text(&w, s->text, s->size, base);
	s->base = base;
	s->seps = w.seps;
	s->quotes = w.quotes;
}

/* False at the end of the text. */
static bool next_window(struct csv_scan *s)
{
	if (s->size - s->base <= WINDOW_SIZE)
		return false;
	move_window(s, s->base + WINDOW_SIZE);
	return true;
}

/* Passes a separator; returns where it is, or the end of the text. */
static inline size_t next_sep(struct csv_scan *s)
{
	size_t pos;

	while (s->seps == 0)
		if (!next_window(s))
			return s->size;
	pos = s->base + (size_t)__builtin_ctzll(s->seps);
	s->seps &= s->seps - 1;
	return pos;
}

/* The next quote from pos, which is not before the window; or the end. */
static inline size_t next_quote(struct csv_scan *s, size_t pos)
{
	for (;;) {
		size_t n = pos > s->base ? pos - s->base : 0;
		uint64_t bits = s->quotes &
				bits_from(n < WINDOW_SIZE ? n : WINDOW_SIZE);

		if (bits != 0)
			return s->base + (size_t)__builtin_ctzll(bits);
		if (!next_window(s))
			return s->size;
	}
}

/*
 * Passes the text between quotes, which begins at pos. Returns where the
 * closing quote is, or the end of the text; sets *doubled when there are
 * doubled quotes in between.
 */
static inline size_t closing_quote(struct csv_scan *s, size_t pos,
				   bool *doubled)
{
	for (;;) {
		pos = next_quote(s, pos);
		if (pos + 1 >= s->size || s->text[pos + 1] != '"')
			break;
		*doubled = true;
		pos += 2;
	}
	s->seps &= bits_from(pos - s->base);
	return pos;
}

/* A field ended at end; returns whether another one follows. */
static inline bool pass_sep(struct csv_scan *s, size_t end, size_t *pos)
{
	if (end == s->size) {
		s->ran_out = true;
		*pos = end;
		return false;
	}
	*pos = end + 1;
	return s->text[end] == ',';
}

static bool next_quoted(struct csv_scan *s, size_t *pos, struct csv_cell *ret)
{
	bool doubled = false;
	size_t close = closing_quote(s, *pos + 1, &doubled);
	size_t end = next_sep(s);

	/* The usual field "…" is a part of the text; one that was not closed,
	 * or goes on behind the quote, is not so simple. */
	ret->raw = doubled || end != close + 1;
	ret->text = s->text + *pos + !ret->raw;
	ret->size = end - *pos - (ret->raw ? 0 : 2);
	return pass_sep(s, end, pos);
}

static inline bool next_field(struct csv_scan *s, size_t *pos,
			      struct csv_cell *ret)
{
	size_t end;

	if (*pos < s->size && s->text[*pos] == '"')
		return next_quoted(s, pos, ret);
	end = next_sep(s);
	ret->text = s->text + *pos;
	ret->size = end - *pos;
	ret->raw = false;
	return pass_sep(s, end, pos);
}

void csv_scan_init(struct csv_scan *s, const char *text, size_t size)
{
	*s = (struct csv_scan){.text = text, .size = size};
	if (size > 0)
		move_window(s, 0);
}

bool csv_skip_blank(struct csv_scan *s, size_t *pos)
{
	while (*pos < s->size &&
	       (s->text[*pos] == '\n' || s->text[*pos] == '\r'))
		*pos = next_sep(s) + 1;
	return *pos < s->size;
}

bool csv_next_field(struct csv_scan *s, size_t *pos, struct csv_cell *ret)
{
	return next_field(s, pos, ret);
}

size_t csv_next_record(struct csv_scan *scan, size_t *pos,
		       const uint16_t *slot_of, size_t column_count,
		       struct csv_cell *cells)
{
	struct csv_scan s = *scan; /* in registers, as far as can be */
	struct csv_cell ignored;
	size_t count = 0, at = *pos;
	bool more;

	do {
		more = next_field(&s, &at,
				  count < column_count ? &cells[slot_of[count]]
						       : &ignored);
		count++;
	} while (more);
	*pos = at;
	*scan = s;
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

/*
 * A quote opens a field where it is the first byte of the text or follows a
 * separator, so only such quotes need to be looked at one by one. In between
 * all line ends are record ends.
 */
size_t csv_find_end(const char *text, size_t size, uint64_t count_max,
		    uint64_t *ret_count)
{
	struct csv_scan s = {.text = text, .size = size};
	size_t base = 0, from = 0, end = 0;
	uint64_t count = 0;

	while (base < size && count < count_max) {
		bool after_sep = true, after_cr = false, doubled;
		uint64_t live = bits_from(from - base), opening, ends;
		struct window w;
		size_t close;

		see_text(&w, text, size, base);
		if (base > 0) {
			char last = text[base - 1];

			after_cr = last == '\r';
			after_sep = after_cr || last == '\n' || last == ',';
		}
		opening = w.quotes & (w.seps << 1 | after_sep) & live;
		ends = w.ends & live;
		if (opening != 0)
			ends &= (opening & -opening) - 1;
		for (; ends != 0; ends &= ends - 1) {
			uint64_t bit = ends & -ends;

			end = base + (size_t)__builtin_ctzll(bit) + 1;
			/* CR LF is one, counted at its CR. */
			count += !(w.lfs & bit &
				   ((w.ends & ~w.lfs) << 1 | after_cr));
		}
		if (opening == 0) {
			base += WINDOW_SIZE;
			from = base;
			continue;
		}
		from = base + (size_t)__builtin_ctzll(opening) + 1;
		s.base = base;
		s.quotes = w.quotes;
		close = closing_quote(&s, from, &doubled);
		from = close + 1;
		base = from & ~(size_t)(WINDOW_SIZE - 1);
	}
	*ret_count = count;
	return end;
}
