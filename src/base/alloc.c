#include "base/alloc.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local long allowance = -1;

static bool refused(void)
{
    if (allowance < 0)
        return false;
    if (allowance == 0)
        return true;
    allowance--;
    return false;
}

void tide_alloc_fail_after(long successes)
{
    allowance = successes;
}

void *tide_malloc(size_t size)
{
    return refused() ? NULL : malloc(size ? size : 1);
}

void *tide_calloc(size_t count, size_t size)
{
    return refused() ? NULL : calloc(count ? count : 1, size ? size : 1);
}

void *tide_realloc(void *block, size_t size)
{
    return refused() ? NULL : realloc(block, size ? size : 1);
}

void tide_free(void *block)
{
    free(block);
}

char *tide_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = tide_malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

char *tide_concat(const char *a, size_t a_size, const char *b, size_t b_size, const char *c, size_t c_size)
{
    char *made = tide_malloc(a_size + b_size + c_size + 1);
    if (!made)
        return NULL;
    memcpy(made, a, a_size);
    memcpy(made + a_size, b, b_size);
    memcpy(made + a_size + b_size, c, c_size);
    made[a_size + b_size + c_size] = '\0';
    return made;
}
