/* map.h - an intrusive hash table from strings to what embeds its entries.
 *
 * Owns      its buckets; neither entries nor keys. Threads: none of its own.
 * Model     chains of entries, the number of buckets a power of two that grows with the count; FNV-1a.
 */
#ifndef TIDE_BASE_MAP_H
#define TIDE_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct tide_map_entry {
    struct tide_map_entry *next;
    const char *key; /* its owner's, unchanged while it is in the table */
    uint32_t hash;
};

struct tide_map {
    struct tide_map_entry **buckets; /* NULL while nothing was added */
    size_t room, count;
};

/* The entry with that key, or NULL. */
struct tide_map_entry *tide_map_find(const struct tide_map *map, const char *key);

/* Adds an entry whose key is set and not in the table. 0 or TIDE_ENOMEM. */
int tide_map_add(struct tide_map *map, struct tide_map_entry *entry);

/* Takes out an entry that is in it. */
void tide_map_remove(struct tide_map *map, struct tide_map_entry *entry);

/* The entry behind `entry` in no particular order, the first for NULL, NULL behind the last. The table must not change
 * meanwhile but for the removal of entries that were passed. */
struct tide_map_entry *tide_map_next(const struct tide_map *map, const struct tide_map_entry *entry);

/* Frees the buckets; the entries are the caller's. */
void tide_map_fini(struct tide_map *map);

#endif
