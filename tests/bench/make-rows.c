/*
 * make-rows: the rows the bench is measured with, to standard output.
 *
 *   make-rows KIND COUNT > FILE
 *
 *   D1    user documents, 198 bytes a line, some non-ASCII, keys unsorted
 *   D1id  the same with ids of table 10001 in random order, and times
 *   D2    nested orders of 1.5 kB
 *   D3    48 doubles of 17 significant digits and 32 integers
 *   D4    multilingual texts with escapes
 *   D5    CSV of 10 columns, a few quoted cells
 *
 * The same call makes the same bytes, today and on every machine: figures of
 * two days can be compared. Texts are put together from tables into a buffer
 * of our own, because printf would take longer than what is measured.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUT_SIZE (1 << 20)
#define ROW_MAX (16 << 10) /* no row is longer */
#define TABLE_NUMBER 10001 /* of the first table of a new deployment */

struct rows {
	uint64_t state; /* of the generator, never 0 */
	size_t size;	/* bytes in text */
	char text[OUT_SIZE + ROW_MAX];
};

/* xorshift64* */
static uint64_t next(struct rows *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * UINT64_C(0x2545f4914f6cdd1d);
}

static uint32_t below(struct rows *r, uint32_t limit)
{
	return (uint32_t)(((next(r) >> 32) * limit) >> 32);
}

static void put(struct rows *r, const char *bytes, size_t size)
{
	memcpy(r->text + r->size, bytes, size);
	r->size += size;
}

static void puts_(struct rows *r, const char *text)
{
	put(r, text, strlen(text));
}

/* Decimal digits, with leading zeros up to width. */
static void put_digits(struct rows *r, uint64_t value, size_t width)
{
	char digits[20];
	size_t n = sizeof(digits);

	for (; value > 0 || n + width > sizeof(digits); value /= 10)
		digits[--n] = (char)('0' + value % 10);
	put(r, digits + n, sizeof(digits) - n);
}

static void put_number(struct rows *r, uint64_t value)
{
	put_digits(r, value, 1);
}

/* "key": and the value behind it; every key but the first has its comma. */
static void put_text(struct rows *r, const char *key, const char *text)
{
	puts_(r, key);
	put(r, "\"", 1);
	puts_(r, text);
	put(r, "\"", 1);
}

static void put_count(struct rows *r, const char *key, uint64_t value)
{
	puts_(r, key);
	put_number(r, value);
}

/* A value with at most two decimals, without zeros at its end. */
static void put_money(struct rows *r, const char *key, uint32_t cents)
{
	puts_(r, key);
	put_number(r, cents / 100);
	if (cents % 100 == 0)
		return;
	put(r, ".", 1);
	put_digits(r, cents % 10 > 0 ? cents % 100 : cents / 10 % 10,
		   cents % 10 > 0 ? 2 : 1);
}

#define COUNT(table) ((uint32_t)(sizeof(table) / sizeof((table)[0])))
#define PICK(r, table) ((table)[below((r), COUNT(table))])

static const char *const given_names[] = {
	"Anna",	  "Ben",   "Chloé",  "David", "Emma",  "Frank",	 "Grace",
	"Henry",  "Inès",  "Jack",   "Karin", "Liam",  "Maria",	 "Noah",
	"Olivia", "Peter", "Quinn",  "Rosa",  "Sören", "Thomas", "Uma",
	"Victor", "Wendy", "Xavier", "Yuki",  "Zoë",   "Łukasz", "Мария",
	"太郎",	  "Ahmed", "Priya",  "Diego",
};

static const char *const family_names[] = {
	"Smith",     "Johnson", "Müller",   "García",  "Brown",	  "Kowalski",
	"Tanaka",    "Nguyen",	"Andersen", "O'Brien", "Schmidt", "Rossi",
	"Dubois",    "Silva",	"Ivanova",  "Novák",   "Taylor",  "Wilson",
	"Johansson", "Haddad",	"Patel",    "Kim",     "Moreau",  "Fischer",
};

static const char *const mail_names[] = {
	"anna.smith", "ben",	     "c.jones", "david",  "emma.w",
	"frank",      "grace.lee",   "h.brown", "info",	  "jack",
	"kk",	      "liam.murphy", "maria",	"noah.k",
};

static const char *const mail_hosts[] = {
	"example.com",
	"example.org",
	"mail.example.net",
	"corp.example",
};

static const char *const cities[] = {
	"Berlin", "London",   "Paris",	"São Paulo", "New York", "Tokyo",
	"Zürich", "Kraków",   "Lisbon", "Cairo",     "Mumbai",	 "Sydney",
	"Oslo",	  "Montréal", "Seoul",	"Austin",
};

static const char *const plans[] = {"free", "pro", "team", "enterprise"};

static const char *const tags[] = {
	"alpha", "beta", "mobile", "vip", "newsletter", "trial", "eu", "us",
};

/* The fields of a user behind the first one, and the closing brace. */
static void put_user(struct rows *r, uint64_t row)
{
	puts_(r, "\"name\":\"");
	puts_(r, PICK(r, given_names));
	put(r, " ", 1);
	puts_(r, PICK(r, family_names));
	puts_(r, "\",\"email\":\"");
	puts_(r, PICK(r, mail_names));
	put_number(r, row);
	put(r, "@", 1);
	puts_(r, PICK(r, mail_hosts));
	put_count(r, "\",\"age\":", 18 + below(r, 70));
	put_text(r, ",\"city\":", PICK(r, cities));
	put_text(r, ",\"plan\":", PICK(r, plans));
	puts_(r, ",\"isActive\":");
	puts_(r, below(r, 4) > 0 ? "true" : "false");
	put_money(r, ",\"balance\":", below(r, 1000000));
	put_count(r, ",\"signedUpAt\":",
		  UINT64_C(1600000000000) + below(r, UINT32_MAX) * 20ULL);
	put_text(r, ",\"tags\":[", PICK(r, tags));
	put_text(r, ",", PICK(r, tags));
	puts_(r, "]");
	if (below(r, 2) > 0) {
		puts_(r, ",\"referredBy\":");
		puts_(r, below(r, 2) > 0 ? "null" : "\"search engines\"");
	}
	puts_(r, "}\n");
}

static void put_d1(struct rows *r, uint64_t row)
{
	put(r, "{", 1);
	put_user(r, row);
}

/* The text of an id (import.md 2.1), written apart from importer/value so
 * that no fault there can hide in rows made for it. */
static void put_id(struct rows *r)
{
	static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
	uint8_t bytes[20] = {(TABLE_NUMBER & 0x7f) | 0x80, TABLE_NUMBER >> 7};
	uint64_t random[2] = {next(r), next(r)};
	uint32_t bits = 0, bit_count = 0;
	uint8_t sum = 0, sum_of_sums = 0;

	memcpy(bytes + 2, random, sizeof(random));
	for (size_t i = 0; i < 18; i++) {
		sum = (uint8_t)(sum + bytes[i]);
		sum_of_sums = (uint8_t)(sum_of_sums + sum);
	}
	bytes[18] = sum;
	bytes[19] = sum_of_sums;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bits = bits << 8 | bytes[i];
		for (bit_count += 8; bit_count >= 5; bit_count -= 5)
			r->text[r->size++] =
				alphabet[bits >> (bit_count - 5) & 31];
	}
}

static void put_d1id(struct rows *r, uint64_t row)
{
	puts_(r, "{\"_id\":\"");
	put_id(r);
	/* Three decimals, the last not 0, are as the export prints them. */
	put_count(r, "\",\"_creationTime\":", UINT64_C(1700000000000) + row);
	put(r, ".", 1);
	put_digits(r, below(r, 100), 2);
	put_number(r, 1 + below(r, 9));
	put(r, ",", 1);
	put_user(r, row);
}

static const char *const products[] = {
	"Oak table",   "Desk lamp",   "Bürostuhl",    "Café press",
	"Notebook A5", "USB-C cable", "Water bottle", "Wool blanket",
	"Rain jacket", "Kettle",
};

static const char *const states[] = {
	"created", "paid", "packed", "shipped", "delivered", "returned",
};

static void put_address(struct rows *r, const char *key)
{
	puts_(r, key);
	put_count(r, "{\"street\":\"", 1 + below(r, 900));
	puts_(r, " Main Street");
	put_text(r, "\",\"city\":", PICK(r, cities));
	puts_(r, ",\"zip\":\"");
	put_digits(r, below(r, 100000), 5);
	puts_(r, "\",\"location\":{\"lat\":");
	put_number(r, below(r, 90));
	put(r, ".", 1);
	put_digits(r, below(r, 1000000), 6);
	puts_(r, ",\"lng\":-");
	put_number(r, below(r, 180));
	put(r, ".", 1);
	put_digits(r, below(r, 1000000), 6);
	puts_(r, "}}");
}

static void put_item(struct rows *r)
{
	puts_(r, "{\"sku\":\"SKU-");
	put_digits(r, below(r, 1000000), 6);
	put_text(r, "\",\"name\":", PICK(r, products));
	put_count(r, ",\"quantity\":", 1 + below(r, 9));
	put_money(r, ",\"price\":", 100 + below(r, 50000));
	puts_(r, ",\"options\":{\"color\":\"");
	puts_(r, below(r, 2) > 0 ? "black" : "white");
	puts_(r, "\",\"gift\":");
	puts_(r, below(r, 8) > 0 ? "false" : "true");
	puts_(r, "}}");
}

static void put_d2(struct rows *r, uint64_t row)
{
	uint32_t item_count = 4 + below(r, 7);

	puts_(r, "{\"orderNumber\":\"ORD-");
	put_digits(r, row, 9);
	puts_(r, "\",\"customer\":{");
	put_user(r, row);
	r->size--; /* the line goes on */
	puts_(r, ",\"addresses\":{");
	put_address(r, "\"shipping\":");
	put_address(r, ",\"billing\":");
	puts_(r, "},\"items\":[");
	for (uint32_t i = 0; i < item_count; i++) {
		if (i > 0)
			put(r, ",", 1);
		put_item(r);
	}
	puts_(r, "],\"history\":[");
	for (uint32_t i = 0; i < 4; i++) {
		put_text(r, i > 0 ? ",{\"state\":" : "{\"state\":", states[i]);
		put_count(r, ",\"at\":",
			  UINT64_C(1690000000000) + next(r) % 1000000000);
		puts_(r, "}");
	}
	put_money(r, "],\"total\":", below(r, 5000000));
	puts_(r, ",\"currency\":\"EUR\",\"note\":null}\n");
}

/* 17 significant digits, the point at any place of a usual magnitude. */
static void put_double(struct rows *r)
{
	uint64_t bits = next(r);
	size_t whole = bits & 7, start;

	if (bits & 8)
		put(r, "-", 1);
	if (whole == 0) {
		put(r, "0.", 2);
		put_number(r,
			   UINT64_C(10000000000000000) +
				   (bits >> 4) % UINT64_C(90000000000000000));
		return;
	}
	start = r->size;
	put_number(r, UINT64_C(10000000000000000) +
			      (bits >> 4) % UINT64_C(90000000000000000));
	memmove(r->text + start + whole + 1, r->text + start + whole,
		17 - whole);
	r->text[start + whole] = '.';
	r->size++;
}

static void put_d3(struct rows *r, uint64_t row)
{
	put_count(r, "{\"sensor\":", row);
	puts_(r, ",\"samples\":[");
	for (uint32_t i = 0; i < 48; i++) {
		if (i > 0)
			put(r, ",", 1);
		put_double(r);
	}
	puts_(r, "],\"counters\":[");
	for (uint32_t i = 0; i < 31; i++) {
		if (i > 0)
			put(r, ",", 1);
		put_number(r, next(r) >> (34 + below(r, 24)));
	}
	puts_(r, "]}\n");
}

static const char *const sentences[] = {
	"The quick brown fox jumps over the lazy dog. ",
	"Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. ",
	"Портрет кисти неизвестного художника висел в тёмном зале. ",
	"吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。",
	"天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。",
	"نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر. ",
	"ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश। ",
	"다람쥐 헌 쳇바퀴에 타고파. ",
	"Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. ",
	"Shipped 📦 and tested 🧪, see you soon 👋🏽. ",
	"He said \\\"no\\\" and left.\\n",
	"path C:\\\\temp\\\\new\\tcolumn\\r\\n",
	"caf\\u00e9 na\\u00efve \\ud83d\\ude00 ",
	"<a href=\\\"https:\\/\\/example.com\\/\\\">link<\\/a> ",
};

static const char *const languages[] = {
	"en", "de", "ru", "ja", "zh", "ar", "hi", "ko", "el",
};

static void put_d4(struct rows *r, uint64_t row)
{
	uint32_t sentence_count = 8 + below(r, 16);

	put_text(r, "{\"title\":", PICK(r, sentences));
	put_text(r, ",\"language\":", PICK(r, languages));
	put_count(r, ",\"number\":", row);
	puts_(r, ",\"body\":\"");
	for (uint32_t i = 0; i < sentence_count; i++)
		puts_(r, PICK(r, sentences));
	put_text(r, "\",\"author\":", PICK(r, given_names));
	puts_(r, "}\n");
}

static void put_d5(struct rows *r, uint64_t row)
{
	put_number(r, row);
	put(r, ",", 1);
	if (below(r, 16) == 0) {
		puts_(r, "\"");
		puts_(r, PICK(r, family_names));
		puts_(r, ", ");
		puts_(r, PICK(r, given_names));
		puts_(r, " \"\"Jr\"\"\"");
	} else {
		puts_(r, PICK(r, given_names));
	}
	put(r, ",", 1);
	puts_(r, PICK(r, mail_names));
	put_number(r, row);
	put(r, "@", 1);
	puts_(r, PICK(r, mail_hosts));
	put_count(r, ",", 18 + below(r, 70));
	put(r, ",", 1);
	puts_(r, PICK(r, cities));
	put(r, ",", 1);
	puts_(r, PICK(r, plans));
	puts_(r, below(r, 4) > 0 ? ",true" : ",false");
	put_money(r, ",", below(r, 1000000));
	put_count(r, ",",
		  UINT64_C(1600000000000) + below(r, UINT32_MAX) * 20ULL);
	put_money(r, below(r, 2) > 0 ? "," : ",-", below(r, 100000000));
	put(r, "\n", 1);
}

static const struct kind {
	const char *name;
	const char *header; /* first line */
	void (*put)(struct rows *r, uint64_t row);
} kinds[] = {
	{"D1", "", put_d1},
	{"D1id", "", put_d1id},
	{"D2", "", put_d2},
	{"D3", "", put_d3},
	{"D4", "", put_d4},
	{"D5",
	 "account,name,email,age,city,plan,isActive,balance,signedUpAt,score\n",
	 put_d5},
};

static int write_out(struct rows *r)
{
	size_t done = 0;

	while (done < r->size) {
		ssize_t n =
			write(STDOUT_FILENO, r->text + done, r->size - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	r->size = 0;
	return 0;
}

static int write_rows(const struct kind *kind, uint64_t count)
{
	static struct rows r = {.state = UINT64_C(0x9e3779b97f4a7c15)};
	int err = 0;

	puts_(&r, kind->header);
	for (uint64_t row = 0; row < count && err == 0; row++) {
		kind->put(&r, row);
		assert(r.size <= sizeof(r.text));
		if (r.size >= OUT_SIZE)
			err = write_out(&r);
	}
	return err < 0 ? err : write_out(&r);
}

int main(int argc, char **argv)
{
	const struct kind *kind = NULL;
	uint64_t count;
	char *end;
	int r;

	for (size_t i = 0; argc == 3 && i < COUNT(kinds); i++)
		if (strcmp(argv[1], kinds[i].name) == 0)
			kind = &kinds[i];
	if (!kind) {
		fprintf(stderr,
			"usage: make-rows D1|D1id|D2|D3|D4|D5 COUNT > FILE\n");
		return 1;
	}
	errno = 0;
	count = strtoull(argv[2], &end, 10);
	if (errno || end == argv[2] || *end) {
		fprintf(stderr, "make-rows: not a number of rows: %s\n",
			argv[2]);
		return 1;
	}
	r = write_rows(kind, count);
	if (r < 0) {
		fprintf(stderr, "make-rows: cannot write: %s\n", strerror(-r));
		return 1;
	}
	return 0;
}
