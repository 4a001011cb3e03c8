#include "sync/ranking.h"

#include "base/alloc.h"
#include "base/error.h"

#include <assert.h>
#include <string.h>

enum { WAYS = 4, FIRST_ROOM = 8, LARGE = 1024 };

void tide_ranking_fini(struct tide_ranking *ranking)
{
    for (size_t i = 0; i < ranking->count; i++)
        tide_item_drop(&ranking->at[i].item);
    tide_free(ranking->at);
    *ranking = (struct tide_ranking){0};
}

int tide_ranking_reserve(struct tide_ranking *ranking, struct tide_mutex *lock, size_t more)
{
    while (ranking->room - ranking->count < more) {
        size_t room = ranking->room ? ranking->room : FIRST_ROOM;
        while (room - ranking->count < more && room <= SIZE_MAX / sizeof *ranking->at / 4)
            room *= 2;
        bool possible = room - ranking->count >= more;
        tide_mutex_unlock(lock);
        struct tide_ranked *spare = possible ? tide_malloc(room * sizeof *spare) : NULL, *old = spare;
        tide_mutex_lock(lock);
        if (!spare)
            return TIDE_ENOMEM;
        if (room > ranking->room) { /* else somebody was faster */
            old = ranking->at;
            if (ranking->count)
                memcpy(spare, old, ranking->count * sizeof *spare);
            ranking->at = spare;
            ranking->room = room;
        }
        if (old) {
            tide_mutex_unlock(lock);
            tide_free(old);
            tide_mutex_lock(lock);
        }
    }
    return 0;
}

struct tide_ranked *tide_ranking_trim(struct tide_ranking *ranking)
{
    struct tide_ranked *at = ranking->at;
    if (ranking->count || ranking->room <= LARGE)
        return NULL;
    ranking->at = NULL;
    ranking->room = 0;
    return at;
}

static bool before(const struct tide_ranked *a, const struct tide_ranked *b)
{
    return a->priority < b->priority || (a->priority == b->priority && a->number < b->number);
}

void tide_ranking_push(struct tide_ranking *ranking, struct tide_item item, double priority)
{
    assert(ranking->count < ranking->room && priority == priority);
    struct tide_ranked added = {.priority = priority, .number = ranking->pushed++, .item = item};
    size_t place = ranking->count++;
    while (place > 0 && before(&added, &ranking->at[(place - 1) / WAYS])) {
        ranking->at[place] = ranking->at[(place - 1) / WAYS];
        place = (place - 1) / WAYS;
    }
    ranking->at[place] = added;
}

/* The least of the children of `place`; count if it has none. */
static size_t least_child(const struct tide_ranking *ranking, size_t place)
{
    size_t least = place * WAYS + 1, end = least + WAYS;
    if (least >= ranking->count)
        return ranking->count;
    for (size_t child = least + 1; child < end && child < ranking->count; child++)
        if (before(&ranking->at[child], &ranking->at[least]))
            least = child;
    return least;
}

struct tide_item tide_ranking_pop(struct tide_ranking *ranking, double *priority)
{
    assert(ranking->count > 0);
    struct tide_ranked top = ranking->at[0], last = ranking->at[--ranking->count];
    size_t place = 0, child;
    while ((child = least_child(ranking, place)) < ranking->count && before(&ranking->at[child], &last)) {
        ranking->at[place] = ranking->at[child];
        place = child;
    }
    if (ranking->count)
        ranking->at[place] = last;
    *priority = top.priority;
    return top.item;
}
