/* dict_table.h - the hash table of one shard: open addressing, keys and values as items.
 *
 * Used by   dict.c (values), dict_lock.c (keys that are locked).
 * Threads   none of its own; the shard's lock guards it. Nothing here allocates or drops but _new and _free, so that the
 *           rest may run under that lock.
 * Owns      its block. Keys and values belong to it from _insert until they are taken out again.
 * Model     linear probing over an array of 32-bit tags, which are the low half of the hash (0: empty), beside the array of
 *           entries; three quarters full at most; a removal shifts back what follows, so there are no tombstones.
 */
#ifndef TIDE_SYNC_DICT_TABLE_H
#define TIDE_SYNC_DICT_TABLE_H

#include "sync/dict_key.h"

struct tide_dict_entry {
    struct tide_item key, value;
    uint64_t head[2];                 /* of the key (dict_key.h) */
};

/* Zeroed is an empty table without room. */
struct tide_dict_table {
    struct tide_dict_entry *entries;
    uint32_t *tags;                   /* behind the entries, in the same block; 0: the place is empty */
    uint32_t room;                    /* a power of two, or 0 */
    uint32_t count;
};

/* An empty table with that much room, a power of two. 0 or TIDE_ENOMEM. */
int tide_dict_table_new(struct tide_dict_table *table, uint32_t room);

/* Gives the block back; not what its entries refer to. */
void tide_dict_table_free(struct tide_dict_table *table);

/* Drops all keys and values, then gives the block back: not under a lock. */
void tide_dict_table_drop(struct tide_dict_table *table);

/* The entry, valid until the next change of the table; NULL: there is none. */
struct tide_dict_entry *tide_dict_table_find(const struct tide_dict_table *table, const struct tide_dict_key *key);

/* True if there must be more room before the next _insert. */
static inline bool tide_dict_table_full(const struct tide_dict_table *table)
{
    return table->count >= table->room - table->room / 4;
}

/* Room for the present entries: what a full table grows to, and a sparse one shrinks to. */
uint32_t tide_dict_table_fit(const struct tide_dict_table *table);

/* Adds a key that is not in the table, which is not full; takes over both items. */
void tide_dict_table_insert(struct tide_dict_table *table, const struct tide_dict_key *key, struct tide_item owned,
                            struct tide_item value);

/* Takes out an entry; its items are the caller's. */
struct tide_dict_entry tide_dict_table_remove(struct tide_dict_table *table, struct tide_dict_entry *entry);

/* Moves all entries to `fresh`, which is empty and has the room, and swaps the two. */
void tide_dict_table_move(struct tide_dict_table *table, struct tide_dict_table *fresh);

/* The entry at or behind place `*at`, which moves behind it; NULL: there is none left. Begin with 0. */
struct tide_dict_entry *tide_dict_table_next(const struct tide_dict_table *table, uint32_t *at);

#endif
