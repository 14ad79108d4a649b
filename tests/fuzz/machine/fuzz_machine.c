/* SPDX-License-Identifier: Apache-2.0
 *
 * A machine in either role. The input is either the bytes of a peer, or a list of messages that
 * are framed here, and then the events are known beforehand. They are fed whole, byte by byte and
 * as the input cuts them; all three have to tell and answer the same.
 *
 *     flags, limits | cuts | where the application closes, its code | bytes or messages
 */
#include <stdlib.h>

#include "proto/machine.h"
#include "tests/fuzz/fuzz.h"

enum {
    FLAG_CLIENT = 1,
    FLAG_IANA = 2,
    FLAG_BUILD = 4,  /* messages, not bytes */
    FLAG_CLOSE = 8,  /* the application closes somewhere */
    FLAG_BREAK = 16, /* the stream breaks; else it ends */
};

struct plan {
    wring_role role;
    wring_session_config config;
    uint8_t flags;
    fuzz_cuts cuts;
    size_t close_at;
    uint16_t close_code;
    wring_bytes stream;
};

struct run {
    const struct plan *plan;
    wring_machine *machine;
    fuzz_log events;
    fuzz_log pings; /* those that have to be answered, as pongs */
    fuzz_log out;
    uint64_t received;
    bool close_asked;
    bool closed; /* the peer's close was shown */
    bool ended;
};

/* ---- what holds at any time ------------------------------------------------------------------ */

static void message_check(struct run *run, const wring_message *message) {
    const wring_session_config *config = &run->machine->common->config;
    FUZZ_CHECK(!run->ended && !run->closed);
    FUZZ_CHECK(message->payload.len <= run->received);
    switch (message->opcode) {
    case WRING_TEXT:
        FUZZ_CHECK(fuzz_is_utf8(message->payload));
        FUZZ_CHECK(message->payload.len <= config->message_bytes_max);
        break;
    case WRING_BINARY:
        FUZZ_CHECK(message->payload.len <= config->message_bytes_max);
        break;
    case WRING_PING:
        FUZZ_CHECK(message->payload.len <= WRING_CONTROL_PAYLOAD_MAX);
        if (!run->close_asked) {
            wring_message pong = {WRING_PONG, 0, message->payload};
            fuzz_log_message(&run->pings, &pong);
        }
        break;
    case WRING_PONG:
        FUZZ_CHECK(message->payload.len <= WRING_CONTROL_PAYLOAD_MAX);
        break;
    case WRING_CLOSE:
        FUZZ_CHECK(message->payload.len <= WRING_CLOSE_REASON_MAX);
        FUZZ_CHECK(fuzz_is_utf8(message->payload));
        FUZZ_CHECK(message->close_code == WRING_CLOSE_NO_STATUS ||
                   (config->allow_iana_close_codes
                        ? wring_close_valid_on_wire_iana(message->close_code)
                        : wring_close_valid_on_wire(message->close_code)));
        run->closed = true;
        break;
    case WRING_CONTINUATION:
        FUZZ_CHECK(message->opcode != WRING_CONTINUATION);
    }
}

static void out_take(struct run *run) {
    for (wring_bytes out; (out = wring_machine_output(run->machine)).len > 0;) {
        size_t taken = out.len > 3 ? out.len - out.len / 3 : out.len; /* a stream takes less */
        fuzz_log_bytes(&run->out, wring_bytes_of(out.data, taken));
        wring_machine_sent(run->machine, taken);
    }
    /* at most a pong a ping, which a client's masking makes four bytes longer, and a close frame */
    FUZZ_CHECK(run->out.len <= 3 * run->received + WRING_CONTROL_PAYLOAD_MAX + 6);
}

static void events_take(struct run *run) {
    wring_event event;
    while (wring_machine_next(run->machine, &event) == WRING_OK) {
        if (event.kind == WRING_EVENT_MESSAGE) {
            message_check(run, &event.message);
            fuzz_log_message(&run->events, &event.message);
            out_take(run); /* so that no pong waits, and each ping has its own */
            continue;
        }
        FUZZ_CHECK(!run->ended);
        const wring_end end = fuzz_machine_end(run->machine);
        FUZZ_CHECK(run->closed == (end.result == WRING_OK));
        FUZZ_CHECK(wring_machine_get_state(run->machine) == WRING_MACHINE_CLOSED);
        fuzz_log_end(&run->events, &end);
        run->ended = true;
    }
}

/* Memory follows the bytes received, and a machine between messages holds none. */
static void memory_check(const struct run *run) {
    const wring_machine *s = run->machine;
    FUZZ_CHECK(s->in_len == 0);
    const wring__rx *rx = s->rx;
    const wring_session_config *config = &s->common->config;
    if (rx == NULL) {
        return;
    }
    FUZZ_CHECK(s->state == WRING_MACHINE_OPEN || s->state == WRING_MACHINE_CLOSING);
    FUZZ_CHECK(rx->assembly_cap <= 256 || rx->assembly_cap <= 2 * run->received);
    FUZZ_CHECK(rx->assembly_len <= config->message_bytes_max);
    FUZZ_CHECK(rx->fragment_bytes <= config->fragment_bytes_max);
    bool idle = rx->phase == WRING__RX_HEADER && rx->message_opcode == 0;
    FUZZ_CHECK(!idle || (rx->header_len > 0 && rx->assembly == NULL && rx->control == NULL));
}

/* ---- one run --------------------------------------------------------------------------------- */

static void feed(struct run *run, wring_bytes piece) {
    uint8_t *copy = fuzz_copy(piece);
    wring_mut_bytes bytes = {copy, piece.len};
    run->received += piece.len;
    FUZZ_CHECK(wring_machine_feed(run->machine, bytes, 2) == WRING_OK);
    events_take(run);
    free(copy);
    memory_check(run);
    out_take(run);
}

static void feed_cut(struct run *run, wring_bytes stream, const fuzz_cuts *how) {
    fuzz_cuts cuts = how == NULL ? (fuzz_cuts){0} : *how;
    size_t scale = 1 + run->plan->stream.len / 1000; /* a few hundred pieces say enough */
    while (stream.len > 0) {
        size_t len = how == NULL ? stream.len : fuzz_cuts_next(&cuts, stream.len) * scale;
        feed(run, fuzz_take(&stream, len));
    }
}

static void application_closes(struct run *run) {
    bool first = wring_machine_get_state(run->machine) == WRING_MACHINE_OPEN;
    wring_machine_close(run->machine, run->plan->close_code, wring_str("enough"));
    run->close_asked = run->close_asked || first;
    wring_frame frame = wring_frame_text(wring_str("late"));
    FUZZ_CHECK(wring_machine_send(run->machine, &frame) == WRING_ERR_CLOSED);
    events_take(run);
    out_take(run);
}

/* After the end nothing is told, taken or sent. */
static void end_check(struct run *run) {
    wring_event event;
    uint8_t ping[6] = {0x89, 0x80, 0, 0, 0, 0};
    wring_mut_bytes bytes = {ping, sizeof ping};
    wring_frame frame = wring_frame_text(wring_str("late"));
    FUZZ_CHECK(run->ended);
    FUZZ_CHECK(wring_machine_feed(run->machine, bytes, 3) == WRING_OK);
    wring_machine_fail(run->machine, WRING_ERR_TRUNCATED);
    wring_machine_close(run->machine, 1000, wring_str(""));
    FUZZ_CHECK(wring_machine_send(run->machine, &frame) == WRING_ERR_CLOSED);
    FUZZ_CHECK(wring_machine_next(run->machine, &event) == WRING_MORE);
    FUZZ_CHECK(wring_machine_deadline_ns(run->machine) == WRING_TIME_NEVER);
    FUZZ_CHECK(wring_machine_is_finished(run->machine));
    FUZZ_CHECK(wring_machine_output(run->machine).len == 0);
}

/* `cuts` NULL: whole. */
static struct run run_make(const struct plan *plan, const fuzz_cuts *cuts) {
    struct run run = {.plan = plan, .machine = fuzz_machine_open(plan->role, &plan->config)};
    wring_bytes rest = plan->stream;
    feed_cut(&run, fuzz_take(&rest, plan->close_at), cuts);
    if ((plan->flags & FLAG_CLOSE) != 0) {
        application_closes(&run);
    }
    feed_cut(&run, rest, cuts);
    if ((plan->flags & FLAG_BREAK) != 0) {
        wring_machine_fail(run.machine, WRING_ERR_TRANSPORT);
    } else {
        wring_machine_fail(run.machine, WRING_ERR_TRUNCATED);
    }
    events_take(&run);
    out_take(&run);
    end_check(&run);
    memory_check(&run);
    fuzz_wire wire = fuzz_wire_read(plan->role, wring_bytes_of(run.out.data, run.out.len), false);
    FUZZ_CHECK(wire.messages.len == 0 && wire.pings == 0);
    FUZZ_CHECK(fuzz_log_equal(&wire.pongs, &run.pings));
    FUZZ_CHECK(wire.closed || !(run.closed || run.close_asked));
    fuzz_wire_free(&wire);
    wring_machine_destroy(run.machine);
    return run;
}

static void run_free(struct run *run) {
    fuzz_log_free(&run->events);
    fuzz_log_free(&run->pings);
    fuzz_log_free(&run->out);
}

/* ---- messages -------------------------------------------------------------------------------- */

struct build {
    wring_role reader;
    fuzz_log stream;
    fuzz_log events; /* what has to come of it */
    fuzz_log payload;
    uint32_t key;
    bool closed;
};

/* A length, then as many bytes of the input; the largest stand for lengths of 16 and 64 bits.
 * A text is made legal. */
static void payload_take(struct build *build, wring_bytes *in, bool text) {
    size_t len = fuzz_u8(in);
    size_t filler = len < 250 ? 0 : len == 255 ? 70000 : (len - 249) * 700;
    wring_bytes own = fuzz_take(in, len);
    build->payload.len = 0;
    for (size_t i = 0; i < own.len; i++) {
        uint8_t pair[2] = {own.data[i], 0x80 | (own.data[i] & 0x3F)};
        bool two = text && own.data[i] >= 0x80; /* U+00C0 to U+00FF */
        pair[0] = two ? 0xC3 : own.data[i];
        fuzz_log_bytes(&build->payload, wring_bytes_of(pair, two ? 2 : 1));
    }
    for (size_t i = 0; i < filler; i += 10) {
        fuzz_log_bytes(&build->payload, wring_str("0123456789"));
    }
}

static void frame_add(struct build *build, uint8_t first, wring_bytes payload) {
    build->key = build->key * 69069 + 1;
    fuzz_frame_write(&build->stream, build->reader, first, payload, build->key);
}

static void build_event(struct build *build, wring_opcode opcode, wring_bytes payload) {
    wring_message message = {opcode, 0, payload};
    fuzz_log_message(&build->events, &message);
}

/* In as many fragments as the input says, with a ping between two. */
static void fragments_add(struct build *build, wring_bytes *in, uint8_t opcode) {
    payload_take(build, in, opcode == WRING_TEXT);
    wring_bytes left = wring_bytes_of(build->payload.data, build->payload.len);
    unsigned count = fuzz_u8(in) & 7;
    for (unsigned i = 0; i < count; i++) {
        uint8_t first = i == 0 ? opcode : WRING_CONTINUATION;
        frame_add(build, first, fuzz_take(&left, fuzz_u8(in)));
        if (i == 1) {
            frame_add(build, WRING__FIN | WRING_PING, wring_str("between"));
            build_event(build, WRING_PING, wring_str("between"));
        }
    }
    frame_add(build, WRING__FIN | (count == 0 ? opcode : WRING_CONTINUATION), left);
    build_event(build, (wring_opcode)opcode,
                wring_bytes_of(build->payload.data, build->payload.len));
}

static void close_add(struct build *build, wring_bytes *in) {
    static const uint16_t codes[] = {0, 1000, 1001, 1003, 1007, 1011, 3000, 4999};
    uint8_t payload[WRING_CONTROL_PAYLOAD_MAX];
    uint16_t code = codes[fuzz_u8(in) & 7];
    payload_take(build, in, true);
    size_t len = code == 0 ? 0 : 2 + wring__min_size(build->payload.len, 100);
    while (len > 2 && !fuzz_is_utf8(wring_bytes_of(build->payload.data, len - 2))) {
        len--;
    }
    wring__store_be16(payload, code);
    if (len > 2) {
        memcpy(payload + 2, build->payload.data, len - 2);
    }
    frame_add(build, WRING__FIN | WRING_CLOSE, wring_bytes_of(payload, len));
    code = code == 0 ? WRING_CLOSE_NO_STATUS : code;
    wring_message message = {WRING_CLOSE, code, wring_bytes_of(payload + 2, len < 2 ? 0 : len - 2)};
    fuzz_log_message(&build->events, &message);
    const wring_end end = {.result = WRING_OK, .close_code = code, .by_peer = true};
    fuzz_log_end(&build->events, &end);
    build->closed = true;
}

static void messages_build(struct build *build, wring_bytes in) {
    while (in.len > 0 && !build->closed && build->stream.len < 150000) {
        uint8_t op = fuzz_u8(&in) % 7;
        switch (op) {
        case 0:
        case 1: {
            uint8_t opcode = op == 0 ? WRING_TEXT : WRING_BINARY;
            payload_take(build, &in, op == 0);
            wring_bytes payload = wring_bytes_of(build->payload.data, build->payload.len);
            frame_add(build, WRING__FIN | opcode, payload);
            build_event(build, (wring_opcode)opcode, payload);
            break;
        }
        case 2:
        case 3: {
            uint8_t opcode = op == 2 ? WRING_PING : WRING_PONG;
            wring_bytes payload = fuzz_take(&in, fuzz_u8(&in) % 126);
            frame_add(build, WRING__FIN | opcode, payload);
            build_event(build, (wring_opcode)opcode, payload);
            break;
        }
        case 4:
            fragments_add(build, &in, WRING_TEXT);
            break;
        case 5:
            fragments_add(build, &in, WRING_BINARY);
            break;
        default:
            close_add(build, &in);
        }
    }
}

/* ---- the target ------------------------------------------------------------------------------ */

static struct plan plan_take(wring_bytes *in) {
    static const struct {
        uint64_t frame, message, fragments;
    } limits[] = {{0, 0, 0},
                  {200, 300, 1000},
                  {10, 1000, 600},
                  {1000, 20, 0},
                  {WRING_UNLIMITED, WRING_UNLIMITED, WRING_UNLIMITED}};
    struct plan plan = {.flags = fuzz_u8(in)};
    size_t limit = fuzz_u8(in) % WRING_ARRAY_LEN(limits);
    plan.config.struct_size = sizeof plan.config;
    plan.role = (plan.flags & FLAG_CLIENT) != 0 ? WRING_ROLE_CLIENT : WRING_ROLE_SERVER;
    plan.config.allow_iana_close_codes = (plan.flags & FLAG_IANA) != 0;
    plan.config.frame_bytes_max = limits[limit].frame;
    plan.config.message_bytes_max = limits[limit].message;
    plan.config.fragment_bytes_max = limits[limit].fragments;
    plan.cuts = fuzz_cuts_take(in);
    plan.close_at = fuzz_u16(in);
    plan.close_code = fuzz_u16(in);
    plan.stream = *in;
    return plan;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    wring_bytes in = {data, len};
    struct plan plan = plan_take(&in);
    struct build build = {.reader = plan.role};
    if ((plan.flags & FLAG_BUILD) != 0) {
        messages_build(&build, in);
        plan.stream = wring_bytes_of(build.stream.data, build.stream.len);
        if (!build.closed) {
            const bool broke = (plan.flags & FLAG_BREAK) != 0;
            const wring_end end = {.result = broke ? WRING_ERR_TRANSPORT : WRING_ERR_TRUNCATED,
                                   .close_code = WRING_CLOSE_ABNORMAL,
                                   .by_peer = true};
            fuzz_log_end(&build.events, &end);
        }
    }
    struct run whole = run_make(&plan, NULL);
    struct run cut = run_make(&plan, &plan.cuts);
    FUZZ_CHECK(fuzz_log_equal(&whole.events, &cut.events));
    FUZZ_CHECK(fuzz_log_equal(&whole.out, &cut.out));
    run_free(&cut);
    if (plan.stream.len < 1000) {
        fuzz_cuts bytewise = {0};
        cut = run_make(&plan, &bytewise);
        FUZZ_CHECK(fuzz_log_equal(&whole.events, &cut.events));
        FUZZ_CHECK(fuzz_log_equal(&whole.out, &cut.out));
        run_free(&cut);
    }
    bool default_limits =
        plan.config.frame_bytes_max == 0 || plan.config.frame_bytes_max == WRING_UNLIMITED;
    if ((plan.flags & FLAG_BUILD) != 0 && (plan.flags & FLAG_CLOSE) == 0 && default_limits) {
        FUZZ_CHECK(fuzz_log_equal(&whole.events, &build.events));
    }
    run_free(&whole);
    fuzz_log_free(&build.stream);
    fuzz_log_free(&build.events);
    fuzz_log_free(&build.payload);
    return 0;
}
