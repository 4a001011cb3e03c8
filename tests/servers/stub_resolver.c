/* stub_resolver.c - look-ups that hang, fail or have several answers, for programs run with LD_PRELOAD.
 *
 *     ok.test         127.0.0.1
 *     slow.test       127.0.0.1 after 0.3 seconds
 *     two.test        127.0.0.2, on which no test listens, then 127.0.0.1
 *     missing.test    EAI_NONAME
 *     temporary.test  EAI_AGAIN
 *     hang.test       never returns; with TIDEMILL_STUB_HANG=SECONDS it is EAI_AGAIN after so long
 *
 * None of them has an IPv6 address. All other names go to the C library. With TIDEMILL_STUB_LOG=FILE each call, of any
 * name, adds a line to it: the name. Both variables are read at each call.
 *
 * A program built with -fsanitize=address says "ASan runtime does not come first in initial library list" and ends,
 * unless ASAN_OPTIONS has verify_asan_link_order=0: with-servers.py --preload adds that. The thread sanitizer has no
 * such check. This library itself is always built without sanitizers.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef int (*lookup_fn)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static const struct stub {
    const char *name;
    const char *addresses[2];
    int error; /* where there is no address */
    double seconds;
} stubs[] = {
    {"ok.test", {"127.0.0.1"}, 0, 0},
    {"slow.test", {"127.0.0.1"}, 0, 0.3},
    {"two.test", {"127.0.0.2", "127.0.0.1"}, 0, 0},
    {"missing.test", {NULL}, EAI_NONAME, 0},
    {"temporary.test", {NULL}, EAI_AGAIN, 0},
    {"hang.test", {NULL}, EAI_AGAIN, -1},
};

static void add_to_log(const char *name)
{
    const char *file = getenv("TIDEMILL_STUB_LOG");
    if (!file)
        return;
    int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return;
    char line[300];
    int length = snprintf(line, sizeof line, "%.290s\n", name);
    if (write(fd, line, (size_t)length) != length) /* one write: lines of several threads do not mix */
        perror("stub_resolver: TIDEMILL_STUB_LOG");
    close(fd);
}

static void wait_for(double seconds)
{
    if (seconds < 0) {
        const char *limit = getenv("TIDEMILL_STUB_HANG");
        seconds = limit ? atof(limit) : -1;
    }
    while (seconds < 0)
        pause();
    struct timespec left = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&left, &left) < 0)
        continue;
}

/* The results come from the C library, which frees them one by one, so that lists may be joined. */
static int numeric(lookup_fn real, const char *address, const char *service, const struct addrinfo *hints,
    struct addrinfo **out)
{
    struct addrinfo how = {0};
    if (hints)
        how = *hints;
    if (how.ai_family == AF_INET6)
        return EAI_NODATA;
    how.ai_family = AF_INET;
    how.ai_flags = (how.ai_flags | AI_NUMERICHOST) & ~AI_ADDRCONFIG;
    return real(address, service, &how, out);
}

static int answer(lookup_fn real, const struct stub *stub, const char *service, const struct addrinfo *hints,
    struct addrinfo **out)
{
    struct addrinfo *first = NULL;
    struct addrinfo **end = &first;
    int error = stub->error;
    for (int i = 0; i < 2 && stub->addresses[i] && !error; i++) {
        error = numeric(real, stub->addresses[i], service, hints, end);
        while (*end)
            end = &(*end)->ai_next;
    }
    if (error && first)
        freeaddrinfo(first);
    if (!error)
        *out = first;
    return error;
}

int getaddrinfo(const char *restrict name, const char *restrict service, const struct addrinfo *restrict hints,
    struct addrinfo **restrict out)
{
    lookup_fn real = (lookup_fn)dlsym(RTLD_NEXT, "getaddrinfo");
    if (!name || (hints && (hints->ai_flags & AI_NUMERICHOST)))
        return real(name, service, hints, out); /* no look-up */
    add_to_log(name);
    for (size_t i = 0; i < sizeof stubs / sizeof *stubs; i++) {
        if (strcmp(name, stubs[i].name) == 0) {
            wait_for(stubs[i].seconds);
            return answer(real, &stubs[i], service, hints, out);
        }
    }
    return real(name, service, hints, out);
}
