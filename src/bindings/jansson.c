#include "bindings/jansson.h"

#include "bindings/state.h"

#include <assert.h>
#include <pthread.h>

enum {
    STACK_LEVEL = 384,          /* bytes of C stack that one level takes at most; jansson's take 200 to 300 */
    STACK_RESERVE = 64 * 1024,  /* for what is called in the innermost one */
};

struct tide_jansson_functions tide_jansson;

static const char *const names[] = {TIDE_JANSSON_FUNCTIONS(TIDE_LIBRARY_NAME) NULL};
static struct tide_library library = TIDE_LIBRARY("libjansson.so.4", "libjansson4", names, &tide_jansson);

static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static json_malloc_t other_malloc; /* what a C module that uses jansson itself has set, or malloc */
static json_free_t other_free;
static locale_t plain_locale;

static _Thread_local struct tide_arena *active;

static void *take(size_t size)
{
    return active ? tide_arena_alloc(active, size) : other_malloc(size);
}

/* While an arena is active nothing but our own calls runs on this thread, so the block is the arena's. */
static void give(void *block)
{
    if (!active)
        other_free(block);
}

static void prepare(void)
{
    plain_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* without memory 0, which uselocale takes for "no change" */
    tide_jansson.json_get_alloc_funcs(&other_malloc, &other_free);
    tide_jansson.json_set_alloc_funcs(take, give);
    tide_jansson.json_object_seed(0);
}

void tide_jansson_load(lua_State *L)
{
    char problem[TIDE_LIBRARY_PROBLEM];
    if (tide_library_load(&library, problem) != 0)
        luaL_error(L, "%s", problem);
    pthread_once(&prepared, prepare);
}

struct tide_jansson_stretch tide_jansson_enter(struct tide_arena *arena)
{
    assert(!active);
    active = arena;
    return (struct tide_jansson_stretch){.arena = arena, .locale = uselocale(plain_locale)};
}

void tide_jansson_leave(const struct tide_jansson_stretch *stretch)
{
    assert(active == stretch->arena);
    uselocale(stretch->locale);
    active = NULL;
}

void tide_jansson_starved(lua_State *L, struct tide_arena *arena, int attempt)
{
    tide_arena_fini(arena);
    if (attempt > 0) {
        lua_pushliteral(L, "not enough memory");
        lua_error(L);
    }
    lua_gc(L, LUA_GCCOLLECT);
}

bool tide_jansson_fits(lua_State *L, size_t depth)
{
    const char *floor = tide_worker_of(L)->stack_floor;
    const char *here = __builtin_frame_address(0);
    return !floor || (size_t)(here - floor) > STACK_RESERVE + depth * STACK_LEVEL;
}
