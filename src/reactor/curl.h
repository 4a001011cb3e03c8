/* curl.h - libcurl, loaded at first use.
 *
 * Used by   this folder alone.
 * Threads   once tide_curl_ready (curl_load.h) has returned 0, `tide_curl` is fixed. The multi handle and its easy handles
 *           belong to the reactor; curl_url_* may be used anywhere.
 */
#ifndef TIDE_REACTOR_CURL_H
#define TIDE_REACTOR_CURL_H

#include "base/library.h"

#define CURL_DISABLE_TYPECHECK /* its macros would call the functions by name */
#include <curl/curl.h>

#define TIDE_CURL_FUNCTIONS(X)                                                                                             \
    X(curl_global_init)                                                                                                    \
    X(curl_version_info)                                                                                                   \
    X(curl_easy_init)                                                                                                      \
    X(curl_easy_cleanup)                                                                                                   \
    X(curl_easy_reset)                                                                                                     \
    X(curl_easy_setopt)                                                                                                    \
    X(curl_easy_getinfo)                                                                                                   \
    X(curl_easy_pause)                                                                                                     \
    X(curl_slist_free_all)                                                                                                 \
    X(curl_easy_strerror)                                                                                                  \
    X(curl_multi_init)                                                                                                     \
    X(curl_multi_cleanup)                                                                                                  \
    X(curl_multi_setopt)                                                                                                   \
    X(curl_multi_add_handle)                                                                                               \
    X(curl_multi_remove_handle)                                                                                            \
    X(curl_multi_socket_action)                                                                                            \
    X(curl_multi_info_read)                                                                                                \
    X(curl_multi_assign)                                                                                                   \
    X(curl_url)                                                                                                            \
    X(curl_url_set)                                                                                                        \
    X(curl_url_get)                                                                                                        \
    X(curl_url_cleanup)                                                                                                    \
    X(curl_url_strerror)                                                                                                   \
    X(curl_free)

struct tide_curl {
    TIDE_CURL_FUNCTIONS(TIDE_LIBRARY_MEMBER)
};

extern struct tide_curl tide_curl;

#endif
