/* dict.h - a dictionary that all tasks share: items by keys.
 *
 * Shards by hash, each with its own small lock on its own cache line, so that tasks on several workers seldom meet. A value is
 * never changed in place: who reads takes a reference under the lock and looks at it outside. What a task changes with a
 * function of its own is guarded by a lock on the key (dict_lock.h), which tasks wait for; changes of a locked key answer
 * TIDE_EAGAIN here.
 *
 * Used by   bindings/dict.c, bindings/dict_update.c, dict_lock.c.
 * Threads   every function from any worker, by a caller that holds a reference.
 * Owns      keys and values from the call that put them in until they are taken out or dropped.
 * Lock      shard->lock, rank 30, one at a time. Nothing is called, allocated or dropped while it is held.
 */
#ifndef TIDE_SYNC_DICT_H
#define TIDE_SYNC_DICT_H

#include "base/thread.h"
#include "sync/dict_table.h"
#include "sync/holder.h"

enum { TIDE_DICT_SHARD_BITS = 6, TIDE_DICT_SHARDS = 1 << TIDE_DICT_SHARD_BITS };

struct tide_dict_shard {
    _Alignas(64) struct tide_mutex lock;
    /* protected by lock */
    struct tide_dict_table values;
    struct tide_dict_table locks;   /* keys that a task has or is handed: a pointer to the struct tide_dict_lock */
};

struct tide_dict {
    struct tide_holder holder;
    struct tide_dict_shard *shards; /* in the same block, aligned */
};

extern const struct tide_class tide_dict_class;

/* An empty dictionary with one reference, the caller's. NULL: out of memory. */
struct tide_dict *tide_dict_new(void);

/* The value with a reference for the caller; none where the key is absent. */
struct tide_item tide_dict_get(struct tide_dict *dict, const struct tide_dict_key *key);

/* A value that is looked at without a reference. */
struct tide_dict_peek {
    bool small;             /* it is all here: in `item`, or, a text, in `bytes` */
    size_t length;
    struct tide_item item;  /* what it refers to may be gone */
    char bytes[128];
};

/* The kind of the value, and the value itself if it is small: spares the count of references, which readers on several workers
 * would pass to and fro. */
enum tide_item_kind tide_dict_peek(struct tide_dict *dict, const struct tide_dict_key *key, struct tide_dict_peek *peek);

bool tide_dict_has(struct tide_dict *dict, const struct tide_dict_key *key);

/* Stores the value, none removes the key; what was there comes back in `old`, the caller's. 0: `value` is taken over.
 * TIDE_EAGAIN: the key is locked. TIDE_ENOMEM. In both cases nothing changed and the value stays the caller's. */
int tide_dict_exchange(struct tide_dict *dict, const struct tide_dict_key *key, struct tide_item *value,
                       struct tide_item *old);

/* Stores the value where the key is absent; else `present` is what stands, with a reference for the caller, and `value` stays
 * the caller's. Fails as tide_dict_exchange. */
int tide_dict_setdefault(struct tide_dict *dict, const struct tide_dict_key *key, struct tide_item *value,
                         struct tide_item *present);

/* Adds a number; absent counts as 0. `sum` is the new value. TIDE_EINVAL: `sum` is what stands and is no number, with a
 * reference for the caller. Else fails as tide_dict_exchange. */
int tide_dict_add(struct tide_dict *dict, const struct tide_dict_key *key, const struct tide_item *number,
                  struct tide_item *sum);

/* a + b as Lua adds: integers wrap around, anything else is a float; none counts as 0. TIDE_EINVAL: one is no number. */
int tide_dict_sum(const struct tide_item *a, const struct tide_item *b, struct tide_item *sum);

/* How many keys there are; not one instant for all shards. */
size_t tide_dict_count(struct tide_dict *dict);

/* Removes all keys, shard by shard. Who holds the lock on one keeps it. */
void tide_dict_clear(struct tide_dict *dict);

/* Keys and values at hand, in one block. */
struct tide_dict_pairs {
    size_t count, room;
    struct tide_dict_entry *list;
};

/* Adds references to all keys and values, shard by shard: each as it was at some instant of the call. 0 or TIDE_ENOMEM;
 * _fini in any case. */
int tide_dict_snapshot(struct tide_dict *dict, struct tide_dict_pairs *pairs);

/* Makes room for `count` more. 0 or TIDE_ENOMEM. */
int tide_dict_pairs_reserve(struct tide_dict_pairs *pairs, size_t count);

/* Drops them all. */
void tide_dict_pairs_fini(struct tide_dict_pairs *pairs);

/* ---- for dict_lock.c ---- */

static inline struct tide_dict_shard *tide_dict_shard_of(struct tide_dict *dict, uint64_t hash)
{
    return &dict->shards[hash >> (64 - TIDE_DICT_SHARD_BITS)];
}

/* Gives `table`, one of the shard's, the room that it wants if it is full or sparse. 0 or TIDE_ENOMEM. */
int tide_dict_resize(struct tide_dict_shard *shard, struct tide_dict_table *table);

/* As tide_dict_exchange, for the task that has the lock on the key. */
int tide_dict_exchange_own(struct tide_dict *dict, const struct tide_dict_key *key, struct tide_item *value,
                           struct tide_item *old);

#endif
