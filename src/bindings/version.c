#include "bindings/version.h"

#include "reactor/curl_load.h"
#include "reactor/reactor.h"

#include <lua.h>
#include <stddef.h>

const char *tide_version(void)
{
    return TIDE_VERSION;
}

const struct tide_library_version *tide_library_versions(void)
{
    static struct tide_library_version libraries[] = {
        {"Lua", LUA_VERSION_MAJOR "." LUA_VERSION_MINOR "." LUA_VERSION_RELEASE},
        {"libuv", NULL},
        {"libcurl", NULL},
        {NULL, NULL},
    };
    libraries[1].version = tide_reactor_uv_version();
    libraries[2].version = tide_curl_version();
    return libraries;
}
