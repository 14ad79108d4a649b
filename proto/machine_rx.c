/* SPDX-License-Identifier: Apache-2.0
 *
 * The receiving half of a machine: bytes in, one event at a time out (RFC 6455 5, 7, 8.1).
 *
 * A whole frame is unmasked where it lies and shown from there. Only what straddles feeds, or comes
 * in fragments, is assembled (machine_rx_assembly.c), in memory that grows with the bytes received,
 * never with the length promised. Every violation is answered at the first byte that makes it
 * certain.
 */
#include "proto/machine_parts.h"
#include "core/trace.h"

/* What a fragment is charged besides its payload: so that a flood of empty ones ends as well. */
#define FRAGMENT_OVERHEAD 64

wring_result wring__machine_feed(wring_machine *machine, wring_mut_bytes bytes, wring__block *block,
                                 uint64_t now_ns) {
    if (machine->state == WRING_MACHINE_READY || machine->in_len > 0) {
        return WRING_ERR_INVALID_STATE;
    }
    if (machine->state == WRING_MACHINE_CLOSED) {
        return WRING_OK;
    }
    machine->common->feed = (wring__feed){.block = block, .from = bytes.data};
    machine->in = bytes.data;
    machine->in_len = bytes.len;
    if (machine->state == WRING_MACHINE_OPEN) {
        machine->activity_ns = now_ns;
        machine->ping_sent = false;
    } else if (machine->activity_ns == 0) {
        machine->activity_ns = now_ns;
    }
    return WRING_OK;
}

wring_result wring_machine_feed(wring_machine *machine, wring_mut_bytes bytes, uint64_t now_ns) {
    return wring__machine_feed(machine, bytes, NULL, now_ns);
}

/* The peer broke a rule: its close code goes out, the machine ends. RFC 6455 7.1.7 */
static void rx_fail(wring_machine *machine, wring_result result) {
    uint16_t code = wring_result_close_code(result);
    wring__machine_close_frame(machine, code, wring_bytes_of(NULL, 0));
    wring__machine_end(machine, result, code, true);
}

/* ---- header ---------------------------------------------------------------------------------- */

static wring__frame_rules rx_rules(const wring_machine *machine) {
    const wring__rx *rx = machine->rx;
    const bool is_open = rx->message_opcode != 0;
    uint64_t limit = is_open ? rx->message_bytes_max : machine->common->config.message_bytes_max;
    uint64_t used = is_open ? rx->assembly_len : 0;
    wring__frame_rules rules = {
        .role = machine->common->role,
        .message_is_open = rx->message_opcode != 0,
        .compression = machine->deflate != NULL,
        .frame_bytes_max = machine->common->config.frame_bytes_max,
        .message_left = limit - wring__min_u64(used, limit),
    };
    return rules;
}

static wring_result frame_begin(wring_machine *machine, const wring__frame_header *header) {
    wring__rx *rx = machine->rx;
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
        rx->message_bytes_max = machine->common->config.message_bytes_max;
        rx->message_compressed = header->rsv1; /* RFC 7692 6: said once, by the first frame */
    }
    if (rx->frame_fin && header->opcode != WRING_CONTINUATION) {
        return WRING_OK; /* not fragmented */
    }
    rx->fragment_bytes += header->payload_len + FRAGMENT_OVERHEAD;
    return rx->fragment_bytes > machine->common->config.fragment_bytes_max
               ? WRING_ERR_TOO_MANY_FRAGMENTS
               : WRING_OK;
}

/* Collects the header of the next frame, over several feeds if need be. */
static wring_result rx_header(wring_machine *machine) {
    wring__rx *rx = machine->rx;
    wring__frame_rules rules = rx_rules(machine);
    wring__frame_header header = {0};
    const uint8_t *bytes = machine->in;
    size_t before = rx->header_len;
    size_t len = machine->in_len;
    if (before > 0) {
        len = wring__min_size(machine->in_len, sizeof rx->header - before);
        memcpy(rx->header + before, machine->in, len);
        bytes = rx->header;
        len += before;
    }
    wring_result result = wring__frame_header_decode(bytes, len, &rules, &header);
    if (result == WRING_OK) {
        rx->header_len = 0;
        wring__machine_in_skip(machine, header.header_len - before);
        return frame_begin(machine, &header);
    }
    if (result == WRING_MORE) {
        if (before == 0) {
            memcpy(rx->header, machine->in, len);
        }
        rx->header_len = (uint8_t)len;
        wring__machine_in_skip(machine, machine->in_len);
    }
    return result;
}

/* ---- control frames -------------------------------------------------------------------------- */

/* ---- data frames ----------------------------------------------------------------------------- */

void wring__machine_message_show(wring__rx *rx, wring_event *event, const uint8_t *data,
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
static void reference_offer(wring_machine *machine, wring__block *block, const uint8_t *data,
                            size_t len) {
    wring__machine_common *common = machine->common;
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

static wring_result rx_data(wring_machine *machine, wring_event *event) {
    wring__rx *rx = machine->rx;
    uint8_t *data = machine->in;
    size_t len = wring__min_size(machine->in_len, rx->payload_left);
    bool frame_is_whole = len == rx->payload_left;
    bool last = frame_is_whole && rx->frame_fin;
    wring_result result = data_unmask(rx, data, len, last);
    if (result != WRING_OK) {
        return result;
    }
    wring__machine_in_skip(machine, len);
    const bool in_place = rx->assembly != NULL && data == rx->assembly + rx->assembly_len;
    if (last && rx->assembly_len == 0 && !in_place) {
        if (rx->message_compressed) {
            return wring__machine_inflate(machine, event, data, len);
        }
        reference_offer(machine, machine->common->feed.block, data, len);
        wring__machine_message_show(rx, event, data, len);
        return WRING_OK;
    }
    if (len > 0) {
        if (!in_place) {
            result = wring__assembly_reserve(rx, wring__blocks_of(machine->common->cache), len);
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
        return wring__machine_inflate(machine, event, rx->assembly, rx->assembly_len);
    }
    if (last) {
        rx->assembly_lent = true;
        reference_offer(machine, rx->block, rx->assembly, rx->assembly_len);
        wring__machine_message_show(rx, event, rx->assembly, rx->assembly_len);
        return WRING_OK;
    }
    if (frame_is_whole) {
        rx->phase = WRING__RX_HEADER;
    }
    return WRING_MORE;
}

/* ---- events ---------------------------------------------------------------------------------- */

static bool rx_can_step(const wring_machine *machine) {
    if (machine->state == WRING_MACHINE_CLOSED || machine->state == WRING_MACHINE_READY) {
        return false;
    }
    if (machine->in_len > 0) {
        return true;
    }
    const wring__rx *rx = machine->rx;
    if (rx == NULL || rx->phase == WRING__RX_HEADER) {
        return false;
    }
    return rx->phase == WRING__RX_INFLATE || rx->payload_left == 0; /* an empty one needs no byte */
}

static wring_result rx_step(wring_machine *machine, wring_event *event) {
    if (!wring__machine_rx_begin(machine)) {
        return WRING_ERR_NO_MEMORY;
    }
    switch ((enum wring__rx_phase)machine->rx->phase) {
    case WRING__RX_HEADER: {
        wring_result result = rx_header(machine);
        return result == WRING_OK ? WRING_MORE : result;
    }
    case WRING__RX_PAYLOAD:
        return wring__opcode_is_control(machine->rx->frame_opcode)
                   ? wring__machine_control(machine, event)
                   : rx_data(machine, event);
    case WRING__RX_INFLATE:
        return wring__machine_inflate_on(machine, event);
    }
    WRING_UNREACHABLE();
}

static bool end_take(wring_machine *machine, wring_event *event) {
    if (!machine->end_pending) {
        return false;
    }
    machine->end_pending = false;
    event->kind = WRING_EVENT_END;
    wring__machine_rx_deinit(machine);
    return true;
}

/* Where a payload that came masked is to lie: behind the answer to the message before, if that was
 * that message. The answer's header is shorter than the one received, so this is never later. */
static uint8_t *payload_place(const wring_machine *machine, uint8_t *received, size_t len) {
    const wring__machine_common *common = machine->common;
    return common->feed.burst_in == machine->in && len >= WRING__REFERENCE_MIN
               ? common->feed.burst_end + wring__frame_header_len(len, false)
               : received;
}

/* The common case in a third of the instructions: a text or binary message in one frame of less
 * than 64 KiB that is all here, with nothing begun before it. False: the machine below has to look.
 */
static bool rx_whole_message(wring_machine *machine, wring_event *event) {
    WRING_TRACE_STOP();
    const wring_session_config *config = &machine->common->config;
    const bool server = machine->common->role == WRING_ROLE_SERVER;
    size_t header_len = server ? 6 : 2;
    uint8_t *in = machine->in;
    if (machine->in_len < header_len || machine->rx != NULL ||
        machine->state != WRING_MACHINE_OPEN) {
        return false;
    }
    const uint8_t opcode = in[0] ^ WRING__FIN;
    size_t len = in[1] ^ (server ? WRING__MASK : 0u); /* a wrong mask bit: more than 127 */
    if (len > 125) {
        header_len += 2;
        if (len != 126 || machine->in_len < header_len) {
            return false;
        }
        len = wring__load_be16(in + 2);
        if (len < 126) { /* too long a form: not for here */
            return false;
        }
    }
    if ((opcode != WRING_TEXT && opcode != WRING_BINARY) || len > machine->in_len - header_len ||
        len > config->frame_bytes_max || len > config->message_bytes_max) {
        return false;
    }
    uint32_t key = 0, utf8 = WRING__UTF8_COMPLETE;
    size_t bad_at;
    uint8_t *payload = server ? payload_place(machine, in + header_len, len) : in + header_len;
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
        rx_fail(machine, WRING_ERR_INVALID_UTF8);
        return false;
    }
    wring__machine_in_skip(machine, header_len + len);
    if (len >= WRING__REFERENCE_MIN) {
        reference_offer(machine, machine->common->feed.block, payload, len);
    }
    event->kind = WRING_EVENT_MESSAGE;
    event->message.opcode = (wring_opcode)opcode;
    event->message.close_code = 0;
    event->message.payload = wring_bytes_of(payload, len);
    return true;
}

/* What is no whole message. Not inlined: what it needs would be saved for those as well. */
__attribute__((noinline)) static wring_result next_of_rest(wring_machine *machine,
                                                           wring_event *event) {
    while (rx_can_step(machine)) {
        wring_result result = rx_step(machine, event);
        if (result == WRING_OK) {
            return WRING_OK;
        }
        if (result != WRING_MORE) {
            rx_fail(machine, result);
        } else if (wring__machine_is_inflating(machine)) {
            break; /* in another turn */
        }
    }
    if (machine->rx != NULL) {
        wring__machine_rx_rest(machine);
    }
    return end_take(machine, event) ? WRING_OK : WRING_MORE;
}

wring_result wring_machine_next(wring_machine *machine, wring_event *event) {
    machine->common->feed.shown_len = 0;
    if (machine->rx != NULL) {
        wring__machine_rx_rest(machine);
    }
    if (rx_whole_message(machine, event)) {
        return WRING_OK;
    }
    const bool idle = machine->in_len == 0 && machine->rx == NULL && !machine->end_pending;
    return idle ? WRING_MORE : next_of_rest(machine, event);
}
