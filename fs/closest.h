/*
 * closest: the known word that somebody may have meant.
 *
 * Threads: any.
 */
#ifndef CVX_FS_CLOSEST_H
#define CVX_FS_CLOSEST_H

#include <stddef.h>

/*
 * How many letters must be changed, added, removed or swapped with their
 * neighbour to make one word of the other. Words of more than 31 letters are
 * far from everything.
 */
unsigned word_distance(const char *a, const char *b);

/* Whether the distance is that of a slip: a third of the word at most. */
int word_is_close(const char *typed, const char *known);

#endif
