/* alloc.h - the C heap, with a tap that tests can close.
 *
 * Used by   every part below the Lua states (those have their own allocator, bindings/memory.h).
 * Threads   any.
 */
#ifndef TIDE_BASE_ALLOC_H
#define TIDE_BASE_ALLOC_H

#include <stddef.h>

/* As malloc, calloc, realloc and free of C11; NULL when out of memory. A size of 0 is taken as 1. */
void *tide_malloc(size_t size);
void *tide_calloc(size_t count, size_t size);
void *tide_realloc(void *block, size_t size);
void tide_free(void *block);
char *tide_strdup(const char *text);

/* The bytes of a, b and c behind one another, with a NUL behind them. NULL when out of memory. */
char *tide_concat(const char *a, size_t a_size, const char *b, size_t b_size, const char *c, size_t c_size);

/* ---- for tests ---- */

/* The next `successes` allocations of the calling thread succeed, all after them fail; a negative number ends this. */
void tide_alloc_fail_after(long successes);

#endif
