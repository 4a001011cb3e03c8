#include "reactor/curl.h"
#include "reactor/curl_load.h"

#include "base/error.h"

#include <pthread.h>
#include <stdio.h>

struct tide_curl tide_curl;

static const char *const names[] = {TIDE_CURL_FUNCTIONS(TIDE_LIBRARY_NAME) NULL};
static struct tide_library library = TIDE_LIBRARY("libcurl.so.4", "libcurl4", names, &tide_curl);
static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode initialised;

static void init(void)
{
    initialised = tide_curl.curl_global_init(CURL_GLOBAL_DEFAULT);
}

const char *tide_curl_version(void)
{
    char problem[TIDE_LIBRARY_PROBLEM];
    return tide_curl_ready(problem) ? "not there" : tide_curl.curl_version_info(CURLVERSION_NOW)->version;
}

int tide_curl_ready(char problem[TIDE_LIBRARY_PROBLEM])
{
    int failed = tide_library_load(&library, problem);
    if (failed)
        return failed;
    pthread_once(&once, init);
    if (initialised != CURLE_OK) {
        snprintf(problem, TIDE_LIBRARY_PROBLEM, "libcurl cannot start: %s", tide_curl.curl_easy_strerror(initialised));
        return TIDE_ESYSTEM;
    }
    return 0;
}
