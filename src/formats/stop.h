/* stop.h - how who asked for a long piece of work tells it that the result is not wanted any more.
 *
 * Used by   the engines of this folder that take long; bindings/job.c gives them one.
 * Threads   asked is called by the thread that works.
 */
#ifndef TIDE_FORMATS_STOP_H
#define TIDE_FORMATS_STOP_H

#include <stdbool.h>
#include <stddef.h>

struct tide_stop {
    bool (*asked)(void *of); /* NULL: never */
    void *of;
};

static inline bool tide_stop_asked(const struct tide_stop *stop)
{
    return stop->asked && stop->asked(stop->of);
}

#endif
