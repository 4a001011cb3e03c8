#include "base/map.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

enum { FIRST_ROOM = 16 };

static uint32_t hash_of(const char *key)
{
    uint32_t hash = 2166136261u;
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 16777619u;
    return hash;
}

static struct tide_map_entry **bucket_of(const struct tide_map *map, uint32_t hash)
{
    return &map->buckets[hash & (map->room - 1)];
}

struct tide_map_entry *tide_map_find(const struct tide_map *map, const char *key)
{
    if (!map->buckets)
        return NULL;
    uint32_t hash = hash_of(key);
    struct tide_map_entry *entry = *bucket_of(map, hash);
    while (entry && (entry->hash != hash || strcmp(entry->key, key) != 0))
        entry = entry->next;
    return entry;
}

static int grow(struct tide_map *map)
{
    struct tide_map larger = {.room = map->room ? map->room * 2 : FIRST_ROOM, .count = map->count};
    larger.buckets = tide_calloc(larger.room, sizeof *larger.buckets);
    if (!larger.buckets)
        return TIDE_ENOMEM;
    for (size_t i = 0; i < map->room; i++)
        for (struct tide_map_entry *entry = map->buckets[i], *next; entry; entry = next) {
            struct tide_map_entry **bucket = bucket_of(&larger, entry->hash);
            next = entry->next;
            entry->next = *bucket;
            *bucket = entry;
        }
    tide_free(map->buckets);
    *map = larger;
    return 0;
}

int tide_map_add(struct tide_map *map, struct tide_map_entry *entry)
{
    if (map->count == map->room && grow(map) && !map->buckets) /* a full table that cannot grow only becomes slower */
        return TIDE_ENOMEM;
    entry->hash = hash_of(entry->key);
    struct tide_map_entry **bucket = bucket_of(map, entry->hash);
    entry->next = *bucket;
    *bucket = entry;
    map->count++;
    return 0;
}

void tide_map_remove(struct tide_map *map, struct tide_map_entry *entry)
{
    struct tide_map_entry **link = bucket_of(map, entry->hash);
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    map->count--;
}

struct tide_map_entry *tide_map_next(const struct tide_map *map, const struct tide_map_entry *entry)
{
    if (entry && entry->next)
        return entry->next;
    for (size_t i = entry ? (entry->hash & (map->room - 1)) + 1 : 0; i < map->room; i++)
        if (map->buckets[i])
            return map->buckets[i];
    return NULL;
}

void tide_map_fini(struct tide_map *map)
{
    tide_free(map->buckets);
    *map = (struct tide_map){0};
}
