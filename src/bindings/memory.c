#include "bindings/memory.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BLOCK = 1024 * 1024 };

static _Atomic int64_t budget = INT64_MAX; /* bytes that no state has drawn */
static size_t limit;

static uint64_t cgroup_limit(void)
{
    unsigned long long bytes = 0;
    FILE *f = fopen("/sys/fs/cgroup/memory.max", "re");
    if (!f)
        return UINT64_MAX;
    int fields = fscanf(f, "%llu", &bytes); /* "max" is no number */
    fclose(f);
    return fields == 1 ? bytes : UINT64_MAX;
}

static uint64_t machine_limit(void)
{
    uint64_t bytes = UINT64_MAX, group = cgroup_limit();
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGE_SIZE);
    struct rlimit rl;
    if (pages > 0 && page > 0)
        bytes = (uint64_t)pages * (uint64_t)page;
    if (group < bytes)
        bytes = group;
    if (getrlimit(RLIMIT_AS, &rl) == 0 && rl.rlim_cur != RLIM_INFINITY && rl.rlim_cur < bytes)
        bytes = rl.rlim_cur;
    return bytes == UINT64_MAX ? (uint64_t)INT64_MAX : bytes / 10 * 9;
}

void tide_memory_set_limit(size_t bytes)
{
    limit = bytes ? bytes : (size_t)machine_limit();
    atomic_store(&budget, (int64_t)limit);
}

size_t tide_memory_limit(void)
{
    return limit;
}

static bool draw(struct tide_memory *m, size_t need)
{
    size_t want = need > BLOCK ? need : BLOCK;
    int64_t left = atomic_load_explicit(&budget, memory_order_relaxed);
    for (;;) {
        size_t take = want;
        if (left < (int64_t)take)
            take = need;
        if (left < (int64_t)take)
            return false;
        if (atomic_compare_exchange_weak(&budget, &left, left - (int64_t)take)) {
            m->drawn += take;
            return true;
        }
    }
}

static void give_back(struct tide_memory *m)
{
    size_t spare = m->drawn - m->used;
    if (m->drawn < m->used || spare < 2 * BLOCK)
        return;
    m->drawn -= spare - BLOCK;
    atomic_fetch_add(&budget, (int64_t)(spare - BLOCK));
}

void *tide_memory_alloc(void *ud, void *block, size_t old_size, size_t new_size)
{
    struct tide_memory *m = ud;
    size_t before = block ? old_size : 0; /* for a new block Lua passes the kind of object */
    if (new_size == 0) {
        free(block);
        m->used -= before;
        give_back(m);
        return NULL;
    }
    if (new_size > before && m->used + (new_size - before) > m->drawn &&
        !draw(m, m->used + (new_size - before) - m->drawn) && !m->reserve) {
        m->failed = true;
        return NULL;
    }
    void *fresh = realloc(block, new_size);
    if (!fresh) {
        m->failed = true;
        return NULL;
    }
    m->used += new_size - before;
    if (new_size < before)
        give_back(m);
    return fresh;
}

void tide_memory_fini(struct tide_memory *memory)
{
    atomic_fetch_add(&budget, (int64_t)memory->drawn);
    *memory = (struct tide_memory){0};
}
