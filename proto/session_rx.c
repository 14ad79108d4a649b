/* SPDX-License-Identifier: Apache-2.0
 *
 * The receiving half of a session: bytes in, one event at a time out (RFC 6455 5, 7, 8.1).
 *
 * A whole frame is unmasked where it lies and shown from there. Only what straddles feeds, or comes
 * in fragments, is assembled (session_rx_assembly.c), in memory that grows with the bytes received,
 * never with the length promised. Every violation is answered at the first byte that makes it
 * certain.
 */
#include "proto/session_parts.h"
#include "core/trace.h"

/* What a fragment is charged besides its payload: so that a flood of empty ones ends as well. */
#define FRAGMENT_OVERHEAD 64

wring_result wring__session_feed(wring_session *session, wring_mut_bytes bytes, wring__block *block,
                                 uint64_t now_ns) {
    if (session->state == WRING_SESSION_READY || session->in_len > 0) {
        return WRING_ERR_INVALID_STATE;
    }
    if (session->state == WRING_SESSION_CLOSED) {
        return WRING_OK;
    }
    session->common->feed = (wring__feed){.block = block, .from = bytes.data};
    session->in = bytes.data;
    session->in_len = bytes.len;
    if (session->state == WRING_SESSION_OPEN) {
        session->activity_ns = now_ns;
        session->ping_sent = false;
    } else if (session->activity_ns == 0) {
        session->activity_ns = now_ns;
    }
    return WRING_OK;
}

wring_result wring_session_feed(wring_session *session, wring_mut_bytes bytes, uint64_t now_ns) {
    return wring__session_feed(session, bytes, NULL, now_ns);
}

/* The peer broke a rule: its close code goes out, the session ends. RFC 6455 7.1.7 */
static void rx_fail(wring_session *session, wring_result result) {
    uint16_t code = wring_result_close_code(result);
    wring__session_close_frame(session, code, wring_bytes_of(NULL, 0));
    wring__session_end(session, result, code, true);
}

/* ---- header ---------------------------------------------------------------------------------- */

static wring__frame_rules rx_rules(const wring_session *session) {
    const wring__rx *rx = session->rx;
    uint64_t limit = session->common->config.max_message;
    uint64_t used = rx->message_opcode != 0 ? rx->assembly_len : 0;
    wring__frame_rules rules = {
        .role = session->common->config.role,
        .message_is_open = rx->message_opcode != 0,
        .compression = session->deflate != NULL,
        .max_frame = session->common->config.max_frame,
        .message_left = limit - wring__min_u64(used, limit),
    };
    return rules;
}

static wring_result frame_begin(wring_session *session, const wring__frame_header *header) {
    wring__rx *rx = session->rx;
    rx->frame_opcode = header->opcode;
    rx->frame_fin = header->fin;
    rx->frame_masked = header->masked;
    rx->key = header->key;
    rx->key_phase = 0;
    rx->payload_left = header->payload_len;
    rx->phase = WRING__RX_PAYLOAD;
    rx->control_len = 0;
    if (wring__opcode_is_control(header->opcode)) {
        return WRING_OK;
    }
    if (header->opcode != WRING_CONTINUATION) {
        rx->utf8 = WRING__UTF8_COMPLETE;
        rx->fragment_bytes = 0;
        rx->message_opcode = header->opcode;
        rx->message_compressed = header->rsv1; /* RFC 7692 6: said once, by the first frame */
    }
    if (rx->frame_fin && header->opcode != WRING_CONTINUATION) {
        return WRING_OK; /* not fragmented */
    }
    rx->fragment_bytes += header->payload_len + FRAGMENT_OVERHEAD;
    return rx->fragment_bytes > session->common->config.max_fragment_bytes
               ? WRING_ERR_TOO_MANY_FRAGMENTS
               : WRING_OK;
}

/* Collects the header of the next frame, over several feeds if need be. */
static wring_result rx_header(wring_session *session) {
    wring__rx *rx = session->rx;
    wring__frame_rules rules = rx_rules(session);
    wring__frame_header header;
    const uint8_t *bytes = session->in;
    size_t before = rx->header_len;
    size_t len = session->in_len;
    if (before > 0) {
        len = wring__min_size(session->in_len, sizeof rx->header - before);
        memcpy(rx->header + before, session->in, len);
        bytes = rx->header;
        len += before;
    }
    wring_result result = wring__frame_header_decode(bytes, len, &rules, &header);
    if (result == WRING_OK) {
        rx->header_len = 0;
        wring__session_in_skip(session, header.header_len - before);
        return frame_begin(session, &header);
    }
    if (result == WRING_MORE) {
        if (before == 0) {
            memcpy(rx->header, session->in, len);
        }
        rx->header_len = (uint8_t)len;
        wring__session_in_skip(session, session->in_len);
    }
    return result;
}

/* ---- control frames -------------------------------------------------------------------------- */

/* ---- data frames ----------------------------------------------------------------------------- */

void wring__session_message_show(wring__rx *rx, wring_event *event, const uint8_t *data,
                                 size_t len) {
    event->kind = WRING_EVENT_MESSAGE;
    event->message.opcode = (wring_opcode)rx->message_opcode;
    event->message.close_code = 0;
    event->message.payload = wring_bytes_of(data, len);
    rx->message_opcode = 0;
    rx->phase = WRING__RX_HEADER;
}

/* For an answer with the same bytes. Before them there is room for its header: the received one,
 * which was longer, or the block's. */
static void reference_offer(wring_session *session, wring__block *block, const uint8_t *data,
                            size_t len) {
    wring__session_common *common = session->common;
    common->feed.shown_block = block;
    common->feed.shown = data;
    common->feed.shown_len = block == NULL ? 0 : len;
}

/* Unmasks `len` bytes in place, validating text in the same pass. */
static wring_result data_unmask(wring__rx *rx, uint8_t *data, size_t len, bool last) {
    if (rx->message_opcode != WRING_TEXT || rx->message_compressed) {
        wring__rx_unmask(rx, data, len);
        return WRING_OK;
    }
    size_t bad_at;
    rx->utf8 = rx->frame_masked
                   ? wring__unmask_utf8(rx->utf8, data, data, len,
                                        wring__key_turned(rx->key, rx->key_phase), &bad_at)
                   : wring__utf8_feed(rx->utf8, data, len, &bad_at);
    bool cut = last && rx->utf8 != WRING__UTF8_COMPLETE;
    return cut || rx->utf8 == WRING__UTF8_REJECT ? WRING_ERR_INVALID_UTF8 : WRING_OK;
}

static wring_result rx_data(wring_session *session, wring_event *event) {
    wring__rx *rx = session->rx;
    uint8_t *data = session->in;
    size_t len = wring__min_size(session->in_len, rx->payload_left);
    bool frame_is_whole = len == rx->payload_left;
    bool last = frame_is_whole && rx->frame_fin;
    wring_result result = data_unmask(rx, data, len, last);
    if (result != WRING_OK) {
        return result;
    }
    wring__session_in_skip(session, len);
    const bool in_place = rx->assembly != NULL && data == rx->assembly + rx->assembly_len;
    if (last && rx->assembly_len == 0 && !in_place) {
        if (rx->message_compressed) {
            return wring__session_inflate(session, event, data, len);
        }
        reference_offer(session, session->common->feed.block, data, len);
        wring__session_message_show(rx, event, data, len);
        return WRING_OK;
    }
    if (len > 0) {
        if (!in_place) {
            result = wring__assembly_reserve(rx, wring__blocks_of(session->common->cache), len);
            if (result != WRING_OK) {
                return result;
            }
            memcpy(rx->assembly + rx->assembly_len, data, len);
        }
        rx->assembly_len += len;
    }
    rx->key_phase = (rx->key_phase + len) & 3;
    rx->payload_left -= len;
    if (last && rx->message_compressed) {
        return wring__session_inflate(session, event, rx->assembly, rx->assembly_len);
    }
    if (last) {
        rx->assembly_lent = true;
        reference_offer(session, rx->block, rx->assembly, rx->assembly_len);
        wring__session_message_show(rx, event, rx->assembly, rx->assembly_len);
        return WRING_OK;
    }
    if (frame_is_whole) {
        rx->phase = WRING__RX_HEADER;
    }
    return WRING_MORE;
}

/* ---- events ---------------------------------------------------------------------------------- */

static bool rx_can_step(const wring_session *session) {
    if (session->state == WRING_SESSION_CLOSED || session->state == WRING_SESSION_READY) {
        return false;
    }
    if (session->in_len > 0) {
        return true;
    }
    const wring__rx *rx = session->rx;
    if (rx == NULL || rx->phase == WRING__RX_HEADER) {
        return false;
    }
    return rx->phase == WRING__RX_INFLATE || rx->payload_left == 0; /* an empty one needs no byte */
}

static wring_result rx_step(wring_session *session, wring_event *event) {
    if (!wring__session_rx_begin(session)) {
        return WRING_ERR_NO_MEMORY;
    }
    switch ((enum wring__rx_phase)session->rx->phase) {
    case WRING__RX_HEADER: {
        wring_result result = rx_header(session);
        return result == WRING_OK ? WRING_MORE : result;
    }
    case WRING__RX_PAYLOAD:
        return wring__opcode_is_control(session->rx->frame_opcode)
                   ? wring__session_control(session, event)
                   : rx_data(session, event);
    case WRING__RX_INFLATE:
        return wring__session_inflate_on(session, event);
    }
    WRING_UNREACHABLE();
}

static bool end_take(wring_session *session, wring_event *event) {
    if (!session->end_pending) {
        return false;
    }
    session->end_pending = false;
    event->kind = WRING_EVENT_END;
    event->end.result = (wring_result)session->end_result;
    event->end.close_code = session->end_code;
    event->end.by_peer = session->end_by_peer;
    wring__session_rx_deinit(session);
    return true;
}

/* Where a payload that came masked is to lie: behind the answer to the message before, if that was
 * that message. The answer's header is shorter than the one received, so this is never later. */
static uint8_t *payload_place(const wring_session *session, uint8_t *received, size_t len) {
    const wring__session_common *common = session->common;
    return common->feed.burst_in == session->in && len >= WRING__REFERENCE_MIN
               ? common->feed.burst_end + wring__frame_header_len(len, false)
               : received;
}

/* The common case in a third of the instructions: a text or binary message in one frame of less
 * than 64 KiB that is all here, with nothing begun before it. False: the machine below has to look.
 */
static bool rx_whole_message(wring_session *session, wring_event *event) {
    WRING_TRACE_STOP();
    const wring_session_config *config = &session->common->config;
    const bool server = config->role == WRING_ROLE_SERVER;
    size_t header_len = server ? 6 : 2;
    uint8_t *in = session->in;
    if (session->in_len < header_len || session->rx != NULL ||
        session->state != WRING_SESSION_OPEN) {
        return false;
    }
    const uint8_t opcode = in[0] ^ WRING__FIN;
    size_t len = in[1] ^ (server ? WRING__MASK : 0u); /* a wrong mask bit: more than 127 */
    if (len > 125) {
        header_len += 2;
        if (len != 126 || session->in_len < header_len) {
            return false;
        }
        len = wring__load_be16(in + 2);
        if (len < 126) { /* too long a form: not for here */
            return false;
        }
    }
    if ((opcode != WRING_TEXT && opcode != WRING_BINARY) || len > session->in_len - header_len ||
        len > config->max_frame || len > config->max_message) {
        return false;
    }
    uint32_t key = 0, utf8 = WRING__UTF8_COMPLETE;
    size_t bad_at;
    uint8_t *payload = server ? payload_place(session, in + header_len, len) : in + header_len;
    in += header_len;
    if (server) {
        memcpy(&key, in - sizeof key, sizeof key);
        if (opcode == WRING_TEXT) {
            utf8 = wring__unmask_utf8(utf8, payload, in, len, key, &bad_at);
        } else {
            wring__mask_copy(payload, in, len, key, 0);
        }
    } else {
        utf8 = opcode == WRING_TEXT ? wring__utf8_feed(utf8, in, len, &bad_at) : utf8;
    }
    if (utf8 != WRING__UTF8_COMPLETE) {
        rx_fail(session, WRING_ERR_INVALID_UTF8);
        return false;
    }
    wring__session_in_skip(session, header_len + len);
    if (len >= WRING__REFERENCE_MIN) {
        reference_offer(session, session->common->feed.block, payload, len);
    }
    event->kind = WRING_EVENT_MESSAGE;
    event->message.opcode = (wring_opcode)opcode;
    event->message.close_code = 0;
    event->message.payload = wring_bytes_of(payload, len);
    return true;
}

/* What is no whole message. Not inlined: what it needs would be saved for those as well. */
__attribute__((noinline)) static wring_result next_of_rest(wring_session *session,
                                                           wring_event *event) {
    while (rx_can_step(session)) {
        wring_result result = rx_step(session, event);
        if (result == WRING_OK) {
            return WRING_OK;
        }
        if (result != WRING_MORE) {
            rx_fail(session, result);
        } else if (wring__session_is_inflating(session)) {
            break; /* in another turn */
        }
    }
    if (session->rx != NULL) {
        wring__session_rx_rest(session);
    }
    return end_take(session, event) ? WRING_OK : WRING_MORE;
}

wring_result wring_session_next(wring_session *session, wring_event *event) {
    session->common->feed.shown_len = 0;
    if (session->rx != NULL) {
        wring__session_rx_rest(session);
    }
    if (rx_whole_message(session, event)) {
        return WRING_OK;
    }
    const bool idle = session->in_len == 0 && session->rx == NULL && !session->end_pending;
    return idle ? WRING_MORE : next_of_rest(session, event);
}
