/* SPDX-License-Identifier: Apache-2.0
 *
 * Codec, machine and handler without I/O.
 */
#include <stdlib.h>
#include <string.h>

#include "core/outq.h"
#include "core/packed.h"
#include "proto/frame.h"
#include "tests/torture/torture.h"

#define WIRE_MAX 8192

/* ---- what a client sends --------------------------------------------------------------------- */

struct wire {
    uint8_t data[WIRE_MAX];
    size_t len;
};

static void wire_frame(struct wire *wire, uint8_t first, size_t len) {
    const uint32_t key = 0; /* leaves the payload as it is */
    CHECK(wire->len + 14 + len <= WIRE_MAX);
    wire->len += wring__frame_header_write(wire->data + wire->len, first, len, &key);
    memset(wire->data + wire->len, 'x', len);
    wire->len += len;
}

/* Short and long, in fragments with a ping between them. */
static void wire_make(struct wire *wire) {
    wire->len = 0;
    wire_frame(wire, WRING__FIN | WRING_TEXT, 20);
    wire_frame(wire, WRING__FIN | WRING_BINARY, 3000);
    wire_frame(wire, WRING_TEXT, 200);
    wire_frame(wire, WRING__FIN | WRING_PING, 100);
    wire_frame(wire, WRING__FIN | WRING_CONTINUATION, 600);
    wire_frame(wire, WRING__FIN | WRING_PING, 0);
    wire_frame(wire, WRING__FIN | WRING_TEXT, 130);
}

#define MESSAGES 4

/* ---- the pull style -------------------------------------------------------------------------- */

static unsigned messages;
static wring_result ended; /* what the end told; WRING_MORE: none yet */

static wring_result events_take(wring_machine *machine) {
    wring_event event;
    wring_result result = WRING_OK;
    while (result == WRING_OK && wring_machine_next(machine, &event) == WRING_OK) {
        if (event.kind == WRING_EVENT_END) {
            CHECK(ended == WRING_MORE);
            wring_end end = {.struct_size = sizeof end};
            CHECK(wring_machine_get_end(machine, &end) == WRING_OK);
            ended = end.result;
            continue;
        }
        if (event.message.opcode == WRING_TEXT || event.message.opcode == WRING_BINARY) {
            const wring_frame frame = {.opcode = event.message.opcode,
                                       .payload = event.message.payload};
            messages++;
            result = wring_machine_send(machine, &frame);
        }
    }
    return result;
}

static wring_result feed_in_pieces(wring_machine *machine, size_t piece) {
    static struct wire wire;
    wire_make(&wire);
    for (size_t at = 0; at < wire.len; at += piece) {
        const size_t len = wire.len - at < piece ? wire.len - at : piece;
        uint8_t copy[WIRE_MAX];
        memcpy(copy, wire.data + at, len);
        CHECK(wring_machine_feed(machine, (wring_mut_bytes){copy, len}, at) == WRING_OK);
        const wring_result result = events_take(machine);
        if (result != WRING_OK) {
            return result;
        }
    }
    return ended == WRING_MORE ? WRING_OK : ended;
}

static wring_result machine_pieces(size_t piece) {
    wring_machine *machine = NULL;
    wring_error error;
    messages = 0;
    ended = WRING_MORE;
    wring_result result = wring_machine_create(NULL, &machine, &error);
    if (result != WRING_OK) {
        CHECK(error.code == result && error.text[0] != 0);
        return result;
    }
    CHECK(wring_machine_open(machine, 1) == WRING_OK);
    result = feed_in_pieces(machine, piece);
    CHECK(result != WRING_OK || messages == MESSAGES);
    if (result == WRING_OK) {
        wring_machine_close(machine, WRING_CLOSE_NORMAL, wring_str("bye"));
        result = events_take(machine);
        result = ended == WRING_MORE ? result : ended;
    }
    wring_machine_destroy(machine);
    return result;
}

static wring_result machine_whole(void) {
    return machine_pieces(WIRE_MAX);
}

static wring_result machine_bytewise(void) {
    return machine_pieces(1);
}

static wring_result machine_halves(void) {
    return machine_pieces(1777);
}

/* ---- a handler over a transport -------------------------------------------------------------- */

static unsigned closes, inits, terminates;

static wring_result transport_send(void *handle, wring_bytes bytes) {
    *(size_t *)handle += bytes.len;
    return WRING_OK;
}

static wring_result transport_activate(void *handle) {
    (void)handle;
    return WRING_OK;
}

static void transport_close(void *handle) {
    (void)handle;
    closes++;
}

static wring_verdict echo_init(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    (void)session;
    inits++;
    return WRING_CONTINUE;
}

static wring_result refused; /* what a reply was told */

static wring_verdict echo_in(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_TEXT || message->opcode == WRING_BINARY) {
        const wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
        const wring_result result = wring_session_send(session, &frame);
        if (result != WRING_OK) {
            refused = result;
            return WRING_STOP;
        }
    }
    return WRING_CONTINUE;
}

static void echo_terminate(wring_session *session, const wring_end *end) {
    (void)session;
    terminates++;
    ended = end->result;
}

static const wring_handler echo = {.struct_size = sizeof echo,
                                   .name = "echo",
                                   .state_size = 100,
                                   .init = echo_init,
                                   .handle_in = echo_in,
                                   .terminate = echo_terminate};

static wring_result transport_run(wring_embed *embed) {
    static struct wire wire;
    wire_make(&wire);
    wring_result result = wring_embed_activate(embed, 2);
    for (size_t at = 0; at < wire.len && result == WRING_OK; at += 500) {
        const size_t len = wire.len - at < 500 ? wire.len - at : 500;
        uint8_t copy[500];
        memcpy(copy, wire.data + at, len);
        result = wring_embed_feed(embed, (wring_mut_bytes){copy, len}, at);
    }
    if (result == WRING_OK) {
        wring_embed_fail(embed, WRING_ERR_TRUNCATED, 9);
        CHECK(ended == WRING_ERR_TRUNCATED);
        return WRING_OK;
    }
    CHECK(result == WRING_ERR_CLOSED); /* it ended by itself, and is freed */
    return refused != WRING_OK ? refused : ended;
}

static wring_result handler(void) {
    static const wring_transport transport = {.struct_size = sizeof transport,
                                              .name = "memory",
                                              .send = transport_send,
                                              .activate = transport_activate,
                                              .close = transport_close};
    const wring_request request = {.struct_size = sizeof request, .path = wring_str("/")};
    wring_embed *embed = NULL;
    wring_error error;
    size_t sent = 0;
    closes = 0;
    inits = 0;
    terminates = 0;
    ended = WRING_MORE;
    refused = WRING_OK;
    const wring_embed_options options = {.struct_size = sizeof options,
                                         .transport = &transport,
                                         .stream = &sent,
                                         .handler = &echo,
                                         .request = &request};
    wring_result result = wring_embed_accept(&options, 1, &embed, &error);
    if (result != WRING_OK) {
        CHECK(inits == 0 && closes == 0);
        return result;
    }
    result = transport_run(embed);
    CHECK(inits == 1 && terminates == 1 && closes == 1);
    return result;
}

/* ---- the queue ------------------------------------------------------------------------------- */

static wring_result queue_fill(wring__outq *q, wring__chunk_cache *cache) {
    static uint8_t data[40000];
    static const size_t sizes[] = {10, 2000, 900, 40000, 300};
    wring__shared *shared = wring__shared_create(WRING_TEXT, 0, wring_bytes_of(data, 500));
    wring_result result = shared == NULL ? WRING_ERR_NO_MEMORY : WRING_OK;
    uint64_t expected = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && result == WRING_OK; i++) {
        result = wring__outq_append(q, cache, wring_bytes_of(data, sizes[i]));
        expected += result == WRING_OK ? sizes[i] : 0;
        if (result == WRING_OK) {
            result = wring__outq_append_shared(q, cache, shared);
            expected += result == WRING_OK ? wring__shared_wire(shared).len : 0;
        }
        CHECK(q->bytes == expected); /* all of an append or nothing */
    }
    if (shared != NULL) {
        wring__shared_unref(shared);
    }
    return result;
}

static wring_result queue_of(wring__chunk_cache *cache) {
    wring__outq q = {0};
    wring_result result = queue_fill(&q, cache);
    if (q.bytes > 5) {
        wring__outq_consume(&q, cache, 5);
    }
    wring__outq_deinit(&q, cache);
    return result;
}

static wring_result queue(void) {
    return queue_of(NULL);
}

static wring_result queue_with_cache(void) {
    wring__chunk_cache cache;
    wring__chunk_cache_init(&cache);
    wring_result result = queue_of(&cache);
    if (result == WRING_OK) {
        result = queue_of(&cache);
    }
    wring__chunk_cache_deinit(&cache);
    return result;
}

static wring_result packed(void) {
    const wring_frame frames[] = {
        wring_frame_text(wring_str("one")),
        {.opcode = WRING_CLOSE, .close_code = 1000, .payload = wring_str("two")}};
    wring__shared *shared = wring__packed_create(frames, 2);
    if (shared == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    wring__shared_unref(shared);
    return WRING_OK;
}

const torture_case torture_machine[] = {
    {"machine, whole", machine_whole, false},
    {"machine, byte by byte", machine_bytewise, false},
    {"machine, in two", machine_halves, false},
    {"handler over a transport", handler, false},
    {"queue", queue, false},
    {"queue with a cache", queue_with_cache, false},
    {"packed frames", packed, false},
    {0},
};
