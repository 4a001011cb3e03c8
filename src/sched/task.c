#include "sched/task.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "sched/graph.h"
#include "sched/runtime.h"
#include "sched/wait.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static void deliver_task(struct tide_mail *mail, struct tide_worker *worker)
{
    tide_worker_ready(worker, tide_container(mail, struct tide_task, mail));
}

struct tide_task *tide_task_new(struct tide_worker *worker, struct lua_State *L)
{
    assert(tide_on_worker(worker));
    struct tide_list *link = tide_list_pop(&worker->free_tasks);
    struct tide_task *task = link ? tide_container(link, struct tide_task, live) : tide_calloc(1, sizeof *task);
    if (!task)
        return NULL;
    if (!link) /* never again: others may look at it through a stale pointer */
        task->worker = worker;
    uint32_t id = atomic_fetch_add_explicit(&worker->runtime->next_task_id, 1, memory_order_relaxed) + 1;
    memset(&task->mail, 0, sizeof *task - offsetof(struct tide_task, mail));
    task->mail.deliver = deliver_task;
    task->L = task->inner = L;
    task->id = id;
    task->timer.kind = TIDE_TIMER_WAIT;
    task->grace.kind = TIDE_TIMER_GRACE;
    task->root.task = task;
    task->root.deadline = TIDE_NEVER;
    task->scope = &task->root;
    tide_list_init(&task->held);
    tide_list_init(&task->keys);
    tide_list_append(&worker->live, &task->live);
    atomic_store_explicit(&worker->live_count, atomic_load_explicit(&worker->live_count, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    return task;
}

void tide_task_free(struct tide_task *task)
{
    struct tide_worker *worker = task->worker;
    assert(tide_on_worker(worker));
    assert(tide_wait_state(atomic_load(&task->wait)) == TIDE_WAIT_IDLE && !tide_list_linked(&task->waiter.link));
    assert(tide_list_empty(&task->held) && tide_list_empty(&task->keys));
    tide_cancel_close_all(task);
    tide_worker_timer_remove(worker, &task->timer);
    tide_worker_timer_remove(worker, &task->grace);
    if (task->edge.class || task->above)
        tide_graph_leave(task);
    tide_list_remove(&task->live);
    task->L = task->inner = NULL;
    tide_list_prepend(&worker->free_tasks, &task->live);
    atomic_store_explicit(&worker->live_count, atomic_load_explicit(&worker->live_count, memory_order_relaxed) - 1,
                          memory_order_relaxed);
}

const char *tide_task_name(struct tide_task *task)
{
    static _Thread_local char text[32];
    const char *name = task->name ? task->name(task) : NULL;
    if (name)
        return name;
    if (task->flags & TIDE_TASK_MAIN)
        return "main";
    snprintf(text, sizeof text, "task %u", task->id);
    return text;
}
