/* zone.h - time zones: what clocks show where, from the system's zone files (TZif, RFC 8536).
 *
 * Used by   formats/cron.c, bindings/cron.c.
 * Threads   any; a zone is constant.
 * Owns      zones that tide_zone_find gave are kept until the process ends, each read once: whoever has one may keep it. So a
 *           file that changes later is not seen, as in the C library.
 * Lock      the list of zones, rank 92.
 * Times     instants are seconds since the epoch (leap seconds are not counted). Local times are what the clock shows, in
 *           seconds since its own 1 January 1970, 00:00. Both may be up to TIDE_ZONE_MOST away from 0.
 */
#ifndef TIDE_FORMATS_ZONE_H
#define TIDE_FORMATS_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* TIDE_ZONE_WEST and _EAST: what RFC 8536 allows as a difference from UTC. */
enum { TIDE_ZONE_PROBLEM = 1024, TIDE_ZONE_NAME = 255, TIDE_ZONE_WEST = -89999, TIDE_ZONE_EAST = 93599 };
#define TIDE_ZONE_MOST (INT64_C(1) << 48)

struct tide_zone;

/* The zone of a name: "UTC", which needs no file; "local", which is what TZ says or, without it, /etc/localtime (UTC if that is
 * not there); any other as in "Europe/Zurich", below $TZDIR or /usr/share/zoneinfo. 0; TIDE_EINVAL with `problem`: there is no
 * such zone, or its file is none; TIDE_ENOMEM. May read a file. */
int tide_zone_find(const char *name, const struct tide_zone **zone, char problem[TIDE_ZONE_PROBLEM]);

/* A zone of the caller's from the bytes of a file. 0; TIDE_ECORRUPT; TIDE_EINVAL: it counts leap seconds; TIDE_ENOMEM. */
int tide_zone_parse(const void *data, size_t size, struct tide_zone **zone);
void tide_zone_free(struct tide_zone *zone);

/* A stretch of time with one offset. The one before or behind it may have the same. */
struct tide_zone_span {
    int64_t from, to;  /* the first instant in it, the first one behind; INT64_MIN, INT64_MAX: no end */
    int32_t offset;    /* local time less UTC, in seconds */
    bool is_dst;
};

/* The stretch that an instant is in. */
void tide_zone_span(const struct tide_zone *zone, int64_t instant, struct tide_zone_span *span);

struct tide_zone_time {
    int64_t year;
    int month, day, hour, minute, second; /* from 1 on; from 0 on */
    int weekday;                          /* 0 is Sunday */
    int32_t offset;
    bool is_dst;
};

/* What the clock shows at an instant. */
void tide_zone_local(const struct tide_zone *zone, int64_t instant, struct tide_zone_time *time);

/* The instants at which the clock shows a local time, in order: none where it is skipped, two where it comes twice. Were there
 * more, in a file that no place on earth needs, the first two. */
int tide_zone_instants(const struct tide_zone *zone, int64_t local, int64_t instants[2]);

#endif
