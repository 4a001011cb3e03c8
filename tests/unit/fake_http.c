#define _GNU_SOURCE /* strcasestr */
#include "fake_http.h"
#include "unit.h"

#include "base/alloc.h"
#include "base/time.h"
#include "fake_worker.h"
#include "reactor/curl_load.h"
#include "reactor/reactor.h"
#include "sched/runtime.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LIMIT_MS = 20000, REQUESTS = 256, CONNECTIONS = 1024, ROOM = 1024 * 1024 };

/* libcurl 7.88 closes a socket that is not yet connected before it says so; libuv then takes its number out of the set of its
 * epoll, in which it is no more. The number may be one of this server's by then. */
const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return "race:accept_all\n";
}

/* ---- the runtime and its reactor ---- */

static struct tide_runtime *runtime;

int fake_reactor_open(void **state)
{
    char problem[TIDE_LIBRARY_PROBLEM];
    (void)state;
    if (tide_curl_ready(problem)) {
        print_error("%s\n", problem);
        return -1;
    }
    fake_runtime_open(1, false);
    runtime = tide_worker_current()->runtime;
    return tide_reactor_start(runtime);
}

int fake_reactor_close(void **state)
{
    (void)state;
    bool ended = tide_reactor_stop();
    fake_runtime_close();
    if (!ended)
        print_error("the reactor does not end\n");
    if (tide_operation_count())
        print_error("%u operations are left\n", (unsigned)tide_operation_count());
    return ended && !tide_operation_count() ? 0 : -1;
}

struct errand {
    struct tide_mail mail;
    void (*run)(void *arg);
    void *arg;
    sem_t done;
};

static void deliver(struct tide_mail *mail, struct tide_worker *worker)
{
    struct errand *errand = tide_container(mail, struct errand, mail);
    (void)worker;
    errand->run(errand->arg);
    sem_post(&errand->done);
}

void fake_on_reactor(void (*run)(void *), void *arg)
{
    struct errand errand = {.mail.deliver = deliver, .run = run, .arg = arg};
    sem_init(&errand.done, 0, 0);
    tide_reactor_post(&errand.mail);
    while (sem_wait(&errand.done) != 0)
        continue;
    sem_destroy(&errand.done);
}

/* ---- the server ---- */

struct connection {
    struct fake_server *server;
    pthread_t thread;
    int fd;
};

struct fake_server {
    const struct fake_reply *replies;
    int listener, port;
    _Atomic int other;
    pthread_t thread;
    pthread_mutex_t lock;
    /* protected by lock */
    struct connection connections[CONNECTIONS];
    int connection_count;
    char *requests[REQUESTS];
    int request_count;
};

static void record(struct fake_server *server, const char *text)
{
    pthread_mutex_lock(&server->lock);
    if (server->request_count < REQUESTS)
        server->requests[server->request_count++] = strdup(text);
    pthread_mutex_unlock(&server->lock);
}

/* One request with its body into `text`; 0 at the end. */
static size_t read_request(int fd, char *text)
{
    size_t size = 0, need = 0;
    for (;;) {
        ssize_t got = recv(fd, text + size, ROOM - 1 - size, 0);
        if (got <= 0)
            return 0;
        size += (size_t)got;
        text[size] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        if (!end)
            continue;
        const char *length = strcasestr(text, "\r\nContent-Length:");
        need = (size_t)(end + 4 - text) + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
        if (size >= need)
            return size;
    }
}

static bool send_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

static bool answer(struct fake_server *server, int fd, const char *request)
{
    static const struct fake_reply missing = {.text = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"};
    const struct fake_reply *reply = server->replies;
    char path[1024] = "", head[4096], filler[16384];
    sscanf(request, "%*s %1023s", path);
    while (reply->path && strcmp(reply->path, path) != 0)
        reply++;
    if (!reply->path)
        reply = &missing;
    if (!reply->text) {
        recv(fd, head, 1, 0); /* until the client goes, or this server */
        return false;
    }
    const char *port = strstr(reply->text, "%d");
    if (port) {
        snprintf(head, sizeof head, "%.*s%d%s", (int)(port - reply->text), reply->text, (int)server->other, port + 2);
        if (!send_all(fd, head, strlen(head)))
            return false;
    } else if (!send_all(fd, reply->text, strlen(reply->text))) {
        return false;
    }
    memset(filler, 'x', sizeof filler);
    for (size_t left = reply->filler, size; left; left -= size) {
        size = left < sizeof filler ? left : sizeof filler;
        if (!send_all(fd, filler, size))
            return false;
    }
    return !reply->closes;
}

static void *serve(void *arg)
{
    struct connection *connection = arg;
    char *text = malloc(ROOM);
    while (text && read_request(connection->fd, text)) {
        record(connection->server, text);
        if (!answer(connection->server, connection->fd, text))
            break;
    }
    free(text);
    shutdown(connection->fd, SHUT_RDWR); /* closed with the server, so that its number is not given away before */
    return NULL;
}

static void *accept_all(void *arg)
{
    struct fake_server *server = arg;
    for (;;) {
        int fd = accept(server->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        pthread_mutex_lock(&server->lock);
        if (server->connection_count < CONNECTIONS) {
            struct connection *connection = &server->connections[server->connection_count++];
            *connection = (struct connection){.server = server, .fd = fd};
            if (pthread_create(&connection->thread, NULL, serve, connection))
                abort();
        } else {
            close(fd);
        }
        pthread_mutex_unlock(&server->lock);
    }
}

struct fake_server *fake_server_open(const struct fake_reply *replies)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    struct fake_server *server = calloc(1, sizeof *server);
    if (!server)
        abort();
    server->replies = replies;
    pthread_mutex_init(&server->lock, NULL);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->listener < 0 || bind(server->listener, (struct sockaddr *)&at, size) ||
        listen(server->listener, 64) || getsockname(server->listener, (struct sockaddr *)&at, &size) ||
        pthread_create(&server->thread, NULL, accept_all, server))
        abort();
    server->port = ntohs(at.sin_port);
    return server;
}

void fake_server_close(struct fake_server *server)
{
    shutdown(server->listener, SHUT_RDWR); /* accept returns */
    pthread_join(server->thread, NULL);
    close(server->listener);
    for (int i = 0; i < server->connection_count; i++) {
        shutdown(server->connections[i].fd, SHUT_RDWR);
        pthread_join(server->connections[i].thread, NULL);
        close(server->connections[i].fd);
    }
    for (int i = 0; i < server->request_count; i++)
        free(server->requests[i]);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

int fake_server_port(const struct fake_server *server)
{
    return server->port;
}

void fake_server_knows(struct fake_server *server, const struct fake_server *other)
{
    server->other = other->port;
}

int fake_server_count(struct fake_server *server)
{
    pthread_mutex_lock(&server->lock);
    int count = server->request_count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

const char *fake_server_request(struct fake_server *server, int i)
{
    pthread_mutex_lock(&server->lock);
    const char *text = i < server->request_count ? server->requests[i] : NULL;
    pthread_mutex_unlock(&server->lock);
    return text;
}

/* ---- requests ---- */

struct tide_request fake_get(const struct fake_server *server, const char *path)
{
    static char urls[4][256];
    static int next;
    char *url = urls[next++ % 4];
    snprintf(url, sizeof urls[0], "http://127.0.0.1:%d%s", server->port, path);
    return (struct tide_request){
        .method = "GET",
        .url = url,
        .verify = true,
        .decode = true,
        .max_redirects = 10,
        .connect_ns = TIDE_MS(10000),
        .stall_ns = TIDE_MS(20000),
        .max_body = 64 * 1024 * 1024,
    };
}

struct tide_transfer *fake_start(const struct tide_request *request)
{
    char problem[320];
    struct tide_transfer *transfer = tide_transfer_new(request, problem, sizeof problem);
    if (!transfer)
        fail_msg("%s: %s", request->url, problem);
    assert_int_equal(tide_operation_start(tide_transfer_operation(transfer), runtime), 0);
    return transfer;
}

void fake_finish(struct tide_transfer *transfer)
{
    struct tide_task *task = fake_task();
    struct tide_operation *op = tide_transfer_operation(transfer);
    enum tide_wait_state how = TIDE_WAIT_WOKEN;
    tide_wait_begin(task);
    while (how == TIDE_WAIT_WOKEN && tide_operation_enqueue(op, &task->waiter, task) == 0) {
        how = fake_wait(task, tide_now_ns() + TIDE_MS(LIMIT_MS));
        tide_operation_leave(op, &task->waiter);
        if (how == TIDE_WAIT_WOKEN) /* for a piece of a stream, perhaps */
            tide_wait_begin(task);
    }
    if (how == TIDE_WAIT_WOKEN)
        assert_true(tide_wait_abandon(task));
    tide_task_free(task);
    assert_int_equal(how, TIDE_WAIT_WOKEN);
}

struct tide_transfer *fake_fetch(const struct tide_request *request)
{
    struct tide_transfer *transfer = fake_start(request);
    fake_finish(transfer);
    return transfer;
}

void fake_until(bool (*there)(void *), void *arg)
{
    int64_t limit = tide_now_ns() + TIDE_MS(LIMIT_MS);
    while (!there(arg)) {
        if (tide_now_ns() > limit)
            fail_msg("it never came true");
        usleep(200);
    }
}
