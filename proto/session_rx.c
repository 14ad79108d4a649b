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
#define ASSEMBLY_LEAN     ((size_t)16 * 1024) /* grown by so much when memory is short */
/* Pongs that may wait in the queue: a flood of pings is answered by these and the latest. */
#define PONGS_MAX 16

/* A buffer rests with the state it was made for, until the next frame that straddles two reads: on
 * whichever session of the worker that is. All of them are at most so large. */
#define ASSEMBLIES_KEPT_MAX ((size_t)128 * 1024)

/* ---- the state of a frame in progress -------------------------------------------------------- */

static bool rx_begin(wring_session *session) {
    if (session->rx != NULL) {
        return true;
    }
    wring__session_common *common = session->common;
    wring__rx *rx = common->rx_kept;
    if (rx != NULL) {
        common->rx_kept = rx->next;
        common->rx_kept_count--;
        common->rx_kept_bytes -= rx->assembly_cap;
    } else {
        rx = calloc(1, sizeof *rx);
    }
    session->rx = rx;
    return rx != NULL;
}

static void inflated_end(wring_session *session) {
    wring__rx *rx = session->rx;
    if (rx->inflated != NULL) {
        wring__deflate_recycle(session->deflate, rx->inflated, rx->inflated_cap);
        rx->inflated = NULL;
    }
}

static void assembly_drop(wring__rx *rx) {
    wring__block_unref(rx->block);
    rx->block = NULL;
    rx->assembly = NULL;
    rx->assembly_len = 0;
    rx->assembly_cap = 0;
}

static void rx_end(wring_session *session) {
    wring__session_common *common = session->common;
    wring__rx *rx = session->rx;
    inflated_end(session);
    wring__session_inflate_end(session);
    session->rx = NULL;
    free(rx->control);
    const bool keep = common->rx_kept_count < common->rx_kept_max;
    const bool is_held = rx->block != NULL && rx->block->refs > 1; /* a send or receive has it */
    if (!keep || is_held || rx->assembly_cap > ASSEMBLIES_KEPT_MAX - common->rx_kept_bytes) {
        assembly_drop(rx);
    }
    if (!keep) {
        free(rx);
        return;
    }
    *rx = (wring__rx){.next = common->rx_kept,
                      .block = rx->block,
                      .assembly = rx->assembly,
                      .assembly_cap = rx->assembly_cap};
    common->rx_kept = rx;
    common->rx_kept_count++;
    common->rx_kept_bytes += rx->assembly_cap;
}

void wring__session_rx_deinit(wring_session *session) {
    if (session->rx != NULL) {
        rx_end(session);
    }
}

/* The last event's view is no longer needed; between messages nothing is kept. */
static void rx_rest(wring_session *session) {
    wring__rx *rx = session->rx;
    inflated_end(session);
    wring__session_kept_rest(session);
    if (rx->assembly_lent) {
        rx->assembly_lent = false;
        rx->assembly_len = 0;
        if (rx->block != NULL && rx->block->refs > 1) { /* it is on its way out */
            assembly_drop(rx);
        }
    }
    if (rx->phase == WRING__RX_HEADER && rx->kept == NULL &&
        (rx->header_len | rx->message_opcode | rx->pong_owed) == 0) {
        rx_end(session);
    }
}

wring_result wring_session_feed(wring_session *session, wring_mut_bytes bytes, uint64_t now_ns) {
    if (session->state == WRING_SESSION_READY || session->in_len > 0) {
        return WRING_ERR_INVALID_STATE;
    }
    if (session->state == WRING_SESSION_CLOSED) {
        return WRING_OK;
    }
    session->common->burst_in = NULL;
    session->common->fed_from = bytes.data;
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
        in_skip(session, header.header_len - before);
        return frame_begin(session, &header);
    }
    if (result == WRING_MORE) {
        if (before == 0) {
            memcpy(rx->header, session->in, len);
        }
        rx->header_len = (uint8_t)len;
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

static wring_result pong_send(wring_session *session, const uint8_t *payload, size_t len) {
    wring_frame pong = {WRING_PONG, 0, wring_bytes_of(payload, len)};
    wring_result result = wring_session_send(session, &pong);
    const bool moot = result == WRING_ERR_CLOSED || result == WRING_ERR_QUEUE_FULL;
    session->pongs = (uint8_t)(session->pongs + (result == WRING_OK));
    return moot ? WRING_OK : result;
}

/* RFC 6455 5.5.3: answered before it is shown; of those that wait, only the latest needs to be. */
static wring_result ping_received(wring_session *session, const uint8_t *payload, size_t len) {
    wring__rx *rx = session->rx;
    if (wring__session_out(session)->bytes == 0) {
        session->pongs = 0;
        rx->pong_owed = false;
    }
    if (session->pongs < PONGS_MAX) {
        return pong_send(session, payload, len);
    }
    rx->pong_owed = true;
    rx->pong_len = (uint8_t)len;
    memcpy(rx->pong, payload, len);
    return WRING_OK;
}

void wring__session_drained(wring_session *session) {
    session->pongs = 0;
    if (!wring__session_owes_pong(session)) {
        return;
    }
    session->rx->pong_owed = false;
    if (pong_send(session, session->rx->pong, session->rx->pong_len) != WRING_OK) {
        wring__session_end(session, WRING_ERR_NO_MEMORY, WRING_CLOSE_ABNORMAL, false);
    }
}

static wring_result control_received(wring_session *session, wring_event *event, uint8_t *payload,
                                     size_t len) {
    wring__rx *rx = session->rx;
    rx->phase = WRING__RX_HEADER;
    event->kind = WRING_EVENT_MESSAGE;
    event->message.opcode = (wring_opcode)rx->frame_opcode;
    event->message.close_code = 0;
    event->message.payload = wring_bytes_of(payload, len);
    if (rx->frame_opcode == WRING_CLOSE) {
        return close_received(session, event, payload, len);
    }
    if (rx->frame_opcode == WRING_PONG && len == 0) {
        session->pong_seen = true;
    }
    return rx->frame_opcode == WRING_PING ? ping_received(session, payload, len) : WRING_OK;
}

static void unmask(const wring__rx *rx, uint8_t *data, size_t len) {
    if (rx->frame_masked) {
        wring__mask(data, len, rx->key, rx->key_phase);
    }
}

static wring_result rx_control(wring_session *session, wring_event *event) {
    wring__rx *rx = session->rx;
    uint8_t *payload = session->in;
    size_t len = wring__min_size(session->in_len, rx->payload_left);
    bool whole = len == rx->payload_left;
    unmask(rx, payload, len);
    in_skip(session, len);
    if (whole && rx->control_len == 0) {
        return control_received(session, event, payload, len);
    }
    if (rx->control == NULL) {
        rx->control = malloc(WRING_CONTROL_PAYLOAD_MAX);
        if (rx->control == NULL) {
            return WRING_ERR_NO_MEMORY;
        }
    }
    memcpy(rx->control + rx->control_len, payload, len);
    rx->control_len = (uint8_t)(rx->control_len + len);
    rx->key_phase = (rx->key_phase + len) & 3;
    rx->payload_left -= len;
    if (whole) {
        return control_received(session, event, rx->control, rx->control_len);
    }
    wring_result result = WRING_OK;
    if (rx->frame_opcode == WRING_CLOSE) {
        result = close_check(session, rx->control, rx->control_len, false);
    }
    return result == WRING_OK ? WRING_MORE : result;
}

/* ---- data frames ----------------------------------------------------------------------------- */

static wring_result assembly_set(wring__rx *rx, wring__block *block) {
    if (block == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    rx->block = block;
    rx->assembly = block->data;
    rx->assembly_cap = block->cap;
    return WRING_OK;
}

/* Room for `more` bytes: doubles with what was received, never past what this message still can
 * bring where that is known. A kept block may be larger: it is there already. */
static wring_result assembly_reserve(wring__rx *rx, wring__block_cache *cache, size_t more) {
    size_t need = rx->assembly_len + more;
    if (need <= rx->assembly_cap) {
        return WRING_OK;
    }
    size_t cap = rx->assembly_cap < ASSEMBLY_MIN ? ASSEMBLY_MIN : rx->assembly_cap * 2;
    if (cache != NULL && cache->lean) {
        cap = need + ASSEMBLY_LEAN;
    }
    if (rx->frame_fin && rx->payload_left < cap) {
        cap = wring__min_size(cap, rx->assembly_len + (size_t)rx->payload_left);
    }
    cap = cap < need ? need : cap;
    const uint64_t whole = rx->assembly_len + rx->payload_left;
    wring__block *kept =
        whole > cap && whole <= SIZE_MAX ? wring__block_take_kept(cache, (size_t)whole) : NULL;
    if (kept != NULL) {
        if (rx->assembly_len > 0) {
            memcpy(kept->data, rx->assembly, rx->assembly_len);
        }
        wring__block_unref(rx->block);
        return assembly_set(rx, kept);
    }
    return assembly_set(rx, rx->block == NULL
                                ? wring__block_make(cache, cap)
                                : wring__block_grow(cache, rx->block, rx->assembly_len, cap));
}

/* ---- long frames ----------------------------------------------------------------------------- */

/* Room that may be made ahead of the bytes it is for, and the most one receive is given: a run that
 * is still in the cache when it is unmasked. */
#define ROOM_AHEAD ((size_t)64 << 10)
#define ROOM_MAX   ((size_t)256 << 10)

uint64_t wring__session_rx_missing(const wring_session *session) {
    const wring__rx *rx = session->rx;
    const bool in_data = rx != NULL && rx->phase == WRING__RX_PAYLOAD && !rx->assembly_lent &&
                         !wring__opcode_is_control(rx->frame_opcode);
    return in_data && session->state != WRING_SESSION_CLOSED ? rx->payload_left : 0;
}

wring__block *wring__session_rx_room(wring_session *session) {
    const uint64_t missing = wring__session_rx_missing(session);
    if (missing == 0 || session->in_len > 0) {
        return NULL;
    }
    wring__rx *rx = session->rx;
    const size_t want = (size_t)wring__min_u64(missing, ROOM_MAX);
    const size_t ahead = wring__min_size(want, rx->assembly_len + ROOM_AHEAD);
    wring__block_cache *cache = wring__blocks_of(session->common->cache);
    const size_t enough = wring__min_size(want, ROOM_AHEAD / 4);
    if (rx->assembly_cap - rx->assembly_len < enough &&
        assembly_reserve(rx, cache, ahead) != WRING_OK) {
        return NULL;
    }
    rx->block->at = rx->assembly_len;
    rx->block->len = wring__min_size(want, rx->assembly_cap - rx->assembly_len);
    return rx->block;
}

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
    common->shown_block = block;
    common->shown = data;
    common->shown_len = block == NULL ? 0 : len;
}

/* Unmasks `len` bytes in place, validating text in the same pass. */
static wring_result data_unmask(wring__rx *rx, uint8_t *data, size_t len, bool last) {
    if (rx->message_opcode != WRING_TEXT || rx->message_compressed) {
        unmask(rx, data, len);
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
    in_skip(session, len);
    const bool in_place = rx->assembly != NULL && data == rx->assembly + rx->assembly_len;
    if (last && rx->assembly_len == 0 && !in_place) {
        if (rx->message_compressed) {
            return wring__session_inflate(session, event, data, len);
        }
        reference_offer(session, session->common->fed, data, len);
        wring__session_message_show(rx, event, data, len);
        return WRING_OK;
    }
    if (len > 0) {
        if (!in_place) {
            result = assembly_reserve(rx, wring__blocks_of(session->common->cache), len);
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
    if (!rx_begin(session)) {
        return WRING_ERR_NO_MEMORY;
    }
    switch ((enum wring__rx_phase)session->rx->phase) {
    case WRING__RX_HEADER: {
        wring_result result = rx_header(session);
        return result == WRING_OK ? WRING_MORE : result;
    }
    case WRING__RX_PAYLOAD:
        return wring__opcode_is_control(session->rx->frame_opcode) ? rx_control(session, event)
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
    return common->burst_in == session->in && len >= WRING__REFERENCE_MIN
               ? common->burst_end + wring__frame_header_len(len, false)
               : received;
}

/* The common case in a third of the instructions: a text or binary message in one frame of less
 * than 64 KiB that is all here, with nothing begun before it. False: the machine below has to look.
 */
static bool rx_whole_message(wring_session *session, wring_event *event) {
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
    in_skip(session, header_len + len);
    if (len >= WRING__REFERENCE_MIN) {
        reference_offer(session, session->common->fed, payload, len);
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
        rx_rest(session);
    }
    return end_take(session, event) ? WRING_OK : WRING_MORE;
}

wring_result wring_session_next(wring_session *session, wring_event *event) {
    session->common->shown_len = 0;
    if (session->rx != NULL) {
        rx_rest(session);
    }
    if (rx_whole_message(session, event)) {
        return WRING_OK;
    }
    const bool idle = session->in_len == 0 && session->rx == NULL && !session->end_pending;
    return idle ? WRING_MORE : next_of_rest(session, event);
}
