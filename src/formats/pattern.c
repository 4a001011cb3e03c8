#include "formats/pattern.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

/* ---- a name against a part ---- */

/* One character, read from *at on; a byte that is no UTF-8 is a character beyond Unicode. */
static uint32_t next_character(const unsigned char **at)
{
    const unsigned char *s = *at;
    int more = *s < 0xc2 ? 0 : *s < 0xe0 ? 1 : *s < 0xf0 ? 2 : *s < 0xf5 ? 3 : 0;
    uint32_t character = more ? *s & (0x3fu >> more) : *s;
    for (int i = 1; i <= more; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            more = 0;
            break;
        }
        character = character << 6 | (s[i] & 0x3f);
    }
    *at = s + 1 + more;
    return more == 0 && *s >= 0x80 ? 0x110000u + *s : character;
}

static uint32_t next_literal(const unsigned char **at)
{
    if (**at == '\\' && (*at)[1])
        ++*at;
    return next_character(at);
}

/* A set, *at behind its "[". 1 or 0, *at behind its "]"; -1: it does not end, so the bracket stands for itself. */
static int match_set(const unsigned char **at, uint32_t character)
{
    const unsigned char *p = *at;
    bool other = *p == '!' || *p == '^', found = false;
    p += other;
    for (bool begun = false; *p != ']' || !begun; begun = true) {
        if (!*p)
            return -1;
        uint32_t low = next_literal(&p), high = low;
        if (*p == '-' && p[1] && p[1] != ']') {
            p++;
            high = next_literal(&p);
        }
        found = found || (low <= character && character <= high);
    }
    *at = p + 1;
    return found != other;
}

/* One character of a name against one element of a pattern that is no star; *at goes behind the element. */
static bool match_one(const unsigned char **at, uint32_t character)
{
    const unsigned char *behind = *at + 1;
    if (**at == '?') {
        *at = behind;
        return true;
    }
    int in_set = **at == '[' ? match_set(&behind, character) : -1;
    if (in_set >= 0) {
        *at = behind;
        return in_set;
    }
    return next_literal(at) == character;
}

/* A star first stands for nothing; where the rest fails the last one takes a character more. The ones before it need not. */
static bool match(const unsigned char *p, const unsigned char *s)
{
    const unsigned char *star = NULL, *taken = NULL;
    while (*s) {
        if (*p == '*') {
            star = ++p;
            taken = s;
            continue;
        }
        const unsigned char *behind = s, *element = p;
        if (*p && match_one(&element, next_character(&behind))) {
            p = element;
            s = behind;
            continue;
        }
        if (!star)
            return false;
        next_character(&taken);
        s = taken;
        p = star;
    }
    while (*p == '*')
        p++;
    return !*p;
}

bool tide_part_matches(const struct tide_part *part, const char *name, bool hidden)
{
    if (part->kind == TIDE_PART_NAME)
        return strcmp(part->text, name) == 0;
    const char *text = part->text;
    if (*name == '.' && !hidden && text[*text == '\\'] != '.')
        return false;
    return match((const unsigned char *)text, (const unsigned char *)name);
}

/* ---- braces ---- */

struct texts {
    char **list;
    size_t count, room;
};

static void texts_fini(struct texts *texts)
{
    while (texts->count)
        tide_free(texts->list[--texts->count]);
    tide_free(texts->list);
}

/* Takes `text` in any case. */
static int texts_add(struct texts *texts, char *text)
{
    if (text && texts->count == texts->room) {
        size_t room = texts->room ? texts->room * 2 : 8;
        char **grown = tide_realloc(texts->list, room * sizeof *grown);
        if (!grown) {
            tide_free(text);
            return TIDE_ENOMEM;
        }
        texts->list = grown;
        texts->room = room;
    }
    if (!text)
        return TIDE_ENOMEM;
    texts->list[texts->count++] = text;
    return 0;
}

/* The brace that closes the one at `open`; NULL if there is none, or no comma between them. */
static const char *closing_brace(const char *open)
{
    int depth = 0;
    bool comma = false;
    for (const char *p = open; *p; p++) {
        if (*p == '\\' && p[1])
            p++;
        else if (*p == '{')
            depth++;
        else if (*p == ',' && depth == 1)
            comma = true;
        else if (*p == '}' && --depth == 0)
            return comma ? p : NULL;
    }
    return NULL;
}

static const char *first_group(const char *text, const char **close)
{
    for (const char *p = text; *p; p++) {
        if (*p == '\\' && p[1])
            p++;
        else if (*p == '{' && (*close = closing_brace(p)) != NULL)
            return p;
    }
    return NULL;
}

/* The end of the alternative that begins at `p`. */
static const char *alternative_end(const char *p)
{
    for (int depth = 0; depth > 0 || (*p != ',' && *p != '}'); p++) {
        if (*p == '\\' && p[1])
            p++;
        else
            depth += (*p == '{') - (*p == '}');
    }
    return p;
}

static char *replace(const char *text, const char *open, const char *from, const char *to, const char *behind)
{
    return tide_concat(text, (size_t)(open - text), from, (size_t)(to - from), behind, strlen(behind));
}

/* Puts every alternative of the group into `todo`. */
static int split(struct texts *todo, const char *text, const char *open, const char *close)
{
    int failed = 0;
    for (const char *from = open + 1; !failed && from <= close;) {
        const char *to = alternative_end(from);
        failed = todo->count < TIDE_PATTERN_ALTERNATIVES ? 0 : TIDE_EINVAL;
        if (!failed)
            failed = texts_add(todo, replace(text, open, from, to, close + 1));
        from = to + 1;
    }
    return failed;
}

static int expand(struct texts *out, const char *text)
{
    struct texts todo = {0};
    int failed = texts_add(&todo, tide_strdup(text));
    while (!failed && todo.count) {
        char *next = todo.list[--todo.count];
        const char *close, *open = first_group(next, &close);
        if (open) {
            failed = split(&todo, next, open, close);
            tide_free(next);
        } else {
            failed = texts_add(out, next);
        }
        if (!failed && out->count + todo.count > TIDE_PATTERN_ALTERNATIVES)
            failed = TIDE_EINVAL;
    }
    texts_fini(&todo);
    return failed;
}

/* ---- parts ---- */

static bool is_wild(const char *text)
{
    for (; *text; text++) {
        if (strchr("*?[", *text))
            return true;
        if (*text == '\\' && text[1])
            text++;
    }
    return false;
}

static void take_backslashes(char *text)
{
    char *to = text;
    for (; *text; text++) {
        if (*text == '\\' && text[1])
            text++;
        *to++ = *text;
    }
    *to = '\0';
}

static int add_part(struct tide_pattern *pattern, const char *text, size_t size)
{
    bool depth = size == 2 && memcmp(text, "**", 2) == 0;
    struct tide_part *before = pattern->count ? &pattern->parts[pattern->count - 1] : NULL;
    if (depth && before && !before->last && before->kind == TIDE_PART_DEPTH)
        return 0; /* twice is once */
    size_t count = pattern->count;
    if ((count & (count - 1)) == 0) { /* 0 or a power of two: the list is full */
        struct tide_part *grown = tide_realloc(pattern->parts, (count ? count * 2 : 1) * sizeof *grown);
        if (!grown)
            return TIDE_ENOMEM;
        pattern->parts = grown;
    }
    char *copy = tide_calloc(1, size + 1);
    if (!copy)
        return TIDE_ENOMEM;
    memcpy(copy, text, size);
    enum tide_part_kind kind = depth ? TIDE_PART_DEPTH : is_wild(copy) ? TIDE_PART_WILD : TIDE_PART_NAME;
    if (kind == TIDE_PART_NAME)
        take_backslashes(copy);
    pattern->parts[pattern->count++] = (struct tide_part){.text = copy, .kind = kind};
    return 0;
}

/* The parts of one alternative. "**" at the end is everything below: as if a star followed. */
static int parse(struct tide_pattern *pattern, const char *text)
{
    size_t first = pattern->count;
    bool absolute = *text == '/';
    int failed = 0;
    for (const char *end; !failed && *(text += strspn(text, "/")); text = end) {
        end = text + strcspn(text, "/");
        failed = add_part(pattern, text, (size_t)(end - text));
    }
    if (!failed && pattern->count > first && pattern->parts[pattern->count - 1].kind == TIDE_PART_DEPTH)
        failed = add_part(pattern, "*", 1);
    if (failed)
        return failed;
    if (pattern->count == first) {
        pattern->root |= absolute;
        return 0;
    }
    pattern->parts[first].first = true;
    pattern->parts[first].absolute = absolute;
    pattern->parts[pattern->count - 1].last = true;
    pattern->parts[pattern->count - 1].folder = text[-1] == '/';
    return 0;
}

int tide_pattern_init(struct tide_pattern *pattern, const char *text)
{
    struct texts texts = {0};
    *pattern = (struct tide_pattern){0};
    int failed = strlen(text) > TIDE_PATTERN_SIZE ? TIDE_EINVAL : expand(&texts, text);
    for (size_t i = 0; !failed && i < texts.count; i++)
        failed = parse(pattern, texts.list[i]);
    texts_fini(&texts);
    if (failed)
        tide_pattern_fini(pattern);
    return failed;
}

void tide_pattern_fini(struct tide_pattern *pattern)
{
    while (pattern->count)
        tide_free(pattern->parts[--pattern->count].text);
    tide_free(pattern->parts);
    pattern->parts = NULL;
}
