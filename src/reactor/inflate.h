/* inflate.h - a body in gzip or deflate, undone piece by piece.
 *
 * libcurl could do it, but takes a body that ends early for a whole one; here the end is checked.
 *
 * Used by   body.c.
 * Threads   reactor. zlib is loaded at first use; libcurl needs it as well.
 * Model     RFC 1950 to 1952. Several gzip members may follow one another; "deflate" without zlib's header, as some servers
 *           send it, is understood.
 */
#ifndef TIDE_REACTOR_INFLATE_H
#define TIDE_REACTOR_INFLATE_H

#include <stdbool.h>
#include <stddef.h>

struct tide_inflate;

/* True for the encodings that can be undone: "gzip", "x-gzip", "deflate", in any case. */
bool tide_inflate_knows(const char *encoding);

/* NULL: out of memory, or zlib is not there. */
struct tide_inflate *tide_inflate_new(void);
void tide_inflate_free(struct tide_inflate *inflate);

/* Undoes a piece: `take` gets what it stands for, in pieces; false from it ends the work. 0; TIDE_ECORRUPT: it is no such data;
 * TIDE_ECANCELED: `take` said false; TIDE_ENOMEM. */
int tide_inflate_add(struct tide_inflate *inflate, const char *data, size_t size,
                     bool (*take)(void *arg, const char *data, size_t size), void *arg);

/* No more pieces come: true if the data was complete. */
bool tide_inflate_is_complete(const struct tide_inflate *inflate);

#endif
