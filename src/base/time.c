#include "base/time.h"

#include <time.h>

int64_t tide_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

double tide_wall_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int64_t tide_deadline_after(double seconds)
{
    /* 9.2e9 s is the range of the type; a limit well inside it keeps the sum exact enough and free of overflow. */
    if (!(seconds < 8e9))
        return TIDE_NEVER;
    return tide_now_ns() + (int64_t)(seconds * 1e9 + 0.999);
}
