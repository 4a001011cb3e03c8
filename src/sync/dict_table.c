#include "sync/dict_table.h"

#include "base/alloc.h"
#include "base/error.h"

#include <assert.h>
#include <string.h>

enum { LEAST_ROOM = 8 };

static const uint32_t most_room = 1u << 30;

int tide_dict_table_new(struct tide_dict_table *table, uint32_t room)
{
    if (room > most_room)
        return TIDE_ENOMEM;
    char *block = tide_malloc((size_t)room * (sizeof *table->entries + sizeof *table->tags));
    if (!block)
        return TIDE_ENOMEM;
    struct tide_dict_table fresh = {.entries = (void *)block, .room = room};
    fresh.tags = (void *)(block + (size_t)room * sizeof *fresh.entries);
    memset(fresh.tags, 0, (size_t)room * sizeof *fresh.tags);
    *table = fresh;
    return 0;
}

void tide_dict_table_free(struct tide_dict_table *table)
{
    tide_free(table->entries);
    *table = (struct tide_dict_table){0};
}

void tide_dict_table_drop(struct tide_dict_table *table)
{
    struct tide_dict_entry *entry;
    for (uint32_t at = 0; (entry = tide_dict_table_next(table, &at)) != NULL;) {
        tide_item_drop(&entry->key);
        tide_item_drop(&entry->value);
    }
    tide_dict_table_free(table);
}

/* The shard took the high bits of the hash. */
static uint32_t tag_of(const struct tide_dict_key *key)
{
    uint32_t tag = (uint32_t)key->hash;
    return tag ? tag : 1;
}

struct tide_dict_entry *tide_dict_table_find(const struct tide_dict_table *table, const struct tide_dict_key *key)
{
    if (!table->count)
        return NULL;
    uint32_t tag = tag_of(key), mask = table->room - 1, i = tag & mask;
    for (; table->tags[i]; i = (i + 1) & mask)
        if (table->tags[i] == tag && tide_dict_key_is(key, table->entries[i].head, &table->entries[i].key))
            return &table->entries[i];
    return NULL;
}

uint32_t tide_dict_table_fit(const struct tide_dict_table *table)
{
    uint32_t room = LEAST_ROOM;
    while (room < most_room && room / 2 < table->count + 1)
        room *= 2;
    return room > table->room || table->count < table->room / 8 ? room : table->room;
}

static void place(struct tide_dict_table *table, uint32_t tag, struct tide_dict_entry entry)
{
    uint32_t mask = table->room - 1, i = tag & mask;
    while (table->tags[i])
        i = (i + 1) & mask;
    table->tags[i] = tag;
    table->entries[i] = entry;
    table->count++;
}

void tide_dict_table_insert(struct tide_dict_table *table, const struct tide_dict_key *key, struct tide_item owned,
                            struct tide_item value)
{
    assert(!tide_dict_table_full(table));
    place(table, tag_of(key), (struct tide_dict_entry){owned, value, {key->head[0], key->head[1]}});
}

struct tide_dict_entry tide_dict_table_remove(struct tide_dict_table *table, struct tide_dict_entry *entry)
{
    struct tide_dict_entry removed = *entry;
    uint32_t mask = table->room - 1, hole = (uint32_t)(entry - table->entries);
    for (uint32_t i = (hole + 1) & mask; table->tags[i]; i = (i + 1) & mask) {
        uint32_t home = table->tags[i] & mask;
        if (((i - home) & mask) < ((i - hole) & mask)) /* it would move before its home */
            continue;
        table->tags[hole] = table->tags[i];
        table->entries[hole] = table->entries[i];
        hole = i;
    }
    table->tags[hole] = 0;
    table->count--;
    return removed;
}

void tide_dict_table_move(struct tide_dict_table *table, struct tide_dict_table *fresh)
{
    for (uint32_t i = 0; i < table->room; i++)
        if (table->tags[i])
            place(fresh, table->tags[i], table->entries[i]);
    struct tide_dict_table old = *table;
    old.count = 0;
    *table = *fresh;
    *fresh = old;
}

struct tide_dict_entry *tide_dict_table_next(const struct tide_dict_table *table, uint32_t *at)
{
    while (*at < table->room) {
        uint32_t i = (*at)++;
        if (table->tags[i])
            return &table->entries[i];
    }
    return NULL;
}
