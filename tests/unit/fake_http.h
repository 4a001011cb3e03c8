/* fake_http.h - a server of HTTP/1.1 on loopback in a thread of its own, and requests to it through the real reactor, for the
 * tests of that.
 *
 * Threads   the test's, which is the runtime's main; the server's record, the test asserts.
 * Life      one reactor a process: fake_reactor_open and _close stand in the setup and teardown of the whole group.
 */
#ifndef TIDE_TESTS_FAKE_HTTP_H
#define TIDE_TESTS_FAKE_HTTP_H

#include "reactor/transfer.h"

#include <stdbool.h>
#include <stddef.h>

/* ---- the runtime and its reactor ---- */

/* As cmocka wants it. */
int fake_reactor_open(void **state);

/* Fails where something is under way still, or the reactor does not end. */
int fake_reactor_close(void **state);

/* Runs a function on the reactor and waits until it has. */
void fake_on_reactor(void (*run)(void *arg), void *arg);

/* ---- the server ---- */

/* What is answered to a request for a path. */
struct fake_reply {
    const char *path;  /* with its query */
    const char *text;  /* the response; NULL: none ever comes. "%d" in it is the port of the other server, if there is one */
    size_t filler;     /* bytes 'x' behind it */
    bool closes;       /* the connection, behind it */
};

struct fake_server;

/* `replies` ends with one whose path is NULL. A path that is not among them gets a 404. */
struct fake_server *fake_server_open(const struct fake_reply *replies);
void fake_server_close(struct fake_server *server);
int fake_server_port(const struct fake_server *server);

/* The server that "%d" stands for. */
void fake_server_knows(struct fake_server *server, const struct fake_server *other);

/* Requests so far, and each as it came, with its body; NULL: there is none. They stay until the server is closed. */
int fake_server_count(struct fake_server *server);
const char *fake_server_request(struct fake_server *server, int i);

/* ---- requests ---- */

/* A GET of a path; the URL stays valid until the fourth call from here. */
struct tide_request fake_get(const struct fake_server *server, const char *path);

/* Starts a request; the caller's reference. */
struct tide_transfer *fake_start(const struct tide_request *request);

/* Waits until it is done: 20 s, or the test fails. */
void fake_finish(struct tide_transfer *transfer);

/* Both. */
struct tide_transfer *fake_fetch(const struct tide_request *request);

/* Waits until `there`(arg) is true, with the same limit. */
void fake_until(bool (*there)(void *arg), void *arg);

#endif
