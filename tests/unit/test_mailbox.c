#include "unit.h"

#include "base/list.h"
#include "base/thread.h"
#include "sched/mailbox.h"

#include <sched.h>

enum { THREADS = 3, LETTERS = 20000 };

struct letter {
    struct tide_mail mail;
    int sender, number;
};

static struct tide_mailbox box;
static struct letter letters[THREADS][LETTERS];

static struct letter *letter_of(struct tide_link *link)
{
    return tide_container(link, struct letter, mail.link);
}

static void an_empty_box_gives_nothing(void **state)
{
    assert_true(tide_mailbox_empty(&box));
    assert_null(tide_mailbox_take(&box));
}

static void mail_is_taken_in_the_order_it_came(void **state)
{
    for (int i = 0; i < 5; i++) {
        letters[0][i].number = i;
        tide_mailbox_push(&box, &letters[0][i].mail);
    }
    assert_false(tide_mailbox_empty(&box));
    struct tide_link *link = tide_mailbox_take(&box);
    for (int i = 0; i < 5; i++, link = link->next)
        assert_int_equal(letter_of(link)->number, i);
    assert_null(link);
}

static void take_empties_the_box_and_leaves_it_usable(void **state)
{
    tide_mailbox_push(&box, &letters[0][0].mail);
    assert_ptr_equal(tide_mailbox_take(&box), &letters[0][0].mail.link);
    assert_true(tide_mailbox_empty(&box));
    tide_mailbox_push(&box, &letters[0][1].mail);
    tide_mailbox_push(&box, &letters[0][0].mail); /* delivered mail may be sent again */
    struct tide_link *link = tide_mailbox_take(&box);
    assert_ptr_equal(link, &letters[0][1].mail.link);
    assert_ptr_equal(link->next, &letters[0][0].mail.link);
    assert_null(link->next->next);
}

static void *send_all(void *arg)
{
    struct letter *mine = arg;
    for (int i = 0; i < LETTERS; i++) {
        tide_mailbox_push(&box, &mine[i].mail);
        if (i % 64 == 0)
            sched_yield();
    }
    return NULL;
}

static void nothing_is_lost_or_overtaken_between_threads(void **state)
{
    pthread_t threads[THREADS];
    int next[THREADS] = {0}, left = THREADS * LETTERS;
    for (int i = 0; i < THREADS; i++)
        for (int j = 0; j < LETTERS; j++)
            letters[i][j] = (struct letter){.sender = i, .number = j};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(tide_thread_start(&threads[i], 0, "send", send_all, letters[i]), 0);
    while (left > 0) {
        struct tide_link *link = tide_mailbox_take(&box);
        if (!link)
            sched_yield();
        for (; link; link = link->next, left--) {
            struct letter *letter = letter_of(link);
            assert_int_equal(letter->number, next[letter->sender]++);
        }
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(tide_mailbox_empty(&box));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_box_gives_nothing),
        cmocka_unit_test(mail_is_taken_in_the_order_it_came),
        cmocka_unit_test(take_empties_the_box_and_leaves_it_usable),
        cmocka_unit_test(nothing_is_lost_or_overtaken_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
