/* library.h - a shared library that is loaded at first use, not at start.
 *
 * Used by   reactor (libcurl), bindings (jansson, libcrypto): linking libcurl alone would cost some milliseconds before main.
 * Threads   tide_library_load from any; the table is fixed once it has returned 0. The library stays loaded.
 *
 *     #define FUNCTIONS(X) X(json_loadb) X(json_dumpb)
 *     struct functions { FUNCTIONS(TIDE_LIBRARY_MEMBER) };
 *     static struct functions jansson;
 *     static const char *const names[] = {FUNCTIONS(TIDE_LIBRARY_NAME) NULL};
 *     static struct tide_library library = TIDE_LIBRARY("libjansson.so.4", "libjansson4", names, &jansson);
 *
 *     char problem[TIDE_LIBRARY_PROBLEM];
 *     if (tide_library_load(&library, problem)) ...
 *     jansson.json_loadb(...)
 */
#ifndef TIDE_BASE_LIBRARY_H
#define TIDE_BASE_LIBRARY_H

#include "base/thread.h"

#include <stdatomic.h>

#define TIDE_LIBRARY_MEMBER(name) __typeof__(name) *name;
#define TIDE_LIBRARY_NAME(name) #name,
#define TIDE_LIBRARY(soname, package, names, table) {(soname), (package), (names), (table), {0}, 0}

struct tide_library {
    const char *soname;       /* "libjansson.so.4" */
    const char *package;      /* what to install where it is missing, as Debian names it */
    const char *const *names; /* of its functions, ended by NULL */
    void *table;              /* of pointers to functions, in the order of `names` */
    struct tide_mutex lock;   /* held while it is loaded; ranks above everything, nothing of ours is taken under it */
    _Atomic int loaded;       /* 1: the table is filled */
};

enum { TIDE_LIBRARY_PROBLEM = 256 };

/* Loads the library unless it is loaded. 0; or TIDE_ESYSTEM with `problem`, of that many bytes, saying what is missing and
 * what to install: a later call tries again. */
int tide_library_load(struct tide_library *library, char problem[TIDE_LIBRARY_PROBLEM]);

#endif
