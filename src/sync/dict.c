#include "sync/dict.h"

#include "base/alloc.h"
#include "base/error.h"

#include <assert.h>
#include <string.h>

_Static_assert(sizeof(struct tide_dict_shard) == 64, "a shard is a cache line");

static void release(struct tide_holder *holder)
{
    struct tide_dict *dict = tide_container(holder, struct tide_dict, holder);
    for (int i = 0; i < TIDE_DICT_SHARDS; i++) {
        assert(dict->shards[i].locks.count == 0); /* a lock keeps its dictionary */
        tide_dict_table_drop(&dict->shards[i].values);
        tide_dict_table_free(&dict->shards[i].locks);
    }
    tide_free(dict);
}

static void destroy(struct tide_object *object)
{
    tide_holder_end(tide_container(object, struct tide_holder, object), release);
}

const struct tide_class tide_dict_class = {"tidemill.dict", destroy};

static void empty(struct tide_holder *holder)
{
    tide_dict_clear(tide_container(holder, struct tide_dict, holder));
}

struct tide_dict *tide_dict_new(void)
{
    enum { LINE = sizeof(struct tide_dict_shard) };
    struct tide_dict *dict = tide_calloc(1, sizeof *dict + (TIDE_DICT_SHARDS + 1) * LINE);
    if (!dict)
        return NULL;
    tide_dict_key_seed();
    uintptr_t behind = (uintptr_t)(dict + 1);
    dict->shards = (void *)((char *)(dict + 1) + (LINE - behind % LINE));
    tide_holder_init(&dict->holder, &tide_dict_class, empty);
    return dict;
}

/* ---- room ---- */

int tide_dict_resize(struct tide_dict_shard *shard, struct tide_dict_table *table)
{
    struct tide_dict_table fresh = {0};
    tide_mutex_lock(&shard->lock);
    uint32_t room = tide_dict_table_fit(table), had = table->room;
    bool full = tide_dict_table_full(table);
    tide_mutex_unlock(&shard->lock);
    if (room == had)
        return full ? TIDE_ENOMEM : 0;
    if (tide_dict_table_new(&fresh, room) != 0)
        return TIDE_ENOMEM;
    tide_mutex_lock(&shard->lock);
    if (tide_dict_table_fit(table) == room && table->room != room)
        tide_dict_table_move(table, &fresh);
    tide_mutex_unlock(&shard->lock);
    tide_dict_table_free(&fresh); /* the old one, or that of nobody where another was faster */
    return 0;
}

/* ---- one key ---- */

/* A change of one key, between begin and finish: the shard's lock is held. */
struct change {
    struct tide_dict_shard *shard;
    const struct tide_dict_key *key;
    struct tide_dict_entry *entry;  /* NULL: absent; then there is room for it, and `owned` is a copy of the key */
    struct tide_item owned;
    bool adds;                      /* it may insert */
};

/* 0: the lock is held; else it is not. */
static int begin(struct change *c, struct tide_dict *dict, const struct tide_dict_key *key, bool adds, bool own)
{
    struct tide_dict_shard *shard = tide_dict_shard_of(dict, key->hash);
    *c = (struct change){.shard = shard, .key = key, .adds = adds};
    for (;;) {
        tide_mutex_lock(&shard->lock);
        if (!own && shard->locks.count && tide_dict_table_find(&shard->locks, key)) {
            tide_mutex_unlock(&shard->lock);
            tide_item_drop(&c->owned);
            return TIDE_EAGAIN;
        }
        c->entry = tide_dict_table_find(&shard->values, key);
        bool full = tide_dict_table_full(&shard->values);
        if (c->entry || !adds || (c->owned.kind && !full))
            return 0;
        tide_mutex_unlock(&shard->lock);
        if ((!c->owned.kind && tide_dict_key_item(key, &c->owned) != 0) ||
            (full && tide_dict_resize(shard, &shard->values) != 0)) {
            tide_item_drop(&c->owned);
            return TIDE_ENOMEM;
        }
    }
}

static void insert(struct change *c, struct tide_item value)
{
    tide_dict_table_insert(&c->shard->values, c->key, tide_item_take(&c->owned), value);
}

static void finish(struct change *c)
{
    struct tide_dict_table *values = &c->shard->values;
    bool sparse = !c->adds && tide_dict_table_fit(values) < values->room;
    tide_mutex_unlock(&c->shard->lock);
    tide_item_drop(&c->owned);
    if (sparse)
        tide_dict_resize(c->shard, values); /* without memory it stays large */
}

static int exchange(struct tide_dict *dict, const struct tide_dict_key *key, struct tide_item *value,
                    struct tide_item *old, bool own)
{
    struct change c;
    bool adds = value->kind != TIDE_ITEM_NONE;
    int failed = begin(&c, dict, key, adds, own);
    if (failed)
        return failed;
    *old = (struct tide_item){.kind = TIDE_ITEM_NONE};
    if (c.entry)
        *old = c.entry->value;
    if (c.entry && adds) {
        c.entry->value = tide_item_take(value);
    } else if (c.entry) {
        c.owned = tide_dict_table_remove(&c.shard->values, c.entry).key;
    } else if (adds) {
        insert(&c, tide_item_take(value));
    }
    finish(&c);
    return 0;
}

int tide_dict_exchange(struct tide_dict *dict, const struct tide_dict_key *key, struct tide_item *value,
                       struct tide_item *old)
{
    return exchange(dict, key, value, old, false);
}

int tide_dict_exchange_own(struct tide_dict *dict, const struct tide_dict_key *key, struct tide_item *value,
                           struct tide_item *old)
{
    return exchange(dict, key, value, old, true);
}

int tide_dict_setdefault(struct tide_dict *dict, const struct tide_dict_key *key, struct tide_item *value,
                         struct tide_item *present)
{
    struct change c;
    int failed = begin(&c, dict, key, value->kind != TIDE_ITEM_NONE, false);
    if (failed)
        return failed;
    *present = (struct tide_item){.kind = TIDE_ITEM_NONE};
    if (c.entry)
        *present = tide_item_ref(c.entry->value);
    else if (c.adds)
        insert(&c, tide_item_take(value));
    finish(&c);
    return 0;
}

static bool is_number(const struct tide_item *item)
{
    return item->kind == TIDE_ITEM_NONE || item->kind == TIDE_ITEM_INTEGER || item->kind == TIDE_ITEM_FLOAT;
}

static double number_of(const struct tide_item *item)
{
    return item->kind == TIDE_ITEM_FLOAT ? item->as.number : (double)item->as.integer;
}

int tide_dict_sum(const struct tide_item *a, const struct tide_item *b, struct tide_item *sum)
{
    if (!is_number(a) || !is_number(b))
        return TIDE_EINVAL;
    if (a->kind == TIDE_ITEM_NONE || b->kind == TIDE_ITEM_NONE)
        *sum = a->kind == TIDE_ITEM_NONE ? *b : *a;
    else if (a->kind == TIDE_ITEM_INTEGER && b->kind == TIDE_ITEM_INTEGER)
        *sum = (struct tide_item){.kind = TIDE_ITEM_INTEGER,
                                  .as.integer = (int64_t)((uint64_t)a->as.integer + (uint64_t)b->as.integer)};
    else
        *sum = (struct tide_item){.kind = TIDE_ITEM_FLOAT, .as.number = number_of(a) + number_of(b)};
    return 0;
}

int tide_dict_add(struct tide_dict *dict, const struct tide_dict_key *key, const struct tide_item *number,
                  struct tide_item *sum)
{
    struct change c;
    struct tide_item none = {.kind = TIDE_ITEM_NONE};
    int failed = begin(&c, dict, key, true, false);
    if (failed)
        return failed;
    failed = tide_dict_sum(c.entry ? &c.entry->value : &none, number, sum);
    if (failed)
        *sum = tide_item_ref(c.entry->value);
    else if (c.entry)
        c.entry->value = *sum;
    else
        insert(&c, *sum);
    finish(&c);
    return failed;
}

struct tide_item tide_dict_get(struct tide_dict *dict, const struct tide_dict_key *key)
{
    struct tide_dict_shard *shard = tide_dict_shard_of(dict, key->hash);
    struct tide_item item = {.kind = TIDE_ITEM_NONE};
    tide_mutex_lock(&shard->lock);
    struct tide_dict_entry *entry = tide_dict_table_find(&shard->values, key);
    if (entry)
        item = tide_item_ref(entry->value);
    tide_mutex_unlock(&shard->lock);
    return item;
}

enum tide_item_kind tide_dict_peek(struct tide_dict *dict, const struct tide_dict_key *key, struct tide_dict_peek *peek)
{
    struct tide_dict_shard *shard = tide_dict_shard_of(dict, key->hash);
    enum tide_item_kind kind = TIDE_ITEM_NONE;
    tide_mutex_lock(&shard->lock);
    struct tide_dict_entry *entry = tide_dict_table_find(&shard->values, key);
    if (entry) {
        peek->item = entry->value;
        kind = entry->value.kind;
        peek->small = kind < TIDE_ITEM_OBJECT;
        if (kind == TIDE_ITEM_TEXT && entry->value.as.text->length <= sizeof peek->bytes) {
            peek->small = true;
            peek->length = entry->value.as.text->length;
            memcpy(peek->bytes, entry->value.as.text->bytes, peek->length);
        }
    }
    tide_mutex_unlock(&shard->lock);
    return kind;
}

bool tide_dict_has(struct tide_dict *dict, const struct tide_dict_key *key)
{
    struct tide_dict_shard *shard = tide_dict_shard_of(dict, key->hash);
    tide_mutex_lock(&shard->lock);
    bool has = tide_dict_table_find(&shard->values, key) != NULL;
    tide_mutex_unlock(&shard->lock);
    return has;
}

/* ---- all keys ---- */

size_t tide_dict_count(struct tide_dict *dict)
{
    size_t count = 0;
    for (int i = 0; i < TIDE_DICT_SHARDS; i++) {
        struct tide_dict_shard *shard = &dict->shards[i];
        tide_mutex_lock(&shard->lock);
        count += shard->values.count;
        tide_mutex_unlock(&shard->lock);
    }
    return count;
}

void tide_dict_clear(struct tide_dict *dict)
{
    for (int i = 0; i < TIDE_DICT_SHARDS; i++) {
        struct tide_dict_shard *shard = &dict->shards[i];
        tide_mutex_lock(&shard->lock);
        struct tide_dict_table values = shard->values;
        shard->values = (struct tide_dict_table){0};
        tide_mutex_unlock(&shard->lock);
        tide_dict_table_drop(&values);
    }
}

int tide_dict_pairs_reserve(struct tide_dict_pairs *pairs, size_t count)
{
    if (pairs->room - pairs->count >= count)
        return 0;
    size_t room = pairs->room + pairs->room / 2;
    if (room < pairs->count + count)
        room = pairs->count + count;
    if (room > SIZE_MAX / sizeof *pairs->list)
        return TIDE_ENOMEM;
    struct tide_dict_entry *list = tide_realloc(pairs->list, room * sizeof *list);
    if (!list)
        return TIDE_ENOMEM;
    pairs->list = list;
    pairs->room = room;
    return 0;
}

void tide_dict_pairs_fini(struct tide_dict_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        tide_item_drop(&pairs->list[i].key);
        tide_item_drop(&pairs->list[i].value);
    }
    tide_free(pairs->list);
    *pairs = (struct tide_dict_pairs){0};
}

static int snapshot_shard(struct tide_dict_shard *shard, struct tide_dict_pairs *pairs)
{
    const struct tide_dict_table *values = &shard->values;
    for (;;) {
        tide_mutex_lock(&shard->lock);
        size_t count = values->count;
        if (count <= pairs->room - pairs->count)
            break;
        tide_mutex_unlock(&shard->lock);
        if (tide_dict_pairs_reserve(pairs, count) != 0)
            return TIDE_ENOMEM;
    }
    struct tide_dict_entry *entry;
    for (uint32_t at = 0; (entry = tide_dict_table_next(values, &at)) != NULL;)
        pairs->list[pairs->count++] =
            (struct tide_dict_entry){.key = tide_item_ref(entry->key), .value = tide_item_ref(entry->value)};
    tide_mutex_unlock(&shard->lock);
    return 0;
}

int tide_dict_snapshot(struct tide_dict *dict, struct tide_dict_pairs *pairs)
{
    if (tide_dict_pairs_reserve(pairs, tide_dict_count(dict)) != 0)
        return TIDE_ENOMEM;
    for (int i = 0; i < TIDE_DICT_SHARDS; i++)
        if (snapshot_shard(&dict->shards[i], pairs) != 0)
            return TIDE_ENOMEM;
    return 0;
}
