/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls of the embedder's from within callbacks: see wring/transport.h.
 */
#include <criterion/criterion.h>

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
