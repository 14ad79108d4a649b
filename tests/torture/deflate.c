/* SPDX-License-Identifier: Apache-2.0
 *
 * permessage-deflate of an embedder: two sessions that talk, each end with contexts of its own.
 * What it costs in a server and its clients is in world.c.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/session.h"
#include "tests/torture/torture.h"

#define MESSAGES 4
#define LONGEST  5000

struct end {
    wring_deflate *contexts;
    wring_session *session;
    wring_result ended; /* WRING_MORE: it is not */
    unsigned received;
};

static uint8_t text[LONGEST + MESSAGES];

static wring_frame message_of(unsigned i) {
    static const size_t sizes[MESSAGES] = {40, LONGEST, 1, 900};
    const wring_frame frame = {WRING_TEXT, WRING_COMPRESS, wring_bytes_of(text + i, sizes[i])};
    return frame;
}

static wring_result end_begin(struct end *end, wring_role role, bool takeover) {
    const wring_deflate_config contexts = {.struct_size = sizeof contexts,
                                           .takeover_idle_ms = 1,
                                           .inflate_turn_bytes = 300,
                                           .compress_turn_bytes = 250};
    const wring_deflate_params params = {15, 15, !takeover, !takeover, false};
    wring_error error = {0};
    *end = (struct end){.ended = WRING_MORE};
    wring_result result = wring_deflate_create(&contexts, &end->contexts, &error);
    if (result == WRING_OK) {
        const wring_session_config config = {.struct_size = sizeof config,
                                             .role = role,
                                             .deflate = end->contexts,
                                             .deflate_params = &params};
        result = wring_session_create(&config, &end->session, &error);
    }
    CHECK(result == WRING_OK || (error.code == result && error.text[0] != 0));
    return result == WRING_OK ? wring_session_open(end->session, 1) : result;
}

static void events_take(struct end *end) {
    wring_event event;
    while (wring_session_next(end->session, &event) == WRING_OK) {
        if (event.kind == WRING_EVENT_END) {
            end->ended = event.end.result;
            continue;
        }
        if (event.message.opcode == WRING_TEXT) {
            const wring_frame want = message_of(end->received++);
            CHECK(wring_bytes_equal(event.message.payload, want.payload));
        }
    }
}

/* What `from` has to say arrives, and is compressed and inflated over turns. */
static wring_result carry(struct end *from, struct end *to, uint64_t *turn) {
    while (wring__session_has_more(from->session)) {
        wring__session_turn(from->session, ++*turn);
        wring__session_pending_go_on(from->session);
        events_take(from);
    }
    if (from->ended != WRING_MORE) {
        return from->ended;
    }
    for (wring_bytes out; (out = wring_session_output(from->session)).len > 0;) {
        uint8_t copy[97];
        const size_t len = out.len < sizeof copy ? out.len : sizeof copy;
        memcpy(copy, out.data, len);
        wring__session_turn(to->session, ++*turn);
        CHECK(wring_session_feed(to->session, (wring_mut_bytes){copy, len}, *turn) == WRING_OK);
        events_take(to);
        while (wring__session_has_more(to->session)) {
            wring__session_turn(to->session, ++*turn);
            events_take(to);
        }
        wring_session_sent(from->session, len);
        if (to->ended != WRING_MORE) {
            return to->ended;
        }
    }
    return WRING_OK;
}

static wring_result talk(struct end *a, struct end *b) {
    uint64_t turn = 0;
    uint64_t now = 1;
    wring__session_turn(a->session, ++turn); /* from now on turns are told of */
    wring__session_turn(b->session, ++turn);
    for (unsigned i = 0; i < 2 * MESSAGES; i++) {
        struct end *from = i % 2 == 0 ? a : b;
        struct end *to = i % 2 == 0 ? b : a;
        const wring_frame frame = message_of(i / 2);
        wring_result result = wring_session_send(from->session, &frame);
        if (result == WRING_OK) {
            result = carry(from, to, &turn);
        }
        if (result != WRING_OK) {
            return result;
        }
        now += 2000000000; /* contexts that rest go, their windows stay */
        wring_session_expire(a->session, now);
        wring_session_expire(b->session, now);
    }
    CHECK(a->received == MESSAGES && b->received == MESSAGES);
    return WRING_OK;
}

static wring_result run(bool takeover) {
    struct end a, b = {0};
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (uint8_t)('a' + i * i % 23);
    }
    wring_result result = end_begin(&a, WRING_ROLE_CLIENT, takeover);
    if (result == WRING_OK) {
        result = end_begin(&b, WRING_ROLE_SERVER, takeover);
    }
    if (result == WRING_OK) {
        result = talk(&a, &b);
    }
    wring_session_destroy(a.session);
    wring_session_destroy(b.session);
    wring_deflate_destroy(a.contexts);
    wring_deflate_destroy(b.contexts);
    CHECK(wring__deflate_budget_used() == 0);
    return result;
}

static wring_result shared_contexts(void) {
    return run(false);
}

static wring_result own_contexts(void) {
    return run(true);
}

const torture_case torture_deflate[] = {
    {"compression", shared_contexts, true},
    {"compression, takeover", own_contexts, true},
    {0},
};
