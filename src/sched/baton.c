#include "sched/baton.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "base/time.h"
#include "sched/runtime.h"
#include "sched/wait.h"

#include <assert.h>
#include <stdlib.h>

enum {
    FREE = 10000000, /* instructions that cost no time, at one instant: only who computes for long, or polls, moves the clock */
    COST = 10,       /* ns of each one beyond: about what they take */
    TURN = 100,      /* what a turn counts for at least, in instructions: who polls and does little else gets on, */
    HANDOVER = 1000, /* where another thread goes on, */
    ARRIVAL = 10000, /* and where something comes from outside */
    BESIDE = 100000, /* beyond FREE: from one look at what has come from outside to the next */
    CUT_ONE_IN = 16, /* of the looks that preempt.c takes, each hundred instructions or so */
};

static const int64_t breath = TIDE_US(100); /* a jump that is shorter is that of somebody who polls */
static const int64_t patience = TIDE_MS(1000); /* input and output may take so long before the clock goes on beside them */

/* Of what has ended, the first waits so long for the others, and then they are let in in an order of their own. Files are there
 * soon, unless the machine is busy; from the network something may never come. */
static const int64_t gather_files = TIDE_MS(1000), gather_all = TIDE_MS(20);

static struct tide_worker *worker_at(struct tide_baton *b, uint32_t i)
{
    return b->runtime->workers[i];
}

static uint32_t worker_count(struct tide_baton *b)
{
    return atomic_load(&b->runtime->started) + 1;
}

/* ---- who is next ---- */

static bool has_work(struct tide_baton *b, struct tide_worker *w)
{
    if (w->turn != TIDE_TURN_LOOP)
        return w->turn == TIDE_TURN_MIDWAY;
    return !tide_mailbox_empty(&w->mail) || w->ready.first || w->cut.first || w->next ||
           tide_heap_next(&w->timers) <= tide_now_ns() ||
           (tide_runtime_takes_in_turn(b->runtime, w) && tide_runtime_may_take(b->runtime, w)) ||
           (w->index && atomic_load(&b->runtime->stopping) && tide_list_empty(&w->live));
}

/* One of those that have something to do; NULL: nobody has. */
static struct tide_worker *draw_next(struct tide_baton *b)
{
    struct tide_worker *next = NULL;
    uint32_t found = 0;
    for (uint32_t i = 0; i < worker_count(b); i++) {
        struct tide_worker *w = worker_at(b, i);
        if (has_work(b, w) && (++found == 1 || tide_random_below(&b->random, found) == 0))
            next = w;
    }
    return next;
}

/* ---- somebody is for long: time goes on ---- */

static void charge(struct tide_baton *b, int instructions)
{
    b->turn += instructions;
    b->executed += instructions;
    b->restless += instructions;
    if (b->executed > FREE)
        tide_virtual_set(tide_now_ns() + (int64_t)instructions * COST);
}

/* ---- nobody is: time goes on ---- */

static struct tide_waiter *first_advance(struct tide_baton *b)
{
    struct tide_waiter *first = NULL;
    tide_list_each (link, &b->advances) {
        struct tide_waiter *waiter = tide_container(link, struct tide_waiter, link);
        if (!first || waiter->item.as.integer < first->item.as.integer)
            first = waiter;
    }
    return first;
}

static int64_t first_timer(struct tide_baton *b)
{
    int64_t due = TIDE_NEVER;
    for (uint32_t i = 0; i < worker_count(b); i++) {
        struct tide_worker *w = worker_at(b, i);
        int64_t next = w->turn == TIDE_TURN_NONE ? TIDE_NEVER : tide_heap_next(&w->timers); /* else it fires none any more */
        if (next < due)
            due = next;
    }
    return due;
}

static void jump(struct tide_baton *b, int64_t to)
{
    int64_t now = tide_now_ns();
    if (to > now)
        tide_virtual_set(to);
    if (to - now >= breath)
        b->executed = 0;
    b->rested = b->outside ? patience : 0; /* where the outside was waited for in vain, time goes on at its real pace */
}

/* Sleeps in real time until something comes from outside, or until `deadline`. Mail is looked for behind the store, as in
 * tide_worker_post. */
static void sleep_for_real(struct tide_baton *b, int64_t deadline)
{
    int64_t before = tide_real_now_ns();
    bool mail = false;
    for (uint32_t i = 0; i < worker_count(b); i++)
        atomic_store(&worker_at(b, i)->parked, TIDE_PARKED_COUNTED);
    for (uint32_t i = 0; i < worker_count(b); i++)
        mail |= !tide_mailbox_empty(&worker_at(b, i)->mail);
    if (!mail)
        tide_park_wait(&b->rest, deadline);
    for (uint32_t i = 0; i < worker_count(b); i++)
        atomic_store(&worker_at(b, i)->parked, TIDE_PARKED_NOT);
    if (b->outside)
        b->rested += tide_real_now_ns() - before;
}

/* Every worker counts one in it, whether it has something to do or not. */
static bool nothing_can_come(struct tide_baton *b)
{
    return atomic_load(&b->runtime->active) <= (int64_t)worker_count(b) && !atomic_load(&b->runtime->closing) &&
           !atomic_load(&b->runtime->stopping);
}

static struct tide_arrival *arrival_of(struct tide_link *link)
{
    return tide_container(link, struct tide_arrival, link);
}

/* How many tasks wait for what has come. */
static uint32_t look_at_arrived(struct tide_baton *b)
{
    uint32_t count = 0;
    struct tide_link *link;
    tide_mutex_lock(&b->lock);
    while ((link = tide_fifo_pop(&b->arrived)) != NULL)
        tide_fifo_push(&b->seen, link);
    tide_mutex_unlock(&b->lock);
    for (link = b->seen.first; link; link = link->next)
        count += arrival_of(link)->awaited(arrival_of(link)) != 0;
    return count;
}

struct numbered {
    uint64_t number;
    struct tide_arrival *arrival;
};

static int by_number(const void *a, const void *b)
{
    const struct numbered *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static void admit(struct tide_baton *b, struct tide_arrival *arrival)
{
    atomic_fetch_sub(&b->arrived_count, 1); /* before it may arrive again */
    arrival->admit(arrival);
}

/* In the order of the tasks' numbers; of their arrival where memory is short. */
static void admit_all(struct tide_baton *b, struct tide_link *seen)
{
    size_t count = 0, i = 0;
    for (struct tide_link *link = seen; link; link = link->next)
        count++;
    struct numbered *all = count > 1 ? tide_malloc(count * sizeof *all) : NULL;
    for (struct tide_link *link = seen, *next; link; link = next) {
        next = link->next;
        if (all)
            all[i++] = (struct numbered){arrival_of(link)->awaited(arrival_of(link)), arrival_of(link)};
        else
            admit(b, arrival_of(link));
    }
    if (!all)
        return;
    qsort(all, count, sizeof *all, by_number);
    for (i = 0; i < count; i++)
        admit(b, all[i].arrival);
    tide_free(all);
}

/* Lets in what has come from outside, in the order of the tasks' numbers. Those that are still outside are slow if the others
 * did not wait for them any longer. */
static void let_in(struct tide_baton *b, bool late)
{
    uint32_t awaited = look_at_arrived(b), left = b->outside > awaited ? b->outside - awaited : 0;
    struct tide_link *seen = b->seen.first;
    b->seen = (struct tide_fifo){0};
    b->slow = late || left < b->slow ? left : b->slow;
    b->gather_until = 0;
    if (!b->slow)
        b->rested = 0;
    admit_all(b, seen);
    charge(b, ARRIVAL);
}

/* Whether all have come that the others wait for. */
static bool are_there(struct tide_baton *b)
{
    return look_at_arrived(b) + b->slow >= b->outside;
}

/* Nobody has anything to do. True: something has come from outside and was let in, or it was waited for the rest of it. */
static bool gather(struct tide_baton *b)
{
    if (atomic_load(&b->arrived_count) == 0)
        return false;
    int64_t now = tide_real_now_ns();
    if (!b->gather_until)
        b->gather_until = now + (b->network ? gather_all : gather_files);
    if (now >= b->gather_until)
        let_in(b, !b->network);
    else if (are_there(b))
        let_in(b, false);
    else
        sleep_for_real(b, b->gather_until);
    return true;
}

/* Somebody computes, or polls, for so long that it has to be let in beside it: after so many instructions, and all files. */
static void let_in_beside(struct tide_baton *b)
{
    int64_t until = tide_real_now_ns() + gather_files;
    bool late = false;
    b->restless -= BESIDE;
    while (!b->network && !are_there(b) && !late) {
        tide_park_wait(&b->rest, until);
        late = tide_real_now_ns() >= until;
    }
    if (atomic_load(&b->arrived_count) > 0)
        let_in(b, late);
    else if (late)
        b->slow = b->outside;
}

/* Nobody has anything to do: moves the clock, sleeps, or reports that nothing will ever happen again. */
static void rest(struct tide_baton *b)
{
    b->restless = 0;
    if (gather(b))
        return;
    struct tide_waiter *advance = first_advance(b);
    int64_t due = first_timer(b), target = advance ? advance->item.as.integer : TIDE_NEVER;
    if (b->manual && !advance && !atomic_load(&b->runtime->closing))
        due = TIDE_NEVER;
    int64_t next = due < target ? due : target;
    if (next == TIDE_NEVER) {
        if (!b->outside && nothing_can_come(b))
            b->runtime->engine.deadlock(b->runtime);
        else
            sleep_for_real(b, TIDE_NEVER);
        return;
    }
    int64_t left = b->outside ? patience + (next - tide_now_ns()) - b->rested : 0;
    if (left > 0) {
        sleep_for_real(b, tide_real_now_ns() + left);
        return;
    }
    jump(b, next);
    if (target < due && tide_wait_claim(advance)) /* else what is due then comes first */
        tide_wait_post(advance->task);
}

/* ---- passing ---- */

static struct tide_worker *choose(struct tide_baton *b)
{
    struct tide_worker *next;
    if (b->restless > FREE)
        let_in_beside(b);
    while ((next = draw_next(b)) == NULL)
        rest(b);
    return next;
}

static void give(struct tide_baton *b, struct tide_worker *next)
{
    atomic_store(&b->holder, next->index);
    tide_park_wake(&next->park);
}

static void await(struct tide_baton *b, struct tide_worker *w)
{
    while (atomic_load(&b->holder) != w->index)
        tide_park_wait(&w->park, TIDE_NEVER);
}

void tide_baton_enter(struct tide_worker *worker)
{
    assert(worker->turn == TIDE_TURN_MIDWAY);
    await(worker->runtime->baton, worker);
}

void tide_baton_pass(struct tide_worker *worker, enum tide_turn turn)
{
    struct tide_baton *b = worker->runtime->baton;
    worker->turn = turn;
    struct tide_worker *next = choose(b);
    int least = next == worker ? TURN : HANDOVER;
    if (b->turn < least)
        charge(b, least - b->turn);
    b->turn = 0;
    if (next == worker)
        return;
    give(b, next);
    await(b, worker);
}

void tide_baton_leave(struct tide_worker *worker)
{
    struct tide_baton *b = worker->runtime->baton;
    bool others = false;
    worker->turn = TIDE_TURN_NONE;
    for (uint32_t i = 0; i < worker_count(b); i++)
        others |= worker_at(b, i)->turn != TIDE_TURN_NONE;
    if (others)
        give(b, choose(b));
}

void tide_baton_wake(struct tide_baton *baton)
{
    tide_park_wake(&baton->rest);
}

/* ---- the rest ---- */

void tide_baton_step_out(struct tide_baton *b, struct tide_task *task, bool network)
{
    task->flags |= TIDE_TASK_OUTSIDE | (network ? TIDE_TASK_NETWORK : 0);
    b->outside++;
    b->network += network;
}

void tide_baton_step_in(struct tide_baton *b, struct tide_task *task)
{
    b->outside--;
    b->slow = b->slow < b->outside ? b->slow : b->outside;
    b->network -= (task->flags & TIDE_TASK_NETWORK) != 0;
    task->flags &= (uint8_t)~(TIDE_TASK_OUTSIDE | TIDE_TASK_NETWORK);
}

void tide_baton_arrive(struct tide_baton *b, struct tide_arrival *arrival)
{
    tide_mutex_lock(&b->lock);
    tide_fifo_push(&b->arrived, &arrival->link);
    atomic_fetch_add(&b->arrived_count, 1);
    tide_mutex_unlock(&b->lock);
    tide_baton_wake(b);
}

bool tide_baton_spend(struct tide_baton *b, int instructions)
{
    charge(b, instructions);
    return tide_random_below(&b->random, CUT_ONE_IN) == 0;
}

uint64_t tide_baton_draw(struct tide_baton *baton)
{
    return tide_random(&baton->random);
}

void tide_baton_advance(struct tide_baton *baton, struct tide_task *task, int64_t until)
{
    tide_wait_on(&baton->advances, &task->waiter, task);
    task->waiter.item.as.integer = until;
}

int tide_baton_open(struct tide_runtime *runtime, uint64_t seed, int64_t wall_ns)
{
    struct tide_baton *b = tide_calloc(1, sizeof *b);
    if (!b)
        return TIDE_ENOMEM;
    b->runtime = runtime;
    b->random = seed;
    tide_list_init(&b->advances);
    runtime->workers[0]->turn = TIDE_TURN_MIDWAY;
    runtime->baton = b;
    tide_virtual_begin(wall_ns);
    return 0;
}

void tide_baton_close(struct tide_runtime *runtime)
{
    if (!runtime->baton)
        return;
    let_in(runtime->baton, false); /* nobody waits any more, but each has a reference of itself */
    tide_free(runtime->baton);
    runtime->baton = NULL;
    tide_virtual_end();
}
