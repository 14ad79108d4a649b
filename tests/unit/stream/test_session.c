/* SPDX-License-Identifier: Apache-2.0
 *
 * What every callback of a session finds at hand, at a server and at a client.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/unit/stream/world.h"

#define LARGE 200000 /* above the soft mark, and more than the pipe takes */

enum callback { INIT, IN, INFO, DRAINED, TERMINATE, CALLBACKS };

struct side {
    world *w;
    bool is_server;
    unsigned calls[CALLBACKS];
    wring_ref ref;
    wring_end end;
};

static struct side server_side, client_side;
static world w;

/* Every callback comes through here, with the session alone to know its side by. */
static struct side *seen(wring_session *session, enum callback callback) {
    struct side *side = wring_session_opts(session);
    cr_assert(side == &server_side || side == &client_side);
    side->calls[callback]++;
    side->ref = wring_session_ref(session);
    cr_expect_neq(side->ref, WRING_REF_NONE);
    cr_expect_neq(wring_session_loop(session), WRING_LOOP_NONE);
    cr_expect_eq(wring_session_server(session), side->is_server ? w.server : NULL);
    cr_expect_eq(wring_session_client(session), side->is_server ? NULL : w.client);
    char *state = wring_session_user(session);
    cr_expect_eq((uintptr_t)state % 16, 0u);
    cr_expect_eq(*state, callback == INIT ? 0 : 'x');
    *state = 'x';
    return side;
}

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    struct side *side = seen(session, INIT);
    cr_expect_eq(opts, side);
    cr_expect_eq(request->struct_size, sizeof *request);
    cr_expect_eq(request->server, side->is_server ? w.server : NULL);
    return WRING_CONTINUE;
}

static wring_verdict on_in(wring_session *session, const wring_message *message) {
    const struct side *side = seen(session, IN);
    if (side->is_server && message->opcode == WRING_TEXT) {
        static const uint8_t large[LARGE];
        const wring_frame frame = wring_frame_binary(wring_bytes_of(large, sizeof large));
        cr_expect_eq(wring_session_send(session, &frame), WRING_OK);
    }
    return WRING_CONTINUE;
}

static wring_verdict on_info(wring_session *session, const wring_info *info) {
    cr_expect_eq(info->tag, 7u);
    (void)seen(session, INFO);
    return WRING_CONTINUE;
}

static wring_verdict on_drained(wring_session *session) {
    (void)seen(session, DRAINED);
    return WRING_CONTINUE;
}

static void on_terminate(wring_session *session, const wring_end *end) {
    struct side *side = seen(session, TERMINATE);
    side->end = *end;
}

static const wring_handler handler = {.struct_size = sizeof handler,
                                      .name = "both",
                                      .state_size = 1,
                                      .init = on_init,
                                      .handle_in = on_in,
                                      .handle_info = on_info,
                                      .terminate = on_terminate,
                                      .drained = on_drained};

static bool both_are_open(void) {
    return server_side.calls[INIT] == 1 && client_side.calls[INIT] == 1;
}

static bool large_came(void) {
    return client_side.calls[IN] == 1 && server_side.calls[DRAINED] > 0;
}

static bool both_are_over(void) {
    return server_side.calls[TERMINATE] == 1 && client_side.calls[TERMINATE] == 1;
}

static void begin(void) {
    static const wring_policy policy = {.struct_size = sizeof policy, .send_soft_bytes = 1000};
    const world_config config = {.of_server = &handler,
                                 .server_opts = &server_side,
                                 .policy = &policy,
                                 .of_client = &handler,
                                 .client_opts = &client_side};
    server_side = (struct side){.is_server = true};
    client_side = (struct side){.is_server = false};
    w = world_begin(&config);
    world_run(&w, both_are_open);
}

Test(session, opts_and_state_are_at_hand_in_every_callback) {
    const wring_info info = {7, NULL};
    const wring_frame ask = wring_frame_text(wring_str("large"));
    begin();
    cr_assert_eq(wring_ref_post(server_side.ref, &info, NULL), WRING_OK);
    cr_assert_eq(wring_ref_post(client_side.ref, &info, NULL), WRING_OK);
    cr_assert_eq(wring_ref_send(client_side.ref, &ask, 1), WRING_OK);
    world_run(&w, large_came);
    cr_assert_eq(wring_ref_close(client_side.ref, 1001, wring_str("away")), WRING_OK);
    world_run(&w, both_are_over);
    for (unsigned i = 0; i < CALLBACKS; i++) {
        cr_expect_gt(server_side.calls[i], 0u, "callback %u of the server", i);
        cr_expect_eq(client_side.calls[i] > 0, i != DRAINED, "callback %u of the client", i);
    }
    world_end(&w);
}

Test(session, both_ends_are_told_the_end_as_a_sentence) {
    begin();
    cr_assert_eq(wring_ref_close(client_side.ref, 1001, wring_str("away")), WRING_OK);
    world_run(&w, both_are_over);
    cr_expect_eq(server_side.end.struct_size, sizeof(wring_end));
    cr_expect_str_eq(server_side.end.text, "closed by the peer with 1001 (going_away)");
    cr_expect_str_eq(client_side.end.text, "closed with 1001 (going_away)");
    world_end(&w);
}
