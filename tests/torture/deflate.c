/* SPDX-License-Identifier: Apache-2.0
 *
 * permessage-deflate of an embedder: two machines that talk, each end with contexts of its own.
 * What it costs in a server and its clients is in world.c.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/machine.h"
#include "tests/torture/torture.h"

#define MESSAGES 4
#define LONGEST  5000

struct end {
    wring_deflate *contexts;
    wring_machine *machine;
    wring_result ended; /* WRING_MORE: it is not */
    unsigned received;
};

static uint8_t text[LONGEST + MESSAGES];

static wring_frame message_of(unsigned i) {
    static const size_t sizes[MESSAGES] = {40, LONGEST, 1, 900};
    const wring_frame frame = {.opcode = WRING_TEXT,
                               .compress = WRING_COMPRESS_ALWAYS,
                               .payload = wring_bytes_of(text + i, sizes[i])};
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
        const wring_machine_config config = {.struct_size = sizeof config,
                                             .role = role,
                                             .deflate = end->contexts,
                                             .deflate_params = &params};
        result = wring_machine_create(&config, &end->machine, &error);
    }
    CHECK(result == WRING_OK || (error.code == result && error.text[0] != 0));
    return result == WRING_OK ? wring_machine_open(end->machine, 1) : result;
}

static void events_take(struct end *end) {
    wring_event event;
    while (wring_machine_next(end->machine, &event) == WRING_OK) {
        if (event.kind == WRING_EVENT_END) {
            wring_end ended = {.struct_size = sizeof ended};
            CHECK(wring_machine_get_end(end->machine, &ended) == WRING_OK);
            end->ended = ended.result;
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
    while (wring__machine_has_more(from->machine)) {
        wring__machine_turn(from->machine, ++*turn);
        wring__machine_pending_go_on(from->machine);
        events_take(from);
    }
    if (from->ended != WRING_MORE) {
        return from->ended;
    }
    for (wring_bytes out; (out = wring_machine_output(from->machine)).len > 0;) {
        uint8_t copy[97];
        const size_t len = out.len < sizeof copy ? out.len : sizeof copy;
        memcpy(copy, out.data, len);
        wring__machine_turn(to->machine, ++*turn);
        CHECK(wring_machine_feed(to->machine, (wring_mut_bytes){copy, len}, *turn) == WRING_OK);
        events_take(to);
        while (wring__machine_has_more(to->machine)) {
            wring__machine_turn(to->machine, ++*turn);
            events_take(to);
        }
        wring_machine_sent(from->machine, len);
        if (to->ended != WRING_MORE) {
            return to->ended;
        }
    }
    return WRING_OK;
}

static wring_result talk(struct end *a, struct end *b) {
    uint64_t turn = 0;
    uint64_t now = 1;
    wring__machine_turn(a->machine, ++turn); /* from now on turns are told of */
    wring__machine_turn(b->machine, ++turn);
    for (unsigned i = 0; i < 2 * MESSAGES; i++) {
        struct end *from = i % 2 == 0 ? a : b;
        struct end *to = i % 2 == 0 ? b : a;
        const wring_frame frame = message_of(i / 2);
        wring_result result = wring_machine_send(from->machine, &frame);
        if (result == WRING_OK) {
            result = carry(from, to, &turn);
        }
        if (result != WRING_OK) {
            return result;
        }
        now += 2000000000; /* contexts that rest go, their windows stay */
        wring_machine_expire(a->machine, now);
        wring_machine_expire(b->machine, now);
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
    wring_machine_destroy(a.machine);
    wring_machine_destroy(b.machine);
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
