#include "fake_names.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int count, hanging, released; /* protected by lock */

static struct addrinfo *address(int family, struct addrinfo *next)
{
    struct block {
        struct addrinfo info;
        struct sockaddr_storage address;
    } *block = calloc(1, sizeof *block); /* freeaddrinfo frees each element */
    if (!block)
        abort();
    if (family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)&block->address;
        in->sin_family = AF_INET;
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        struct sockaddr_in6 *in = (struct sockaddr_in6 *)&block->address;
        in->sin6_family = AF_INET6;
        in->sin6_addr = in6addr_loopback;
    }
    block->info = (struct addrinfo){
        .ai_family = family,
        .ai_addr = (struct sockaddr *)&block->address,
        .ai_addrlen = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6),
        .ai_next = next,
    };
    return &block->info;
}

static void hang(void)
{
    hanging++;
    pthread_cond_broadcast(&changed);
    while (!released)
        pthread_cond_wait(&changed, &lock);
    hanging--;
}

/* In place of the C library's. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    (void)service;
    (void)hints;
    pthread_mutex_lock(&lock);
    count++;
    if (strncmp(node, "hang", 4) == 0)
        hang();
    pthread_mutex_unlock(&lock);
    if (strcmp(node, "broken.test") == 0)
        return EAI_AGAIN;
    if (strcmp(node, "fallback.test") == 0) {
        *out = address(AF_INET6, address(AF_INET, NULL));
        return 0;
    }
    if (strncmp(node, "hang", 4) != 0 && strncmp(node, "many-", 5) != 0 && strcmp(node, "ok.test") != 0 &&
        strcmp(node, "two.test") != 0)
        return EAI_NONAME;
    *out = address(AF_INET, strcmp(node, "two.test") == 0 ? address(AF_INET6, NULL) : NULL);
    return 0;
}

int fake_names_count(void)
{
    pthread_mutex_lock(&lock);
    int now = count;
    pthread_mutex_unlock(&lock);
    return now;
}

int fake_names_hanging(void)
{
    pthread_mutex_lock(&lock);
    int now = hanging;
    pthread_mutex_unlock(&lock);
    return now;
}

void fake_names_release(int go_on)
{
    pthread_mutex_lock(&lock);
    released = go_on;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}
