#include "base/strbuf.h"

#include "base/alloc.h"

#include <stdint.h>
#include <stdio.h>

void tide_strbuf_fini(struct tide_strbuf *b)
{
    tide_free(b->data);
    *b = (struct tide_strbuf){0};
}

bool tide_strbuf_reserve(struct tide_strbuf *b, size_t more)
{
    if (b->failed)
        return false;
    if (more > SIZE_MAX / 4 || b->size > SIZE_MAX / 4) {
        b->failed = true;
        return false;
    }
    size_t need = b->size + more;
    if (b->data && need <= b->room)
        return true;
    size_t room = b->room ? b->room : 64;
    while (room < need)
        room *= 2;
    char *data = tide_realloc(b->data, room + 1);
    if (!data) {
        b->failed = true;
        return false;
    }
    if (!b->data)
        data[0] = '\0';
    b->data = data;
    b->room = room;
    return true;
}

void tide_strbuf_puts(struct tide_strbuf *b, const char *text)
{
    tide_strbuf_append(b, text, strlen(text));
}

void tide_strbuf_vprintf(struct tide_strbuf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    if (size >= 0 && tide_strbuf_reserve(b, (size_t)size + 1)) {
        vsnprintf(b->data + b->size, (size_t)size + 1, format, again);
        b->size += (size_t)size;
    }
    va_end(again);
}

void tide_strbuf_printf(struct tide_strbuf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tide_strbuf_vprintf(b, format, args);
    va_end(args);
}

char *tide_strbuf_detach(struct tide_strbuf *b)
{
    char *data = b->failed ? NULL : b->data;
    if (b->failed)
        tide_free(b->data);
    *b = (struct tide_strbuf){0};
    return data;
}
