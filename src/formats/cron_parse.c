/* Parsing of cron expressions, and what is said of wrong ones. */
#include "formats/cron.h"

#include "base/error.h"
#include "formats/civil.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum field_kind { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

struct field {
    const char *name;
    int least, most;   /* weekdays: 7 is taken, too */
    const char *names; /* three letters each, of the values from `least` on */
    const char *allowed;
};

#define FORMS "*, lists a,b, ranges a-b, steps */n a-b/n a/n"

static const struct field fields[FIELDS] = {
    [SECOND] = {"second", 0, 59, "", "0-59; " FORMS},
    [MINUTE] = {"minute", 0, 59, "", "0-59; " FORMS},
    [HOUR] = {"hour", 0, 23, "", "0-23; " FORMS},
    [DAY] = {"day-of-month", 1, 31, "", "1-31; L for the last day, L-n for n days before it; ?; " FORMS},
    [MONTH] = {"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC", "1-12 or JAN-DEC; " FORMS},
    [WEEKDAY] = {"day-of-week", 0, 6, "SUNMONTUEWEDTHUFRISAT",
                 "0-7 or SUN-SAT, 0 and 7 are Sunday; 5L for the last Friday of the month; ?; " FORMS},
};

struct parser {
    const char *text, *at;
    enum field_kind kind; /* FIELDS: none */
    char *problem;
    struct tide_cron *cron;
};

/* ---- what is wrong ---- */

struct report {
    char *text;
    size_t size;
};

static void add(struct report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct report *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int more = vsnprintf(r->text + r->size, TIDE_CRON_PROBLEM - r->size, format, args);
    va_end(args);
    r->size += (size_t)more < TIDE_CRON_PROBLEM - r->size ? (size_t)more : TIDE_CRON_PROBLEM - r->size - 1;
}

static bool is_shown(char c)
{
    return (unsigned char)c >= 0x20 && c != 0x7f;
}

/* The expression, and a caret below the character at `place`. */
static void add_place(struct report *r, const char *text, const char *place)
{
    int column = 0;
    add(r, "\n    ");
    for (const char *p = text; *p; p++) {
        column += p < place && (*p & 0xc0) != 0x80;
        add(r, "%c", is_shown(*p) ? *p : ' ');
    }
    add(r, "\n    %*s", column + 1, "^");
}

static int fail(struct parser *p, const char *place, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail(struct parser *p, const char *place, const char *format, ...)
{
    struct report r = {p->problem, 0};
    char what[160];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    for (char *c = what; *c; c++)
        *c = is_shown(*c) ? *c : '?';
    add(&r, "cron expression: ");
    if (p->kind != FIELDS)
        add(&r, "%s: ", fields[p->kind].name);
    add(&r, "%s", what);
    add_place(&r, p->text, place);
    if (p->kind != FIELDS)
        add(&r, "\nallowed here: %s", fields[p->kind].allowed);
    return TIDE_EINVAL;
}

/* ---- the parts of a field ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_end(char c)
{
    return c == '\0' || is_blank(c);
}

static bool take_char(struct parser *p, char upper)
{
    if (*p->at != upper && !(is_letter(upper) && *p->at == upper - 'A' + 'a'))
        return false;
    p->at++;
    return true;
}

/* Digits; what is far too large stays so. */
static int take_number(struct parser *p)
{
    int value = 0;
    for (; is_digit(*p->at); p->at++)
        value = value < 10000 ? value * 10 + *p->at - '0' : value;
    return value;
}

/* The character at `place`, for messages: its bytes where it is more than one. */
static int character_size(const char *place)
{
    int size = 1;
    while (size < 4 && (place[size] & 0xc0) == 0x80)
        size++;
    return size;
}

static int fail_unexpected(struct parser *p)
{
    if (is_end(*p->at) || *p->at == ',')
        return fail(p, p->at, "a value is missing");
    if (!is_shown(*p->at))
        return fail(p, p->at, "a control character (\\x%02x) is not expected", (unsigned char)*p->at);
    return fail(p, p->at, "'%.*s' is not expected", character_size(p->at), p->at);
}

static int take_name(struct parser *p, int *value)
{
    const struct field *field = &fields[p->kind];
    size_t size = 0;
    while (is_letter(p->at[size]))
        size++;
    for (int i = 0; size >= 3 && field->names[3 * i]; i++) {
        bool last = size == 4 && p->kind == WEEKDAY && (p->at[3] == 'L' || p->at[3] == 'l'); /* FRIL */
        if (strncasecmp(p->at, field->names + 3 * i, 3) == 0 && (size == 3 || last)) {
            p->at += 3;
            *value = field->least + i;
            return 0;
        }
    }
    return fail(p, p->at, "'%.*s' is no %s", (int)(size < 40 ? size : 40), p->at,
                p->kind == MONTH ? "month" : p->kind == WEEKDAY ? "day of the week" : "number");
}

/* A number or a name. */
static int take_value(struct parser *p, int *value)
{
    const struct field *field = &fields[p->kind];
    const char *place = p->at;
    if (is_letter(*p->at))
        return take_name(p, value);
    if (!is_digit(*p->at))
        return fail_unexpected(p);
    int number = take_number(p);
    if (number < field->least || number > field->most + (p->kind == WEEKDAY))
        return fail(p, place, "%.*s is out of range", (int)(p->at - place < 40 ? p->at - place : 40), place);
    *value = number;
    return 0;
}

/* "/n" where it stands. */
static int take_step(struct parser *p, int *step)
{
    const struct field *field = &fields[p->kind];
    int most = field->most - field->least + 1;
    *step = 1;
    if (!take_char(p, '/'))
        return 0;
    const char *place = p->at;
    if (!is_digit(*p->at))
        return fail_unexpected(p);
    *step = take_number(p);
    return *step >= 1 && *step <= most ? 0 : fail(p, place, "a step is from 1 to %d", most);
}

static void set_value(struct parser *p, int value)
{
    struct tide_cron *cron = p->cron;
    switch (p->kind) {
    case SECOND: cron->seconds |= UINT64_C(1) << value; break;
    case MINUTE: cron->minutes |= UINT64_C(1) << value; break;
    case HOUR: cron->hours |= 1u << value; break;
    case DAY: cron->days |= 1u << value; break;
    case MONTH: cron->months |= 1u << value; break;
    default: cron->weekdays |= 1u << value % 7; break;
    }
}

/* Behind an L in the field of days. */
static int take_last_day(struct parser *p)
{
    int before = 0;
    if (take_char(p, '-')) {
        const char *place = p->at;
        if (!is_digit(*p->at))
            return fail_unexpected(p);
        before = take_number(p);
        if (before < 1 || before > 30)
            return fail(p, place, "L-n takes 1 to 30");
    }
    p->cron->last_days |= 1u << before;
    return 0;
}

/* a, a-b, a/n, a-b/n, *, and with a step. A range may end with Sunday as 0 or SUN. */
static int take_range(struct parser *p)
{
    const struct field *field = &fields[p->kind];
    const char *place = p->at;
    int from = field->least, to = field->most, step, failed = 0;
    if (!take_char(p, '*')) {
        failed = take_value(p, &from);
        to = from;
        if (!failed && p->kind == WEEKDAY && take_char(p, 'L')) {
            p->cron->last_weekdays |= 1u << from % 7;
            return 0;
        }
        if (!failed && take_char(p, '-')) {
            failed = take_value(p, &to);
            to = p->kind == WEEKDAY && to == 0 && from > 0 ? 7 : to;
            from = p->kind == WEEKDAY && to < 7 ? from % 7 : from;
        } else if (!failed && *p->at == '/') {
            from = p->kind == WEEKDAY ? from % 7 : from;
            to = field->most;
        }
    }
    failed = failed ? failed : take_step(p, &step);
    if (!failed && from > to)
        failed = fail(p, place, "a range goes upwards; one over the end is a list of two, such as %d-%d,%d-%d", from,
                      field->most, field->least, to);
    for (int value = from; !failed && value <= to; value += step)
        set_value(p, value);
    return failed;
}

static int take_question_mark(struct parser *p, const char *begin)
{
    const char *place = p->at++;
    if (p->kind != DAY && p->kind != WEEKDAY)
        return fail(p, place, "? is for the fields of days; * stands for all values");
    if (place != begin || !is_end(*p->at))
        return fail(p, place, "? stands alone");
    for (int value = fields[p->kind].least; value <= fields[p->kind].most; value++)
        set_value(p, value);
    return 0;
}

static int take_item(struct parser *p, const char *begin)
{
    if (*p->at == '?')
        return take_question_mark(p, begin);
    if (p->kind == DAY && take_char(p, 'L'))
        return take_last_day(p);
    if (p->kind == WEEKDAY && (*p->at == 'L' || *p->at == 'l'))
        return fail(p, p->at, "L needs a weekday in front, as in 5L");
    return take_range(p);
}

static int take_field(struct parser *p)
{
    const char *begin = p->at;
    int failed;
    do
        failed = take_item(p, begin);
    while (!failed && take_char(p, ','));
    return failed || is_end(*p->at) ? failed : fail_unexpected(p);
}

/* ---- the whole ---- */

static const char *skip_blanks(const char *at)
{
    while (is_blank(*at))
        at++;
    return at;
}

static int take_fields(struct parser *p)
{
    const char *begins[FIELDS + 1], *at = skip_blanks(p->text);
    int count = 0;
    while (*at && count <= FIELDS) {
        begins[count++] = at;
        while (!is_end(*at))
            at++;
        at = skip_blanks(at);
    }
    if (count > FIELDS)
        return fail(p, begins[FIELDS], "it has more than six fields: second minute hour day-of-month month day-of-week");
    if (count < FIELDS - 1)
        return fail(p, at, "it has %d field%s, not the five: minute hour day-of-month month day-of-week", count,
                    count == 1 ? "" : "s");
    int failed = 0;
    for (int i = 0; !failed && i < count; i++) {
        p->at = begins[i];
        p->kind = (enum field_kind)(FIELDS - count + i);
        failed = take_field(p);
    }
    if (failed)
        return failed;
    if (count < FIELDS)
        p->cron->seconds = 1;
    const char *days = begins[count - 3], *weekdays = begins[count - 1];
    p->cron->either = !strchr("*?", *days) && !strchr("*?", *weekdays);
    p->cron->follows_clock = p->cron->hours == 0xffffff;
    p->kind = DAY;
    p->at = days;
    return 0;
}

static bool ever_due(const struct tide_cron *cron)
{
    int64_t local, from = tide_civil_days(2000, 1, 1) * TIDE_CIVIL_DAY;
    return tide_cron_next_local(cron, from, from + (int64_t)TIDE_CIVIL_ERA * TIDE_CIVIL_DAY, &local);
}

/* @daily and the like; NULL. */
static const char *nickname(const char *text)
{
    static const char *const names[][2] = {
        {"@hourly", "0 * * * *"}, {"@daily", "0 0 * * *"}, {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
        {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"},
    };
    size_t size = strlen(text);
    while (size && is_blank(text[size - 1]))
        size--;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i][0]) == size && strncasecmp(text, names[i][0], size) == 0)
            return names[i][1];
    return NULL;
}

int tide_cron_parse(struct tide_cron *cron, const char *text, char problem[TIDE_CRON_PROBLEM])
{
    struct tide_cron made = {0};
    struct parser p = {.text = text, .kind = FIELDS, .problem = problem, .cron = &made};
    const char *begin = skip_blanks(text);
    if (strlen(text) > TIDE_CRON_SIZE) {
        snprintf(problem, TIDE_CRON_PROBLEM, "cron expression: it has more than %d bytes", TIDE_CRON_SIZE);
        return TIDE_EINVAL;
    }
    if (*begin == '@') {
        const char *meant = nickname(begin);
        if (!meant)
            return fail(&p, begin, "no such name; known are @hourly @daily @midnight @weekly @monthly @yearly @annually");
        p.text = meant;
    }
    int failed = take_fields(&p);
    if (!failed && !ever_due(&made))
        failed = fail(&p, p.at, "never due: no month that matches has such a day");
    if (!failed)
        *cron = made;
    return failed;
}
