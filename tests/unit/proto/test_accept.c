/* SPDX-License-Identifier: Apache-2.0
 *
 * A session over an embedder's transport: what it is told, it acts on as a server's session does.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/base.h"
#include "wring/http.h"
#include "wring/transport.h"

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
