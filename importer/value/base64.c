#include "importer/value/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz0123456789+/";

/* 64: not in the alphabet */
static uint32_t value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0' + 52);
	if (c == '+')
		return 62;
	return c == '/' ? 63 : 64;
}

static size_t without_padding(const char *text, size_t size)
{
	size_t n = size;

	while (n > 0 && text[n - 1] == '=' && size - n < 2)
		n--;
	return n;
}

bool base64_check(const char *text, size_t size, size_t *ret_size)
{
	size_t n = without_padding(text, size);

	if ((n != size && size % 4 != 0) || n % 4 == 1)
		return false;
	for (size_t i = 0; i < n; i++)
		if (value_of(text[i]) == 64)
			return false;
	if (n % 4 == 2 && (value_of(text[n - 1]) & 15) != 0)
		return false;
	if (n % 4 == 3 && (value_of(text[n - 1]) & 3) != 0)
		return false;
	*ret_size = n / 4 * 3 + (n % 4 ? n % 4 - 1 : 0);
	return true;
}

void base64_decode(const char *text, size_t size, unsigned char *out)
{
	size_t n = without_padding(text, size);
	uint32_t bits = 0;
	unsigned count = 0;

	for (size_t i = 0; i < n; i++) {
		bits = bits << 6 | value_of(text[i]);
		count += 6;
		if (count >= 8) {
			count -= 8;
			*out++ = (unsigned char)(bits >> count);
		}
	}
}

void base64_encode(const unsigned char *bytes, size_t size, char *out)
{
	for (; size >= 3; size -= 3, bytes += 3) {
		uint32_t bits = (uint32_t)bytes[0] << 16 |
				(uint32_t)bytes[1] << 8 | bytes[2];

		*out++ = alphabet[bits >> 18];
		*out++ = alphabet[bits >> 12 & 63];
		*out++ = alphabet[bits >> 6 & 63];
		*out++ = alphabet[bits & 63];
	}
	if (size > 0) {
		uint32_t bits = (uint32_t)bytes[0] << 16 |
				(size > 1 ? (uint32_t)bytes[1] << 8 : 0);

		*out++ = alphabet[bits >> 18];
		*out++ = alphabet[bits >> 12 & 63];
		*out++ = size > 1 ? alphabet[bits >> 6 & 63] : '=';
		*out++ = '=';
	}
}
