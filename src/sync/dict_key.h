/* dict_key.h - keys of dictionaries: what they are, how they are hashed and compared.
 *
 * Used by   dict.c, dict_table.c, dict_lock.c; bindings make keys of Lua values.
 * Threads   plain values. tide_dict_key_seed once before the first hash; tide_dict_new does it.
 * Owns      a key nothing: it is a view of bytes or of an object that the caller keeps while it uses the key.
 *           tide_dict_key_item makes the copy that stays.
 * Model     the hash folds the 128 bits of a product into 64, as Vladimir Makarov's mum-hash and Wang Yi's wyhash do, with
 *           secrets that each process draws, so that nobody outside can choose keys that collide.
 */
#ifndef TIDE_SYNC_DICT_KEY_H
#define TIDE_SYNC_DICT_KEY_H

#include "base/item.h"
#include "base/strbuf.h"

struct tide_dict_key {
    uint64_t hash;
    enum tide_item_kind kind;  /* boolean, integer, float, pointer, object or text */
    uint64_t head[2];          /* the key itself, but of a text that is longer than 15 bytes only its hash */
    const char *bytes;         /* of a text, */
    size_t length;             /* and how many */
    struct tide_text *text;    /* that text where there is one, else NULL */
};

/* Draws the secrets of this process; more than once does nothing. */
void tide_dict_key_seed(void);

/* The key for an integer, and for a float: one that has an integer's value is that integer. NaN is no key: false. */
struct tide_dict_key tide_dict_key_integer(int64_t integer);
bool tide_dict_key_float(double number, struct tide_dict_key *key);

/* The key for bytes that the caller keeps. */
struct tide_dict_key tide_dict_key_text(const char *bytes, size_t length);

/* The key for what else may be one. */
struct tide_dict_key tide_dict_key_boolean(bool boolean);
struct tide_dict_key tide_dict_key_pointer(void *pointer);
struct tide_dict_key tide_dict_key_object(struct tide_object *object);

/* The key that an item of tide_dict_key_item is. */
struct tide_dict_key tide_dict_key_of(const struct tide_item *item);

/* A copy to keep, the caller's. 0 or TIDE_ENOMEM. */
int tide_dict_key_item(const struct tide_dict_key *key, struct tide_item *item);

/* True if the kept copy, made of a key with that head, is this key. Looks at the item only where the heads are equal and do
 * not tell all: one place less in memory to wait for. */
bool tide_dict_key_is(const struct tide_dict_key *key, const uint64_t head[2], const struct tide_item *item);

/* Appends the key as a message shows it: 'a text', 42. */
void tide_dict_key_describe(const struct tide_item *item, struct tide_strbuf *out);

#endif
