/* SPDX-License-Identifier: Apache-2.0
 *
 * The sending half of a machine: a frame is checked, framed and queued at once, by whichever of
 * copy, reference and compression is cheapest. What takes several turns is machine_pending.c's.
 */
#include "proto/crypto.h"
#include "proto/machine_parts.h"

/* An answer that is the message itself goes out from where that lies: the header takes the place of
 * the received one, or of the block's headroom. Once: a second answer may differ in its opcode. */
static bool answers_by_reference(const wring_machine *machine, wring_bytes payload) {
    const wring__machine_common *common = machine->common;
    if (payload.len < WRING__REFERENCE_MIN || payload.len != common->feed.shown_len ||
        payload.data != common->feed.shown || common->role != WRING_ROLE_SERVER) {
        return false;
    }
    const wring__block *block = common->feed.shown_block;
    if (payload.data < block->data || payload.len > block->cap ||
        payload.data > block->data + (block->cap - payload.len)) {
        return false; /* what was fed was a copy */
    }
    /* Where the header came with an earlier read there may be less. What lies before the bytes fed
     * is another connection's. */
    const size_t room = block == common->feed.block ? (size_t)(payload.data - common->feed.from)
                                                    : wring__block_room_before(block, payload.data);
    return room >= wring__frame_header_len(payload.len, false);
}

static wring_result reference_append(wring_machine *machine, uint8_t first, wring_bytes payload) {
    wring__machine_common *common = machine->common;
    wring__block *block = common->feed.shown_block;
    const size_t header_len = wring__frame_header_len(payload.len, false);
    uint8_t *header = block->data + (payload.data - block->data) - header_len;
    common->feed.shown_len = 0;
    wring__frame_header_write(header, first, payload.len, NULL);
    common->feed.burst_in =
        block == common->feed.block ? machine->in : NULL; /* not behind an assembled one */
    common->feed.burst_end = header + header_len + payload.len;
    return wring__outq_append_block(wring__machine_out(machine), common->cache, block,
                                    wring_bytes_of(header, header_len + payload.len));
}

#define SHORT_MAX 125 /* the header has two bytes. RFC 6455 5.2 */

/* Most of what a server sends. */
static wring_result short_append(wring_machine *machine, uint8_t first, wring_bytes payload) {
    wring__outq *out = wring__machine_out(machine);
    const size_t len = 2 + payload.len;
    uint8_t *room = wring__outq_reserve(out, machine->common->cache, len);
    if (room == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    room[0] = first;
    room[1] = (uint8_t)payload.len;
    if (payload.len > 0) {
        memcpy(room + 2, payload.data, payload.len);
    }
    wring__outq_commit(out, len);
    return WRING_OK;
}

/* Not inlined: what it needs would be saved for short frames as well. */
__attribute__((noinline)) static wring_result any_append(wring_machine *machine, uint8_t first,
                                                         wring_bytes payload) {
    if (answers_by_reference(machine, payload)) {
        return reference_append(machine, first, payload);
    }
    bool masked = machine->common->role == WRING_ROLE_CLIENT;
    size_t header_len = wring__frame_header_len(payload.len, masked);
    uint8_t *room = wring__outq_reserve(wring__machine_out(machine), machine->common->cache,
                                        header_len + payload.len);
    if (room == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    uint32_t key = 0;
    if (masked) {
        wring_result result = wring__random_key(&key);
        if (result != WRING_OK) {
            return result; /* what was reserved is not committed: nothing is queued */
        }
    }
    wring__frame_header_write(room, first, payload.len, masked ? &key : NULL);
    if (masked) {
        wring__mask_copy(room + header_len, payload.data, payload.len, key, 0);
    } else if (payload.len > 0) {
        memcpy(room + header_len, payload.data, payload.len);
    }
    wring__outq_commit(wring__machine_out(machine), header_len + payload.len);
    return WRING_OK;
}

/* Frames `payload` into the out queue; masks for a client (RFC 6455 5.3). */
static wring_result frame_append(wring_machine *machine, uint8_t first, wring_bytes payload) {
    return payload.len <= SHORT_MAX && machine->common->role == WRING_ROLE_SERVER
               ? short_append(machine, first, payload)
               : any_append(machine, first, payload);
}

wring_result wring__machine_append(wring_machine *machine, uint8_t first, wring_bytes payload) {
    return frame_append(machine, first, payload);
}

/* A text or binary message: compressed if that is worth while. RFC 7692 6.1 */
wring_result wring__machine_deflate_append(wring_machine *machine, const wring_frame *frame) {
    const uint8_t first = (uint8_t)(WRING__FIN | frame->opcode);
    wring_bytes compressed;
    wring_result result = wring__deflate_message(machine->deflate, frame, &compressed);
    if (result != WRING_OK) {
        return result;
    }
    return compressed.len == 0 ? frame_append(machine, first, frame->payload)
                               : frame_append(machine, first | WRING__RSV1, compressed);
}

/* Now, or in turn: behind a message that is still being compressed, or as the first such. */
__attribute__((noinline)) static wring_result deflate_send(wring_machine *machine,
                                                           const wring_frame *frame, bool limited) {
    if (frame->compress > WRING_COMPRESS_ALWAYS) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    if (machine->pending_at == 0 && !wring__deflate_is_long(machine->deflate, frame)) {
        return wring__machine_deflate_append(machine, frame);
    }
    const uint64_t queued =
        wring__machine_out(machine)->bytes + wring__machine_pending_bytes(machine);
    return limited && queued >= machine->common->queue_max
               ? WRING_ERR_QUEUE_FULL
               : wring__machine_pending_add(machine, frame);
}

/* RFC 6455 5.5.1: nothing follows a close frame. Also said of sessions not open yet. */
wring_result wring__machine_send_check(const wring_machine *machine) {
    if (machine->state == WRING_MACHINE_READY) {
        return WRING_ERR_INVALID_STATE;
    }
    bool closed = machine->close_sent || machine->state == WRING_MACHINE_CLOSED;
    return closed ? WRING_ERR_CLOSED : WRING_OK;
}

/* Before it is queued: a call that ends with it is cheaper, and a message that finds no memory ends
 * the session. */
static inline void count_tx(const wring_machine *machine) {
    wring__count(&machine->common->counts->tx, 1);
}

static inline wring_result frame_send(wring_machine *machine, const wring_frame *frame,
                                      bool limited) {
    uint8_t first = (uint8_t)(WRING__FIN | frame->opcode);
    switch (frame->opcode) {
    case WRING_PING:
    case WRING_PONG:
        return frame->payload.len > WRING_CONTROL_PAYLOAD_MAX
                   ? WRING_ERR_INVALID_ARGUMENT
                   : frame_append(machine, first, frame->payload);
    case WRING_TEXT:
    case WRING_BINARY:
        count_tx(machine);
        return machine->deflate == NULL ? frame_append(machine, first, frame->payload)
                                        : deflate_send(machine, frame, limited);
    case WRING_CLOSE:
        wring_machine_close(machine, frame->close_code, frame->payload);
        return WRING_OK;
    case WRING_CONTINUATION:
        break;
    }
    return WRING_ERR_INVALID_ARGUMENT; /* numbers that are no opcode come here as well */
}

/* Not inlined: rare. */
__attribute__((noinline)) static wring_result gated_send(wring_machine *machine,
                                                         const wring_frame *frame, bool limited) {
    wring_result result = wring__machine_send_check(machine);
    if (result != WRING_OK) {
        return result;
    }
    if (frame->opcode == WRING_TEXT || frame->opcode == WRING_BINARY) {
        if (limited) {
            return WRING_ERR_MESSAGE_OPEN;
        }
        count_tx(machine);
        return wring__machine_pending_add(machine, frame);
    }
    return frame_send(machine, frame, limited);
}

wring_result wring_machine_send(wring_machine *machine, const wring_frame *frame) {
    if (WRING_UNLIKELY(machine->send_gated)) {
        return gated_send(machine, frame, true);
    }
    if (frame->opcode != WRING_CLOSE &&
        wring__machine_out(machine)->bytes >= machine->common->queue_max) {
        return WRING_ERR_QUEUE_FULL;
    }
    return frame_send(machine, frame, true);
}

wring_result wring__machine_send_admitted(wring_machine *machine, const wring_frame *frame) {
    return WRING_UNLIKELY(machine->send_gated) ? gated_send(machine, frame, false)
                                               : frame_send(machine, frame, false);
}

void wring__machine_frame_shared(wring__shared *shared) {
    size_t len = wring__frame_header_len(shared->payload_len, false);
    uint8_t first = (uint8_t)(WRING__FIN | shared->opcode);
    if (shared->window_bits != 0) {
        first |= WRING__RSV1;
    }
    wring__frame_header_write(wring__shared_at(shared, len), first, shared->payload_len, NULL);
    shared->header_len = (uint8_t)len;
}

/* The compressed form with the largest window the peer can take; the plain one if there is none.
 * It knows nothing of what this connection sent before, and from here on neither does our own
 * compressor. */
static wring__shared *compressed_choose(wring__deflate *deflate, wring__shared *plain) {
    const uint8_t most = wring__deflate_window_max(deflate, plain->payload_len);
    for (wring__shared *s = plain->compressed; s != NULL; s = s->compressed) {
        if (s->window_bits <= most) {
            wring__deflate_bypassed(deflate);
            return s;
        }
    }
    return plain;
}

wring_result wring__machine_shared_append(wring_machine *machine, wring__shared *shared) {
    if (machine->common->role == WRING_ROLE_CLIENT) { /* each masked frame has its own bytes */
        return frame_append(machine, (uint8_t)(WRING__FIN | shared->opcode),
                            wring_bytes_of(shared->payload, shared->payload_len));
    }
    if (machine->deflate != NULL && shared->compressed != NULL) {
        shared = compressed_choose(machine->deflate, shared);
    }
    return wring__outq_append_shared(wring__machine_out(machine), machine->common->cache, shared);
}

wring_result wring__machine_send_shared(wring_machine *machine, wring__shared *shared) {
    wring_result result = WRING_OK;
    if (WRING_UNLIKELY(machine->send_gated)) {
        result = wring__machine_send_check(machine);
    }
    if (result != WRING_OK) {
        return result;
    }
    return WRING_UNLIKELY(machine->pending_at != 0)
               ? wring__machine_pending_add_shared(machine, shared)
               : wring__machine_shared_append(machine, shared);
}
