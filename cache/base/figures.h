/*
 * figures: numbers as people read them.
 *
 * Threads: any.
 */
#ifndef CVX_CACHE_BASE_FIGURES_H
#define CVX_CACHE_BASE_FIGURES_H

#include <stdint.h>

#define FIGURES_SIZE 32

/* "1,234,567" */
void figures_print_count(uint64_t n, char text[FIGURES_SIZE]);

/* "76 bytes", "1.5 MB" */
void figures_print_size(uint64_t size, char text[FIGURES_SIZE]);

/* "0:05", "12:05", "1:00:00" */
void figures_print_duration(uint64_t seconds, char text[FIGURES_SIZE]);

#endif
