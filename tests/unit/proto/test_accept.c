/* SPDX-License-Identifier: Apache-2.0
 *
 * A session over an embedder's transport acts on what it is told as a server's session does; calls
 * of the embedder's from within callbacks: see wring/transport.h.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/base.h"
#include "wring/http.h"
#include "wring/transport.h"

static struct {
    wring_session *session;
    bool from_send;     /* the transport's send makes the calls, else the handler */
    bool end;           /* ... and says that the stream has ended */
    unsigned calls;     /* made from within a callback */
    unsigned sent;      /* bytes */
    unsigned asked;     /* for bytes */
    unsigned closed;    /* the transport's close */
    wring_end ended_by; /* as terminate was told */
} it;

static void call_all(void) {
    uint8_t byte[1] = {0x81};
    if (it.session == NULL) {
        return;
    }
    it.calls++;
    cr_assert_eq(wring_tick(it.session, 10), WRING_ERR_INVALID_STATE);
    cr_assert_eq(wring_flush(it.session, 10), WRING_ERR_INVALID_STATE);
    cr_assert_eq(wring_activate(it.session, 10), WRING_ERR_INVALID_STATE);
    cr_assert_eq(wring_transport_data(it.session, (wring_mut_bytes){byte, 1}, 10),
                 WRING_ERR_INVALID_STATE);
    if (it.end) {
        wring_transport_ended(it.session, WRING_ERR_TRANSPORT, 10);
    }
}

static wring_result on_send(void *handle, wring_bytes bytes) {
    (void)handle;
    it.sent += (unsigned)bytes.len;
    if (it.from_send) {
        call_all();
    }
    return WRING_OK;
}

static wring_result on_activate(void *handle) {
    (void)handle;
    it.asked++;
    call_all();
    return WRING_OK;
}

static void on_close(void *handle) {
    (void)handle;
    it.closed++;
}

static wring_verdict on_message(wring_session *session, const wring_message *message) {
    const wring_frame frame = {message->opcode, 0, message->payload};
    cr_assert_eq(wring_reply(session, &frame), WRING_OK);
    if (!it.from_send) {
        call_all();
    }
    return WRING_CONTINUE;
}

static void on_terminate(wring_session *session, const wring_end *end) {
    (void)session;
    it.ended_by = *end;
}

static const wring_transport transport = {
    .name = "test", .send = on_send, .activate = on_activate, .close = on_close};
static const wring_handler handler = {
    .name = "test", .handle_in = on_message, .terminate = on_terminate};

static wring_result message_give(void) {
    uint8_t frame[] = {0x81, 0x82, 0, 0, 0, 0, 'h', 'i'};
    return wring_transport_data(it.session, (wring_mut_bytes){frame, sizeof frame}, 5);
}

static void begin(bool from_send, bool end) {
    const wring_request request = {0};
    wring_session *session;
    memset(&it, 0, sizeof it);
    it.from_send = from_send;
    it.end = false;
    cr_assert_eq(wring_accept(&transport, NULL, &request, &handler, NULL, NULL, 1, &session, NULL),
                 WRING_OK);
    cr_assert_eq(wring_activate(session, 2), WRING_OK);
    it.session = session;
    it.end = end;
}

Test(accept, calls_from_within_a_callback_are_refused_and_the_session_goes_on) {
    for (int from_send = 0; from_send < 2; from_send++) {
        begin(from_send == 1, false);
        cr_assert_eq(message_give(), WRING_OK);
        cr_assert_eq(it.calls, 2, "of the callback and of activate");
        cr_assert_eq(it.sent, 4);
        cr_assert_eq(message_give(), WRING_OK);
        cr_assert_eq(it.sent, 8);
        cr_assert_eq(it.asked, 3);
        it.calls = 0;
        wring_session *session = it.session;
        it.session = NULL;
        wring_transport_ended(session, WRING_ERR_TRUNCATED, 9);
        cr_assert(it.closed == 1 && it.ended_by.result == WRING_ERR_TRUNCATED);
    }
}

Test(accept, an_end_told_from_within_a_callback_ends_the_session_after_it) {
    for (int from_send = 0; from_send < 2; from_send++) {
        begin(from_send == 1, true);
        cr_assert_eq(message_give(), WRING_ERR_CLOSED);
        cr_assert(it.closed == 1 && it.ended_by.result == WRING_ERR_TRANSPORT);
    }
}

/* ---- what is queued beyond a limit ----------------------------------------------------------- */

static uint8_t sent[65536];
static size_t sent_len;
static unsigned closes;

static wring_result sink_send(void *handle, wring_bytes bytes) {
    (void)handle;
    cr_assert(sent_len + bytes.len <= sizeof sent);
    memcpy(sent + sent_len, bytes.data, bytes.len);
    sent_len += bytes.len;
    return WRING_OK;
}

static wring_result sink_activate(void *handle) {
    (void)handle;
    return WRING_OK;
}

static void sink_close(void *handle) {
    (void)handle;
    closes++;
}

static const wring_transport sink = {
    .name = "sink", .send = sink_send, .activate = sink_activate, .close = sink_close};
static const wring_handler deaf = {.name = "deaf"};

static wring_session *accepted(void) {
    const wring_request request = {.path = wring_str("/")};
    wring_session *session = NULL;
    wring_error error;
    sent_len = 0;
    closes = 0;
    cr_assert_eq(wring_accept(&sink, NULL, &request, &deaf, NULL, NULL, 1, &session, &error),
                 WRING_OK);
    cr_assert_eq(wring_activate(session, 1), WRING_OK);
    return session;
}

/* RFC 6455 5.5.3: of many pings the latest must be answered, however many wait before it. */
Test(accept, the_latest_ping_of_a_flood_is_answered) {
    wring_session *session = accepted();
    uint8_t pings[100 * 10];
    for (unsigned i = 0; i < 100; i++) {
        uint8_t *at = pings + (size_t)10 * i;
        memcpy(at, (uint8_t[]){0x89, 0x84, 0, 0, 0, 0}, 6); /* masked by zeros */
        char digits[8];
        snprintf(digits, sizeof digits, "%04u", i);
        memcpy(at + 6, digits, 4);
    }
    const wring_mut_bytes bytes = {pings, sizeof pings};
    cr_assert_eq(wring_transport_data(session, bytes, 2), WRING_OK);
    cr_assert_geq(sent_len, 6u);
    cr_expect_arr_eq(sent + sent_len - 4, "0099", 4);
    wring_transport_ended(session, WRING_ERR_TRUNCATED, 3);
    cr_expect_eq(closes, 1u);
}
