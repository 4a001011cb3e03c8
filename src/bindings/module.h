/* module.h - the module `tidemill.core`: what of `require "tidemill"` is written in C. lua/tidemill/init.lua adds the rest.
 *
 * Each part adds its functions to the table on top, and registers its classes. In: table. Out: table.
 */
#ifndef TIDE_BINDINGS_MODULE_H
#define TIDE_BINDINGS_MODULE_H

#include <lua.h>

void tide_open_time(lua_State *L);
void tide_open_event(lua_State *L);
void tide_open_counter(lua_State *L);
void tide_open_dict(lua_State *L);
void tide_open_semaphore(lua_State *L);
void tide_open_barrier(lua_State *L);
void tide_open_once(lua_State *L);
void tide_open_lock(lua_State *L);
void tide_open_condition(lua_State *L);
void tide_open_queue(lua_State *L);
void tide_open_deque(lua_State *L);
void tide_open_select(lua_State *L);
void tide_open_future(lua_State *L);
void tide_open_watch(lua_State *L);
void tide_open_executor(lua_State *L);
void tide_open_map(lua_State *L);
void tide_open_thread(lua_State *L);
void tide_open_locals(lua_State *L);
void tide_open_scope(lua_State *L);
void tide_open_timer(lua_State *L);
void tide_open_rate_limiter(lua_State *L);
void tide_open_http(lua_State *L);
void tide_open_json(lua_State *L);
void tide_open_fs(lua_State *L);
void tide_open_hash(lua_State *L);
void tide_open_cron(lua_State *L);
void tide_open_virtual(lua_State *L);

/* luaopen_tidemill_core */
int tide_open_core(lua_State *L);

#endif
