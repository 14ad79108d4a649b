/* SPDX-License-Identifier: Apache-2.0
 *
 * Which headers an application may add to a client's upgrade request, and what becomes of those
 * that the client would send itself.
 */
#include "proto/http1.h"
#include "proto/upgrade.h"

/* A header that is not in the table is free: sent as it is, as often as it is given. */
enum role {
    ONE,  /* given: replaces the client's own; at most once */
    LIST, /* given: replaces the client's own; each is one more part of the list */
    OURS  /* refused: the handshake would break, or a server would wait for what never comes */
};

static const struct {
    const char *name;
    enum role role;
} roles[] = {
    {"host", ONE}, /* RFC 9112 3.2: exactly one */
    {"origin", ONE},
    {"authorization", ONE},
    {"user-agent", ONE},
    {"sec-websocket-protocol", LIST},
    {"sec-websocket-extensions", LIST},
    {"upgrade", OURS},
    {"connection", OURS},
    {"sec-websocket-key", OURS},
    {"sec-websocket-version", OURS},
    {"sec-websocket-accept", OURS}, /* the server's */
    {"content-length", OURS},       /* a GET of a handshake has no body */
    {"transfer-encoding", OURS},
    {"trailer", OURS},
    {"expect", OURS},
    {"te", OURS}, /* RFC 9110 7.6.1: of one hop, and Connection would have to name it */
    {"keep-alive", OURS},
    {"proxy-connection", OURS},
    {"http2-settings", OURS},
};

static wring_result refuse(wring_error *error, wring_bytes name, const char *why) {
    char shown[100];
    (void)wring_text_printable(name, shown, sizeof shown);
    return wring_error_set(error, WRING_ERR_INVALID_HEADER, 0, "headers: '%s' %s", shown, why);
}

static wring_result role_check(wring_headers extra, size_t index, wring_error *error) {
    const wring_bytes name = extra.list[index].name;
    for (size_t i = 0; i < WRING_ARRAY_LEN(roles); i++) {
        if (!wring__text_is(name, roles[i].name)) {
            continue;
        }
        if (roles[i].role == OURS) {
            return refuse(error, name, "belongs to the handshake and cannot be given");
        }
        if (roles[i].role == ONE && wring_headers_count(extra, roles[i].name) > 1) {
            return refuse(error, name, "is given twice; give one");
        }
    }
    return WRING_OK;
}

wring_result wring_h1_request_headers_check(wring_headers extra, wring_error *error) {
    for (size_t i = 0; i < extra.count; i++) {
        const wring_header *header = &extra.list[i];
        if (!wring__http1_is_token(header->name)) {
            return refuse(error, header->name, "is not a header's name");
        }
        if (!wring__header_text_is_safe(header->value)) {
            return refuse(error, header->name,
                          "has a CR, LF, NUL or other control byte in its value");
        }
        const wring_result result = role_check(extra, i, error);
        if (result != WRING_OK) {
            return result;
        }
    }
    return WRING_OK;
}
