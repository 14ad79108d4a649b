/* SPDX-License-Identifier: Apache-2.0
 *
 * See raw_app.h.
 */
#include "tests/h2/raw_app.h"

#include <stdio.h>

#include "wring/ref.h"

#define WAITING_MAX 4096
#define PIECE       1000

size_t raw_app_big;
unsigned raw_app_live;
unsigned raw_app_asked;
unsigned raw_app_done;
unsigned raw_app_waiting;
static wring_ref waiting[WAITING_MAX];
static wring_ref paused;
static wring_ref events;

struct own {
    size_t bytes; /* written, or received */
    bool is_begun;
};

uint8_t raw_app_byte(size_t at) {
    return (uint8_t)(at * 7 + (at >> 8) * 13 + 1);
}

/* ---- exchanges ------------------------------------------------------------------------------- */

static bool is_done(wring_result result) {
    return result == WRING_OK || result == WRING_ERR_CLOSED;
}

static void now_request(wring_exchange *exchange, const wring_request *request, void *opts) {
    const wring_answer answer = {.struct_size = sizeof answer, .body = wring_str("now")};
    (void)request;
    (void)opts;
    raw_app_asked++;
    EXPECT(is_done(wring_exchange_answer(exchange, &answer)));
}

static void wait_request(wring_exchange *exchange, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    raw_app_asked++;
    EXPECT(raw_app_waiting < WAITING_MAX);
    EXPECT(wring_exchange_ref(exchange, &waiting[raw_app_waiting++]) == WRING_OK);
}

static void big_write(wring_exchange *exchange) {
    struct own *own = wring_exchange_user(exchange);
    uint8_t piece[PIECE];
    while (own->bytes < raw_app_big) {
        const size_t len = wring__min_size(PIECE, raw_app_big - own->bytes);
        for (size_t i = 0; i < len; i++) {
            piece[i] = raw_app_byte(own->bytes + i);
        }
        const wring_result result =
            wring_exchange_answer_write(exchange, wring_bytes_of(piece, len));
        if (result != WRING_OK) {
            EXPECT(result == WRING_ERR_QUEUE_FULL || result == WRING_ERR_CLOSED);
            return;
        }
        own->bytes += len;
    }
    EXPECT(is_done(wring_exchange_answer_end(exchange)));
}

static void big_request(wring_exchange *exchange, const wring_request *request, void *opts) {
    const wring_answer answer = {.struct_size = sizeof answer, .body_bytes = raw_app_big};
    (void)request;
    (void)opts;
    raw_app_asked++;
    EXPECT(is_done(wring_exchange_answer_begin(exchange, &answer)));
    big_write(exchange);
}

/* It begins, and goes on when it is told to. */
static void events_request(wring_exchange *exchange, const wring_request *request, void *opts) {
    const wring_answer answer = {.struct_size = sizeof answer, .body = wring_str("first")};
    (void)request;
    (void)opts;
    raw_app_asked++;
    EXPECT(is_done(wring_exchange_answer_begin(exchange, &answer)));
    EXPECT(wring_exchange_ref(exchange, &events) == WRING_OK);
}

static void events_info(wring_exchange *exchange, const wring_info *info) {
    (void)info;
    EXPECT(is_done(wring_exchange_answer_write(exchange, wring_str(" last"))));
    EXPECT(is_done(wring_exchange_answer_end(exchange)));
}

void raw_app_event(void) {
    const wring_info info = {.tag = 2};
    EXPECT(is_done(wring_ref_post(events, &info, NULL)));
}

static void up_request(wring_exchange *exchange, const wring_request *request, void *opts) {
    (void)exchange;
    (void)request;
    (void)opts;
    raw_app_asked++;
}

static void up_body(wring_exchange *exchange, wring_bytes piece, bool is_last) {
    struct own *own = wring_exchange_user(exchange);
    char text[24];
    own->bytes += piece.len;
    if (is_last) {
        const int len = snprintf(text, sizeof text, "%zu", own->bytes);
        const wring_answer answer = {.struct_size = sizeof answer,
                                     .body = wring_bytes_of(text, (size_t)len)};
        EXPECT(is_done(wring_exchange_answer(exchange, &answer)));
    }
}

static void on_done(wring_exchange *exchange, const wring_exchange_end *end) {
    (void)exchange;
    (void)end;
    raw_app_done++;
}

void raw_app_answer(void) {
    const wring_answer answer = {.struct_size = sizeof answer, .body = wring_str("waited")};
    while (raw_app_waiting > 0) {
        EXPECT(is_done(wring_ref_answer(waiting[--raw_app_waiting], &answer)));
    }
}

/* ---- sessions -------------------------------------------------------------------------------- */

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    (void)session;
    (void)request;
    (void)opts;
    raw_app_live++;
    return WRING_CONTINUE;
}

static wring_verdict on_in(wring_session *session, const wring_message *message) {
    if (message->opcode != WRING_TEXT) {
        return WRING_CONTINUE;
    }
    if (wring_bytes_equal(message->payload, wring_str("pause"))) {
        paused = wring_session_ref(session);
        wring_session_pause(session);
        return WRING_CONTINUE;
    }
    const wring_frame frame = wring_frame_text(message->payload);
    EXPECT(is_done(wring_session_send(session, &frame)));
    return WRING_CONTINUE;
}

static wring_verdict on_info(wring_session *session, const wring_info *info) {
    (void)info;
    wring_session_resume(session);
    return WRING_CONTINUE;
}

static void on_terminate(wring_session *session, const wring_end *end) {
    (void)session;
    (void)end;
    raw_app_live--;
}

void raw_app_resume(void) {
    const wring_info info = {.tag = 1};
    EXPECT(is_done(wring_ref_post(paused, &info, NULL)));
}

/* ---- routes ---------------------------------------------------------------------------------- */

void raw_app_routes(wring_route routes[RAW_ROUTES]) {
    static const wring_http_handler now = {
        .struct_size = sizeof now, .name = "now", .request = now_request, .done = on_done};
    static const wring_http_handler wait = {
        .struct_size = sizeof wait, .name = "wait", .request = wait_request, .done = on_done};
    static const wring_http_handler big = {.struct_size = sizeof big,
                                           .name = "big",
                                           .state_size = sizeof(struct own),
                                           .request = big_request,
                                           .drained = big_write,
                                           .done = on_done};
    static const wring_http_handler up = {.struct_size = sizeof up,
                                          .name = "up",
                                          .state_size = sizeof(struct own),
                                          .request = up_request,
                                          .body = up_body,
                                          .done = on_done};
    static const wring_http_handler quiet = {.struct_size = sizeof quiet,
                                             .name = "events",
                                             .request = events_request,
                                             .info = events_info,
                                             .done = on_done};
    static const wring_handler echo = {.struct_size = sizeof echo,
                                       .name = "echo",
                                       .init = on_init,
                                       .handle_in = on_in,
                                       .handle_info = on_info,
                                       .terminate = on_terminate};
    const uint32_t size = sizeof(wring_route);
    raw_app_live = raw_app_asked = raw_app_done = raw_app_waiting = 0;
    paused = WRING_REF_NONE;
    routes[0] = (wring_route){.struct_size = size, .path = "/now", .methods = "*", .http = &now};
    routes[1] = (wring_route){.struct_size = size, .path = "/wait", .http = &wait};
    routes[2] = (wring_route){.struct_size = size, .path = "/big", .http = &big};
    routes[3] = (wring_route){.struct_size = size, .path = "/up", .methods = "POST", .http = &up};
    routes[5] = (wring_route){.struct_size = size, .path = "/events", .http = &quiet};
    routes[4] = (wring_route){.struct_size = size, .path = "/e", .handler = &echo};
}
