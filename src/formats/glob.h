/* glob.h - the paths that match a pattern (formats/pattern.h), by a walk through the folders.
 *
 * Used by   bindings/fs.c.
 * Threads   init and fini on any; walk on one that may block. One at a time.
 * Links     a symbolic link to a folder counts as that folder, but "**" does not go into it: so loops end. A link to nothing
 *           matches as a file does.
 * Order     by bytes; no path twice.
 * Losses    none are silent: each folder that could not be looked through is a problem. What is not there is none.
 */
#ifndef TIDE_FORMATS_GLOB_H
#define TIDE_FORMATS_GLOB_H

#include "formats/pattern.h"
#include "formats/stop.h"

struct tide_glob_problem {
    char *path;
    int code;        /* of errno */
};

struct tide_glob {
    bool hidden;     /* wildcards match names with a dot in front, too, and "**" goes into such folders */
    struct tide_stop stop;
    /* after the walk */
    char **paths;
    size_t count;
    struct tide_glob_problem *problems;
    size_t problem_count;

    /* ---- the walk's own ---- */
    struct tide_pattern pattern;
    struct tide_glob_folder *folders; /* still to be looked through */
    uint64_t *seen, stamp;            /* for each part, the last folder that it was queued with: no part twice in one */
    unsigned turns;                   /* entries and folders so far */
};

/* As tide_pattern_init. */
int tide_glob_init(struct tide_glob *glob, const char *pattern);

/* Fills in paths and problems. 0; TIDE_ENOMEM, or TIDE_ECANCELED: stopped. */
int tide_glob_walk(struct tide_glob *glob);

void tide_glob_fini(struct tide_glob *glob);

#endif
