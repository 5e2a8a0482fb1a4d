/*
 * banned: functions that this project does not call become compile errors.
 * The build force-includes this file into every source.
 */
#ifndef CVX_CACHE_BASE_BANNED_H
#define CVX_CACHE_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BANNED(fn) banned_##fn##_use_a_bounded_or_reentrant_function

#undef strcpy
#define strcpy(...) BANNED(strcpy)
#undef strcat
#define strcat(...) BANNED(strcat)
#undef strncpy
#define strncpy(...) BANNED(strncpy)
#undef sprintf
#define sprintf(...) BANNED(sprintf)
#undef strtok
#define strtok(...) BANNED(strtok)
#undef atoi
#define atoi(...) BANNED(atoi)
#undef gmtime
#define gmtime(...) BANNED(gmtime)
#undef alloca
#define alloca(...) BANNED(alloca)

#endif
