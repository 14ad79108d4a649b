/* SPDX-License-Identifier: Apache-2.0
 *
 * The sending half of a session: a frame is checked, framed and queued at once, by whichever of
 * copy, reference and compression is cheapest. What takes several turns is session_pending.c's.
 */
#include "proto/crypto.h"
#include "proto/session_parts.h"

/* An answer that is the message itself goes out from where that lies: the header takes the place of
 * the received one, or of the block's headroom. Once: a second answer may differ in its opcode. */
static bool answers_by_reference(const wring_session *session, wring_bytes payload) {
    const wring__session_common *common = session->common;
    if (payload.len < WRING__REFERENCE_MIN || payload.len != common->feed.shown_len ||
        payload.data != common->feed.shown || common->config.role != WRING_ROLE_SERVER) {
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

static wring_result reference_append(wring_session *session, uint8_t first, wring_bytes payload) {
    wring__session_common *common = session->common;
    wring__block *block = common->feed.shown_block;
    const size_t header_len = wring__frame_header_len(payload.len, false);
    uint8_t *header = block->data + (payload.data - block->data) - header_len;
    common->feed.shown_len = 0;
    wring__frame_header_write(header, first, payload.len, NULL);
    common->feed.burst_in =
        block == common->feed.block ? session->in : NULL; /* not behind an assembled one */
    common->feed.burst_end = header + header_len + payload.len;
    return wring__outq_append_block(wring__session_out(session), common->cache, block,
                                    wring_bytes_of(header, header_len + payload.len));
}

#define SHORT_MAX 125 /* the header has two bytes. RFC 6455 5.2 */

/* Most of what a server sends. */
static wring_result short_append(wring_session *session, uint8_t first, wring_bytes payload) {
    wring__outq *out = wring__session_out(session);
    const size_t len = 2 + payload.len;
    uint8_t *room = wring__outq_reserve(out, session->common->cache, len);
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
__attribute__((noinline)) static wring_result any_append(wring_session *session, uint8_t first,
                                                         wring_bytes payload) {
    if (answers_by_reference(session, payload)) {
        return reference_append(session, first, payload);
    }
    bool masked = session->common->config.role == WRING_ROLE_CLIENT;
    size_t header_len = wring__frame_header_len(payload.len, masked);
    uint8_t *room = wring__outq_reserve(wring__session_out(session), session->common->cache,
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
    wring__outq_commit(wring__session_out(session), header_len + payload.len);
    return WRING_OK;
}

/* Frames `payload` into the out queue; masks for a client (RFC 6455 5.3). */
static wring_result frame_append(wring_session *session, uint8_t first, wring_bytes payload) {
    return payload.len <= SHORT_MAX && session->common->config.role == WRING_ROLE_SERVER
               ? short_append(session, first, payload)
               : any_append(session, first, payload);
}

wring_result wring__session_append(wring_session *session, uint8_t first, wring_bytes payload) {
    return frame_append(session, first, payload);
}

/* A text or binary message: compressed if that is worth while. RFC 7692 6.1 */
wring_result wring__session_deflate_append(wring_session *session, const wring_frame *frame) {
    const uint8_t first = (uint8_t)(WRING__FIN | frame->opcode);
    wring_bytes compressed;
    wring_result result = wring__deflate_message(session->deflate, frame, &compressed);
    if (result != WRING_OK) {
        return result;
    }
    return compressed.len == 0 ? frame_append(session, first, frame->payload)
                               : frame_append(session, first | WRING__RSV1, compressed);
}

/* Now, or in turn: behind a message that is still being compressed, or as the first such. */
__attribute__((noinline)) static wring_result deflate_send(wring_session *session,
                                                           const wring_frame *frame, bool limited) {
    if (session->pending_at == 0 && !wring__deflate_is_long(session->deflate, frame)) {
        return wring__session_deflate_append(session, frame);
    }
    const uint64_t queued =
        wring__session_out(session)->bytes + wring__session_pending_bytes(session);
    return limited && queued >= session->common->queue_max
               ? WRING_ERR_QUEUE_FULL
               : wring__session_pending_add(session, frame);
}

/* RFC 6455 5.5.1: nothing follows a close frame. Also said of sessions not open yet. */
wring_result wring__session_send_check(const wring_session *session) {
    if (session->state == WRING_SESSION_READY) {
        return WRING_ERR_INVALID_STATE;
    }
    bool closed = session->close_sent || session->state == WRING_SESSION_CLOSED;
    return closed ? WRING_ERR_CLOSED : WRING_OK;
}

static inline wring_result frame_send(wring_session *session, const wring_frame *frame,
                                      bool limited) {
    uint8_t first = (uint8_t)(WRING__FIN | frame->opcode);
    switch (frame->opcode) {
    case WRING_PING:
    case WRING_PONG:
        return frame->payload.len > WRING_CONTROL_PAYLOAD_MAX
                   ? WRING_ERR_INVALID_ARGUMENT
                   : frame_append(session, first, frame->payload);
    case WRING_TEXT:
    case WRING_BINARY:
        return session->deflate == NULL ? frame_append(session, first, frame->payload)
                                        : deflate_send(session, frame, limited);
    case WRING_CLOSE:
        wring_session_close(session,
                            frame->close_code == 0 ? WRING_CLOSE_NO_STATUS : frame->close_code,
                            frame->payload);
        return WRING_OK;
    case WRING_CONTINUATION:
        break;
    }
    return WRING_ERR_INVALID_ARGUMENT; /* numbers that are no opcode come here as well */
}

/* Not inlined: rare. */
__attribute__((noinline)) static wring_result gated_send(wring_session *session,
                                                         const wring_frame *frame, bool limited) {
    wring_result result = wring__session_send_check(session);
    if (result != WRING_OK) {
        return result;
    }
    if (frame->opcode == WRING_TEXT || frame->opcode == WRING_BINARY) {
        return limited ? WRING_ERR_MESSAGE_OPEN : wring__session_pending_add(session, frame);
    }
    return frame_send(session, frame, limited);
}

wring_result wring_session_send(wring_session *session, const wring_frame *frame) {
    if (WRING_UNLIKELY(session->send_gated)) {
        return gated_send(session, frame, true);
    }
    if (frame->opcode != WRING_CLOSE &&
        wring__session_out(session)->bytes >= session->common->queue_max) {
        return WRING_ERR_QUEUE_FULL;
    }
    return frame_send(session, frame, true);
}

wring_result wring__session_send_admitted(wring_session *session, const wring_frame *frame) {
    return WRING_UNLIKELY(session->send_gated) ? gated_send(session, frame, false)
                                               : frame_send(session, frame, false);
}

void wring__session_frame_shared(wring__shared *shared) {
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

wring_result wring__session_shared_append(wring_session *session, wring__shared *shared) {
    if (session->common->config.role ==
        WRING_ROLE_CLIENT) { /* each masked frame has its own bytes */
        return frame_append(session, (uint8_t)(WRING__FIN | shared->opcode),
                            wring_bytes_of(shared->payload, shared->payload_len));
    }
    if (session->deflate != NULL && shared->compressed != NULL) {
        shared = compressed_choose(session->deflate, shared);
    }
    return wring__outq_append_shared(wring__session_out(session), session->common->cache, shared);
}

wring_result wring__session_send_shared(wring_session *session, wring__shared *shared) {
    wring_result result = WRING_OK;
    if (WRING_UNLIKELY(session->send_gated)) {
        result = wring__session_send_check(session);
    }
    if (result != WRING_OK) {
        return result;
    }
    return WRING_UNLIKELY(session->pending_at != 0)
               ? wring__session_pending_add_shared(session, shared)
               : wring__session_shared_append(session, shared);
}
