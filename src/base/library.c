#include "base/library.h"

#include "base/error.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static int load_locked(struct tide_library *library, char *problem)
{
    void *handle = dlopen(library->soname, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char *why = dlerror();
        snprintf(problem, TIDE_LIBRARY_PROBLEM, "cannot load %s (Debian package %s): %s", library->soname,
                 library->package, why ? why : "no reason given");
        return TIDE_ESYSTEM;
    }
    char *slot = library->table;
    for (const char *const *name = library->names; *name; name++, slot += sizeof(void *)) {
        void *symbol = dlsym(handle, *name);
        if (!symbol) {
            snprintf(problem, TIDE_LIBRARY_PROBLEM, "%s has no %s: it is too old, install a newer %s",
                     library->soname, *name, library->package);
            dlclose(handle);
            return TIDE_ESYSTEM;
        }
        memcpy(slot, &symbol, sizeof symbol); /* POSIX lets a pointer to a function be stored so; ISO C has no cast for it */
    }
    return 0;
}

int tide_library_load(struct tide_library *library, char problem[TIDE_LIBRARY_PROBLEM])
{
    /* acquire, here and in the lock: pairs with the release below, so that who sees 1 sees the table */
    if (atomic_load_explicit(&library->loaded, memory_order_acquire))
        return 0;
    tide_mutex_lock(&library->lock);
    int failed = 0;
    if (!atomic_load_explicit(&library->loaded, memory_order_relaxed)) {
        failed = load_locked(library, problem);
        if (!failed)
            atomic_store_explicit(&library->loaded, 1, memory_order_release);
    }
    tide_mutex_unlock(&library->lock);
    return failed;
}
