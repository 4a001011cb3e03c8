#include "bindings/version.h"

#include <lua.h>
#include <stddef.h>

const char *tide_version(void)
{
    return TIDE_VERSION;
}

const struct tide_library_version *tide_library_versions(void)
{
    static const struct tide_library_version libraries[] = {
        {"Lua", LUA_VERSION_MAJOR "." LUA_VERSION_MINOR "." LUA_VERSION_RELEASE},
        {NULL, NULL},
    };
    return libraries;
}
