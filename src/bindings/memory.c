#include "bindings/memory.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    size_t held = m->slab.size + m->large;
    if (m->drawn < held + 2 * BLOCK)
        return;
    size_t spare = m->drawn - held - BLOCK;
    m->drawn -= spare;
    atomic_fetch_add(&budget, (int64_t)spare);
}

/* The state is about to hold `more` bytes than now: draws what is missing. */
static bool afford(struct tide_memory *m, size_t more)
{
    size_t held = m->slab.size + m->large;
    if (more > SIZE_MAX / 2 || held + more < held)
        return false;
    if (held + more <= m->drawn || draw(m, held + more - m->drawn) || m->reserve)
        return true;
    return false;
}

static void *refuse(struct tide_memory *m)
{
    m->failed = true;
    return NULL;
}

static void *small_new(struct tide_memory *m, size_t size)
{
    size_t class = tide_slab_class(size);
    void *block = tide_slab_take(&m->slab, class);
    if (!block) {
        size_t piece = tide_slab_next_piece(&m->slab);
        if (!afford(m, piece) || tide_slab_grow(&m->slab, piece) != 0)
            return refuse(m);
        block = tide_slab_take(&m->slab, class);
    }
    m->used += size;
    return block;
}

static void *large_new(struct tide_memory *m, size_t size)
{
    void *block = afford(m, size) ? malloc(size) : NULL;
    if (!block)
        return refuse(m);
    m->used += size;
    m->large += size;
    return block;
}

static void release(struct tide_memory *m, void *block, size_t size)
{
    m->used -= size;
    if (tide_slab_fits(size)) {
        tide_slab_give(&m->slab, block, tide_slab_class(size));
        return;
    }
    free(block);
    m->large -= size;
    give_back(m);
}

static void *large_resize(struct tide_memory *m, void *block, size_t before, size_t size)
{
    if (size > before && !afford(m, size - before))
        return refuse(m);
    void *fresh = realloc(block, size);
    if (!fresh)
        return refuse(m);
    m->used += size - before; /* wraps around to less where it shrinks */
    m->large += size - before;
    if (size < before)
        give_back(m);
    return fresh;
}

static void *move(struct tide_memory *m, void *block, size_t before, size_t size)
{
    void *fresh = tide_slab_fits(size) ? small_new(m, size) : large_new(m, size);
    if (!fresh)
        return NULL;
    memcpy(fresh, block, before < size ? before : size);
    release(m, block, before);
    return fresh;
}

/* Lua takes for granted that a block can be made smaller. Where there is no smaller one it stays as it is, and will be given
 * to the class that Lua then names, which it is large enough for. */
static void *shrink(struct tide_memory *m, void *block, size_t before, size_t size)
{
    bool reserve = m->reserve, failed = m->failed;
    m->reserve = true;
    void *fresh = move(m, block, before, size);
    m->reserve = reserve;
    m->failed = failed;
    if (fresh)
        return fresh;
    if (!tide_slab_fits(before))
        return NULL; /* malloc's; the system itself is out of memory, and Lua raises */
    m->used -= before - size;
    return block;
}

void *tide_memory_alloc(void *ud, void *block, size_t old_size, size_t new_size)
{
    struct tide_memory *m = ud;
    if (!block) /* then old_size is the kind of object */
        return new_size == 0 ? NULL : tide_slab_fits(new_size) ? small_new(m, new_size) : large_new(m, new_size);
    if (new_size == 0) {
        release(m, block, old_size);
        return NULL;
    }
    if (!tide_slab_fits(old_size) && !tide_slab_fits(new_size))
        return large_resize(m, block, old_size, new_size);
    if (tide_slab_fits(old_size) && tide_slab_fits(new_size) && tide_slab_class(old_size) == tide_slab_class(new_size)) {
        m->used += new_size - old_size;
        return block;
    }
    return new_size < old_size ? shrink(m, block, old_size, new_size) : move(m, block, old_size, new_size);
}

void tide_memory_fini(struct tide_memory *memory)
{
    tide_slab_fini(&memory->slab);
    atomic_fetch_add(&budget, (int64_t)memory->drawn);
    *memory = (struct tide_memory){0};
}
