/* What tm.http is made of (lua/tidemill/http.lua): core.http.transfer, and streams.
 *
 *     transfer({method=, …}, url[, deadline]) → status, version, head, body, url, redirects, elapsed, timings, cookies
 *                                                body: a string, or the stream where `stream` is set
 *                                             → nil, err
 *                                                a table with `constant` is read once, at its first transfer
 *     expect()                                → libcurl is loaded meanwhile
 *     stream:read([deadline])                 → piece; nil at the end; nil, err
 *
 * The table is made by http.lua and not looked at by users: what is wrong in it was told there. */
#include "reactor/transfer.h"

#include "base/error.h"
#include "base/time.h"
#include "bindings/bind.h"
#include "bindings/errors.h"
#include "bindings/module.h"
#include "reactor/admission.h"
#include "reactor/curl_load.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SPEC = 1, URL, BOX, BASE = BOX, IDLE_BOXES = 100 }; /* the stack of `transfer` while it waits */

static const char box_name[] = "tidemill.http.box";
static const char constants[] = "tidemill.http.constants";

/* What holds the transfer while its task waits: it is dropped and let go whatever happens. */
static int drop_box(lua_State *L)
{
    struct tide_transfer **box = luaL_checkudata(L, 1, box_name), *transfer = *box;
    *box = NULL;
    if (transfer) {
        tide_operation_drop(tide_transfer_operation(transfer));
        tide_transfer_unref(transfer);
    }
    return 0;
}

/* Pushes an empty box: one of those that came back, as each new one would have to be finalized. */
static struct tide_transfer **push_box(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, box_name);
    lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
    if (count) {
        lua_rawgeti(L, -1, count);
        lua_pushnil(L);
        lua_rawseti(L, -3, count);
    } else {
        struct tide_transfer **box = lua_newuserdatauv(L, sizeof *box, 0);
        *box = NULL;
        luaL_setmetatable(L, box_name);
    }
    lua_remove(L, -2);
    return lua_touserdata(L, -1);
}

/* The task is done with its transfer: the box is empty, and may be used again. */
static void let_go(lua_State *L)
{
    struct tide_transfer **box = lua_touserdata(L, BOX), *transfer = *box;
    *box = NULL;
    tide_transfer_unref(transfer);
    lua_rawgetp(L, LUA_REGISTRYINDEX, box_name);
    lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
    if (count < IDLE_BOXES) {
        lua_pushvalue(L, BOX);
        lua_rawseti(L, -2, count + 1);
    }
    lua_pop(L, 1);
}

/* ---- the request ---- */

static const char *text(lua_State *L, const char *key)
{
    lua_getfield(L, SPEC, key);
    const char *value = lua_tostring(L, -1);
    lua_pop(L, 1); /* the table keeps it */
    return value;
}

static lua_Integer integer(lua_State *L, const char *key, lua_Integer absent)
{
    lua_getfield(L, SPEC, key);
    lua_Integer value = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : absent;
    lua_pop(L, 1);
    return value;
}

static bool flag(lua_State *L, const char *key)
{
    lua_getfield(L, SPEC, key);
    bool value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

static int64_t nanoseconds(lua_State *L, const char *key)
{
    lua_getfield(L, SPEC, key);
    lua_Number seconds = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return seconds < 1e9 ? (int64_t)(seconds * 1e9) : (int64_t)1e18;
}

/* The lines of `headers`, which the table keeps, in a userdata on top. */
static void header_lines(lua_State *L, struct tide_request *request)
{
    lua_getfield(L, SPEC, "headers");
    request->header_count = lua_istable(L, -1) ? (size_t)lua_rawlen(L, -1) : 0;
    const char **lines = lua_newuserdatauv(L, request->header_count * sizeof *lines + 1, 0);
    for (size_t i = 0; i < request->header_count; i++) {
        lua_rawgeti(L, -2, (lua_Integer)i + 1);
        lines[i] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    request->headers = lines;
}

static void read_spec(lua_State *L, struct tide_request *request)
{
    *request = (struct tide_request){
        .method = text(L, "method"),
        .user = text(L, "user"),
        .password = text(L, "password"),
        .cookies = text(L, "cookies"),
        .proxy = text(L, "proxy"),
        .ca = text(L, "ca"),
        .path = text(L, "path"),
        .auth = flag(L, "digest") ? TIDE_AUTH_DIGEST : TIDE_AUTH_BASIC,
        .verify = flag(L, "verify"),
        .decode = flag(L, "decode"),
        .http = (int)integer(L, "http", 0),
        .max_redirects = (int)integer(L, "max_redirects", 0),
        .connect_ns = nanoseconds(L, "connect_timeout"),
        .stall_ns = nanoseconds(L, "stall_timeout"),
        .max_body = (uint64_t)integer(L, "max_body", INT64_MAX),
    };
    request->sink = flag(L, "stream") ? TIDE_SINK_STREAM : request->path ? TIDE_SINK_FILE : TIDE_SINK_MEMORY;
    lua_getfield(L, SPEC, "body");
    request->body = lua_tolstring(L, -1, &request->body_size);
    lua_pop(L, 1);
    header_lines(L, request);
}

/* Pushes what was read of a table that is `constant`; it is kept by the table, which has the strings. */
static const struct tide_request *push_constant(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, constants);
    lua_pushvalue(L, SPEC);
    if (lua_rawget(L, -2) == LUA_TUSERDATA)
        return lua_touserdata(L, -1);
    lua_pop(L, 1);
    struct tide_request *request = lua_newuserdatauv(L, sizeof *request, 1);
    int made = lua_gettop(L);
    read_spec(L, request);
    lua_setiuservalue(L, made, 1); /* the lines of the headers */
    lua_settop(L, made);
    lua_pushvalue(L, SPEC);
    lua_pushvalue(L, made);
    lua_rawset(L, made - 1);
    return request;
}

/* What stays on the stack is what the request points to. */
static void read_request(lua_State *L, struct tide_request *request)
{
    if (flag(L, "constant"))
        *request = *push_constant(L);
    else
        read_spec(L, request);
    request->url = lua_tostring(L, URL);
}

/* ---- the response ---- */

static void push_buffer(lua_State *L, const struct tide_strbuf *b)
{
    lua_pushlstring(L, tide_strbuf_text(b), b->size);
}

/* in: the message on top. out: nil, err */
static int fail(lua_State *L, const char *kind)
{
    tide_errors_make(L, kind);
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

static int push_failure(lua_State *L, const struct tide_response *response)
{
    push_buffer(L, &response->message);
    return fail(L, response->kind);
}

/* As six doubles in a string: few look at them, and then http_response.lua makes a table of them. */
static void push_timings(lua_State *L, const struct tide_timings *timings)
{
    const double seconds[] = {timings->queue, timings->dns,        timings->connect,
                              timings->tls,   timings->first_byte, timings->total};
    lua_pushlstring(L, (const char *)seconds, sizeof seconds);
}

static void push_stream(lua_State *L, struct tide_transfer *transfer)
{
    tide_bind_new(L, (struct tide_object *)tide_stream_new(transfer));
}

static int push_response(lua_State *L, struct tide_transfer *transfer, int64_t started)
{
    const struct tide_response *response = tide_transfer_response(transfer);
    bool stream = flag(L, "stream");
    lua_pushinteger(L, response->status);
    lua_pushinteger(L, response->version);
    push_buffer(L, &response->head);
    if (stream)
        push_stream(L, transfer);
    else
        push_buffer(L, &response->body);
    push_buffer(L, &response->url);
    lua_pushinteger(L, response->redirects);
    lua_pushnumber(L, (lua_Number)(tide_real_now_ns() - started) * 1e-9);
    if (stream) /* the end is not known yet */
        lua_pushnil(L);
    else
        push_timings(L, &response->timings);
    push_buffer(L, &response->cookies);
    return 9;
}

/* ---- the wait ---- */

static int timed_out(lua_State *L)
{
    lua_pushfstring(L, "%s %s: no complete response within the time limit (timeout)", text(L, "method"),
                    lua_tostring(L, URL));
    return fail(L, "timeout");
}

static int deliver(lua_State *L, struct tide_transfer *transfer, int64_t started)
{
    const struct tide_response *response = tide_transfer_response(transfer);
    /* a stream that failed behind its head: whoever reads it is told. Its response->kind may be written right now. */
    bool headed = flag(L, "stream") && tide_transfer_has_head(transfer);
    int count = !headed && response->kind ? push_failure(L, response) : push_response(L, transfer, started);
    let_go(L);
    return count;
}

static int finish(lua_State *L, int status, lua_KContext started)
{
    (void)status;
    struct tide_transfer **box = lua_touserdata(L, BOX), *transfer = *box;
    struct tide_operation *op = tide_transfer_operation(transfer);
    enum tide_wait_state how = tide_await_end(L);
    tide_operation_leave(op, &tide_task_of(L)->waiter);
    if (how != TIDE_WAIT_WOKEN) {
        tide_operation_drop(op);
        let_go(L); /* what has come so far is not kept until the collector finds the box */
    }
    tide_await_check(L, how);
    return how == TIDE_WAIT_WOKEN ? deliver(L, transfer, started) : timed_out(L);
}

static int64_t deadline_of(lua_State *L, int index)
{
    if (lua_isnoneornil(L, index))
        return TIDE_NEVER;
    lua_Number left = lua_tonumber(L, index) - (lua_Number)tide_now_ns() / 1e9;
    return tide_deadline_after(left > 0 ? left : 0);
}

/* errno is that of tide_operation_start. */
static int not_started(lua_State *L, int failed)
{
    lua_pushfstring(L, "cannot start the I/O thread: %s; a limit on processes, memory or open files? (ulimit)",
                    failed == TIDE_ENOMEM ? "not enough memory" : strerror(errno));
    return fail(L, "system");
}

static int transfer(lua_State *L)
{
    char problem[320];
    struct tide_request request;
    int64_t started = tide_real_now_ns(), deadline = deadline_of(L, 3);
    luaL_checktype(L, SPEC, LUA_TTABLE);
    lua_settop(L, URL);
    if (tide_curl_ready(problem)) {
        lua_pushstring(L, problem);
        return fail(L, "system");
    }
    struct tide_task *task = tide_await_prepare(L);
    struct tide_transfer **box = push_box(L);
    read_request(L, &request);
    *box = tide_transfer_new(&request, problem, sizeof problem);
    lua_settop(L, BASE);
    if (!*box) {
        lua_pushstring(L, problem);
        return fail(L, strcmp(problem, "not enough memory") == 0 ? "memory" : "url");
    }
    struct tide_operation *op = tide_transfer_operation(*box);
    int failed = tide_operation_start(op, task->worker->runtime);
    if (failed) {
        int reason = errno;
        let_go(L);
        errno = reason;
        return not_started(L, failed);
    }
    tide_wait_begin(task);
    int there = request.sink == TIDE_SINK_STREAM ? tide_transfer_enqueue_head(*box, &task->waiter, task)
                                                 : tide_operation_enqueue(op, &task->waiter, task);
    if (there && tide_await_skip(task))
        return deliver(L, *box, started);
    struct tide_await how = {.deadline = deadline, .what = "an HTTP response", .outside = TIDE_OUTSIDE_NETWORK};
    return tide_await(L, &how, started, finish);
}

/* ---- streams ---- */

static struct tide_transfer *check_stream(lua_State *L)
{
    return ((struct tide_stream *)(void *)tide_handle_check(L, 1, &tide_stream_class))->transfer;
}

static int take_finish(lua_State *L)
{
    struct tide_strbuf *piece = lua_touserdata(L, lua_upvalueindex(1));
    push_buffer(L, piece);
    return 1;
}

/* Pushes the next piece, or how it ended; -1 where the task has to wait. */
static int take(lua_State *L, struct tide_transfer *t)
{
    struct tide_strbuf piece = {0};
    int got = tide_transfer_take(t, &piece);
    if (got == 0)
        return -1;
    if (got > 0) { /* the string may not fit into memory: then the piece must not be lost with it */
        lua_pushlightuserdata(L, &piece);
        lua_pushcclosure(L, take_finish, 1);
        int status = lua_pcall(L, 0, 1, 0);
        tide_strbuf_fini(&piece);
        return status == LUA_OK ? 1 : lua_error(L);
    }
    const struct tide_response *response = tide_transfer_response(t);
    if (response->kind)
        return push_failure(L, response);
    lua_pushnil(L);
    return 1;
}

/* Another task was quicker. */
static int busy(lua_State *L)
{
    lua_pushliteral(L, "two tasks read one response");
    return fail(L, "busy");
}

static int read_finish(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct tide_transfer *t = check_stream(L);
    enum tide_wait_state how = tide_await_end(L);
    tide_operation_leave(tide_transfer_operation(t), &tide_task_of(L)->waiter);
    tide_await_check(L, how);
    int count = how == TIDE_WAIT_WOKEN ? take(L, t) : 0;
    if (count > 0)
        return count;
    if (count < 0)
        return busy(L);
    lua_pushliteral(L, "no piece of the body came within the time limit");
    return fail(L, "timeout");
}

static int stream_read(lua_State *L)
{
    struct tide_transfer *t = check_stream(L);
    lua_settop(L, 2);
    int count = take(L, t);
    if (count >= 0)
        return count;
    int64_t deadline = deadline_of(L, 2);
    struct tide_task *task = tide_await_prepare(L);
    tide_wait_begin(task);
    if (tide_transfer_enqueue_body(t, &task->waiter, task) && tide_await_skip(task)) {
        count = take(L, t);
        return count > 0 ? count : busy(L);
    }
    struct tide_await how = {.deadline = deadline, .what = "a piece of an HTTP response", .outside = TIDE_OUTSIDE_NETWORK};
    return tide_await(L, &how, 0, read_finish);
}

static int stream_close(lua_State *L)
{
    tide_operation_drop(tide_transfer_operation(check_stream(L)));
    return 0;
}

/* timings of a stream that was read to its end, else nil */
static int stream_timings(lua_State *L)
{
    struct tide_transfer *t = check_stream(L);
    if (!tide_operation_is_done(tide_transfer_operation(t)))
        return 0;
    push_timings(L, &tide_transfer_response(t)->timings);
    return 1;
}

/* ---- limits and counts ---- */

static int expect(lua_State *L)
{
    tide_transfer_expect(tide_worker_of(L)->runtime);
    return 0;
}

static int limits(lua_State *L)
{
    uint32_t in_all, per_origin;
    tide_admission_limits(&in_all, &per_origin);
    if (lua_gettop(L)) {
        in_all = (uint32_t)luaL_checkinteger(L, 1);
        per_origin = (uint32_t)luaL_checkinteger(L, 2);
        tide_admission_set_limits(in_all, per_origin);
    }
    lua_pushinteger(L, in_all);
    lua_pushinteger(L, per_origin);
    return 2;
}

static int counts(lua_State *L)
{
    uint32_t running, waiting;
    tide_admission_counts(&running, &waiting);
    lua_pushinteger(L, running);
    lua_pushinteger(L, waiting);
    lua_pushinteger(L, tide_operation_count());
    return 3;
}

void tide_open_http(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"read", stream_read}, {"close", stream_close}, {"timings", stream_timings}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__close", stream_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"expect", expect}, {"transfer", transfer}, {"limits", limits}, {"counts", counts}, {NULL, NULL}};
    tide_bind_hidden_class(L, box_name, drop_box);
    lua_newtable(L); /* idle boxes */
    lua_rawsetp(L, LUA_REGISTRYINDEX, box_name);
    lua_newtable(L); /* what was read of tables that are constant: goes with them */
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, constants);
    tide_bind_class(L, &tide_stream_class, methods, meta);
    luaL_newlib(L, functions);
    lua_setfield(L, -2, "http");
}
