/*
 * scan_body: the loop of the scanner. Included by scan_scalar.c, scan_sse2.c
 * and scan_avx2.c, which define what differs:
 *
 *   SCAN_RUN     the name of the loop
 *   SCAN_TARGET  attributes of all functions
 *   SCAN_STEP    bytes in a block: 8, 16 or 32
 *   block_copy   copies a block; returns a bit for each byte that ends a run
 *                of plain characters, and in *high for each above U+007F
 *   digit_mask   a bit for each of 32 bytes that is a digit
 *   text_equals  whether so many bytes are the same, of which both places have
 *                SHAPE_KEY_TEXT_MAX; false for a larger size
 *
 * p is where to read, o where to write.
 */

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

SCAN_TARGET static inline const char *skip_space(struct scanner *s,
						 const char *p)
{
	return likely((unsigned char)*p > ' ') ? p : scan_space(s, p);
}

/* One space, as many writers put it, needs no loop. */
static inline const char *skip_one_space(const char *p)
{
	return p + (*p == ' ');
}

/* p is at the quote. The string is written with its quotes. */
SCAN_TARGET static inline const char *scan_string(struct scanner *s,
						  const char *p, char **out)
{
	char *o = *out;

	*o++ = '"';
	p++;
	for (;;) {
		uint32_t high, stop, length;

		if (unlikely(p > s->safe))
			p = scan_to_tail(s, p);
		stop = block_copy(p, o, &high);
		high &= stop ^ (stop - 1);
		length = stop ? (uint32_t)__builtin_ctz(stop) : SCAN_STEP;
		if (unlikely(high) && p + length > s->utf8_checked &&
		    !scan_utf8(s, p, high))
			return NULL;
		p += length;
		o += length;
		if (!stop)
			continue;
		if (likely(*p == '"')) {
			*o++ = '"';
			*out = o;
			return p + 1;
		}
		if (*p != '\\')
			return NULL; /* a control character, or the end */
		p = scan_escape(p, &o);
		if (!p)
			return NULL;
	}
}

/*
 * Numbers of up to 15 digits without exponent are their own shortest text,
 * save zeros at the end: any two of them are different doubles. A zero that is
 * alone behind the point stays.
 */
SCAN_TARGET static inline const char *
scan_short_number(struct scanner *s, const char *p, char **out)
{
	char *o = *out;
	const char *t = p + (*p == '-'), *end;
	uint64_t others = ~(uint64_t)digit_mask(t);
	unsigned whole = (unsigned)__builtin_ctzll(others), part;

	if (unlikely(whole - 1 >= 15 || (*t == '0' && whole > 1)))
		return scan_number(s, p, out);
	end = t + whole;
	if (*end == '.') {
		part = (unsigned)__builtin_ctzll(others >> (whole + 1));
		end += 1 + part;
		if (unlikely(part == 0 || (*end | 0x20) == 'e' ||
			     whole + part > 19))
			return scan_number(s, p, out);
		if (whole + part > 15 || (end[-1] == '0' && part > 1) ||
		    (*t == '0' && memcmp(t + 2, "0000", 4) == 0))
			return scan_decimal(p, t, whole, part, out);
		memcpy(o, p, 24);
		*out = o + (end - p);
		return end;
	}
	if (unlikely((*end | 0x20) == 'e'))
		return scan_number(s, p, out);
	memcpy(o, p, 16);
	o += end - p;
	if (s->integers && (*t != '0' || t == p)) {
		s->beyond_plain = true;
	} else { /* -0 is a float64 in any case */
		memcpy(o, ".0", 2);
		o += 2;
	}
	*out = o;
	return end;
}

/* Writes the key and its colon as the shape has them, if they are at p. */
SCAN_TARGET static inline bool take_known_key(const struct shape *shape,
					      uint32_t index, const char **p,
					      char **out, struct scan_member *m)
{
	size_t size = shape->size[index];

	if (!text_equals(*p, shape->key[index].text, size))
		return false;
	memcpy(*out, shape->key[index].text, 32);
	if (unlikely(size > 32))
		memcpy(*out + 32, shape->key[index].text + 32, 32);
	m->key_size = (uint16_t)(size - 3);
	m->known = (uint8_t)index;
	*p += size;
	*out += size;
	return true;
}

/* Reads a key that is not the next one of the shape, and its colon. */
SCAN_TARGET static __attribute__((noinline)) enum scan_outcome
scan_key(struct scanner *s, struct scan_frame *f, const char **place,
	 char **out, struct scan_member *m)
{
	const struct shape *shape = &s->shapes[f->shape];
	const char *p = skip_space(s, *place);
	char *start = *out;
	size_t size;

	*place = p;
	if (*p != '"')
		return SCAN_SYNTAX;
	if (m - f->first >= SCAN_FIELDS_MAX) {
		scan_too_many_fields(s, p);
		return SCAN_FAULT;
	}
	for (uint32_t skip = 0; skip <= SHAPE_SKIP_MAX; skip++)
		if (take_known_key(shape, f->expect + skip, place, out, m)) {
			f->expect += skip + 1;
			return SCAN_DONE;
		}

	p = scan_string(s, p, out);
	if (!p)
		return SCAN_SYNTAX;
	size = (size_t)(*out - start) - 2;
	if (s->wrappers && m == f->first &&
	    scan_is_wrapper_key(start + 1, size)) {
		f->wrapper = true;
		f->count = (uint32_t)scan_offset(s, *place);
	} else {
		s->fault = scan_check_key(start + 1, size);
		if (s->fault) {
			s->fault_off = scan_offset(s, *place);
			return SCAN_FAULT;
		}
	}
	p = skip_space(s, p);
	if (*p != ':')
		return SCAN_SYNTAX;
	*(*out)++ = ':';
	m->key_size = (uint16_t)size;
	m->known = SHAPE_UNKNOWN;
	f->missed = true;
	*place = p + 1;
	return SCAN_DONE;
}

SCAN_TARGET static inline const char *scan_literal(const char *p, char **out)
{
	const char *word = *p == 't' ? "true" : *p == 'n' ? "null" : "false";
	size_t size = *p == 'f' ? 5 : 4;

	if (memcmp(p, word, 4) != 0 || (size == 5 && p[4] != 'e'))
		return NULL;
	memcpy(*out, "false", 5);
	memcpy(*out, word, 4);
	*out += size;
	return p + size;
}

/* Which shape the objects have that are in the last field, or element. */
static inline uint16_t child_shape(struct scanner *s,
				   const struct scan_frame *f,
				   const struct scan_member *m)
{
	struct shape *shape = &s->shapes[f->shape];
	size_t member = (size_t)(m - 1 - f->first);

	if (!f->object)
		return f->shape;
	if (unlikely(member >= SHAPE_KEYS_MAX))
		return SHAPE_COUNT - 1;
	if (unlikely(shape->child[member] == 0))
		return scan_new_child(s, shape, member);
	return shape->child[member];
}

SCAN_TARGET enum scan_outcome SCAN_RUN(struct scanner *s, const char *p)
{
	struct scan_frame *const bottom = s->frames, *f = bottom;
	struct scan_member *m = s->members;
	char *o = s->row;
	enum scan_outcome outcome;
	uint16_t shape = 0;

value:
	/* The frequent ones first: tests are cheaper than a table of jumps. */
	if (likely(*p == '"')) {
		p = scan_string(s, p, &o);
		goto behind_scalar;
	}
	/* Signs are as good as random: one test. */
	if (likely(((unsigned char)(*p - '0') <= 9) | (*p == '-'))) {
		p = scan_short_number(s, p, &o);
		goto behind_scalar;
	}
	switch (*p) {
	case 't':
	case 'f':
	case 'n':
		p = scan_literal(p, &o);
		goto behind_scalar;
	case '{':
	case '[':
		if (f > bottom)
			shape = child_shape(s, f, m);
		if (unlikely(f == bottom + JSON_DEPTH_MAX))
			return SCAN_SYNTAX;
		f++;
		f->first = m;
		f->off = (uint32_t)(o - s->row);
		f->count = 0;
		f->expect = 0;
		f->shape = shape;
		f->version = s->shapes[shape].version;
		f->object = *p == '{';
		f->missed = false;
		f->wrapper = false;
		f->nesting_before = (uint8_t)s->nesting;
		if ((unsigned)(f - bottom) > s->nesting)
			s->nesting = (unsigned)(f - bottom);
		*o++ = *p++;
		if (unlikely(p > s->safe))
			p = scan_to_tail(s, p);
		p = skip_space(s, p);
		if (f->object) {
			if (*p == '}')
				goto close;
			goto member;
		}
		if (*p == ']')
			goto close;
		goto value;
	case ' ':
		if (likely((unsigned char)p[1] > ' ')) {
			p++;
			goto value;
		}
		/* fall through */
	case '\t':
	case '\n':
	case '\r':
		p = scan_space(s, p);
		goto value;
	default:
		return SCAN_SYNTAX;
	}

behind_scalar:
	if (unlikely(!p))
		return SCAN_SYNTAX;

behind_value:
	if (unlikely(p > s->safe))
		p = scan_to_tail(s, p);
	if (unlikely(f == bottom))
		goto done;
	if (unlikely((unsigned char)*p <= ' '))
		p = scan_space(s, p);
	if (likely(*p == ',')) {
		*o++ = ',';
		p++;
		if (f->object)
			goto member;
		if (unlikely(++f->count == SCAN_ARRAY_MAX)) {
			s->fault = "an array of more than 8192 elements";
			s->fault_off = scan_offset(s, p);
			return SCAN_FAULT;
		}
		goto value;
	}
	if (unlikely(*p != (f->object ? '}' : ']')))
		return SCAN_SYNTAX;

close:
	if (f->object) {
		const struct shape *known = &s->shapes[f->shape];

		if (unlikely(f->wrapper)) {
			o = scan_close_wrapper(s, f, m, o);
			if (!o)
				return SCAN_FAULT;
			m = f->first;
			f--;
			p++;
			goto behind_value;
		}
		if (unlikely(m - f->first > SCAN_FIELDS_MAX)) {
			scan_too_many_fields(s, p);
			return SCAN_FAULT;
		}
		if (f == bottom + 1)
			s->member_count = (size_t)(m - f->first);
		else if (f->missed || !known->in_order ||
			 f->version != known->version) {
			outcome = scan_close_object(s, f, m, o);
			if (outcome != SCAN_DONE)
				return outcome;
		}
		m = f->first;
	}
	*o++ = *p++;
	f--;
	goto behind_value;

member:
	p = skip_one_space(p);
	m->off = (uint32_t)(o - s->row);
	if (likely(take_known_key(&s->shapes[f->shape], f->expect, &p, &o,
				  m))) {
		f->expect++;
	} else {
		outcome = scan_key(s, f, &p, &o, m);
		if (outcome != SCAN_DONE)
			return outcome;
	}
	m++;
	goto value;

done:
	s->row_end = o;
	if (!s->partial) {
		p = skip_space(s, p);
		if (p != s->part_end)
			return SCAN_SYNTAX;
	}
	s->used = scan_offset(s, p);
	return SCAN_DONE;
}
