/* strbuf.h - a growing string of bytes, always with a NUL behind it.
 *
 * Owns      its bytes until _fini or _detach.
 * Errors    sticky: after a failed allocation `failed` is set and every append does nothing, so that a caller looks once.
 */
#ifndef TIDE_BASE_STRBUF_H
#define TIDE_BASE_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct tide_strbuf {
    char *data;         /* NULL while nothing was appended */
    size_t size, room;  /* bytes used and owned, the NUL not counted */
    bool failed;
};

void tide_strbuf_fini(struct tide_strbuf *b);

/* Makes room for `more` bytes behind the end; false (and failed) when out of memory. */
bool tide_strbuf_reserve(struct tide_strbuf *b, size_t more);

static inline void tide_strbuf_append(struct tide_strbuf *b, const void *bytes, size_t size)
{
    if ((b->room - b->size < size || !b->data) && !tide_strbuf_reserve(b, size))
        return;
    if (size)
        memcpy(b->data + b->size, bytes, size);
    b->size += size;
    b->data[b->size] = '\0';
}

static inline void tide_strbuf_clear(struct tide_strbuf *b)
{
    b->size = 0;
    b->failed = false;
    if (b->data)
        b->data[0] = '\0';
}

void tide_strbuf_puts(struct tide_strbuf *b, const char *text);
void tide_strbuf_printf(struct tide_strbuf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void tide_strbuf_vprintf(struct tide_strbuf *b, const char *format, va_list args);

/* The text so far, "" where there is none; belongs to the buffer. */
static inline const char *tide_strbuf_text(const struct tide_strbuf *b)
{
    return b->data ? b->data : "";
}

/* Hands the bytes to the caller (tide_free) and leaves the buffer empty; NULL if it failed or is empty. */
char *tide_strbuf_detach(struct tide_strbuf *b);

#endif
