#include "unit.h"

#include "base/error.h"
#include "base/time.h"
#include "fake_worker.h"
#include "sched/graph.h"

#include <stdio.h>

enum { LONG = 70, ROUNDS = 2000 };

/* Something to wait for that one task has to act on. */
struct thing {
    struct tide_object object;
    struct tide_task *owner;
    struct tide_task *restless; /* waits anew whenever the graph looks */
    const char *name;
};

static struct tide_worker worker;
static struct tide_task *a, *b, *c;
static struct thing of_a, of_b, of_c;
static struct tide_strbuf text;

static struct tide_task *thing_owner(struct tide_object *object)
{
    struct thing *thing = tide_container(object, struct thing, object);
    if (thing->restless) {
        tide_wait_abandon(thing->restless);
        tide_wait_begin(thing->restless);
    }
    return thing->owner;
}

static void thing_describe(struct tide_object *object, struct tide_strbuf *out)
{
    tide_strbuf_printf(out, "'%s'", tide_container(object, struct thing, object)->name);
}

static const struct tide_edge_class results = {"the result of", thing_owner, thing_describe};

static const char *name_of(struct tide_task *task)
{
    return task->kind;
}

static struct tide_task *named(const char *name, struct thing *thing)
{
    struct tide_task *task = fake_task();
    task->name = name_of;
    task->kind = name;
    *thing = (struct thing){.owner = task, .name = name};
    return task;
}

static int setup(void **state)
{
    fake_worker_open(&worker);
    a = named("a", &of_a);
    b = named("b", &of_b);
    c = named("c", &of_c);
    return 0;
}

static void settle(struct tide_task *task)
{
    tide_graph_leave(task);
    tide_graph_bury(task, NULL, NULL);
    tide_wait_abandon(task);
    tide_task_free(task);
}

static int teardown(void **state)
{
    settle(a);
    settle(b);
    settle(c);
    fake_worker_close(&worker);
    tide_strbuf_fini(&text);
    return 0;
}

static int wait_for(struct tide_task *task, struct thing *thing)
{
    tide_strbuf_clear(&text);
    tide_wait_begin(task);
    return tide_graph_enter(task, &results, &thing->object, &text);
}

static bool has_edge(struct tide_task *task)
{
    return task->edge.class != NULL;
}

/* ---- cycles ---- */

static void a_task_may_not_wait_for_itself(void **state)
{
    assert_int_equal(wait_for(a, &of_a), TIDE_EDEADLK);
    assert_string_equal(tide_strbuf_text(&text), "'a' waits for the result of 'a', which is 'a' itself");
    assert_false(has_edge(a));
}

static void two_may_not_wait_for_each_other(void **state)
{
    assert_int_equal(wait_for(a, &of_b), 0);
    assert_int_equal(text.size, 0);
    assert_int_equal(wait_for(b, &of_a), TIDE_EDEADLK);
    assert_string_equal(tide_strbuf_text(&text),
                        "'b' waits for the result of 'a', which waits for the result of 'b', which is 'b' itself");
    assert_true(has_edge(a)); /* only the one that closed the circle is refused */
    assert_false(has_edge(b));
}

static void three_may_not_wait_in_a_circle(void **state)
{
    assert_int_equal(wait_for(a, &of_b), 0);
    assert_int_equal(wait_for(b, &of_c), 0);
    assert_int_equal(wait_for(c, &of_a), TIDE_EDEADLK);
    assert_string_equal(tide_strbuf_text(&text), "'c' waits for the result of 'a', which waits for the result of 'b', which "
                                                 "waits for the result of 'c', which is 'c' itself");
    assert_true(has_edge(a) && has_edge(b));
    assert_false(has_edge(c));
}

static void a_chain_is_no_circle(void **state)
{
    assert_int_equal(wait_for(b, &of_c), 0);
    assert_int_equal(wait_for(a, &of_b), 0);
    struct tide_task *d = fake_task();
    assert_int_equal(wait_for(d, &of_b), 0); /* two wait for one */
    settle(d);
}

static void who_left_closes_no_circle(void **state)
{
    assert_int_equal(wait_for(a, &of_b), 0);
    tide_graph_leave(a);
    assert_int_equal(wait_for(b, &of_a), 0);
}

static void end_of_a_wait_leaves_the_graph(void **state)
{
    assert_int_equal(wait_for(a, &of_b), 0);
    assert_true(tide_wait_expire(a));
    assert_int_equal(tide_wait_end(a), TIDE_WAIT_TIMED_OUT);
    assert_false(has_edge(a));
}

static void something_that_nobody_has_to_do_closes_no_circle(void **state)
{
    of_a.owner = NULL;
    assert_int_equal(wait_for(a, &of_b), 0);
    assert_int_equal(wait_for(b, &of_a), 0);
}

static void a_circle_elsewhere_is_not_ours(void **state)
{
    assert_int_equal(wait_for(a, &of_b), 0);
    tide_wait_begin(b);
    b->edge = (struct tide_edge){&results, &of_a.object}; /* as it stands before b has taken it back */
    assert_int_equal(wait_for(c, &of_a), 0);
}

static void a_circle_that_is_too_long_is_let_pass(void **state)
{
    struct tide_task *tasks[LONG];
    static struct thing things[LONG];
    for (int i = 0; i < LONG; i++)
        tasks[i] = named("link", &things[i]);
    for (int i = 0; i < LONG; i++)
        assert_int_equal(wait_for(tasks[i], &things[(i + 1) % LONG]), 0);
    assert_int_equal(text.size, 0);
    tide_graph_leave(tasks[LONG - 1]);
    assert_true(tide_wait_abandon(tasks[LONG - 1]));
    things[LONG - 2].owner = tasks[LONG - 1];
    assert_int_equal(wait_for(tasks[LONG - 1], &things[LONG / 2]), TIDE_EDEADLK); /* a shorter one is found */
    for (int i = 0; i < LONG; i++)
        settle(tasks[i]);
}

/* ---- no false alarm ---- */

static void a_wait_that_was_decided_closes_no_circle(void **state)
{
    assert_int_equal(wait_for(a, &of_b), 0);
    assert_true(tide_wait_interrupt_own(a)); /* it has not looked yet */
    assert_int_equal(wait_for(b, &of_a), 0);
    assert_int_equal(tide_wait_end(a), TIDE_WAIT_INTERRUPTED);
}

static void a_wait_number_that_changes_in_between_is_no_circle(void **state)
{
    assert_int_equal(wait_for(a, &of_b), 0);
    of_b.restless = a;
    assert_int_equal(wait_for(b, &of_a), 0);
    of_b.restless = NULL;
    tide_graph_leave(b);
    assert_true(tide_wait_abandon(b));
    assert_int_equal(wait_for(b, &of_a), TIDE_EDEADLK);
}

/* ---- buried tasks ---- */

static void who_is_buried_waits_for_the_one_above(void **state)
{
    assert_int_equal(tide_graph_bury(a, b, &text), 0); /* and a has no edge of its own: it waits for an event */
    assert_int_equal(wait_for(b, &of_a), TIDE_EDEADLK);
    assert_string_equal(tide_strbuf_text(&text),
                        "'b' waits for the result of 'a', which waits for 'b' above it on its worker's stack, which is "
                        "'b' itself");
}

static void nobody_is_buried_under_a_task_that_waits_for_it(void **state)
{
    assert_int_equal(wait_for(b, &of_a), 0);
    assert_int_equal(tide_graph_bury(a, b, &text), TIDE_EDEADLK);
    assert_string_equal(tide_strbuf_text(&text),
                        "'a' waits for 'b' above it on its worker's stack, which waits for the result of 'a', which is "
                        "'a' itself");
    assert_null(a->above);
    tide_graph_leave(b);
    assert_int_equal(tide_graph_bury(a, b, &text), 0);
    assert_ptr_equal(a->above, b);
}

static void a_task_has_two_ways_out(void **state)
{
    assert_int_equal(wait_for(a, &of_c), 0); /* its wait leads nowhere, */
    assert_int_equal(tide_graph_bury(a, b, &text), 0);
    assert_int_equal(wait_for(b, &of_a), TIDE_EDEADLK); /* but its place on the stack does */
    assert_true(has_edge(a));
    assert_ptr_equal(a->above, b);
}

static void who_has_risen_closes_no_circle(void **state)
{
    assert_int_equal(tide_graph_bury(a, b, &text), 0);
    assert_int_equal(tide_graph_bury(a, NULL, &text), 0);
    assert_int_equal(wait_for(b, &of_a), 0);
}

/* ---- reports ---- */

static const char *described(struct tide_task *task)
{
    tide_strbuf_clear(&text);
    tide_graph_describe(task, &text);
    return text.size ? tide_strbuf_text(&text) : "";
}

static void describe_tells_what_a_task_waits_for(void **state)
{
    char expected[128];
    assert_string_equal(described(a), "");
    a->waits_for = "an event";
    assert_string_equal(described(a), "an event");
    assert_int_equal(wait_for(a, &of_b), 0);
    snprintf(expected, sizeof expected, "the result of 'b', which task %u has to complete", (unsigned)b->id);
    assert_string_equal(described(a), expected); /* the edge says more */
    of_b.owner = NULL;
    assert_string_equal(described(a), "the result of 'b'");
}

static void describe_tells_under_whom_a_task_is_buried(void **state)
{
    assert_int_equal(tide_graph_bury(a, b, &text), 0);
    assert_string_equal(described(a), "below 'b' on its worker's stack");
    a->waits_for = "an event";
    assert_string_equal(described(a), "an event, below 'b' on its worker's stack");
}

/* ---- two threads that close a circle at once ----
 * Each has a task; in each round both wait for the other's. Whoever comes second is refused, and nobody else. */

static pthread_barrier_t barrier;
static struct thing sides[2];
static int refused[2];

static void *wait_for_the_other(void *arg)
{
    int me = (int)(intptr_t)arg;
    struct tide_worker own;
    struct tide_strbuf cycle = {0};
    fake_worker_open(&own);
    struct tide_task *task = named(me ? "right" : "left", &sides[me]);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&barrier);
        tide_wait_begin(task);
        refused[me] += tide_graph_enter(task, &results, &sides[!me].object, &cycle) == TIDE_EDEADLK;
        pthread_barrier_wait(&barrier);
        tide_graph_leave(task);
        tide_wait_abandon(task);
    }
    pthread_barrier_wait(&barrier);
    tide_task_free(task);
    fake_worker_close(&own);
    tide_strbuf_fini(&cycle);
    return NULL;
}

static void the_second_of_two_threads_is_refused(void **state)
{
    pthread_t threads[2];
    pthread_barrier_init(&barrier, NULL, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(tide_thread_start(&threads[i], 0, "side", wait_for_the_other, (void *)(intptr_t)i), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
    print_message("refused %d and %d times\n", refused[0], refused[1]);
    assert_int_equal(refused[0] + refused[1], ROUNDS);
}

#define GRAPH_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GRAPH_TEST(a_task_may_not_wait_for_itself),
        GRAPH_TEST(two_may_not_wait_for_each_other),
        GRAPH_TEST(three_may_not_wait_in_a_circle),
        GRAPH_TEST(a_chain_is_no_circle),
        GRAPH_TEST(who_left_closes_no_circle),
        GRAPH_TEST(end_of_a_wait_leaves_the_graph),
        GRAPH_TEST(something_that_nobody_has_to_do_closes_no_circle),
        GRAPH_TEST(a_circle_elsewhere_is_not_ours),
        GRAPH_TEST(a_circle_that_is_too_long_is_let_pass),
        GRAPH_TEST(a_wait_that_was_decided_closes_no_circle),
        GRAPH_TEST(a_wait_number_that_changes_in_between_is_no_circle),
        GRAPH_TEST(who_is_buried_waits_for_the_one_above),
        GRAPH_TEST(nobody_is_buried_under_a_task_that_waits_for_it),
        GRAPH_TEST(a_task_has_two_ways_out),
        GRAPH_TEST(who_has_risen_closes_no_circle),
        GRAPH_TEST(describe_tells_what_a_task_waits_for),
        GRAPH_TEST(describe_tells_under_whom_a_task_is_buried),
        GRAPH_TEST(the_second_of_two_threads_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
