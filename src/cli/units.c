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
