#include "sync/holder.h"

#include "base/thread.h"

static struct tide_mutex lock;
static struct tide_list all = {&all, &all};

void tide_holder_init(struct tide_holder *holder, const struct tide_class *class, void (*empty)(struct tide_holder *))
{
    tide_object_init(&holder->object, class);
    holder->empty = empty;
    tide_mutex_lock(&lock);
    tide_list_append(&all, &holder->link);
    tide_mutex_unlock(&lock);
}

void tide_holder_fini(struct tide_holder *holder)
{
    tide_mutex_lock(&lock);
    tide_list_remove(&holder->link);
    tide_mutex_unlock(&lock);
}

void tide_holder_end(struct tide_holder *holder, void (*release)(struct tide_holder *))
{
    static _Thread_local struct tide_list ending; /* while the call at the bottom of this thread's stack works it off */
    struct tide_list *link;
    bool outermost = !tide_list_linked(&ending);
    tide_holder_fini(holder);
    holder->empty = release;
    if (outermost)
        tide_list_init(&ending);
    tide_list_append(&ending, &holder->link);
    if (!outermost)
        return;
    while ((link = tide_list_pop(&ending)) != NULL) {
        struct tide_holder *next = tide_container(link, struct tide_holder, link);
        next->empty(next);
    }
    ending = (struct tide_list){0};
}

void tide_holders_empty(void)
{
    struct tide_list left;
    tide_list_init(&left);
    tide_mutex_lock(&lock);
    struct tide_list *link;
    while ((link = tide_list_pop(&all)) != NULL) {
        tide_object_ref(&tide_container(link, struct tide_holder, link)->object); /* so that emptying one destroys no other */
        tide_list_append(&left, link);
    }
    tide_mutex_unlock(&lock);
    tide_list_each (each, &left) {
        struct tide_holder *holder = tide_container(each, struct tide_holder, link);
        holder->empty(holder);
    }
    while ((link = tide_list_pop(&left)) != NULL)
        tide_object_unref(&tide_container(link, struct tide_holder, link)->object);
}
