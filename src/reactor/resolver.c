#include "reactor/resolver.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/fifo.h"
#include "base/map.h"
#include "base/strbuf.h"
#include "base/thread.h"
#include "base/time.h"
#include "reactor/reactor.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { THREADS = 32, STACK = 256 * 1024, KEPT_S = 60, REFUSED_S = 5 };

/* A call of getaddrinfo, alone on its thread: it belongs to that until it has been posted. */
struct lookup {
    struct tide_mail mail;
    struct name *name;            /* reactor; NULL once nobody cares */
    char *host;
    struct tide_strbuf addresses; /* the result: empty where it failed */
    char problem[160];
    bool missing;                 /* the name does not exist, says the system */
};

struct name {
    struct tide_map_entry entry;  /* key: the host */
    struct tide_link queued;      /* in `queue` */
    struct tide_list waiters;
    struct lookup *lookup;        /* under way, or NULL */
    char *addresses;              /* NULL: none, and `problem` says why */
    char problem[160];
    int64_t until;                /* how long what is known holds; 0: nothing is known */
    bool waits;                   /* in `queue`, for a thread */
};

/* reactor */
static struct tide_map names;
static struct tide_fifo queue;
static int threads;
static bool stopped;

static void free_name(struct name *name)
{
    tide_map_remove(&names, &name->entry);
    tide_free((char *)(uintptr_t)name->entry.key);
    tide_free(name->addresses);
    tide_free(name);
}

static void free_lookup(struct lookup *lookup)
{
    tide_strbuf_fini(&lookup->addresses);
    tide_free(lookup->host);
    tide_free(lookup);
}

static void tell(struct name *name)
{
    struct tide_list *link;
    while ((link = tide_list_pop(&name->waiters))) {
        struct tide_name_waiter *waiter = tide_container(link, struct tide_name_waiter, link);
        waiter->found(waiter, name->addresses, name->problem);
    }
}

/* ---- on its own thread ---- */

static void add_address(struct tide_strbuf *out, const struct sockaddr *address, socklen_t size)
{
    char text[64];
    if (getnameinfo(address, size, text, sizeof text, NULL, 0, NI_NUMERICHOST) != 0)
        return;
    const char *comma = out->size ? "," : "";
    tide_strbuf_printf(out, address->sa_family == AF_INET6 ? "%s[%s]" : "%s%s", comma, text);
}

static void *look_up(void *arg)
{
    struct lookup *lookup = arg;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *found = NULL;
    int code = getaddrinfo(lookup->host, NULL, &hints, &found);
    for (struct addrinfo *each = found; !code && each; each = each->ai_next)
        add_address(&lookup->addresses, each->ai_addr, each->ai_addrlen);
    if (found)
        freeaddrinfo(found);
    if (lookup->addresses.failed)
        tide_strbuf_clear(&lookup->addresses);
    lookup->missing = code == EAI_NONAME;
    if (code)
        snprintf(lookup->problem, sizeof lookup->problem, "%s", code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
    else if (!lookup->addresses.size)
        snprintf(lookup->problem, sizeof lookup->problem, "it has no address");
    tide_reactor_post_late(&lookup->mail);
    return NULL;
}

/* ---- reactor ---- */

static void begin(struct name *name);

static void begin_next(void)
{
    while (threads < THREADS && !stopped) {
        struct tide_link *link = tide_fifo_pop(&queue);
        if (!link)
            return;
        struct name *name = tide_container(link, struct name, queued);
        name->waits = false;
        if (tide_list_empty(&name->waiters))
            free_name(name);
        else
            begin(name);
    }
}

static void learn(struct name *name, struct lookup *lookup)
{
    name->lookup = NULL;
    tide_free(name->addresses);
    name->addresses = tide_strbuf_detach(&lookup->addresses);
    int kept = name->addresses ? KEPT_S : lookup->missing ? REFUSED_S : 0;
    name->until = tide_reactor_now_ns() + TIDE_MS(kept * 1000);
    memcpy(name->problem, lookup->problem, sizeof name->problem);
    tell(name);
}

static void deliver(struct tide_mail *mail, struct tide_worker *worker)
{
    struct lookup *lookup = tide_container(mail, struct lookup, mail);
    (void)worker;
    threads--;
    if (lookup->name)
        learn(lookup->name, lookup);
    free_lookup(lookup);
    begin_next();
}

static int begin_thread(struct name *name)
{
    pthread_t thread;
    struct lookup *lookup = tide_calloc(1, sizeof *lookup);
    if (!lookup)
        return TIDE_ENOMEM;
    lookup->mail.deliver = deliver;
    lookup->name = name;
    lookup->host = tide_strdup(name->entry.key);
    int failed = lookup->host ? tide_thread_start(&thread, STACK, "look-up", look_up, lookup) : TIDE_ENOMEM;
    if (failed) {
        free_lookup(lookup);
        return failed;
    }
    pthread_detach(thread);
    name->lookup = lookup;
    threads++;
    return 0;
}

static void begin(struct name *name)
{
    int failed = begin_thread(name);
    if (!failed)
        return;
    snprintf(name->problem, sizeof name->problem, "%s", failed == TIDE_ETHREAD ? strerror(errno) : tide_strerror(failed));
    name->until = 0;
    tell(name);
}

static struct name *new_name(const char *host)
{
    struct name *name = tide_calloc(1, sizeof *name);
    char *key = tide_strdup(host);
    if (name && key) {
        name->entry.key = key;
        tide_list_init(&name->waiters);
        if (tide_map_add(&names, &name->entry) == 0)
            return name;
    }
    tide_free(name);
    tide_free(key);
    return NULL;
}

/* RFC 6761, section 6.3: these are the loopback, whatever /etc/hosts or a name server says. */
static bool is_localhost(const char *host)
{
    static const char tail[] = ".localhost";
    size_t size = strlen(host);
    return strcmp(host, tail + 1) == 0 || (size > sizeof tail && strcmp(host + size - (sizeof tail - 1), tail) == 0);
}

int tide_resolver_ask(const char *host, struct tide_name_waiter *waiter)
{
    if (is_localhost(host)) {
        waiter->found(waiter, "127.0.0.1,[::1]", "");
        return 0;
    }
    struct tide_map_entry *entry = tide_map_find(&names, host);
    struct name *name = entry ? tide_container(entry, struct name, entry) : new_name(host);
    if (!name)
        return TIDE_ENOMEM;
    bool idle = !name->lookup && !name->waits;
    if (idle && tide_reactor_now_ns() < name->until) {
        waiter->found(waiter, name->addresses, name->problem);
        return 0;
    }
    tide_list_append(&name->waiters, &waiter->link);
    if (idle) {
        name->waits = true;
        tide_fifo_push(&queue, &name->queued);
        begin_next();
    }
    return 0;
}

void tide_resolver_leave(struct tide_name_waiter *waiter)
{
    tide_list_remove(&waiter->link);
}

void tide_resolver_sweep(int64_t now)
{
    struct tide_map_entry *entry = tide_map_next(&names, NULL), *next;
    for (; entry; entry = next) {
        struct name *name = tide_container(entry, struct name, entry);
        next = tide_map_next(&names, entry);
        if (!name->lookup && !name->waits && now >= name->until)
            free_name(name);
    }
}

void tide_resolver_stop(void)
{
    struct tide_map_entry *entry;
    stopped = true;
    while ((entry = tide_map_next(&names, NULL))) {
        struct name *name = tide_container(entry, struct name, entry);
        if (name->lookup)
            name->lookup->name = NULL;
        free_name(name);
    }
    tide_map_fini(&names);
}
