#include "formats/zone.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/thread.h"
#include "formats/civil.h"
#include "formats/file.h"
#include "formats/zonerule.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_FILE = 1024 * 1024, HEADER = 44 };

/* How far from 1970 transitions may lie: farther than the big bang, with which old files begin, and sums do not overflow. */
#define FARTHEST (INT64_C(1) << 60)

static const char system_folder[] = "/usr/share/zoneinfo", local_file[] = "/etc/localtime";

struct kind {
    int32_t offset;
    bool is_dst;
};

struct tide_zone {
    char *name;           /* of one in the list */
    struct tide_zone *next;
    size_t count;         /* of transitions */
    int64_t *transitions; /* rising */
    uint8_t *kinds_after; /* of each */
    struct kind kinds[256]; /* the first one holds before all transitions */
    bool has_rule;        /* from the last transition on, instead of its kind */
    struct tide_zonerule rule;
};

void tide_zone_free(struct tide_zone *zone)
{
    if (!zone)
        return;
    tide_free(zone->name);
    tide_free(zone->transitions);
    tide_free(zone->kinds_after);
    tide_free(zone);
}

/* ---- files ---- */

struct header {
    char version;
    uint32_t isutcs, isstds, leaps, transitions, kinds, chars;
};

static int64_t big_endian(const unsigned char *bytes, size_t size)
{
    uint64_t value = size == 4 && bytes[0] >= 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | bytes[i];
    return (int64_t)value;
}

static bool read_header(const unsigned char *data, size_t size, struct header *h)
{
    uint32_t *const counts[] = {&h->isutcs, &h->isstds, &h->leaps, &h->transitions, &h->kinds, &h->chars};
    if (size < HEADER || memcmp(data, "TZif", 4) != 0)
        return false;
    h->version = (char)data[4];
    for (int i = 0; i < 6; i++) {
        *counts[i] = (uint32_t)big_endian(data + 20 + 4 * i, 4);
        if (*counts[i] > MAX_FILE)
            return false;
    }
    return h->kinds > 0 && h->kinds <= 256 && h->isutcs <= h->kinds && h->isstds <= h->kinds;
}

/* The size of what follows a header. */
static size_t block_size(const struct header *h, size_t time_size)
{
    return h->transitions * (time_size + 1) + h->kinds * (size_t)6 + h->chars + h->leaps * (time_size + 4) + h->isstds +
           h->isutcs;
}

static int read_transitions(struct tide_zone *zone, const unsigned char *block, const struct header *h, size_t time_size)
{
    const unsigned char *after = block + h->transitions * time_size;
    zone->transitions = tide_malloc(h->transitions * sizeof *zone->transitions);
    zone->kinds_after = tide_malloc(h->transitions);
    if (!zone->transitions || !zone->kinds_after)
        return TIDE_ENOMEM;
    for (uint32_t i = 0; i < h->transitions; i++) {
        int64_t at = big_endian(block + i * time_size, time_size);
        if (after[i] >= h->kinds || (i && at <= zone->transitions[i - 1]) || at < -FARTHEST || at > FARTHEST)
            return TIDE_ECORRUPT;
        zone->transitions[i] = at;
        zone->kinds_after[i] = after[i];
    }
    zone->count = h->transitions;
    return 0;
}

static int read_block(struct tide_zone *zone, const unsigned char *block, const struct header *h, size_t time_size)
{
    int failed = read_transitions(zone, block, h, time_size);
    const unsigned char *kind = block + h->transitions * (time_size + 1);
    for (uint32_t i = 0; !failed && i < h->kinds; i++, kind += 6) {
        int64_t offset = big_endian(kind, 4);
        if (offset < TIDE_ZONE_WEST || offset > TIDE_ZONE_EAST || kind[4] > 1 || kind[5] >= h->chars)
            failed = TIDE_ECORRUPT;
        zone->kinds[i] = (struct kind){.offset = (int32_t)offset, .is_dst = kind[4]};
    }
    return !failed && h->leaps ? TIDE_EINVAL : failed;
}

/* What stands behind the last block: a rule between two ends of lines, or nothing between them. */
static int read_footer(struct tide_zone *zone, const unsigned char *footer, size_t size)
{
    char text[256];
    const unsigned char *end = size > 1 && *footer == '\n' ? memchr(footer + 1, '\n', size - 1) : NULL;
    if (!end || end - footer > (ptrdiff_t)sizeof text)
        return TIDE_ECORRUPT;
    size_t length = (size_t)(end - footer) - 1;
    memcpy(text, footer + 1, length);
    text[length] = '\0';
    zone->has_rule = length > 0;
    if (zone->has_rule && (strlen(text) != length || tide_zonerule_parse(&zone->rule, text) != 0))
        return TIDE_ECORRUPT;
    return 0;
}

static int read_file(struct tide_zone *zone, const unsigned char *data, size_t size)
{
    struct header h;
    size_t time_size = 4;
    if (!read_header(data, size, &h))
        return TIDE_ECORRUPT;
    if (h.version >= '2') { /* all of it once more, in 64 bits */
        size_t skip = HEADER + block_size(&h, 4);
        if (skip > size || !read_header(data + skip, size - skip, &h))
            return TIDE_ECORRUPT;
        data += skip;
        size -= skip;
        time_size = 8;
    }
    size_t block = HEADER + block_size(&h, time_size);
    if (block > size)
        return TIDE_ECORRUPT;
    int failed = read_block(zone, data + HEADER, &h, time_size);
    return failed || time_size == 4 ? failed : read_footer(zone, data + block, size - block);
}

int tide_zone_parse(const void *data, size_t size, struct tide_zone **zone)
{
    struct tide_zone *made = tide_calloc(1, sizeof *made);
    int failed = made ? read_file(made, data, size) : TIDE_ENOMEM;
    if (failed)
        tide_zone_free(made);
    else
        *zone = made;
    return failed;
}

/* ---- by name ---- */

static struct {
    struct tide_mutex lock; /* guards `first`; what hangs there is constant */
    struct tide_zone *first;
} known;

static struct tide_zone *known_zone(const char *name)
{
    struct tide_zone *zone = known.first;
    while (zone && strcmp(zone->name, name) != 0)
        zone = zone->next;
    return zone;
}

/* Takes a zone over; another thread's of the same name wins. */
static int keep(struct tide_zone *zone, const char *name, const struct tide_zone **kept)
{
    zone->name = tide_strdup(name);
    if (!zone->name) {
        tide_zone_free(zone);
        return TIDE_ENOMEM;
    }
    tide_mutex_lock(&known.lock);
    struct tide_zone *found = known_zone(name);
    if (!found) {
        zone->next = known.first;
        known.first = zone;
    }
    tide_mutex_unlock(&known.lock);
    *kept = found ? found : zone;
    if (found)
        tide_zone_free(zone);
    return 0;
}

static int load(const char *path, struct tide_zone **zone, char problem[TIDE_ZONE_PROBLEM])
{
    char *data = NULL;
    size_t size = 0;
    int failed = tide_file_load(path, MAX_FILE, (struct tide_stop){NULL}, &data, &size);
    if (failed == TIDE_ESYSTEM)
        snprintf(problem, TIDE_ZONE_PROBLEM, "cannot read time zone file '%s': %s", path, strerror(errno));
    if (failed)
        return failed == TIDE_ENOMEM ? failed : TIDE_EINVAL;
    failed = tide_zone_parse(data, size, zone);
    tide_free(data);
    if (failed == TIDE_ENOMEM)
        return failed;
    if (failed == TIDE_EINVAL)
        snprintf(problem, TIDE_ZONE_PROBLEM, "'%s' counts leap seconds: take the zone outside of the folder 'right'", path);
    else if (failed)
        snprintf(problem, TIDE_ZONE_PROBLEM, "'%s' is no time zone file, or a damaged one (RFC 8536); "
                 "Debian's package tzdata has whole ones", path);
    return failed ? TIDE_EINVAL : 0;
}

/* Only the files of the folder: no part is empty or begins with a dot. */
static bool is_name(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-.";
    for (const char *part = name;; part++) {
        size_t size = strspn(part, letters);
        if (size == 0 || *part == '.')
            return false;
        part += size;
        if (*part != '/')
            return *part == '\0' && part - name <= TIDE_ZONE_NAME;
    }
}

static bool is_plain_file(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISREG(about.st_mode);
}

static int load_name(const char *name, struct tide_zone **zone, char problem[TIDE_ZONE_PROBLEM])
{
    const char *own = getenv("TZDIR"), *folders[2];
    char path[PATH_MAX];
    int count = 0;
    if (own && *own)
        folders[count++] = own;
    folders[count++] = system_folder;
    for (int i = 0; is_name(name) && i < count; i++) {
        int size = snprintf(path, sizeof path, "%s/%s", folders[i], name);
        if (size < (int)sizeof path && is_plain_file(path))
            return load(path, zone, problem);
    }
    snprintf(problem, TIDE_ZONE_PROBLEM, "no time zone '%.*s' in %.300s%s%s: names are as in \"Europe/Zurich\", \"UTC\" or "
             "\"local\"; Debian's package tzdata has the files", TIDE_ZONE_NAME, name, folders[0], count > 1 ? " or " : "",
             count > 1 ? folders[1] : "");
    return TIDE_EINVAL;
}

/* TZ: a name, the path of a file, or a rule, a colon before it or not. */
static int load_local(struct tide_zone **zone, char problem[TIDE_ZONE_PROBLEM])
{
    static const char utc[] = "UTC0";
    const char *text = getenv("TZ");
    if (!text && is_plain_file(local_file))
        return load(local_file, zone, problem);
    text = !text ? utc : text + (*text == ':');
    if (*text == '/' && is_plain_file(text))
        return load(text, zone, problem);
    if (!*text || strcmp(text, "UTC") == 0)
        text = utc;
    int failed = load_name(text, zone, problem);
    if (failed != TIDE_EINVAL)
        return failed;
    struct tide_zone *made = tide_calloc(1, sizeof *made);
    if (!made)
        return TIDE_ENOMEM;
    if (tide_zonerule_parse(&made->rule, text) != 0) {
        tide_zone_free(made);
        size_t size = strlen(problem);
        snprintf(problem + size, TIDE_ZONE_PROBLEM - size, " (the environment variable TZ names it)");
        return failed;
    }
    made->has_rule = true;
    *zone = made;
    return 0;
}

int tide_zone_find(const char *name, const struct tide_zone **zone, char problem[TIDE_ZONE_PROBLEM])
{
    static const struct tide_zone utc;
    struct tide_zone *made = NULL;
    if (strcmp(name, "UTC") == 0) {
        *zone = &utc;
        return 0;
    }
    tide_mutex_lock(&known.lock);
    const struct tide_zone *found = known_zone(name);
    tide_mutex_unlock(&known.lock);
    if (found) {
        *zone = found;
        return 0;
    }
    int failed = strcmp(name, "local") == 0 ? load_local(&made, problem) : load_name(name, &made, problem);
    return failed ? failed : keep(made, name, zone);
}

/* ---- times ---- */

void tide_zone_span(const struct tide_zone *zone, int64_t instant, struct tide_zone_span *span)
{
    size_t low = 0, high = zone->count; /* transitions below low are not after the instant, those from high on are */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->transitions[middle] <= instant)
            low = middle + 1;
        else
            high = middle;
    }
    const struct kind *kind = &zone->kinds[low ? zone->kinds_after[low - 1] : 0];
    int64_t last = low ? zone->transitions[low - 1] : INT64_MIN;
    *span = (struct tide_zone_span){.from = last, .to = INT64_MAX, .offset = kind->offset, .is_dst = kind->is_dst};
    if (low < zone->count) {
        span->to = zone->transitions[low];
    } else if (zone->has_rule) {
        tide_zonerule_span(&zone->rule, instant, &span->from, &span->to, &span->is_dst);
        span->offset = zone->rule.offsets[span->is_dst];
        if (span->from < last)
            span->from = last;
    }
}

void tide_zone_local(const struct tide_zone *zone, int64_t instant, struct tide_zone_time *time)
{
    struct tide_zone_span span;
    tide_zone_span(zone, instant, &span);
    int64_t local = instant + span.offset, days = tide_civil_floor(local, TIDE_CIVIL_DAY);
    int second = (int)(local - days * TIDE_CIVIL_DAY);
    tide_civil_date(days, &time->year, &time->month, &time->day);
    time->weekday = tide_civil_weekday(days);
    time->hour = second / 3600;
    time->minute = second / 60 % 60;
    time->second = second % 60;
    time->offset = span.offset;
    time->is_dst = span.is_dst;
}

int tide_zone_instants(const struct tide_zone *zone, int64_t local, int64_t instants[2])
{
    struct tide_zone_span span;
    int count = 0;
    for (int64_t at = local - TIDE_ZONE_EAST; at <= local - TIDE_ZONE_WEST && count < 2; at = span.to) {
        tide_zone_span(zone, at, &span);
        int64_t instant = local - span.offset;
        if (span.from <= instant && instant < span.to)
            instants[count++] = instant;
    }
    return count;
}
