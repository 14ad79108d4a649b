/* SPDX-License-Identifier: Apache-2.0
 *
 * A session over an embedder's transport acts on what it is told as a server's session does; calls
 * of the embedder's from within callbacks: see wring/embed.h.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/base.h"
#include "wring/embed.h"
#include "wring/http.h"

static struct {
    wring_embed *embed;
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
    if (it.embed == NULL) {
        return;
    }
    it.calls++;
    cr_assert_eq(wring_embed_expire(it.embed, 10), WRING_ERR_INVALID_STATE);
    cr_assert_eq(wring_embed_flush(it.embed, 10), WRING_ERR_INVALID_STATE);
    cr_assert_eq(wring_embed_activate(it.embed, 10), WRING_ERR_INVALID_STATE);
    cr_assert_eq(wring_embed_feed(it.embed, (wring_mut_bytes){byte, 1}, 10),
                 WRING_ERR_INVALID_STATE);
    if (it.end) {
        wring_embed_fail(it.embed, WRING_ERR_TRANSPORT, 10);
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
    const wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
    cr_assert_eq(wring_session_send(session, &frame), WRING_OK);
    if (!it.from_send) {
        call_all();
    }
    return WRING_CONTINUE;
}

static void on_terminate(wring_session *session, const wring_end *end) {
    (void)session;
    it.ended_by = *end;
}

static const wring_transport transport = {.struct_size = sizeof transport,
                                          .name = "test",
                                          .send = on_send,
                                          .activate = on_activate,
                                          .close = on_close};
static const wring_handler handler = {.struct_size = sizeof handler,
                                      .name = "test",
                                      .handle_in = on_message,
                                      .terminate = on_terminate};

static wring_result message_give(void) {
    uint8_t frame[] = {0x81, 0x82, 0, 0, 0, 0, 'h', 'i'};
    return wring_embed_feed(it.embed, (wring_mut_bytes){frame, sizeof frame}, 5);
}

static void begin(bool from_send, bool end) {
    const wring_embed_options options = {
        .struct_size = sizeof options, .transport = &transport, .handler = &handler};
    wring_embed *embed;
    memset(&it, 0, sizeof it);
    it.from_send = from_send;
    it.end = false;
    cr_assert_eq(wring_embed_accept(&options, 1, &embed, NULL), WRING_OK);
    cr_assert_eq(wring_embed_activate(embed, 2), WRING_OK);
    it.embed = embed;
    it.end = end;
}

Test(embed, calls_from_within_a_callback_are_refused_and_the_session_goes_on) {
    for (int from_send = 0; from_send < 2; from_send++) {
        begin(from_send == 1, false);
        cr_assert_eq(message_give(), WRING_OK);
        cr_assert_eq(it.calls, 2, "of the callback and of activate");
        cr_assert_eq(it.sent, 4);
        cr_assert_eq(message_give(), WRING_OK);
        cr_assert_eq(it.sent, 8);
        cr_assert_eq(it.asked, 3);
        it.calls = 0;
        wring_embed *embed = it.embed;
        it.embed = NULL;
        wring_embed_fail(embed, WRING_ERR_TRUNCATED, 9);
        cr_assert(it.closed == 1 && it.ended_by.result == WRING_ERR_TRUNCATED);
    }
}

Test(embed, an_end_told_from_within_a_callback_ends_the_session_after_it) {
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

static const wring_transport sink = {.struct_size = sizeof sink,
                                     .name = "sink",
                                     .send = sink_send,
                                     .activate = sink_activate,
                                     .close = sink_close};
static const wring_handler deaf = {.struct_size = sizeof deaf, .name = "deaf"};

/* Over the sink; NULL handler: deaf. */
static wring_embed *accepted(const wring_handler *of, const wring_session_config *session) {
    const wring_request request = {.struct_size = sizeof request, .path = wring_str("/")};
    const wring_embed_options options = {.struct_size = sizeof options,
                                         .transport = &sink,
                                         .handler = of == NULL ? &deaf : of,
                                         .request = &request,
                                         .session = session};
    wring_embed *embed = NULL;
    wring_error error;
    sent_len = 0;
    closes = 0;
    cr_assert_eq(wring_embed_accept(&options, 1, &embed, &error), WRING_OK);
    cr_assert_eq(wring_embed_activate(embed, 1), WRING_OK);
    return embed;
}

/* RFC 6455 5.5.3: of many pings the latest must be answered, however many wait before it. */
Test(embed, the_latest_ping_of_a_flood_is_answered) {
    wring_embed *embed = accepted(NULL, NULL);
    uint8_t pings[100 * 10];
    for (unsigned i = 0; i < 100; i++) {
        uint8_t *at = pings + (size_t)10 * i;
        memcpy(at, (uint8_t[]){0x89, 0x84, 0, 0, 0, 0}, 6); /* masked by zeros */
        char digits[8];
        snprintf(digits, sizeof digits, "%04u", i);
        memcpy(at + 6, digits, 4);
    }
    const wring_mut_bytes bytes = {pings, sizeof pings};
    cr_assert_eq(wring_embed_feed(embed, bytes, 2), WRING_OK);
    cr_assert_geq(sent_len, 6u);
    cr_expect_arr_eq(sent + sent_len - 4, "0099", 4);
    wring_embed_fail(embed, WRING_ERR_TRUNCATED, 3);
    cr_expect_eq(closes, 1u);
}

/* ---- what its handler is given --------------------------------------------------------------- */

static struct {
    unsigned inits;
    char peer[32];
    char path[32];
    uint32_t request_size;
    void *opts;       /* as init was given them */
    unsigned in_each; /* callbacks that found them at wring_session_opts */
    wring_end end;
    bool stops;   /* init wants the end */
    bool has_ref; /* something an embedder's session has not */
} told;

static void opts_see(const wring_session *session) {
    told.in_each += wring_session_opts(session) == &told;
    told.has_ref |= wring_session_ref(session) != WRING_REF_NONE ||
                    wring_session_loop(session) != WRING_LOOP_NONE ||
                    wring_session_server(session) != NULL || wring_session_client(session) != NULL;
}

static void text_keep(char to[32], wring_bytes text) {
    (void)snprintf(to, 32, "%.*s", (int)text.len, (const char *)text.data);
}

static wring_verdict told_init(wring_session *session, const wring_request *request, void *opts) {
    told.inits++;
    told.opts = opts;
    told.request_size = request->struct_size;
    text_keep(told.peer, request->peer);
    text_keep(told.path, request->path);
    opts_see(session);
    return told.stops ? WRING_STOP : WRING_CONTINUE;
}

static wring_verdict told_in(wring_session *session, const wring_message *message) {
    (void)message;
    opts_see(session);
    return WRING_CONTINUE;
}

static void told_terminate(wring_session *session, const wring_end *end) {
    opts_see(session);
    told.end = *end;
}

static const wring_handler telling = {.struct_size = sizeof telling,
                                      .name = "telling",
                                      .state_size = 24,
                                      .init = told_init,
                                      .handle_in = told_in,
                                      .terminate = told_terminate};

static bool sink_peername(void *stream, char *out, size_t cap) {
    (void)snprintf(out, cap, "%s", (const char *)stream);
    return true;
}

/* A session of the telling handler, over a sink that knows its peer. */
static wring_result telling_accept(const wring_request *request, wring_embed **out) {
    static char name[] = "10.0.0.1:5";
    wring_transport named = sink;
    named.peername = sink_peername;
    wring_handler handler_copied = telling;
    const wring_embed_options options = {.struct_size = sizeof options,
                                         .transport = &named,
                                         .stream = name,
                                         .handler = &handler_copied,
                                         .opts = &told,
                                         .request = request};
    memset(&told.end, 0, sizeof told.end);
    sent_len = 0;
    closes = 0;
    const wring_result result = wring_embed_accept(&options, 1, out, NULL);
    memset(&named, 0xFF, sizeof named); /* both were copied */
    memset(&handler_copied, 0xFF, sizeof handler_copied);
    return result;
}

Test(embed, opts_are_at_hand_in_every_callback_and_what_only_workers_have_is_not) {
    uint8_t frame[] = {0x81, 0x80, 0, 0, 0, 0};
    wring_embed *embed = NULL;
    memset(&told, 0, sizeof told);
    cr_assert_eq(telling_accept(NULL, &embed), WRING_OK);
    wring_session *session = wring_embed_session(embed);
    cr_expect_eq(wring_session_opts(session), &told);
    cr_expect_eq((uintptr_t)wring_session_user(session) % 16, 0u);
    cr_expect_eq(*(char *)wring_session_user(session), 0);
    cr_assert_eq(wring_embed_activate(embed, 1), WRING_OK);
    cr_assert_eq(wring_embed_feed(embed, (wring_mut_bytes){frame, sizeof frame}, 2), WRING_OK);
    wring_embed_fail(embed, WRING_ERR_TRUNCATED, 3);
    cr_expect_eq(told.in_each, 3, "init, handle_in, terminate");
    cr_expect_eq(told.opts, &told);
    cr_expect_not(told.has_ref);
    cr_expect_eq(told.end.struct_size, sizeof(wring_end));
    cr_expect_str_eq(told.end.text, wring_result_text(WRING_ERR_TRUNCATED));
    cr_expect_eq(closes, 1u);
}

Test(embed, no_request_is_an_empty_one_and_its_peer_is_asked_for) {
    const wring_request given = {
        .struct_size = sizeof given, .path = wring_str("/a"), .peer = wring_str("[::1]:9")};
    const struct {
        const wring_request *request;
        const char *path, *peer;
    } rows[] = {{NULL, "", "10.0.0.1:5"}, {&given, "/a", "[::1]:9"}};
    for (size_t i = 0; i < 2; i++) {
        wring_embed *embed = NULL;
        memset(&told, 0, sizeof told);
        cr_assert_eq(telling_accept(rows[i].request, &embed), WRING_OK);
        cr_expect_str_eq(told.path, rows[i].path);
        cr_expect_str_eq(told.peer, rows[i].peer);
        cr_expect_eq(told.request_size, sizeof(wring_request));
        wring_embed_fail(embed, WRING_ERR_TRUNCATED, 2);
    }
}

/* embed.h: a parsed request goes straight to the session. */
Test(embed, a_parsed_request_is_one_that_it_takes) {
    static const char head[] = "GET /chat HTTP/1.1\r\nHost: x\r\n\r\n";
    wring_header list[WRING_HTTP_FIELDS_MAX];
    wring_request request = {.struct_size = sizeof request};
    wring_embed *embed = NULL;
    size_t len;
    memset(&told, 0, sizeof told);
    cr_assert_eq(wring_h1_request_parse(wring_str(head), list, &request, &len), WRING_OK);
    cr_expect_eq(request.struct_size, sizeof request);
    cr_assert_eq(telling_accept(&request, &embed), WRING_OK);
    cr_expect_str_eq(told.path, "/chat");
    wring_embed_fail(embed, WRING_ERR_TRUNCATED, 2);
}

Test(embed, an_end_within_init_is_told_by_the_call) {
    wring_embed *embed = NULL;
    memset(&told, 0, sizeof told);
    told.stops = true;
    cr_expect_eq(telling_accept(NULL, &embed), WRING_ERR_CLOSED);
    cr_expect_null(embed);
    cr_expect_eq(closes, 1u);
    cr_expect_arr_eq(sent, "\x88\x02\x03\xe8", 4);
    cr_expect_str_eq(told.end.text, "closed with 1000 (normal)");
}

/* ---- outside of callbacks -------------------------------------------------------------------- */

Test(embed, what_is_sent_outside_a_callback_goes_out_with_the_flush) {
    wring_embed *embed = accepted(NULL, NULL);
    wring_session *session = wring_embed_session(embed);
    const wring_frame frames[] = {wring_frame_text(wring_str("a")),
                                  wring_frame_binary(wring_str("bc"))};
    cr_assert_eq(wring_session_send(session, &frames[0]), WRING_OK);
    cr_assert_eq(wring_session_send_list(session, frames, 2), WRING_OK);
    cr_expect_eq(sent_len, 0u);
    cr_expect_eq(wring_session_queued_bytes(session), 10u);
    cr_assert_eq(wring_embed_flush(embed, 2), WRING_OK);
    cr_expect_eq(wring_session_queued_bytes(session), 0u);
    cr_assert_eq(sent_len, 10u);
    cr_expect_arr_eq(sent,
                     "\x81\x01"
                     "a\x81\x01"
                     "a\x82\x02"
                     "bc",
                     10);
    wring_session_pause(session); /* does nothing to an embedder's */
    cr_assert_eq(wring_embed_activate(embed, 2), WRING_ERR_INVALID_STATE, "the second time");
    wring_embed_fail(embed, WRING_ERR_TRUNCATED, 3);
}

Test(embed, a_close_from_outside_waits_for_the_peer_until_its_deadline) {
    const wring_session_config config = {.struct_size = sizeof config, .close_timeout_ms = 40};
    uint8_t answer[] = {0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9};
    for (int answered = 0; answered < 2; answered++) {
        memset(&told, 0, sizeof told);
        wring_embed *embed = accepted(&telling, &config);
        cr_expect_eq(wring_embed_deadline_ns(embed), UINT64_MAX);
        wring_session_close(wring_embed_session(embed), 1001, wring_str(""));
        cr_assert_eq(wring_embed_flush(embed, 5), WRING_OK);
        cr_expect_arr_eq(sent, "\x88\x02\x03\xe9", 4);
        const uint64_t due = wring_embed_deadline_ns(embed);
        cr_expect_eq(due, 5 + 40 * WRING_NS_PER_MS);
        cr_assert_eq(wring_embed_expire(embed, due - 1), WRING_OK);
        if (answered == 1) {
            cr_assert_eq(wring_embed_feed(embed, (wring_mut_bytes){answer, sizeof answer}, due),
                         WRING_ERR_CLOSED);
            cr_expect_str_eq(told.end.text, "closed with 1001 (going_away)");
        } else {
            cr_assert_eq(wring_embed_expire(embed, due), WRING_ERR_CLOSED);
            cr_expect_str_eq(told.end.text, "no close frame within 40 ms");
        }
        cr_expect_eq(closes, 1u);
    }
}

Test(embed, bytes_before_the_hand_over_are_refused) {
    const wring_embed_options options = {
        .struct_size = sizeof options, .transport = &sink, .handler = &deaf};
    uint8_t byte[1] = {0x81};
    wring_embed *embed;
    cr_assert_eq(wring_embed_accept(&options, 1, &embed, NULL), WRING_OK);
    cr_expect_eq(wring_embed_feed(embed, (wring_mut_bytes){byte, 1}, 1), WRING_ERR_INVALID_STATE);
    wring_embed_fail(embed, WRING_ERR_TRUNCATED, 2);
}
