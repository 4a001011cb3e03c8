/* embedded.h - the Lua modules that were compiled into the program.
 *
 * Used by   the searcher of `require`.
 * Made by   lua/embed.c at build time from the list in lua/tidemill/meson.build.
 * Threads   any; constant.
 */
#ifndef TIDE_BINDINGS_EMBEDDED_H
#define TIDE_BINDINGS_EMBEDDED_H

#include <stddef.h>

struct tide_embedded {
    const char *name;          /* as `require` is given it: "tidemill.log" */
    const unsigned char *data; /* the source text, with a NUL behind it */
    size_t size;               /* the NUL not counted */
};

extern const struct tide_embedded tide_embedded_modules[]; /* ends with a NULL name */

#endif
