/* transfer_run.h - a transfer as the reactor sees it: its steps, and what the modules of this folder keep in it.
 *
 *     start → look at the URL → place (admission.h) → addresses (resolver.h) → libcurl (multi.h) → redirect: again, or done
 *
 * Used by   transfer.c (the steps), easy.c (what libcurl is told), body.c (what comes back), multi.c, sink.c.
 * Threads   reactor, but for the fields that say otherwise.
 */
#ifndef TIDE_REACTOR_TRANSFER_RUN_H
#define TIDE_REACTOR_TRANSFER_RUN_H

#include "reactor/admission.h"
#include "reactor/curl.h"
#include "reactor/resolver.h"
#include "reactor/target.h"
#include "reactor/transfer.h"

enum { TIDE_EXTRA_HEADERS = 4 /* those that easy.c adds */ };
enum { TIDE_STREAM_FULL = 256 * 1024, TIDE_MAX_HEAD = 256 * 1024 };

enum tide_step { TIDE_STEP_NEW, TIDE_STEP_PLACE, TIDE_STEP_NAME, TIDE_STEP_RUNS, TIDE_STEP_DONE };

struct tide_inflate;
struct tide_sink_file;

struct tide_transfer {
    struct tide_operation operation;

    struct tide_transfer *next_spare; /* while it is one */

    /* fixed after new: pointers into `text` */
    struct tide_request request;
    char *text;
    struct curl_slist *header_nodes; /* room for all headers, in `text` */

    /* reactor */
    enum tide_step step;
    struct tide_list live;           /* among those that are under way */
    struct tide_target target;       /* of the present hop */
    struct tide_target proxy;
    struct tide_place place;
    struct tide_name_waiter name;
    char *addresses;                 /* an entry for CURLOPT_RESOLVE, or NULL */
    CURL *easy;
    size_t header_count;             /* of the present hop, in header_nodes */
    struct curl_slist resolve_node;
    const char *method;              /* of the present hop: a redirect may change it */
    bool send_body, send_secrets;
    size_t body_sent;
    int64_t active_at;               /* last byte either way */
    double queue_s, dns_s;           /* spent before libcurl had it, in this hop */
    int64_t step_at;
    bool head_over;                  /* the head of the final response of this hop is complete */
    bool began_body;
    bool skip_body;                  /* it is a redirect that is followed */
    const char *refused;             /* kind of the failure for which a callback stopped libcurl */
    struct tide_sink_file *file;
    struct tide_inflate *inflate;    /* of the present hop's body, or NULL */
    char curl_says[CURL_ERROR_SIZE]; /* what went wrong, in detail */
    struct tide_list unwatched;      /* multi.c: its socket could not be watched */

    /* protected by operation.lock until it is done */
    bool has_head;
    bool paused;
    struct tide_strbuf ready;        /* body of a stream, not yet taken */

    struct tide_response response;   /* reactor's until it is done; its head until has_head */
};

/* The transfer is over in libcurl's hands: goes on with a redirect, or ends it. */
void tide_transfer_ran(struct tide_transfer *transfer, CURLcode code);

/* Ends it without a response. `kind` is static. */
void tide_transfer_fail(struct tide_transfer *transfer, const char *kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Any thread: frees the transfers that wait for the next request. */
void tide_transfer_free_spares(void);

/* ---- easy.c: a handle of libcurl, told what this hop asks for ---- */

/* 0, with transfer->easy set; TIDE_ENOMEM. */
int tide_easy_prepare(struct tide_transfer *transfer);

/* After a hop: timings, cookies and HTTP version into the response. */
void tide_easy_take_results(struct tide_transfer *transfer);

/* Behind the head of the response that the handle is receiving: its HTTP version (10, 11 or 20) and the cookies, into it. */
void tide_easy_take_head(struct tide_transfer *transfer);

/* Gives the handle back, if it has one; the multi handle has it no more. */
void tide_easy_release(struct tide_transfer *transfer);
void tide_easy_stop(void);

/* The kind of failure that a code of libcurl stands for. */
const char *tide_easy_failure(struct tide_transfer *transfer, CURLcode code);

/* ---- body.c: what libcurl hands over ---- */

size_t tide_body_header_cb(char *data, size_t one, size_t size, void *arg);
/* The body is over: false, and the transfer failed, if it was not complete. */
bool tide_body_complete(struct tide_transfer *transfer);
size_t tide_body_write_cb(char *data, size_t one, size_t size, void *arg);
size_t tide_body_read_cb(char *data, size_t one, size_t size, void *arg);
int tide_body_seek_cb(void *arg, curl_off_t offset, int origin);

/* The head of the response is complete, or it ended without one: who waits for it is told. */
void tide_body_head_over(struct tide_transfer *transfer);

/* The value of a header of the last response, in a static buffer; NULL where it has none. */
const char *tide_body_header(struct tide_transfer *transfer, const char *name, char *out, size_t room);

/* ---- redirect.c ---- */

/* True where the response is a redirect that is to be followed, by its status and Location. */
bool tide_redirect_wanted(struct tide_transfer *transfer);

/* Makes the next hop of it. 0; TIDE_EINVAL: the response stands as it is; or it failed the transfer (TIDE_EREFUSED). */
int tide_redirect_follow(struct tide_transfer *transfer);

/* ---- sink.c: a body that goes to a file ---- */

/* Opens the file unless it is open: also an empty body makes one. 0, or -1: out of memory; other failures turn up at the
 * end. */
int tide_sink_open(struct tide_transfer *transfer);

/* Takes a piece. 0; 1: not taken, libcurl has to pause; -1: it failed. */
int tide_sink_write(struct tide_transfer *transfer, const char *data, size_t size);

/* The body is complete, or given up; calls tide_transfer_written, perhaps at once. */
void tide_sink_close(struct tide_transfer *transfer, bool keep);

/* The file is closed, under its name or removed; `error` is an errno. Ends the transfer. */
void tide_transfer_written(struct tide_transfer *transfer, int error);

#endif
