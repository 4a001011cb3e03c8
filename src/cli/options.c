#include "cli/options.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "cli/units.h"

#include <string.h>

static const int64_t YEAR_2000 = 946684800; /* 2000-01-01T00:00:00Z: where virtual time begins */

enum { MAX_WORKERS = 1024, MIN_MEMORY = 1 << 20 };

/* A line of the table below. A new option is added there, to help.c and to tidemill.1. */
struct option {
    const char *name;
    const char *wants;                                     /* what its value must be; NULL: it takes none */
    bool (*set)(struct tide_options *, const char *value); /* false: the value is not what it wants */
    bool optional;                                         /* its value may be left out (NULL), and else follows behind = */
};

static bool set_workers(struct tide_options *o, const char *value)
{
    int64_t count;
    if (!tide_read_integer(value, 1, MAX_WORKERS, &count))
        return false;
    o->workers = (int)count;
    return true;
}

static bool set_timeout(struct tide_options *o, const char *value)
{
    int64_t limit;
    if (!tide_read_duration(value, &limit) || limit == 0)
        return false;
    o->timeout_ns = limit;
    return true;
}

static bool set_grace(struct tide_options *o, const char *value)
{
    return tide_read_duration(value, &o->grace_ns);
}

static bool set_max_memory(struct tide_options *o, const char *value)
{
    int64_t size;
    if (!tide_read_size(value, &size) || size < MIN_MEMORY)
        return false;
    o->max_memory = size;
    return true;
}

static bool set_virtual_time(struct tide_options *o, const char *value)
{
    o->virtual_time = true;
    return !value || tide_read_instant(value, &o->wall_ns);
}

static bool set_seed(struct tide_options *o, const char *value)
{
    o->has_seed = true;
    return tide_read_integer(value, 0, INT64_MAX, &o->seed);
}

static bool set_debug_slice(struct tide_options *o, const char *value)
{
    int64_t us;
    if (!tide_read_integer(value, 1, 1000000, &us))
        return false;
    o->debug_slice_ns = TIDE_US(us);
    return true;
}

static bool add_chunk(struct tide_options *o, enum tide_chunk_kind kind, const char *text)
{
    o->chunks[o->chunk_count++] = (struct tide_chunk){kind, text};
    return true;
}

static bool add_code(struct tide_options *o, const char *value)
{
    return add_chunk(o, TIDE_CHUNK_CODE, value);
}

static bool add_library(struct tide_options *o, const char *value)
{
    return value[0] != '-' && add_chunk(o, TIDE_CHUNK_LIBRARY, value);
}

static bool set_strict(struct tide_options *o, const char *value)
{
    return o->strict = true;
}

static bool set_quiet(struct tide_options *o, const char *value)
{
    return o->quiet = true;
}

static bool set_debug_yield(struct tide_options *o, const char *value)
{
    return o->debug_yield_all = true;
}

static bool ask_help(struct tide_options *o, const char *value)
{
    o->action = TIDE_ACTION_HELP;
    return true;
}

static bool ask_version(struct tide_options *o, const char *value)
{
    o->action = TIDE_ACTION_VERSION;
    return true;
}

static const struct option table[] = {
    {"-e", "Lua code", add_code, false},
    {"-l", "the name of a module", add_library, false},
    {"--workers", "an integer from 1 to 1024", set_workers, false},
    {"--timeout", "a duration above 0, such as 90, 1.5s, 250ms, 10m or 2h", set_timeout, false},
    {"--grace", "a duration, such as 10, 1.5s, 250ms, 10m or 2h", set_grace, false},
    {"--max-memory", "a size of at least 1M, such as 512M or 2G", set_max_memory, false},
    {"--strict", NULL, set_strict, false},
    {"--quiet", NULL, set_quiet, false},
    {"--virtual-time", "a time in UTC, such as 2031-05-01T09:30:00Z, 2031-05-01 or seconds since 1970", set_virtual_time, true},
    {"--seed", "an integer from 0 to 9223372036854775807", set_seed, false},
    {"--debug-slice-us", "an integer from 1 to 1000000", set_debug_slice, false},
    {"--debug-yield-every-instruction", NULL, set_debug_yield, false},
    {"--help", NULL, ask_help, false},
    {"-h", NULL, ask_help, false},
    {"--version", NULL, ask_version, false},
    {"-v", NULL, ask_version, false},
    {NULL, NULL, NULL, false},
};

/* The option that `word` begins with, and in *value what is written to it: --name=value, or -eCODE. */
static const struct option *find_option(const char *word, const char **value)
{
    for (const struct option *option = table; option->name; option++) {
        size_t size = strlen(option->name);
        bool is_long = option->name[1] == '-';
        if (strncmp(word, option->name, size) != 0)
            continue;
        *value = NULL;
        if (word[size] == '\0')
            return option;
        if (is_long && word[size] == '=') {
            *value = word + size + 1;
            return option;
        }
        if (!is_long && option->wants) {
            *value = word + size;
            return option;
        }
    }
    return NULL;
}

static int unknown_option(const char *word, struct tide_strbuf *problem)
{
    tide_strbuf_printf(problem, "unknown option '%s'", word);
    if (strchr(word, ' '))
        tide_strbuf_puts(problem, " (a #! line passes its options as one word: use #!/usr/bin/env -S tidemill ...)");
    return TIDE_EINVAL;
}

/* Takes the option at argv[*at] with its value, and moves *at behind them. */
static int take_option(struct tide_options *o, int *at, struct tide_strbuf *problem)
{
    const char *value, *word = o->argv[(*at)++];
    const struct option *option = find_option(word, &value);
    if (!option)
        return unknown_option(word, problem);
    if (!option->wants && value) {
        tide_strbuf_printf(problem, "%s takes no value, but was given '%s'", option->name, value);
        return TIDE_EINVAL;
    }
    if (option->wants && !value && !option->optional) {
        if (*at == o->argc) {
            tide_strbuf_printf(problem, "%s needs a value: %s", option->name, option->wants);
            return TIDE_EINVAL;
        }
        value = o->argv[(*at)++];
    }
    if (!option->set(o, value)) {
        tide_strbuf_printf(problem, "%s: '%s' is not %s", option->name, value, option->wants);
        return TIDE_EINVAL;
    }
    return 0;
}

/* The script at argv[at], with its arguments. After "--" a "-" is a file of that name, as for lua. */
static int take_script(struct tide_options *o, int at, bool after_dashes, struct tide_strbuf *problem)
{
    if (at == o->argc) {
        if (o->chunk_count > 0)
            return 0;
        tide_strbuf_puts(problem, "no script given: a file name, '-' for standard input, or -e CODE is needed");
        return TIDE_EINVAL;
    }
    o->script_index = at;
    o->script_argv = o->argv + at + 1;
    o->script_argc = o->argc - at - 1;
    o->from_stdin = !after_dashes && strcmp(o->argv[at], "-") == 0;
    if (!o->from_stdin)
        o->script = o->argv[at];
    return 0;
}

static int parse(struct tide_options *o, struct tide_strbuf *problem)
{
    int at = o->argc > 0 ? 1 : 0;
    bool dashes = false;
    if (at < o->argc && strcmp(o->argv[at], "run") == 0)
        at++;
    while (at < o->argc && o->argv[at][0] == '-' && o->argv[at][1] != '\0') {
        if (strcmp(o->argv[at], "--") == 0) {
            dashes = true;
            at++;
            break;
        }
        int code = take_option(o, &at, problem);
        if (code != 0 || o->action != TIDE_ACTION_RUN)
            return code;
    }
    if (o->has_seed && !o->virtual_time) {
        tide_strbuf_puts(problem, "--seed decides the order of a run with virtual time: give --virtual-time, too");
        return TIDE_EINVAL;
    }
    return take_script(o, at, dashes, problem);
}

int tide_options_init(struct tide_options *o, int argc, char **argv, struct tide_strbuf *problem)
{
    *o = (struct tide_options){.grace_ns = TIDE_MS(10000), .wall_ns = YEAR_2000 * 1000000000, .argc = argc, .argv = argv};
    o->script_argv = argv + argc;
    o->chunks = tide_calloc((size_t)argc, sizeof *o->chunks); /* there are no more chunks than words */
    if (!o->chunks)
        return TIDE_ENOMEM;
    int code = parse(o, problem);
    if (code != 0)
        tide_options_fini(o);
    return code;
}

void tide_options_fini(struct tide_options *o)
{
    tide_free(o->chunks);
    *o = (struct tide_options){0};
}
