/* Redirects, hop by hop (RFC 9110, section 15.4; what becomes of the method as the Fetch standard has it). */
#include "base/error.h"
#include "reactor/transfer_run.h"

#include <string.h>

enum { MAX_LOCATION = 8192 };

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool tide_redirect_wanted(struct tide_transfer *t)
{
    char location[MAX_LOCATION];
    return t->request.max_redirects > 0 && is_redirect(t->response.status) &&
           tide_body_header(t, "Location", location, sizeof location) && *location;
}

/* 303 asks for a GET; so do 301 and 302 after a POST, as all clients have understood them. */
static void change_method(struct tide_transfer *t)
{
    int status = t->response.status;
    bool post = strcmp(t->method, "POST") == 0, head = strcmp(t->method, "HEAD") == 0;
    if ((status == 303 && !head) || ((status == 301 || status == 302) && post)) {
        t->method = "GET";
        t->send_body = false;
    }
}

int tide_redirect_follow(struct tide_transfer *t)
{
    char location[MAX_LOCATION], problem[256];
    struct tide_target next = {0};
    if (!tide_body_header(t, "Location", location, sizeof location))
        return TIDE_EINVAL;
    if (t->response.redirects >= t->request.max_redirects) {
        tide_transfer_fail(t, "redirects", "more than %d redirects, the last one from %s to %.200s", t->request.max_redirects,
                           t->target.url, location);
        return TIDE_EREFUSED;
    }
    int failed = tide_target_init(&next, t->target.url, location, problem, sizeof problem);
    if (failed) {
        tide_transfer_fail(t, failed == TIDE_ENOMEM ? "memory" : "redirects", "%s redirects to a %s", t->target.url,
                           failed == TIDE_ENOMEM ? "URL that there is no memory for" : problem);
        return TIDE_EREFUSED;
    }
    if (strcmp(next.origin, t->target.origin) != 0)
        t->send_secrets = false; /* and they stay off, even where the way leads back */
    change_method(t);
    tide_target_fini(&t->target);
    t->target = next;
    t->response.redirects++;
    return 0;
}
