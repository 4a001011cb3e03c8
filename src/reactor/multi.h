/* multi.h - libcurl's multi handle on the reactor's loop: sockets, its timer, transfers that end.
 *
 * libcurl says which sockets to watch (CURLMOPT_SOCKETFUNCTION) and when it wants to be called (CURLMOPT_TIMERFUNCTION); it is
 * told of events by curl_multi_socket_action. A socket that it lets go of stays watched while its connection is idle: the
 * next request on it costs no system call for that. It is forgotten when libcurl closes it.
 *
 * Used by   transfer.c, easy.c.
 * Threads   reactor.
 * Rule      no transfer is added, removed or ended inside of a callback of libcurl.
 */
#ifndef TIDE_REACTOR_MULTI_H
#define TIDE_REACTOR_MULTI_H

#include "reactor/curl.h"

struct tide_transfer;

/* Makes the multi handle unless it is there. 0; TIDE_ENOMEM. */
int tide_multi_start(void);

/* The transfer's easy handle runs from now on; tide_transfer_ran is called when it ends. 0; a CURLMcode. */
int tide_multi_add(struct tide_transfer *transfer);

/* Takes it out; a response that is not complete costs the connection. */
void tide_multi_remove(struct tide_transfer *transfer);

/* Lets a paused transfer go on. Callbacks may run in it, and it may end. */
void tide_multi_resume(struct tide_transfer *transfer);

/* Once a turn: what libcurl wants to do at once. */
void tide_multi_turn(void);
void tide_multi_stop(void);

int tide_multi_close_socket_cb(void *arg, curl_socket_t fd);

#endif
