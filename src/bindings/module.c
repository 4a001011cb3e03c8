#include "bindings/module.h"

#include "bindings/errors.h"
#include "bindings/job.h"
#include "bindings/onsignal.h"
#include "bindings/version.h"

int tide_open_core(lua_State *L)
{
    lua_newtable(L);
    lua_pushstring(L, tide_version());
    lua_setfield(L, -2, "version");
    lua_pushcfunction(L, tide_onsignal);
    lua_setfield(L, -2, "on_signal");
    tide_errors_push_class(L);
    lua_setfield(L, -2, "error_class");
    tide_open_time(L);
    tide_open_event(L);
    tide_open_counter(L);
    tide_open_dict(L);
    tide_open_semaphore(L);
    tide_open_barrier(L);
    tide_open_once(L);
    tide_open_lock(L);
    tide_open_condition(L);
    tide_open_future(L);
    tide_open_queue(L);
    tide_open_deque(L);
    tide_open_select(L);
    tide_open_executor(L);
    tide_open_map(L);
    tide_open_thread(L);
    tide_open_locals(L);
    tide_open_scope(L);
    tide_open_timer(L);
    tide_open_rate_limiter(L);
    tide_open_http(L);
    tide_open_json(L);
    tide_bind_job_open(L);
    tide_open_fs(L);
    tide_open_hash(L);
    tide_open_cron(L);
    tide_open_virtual(L);
    return 1;
}
