/* wire.h - the bytes of a message: tags, numbers, and bounded reading. Internal to transport.
 *
 * Format    docs/internals/transport.md. Numbers stand in the machine's byte order: messages stay in the process.
 * Reading   every function answers false where the bytes end too early; nothing is read beyond `end`.
 */
#ifndef TIDE_TRANSPORT_WIRE_H
#define TIDE_TRANSPORT_WIRE_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum tide_tag {
    TIDE_TAG_NIL = 1,
    TIDE_TAG_FALSE,
    TIDE_TAG_TRUE,
    TIDE_TAG_INT8,
    TIDE_TAG_INT16,
    TIDE_TAG_INT32,
    TIDE_TAG_INT64,
    TIDE_TAG_FLOAT,
    TIDE_TAG_STRING,        /* varint size, bytes */
    TIDE_TAG_LIGHT,         /* 8 bytes */
    TIDE_TAG_HANDLE,        /* varint index in the parcel's objects */
    TIDE_TAG_REF,           /* varint number of an object of the same graph, from 1 */
    TIDE_TAG_SAME,          /* an upvalue only: varint function, byte index: the same cell as that one */
    TIDE_TAG_GRAPH,         /* a group of values with the objects they reach */
    TIDE_TAG_SHORT = 0x20,  /* to 0x5f: a string of 0 to 63 bytes */
    TIDE_TAG_SMALL = 0x80,  /* to 0xff: an integer of 0 to 127 */
};

enum tide_shell {
    TIDE_SHELL_TABLE = 1,   /* varint array items, varint pairs */
    TIDE_SHELL_TABLE_META,  /* the same; its body begins with the metatable */
    TIDE_SHELL_FUNCTION,    /* byte upvalues, 4 bytes size, bytecode */
    TIDE_SHELL_ENV,         /* 4 bytes entries */
    TIDE_SHELL_NAMED,       /* varint size, "module\0member" */
    TIDE_SHELL_STRING,      /* varint size, bytes: a long string that may occur again */
};

enum tide_env_flags {
    TIDE_ENV_COMPLETE = 1,  /* code uses it as a value: all standard globals have to be in it */
    TIDE_ENV_EXPOSED = 2,   /* code can get hold of it */
};

enum { TIDE_SHORT_MAX = 63, TIDE_SMALL_MAX = 127, TIDE_VARINT_MAX = 10, TIDE_NUMBER_MAX = 1 + TIDE_VARINT_MAX };

static inline unsigned char *tide_put_raw(unsigned char *p, const void *bytes, size_t size)
{
    memcpy(p, bytes, size);
    return p + size;
}

static inline unsigned char *tide_put_varint(unsigned char *p, uint64_t n)
{
    while (n >= 0x80) {
        *p++ = (unsigned char)(n | 0x80);
        n >>= 7;
    }
    *p++ = (unsigned char)n;
    return p;
}

static inline unsigned char *tide_put_integer(unsigned char *p, int64_t n)
{
    if (n >= 0 && n <= TIDE_SMALL_MAX) {
        *p++ = (unsigned char)(TIDE_TAG_SMALL + n);
    } else if (n == (int8_t)n) {
        *p++ = TIDE_TAG_INT8;
        *p++ = (unsigned char)n;
    } else if (n == (int16_t)n) {
        int16_t v = (int16_t)n;
        *p++ = TIDE_TAG_INT16;
        p = tide_put_raw(p, &v, sizeof v);
    } else if (n == (int32_t)n) {
        int32_t v = (int32_t)n;
        *p++ = TIDE_TAG_INT32;
        p = tide_put_raw(p, &v, sizeof v);
    } else {
        *p++ = TIDE_TAG_INT64;
        p = tide_put_raw(p, &n, sizeof n);
    }
    return p;
}

static inline unsigned char *tide_put_float(unsigned char *p, double n)
{
    *p++ = TIDE_TAG_FLOAT;
    return tide_put_raw(p, &n, sizeof n);
}

static inline unsigned char *tide_put_light(unsigned char *p, void *pointer)
{
    uint64_t bits = (uintptr_t)pointer;
    *p++ = TIDE_TAG_LIGHT;
    return tide_put_raw(p, &bits, sizeof bits);
}

/* What stands before the bytes of a string. */
static inline unsigned char *tide_put_string_head(unsigned char *p, size_t size)
{
    if (size <= TIDE_SHORT_MAX) {
        *p++ = (unsigned char)(TIDE_TAG_SHORT + size);
        return p;
    }
    *p++ = TIDE_TAG_STRING;
    return tide_put_varint(p, size);
}

/* Room for `size` more bytes at the end of `b`, NULL (and b->failed) without memory; the caller raises b->size. */
static inline unsigned char *tide_buf_room(struct tide_strbuf *b, size_t size)
{
    if ((!b->data || b->room - b->size < size) && !tide_strbuf_reserve(b, size))
        return NULL;
    return (unsigned char *)b->data + b->size;
}

static inline void tide_buf_end(struct tide_strbuf *b, const unsigned char *end)
{
    b->size = (size_t)(end - (const unsigned char *)b->data);
}

static inline void tide_buf_byte(struct tide_strbuf *b, unsigned char byte)
{
    unsigned char *p = tide_buf_room(b, 1);
    if (p) {
        *p++ = byte;
        tide_buf_end(b, p);
    }
}

static inline void tide_buf_varint(struct tide_strbuf *b, uint64_t n)
{
    unsigned char *p = tide_buf_room(b, TIDE_VARINT_MAX);
    if (p)
        tide_buf_end(b, tide_put_varint(p, n));
}

static inline void tide_buf_string(struct tide_strbuf *b, const char *text, size_t size)
{
    unsigned char *p = tide_buf_room(b, TIDE_NUMBER_MAX + size);
    if (p)
        tide_buf_end(b, tide_put_raw(tide_put_string_head(p, size), text, size));
}

/* A varint size and the bytes, without a tag. */
static inline void tide_buf_block(struct tide_strbuf *b, const char *text, size_t size)
{
    tide_buf_varint(b, size);
    unsigned char *p = tide_buf_room(b, size);
    if (p)
        tide_buf_end(b, tide_put_raw(p, text, size));
}

struct tide_reader {
    const unsigned char *at, *end;
};

static inline size_t tide_left(const struct tide_reader *r)
{
    return (size_t)(r->end - r->at);
}

static inline bool tide_get_byte(struct tide_reader *r, unsigned *out)
{
    if (r->at == r->end)
        return false;
    *out = *r->at++;
    return true;
}

static inline bool tide_get_raw(struct tide_reader *r, void *out, size_t size)
{
    if (tide_left(r) < size)
        return false;
    memcpy(out, r->at, size);
    r->at += size;
    return true;
}

static inline bool tide_get_varint(struct tide_reader *r, uint64_t *out)
{
    uint64_t n = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (r->at == r->end)
            return false;
        unsigned byte = *r->at++;
        n |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = n;
            return true;
        }
    }
    return false;
}

/* A varint that counts things of at least one byte each: never more than bytes are left. */
static inline bool tide_get_count(struct tide_reader *r, size_t *out)
{
    uint64_t n;
    if (!tide_get_varint(r, &n) || n > tide_left(r))
        return false;
    *out = (size_t)n;
    return true;
}

/* `size` bytes where they stand. */
static inline bool tide_get_span(struct tide_reader *r, size_t size, const char **out)
{
    if (tide_left(r) < size)
        return false;
    *out = (const char *)r->at;
    r->at += size;
    return true;
}

static inline bool tide_get_block(struct tide_reader *r, const char **out, size_t *size)
{
    return tide_get_count(r, size) && tide_get_span(r, *size, out);
}

#endif
