#include "sync/dict_key.h"

#include "base/error.h"
#include "base/random.h"
#include "base/time.h"
#include "sched/runtime.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

enum { SHOWN = 60 }; /* bytes of a text in a message */

__extension__ typedef unsigned __int128 wide;

static pthread_once_t seeded = PTHREAD_ONCE_INIT;
static uint64_t secret[3];

static void seed(void)
{
    struct tide_runtime *runtime = tide_runtime_get();
    if (runtime && runtime->baton) { /* the order of the keys is the run's, as that of everything */
        uint64_t state = runtime->options.seed;
        for (int i = 0; i < 3; i++)
            secret[i] = tide_random(&state);
    } else if (getrandom(secret, sizeof secret, GRND_NONBLOCK) != (ssize_t)sizeof secret) {
        for (int i = 0; i < 3; i++) /* early at boot: the clock and where we were loaded have to do */
            secret[i] = ((uint64_t)tide_now_ns() ^ (uint64_t)(uintptr_t)&secret[i]) * 0x9e3779b97f4a7c15u;
    }
    for (int i = 0; i < 3; i++)
        secret[i] |= 1;
}

void tide_dict_key_seed(void)
{
    pthread_once(&seeded, seed);
}

/* ---- hashing ---- */

static uint64_t fold(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t read8(const char *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

static uint64_t read4(const char *p)
{
    uint32_t word;
    memcpy(&word, p, 4);
    return word;
}

/* Sixteen bytes a step; the last step overlaps the one before where the length is no multiple. n > 15. */
static uint64_t hash_bytes(const char *p, size_t n)
{
    uint64_t h = secret[0];
    size_t left = n;
    for (; left > 16; left -= 16, p += 16)
        h = fold(read8(p) ^ secret[1], read8(p + 8) ^ h);
    p += left;
    return fold(fold(read8(p - 16) ^ secret[1], read8(p - 8) ^ h) ^ secret[2], n ^ secret[1]);
}

static uint64_t hash_head(const uint64_t head[2])
{
    return fold(fold(head[0] ^ secret[0], head[1] ^ secret[1]) ^ secret[2], secret[0]);
}

/* ---- making ---- */

/* The highest byte of a head: the length of a short text, LONG_TEXT, or OTHER and the kind. */
enum { SHORT = 15, LONG_TEXT = 0x7f, OTHER = 0x80 };

static bool is_long(const uint64_t head[2])
{
    return head[1] >> 56 == LONG_TEXT;
}

/* All bytes of a text of at most SHORT, and how many. */
static void head_of(uint64_t head[2], const char *p, size_t n)
{
    head[0] = head[1] = 0;
    if (n >= 8) {
        head[0] = read8(p);
        head[1] = read8(p + n - 8) >> 8 * (SHORT - n) >> 8; /* what lies behind the first eight */
    } else if (n >= 4) {
        head[0] = read4(p);
        head[1] = read4(p + n - 4);
    } else if (n) {
        head[0] = (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[n / 2] << 8 | (unsigned char)p[n - 1];
    }
    head[1] |= (uint64_t)n << 56;
}

static struct tide_dict_key plain(enum tide_item_kind kind, uint64_t bits)
{
    struct tide_dict_key key = {.kind = kind, .head = {bits, ((uint64_t)OTHER | (uint64_t)kind) << 56}};
    key.hash = hash_head(key.head);
    return key;
}

struct tide_dict_key tide_dict_key_integer(int64_t integer)
{
    return plain(TIDE_ITEM_INTEGER, (uint64_t)integer);
}

bool tide_dict_key_float(double number, struct tide_dict_key *key)
{
    uint64_t bits;
    if (isnan(number))
        return false;
    if (number >= -0x1p63 && number < 0x1p63 && number == floor(number)) {
        *key = tide_dict_key_integer((int64_t)number);
        return true;
    }
    memcpy(&bits, &number, sizeof bits);
    *key = plain(TIDE_ITEM_FLOAT, bits);
    return true;
}

struct tide_dict_key tide_dict_key_text(const char *bytes, size_t length)
{
    struct tide_dict_key key = {.kind = TIDE_ITEM_TEXT, .bytes = bytes, .length = length};
    if (length <= SHORT) {
        head_of(key.head, bytes, length);
        key.hash = hash_head(key.head);
    } else {
        key.hash = key.head[0] = hash_bytes(bytes, length);
        key.head[1] = (uint64_t)LONG_TEXT << 56;
    }
    return key;
}

struct tide_dict_key tide_dict_key_boolean(bool boolean)
{
    return plain(TIDE_ITEM_BOOLEAN, boolean);
}

struct tide_dict_key tide_dict_key_pointer(void *pointer)
{
    return plain(TIDE_ITEM_POINTER, (uintptr_t)pointer);
}

struct tide_dict_key tide_dict_key_object(struct tide_object *object)
{
    return plain(TIDE_ITEM_OBJECT, (uintptr_t)object);
}

static uint64_t bits_of(const struct tide_item *item)
{
    uint64_t bits = 0;
    switch (item->kind) {
    case TIDE_ITEM_BOOLEAN: return item->as.boolean;
    case TIDE_ITEM_INTEGER: return (uint64_t)item->as.integer;
    case TIDE_ITEM_FLOAT: memcpy(&bits, &item->as.number, sizeof bits); return bits;
    case TIDE_ITEM_POINTER: return (uintptr_t)item->as.pointer;
    case TIDE_ITEM_OBJECT: return (uintptr_t)item->as.object;
    case TIDE_ITEM_NONE:
    case TIDE_ITEM_TEXT:
    case TIDE_ITEM_MESSAGE: break;
    }
    assert(!"no key");
    return 0;
}

struct tide_dict_key tide_dict_key_of(const struct tide_item *item)
{
    if (item->kind != TIDE_ITEM_TEXT)
        return plain(item->kind, bits_of(item));
    struct tide_dict_key key = tide_dict_key_text(item->as.text->bytes, item->as.text->length);
    key.text = item->as.text;
    return key;
}

int tide_dict_key_item(const struct tide_dict_key *key, struct tide_item *item)
{
    struct tide_item copy = {.kind = key->kind};
    switch (key->kind) {
    case TIDE_ITEM_BOOLEAN: copy.as.boolean = key->head[0] != 0; break;
    case TIDE_ITEM_INTEGER: copy.as.integer = (int64_t)key->head[0]; break;
    case TIDE_ITEM_FLOAT: memcpy(&copy.as.number, &key->head[0], sizeof key->head[0]); break;
    case TIDE_ITEM_POINTER: copy.as.pointer = (void *)(uintptr_t)key->head[0]; break;
    case TIDE_ITEM_OBJECT:
        copy.as.object = (struct tide_object *)(uintptr_t)key->head[0];
        tide_object_ref(copy.as.object);
        break;
    case TIDE_ITEM_TEXT:
        copy.as.text = key->text;
        if (key->text)
            tide_message_ref(&key->text->base);
        else if (!(copy.as.text = tide_text_new(key->bytes, key->length)))
            return TIDE_ENOMEM;
        break;
    case TIDE_ITEM_NONE:
    case TIDE_ITEM_MESSAGE: assert(!"no key"); break;
    }
    *item = copy;
    return 0;
}

bool tide_dict_key_is(const struct tide_dict_key *key, const uint64_t head[2], const struct tide_item *item)
{
    if (key->head[0] != head[0] || key->head[1] != head[1])
        return false;
    if (!is_long(head))
        return true;
    const struct tide_text *text = item->as.text;
    return text == key->text ||
           (text->length == key->length && memcmp(text->bytes, key->bytes, key->length) == 0);
}

void tide_dict_key_describe(const struct tide_item *item, struct tide_strbuf *out)
{
    switch (item->kind) {
    case TIDE_ITEM_BOOLEAN: tide_strbuf_puts(out, item->as.boolean ? "true" : "false"); break;
    case TIDE_ITEM_INTEGER: tide_strbuf_printf(out, "%" PRId64, item->as.integer); break;
    case TIDE_ITEM_FLOAT: tide_strbuf_printf(out, "%.14g", item->as.number); break;
    case TIDE_ITEM_POINTER: tide_strbuf_printf(out, "userdata: %p", item->as.pointer); break;
    case TIDE_ITEM_OBJECT:
        tide_strbuf_printf(out, "%s: %p", item->as.object->class->name, (void *)item->as.object);
        break;
    case TIDE_ITEM_TEXT:
        if (item->as.text->length > SHOWN)
            tide_strbuf_printf(out, "'%.*s...'", SHOWN, item->as.text->bytes);
        else
            tide_strbuf_printf(out, "'%.*s'", (int)item->as.text->length, item->as.text->bytes);
        break;
    case TIDE_ITEM_NONE:
    case TIDE_ITEM_MESSAGE: break;
    }
}
