/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/echo_client.h"

#include "tests/conformance/deflate.h"

#include <stdlib.h>

static void check(bool ok) {
    if (!ok) {
        abort();
    }
}

wring_session *echo_client_create(wring_deflate **contexts) {
    wring_session_config config = {.struct_size = sizeof config, .role = WRING_ROLE_CLIENT};
    wring_deflate_params params;
    wring_session *session;
    *contexts = NULL;
    if (link_deflate != NULL) {
        const wring_deflate_config deflate = deflate_client_config(link_deflate);
        params = deflate_client_params(link_deflate);
        check(wring_deflate_create(&deflate, contexts, NULL) == WRING_OK);
        config.deflate = *contexts;
        config.deflate_params = &params;
    }
    check(wring_session_create(&config, &session, NULL) == WRING_OK);
    check(wring_session_open(session, 1) == WRING_OK);
    return session;
}

void echo_client_feed(wring_session *session, wring_mut_bytes bytes) {
    wring_event event;
    check(wring_session_feed(session, bytes, 1) == WRING_OK);
    while (wring_session_next(session, &event) == WRING_OK) {
        const bool data =
            event.kind == WRING_EVENT_MESSAGE &&
            (event.message.opcode == WRING_TEXT || event.message.opcode == WRING_BINARY);
        if (data) {
            const wring_frame frame = {event.message.opcode, 0, event.message.payload};
            check(wring_session_send(session, &frame) == WRING_OK);
        }
    }
}

bool echo_client_is_done(const wring_session *session) {
    return wring_session_is_finished(session);
}
