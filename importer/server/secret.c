#include "importer/server/secret.h"

#include <stddef.h>
#include <string.h>

bool secret_is_equal(const char *secret, const char *given)
{
	size_t secret_size = strlen(secret), size = strlen(given), i;
	volatile unsigned char differs = secret_size != size;

	/* Behind the secret's end its NUL is looked at again and again. */
	for (i = 0; i < size; i++)
		differs |=
			(unsigned char)(given[i] ^
					secret[i < secret_size ? i
							       : secret_size]);
	return !differs;
}
