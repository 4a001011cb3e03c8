/* digest.h - hash sums of bytes and of files, by libcrypto, which is loaded at first use.
 *
 * Used by   bindings/hash.c.
 * Threads   load from any; a struct tide_digest belongs to one at a time.
 */
#ifndef TIDE_FORMATS_DIGEST_H
#define TIDE_FORMATS_DIGEST_H

#include "base/library.h"
#include "formats/stop.h"

#include <stddef.h>

enum tide_digest_kind { TIDE_MD5, TIDE_SHA1, TIDE_SHA256, TIDE_SHA384, TIDE_SHA512 };
enum { TIDE_DIGEST_KINDS = 5, TIDE_DIGEST_HEX = 129 };

/* What scripts call them, in order, ended by NULL. */
extern const char *const tide_digest_names[];

/* Makes the kind ready: 0, or TIDE_ESYSTEM with `problem`. Everything below needs that it returned 0 once. */
int tide_digest_load(enum tide_digest_kind kind, char problem[TIDE_LIBRARY_PROBLEM]);

struct tide_digest {
    void *context; /* libcrypto's */
    bool failed;   /* sticky; end tells */
};

/* 0 or TIDE_ENOMEM. */
int tide_digest_init(struct tide_digest *digest, enum tide_digest_kind kind);
void tide_digest_fini(struct tide_digest *digest);

void tide_digest_add(struct tide_digest *digest, const void *bytes, size_t size);

/* The sum of all that was added, in lower-case hexadecimal digits with a NUL behind. 0 or TIDE_ENOMEM. */
int tide_digest_end(struct tide_digest *digest, char hex[TIDE_DIGEST_HEX]);

/* The sum of a file. 0 or TIDE_ENOMEM, or as tide_file_open. */
int tide_digest_file(enum tide_digest_kind kind, const char *path, struct tide_stop stop, char hex[TIDE_DIGEST_HEX]);

#endif
