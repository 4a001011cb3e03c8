#include "reactor/inflate.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/library.h"

#include <strings.h>
#include <zlib.h>

#define FUNCTIONS(X) X(inflateInit2_) X(inflate) X(inflateReset2) X(inflateEnd)

enum { PIECE = 32 * 1024, ANY = 15 + 32, RAW = -15 }; /* ANY: zlib finds out whether it is gzip or zlib data */

static struct { FUNCTIONS(TIDE_LIBRARY_MEMBER) } zlib;
static const char *const names[] = {FUNCTIONS(TIDE_LIBRARY_NAME) NULL};
static struct tide_library library = TIDE_LIBRARY("libz.so.1", "zlib1g", names, &zlib);

struct tide_inflate {
    z_stream stream;
    bool begun;    /* something was inflated */
    bool member;   /* within a member of gzip, or the zlib data */
};

bool tide_inflate_knows(const char *encoding)
{
    return strcasecmp(encoding, "gzip") == 0 || strcasecmp(encoding, "x-gzip") == 0 || strcasecmp(encoding, "deflate") == 0;
}

struct tide_inflate *tide_inflate_new(void)
{
    char problem[TIDE_LIBRARY_PROBLEM];
    if (tide_library_load(&library, problem))
        return NULL;
    struct tide_inflate *inflate = tide_calloc(1, sizeof *inflate);
    if (inflate && zlib.inflateInit2_(&inflate->stream, ANY, ZLIB_VERSION, sizeof(z_stream)) != Z_OK) {
        tide_free(inflate);
        inflate = NULL;
    }
    return inflate;
}

void tide_inflate_free(struct tide_inflate *inflate)
{
    if (inflate)
        zlib.inflateEnd(&inflate->stream);
    tide_free(inflate);
}

/* One call of zlib, with the switch to raw data where the first bytes are no header. */
static int step(struct tide_inflate *inflate)
{
    z_stream *z = &inflate->stream;
    Bytef *in = z->next_in;
    uInt left = z->avail_in;
    int code = zlib.inflate(z, Z_NO_FLUSH);
    if (code == Z_DATA_ERROR && !inflate->begun && z->total_out == 0 && zlib.inflateReset2(z, RAW) == Z_OK) {
        z->next_in = in;
        z->avail_in = left;
        code = zlib.inflate(z, Z_NO_FLUSH);
    }
    inflate->begun = true;
    return code;
}

int tide_inflate_add(struct tide_inflate *inflate, const char *data, size_t size,
                     bool (*take)(void *arg, const char *data, size_t size), void *arg)
{
    Bytef out[PIECE];
    z_stream *z = &inflate->stream;
    z->next_in = (Bytef *)(uintptr_t)data; /* zlib only reads it */
    z->avail_in = (uInt)size;
    do {
        if (inflate->begun && !inflate->member && z->avail_in && zlib.inflateReset2(z, ANY) != Z_OK)
            return TIDE_ECORRUPT;
        z->next_out = out;
        z->avail_out = sizeof out;
        inflate->member = true;
        int code = step(inflate);
        if (code == Z_MEM_ERROR)
            return TIDE_ENOMEM;
        if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
            return TIDE_ECORRUPT;
        inflate->member = code != Z_STREAM_END;
        size_t got = sizeof out - z->avail_out;
        if (got && !take(arg, (const char *)out, got))
            return TIDE_ECANCELED;
    } while (z->avail_in || z->avail_out == 0);
    return 0;
}

bool tide_inflate_is_complete(const struct tide_inflate *inflate)
{
    return inflate->begun && !inflate->member;
}
