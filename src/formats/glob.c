/* The walk looks through every folder once, for all parts of the pattern that may match there: a set of "states", each the
 * index of a part. What matches the last part of an alternative is a result; what matches another part is a folder to be
 * looked through, with the parts that come next. "**" stays in the set of the folders below. */
#include "formats/glob.h"

#include "base/alloc.h"
#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_EVERY = 256 };

/* A folder to be looked through. Behind it: the states, then its path with a slash at the end, or "". */
struct tide_glob_folder {
    struct tide_glob_folder *next;
    const char *path;
    size_t count;
    uint32_t states[];
};

/* What a name is, found out only when asked for. */
struct entry {
    int folder;             /* open folder, or AT_FDCWD */
    const char *relative;   /* the name as seen from there */
    const char *path;       /* of the folder around it */
    const char *name;
    int type;               /* DT_… */
};

/* What a name matched. */
struct found {
    bool as_any, as_folder; /* the last part of an alternative; one with a slash behind it */
    uint32_t *states;       /* room for all of the folder's and as many more */
    size_t count;
    size_t below;           /* of them: those by which "**" goes down, they come last */
};

static char *join(const char *path, const char *name, const char *end)
{
    return tide_concat(path, strlen(path), name, strlen(name), end, strlen(end));
}

static int add_path(struct tide_glob *g, const char *path, const char *name, const char *end)
{
    if ((g->count & (g->count - 1)) == 0) { /* 0 or a power of two: the list is full */
        char **grown = tide_realloc(g->paths, (g->count ? g->count * 2 : 1) * sizeof *grown);
        if (!grown)
            return TIDE_ENOMEM;
        g->paths = grown;
    }
    char *made = join(path, name, end);
    if (!made)
        return TIDE_ENOMEM;
    g->paths[g->count++] = made;
    return 0;
}

/* The errno of a folder or name that could not be looked at. What is not there, or has gone meanwhile, is no problem. */
static int add_problem(struct tide_glob *g, const char *path, const char *name, int code)
{
    size_t count = g->problem_count;
    if (code == ENOENT || code == ENOTDIR || code == ELOOP)
        return 0;
    if (code == ENOMEM)
        return TIDE_ENOMEM;
    if ((count & (count - 1)) == 0) { /* as above */
        struct tide_glob_problem *grown = tide_realloc(g->problems, (count ? count * 2 : 1) * sizeof *grown);
        if (!grown)
            return TIDE_ENOMEM;
        g->problems = grown;
    }
    char *copy = join(path, name, "");
    size_t size = copy ? strlen(copy) : 0;
    if (size > 1 && copy[size - 1] == '/')
        copy[size - 1] = '\0';
    if (!copy)
        return TIDE_ENOMEM;
    g->problems[g->problem_count++] = (struct tide_glob_problem){copy, code};
    return 0;
}

/* Queues the folder `path``name`, with these states and, for each "**" among them, the part behind it: it may stand for
 * nothing. */
static int add_folder(struct tide_glob *g, const char *path, const char *name, const uint32_t *states, size_t count)
{
    size_t a = strlen(path), b = strlen(name), room = 2 * count;
    struct tide_glob_folder *folder = tide_malloc(sizeof *folder + room * sizeof *states + a + b + 2);
    if (!folder)
        return TIDE_ENOMEM;
    char *at = (char *)(folder->states + room);
    memcpy(at, path, a);
    memcpy(at + a, name, b + 1);
    if (b)
        memcpy(at + a + b, "/", 2);
    folder->path = at;
    folder->count = 0;
    g->stamp++;
    for (size_t i = 0; i < count; i++)
        for (uint32_t s = states[i];; s++) {
            if (g->seen[s] != g->stamp)
                folder->states[folder->count++] = s;
            g->seen[s] = g->stamp;
            if (g->pattern.parts[s].kind != TIDE_PART_DEPTH)
                break;
        }
    folder->next = g->folders;
    g->folders = folder;
    return 0;
}

/* The type of what the entry is, or points at. */
static int type_of(struct entry *e, bool follow, int *problem)
{
    struct stat about;
    if (e->type != DT_UNKNOWN && !(follow && e->type == DT_LNK))
        return e->type;
    if (fstatat(e->folder, e->relative, &about, follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0) {
        *problem = errno;
        return DT_UNKNOWN;
    }
    int type = S_ISDIR(about.st_mode) ? DT_DIR : S_ISLNK(about.st_mode) ? DT_LNK : DT_REG;
    if (!follow)
        e->type = type;
    return type;
}

/* The entry matched: puts it where it belongs. */
static int take(struct tide_glob *g, struct entry *e, const struct found *found)
{
    int problem = 0, failed = 0;
    if (found->as_any)
        failed = add_path(g, e->path, e->name, "");
    if (failed || (!found->as_folder && !found->count))
        return failed;
    size_t count = found->count;
    if (type_of(e, true, &problem) != DT_DIR)
        return problem ? add_problem(g, e->path, e->name, problem) : 0;
    if (found->below && type_of(e, false, &problem) != DT_DIR)
        count -= found->below;
    if (found->as_folder)
        failed = add_path(g, e->path, e->name, "/");
    if (!failed && count)
        failed = add_folder(g, e->path, e->name, found->states, count);
    return failed;
}

static void matched(const struct tide_glob *g, uint32_t state, struct found *found)
{
    const struct tide_part *part = &g->pattern.parts[state];
    if (!part->last)
        found->states[found->count++] = state + 1;
    else if (part->folder)
        found->as_folder = true;
    else
        found->as_any = true;
}

static void match_entry(const struct tide_glob *g, const struct tide_glob_folder *folder, const char *name,
                        struct found *found)
{
    *found = (struct found){.states = found->states};
    for (size_t i = 0; i < folder->count; i++) {
        const struct tide_part *part = &g->pattern.parts[folder->states[i]];
        if (part->kind != TIDE_PART_DEPTH && tide_part_matches(part, name, g->hidden))
            matched(g, folder->states[i], found);
    }
    for (size_t i = 0; i < folder->count && (*name != '.' || g->hidden); i++)
        if (g->pattern.parts[folder->states[i]].kind == TIDE_PART_DEPTH) {
            found->states[found->count++] = folder->states[i];
            found->below++;
        }
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool names(const struct tide_part *part, const char *name)
{
    return part->kind == TIDE_PART_NAME && strcmp(part->text, name) == 0;
}

static int probe(struct tide_glob *g, const struct tide_glob_folder *folder, const char *name, struct found *found)
{
    int problem = 0;
    char *path = join(folder->path, name, "");
    if (!path)
        return TIDE_ENOMEM;
    struct entry e = {AT_FDCWD, path, folder->path, name, DT_UNKNOWN};
    type_of(&e, false, &problem);
    *found = (struct found){.states = found->states};
    for (size_t i = 0; i < folder->count; i++)
        if (names(&g->pattern.parts[folder->states[i]], name))
            matched(g, folder->states[i], found);
    int failed = problem ? add_problem(g, folder->path, name, problem) : take(g, &e, found);
    tide_free(path);
    return failed;
}

/* Names that the pattern spells out need no listing. `all`: not only those that no listing shows. */
static int probe_names(struct tide_glob *g, const struct tide_glob_folder *folder, bool all, struct found *found)
{
    int failed = 0;
    for (size_t i = 0; i < folder->count && !failed; i++) {
        const struct tide_part *part = &g->pattern.parts[folder->states[i]];
        bool skip = part->kind != TIDE_PART_NAME || (!all && !is_dots(part->text));
        for (size_t k = 0; k < i && !skip; k++)
            skip = names(&g->pattern.parts[folder->states[k]], part->text); /* was probed */
        if (!skip)
            failed = probe(g, folder, part->text, found);
    }
    return failed;
}

static bool stopped(struct tide_glob *g)
{
    return g->turns++ % LOOK_EVERY == 0 && tide_stop_asked(&g->stop);
}

static int look_through(struct tide_glob *g, const struct tide_glob_folder *folder, DIR *dir, struct found *found)
{
    struct dirent *it;
    int failed = 0;
    for (errno = 0; !failed && (it = readdir(dir)) != NULL; errno = 0) {
        if (is_dots(it->d_name))
            continue;
        struct entry e = {dirfd(dir), it->d_name, folder->path, it->d_name, it->d_type};
        match_entry(g, folder, it->d_name, found);
        failed = stopped(g) ? TIDE_ECANCELED : take(g, &e, found);
    }
    if (!failed && errno)
        failed = add_problem(g, *folder->path ? folder->path : ".", "", errno);
    return failed;
}

static DIR *open_folder(const char *path)
{
    int fd = open(*path ? path : ".", O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    DIR *dir = fdopendir(fd);
    if (!dir)
        close(fd);
    return dir;
}

static int visit(struct tide_glob *g, const struct tide_glob_folder *folder)
{
    bool wild = false;
    struct found found = {.states = tide_malloc(2 * folder->count * sizeof *found.states)};
    int failed = found.states ? 0 : TIDE_ENOMEM;
    for (size_t i = 0; i < folder->count; i++)
        wild |= g->pattern.parts[folder->states[i]].kind != TIDE_PART_NAME;
    DIR *dir = wild && !failed ? open_folder(folder->path) : NULL;
    if (dir) {
        failed = look_through(g, folder, dir, &found);
        closedir(dir);
    } else if (wild && !failed) {
        failed = add_problem(g, *folder->path ? folder->path : ".", "", errno);
    }
    if (!failed)
        failed = probe_names(g, folder, !dir, &found);
    tide_free(found.states);
    return failed;
}

/* The first folders: where the process is, and the root. */
static int begin(struct tide_glob *g, bool absolute)
{
    size_t count = 0;
    uint32_t *states = tide_malloc(g->pattern.count * sizeof *states);
    if (!states)
        return TIDE_ENOMEM;
    for (size_t i = 0; i < g->pattern.count; i++)
        if (g->pattern.parts[i].first && g->pattern.parts[i].absolute == absolute)
            states[count++] = (uint32_t)i;
    int failed = count ? add_folder(g, absolute ? "/" : "", "", states, count) : 0;
    tide_free(states);
    return failed;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(struct tide_glob *g)
{
    size_t kept = 0;
    if (g->count)
        qsort(g->paths, g->count, sizeof *g->paths, by_bytes);
    for (size_t i = 0; i < g->count; i++) {
        if (kept && strcmp(g->paths[kept - 1], g->paths[i]) == 0)
            tide_free(g->paths[i]);
        else
            g->paths[kept++] = g->paths[i];
    }
    g->count = kept;
}

int tide_glob_init(struct tide_glob *glob, const char *pattern)
{
    return tide_pattern_init(&glob->pattern, pattern);
}

static int walk(struct tide_glob *g)
{
    int failed = g->pattern.root ? add_path(g, "/", "", "") : 0;
    if (!failed)
        failed = begin(g, false);
    if (!failed)
        failed = begin(g, true);
    while (!failed && g->folders) {
        struct tide_glob_folder *folder = g->folders;
        g->folders = folder->next;
        failed = stopped(g) ? TIDE_ECANCELED : visit(g, folder);
        tide_free(folder);
    }
    return failed;
}

int tide_glob_walk(struct tide_glob *g)
{
    g->seen = tide_calloc(g->pattern.count, sizeof *g->seen);
    if (!g->seen)
        return TIDE_ENOMEM;
    int failed = walk(g);
    if (!failed)
        sort(g);
    return failed;
}

void tide_glob_fini(struct tide_glob *g)
{
    while (g->folders) {
        struct tide_glob_folder *folder = g->folders;
        g->folders = folder->next;
        tide_free(folder);
    }
    for (size_t i = 0; i < g->count; i++)
        tide_free(g->paths[i]);
    for (size_t i = 0; i < g->problem_count; i++)
        tide_free(g->problems[i].path);
    tide_free(g->paths);
    tide_free(g->problems);
    tide_free(g->seen);
    tide_pattern_fini(&g->pattern);
}
