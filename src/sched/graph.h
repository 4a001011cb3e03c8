/* graph.h - the wait graph: who waits for whom without a limit, so that a cycle is refused by the task that would close it.
 *
 * An edge leads from a waiting task to an object; the object's class tells which task must act. It is published only by waits
 * that block for ever, on the slow path. A task buried under another on a C stack waits for that one too. A cycle that is
 * found is walked a second time and counts only if no wait number changed in between.
 *
 * Threads   any worker. Lock: one for the whole graph, rank 5; edge classes take their object's lock under it.
 */
#ifndef TIDE_SCHED_GRAPH_H
#define TIDE_SCHED_GRAPH_H

#include "base/object.h"
#include "base/strbuf.h"
#include "sched/task.h"

struct tide_edge_class {
    /* "the result of", "the lock": what stands between the waiter and the object's name in a report */
    const char *relation;
    /* The task that has to act for a wait on the object to end, NULL if it is none in particular. Called under the graph's
     * lock; may take the object's. */
    struct tide_task *(*owner)(struct tide_object *object);
    /* Appends the object's name. */
    void (*describe)(struct tide_object *object, struct tide_strbuf *out);
    /* What the owner has to do with it, "complete" where it is NULL. */
    const char *deed;
};

/* Owner of `task`, its wait open and queued: publishes the edge. 0; or TIDE_EDEADLK: nothing was published, and `cycle` tells
 * the cycle in one line, "'a' waits for the result of 'b', which waits for …". */
int tide_graph_enter(struct tide_task *task, const struct tide_edge_class *class, struct tide_object *object,
                     struct tide_strbuf *cycle);

/* Owner: takes the edge back; no edge is fine. */
void tide_graph_leave(struct tide_task *task);

/* Owner: `task` is (NULL: no longer) buried under `above` on their worker's C stack. TIDE_EDEADLK as above: nothing changed. */
int tide_graph_bury(struct tide_task *task, struct tide_task *above, struct tide_strbuf *cycle);

/* Nothing runs any more: appends what `task` waits for, "the result of 'fetch (x.lua:3)', held by task 7"; "" if unknown. */
void tide_graph_describe(struct tide_task *task, struct tide_strbuf *out);

#endif
