/* SPDX-License-Identifier: Apache-2.0
 *
 * Who asks: the bearer token, and the cookie that is got for it.
 */
#include "examples/http_api/api.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define SESSIONS_MAX 64
#define SID_CHARS    32

struct login {
    char sid[SID_CHARS + 1];
    char name[32];
};

const char *api_token;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct login logins[SESSIONS_MAX];
static size_t login_count; /* ever: a new one takes the place of the oldest */

/* Takes as long for a wrong text as for the right one. */
static bool is_secret(wring_bytes given, const char *secret) {
    unsigned differs = 0;
    if (given.len != strlen(secret)) {
        return false;
    }
    for (size_t i = 0; i < given.len; i++) {
        differs |= given.data[i] ^ (unsigned char)secret[i];
    }
    return differs == 0;
}

bool api_is_allowed(wring_exchange *exchange, const wring_request *request) {
    wring_bytes given;
    if (wring_bearer_get(request->headers, &given) && is_secret(given, api_token)) {
        return true;
    }
    api_answer_error(exchange, 401, "the bearer token is missing or wrong");
    return false;
}

void api_session_post(wring_exchange *exchange, const wring_request *request, void *opts) {
    uint8_t random[SID_CHARS / 2];
    struct login login;
    char text[128];
    const char *name;
    size_t len;
    json_t *json;
    (void)opts;
    if (!api_is_allowed(exchange, request) ||
        !api_body_read(exchange, &json, "{s:s!}", "name", (void *)&name)) {
        return;
    }
    const bool fits = strlen(name) < sizeof login.name;
    if (fits) {
        memcpy(login.name, name, strlen(name) + 1);
    }
    json_decref(json);
    if (!fits) {
        api_answer_error(exchange, 422, "'name' is too long");
        return;
    }
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        return; /* no answer: 500 */
    }
    for (size_t i = 0; i < sizeof random; i++) {
        snprintf(login.sid + 2 * i, 3, "%02x", random[i]);
    }
    pthread_mutex_lock(&lock);
    logins[login_count++ % SESSIONS_MAX] = login;
    pthread_mutex_unlock(&lock);
    const wring_cookie cookie = {.struct_size = sizeof cookie,
                                 .name = "sid",
                                 .value = wring_str(login.sid),
                                 .is_insecure = true}; /* for http://; leave that out with TLS */
    if (wring_cookie_write(&cookie, text, sizeof text, &len) == WRING_OK) {
        const wring_header header = {wring_str("Set-Cookie"), wring_bytes_of(text, len)};
        api_answer_nothing(exchange, (wring_headers){&header, 1});
    }
}

char *api_user_of(const wring_request *request) {
    wring_bytes given;
    char *name = NULL;
    if (wring_bearer_get(request->headers, &given)) {
        return is_secret(given, api_token) ? strdup("the token") : NULL;
    }
    if (wring_cookie_get(request->headers, "sid", &given) && given.len == SID_CHARS) {
        pthread_mutex_lock(&lock);
        for (size_t i = 0; i < SESSIONS_MAX && name == NULL; i++) {
            name = is_secret(given, logins[i].sid) ? strdup(logins[i].name) : NULL;
        }
        pthread_mutex_unlock(&lock);
    }
    return name;
}
