#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "exec/group.h"
#include "fake_worker.h"

#include <sched.h>

static struct tide_group *group;

static void start_never(struct tide_entry *entry, struct tide_worker *w)
{
    (void)entry;
    (void)w;
}

static int setup(void **state)
{
    fake_runtime_open(1, true);
    group = tide_group_new();
    return group ? 0 : -1;
}

static int teardown(void **state)
{
    tide_object_unref(&group->owner.object);
    fake_runtime_close();
    return 0;
}

static struct tide_future *added(void)
{
    struct tide_future *child = tide_future_new(start_never);
    assert_int_equal(tide_group_add(group, child), 0);
    return child;
}

/* Plays the worker that takes the next entry: NULL if it was cancelled. */
static struct tide_future *start_next(void)
{
    struct tide_entry *entry = fake_pop();
    assert_non_null(entry);
    struct tide_future *child = tide_container(entry, struct tide_future, entry);
    struct tide_task *task = fake_task();
    if (tide_future_begin(child, task) == 0)
        return child;
    tide_task_free(task);
    tide_future_unref(child);
    return NULL;
}

static void end(struct tide_future *child, enum tide_future_state how)
{
    struct tide_task *task = tide_future_task(child);
    tide_future_finish(child, how, NULL, NULL);
    tide_task_free(task);
    tide_future_unref(child);
}

static void a_child_that_ends_well_is_forgotten(void **state)
{
    struct tide_future *child = added();
    assert_int_equal(tide_group_outstanding(group), 1);
    assert_int_equal(atomic_load(&group->owner.object.refs), 2);
    assert_ptr_equal(start_next(), child);
    end(child, TIDE_FUTURE_DONE);
    assert_int_equal(tide_group_outstanding(group), 0);
    assert_int_equal(atomic_load(&group->owner.object.refs), 1);
    assert_int_equal(atomic_load(&child->object.refs), 1);
    assert_null(tide_group_failure(group, NULL));
    tide_future_unref(child);
}

static void the_first_failure_cancels_the_siblings(void **state)
{
    struct tide_future *failing = added(), *running = added(), *pending = added(), *late = tide_future_new(start_never);
    start_next();
    start_next();
    end(failing, TIDE_FUTURE_FAILED);
    assert_int_equal(tide_future_state(pending), TIDE_FUTURE_CANCELLED);
    assert_int_equal(tide_future_state(running), TIDE_FUTURE_RUNNING);
    assert_int_equal(atomic_load(&tide_future_task(running)->root.reason), TIDE_CANCEL_SIBLING);
    assert_int_equal(tide_group_add(group, late), TIDE_ESHUTDOWN);
    assert_int_equal(tide_group_outstanding(group), 1);
    assert_null(start_next());
    end(running, TIDE_FUTURE_CANCELLED);
    assert_int_equal(tide_group_outstanding(group), 0);
    assert_ptr_equal(tide_group_failure(group, NULL), failing);
    assert_null(tide_group_failure(group, failing));
    tide_future_unref(failing);
    tide_future_unref(running);
    tide_future_unref(pending);
    tide_future_unref(late);
}

static void failures_stay_in_the_order_they_came(void **state)
{
    struct tide_future *children[3];
    for (int i = 0; i < 3; i++)
        children[i] = added();
    for (int i = 0; i < 3; i++)
        start_next();
    end(children[2], TIDE_FUTURE_FAILED);
    end(children[0], TIDE_FUTURE_CANCELLED); /* no failure */
    end(children[1], TIDE_FUTURE_FAILED);    /* failed while it unwound */
    struct tide_future *first = tide_group_failure(group, NULL), *second = tide_group_failure(group, first);
    assert_ptr_equal(first, children[2]);
    assert_ptr_equal(second, children[1]);
    assert_null(tide_group_failure(group, second));
    assert_int_equal(group->failure_count, 2);
    for (int i = 0; i < 3; i++)
        tide_future_unref(children[i]);
}

static void a_failure_interrupts_the_owner_inside(void **state)
{
    struct tide_task *owner = fake_task();
    struct tide_future *child = added();
    assert_int_equal(tide_group_open(group, owner, TIDE_NEVER), 0);
    tide_wait_begin(owner);
    assert_int_equal(tide_wait_commit(owner, TIDE_NEVER), 1);
    start_next();
    end(child, TIDE_FUTURE_FAILED);
    fake_take_mail();
    assert_ptr_equal(fake_ready(), owner);
    assert_int_equal(tide_wait_end(owner), TIDE_WAIT_INTERRUPTED);
    assert_ptr_equal(tide_cancel_due(owner), &group->scope);
    tide_group_close(group);
    assert_null(tide_cancel_due(owner));
    tide_task_free(owner);
    tide_future_unref(child);
}

static void a_failure_does_not_interrupt_the_owner_outside(void **state)
{
    struct tide_task *owner = fake_task();
    struct tide_future *child = added();
    assert_int_equal(tide_group_open(group, owner, TIDE_NEVER), 0);
    tide_group_close(group);
    tide_wait_begin(owner);
    assert_int_equal(tide_group_enqueue(group, &owner->waiter, owner), 0);
    assert_int_equal(tide_wait_commit(owner, TIDE_NEVER), 1);
    start_next();
    end(child, TIDE_FUTURE_FAILED);
    fake_take_mail();
    assert_ptr_equal(fake_ready(), owner);
    assert_int_equal(tide_wait_end(owner), TIDE_WAIT_WOKEN); /* it was the last */
    tide_group_leave(group, &owner->waiter);
    tide_task_free(owner);
    tide_future_unref(child);
}

static void a_scope_that_opens_after_a_failure_is_cancelled(void **state)
{
    struct tide_task *owner = fake_task();
    struct tide_future *child = added();
    start_next();
    end(child, TIDE_FUTURE_FAILED);
    assert_int_equal(tide_group_open(group, owner, TIDE_NEVER), 0);
    assert_ptr_equal(tide_cancel_due(owner), &group->scope);
    tide_group_close(group);
    tide_task_free(owner);
    tide_future_unref(child);
}

static void cancelling_the_group_cancels_the_children(void **state)
{
    struct tide_future *running = added(), *pending = added();
    start_next();
    tide_group_cancel(group);
    tide_group_cancel(group);
    assert_int_equal(tide_future_state(pending), TIDE_FUTURE_CANCELLED);
    assert_true(atomic_load(&running->marks) & TIDE_FUTURE_ASKED);
    end(running, TIDE_FUTURE_CANCELLED);
    assert_null(start_next());
    assert_null(tide_group_failure(group, NULL));
    tide_future_unref(running);
    tide_future_unref(pending);
}

static int told;

static void tell(struct tide_future *future)
{
    (void)future;
    told++;
}

static void failures_of_children_count_as_asked(void **state)
{
    told = 0;
    tide_future_unobserved = tell;
    tide_future_unref(added());
    end(start_next(), TIDE_FUTURE_FAILED);
    tide_object_unref(&group->owner.object);
    tide_future_unobserved = NULL;
    assert_int_equal(told, 0);
    group = tide_group_new(); /* for the fixture */
}

static void new_fails_without_memory(void **state)
{
    tide_alloc_fail_after(0);
    struct tide_group *none = tide_group_new();
    tide_alloc_fail_after(-1);
    assert_null(none);
}

/* ---- with real workers: children that spawn, fail, and are cancelled at the same time ---- */

enum { ROUNDS = 300, CHILDREN = 60, MANY = 200000 };

struct child {
    struct tide_future future;
    struct tide_group *group;
    uint32_t seed;
    int depth;
};

static _Atomic long children_alive, ran;

static void destroy_child(struct tide_object *object)
{
    struct child *child = tide_container(object, struct child, future.object);
    tide_future_fini(&child->future);
    tide_free(child);
    children_alive--;
}

static const struct tide_class child_class = {"child", destroy_child};

static int spawn(struct tide_group *g, uint32_t seed, int depth);

static enum tide_future_state live(struct child *child)
{
    ran++;
    uint32_t dice = fake_random(&child->seed) % 64;
    if (child->depth < 2 && dice < 16)
        spawn(child->group, fake_random(&child->seed) | 1, child->depth + 1);
    return dice == 63 ? TIDE_FUTURE_FAILED : TIDE_FUTURE_DONE;
}

static void start_child(struct tide_entry *entry, struct tide_worker *w)
{
    struct child *child = tide_container(entry, struct child, future.entry);
    struct tide_task *task = fake_task();
    (void)w;
    if (tide_future_begin(&child->future, task) == 0)
        tide_future_finish(&child->future, child->depth < 0 ? TIDE_FUTURE_DONE : live(child), NULL, NULL);
    tide_task_free(task);
    tide_future_unref(&child->future);
}

static int spawn(struct tide_group *g, uint32_t seed, int depth)
{
    struct child *child = tide_calloc(1, sizeof *child);
    tide_future_init(&child->future, &child_class, start_child);
    child->group = g;
    child->seed = seed;
    child->depth = depth;
    children_alive++;
    int code = tide_group_add(g, &child->future);
    tide_future_unref(&child->future);
    return code;
}

static void wait_for_all(struct tide_group *g, struct tide_task *task)
{
    tide_wait_begin(task);
    if (tide_group_enqueue(g, &task->waiter, task) == 0)
        assert_int_equal(fake_wait(task, TIDE_NEVER), TIDE_WAIT_WOKEN);
    else
        assert_true(tide_wait_abandon(task));
    tide_group_leave(g, &task->waiter);
}

/* What stands cancelled in the queue goes last. */
static void wait_for_none_alive(void)
{
    while (children_alive)
        sched_yield();
}

static void scope_round(uint32_t *seed)
{
    struct tide_group *g = tide_group_new();
    struct tide_task *task = fake_task();
    assert_int_equal(tide_group_open(g, task, TIDE_NEVER), 0);
    for (int i = 0; i < CHILDREN && spawn(g, fake_random(seed) | 1, 0) == 0; i++)
        ;
    if (fake_random(seed) % 8 == 0)
        tide_group_cancel(g);
    tide_group_close(g);
    wait_for_all(g, task);
    assert_int_equal(tide_group_outstanding(g), 0);
    assert_true((g->failure_count == 0) == (tide_group_failure(g, NULL) == NULL));
    tide_task_free(task);
    tide_object_unref(&g->owner.object);
}

static void nothing_outlives_its_scope(void **state)
{
    uint32_t seed = fake_seed();
    fake_runtime_open(3, false);
    ran = 0;
    for (int i = 0; i < ROUNDS; i++)
        scope_round(&seed);
    wait_for_none_alive();
    print_message("%ld children ran\n", ran);
    fake_runtime_close();
}

static void many_children_are_cheap(void **state)
{
    fake_runtime_open(2, false);
    struct tide_group *g = tide_group_new();
    struct tide_task *task = fake_task();
    int64_t begin = tide_now_ns();
    for (int i = 0; i < MANY; i++)
        assert_int_equal(spawn(g, 1, -1), 0);
    wait_for_all(g, task);
    print_message("%.0f ns a child\n", (double)(tide_now_ns() - begin) / MANY);
    wait_for_none_alive();
    tide_task_free(task);
    tide_object_unref(&g->owner.object);
    fake_runtime_close();
}

#define BY_HAND(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BY_HAND(a_child_that_ends_well_is_forgotten),
        BY_HAND(the_first_failure_cancels_the_siblings),
        BY_HAND(failures_stay_in_the_order_they_came),
        BY_HAND(a_failure_interrupts_the_owner_inside),
        BY_HAND(a_failure_does_not_interrupt_the_owner_outside),
        BY_HAND(a_scope_that_opens_after_a_failure_is_cancelled),
        BY_HAND(cancelling_the_group_cancels_the_children),
        BY_HAND(failures_of_children_count_as_asked),
        BY_HAND(new_fails_without_memory),
        cmocka_unit_test(nothing_outlives_its_scope),
        cmocka_unit_test(many_children_are_cheap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
