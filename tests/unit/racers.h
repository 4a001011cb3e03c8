/* racers.h - threads that wait for one object again and again, each a worker with a task of its own, while another thread
 * interrupts their waits at random: so that wake, time-out and cancellation come together.
 */
#ifndef TIDE_TESTS_RACERS_H
#define TIDE_TESTS_RACERS_H

#include "fake_worker.h"

#include <pthread.h>

struct racer {
    int number; /* 0, 1, … */
    uint32_t seed;
    long outcome[TIDE_WAIT_INTERRUPTED + 1]; /* of the waits that it counted by racer_wait */
    long wrong;                              /* counted by the round; asserted to be 0 */
    /* for racers.c */
    pthread_t thread;
    _Atomic(struct tide_task *) task;
    long interruptions, left_over;
    void (*round)(struct racer *racer, struct tide_task *task);
};

enum { MAX_RACERS = 8 };
extern struct racer racers[MAX_RACERS];

/* Runs `count` threads that call `round` again and again for half a second. Asserts that each interruption ended one wait, and
 * that no task was woken without need. */
void race(int count, void (*round)(struct racer *, struct tide_task *));

/* In a round: the end of an open wait, with a random limit of up to 30 us; or, in one case of four where `for_ever` allows it,
 * none. */
enum tide_wait_state racer_wait(struct racer *racer, struct tide_task *task, bool for_ever);

/* In a round: the wait was needless. False: it was interrupted meanwhile, and that is counted. */
bool racer_skip(struct racer *racer, struct tide_task *task);

/* Up to 30 us. */
void racer_pause(uint32_t *seed);

#endif
