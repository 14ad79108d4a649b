/* SPDX-License-Identifier: Apache-2.0
 *
 * The WebSockets of e2e-http-server, and what decides over their upgrades. See http_server.c.
 */
#include "http_server.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COOKIE "sid=granted"

static wring_verdict echo_in(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_TEXT || message->opcode == WRING_BINARY) {
        const wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
        return wring_session_send(session, &frame) == WRING_OK ? WRING_CONTINUE : WRING_STOP;
    }
    return WRING_CONTINUE;
}

static wring_verdict say_peer(wring_session *session, const wring_request *request, void *opts) {
    char text[80];
    (void)opts;
    const int len = snprintf(text, sizeof text, "%.*s %u", (int)request->peer.len,
                             (const char *)request->peer.data, request->http_version);
    const wring_frame frame = wring_frame_text(wring_bytes_of(text, (size_t)len));
    return wring_session_send(session, &frame) == WRING_OK ? WRING_CONTINUE : WRING_STOP;
}

static wring_verdict greet(wring_session *session, const wring_request *request, void *opts) {
    char text[64];
    (void)opts;
    const int len = snprintf(text, sizeof text, "welcome %s%s%.*s", (char *)request->accept_data,
                             request->subprotocol.len > 0 ? " by " : "",
                             (int)request->subprotocol.len, (char *)request->subprotocol.data);
    const wring_frame frame = wring_frame_text(wring_bytes_of(text, (size_t)len));
    return wring_session_send(session, &frame) == WRING_OK ? WRING_CONTINUE : WRING_STOP;
}

static const wring_header set_cookie = {{(const uint8_t *)"Set-Cookie", 10},
                                        {(const uint8_t *)COOKIE "; Path=/; SameSite=Lax; HttpOnly",
                                         sizeof(COOKIE "; Path=/; SameSite=Lax; HttpOnly") - 1}};

static wring_accept accept_as(char *who) {
    return (wring_accept){
        .struct_size = sizeof(wring_accept), .data = who, .headers = {&set_cookie, 1}};
}

static void accept_late(wring_ref ref, uint64_t number) {
    const wring_accept accept = accept_as("later");
    (void)number;
    usleep(100 * 1000);
    check(wring_ref_accept(ref, &accept), "late accept");
}

static void refuse_late(wring_ref ref, uint64_t number) {
    const wring_answer answer = {
        .struct_size = sizeof answer, .status = (uint16_t)number, .body = wring_str("not you\n")};
    usleep(100 * 1000);
    check(wring_ref_answer(ref, &answer), "late refusal");
}

static void auth_answer(wring_exchange *exchange, uint16_t status, const char *name,
                        const char *value) {
    const wring_header header = {wring_str(name), wring_str(value)};
    const wring_answer answer = {.struct_size = sizeof answer,
                                 .status = status,
                                 .headers = {&header, 1},
                                 .body = wring_str("who are you?\n")};
    check(wring_exchange_answer(exchange, &answer), "answer");
}

static void auth_by_credentials(wring_exchange *exchange, const wring_request *request) {
    wring_bytes value;
    char *who = NULL;
    if (wring_bearer_get(request->headers, &value)) {
        who = wring_bytes_equal(value, wring_str("let-me-in")) ? "token" : NULL;
    } else if (wring_cookie_get(request->headers, "sid", &value)) {
        who = wring_bytes_equal(value, wring_str("granted")) ? "cookie" : NULL;
    }
    if (who == NULL) {
        auth_answer(exchange, 401, "WWW-Authenticate", "Bearer realm=\"e2e\"");
        return;
    }
    const wring_accept accept = accept_as(who);
    check(wring_exchange_accept(exchange, &accept), "accept");
}

/* With the subprotocol that is asked for by ?subprotocol=, and two further headers. */
static void auth_choose(wring_exchange *exchange, const wring_request *request) {
    char name[16];
    query_text(request, "subprotocol", name, sizeof name);
    const wring_header headers[] = {set_cookie, {wring_str("X-Further"), wring_str("seen")}};
    const wring_accept accept = {.struct_size = sizeof accept,
                                 .subprotocol = wring_str(name),
                                 .headers = {headers, 2},
                                 .data = "chosen"};
    const wring_result result = wring_exchange_accept(exchange, &accept);
    if (result == WRING_ERR_UNEXPECTED_SUBPROTOCOL) {
        answer_text(exchange, 400, "you did not offer it\n");
    } else {
        check(result, "accept");
    }
}

static void on_auth(wring_exchange *exchange, const wring_request *request, void *opts) {
    char how[16];
    (void)opts;
    query_text(request, "how", how, sizeof how);
    if (strcmp(how, "accept") == 0) {
        const wring_accept accept = accept_as("anybody");
        check(wring_exchange_accept(exchange, &accept), "accept");
    } else if (strcmp(how, "choose") == 0) {
        auth_choose(exchange, request);
    } else if (strcmp(how, "401") == 0) {
        auth_answer(exchange, 401, "WWW-Authenticate", "Bearer realm=\"e2e\"");
    } else if (strcmp(how, "403") == 0) {
        answer_text(exchange, 403, "not here\n");
    } else if (strcmp(how, "302") == 0) {
        auth_answer(exchange, 302, "Location", "/ws");
    } else if (strcmp(how, "307") == 0) {
        auth_answer(exchange, 307, "Location", "/ws");
    } else if (strcmp(how, "later") == 0) {
        task_start(exchange, accept_late, 0);
    } else if (strcmp(how, "later403") == 0) {
        task_start(exchange, refuse_late, 403);
    } else {
        auth_by_credentials(exchange, request);
    }
}

const wring_http_handler http_auth = {
    .struct_size = sizeof http_auth, .name = "auth", .request = on_auth, .done = on_done};
const wring_handler http_echo = {
    .struct_size = sizeof http_echo, .name = "echo", .handle_in = echo_in};
const wring_handler http_greeter = {
    .struct_size = sizeof http_greeter, .name = "greeter", .init = greet, .handle_in = echo_in};
const wring_handler http_peer = {
    .struct_size = sizeof http_peer, .name = "peer", .init = say_peer, .handle_in = echo_in};

static const wring_deflate_config deflate = {.struct_size = sizeof deflate,
                                             .server_context_takeover = true,
                                             .client_context_takeover = true};
const wring_policy http_deflate = {.struct_size = sizeof http_deflate, .deflate = &deflate};
