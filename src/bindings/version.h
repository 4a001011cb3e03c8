/* version.h - which Tidemill this is, and on what it stands.
 *
 * Used by   cli (--version), which does not know the libraries.
 * Threads   one at a time.
 */
#ifndef TIDE_BINDINGS_VERSION_H
#define TIDE_BINDINGS_VERSION_H

struct tide_library_version {
    const char *name;    /* "Lua" */
    const char *version; /* "5.4.4" */
};

/* Tidemill's own version, "0.1.0". */
const char *tide_version(void);

/* The libraries that the program stands on, ended by a NULL name; libcurl is loaded for this. */
const struct tide_library_version *tide_library_versions(void);

#endif
