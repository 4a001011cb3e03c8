/* pattern.h - patterns of paths: braces, the parts between slashes, and names that match one.
 *
 * Used by   formats/glob.c.
 * Threads   any; once parsed a pattern is constant.
 * Names     are UTF-8; a byte that is not counts as a character of its own. Upper and lower case differ.
 *
 *     *        any number of characters        **       as a whole part: any number of folders, none too
 *     ?        one character                   {a,b}    one of them; before everything else, slashes and all, nested too
 *     [a-z]    one of these; [!a-z] any other  \x       x itself
 */
#ifndef TIDE_FORMATS_PATTERN_H
#define TIDE_FORMATS_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tide_part_kind { TIDE_PART_NAME, TIDE_PART_WILD, TIDE_PART_DEPTH };

/* What stands between two slashes. */
struct tide_part {
    char *text;                /* of a name: without its backslashes */
    enum tide_part_kind kind;
    bool first;                /* of an alternative */
    bool last;                 /* likewise; never one of DEPTH */
    bool absolute;             /* of a first one: the path begins with a slash */
    bool folder;               /* of a last one: a slash follows, only folders match */
};

/* All alternatives of a pattern, one after the other. */
struct tide_pattern {
    struct tide_part *parts;
    size_t count;
    bool root;                 /* one of the alternatives is "/" */
};

enum { TIDE_PATTERN_SIZE = 4095, TIDE_PATTERN_ALTERNATIVES = 1000 };

/* 0; TIDE_EINVAL: longer than TIDE_PATTERN_SIZE, or more alternatives than TIDE_PATTERN_ALTERNATIVES; TIDE_ENOMEM. */
int tide_pattern_init(struct tide_pattern *pattern, const char *text);
void tide_pattern_fini(struct tide_pattern *pattern);

/* Whether the name matches the part, which is none of DEPTH. A name that begins with a dot needs a dot there, or `hidden`. */
bool tide_part_matches(const struct tide_part *part, const char *name, bool hidden);

#endif
