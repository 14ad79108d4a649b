/* SPDX-License-Identifier: Apache-2.0
 *
 * The receiving half of a session: bytes in, one event at a time out (RFC 6455 5, 7, 8.1).
 *
 * A whole frame is unmasked where it lies and shown from there. Only what straddles feeds, or comes
 * in fragments, is assembled, in memory that grows with the bytes received, never with the length
 * promised. Every violation is answered at the first byte that makes it certain.
 */
#include "proto/session_rx.h"

#include <stdlib.h>

#include "proto/kernels.h"

/* What a fragment is charged besides its payload: so that a flood of empty ones ends as well. */
#define FRAGMENT_OVERHEAD 64
#define ASSEMBLY_MIN      256

void wring__session_rx_deinit(wring_session *session) {
    free(session->assembly);
    free(session->control);
    session->assembly = NULL;
    session->control = NULL;
}

wring_result wring_session_feed(wring_session *session, wring_mut_bytes bytes, uint64_t now_ns) {
    if (session->state == WRING_SESSION_READY || session->in_len > 0) {
        return WRING_ERR_INVALID_STATE;
    }
    if (session->state == WRING_SESSION_CLOSED) {
        return WRING_OK;
    }
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

/* The peer broke a rule: its close code goes out, the session ends. RFC 6455 7.1.7 */
static void rx_fail(wring_session *session, wring_result result) {
    uint16_t code = wring_result_close_code(result);
    wring__session_close_frame(session, code, wring_bytes_of(NULL, 0));
    wring__session_end(session, result, code, true);
}

static void in_skip(wring_session *session, size_t count) {
    session->in += count;
    session->in_len -= count;
}

/* ---- header ---------------------------------------------------------------------------------- */

static wring__frame_rules rx_rules(const wring_session *session) {
    uint64_t limit = session->config->max_message;
    uint64_t used = session->message_opcode != 0 ? session->assembly_len : 0;
    wring__frame_rules rules = {
        .role = session->config->role,
        .message_is_open = session->message_opcode != 0,
        .compression = false,
        .max_frame = session->config->max_frame,
        .message_left = limit - wring__min_u64(used, limit),
    };
    return rules;
}

static wring_result frame_begin(wring_session *session, const wring__frame_header *header) {
    session->frame_opcode = header->opcode;
    session->frame_fin = header->fin;
    session->frame_masked = header->masked;
    session->key = header->key;
    session->key_phase = 0;
    session->payload_left = header->payload_len;
    session->rx_phase = WRING__RX_PAYLOAD;
    session->control_len = 0;
    if (wring__opcode_is_control(header->opcode)) {
        return WRING_OK;
    }
    if (header->opcode != WRING_CONTINUATION) {
        session->utf8 = WRING__UTF8_COMPLETE;
        session->fragment_bytes = 0;
        session->message_opcode = header->opcode;
    }
    if (session->frame_fin && header->opcode != WRING_CONTINUATION) {
        return WRING_OK; /* not fragmented */
    }
    session->fragment_bytes += header->payload_len + FRAGMENT_OVERHEAD;
    return session->fragment_bytes > session->config->max_fragment_bytes
               ? WRING_ERR_TOO_MANY_FRAGMENTS
               : WRING_OK;
}

/* Collects the header of the next frame, over several feeds if need be. */
static wring_result rx_header(wring_session *session) {
    wring__frame_rules rules = rx_rules(session);
    wring__frame_header header;
    const uint8_t *bytes = session->in;
    size_t before = session->header_len;
    size_t len = session->in_len;
    if (before > 0) {
        len = wring__min_size(session->in_len, sizeof session->header - before);
        memcpy(session->header + before, session->in, len);
        bytes = session->header;
        len += before;
    }
    wring_result result = wring__frame_header_decode(bytes, len, &rules, &header);
    if (result == WRING_OK) {
        session->header_len = 0;
        in_skip(session, header.header_len - before);
        return frame_begin(session, &header);
    }
    if (result == WRING_MORE) {
        if (before == 0) {
            memcpy(session->header, session->in, len);
        }
        session->header_len = (uint8_t)len;
        in_skip(session, session->in_len);
    }
    return result;
}

/* ---- control frames -------------------------------------------------------------------------- */

/* Judges a close payload of which `len` bytes are here. RFC 6455 5.5.1, 7.4 */
static wring_result close_check(const wring_session *session, const uint8_t *payload, size_t len,
                                bool whole) {
    if (len < 2) {
        return WRING_OK;
    }
    if (!wring__session_code_is_legal(session, wring__load_be16(payload))) {
        return WRING_ERR_BAD_CLOSE_CODE;
    }
    size_t bad_at;
    uint32_t utf8 = wring__utf8_feed(WRING__UTF8_COMPLETE, payload + 2, len - 2, &bad_at);
    bool bad = utf8 == WRING__UTF8_REJECT || (whole && utf8 != WRING__UTF8_COMPLETE);
    return bad ? WRING_ERR_INVALID_UTF8 : WRING_OK;
}

static wring_result close_received(wring_session *session, wring_event *event, uint8_t *payload,
                                   size_t len) {
    wring_result result = close_check(session, payload, len, true);
    if (result != WRING_OK) {
        return result;
    }
    session->close_received = true;
    bool began_here = session->close_sent;
    uint16_t code = len < 2 ? WRING_CLOSE_NO_STATUS : wring__load_be16(payload);
    wring__session_close_frame(session, code, wring_bytes_of(NULL, 0)); /* RFC 6455 5.5.1 echo */
    wring__session_end(session, WRING_OK, code, !began_here);
    event->message.close_code = code;
    event->message.payload = wring_bytes_of(payload + 2, len < 2 ? 0 : len - 2);
    return WRING_OK;
}

static wring_result control_received(wring_session *session, wring_event *event, uint8_t *payload,
                                     size_t len) {
    session->rx_phase = WRING__RX_HEADER;
    event->kind = WRING_EVENT_MESSAGE;
    event->message.opcode = (wring_opcode)session->frame_opcode;
    event->message.close_code = 0;
    event->message.payload = wring_bytes_of(payload, len);
    if (session->frame_opcode == WRING_CLOSE) {
        return close_received(session, event, payload, len);
    }
    if (session->frame_opcode == WRING_PING) { /* RFC 6455 5.5.3: answered before it is shown */
        wring_frame pong = {WRING_PONG, 0, wring_bytes_of(payload, len)};
        wring_result result = wring_session_send(session, &pong);
        return result == WRING_ERR_CLOSED ? WRING_OK : result;
    }
    return WRING_OK;
}

static void unmask(wring_session *session, uint8_t *data, size_t len) {
    if (session->frame_masked) {
        wring__mask(data, len, session->key, session->key_phase);
    }
}

static wring_result rx_control(wring_session *session, wring_event *event) {
    uint8_t *payload = session->in;
    size_t len = wring__min_size(session->in_len, session->payload_left);
    bool whole = len == session->payload_left;
    unmask(session, payload, len);
    in_skip(session, len);
    if (whole && session->control_len == 0) {
        return control_received(session, event, payload, len);
    }
    if (session->control == NULL) {
        session->control = malloc(WRING_CONTROL_PAYLOAD_MAX);
        if (session->control == NULL) {
            return WRING_ERR_NO_MEMORY;
        }
    }
    memcpy(session->control + session->control_len, payload, len);
    session->control_len = (uint8_t)(session->control_len + len);
    session->key_phase = (session->key_phase + len) & 3;
    session->payload_left -= len;
    if (whole) {
        return control_received(session, event, session->control, session->control_len);
    }
    wring_result result = WRING_OK;
    if (session->frame_opcode == WRING_CLOSE) {
        result = close_check(session, session->control, session->control_len, false);
    }
    return result == WRING_OK ? WRING_MORE : result;
}

/* ---- data frames ----------------------------------------------------------------------------- */

/* Room for `more` bytes: doubles with what was received, never past what this message still can
 * bring where that is known. */
static wring_result assembly_reserve(wring_session *session, size_t more) {
    size_t need = session->assembly_len + more;
    if (need <= session->assembly_cap) {
        return WRING_OK;
    }
    size_t cap = session->assembly_cap < ASSEMBLY_MIN ? ASSEMBLY_MIN : session->assembly_cap * 2;
    if (session->frame_fin && session->payload_left < cap) {
        cap = wring__min_size(cap, session->assembly_len + (size_t)session->payload_left);
    }
    cap = cap < need ? need : cap;
    uint8_t *grown = realloc(session->assembly, cap);
    if (grown == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    session->assembly = grown;
    session->assembly_cap = cap;
    return WRING_OK;
}

static void message_show(wring_session *session, wring_event *event, const uint8_t *data,
                         size_t len) {
    event->kind = WRING_EVENT_MESSAGE;
    event->message.opcode = (wring_opcode)session->message_opcode;
    event->message.close_code = 0;
    event->message.payload = wring_bytes_of(data, len);
    session->message_opcode = 0;
    session->rx_phase = WRING__RX_HEADER;
}

/* Unmasks `len` bytes in place, validating text in the same pass. */
static wring_result data_unmask(wring_session *session, uint8_t *data, size_t len, bool last) {
    if (session->message_opcode != WRING_TEXT) {
        unmask(session, data, len);
        return WRING_OK;
    }
    size_t bad_at;
    session->utf8 = session->frame_masked
                        ? wring__unmask_utf8(session->utf8, data, len, session->key,
                                             session->key_phase, &bad_at)
                        : wring__utf8_feed(session->utf8, data, len, &bad_at);
    bool cut = last && session->utf8 != WRING__UTF8_COMPLETE;
    return cut || session->utf8 == WRING__UTF8_REJECT ? WRING_ERR_INVALID_UTF8 : WRING_OK;
}

static wring_result rx_data(wring_session *session, wring_event *event) {
    uint8_t *data = session->in;
    size_t len = wring__min_size(session->in_len, session->payload_left);
    bool frame_is_whole = len == session->payload_left;
    bool last = frame_is_whole && session->frame_fin;
    wring_result result = data_unmask(session, data, len, last);
    if (result != WRING_OK) {
        return result;
    }
    in_skip(session, len);
    if (last && session->assembly_len == 0) {
        message_show(session, event, data, len);
        return WRING_OK;
    }
    if (len > 0) {
        result = assembly_reserve(session, len);
        if (result != WRING_OK) {
            return result;
        }
        memcpy(session->assembly + session->assembly_len, data, len);
        session->assembly_len += len;
    }
    session->key_phase = (session->key_phase + len) & 3;
    session->payload_left -= len;
    if (last) {
        session->assembly_lent = true;
        message_show(session, event, session->assembly, session->assembly_len);
        return WRING_OK;
    }
    if (frame_is_whole) {
        session->rx_phase = WRING__RX_HEADER;
    }
    return WRING_MORE;
}

/* ---- events ---------------------------------------------------------------------------------- */

/* The last event's view is no longer needed. A buffer stays while bytes are left, for the frame
 * that straddles this feed's end; an idle session keeps none. */
static void buffers_reuse(wring_session *session) {
    if (session->assembly_lent) {
        session->assembly_lent = false;
        session->assembly_len = 0;
    }
    if (session->assembly_len == 0 && session->in_len == 0 && session->assembly_cap > 0) {
        free(session->assembly);
        session->assembly = NULL;
        session->assembly_cap = 0;
    }
    if (session->control != NULL && session->in_len == 0 && session->rx_phase == WRING__RX_HEADER) {
        free(session->control);
        session->control = NULL;
    }
}

static bool rx_can_step(const wring_session *session) {
    if (session->state == WRING_SESSION_CLOSED || session->state == WRING_SESSION_READY) {
        return false;
    }
    bool empty_payload = session->rx_phase == WRING__RX_PAYLOAD && session->payload_left == 0;
    return session->in_len > 0 || empty_payload;
}

static wring_result rx_step(wring_session *session, wring_event *event) {
    switch ((enum wring__rx_phase)session->rx_phase) {
    case WRING__RX_HEADER: {
        wring_result result = rx_header(session);
        return result == WRING_OK ? WRING_MORE : result;
    }
    case WRING__RX_PAYLOAD:
        return wring__opcode_is_control(session->frame_opcode) ? rx_control(session, event)
                                                               : rx_data(session, event);
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
    session->assembly_len = 0;
    session->assembly_cap = 0;
    return true;
}

/* The common case in a third of the instructions: a text or binary message in one frame of up to
 * 125 bytes that is all here, with nothing begun before it. False: the machine below has to look.
 */
static bool rx_short_message(wring_session *session, wring_event *event) {
    const wring_session_config *config = session->config;
    const bool server = config->role == WRING_ROLE_SERVER;
    const size_t header_len = server ? 6 : 2;
    uint8_t *in = session->in;
    if (session->in_len < header_len || session->rx_phase != WRING__RX_HEADER ||
        (session->header_len | session->message_opcode | session->assembly_lent) != 0) {
        return false;
    }
    const uint8_t opcode = in[0] ^ WRING__FIN;
    const size_t len = in[1] ^ (server ? WRING__MASK : 0u); /* a wrong mask bit: more than 125 */
    if ((opcode != WRING_TEXT && opcode != WRING_BINARY) || len > 125 ||
        len > session->in_len - header_len || len > config->max_frame ||
        len > config->max_message || session->state != WRING_SESSION_OPEN) {
        return false;
    }
    uint32_t key = 0, utf8 = WRING__UTF8_COMPLETE;
    size_t bad_at;
    if (server) {
        memcpy(&key, in + 2, sizeof key);
        in += header_len;
        if (opcode == WRING_TEXT) {
            utf8 = wring__unmask_utf8(utf8, in, len, key, 0, &bad_at);
        } else {
            wring__mask(in, len, key, 0);
        }
    } else {
        in += header_len;
        utf8 = opcode == WRING_TEXT ? wring__utf8_feed(utf8, in, len, &bad_at) : utf8;
    }
    if (utf8 != WRING__UTF8_COMPLETE) {
        rx_fail(session, WRING_ERR_INVALID_UTF8);
        return false;
    }
    in_skip(session, header_len + len);
    event->kind = WRING_EVENT_MESSAGE;
    event->message.opcode = (wring_opcode)opcode;
    event->message.close_code = 0;
    event->message.payload = wring_bytes_of(in, len);
    return true;
}

wring_result wring_session_next(wring_session *session, wring_event *event) {
    if (rx_short_message(session, event)) {
        return WRING_OK;
    }
    buffers_reuse(session);
    while (rx_can_step(session)) {
        wring_result result = rx_step(session, event);
        if (result == WRING_OK) {
            return WRING_OK;
        }
        if (result != WRING_MORE) {
            rx_fail(session, result);
        }
    }
    buffers_reuse(session);
    return end_take(session, event) ? WRING_OK : WRING_MORE;
}
