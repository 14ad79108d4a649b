/* SPDX-License-Identifier: Apache-2.0
 *
 * The headers of `wring bench -H`: one that the load tester would send itself replaces it, one that
 * the handshake stands on is refused by name, any other is sent as it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"

/* RFC 6455 4.1, RFC 9112 6: with another value, or twice, no server could accept the request. */
static bool is_free(wring_bytes name) {
    static const char *const fixed[] = {
        "Upgrade",        "Connection",        "Sec-WebSocket-Key", "Sec-WebSocket-Version",
        "Content-Length", "Transfer-Encoding", "Trailer",           "Sec-WebSocket-Accept"};
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        if (cli_name_is(name, fixed[i])) {
            cli_complain("-H '%s' would break the handshake: leave it out", fixed[i]);
            return false;
        }
    }
    if (cli_name_is(name, "Sec-WebSocket-Extensions")) {
        cli_complain("-H 'Sec-WebSocket-Extensions' cannot be given: --deflate offers "
                     "permessage-deflate");
        return false;
    }
    return true;
}

/* "chat, superchat": takes the place of --subprotocol, or goes behind what an earlier -H said. */
static bool subprotocols_take(bench_options *o, const char *value, bool *replaced) {
    if (!*replaced) {
        for (size_t i = 0; i < o->subprotocol_count; i++) {
            free(o->subprotocols[i]);
        }
        o->subprotocol_count = 0;
        *replaced = true;
    }
    for (const char *at = value + strspn(value, ", \t"); *at != 0; at += strspn(at, ", \t")) {
        const size_t len = strcspn(at, ", \t");
        if (!cli_list_add(o->subprotocols, &o->subprotocol_count, BENCH_SUBPROTOCOLS_MAX,
                          strndup(at, len), "subprotocols")) {
            return false;
        }
        at += len;
    }
    return true;
}

bool bench_headers_take(bench_options *o) {
    load_config *load = &o->load;
    size_t count = 0;
    bool replaced = false;
    load->upgrade.origin = o->origin;
    for (size_t i = 0; i < o->header_count; i++) {
        const char *colon = strchr(o->headers[i], ':');
        if (colon == NULL || colon == o->headers[i]) {
            cli_complain("-H '%s' is not like 'Name: value'", o->headers[i]);
            return false;
        }
        const wring_bytes name = wring_bytes_of(o->headers[i], (size_t)(colon - o->headers[i]));
        const char *value = colon + 1 + strspn(colon + 1, " \t");
        if (!is_free(name)) {
            return false;
        }
        if (cli_name_is(name, "Host")) {
            load->host = value;
        } else if (cli_name_is(name, "Origin")) {
            load->upgrade.origin = value;
        } else if (cli_name_is(name, "Sec-WebSocket-Protocol")) {
            if (!subprotocols_take(o, value, &replaced)) {
                return false;
            }
        } else {
            o->header_list[count++] = (wring_header){name, wring_str(value)};
        }
    }
    load->upgrade.extra = (wring_headers){o->header_list, count};
    load->upgrade.subprotocols = (const char *const *)o->subprotocols;
    load->upgrade.subprotocol_count = o->subprotocol_count;
    wring_error error = {.text = ""};
    if (wring_h1_request_headers_check(load->upgrade.extra, &error) != WRING_OK) {
        cli_complain("-H: %s", error.text);
        return false;
    }
    return true;
}

/* "ws://user:***@host/": a report is pasted where a password should not be. */
char *bench_url_shown(const char *url) {
    const char *from = strstr(url, "://");
    const char *host = from == NULL ? NULL : from + 3;
    const char *at = host == NULL ? NULL : memchr(host, '@', strcspn(host, "/?#"));
    const char *colon = at == NULL ? NULL : memchr(host, ':', (size_t)(at - host));
    char *out = NULL;
    if (colon == NULL) {
        return strdup(url);
    }
    return asprintf(&out, "%.*s:***%s", (int)(colon - url), url, at) < 0 ? NULL : out;
}
