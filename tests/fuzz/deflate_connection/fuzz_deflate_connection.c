/* SPDX-License-Identifier: Apache-2.0
 *
 * Compressed connections. Either the input is what a peer sends to a machine that negotiated
 * permessage-deflate: fed whole, as the input cuts it, byte by byte, and over turns that each
 * inflate a few bytes; all of them have to tell and answer the same. Or it is a program for two
 * machines that talk to each other: every message arrives as it was sent.
 *
 *     flags | takeovers | windows | limit | cuts | bytes, or a program
 */
#include <stdlib.h>

#include "proto/deflate.h"
#include "proto/machine.h"
#include "tests/fuzz/fuzz.h"

enum { FLAG_CLIENT = 1, FLAG_PAIR = 2, FLAG_SMALL = 4 };

struct plan {
    uint8_t flags;
    wring_deflate_params params;
    wring_session_config config;
    wring_deflate_config deflate;
    fuzz_cuts cuts;
};

static wring_machine *machine_make(const struct plan *plan, wring_deflate *contexts,
                                   wring_role role) {
    const wring_machine_config config = {.struct_size = sizeof config,
                                         .role = role,
                                         .session = &plan->config,
                                         .deflate = contexts,
                                         .deflate_params = &plan->params};
    wring_machine *machine;
    FUZZ_CHECK(wring_machine_create(&config, &machine, NULL) == WRING_OK);
    FUZZ_CHECK(wring_machine_open(machine, 1) == WRING_OK);
    return machine;
}

static wring_deflate *contexts_make(const struct plan *plan) {
    wring_deflate *contexts;
    FUZZ_CHECK(wring_deflate_create(&plan->deflate, &contexts, NULL) == WRING_OK);
    return contexts;
}

/* ---- bytes of a peer --------------------------------------------------------------------------
 */

struct run {
    fuzz_log events;
    fuzz_log out;
    uint64_t turn; /* 0: without */
};

static void message_check(const struct plan *plan, const wring_message *message) {
    const bool data = message->opcode == WRING_TEXT || message->opcode == WRING_BINARY;
    const uint64_t max =
        plan->config.message_bytes_max == 0 ? UINT64_MAX : plan->config.message_bytes_max;
    FUZZ_CHECK(!data || message->payload.len <= max);
    FUZZ_CHECK(message->opcode != WRING_TEXT || fuzz_is_utf8(message->payload));
}

static void events_next(const struct plan *plan, struct run *run, wring_machine *machine) {
    wring_event event;
    while (wring_machine_next(machine, &event) == WRING_OK) {
        if (event.kind == WRING_EVENT_END) {
            const wring_end end = fuzz_machine_end(machine);
            fuzz_log_end(&run->events, &end);
            continue;
        }
        message_check(plan, &event.message);
        fuzz_log_message(&run->events, &event.message);
    }
}

/* What was fed is freed before the turn in which it is gone on with. */
static void events_take(const struct plan *plan, struct run *run, wring_machine *machine,
                        uint8_t *fed) {
    if (run->turn > 0) {
        wring__machine_turn(machine, ++run->turn);
    }
    events_next(plan, run, machine);
    free(fed);
    while (wring__machine_has_more(machine)) {
        FUZZ_CHECK(run->turn > 0);
        wring__machine_turn(machine, ++run->turn);
        wring__machine_pending_go_on(machine);
        events_next(plan, run, machine);
    }
}

static struct run run_make(const struct plan *plan, wring_bytes stream, const fuzz_cuts *how,
                           bool in_turns) {
    struct run run = {.turn = in_turns};
    fuzz_cuts cuts = how == NULL ? (fuzz_cuts){0} : *how;
    wring_deflate *contexts = contexts_make(plan);
    wring_machine *machine = machine_make(
        plan, contexts, (plan->flags & FLAG_CLIENT) != 0 ? WRING_ROLE_CLIENT : WRING_ROLE_SERVER);
    while (stream.len > 0) {
        const size_t len = how == NULL ? stream.len : fuzz_cuts_next(&cuts, stream.len);
        const wring_bytes piece = fuzz_take(&stream, len);
        uint8_t *copy = fuzz_copy(piece);
        FUZZ_CHECK(wring_machine_feed(machine, (wring_mut_bytes){copy, piece.len}, 2) == WRING_OK);
        events_take(plan, &run, machine, copy);
    }
    wring_machine_fail(machine, WRING_ERR_TRUNCATED);
    events_take(plan, &run, machine, NULL);
    for (wring_bytes out; (out = wring_machine_output(machine)).len > 0;) {
        fuzz_log_bytes(&run.out, out);
        wring_machine_sent(machine, out.len);
    }
    wring_machine_destroy(machine);
    wring_deflate_destroy(contexts);
    FUZZ_CHECK(wring__deflate_budget_used() == 0);
    return run;
}

static void run_free(struct run *run) {
    fuzz_log_free(&run->events);
    fuzz_log_free(&run->out);
}

static void bytes_run(const struct plan *plan, wring_bytes stream) {
    static const fuzz_cuts bytewise = {0};
    struct run whole = run_make(plan, stream, NULL, false);
    const fuzz_cuts *ways[] = {&plan->cuts, &bytewise, &plan->cuts, NULL};
    for (size_t i = 0; i < WRING_ARRAY_LEN(ways); i++) {
        struct run cut = run_make(plan, stream, ways[i], i >= 2);
        FUZZ_CHECK(fuzz_log_equal(&whole.events, &cut.events));
        FUZZ_CHECK(fuzz_log_equal(&whole.out, &cut.out));
        run_free(&cut);
    }
    run_free(&whole);
}

/* ---- two machines -----------------------------------------------------------------------------
 */

struct pair {
    const struct plan *plan;
    wring_machine *ends[2];
    wring_deflate *contexts[2]; /* each end on a thread of its own */
    fuzz_cuts cuts;
    uint64_t now;
};

/* What end `from` has queued arrives, in pieces; exactly one message, as it was sent. */
static void deliver(struct pair *pair, unsigned from, const wring_frame *sent) {
    wring_machine *to = pair->ends[1 - from];
    unsigned messages = 0;
    for (wring_bytes out; (out = wring_machine_output(pair->ends[from])).len > 0;) {
        const size_t len = fuzz_cuts_next(&pair->cuts, out.len);
        uint8_t *copy = fuzz_copy(wring_bytes_of(out.data, len));
        FUZZ_CHECK(wring_machine_feed(to, (wring_mut_bytes){copy, len}, pair->now) == WRING_OK);
        wring_event event;
        while (wring_machine_next(to, &event) == WRING_OK) {
            FUZZ_CHECK(event.kind == WRING_EVENT_MESSAGE && event.message.opcode == sent->opcode);
            FUZZ_CHECK(wring_bytes_equal(event.message.payload, sent->payload));
            messages++;
        }
        free(copy);
        wring_machine_sent(pair->ends[from], len);
    }
    FUZZ_CHECK(messages == 1);
}

/* A run of the input, repeated so that it is worth compressing. */
static void payload_take(fuzz_log *payload, wring_bytes *in) {
    const wring_bytes own = fuzz_take(in, fuzz_u8(in));
    const unsigned times = 1 + fuzz_u8(in) % 32;
    payload->len = 0;
    for (unsigned i = 0; i < times; i++) {
        fuzz_log_bytes(payload, own);
    }
}

static void pair_run(const struct plan *plan, wring_bytes in) {
    struct pair pair = {.plan = plan, .cuts = plan->cuts, .now = 1};
    fuzz_log payload = {0};
    for (unsigned i = 0; i < 2; i++) {
        pair.contexts[i] = contexts_make(plan);
        pair.ends[i] =
            machine_make(plan, pair.contexts[i], i == 0 ? WRING_ROLE_CLIENT : WRING_ROLE_SERVER);
    }
    for (unsigned steps = 0; in.len > 0 && steps < 64; steps++) {
        const uint8_t what = fuzz_u8(&in);
        const unsigned from = what & 1;
        if ((what & 0xE0) == 0xE0) { /* time passes */
            for (unsigned i = 0; i < 2; i++) {
                const uint64_t due = wring_machine_deadline_ns(pair.ends[i]);
                pair.now = due == UINT64_MAX || due < pair.now ? pair.now : due;
                wring_machine_expire(pair.ends[i], pair.now);
            }
            continue;
        }
        payload_take(&payload, &in);
        const wring_frame frame = {.opcode = WRING_BINARY,
                                   .compress = (what >> 1) % 3,
                                   .payload = wring_bytes_of(payload.data, payload.len)};
        FUZZ_CHECK(wring_machine_send(pair.ends[from], &frame) == WRING_OK);
        deliver(&pair, from, &frame);
    }
    for (unsigned i = 0; i < 2; i++) {
        wring_machine_destroy(pair.ends[i]);
        wring_deflate_destroy(pair.contexts[i]);
    }
    fuzz_log_free(&payload);
    FUZZ_CHECK(wring__deflate_budget_used() == 0);
}

/* ---- the target -------------------------------------------------------------------------------
 */

static struct plan plan_take(wring_bytes *in) {
    static const uint64_t limits[] = {0, 20, 300, 5000};
    struct plan plan = {.flags = fuzz_u8(in)};
    const uint8_t takeovers = fuzz_u8(in);
    const uint8_t bits = fuzz_u8(in);
    const uint64_t limit = limits[fuzz_u8(in) & 3];
    plan.params = (wring_deflate_params){(uint8_t)(8 + (bits & 7)), (uint8_t)(8 + (bits >> 4 & 7)),
                                         (takeovers & 1) != 0, (takeovers & 2) != 0, true};
    plan.params.server_no_context_takeover |= plan.params.server_max_window_bits == 8;
    plan.params.client_no_context_takeover |= plan.params.client_max_window_bits == 8;
    plan.config.struct_size = sizeof plan.config;
    plan.config.message_bytes_max = (plan.flags & FLAG_PAIR) != 0 ? 0 : limit;
    plan.deflate.struct_size = sizeof plan.deflate;
    plan.deflate.inflated_bytes_max = 100000;
    plan.deflate.message_bytes_min = (plan.flags & FLAG_SMALL) != 0 ? 1 : 0;
    plan.deflate.level = (takeovers & 4) != 0 ? 6 : 1;
    plan.cuts = fuzz_cuts_take(in);
    /* many large messages in turns of one byte would take too long */
    plan.deflate.inflate_turn_bytes = 1 + takeovers / 8 + in->len / 256;
    return plan;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    wring_bytes in = {data, len};
    const struct plan plan = plan_take(&in);
    if ((plan.flags & FLAG_PAIR) != 0) {
        pair_run(&plan, in);
    } else {
        bytes_run(&plan, in);
    }
    return 0;
}
