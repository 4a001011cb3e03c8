#include "sched/graph.h"

#include "base/error.h"
#include "base/thread.h"
#include "sched/wait.h"

enum { MAX_PATH = 64 };

static struct tide_mutex graph_lock;

/* One walk: the path from the task that asks, with the wait number of each task on it. */
struct path {
    struct tide_task *task[MAX_PATH];
    uint64_t number[MAX_PATH];
    int length;
};

static uint64_t number_of(struct tide_task *task)
{
    return tide_wait_number(atomic_load(&task->wait));
}

static bool waits(struct tide_task *task)
{
    enum tide_wait_state state = tide_wait_state(atomic_load(&task->wait));
    return state == TIDE_WAIT_ARMED;
}

/* Depth first from `task`; true if `goal` is reached. Out-degree is two at most: the edge of its wait and the task that buries
 * it. A path longer than MAX_PATH is given up: no false alarm comes of it, and total deadlock is still found. */
static bool reaches(struct tide_task *task, struct tide_task *goal, struct path *path)
{
    if (!task || path->length == MAX_PATH)
        return false;
    for (int i = 0; i < path->length; i++)
        if (path->task[i] == task)
            return task == goal && path->length > 0 && i == 0;
    path->task[path->length] = task;
    path->number[path->length] = number_of(task);
    path->length++;
    if (task->edge.class && (task == goal || waits(task)) &&
        reaches(task->edge.class->owner(task->edge.object), goal, path))
        return true;
    if (task->above && reaches(task->above, goal, path))
        return true;
    path->length--;
    return false;
}

static bool same(const struct path *a, const struct path *b)
{
    if (a->length != b->length)
        return false;
    for (int i = 0; i < a->length; i++)
        if (a->task[i] != b->task[i] || a->number[i] != b->number[i])
            return false;
    return true;
}

/* True if a cycle through `task` stands, seen twice. */
static bool cycle_through(struct tide_task *task, struct path *path)
{
    struct path again = {.length = 0};
    path->length = 0;
    return reaches(task, task, path) && reaches(task, task, &again) && same(path, &again);
}

static void describe_wait(struct tide_task *task, struct tide_strbuf *out)
{
    if (!task->edge.class)
        return;
    tide_strbuf_printf(out, "%s ", task->edge.class->relation);
    task->edge.class->describe(task->edge.object, out);
}

static void describe_cycle(const struct path *path, struct tide_strbuf *out)
{
    for (int i = 0; i < path->length; i++) {
        struct tide_task *task = path->task[i];
        struct tide_task *next = path->task[(i + 1) % path->length];
        tide_strbuf_printf(out, i ? ", which waits for " : "'%s' waits for ", tide_task_name(task));
        if (task->edge.class && task->edge.class->owner(task->edge.object) == next)
            describe_wait(task, out);
        else
            tide_strbuf_printf(out, "'%s' above it on its worker's stack", tide_task_name(next));
    }
    tide_strbuf_printf(out, ", which is '%s' itself", tide_task_name(path->task[0]));
}

int tide_graph_enter(struct tide_task *task, const struct tide_edge_class *class, struct tide_object *object,
                     struct tide_strbuf *cycle)
{
    struct path path;
    int result = 0;
    tide_mutex_lock(&graph_lock);
    task->edge = (struct tide_edge){class, object};
    if (cycle_through(task, &path)) {
        describe_cycle(&path, cycle);
        task->edge = (struct tide_edge){0};
        result = TIDE_EDEADLK;
    }
    tide_mutex_unlock(&graph_lock);
    return result;
}

void tide_graph_leave(struct tide_task *task)
{
    tide_mutex_lock(&graph_lock);
    task->edge = (struct tide_edge){0};
    tide_mutex_unlock(&graph_lock);
}

int tide_graph_bury(struct tide_task *task, struct tide_task *above, struct tide_strbuf *cycle)
{
    struct path path;
    int result = 0;
    tide_mutex_lock(&graph_lock);
    struct tide_task *before = task->above;
    task->above = above;
    if (above && cycle_through(task, &path)) {
        describe_cycle(&path, cycle);
        task->above = before;
        result = TIDE_EDEADLK;
    }
    tide_mutex_unlock(&graph_lock);
    return result;
}

void tide_graph_describe(struct tide_task *task, struct tide_strbuf *out)
{
    tide_mutex_lock(&graph_lock);
    describe_wait(task, out);
    if (!task->edge.class && task->waits_for)
        tide_strbuf_puts(out, task->waits_for);
    struct tide_task *owner = task->edge.class ? task->edge.class->owner(task->edge.object) : NULL;
    if (owner)
        tide_strbuf_printf(out, ", which task %u has to %s", owner->id,
                           task->edge.class->deed ? task->edge.class->deed : "complete");
    if (task->above)
        tide_strbuf_printf(out, "%sbelow '%s' on its worker's stack", out->size ? ", " : "", tide_task_name(task->above));
    tide_mutex_unlock(&graph_lock);
}
