/* transfer.h - one HTTP request with its redirects, from a task's call to the response.
 *
 * Used by   bindings/http.c. What only this folder knows stands in transfer_run.h.
 * Threads   new, start, wait functions, take and drop: any worker; the result may be read once it is done.
 * Owns      copies of everything in the request.
 * Life      new → tide_operation_start → done. In memory: the body is there when it is done. As a stream: the head is there
 *           first (tide_transfer_has_head), then pieces of the body, and the transfer pauses while 256 KiB lie unread.
 * Cancel    tide_operation_drop: the connection is closed, or for HTTP/2 the stream reset, at once.
 */
#ifndef TIDE_REACTOR_TRANSFER_H
#define TIDE_REACTOR_TRANSFER_H

#include "base/strbuf.h"
#include "reactor/operation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tide_auth { TIDE_AUTH_NONE, TIDE_AUTH_BASIC, TIDE_AUTH_DIGEST };
enum tide_sink { TIDE_SINK_MEMORY, TIDE_SINK_STREAM, TIDE_SINK_FILE };

/* What is asked for. Strings may be NULL where "or NULL" is said. */
struct tide_request {
    const char *method;
    const char *url;
    const char *const *headers;  /* lines "Name: value", count of them */
    size_t header_count;
    const char *body;            /* or NULL */
    size_t body_size;
    const char *user, *password; /* or NULL, with `auth` */
    const char *cookies;         /* or NULL: lines as in Set-Cookie or in the Netscape file, for libcurl's engine */
    const char *proxy;           /* or NULL: none; a URL */
    const char *ca;              /* or NULL: the system's; a file or a folder of certificates */
    const char *path;            /* of TIDE_SINK_FILE */
    enum tide_auth auth;
    enum tide_sink sink;
    bool verify;                 /* of the server's certificate and name */
    bool decode;                 /* ask for gzip and deflate, and undo them */
    int http;                    /* 0: HTTP/2 over TLS where the server has it; 1: HTTP/1.1; 2: HTTP/2, without TLS too */
    int max_redirects;           /* 0: a redirect is a response like any other */
    int64_t connect_ns, stall_ns;/* limits: look-up and connection; no byte either way */
    uint64_t max_body;           /* bytes, decoded */
};

/* Seconds since the transfer began; of its last hop. */
struct tide_timings {
    double queue, dns, connect, tls, first_byte, total;
};

struct tide_response {
    const char *kind;            /* of the failure, static: "dns", "connect", …; NULL: there is a response */
    struct tide_strbuf message;  /* of the failure */
    int status;
    int version;                 /* 10, 11, 20 */
    int redirects;
    struct tide_strbuf head;     /* status line and header lines of the last response, as they came */
    struct tide_strbuf body;
    struct tide_strbuf url;      /* the last one */
    struct tide_strbuf cookies;  /* what the engine holds now, one Netscape line each */
    uint64_t received;           /* bytes of the body */
    struct tide_timings timings;
};

struct tide_transfer;

/* Any thread: a transfer may come soon. Starts the reactor, which loads libcurl meanwhile; what fails in that fails again,
 * and is told, with the first transfer. */
void tide_transfer_expect(struct tide_runtime *runtime);

/* With one reference, the caller's; libcurl is loaded. NULL: `problem` says why ("not enough memory" included). */
struct tide_transfer *tide_transfer_new(const struct tide_request *request, char *problem, size_t room);
void tide_transfer_unref(struct tide_transfer *transfer);

struct tide_operation *tide_transfer_operation(struct tide_transfer *transfer);

/* Once it is done, or, for status, version, head and url, once it has its head. */
struct tide_response *tide_transfer_response(struct tide_transfer *transfer);

/* ---- streams ---- */

/* As tide_operation_enqueue: 1 if the head is there, or it is done. */
int tide_transfer_enqueue_head(struct tide_transfer *transfer, struct tide_waiter *waiter, struct tide_task *task);

bool tide_transfer_has_head(struct tide_transfer *transfer);

/* 1 if some of the body is there, or it is done. */
int tide_transfer_enqueue_body(struct tide_transfer *transfer, struct tide_waiter *waiter, struct tide_task *task);

/* Takes all of the body that is there into `out`, an empty buffer. 1: took some. 0: none there yet. -1: none will come. */
int tide_transfer_take(struct tide_transfer *transfer, struct tide_strbuf *out);

/* What a script holds of a stream; once all its handles are gone nobody can read the rest, and the transfer is dropped. */
struct tide_stream {
    struct tide_object object;
    struct tide_transfer *transfer;
};

extern const struct tide_class tide_stream_class;

/* With one reference, the caller's. NULL: out of memory. */
struct tide_stream *tide_stream_new(struct tide_transfer *transfer);

#endif
