#include "cli/units.h"

#include <stddef.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads the digits at *text into *out and moves *text behind them; false without a digit or on overflow. */
static bool read_digits(const char **text, int64_t *out)
{
    int64_t value = 0;
    if (!is_digit(**text))
        return false;
    for (; is_digit(**text); (*text)++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, **text - '0', &value))
            return false;
    *out = value;
    return true;
}

static const struct unit *find_unit(const struct unit *units, const char *name)
{
    for (; units->name; units++)
        if (strcmp(units->name, name) == 0)
            return units;
    return NULL;
}

/* digits [ "." digits ] unit */
static bool read_quantity(const char *text, const struct unit *units, int64_t *out)
{
    int64_t whole;
    double fraction = 0, place = 1;
    if (!read_digits(&text, &whole))
        return false;
    if (*text == '.') {
        if (!is_digit(*++text))
            return false;
        for (; is_digit(*text); text++)
            fraction += (*text - '0') * (place /= 10);
    }
    const struct unit *unit = find_unit(units, text);
    if (!unit || __builtin_mul_overflow(whole, unit->factor, &whole) ||
        __builtin_add_overflow(whole, (int64_t)(fraction * (double)unit->factor + 0.5), &whole))
        return false;
    *out = whole;
    return true;
}

bool tide_read_integer(const char *text, int64_t min, int64_t max, int64_t *out)
{
    int64_t value;
    if (!read_digits(&text, &value) || *text || value < min || value > max)
        return false;
    *out = value;
    return true;
}

bool tide_read_duration(const char *text, int64_t *out)
{
    static const struct unit units[] = {
        {"", 1000000000},
        {"ms", 1000000},
        {"s", 1000000000},
        {"m", 60 * INT64_C(1000000000)},
        {"h", 3600 * INT64_C(1000000000)},
        {NULL, 0},
    };
    return read_quantity(text, units, out);
}

/* Two digits, or four, and what must stand behind them; '\0': anything may. */
static bool read_field(const char **text, int digits, char behind, int64_t *out)
{
    int64_t value = 0;
    for (int i = 0; i < digits; i++, (*text)++) {
        if (!is_digit(**text))
            return false;
        value = value * 10 + (**text - '0');
    }
    *out = value;
    if (!behind)
        return true;
    return *(*text)++ == behind;
}

static int days_of_month(int64_t year, int64_t month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970-01-01 of a date in the Gregorian calendar, from 1970 on. */
static int64_t days_before(int64_t year, int64_t month, int64_t day)
{
    int64_t y = year - 1, days = (year - 1970) * 365 + (y / 4 - 1969 / 4) - (y / 100 - 1969 / 100) + (y / 400 - 1969 / 400);
    for (int64_t m = 1; m < month; m++)
        days += days_of_month(year, m);
    return days + day - 1;
}

/* HH:MM:SS[.fraction] */
static bool read_time_of_day(const char **text, int64_t *seconds, double *fraction)
{
    int64_t hours, minutes, rest;
    double place = 1;
    if (!read_field(text, 2, ':', &hours) || !read_field(text, 2, ':', &minutes) || !read_field(text, 2, '\0', &rest))
        return false;
    if (hours > 23 || minutes > 59 || rest > 59)
        return false;
    if (**text == '.') {
        if (!is_digit(*++*text))
            return false;
        for (; is_digit(**text); (*text)++)
            *fraction += (**text - '0') * (place /= 10);
    }
    *seconds = hours * 3600 + minutes * 60 + rest;
    return true;
}

static bool read_date(const char *text, int64_t *out)
{
    int64_t year, month, day, seconds = 0;
    double fraction = 0;
    if (!read_field(&text, 4, '-', &year) || !read_field(&text, 2, '-', &month) || !read_field(&text, 2, '\0', &day))
        return false;
    if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month))
        return false;
    if (*text == 'T') {
        text++;
        if (!read_time_of_day(&text, &seconds, &fraction))
            return false;
        if (*text == 'Z')
            text++;
    }
    if (*text)
        return false;
    *out = (days_before(year, month, day) * 86400 + seconds) * 1000000000 + (int64_t)(fraction * 1e9 + 0.5);
    return true;
}

bool tide_read_instant(const char *text, int64_t *out)
{
    static const struct unit seconds[] = {{"", 1000000000}, {NULL, 0}};
    return read_date(text, out) || read_quantity(text, seconds, out);
}

bool tide_read_size(const char *text, int64_t *out)
{
    enum { K = 1024 };
    static const struct unit units[] = {
        {"", 1},
        {"K", K},
        {"KB", K},
        {"KiB", K},
        {"M", K * K},
        {"MB", K * K},
        {"MiB", K * K},
        {"G", K * K * K},
        {"GB", K * K * K},
        {"GiB", K * K * K},
        {"T", INT64_C(1) << 40},
        {"TB", INT64_C(1) << 40},
        {"TiB", INT64_C(1) << 40},
        {NULL, 0},
    };
    return read_quantity(text, units, out);
}
