#include "formats/digest.h"

#include "base/alloc.h"
#include "base/error.h"
#include "formats/file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>

enum { PIECE = 256 * 1024, READ_AHEAD = 1024 * 1024, LINE = 64 };

#define FUNCTIONS(X) \
    X(OPENSSL_init_crypto) \
    X(EVP_MD_fetch) \
    X(EVP_MD_free) \
    X(EVP_MD_CTX_new) \
    X(EVP_MD_CTX_free) \
    X(EVP_DigestInit_ex) \
    X(EVP_DigestUpdate) \
    X(EVP_DigestFinal_ex)

static struct {
    FUNCTIONS(TIDE_LIBRARY_MEMBER)
} crypto;
static const char *const functions[] = {FUNCTIONS(TIDE_LIBRARY_NAME) NULL};
static struct tide_library library = TIDE_LIBRARY("libcrypto.so.3", "libssl3", functions, &crypto);

const char *const tide_digest_names[] = {"md5", "sha1", "sha256", "sha384", "sha512", NULL};
static const char *const names_there[] = {"MD5", "SHA1", "SHA2-256", "SHA2-384", "SHA2-512"};

/* Looking an algorithm up takes as long as hashing some kilobytes, so each is looked up once and kept for good. */
static _Atomic(EVP_MD *) kinds[TIDE_DIGEST_KINDS];

int tide_digest_load(enum tide_digest_kind kind, char problem[TIDE_LIBRARY_PROBLEM])
{
    /* acquire: pairs with the exchange below, by which the algorithm was made known */
    if (atomic_load_explicit(&kinds[kind], memory_order_acquire))
        return 0;
    int failed = tide_library_load(&library, problem);
    if (failed)
        return failed;
    /* at exit other threads may still be inside: the library must not tear itself down under them */
    crypto.OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
    EVP_MD *found = crypto.EVP_MD_fetch(NULL, names_there[kind], NULL), *none = NULL;
    if (!found) {
        snprintf(problem, TIDE_LIBRARY_PROBLEM, "%s does not offer %s (a policy of this system?)", library.soname,
                 tide_digest_names[kind]);
        return TIDE_ESYSTEM;
    }
    if (!atomic_compare_exchange_strong(&kinds[kind], &none, found))
        crypto.EVP_MD_free(found); /* another thread was faster */
    return 0;
}

int tide_digest_init(struct tide_digest *digest, enum tide_digest_kind kind)
{
    EVP_MD *md = atomic_load_explicit(&kinds[kind], memory_order_acquire); /* as above */
    *digest = (struct tide_digest){.context = crypto.EVP_MD_CTX_new()};
    if (digest->context && crypto.EVP_DigestInit_ex(digest->context, md, NULL))
        return 0;
    tide_digest_fini(digest);
    return TIDE_ENOMEM; /* the only reason, as the algorithm is there */
}

void tide_digest_fini(struct tide_digest *digest)
{
    if (digest->context)
        crypto.EVP_MD_CTX_free(digest->context);
    digest->context = NULL;
}

void tide_digest_add(struct tide_digest *digest, const void *bytes, size_t size)
{
    if (!crypto.EVP_DigestUpdate(digest->context, bytes, size))
        digest->failed = true;
}

int tide_digest_end(struct tide_digest *digest, char hex[TIDE_DIGEST_HEX])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (digest->failed || !crypto.EVP_DigestFinal_ex(digest->context, sum, &size))
        return TIDE_ENOMEM;
    for (unsigned i = 0; i < size; i++) {
        hex[2 * i] = digits[sum[i] >> 4];
        hex[2 * i + 1] = digits[sum[i] & 15];
    }
    hex[2 * size] = '\0';
    return 0;
}

static int add_file(struct tide_digest *digest, struct tide_file *file)
{
    size_t size = file->plain && file->size > 0 && file->size < PIECE ? (size_t)file->size + 1 : PIECE, got = 1;
    char *block = tide_malloc(size + LINE);
    if (!block)
        return TIDE_ENOMEM;
    char *buffer = block + (LINE - (uintptr_t)block % LINE); /* the system copies whole cache lines faster */
    int failed = 0;
    if (file->size >= READ_AHEAD)
        posix_fadvise(file->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    while (!failed && got > 0) {
        failed = tide_file_read(file, buffer, size, &got);
        if (!failed)
            tide_digest_add(digest, buffer, got);
    }
    tide_free(block);
    return failed;
}

int tide_digest_file(enum tide_digest_kind kind, const char *path, struct tide_stop stop, char hex[TIDE_DIGEST_HEX])
{
    struct tide_file file;
    struct tide_digest digest;
    int failed = tide_file_open(&file, path, stop);
    if (failed)
        return failed;
    failed = tide_digest_init(&digest, kind);
    if (!failed)
        failed = add_file(&digest, &file);
    int problem = errno;
    if (!failed)
        failed = tide_digest_end(&digest, hex);
    tide_digest_fini(&digest);
    tide_file_close(&file);
    errno = problem;
    return failed;
}
