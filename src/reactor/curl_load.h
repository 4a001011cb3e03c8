/* curl_load.h - libcurl's presence, for those who may not know libcurl.
 *
 * Used by   transfer.c, bindings/http.c, bindings/version.c. Threads: any.
 */
#ifndef TIDE_REACTOR_CURL_LOAD_H
#define TIDE_REACTOR_CURL_LOAD_H

#include "base/library.h"

/* Loads libcurl at first use. 0, or TIDE_ESYSTEM with the reason. */
int tide_curl_ready(char problem[TIDE_LIBRARY_PROBLEM]);

/* Loads it as well: "7.88.1", or "not there". */
const char *tide_curl_version(void);

#endif
