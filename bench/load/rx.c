/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames received, by header arithmetic: a payload is looked at only where its tag stands. It is
 * strict all the same where a wrong server would spoil the figures: masks, reserved bits, opcodes
 * out of order end the connection (RFC 6455 5.1, 5.2, 5.4, 5.5). Text is not validated.
 */
#include <stdlib.h>

#include "bench/load/engine.h"
#include "proto/frame.h"
#include "wring/close.h"

void load_rx_free(load_rx *rx) {
    free(rx->head);
    rx->head = NULL;
    load_inflater_destroy(rx->inflater);
    rx->inflater = NULL;
}

/* ---- what a frame or message means ----------------------------------------------------------- */

static void message_give(load_link *link, const load_message *message) {
    if (link->thread->phase == LOAD_CLOSING) {
        return; /* what had not come by its begin is counted as lost */
    }
    switch ((enum load_role)link->role) {
    case LOAD_ROLE_ECHO:
        load_echo_message(link, message);
        break;
    case LOAD_ROLE_PUBLISHER:
        link->thread->to_publishers++;
        break;
    case LOAD_ROLE_SUBSCRIBER:
        load_fanout_message(link, message);
        break;
    case LOAD_ROLE_IDLE:
        link->thread->foreign++;
        break;
    }
}

/* Of a compressed one only as much is inflated as its tag needs. */
static void compressed_done(load_link *link, const load_message *message) {
    load_inflated *last = link->thread->inflated;
    const size_t len = message->head_len;
    if (len == 0 || len != last->wire_len || memcmp(last->wire, message->head, len) != 0) {
        const size_t cap = link->role == LOAD_ROLE_ECHO ? LOAD_ECHO_TAG : sizeof last->head;
        last->wire_len = 0;
        if (!load_inflate_head(link->thread->inflater, message->head, len, last->head, cap,
                               &last->head_len)) {
            load_link_fail(link, "protocol: a compressed message does not inflate");
            return;
        }
        if (link->role != LOAD_ROLE_ECHO && len <= sizeof last->wire) {
            memcpy(last->wire, message->head, len);
            last->wire_len = len;
        }
    }
    const load_message plain = {last->head,      last->head_len, LOAD_LEN_UNKNOWN,
                                message->opcode, true,           message->fault};
    message_give(link, &plain);
}

static void message_done(load_link *link, const load_message *message) {
    if (message->compressed) {
        compressed_done(link, message);
    } else {
        message_give(link, message);
    }
}

/* Of its close frame's code. RFC 6455 7.4: most are never to be seen on the wire. */
static const char *close_name(unsigned code, size_t len) {
    return len == 1 ? "a close frame of one byte, illegal"
           : len >= 2 && !wring_close_valid_on_wire_iana(code) ? "illegal on the wire"
                                                               : wring_close_reason_name(code);
}

static void closed_by_server(load_link *link, const uint8_t *payload, size_t len) {
    const unsigned code = len < 2 ? WRING_CLOSE_NO_STATUS : wring__load_be16(payload);
    if (load_link_awaits_close(link, code)) { /* RFC 6455 5.5.1 */
        link->stage = LOAD_STAGE_OVER;        /* the server ends the stream: 7.1.1 */
        return;
    }
    if (link->stage == LOAD_STAGE_OPEN) { /* later, our own is its answer */
        (void)!load_tx_control(link, WRING_CLOSE, payload, len < 2 ? 0 : 2);
    }
    load_link_failf(link, "closed by the server: %u (%s)%s%.*s", code, close_name(code, len),
                    len > 2 ? " " : "", len < 2 ? 0 : (int)(len - 2),
                    (const char *)payload + (len < 2 ? 0 : 2));
}

static void control_done(load_link *link, uint8_t opcode, const uint8_t *payload, size_t len) {
    if (opcode == WRING_PING && link->stage == LOAD_STAGE_OPEN) {
        if (load_tx_control(link, WRING_PONG, payload, len) != WRING_OK) {
            load_link_fail(link, "out of memory");
        }
    } else if (opcode == WRING_CLOSE) {
        closed_by_server(link, payload, len);
    }
}

/* ---- headers --------------------------------------------------------------------------------- */

static size_t header_len_of(uint8_t second) {
    return (second & 0x7f) == 126 ? 4 : (second & 0x7f) == 127 ? 10 : 2;
}

static uint64_t payload_len_of(const uint8_t *header) {
    const uint8_t len = header[1] & 0x7f;
    return len == 126   ? wring__load_be16(header + 2)
           : len == 127 ? wring__load_be64(header + 2)
                        : len;
}

/* NULL when the header may stand here. */
static const char *header_fault(const load_link *link, const uint8_t *header, uint64_t len) {
    const load_rx *rx = &link->rx;
    const uint8_t opcode = header[0] & 0x0f;
    const bool fin = (header[0] & WRING__FIN) != 0;
    const bool may_compress = link->deflate && (opcode == WRING_TEXT || opcode == WRING_BINARY);
    if ((header[0] & (may_compress ? 0x30 : 0x70)) != 0) { /* RFC 7692 6 */
        return "protocol: reserved bits are set";
    }
    if ((header[1] & WRING__MASK) != 0) {
        return "protocol: a server's frame is masked";
    }
    if (wring__opcode_is_control(opcode)) {
        const bool known = opcode <= WRING_PONG;
        return known && fin && len <= WRING_CONTROL_PAYLOAD_MAX ? NULL
                                                                : "protocol: a bad control frame";
    }
    if (opcode > WRING_BINARY || (opcode == WRING_CONTINUATION) != (rx->message_opcode != 0)) {
        return "protocol: an opcode out of order";
    }
    return (len >> 62) != 0 ? "protocol: an impossible length" : NULL;
}

static bool is_verified(const load_link *link) {
    return link->role == LOAD_ROLE_ECHO && link->thread->run->config->verify;
}

/* ---- frames in pieces ------------------------------------------------------------------------ */

/* Behind the message's first bytes there is room for the payload of a control frame that comes
 * between its fragments. */
#define HEAD_ROOM (LOAD_HEAD_MAX + WRING_CONTROL_PAYLOAD_MAX)

static void frame_end(load_link *link) {
    load_rx *rx = &link->rx;
    rx->in_frame = false;
    rx->header_len = 0;
    if (wring__opcode_is_control(rx->frame_opcode)) {
        const size_t len = rx->control_len;
        rx->control_len = 0;
        control_done(link, rx->frame_opcode, rx->head + LOAD_HEAD_MAX, len);
        return;
    }
    if (!rx->fin) {
        return;
    }
    if (rx->compressed && is_verified(link) && !load_verify_end(link)) {
        return;
    }
    const load_message message = {rx->head,           rx->head_len,   rx->message_len,
                                  rx->message_opcode, rx->compressed, rx->fault};
    rx->fault = NULL;
    rx->message_opcode = 0;
    rx->message_len = 0;
    rx->head_len = 0;
    message_done(link, &message);
}

static bool frame_begin(load_link *link, const uint8_t *header) {
    load_rx *rx = &link->rx;
    const uint64_t len = payload_len_of(header);
    const char *fault = header_fault(link, header, len);
    if (fault == NULL && rx->head == NULL && (rx->head = malloc(HEAD_ROOM)) == NULL) {
        fault = "out of memory";
    }
    if (fault != NULL) {
        load_link_fail(link, fault);
        return false;
    }
    rx->frame_opcode = header[0] & 0x0f;
    rx->in_frame = true;
    rx->left = len;
    if (!wring__opcode_is_control(rx->frame_opcode)) {
        rx->fin = (header[0] & WRING__FIN) != 0;
        if (rx->message_opcode == 0) {
            rx->message_opcode = rx->frame_opcode;
            rx->compressed = (header[0] & WRING__RSV1) != 0;
            if (rx->compressed && is_verified(link) && !load_verify_begin(link, true)) {
                return false;
            }
        }
        rx->message_len += len;
    }
    return true;
}

/* Takes what is there of the payload. */
static size_t payload_take(load_link *link, const uint8_t *data, size_t len) {
    load_rx *rx = &link->rx;
    const size_t n = (size_t)wring__min_u64(len, rx->left);
    if (wring__opcode_is_control(rx->frame_opcode)) {
        memcpy(rx->head + LOAD_HEAD_MAX + rx->control_len, data, n);
        rx->control_len = (uint8_t)(rx->control_len + n);
    } else {
        if (is_verified(link) && !rx->compressed) {
            load_echo_verify(link, rx->message_len - rx->left, data, n);
        } else if (is_verified(link) && !load_verify_inflated(link, data, n)) {
            return n;
        }
        const size_t kept = wring__min_size(n, LOAD_HEAD_MAX - (size_t)rx->head_len);
        memcpy(rx->head + rx->head_len, data, kept);
        rx->head_len = (uint16_t)(rx->head_len + kept);
    }
    rx->left -= n;
    return n;
}

static size_t header_take(load_link *link, const uint8_t *data, size_t len) {
    load_rx *rx = &link->rx;
    size_t taken = 0;
    while (taken < len && (rx->header_len < 2 || rx->header_len < header_len_of(rx->header[1]))) {
        rx->header[rx->header_len++] = data[taken++];
    }
    if (rx->header_len >= 2 && rx->header_len == header_len_of(rx->header[1])) {
        (void)frame_begin(link, rx->header);
    }
    return taken;
}

static size_t piece_take(load_link *link, const uint8_t *data, size_t len) {
    size_t taken = 0;
    if (!link->rx.in_frame) {
        taken = header_take(link, data, len);
    }
    if (link->rx.in_frame) {
        taken += payload_take(link, data + taken, len - taken);
        if (link->rx.left == 0) {
            frame_end(link);
        }
    }
    return taken;
}

/* ---- the usual case -------------------------------------------------------------------------- */

static bool whole_verify(load_link *link, const load_message *message) {
    if (message->compressed) {
        return load_verify_begin(link, false) &&
               load_verify_inflated(link, message->head, message->head_len) &&
               load_verify_end(link);
    }
    load_echo_verify(link, 0, message->head, message->head_len);
    return true;
}

/* A whole message in one frame that lies in the buffer: its length, 0 if it is anything else. */
static size_t whole_take(load_link *link, const uint8_t *data, size_t len) {
    const load_rx *rx = &link->rx;
    if (len < 2 || rx->header_len > 0 || rx->in_frame || rx->message_opcode != 0 ||
        (data[1] & WRING__MASK) != 0) {
        return 0;
    }
    const uint8_t first = data[0] & (link->deflate ? 0xff - WRING__RSV1 : 0xff);
    if (first != (WRING__FIN | WRING_TEXT) && first != (WRING__FIN | WRING_BINARY)) {
        return 0;
    }
    const size_t header = header_len_of(data[1]);
    if (len < header) {
        return 0;
    }
    const uint64_t payload = payload_len_of(data);
    if (payload > len - header) {
        return 0;
    }
    load_message message = {.head = data + header,
                            .head_len = (size_t)payload,
                            .len = payload,
                            .opcode = data[0] & 0x0f,
                            .compressed = first != data[0]};
    if (!is_verified(link)) {
        message_done(link, &message);
    } else if (whole_verify(link, &message)) {
        message.fault = link->rx.fault;
        link->rx.fault = NULL;
        message_done(link, &message);
    }
    return header + (size_t)payload;
}

void load_rx_bytes(load_link *link, const uint8_t *data, size_t len) {
    while (len > 0 && (link->stage == LOAD_STAGE_OPEN || link->stage == LOAD_STAGE_CLOSE)) {
        size_t taken = whole_take(link, data, len);
        if (taken == 0) {
            taken = piece_take(link, data, len);
        }
        data += taken;
        len -= taken;
    }
}
