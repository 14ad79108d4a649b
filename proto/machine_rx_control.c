/* SPDX-License-Identifier: Apache-2.0
 *
 * Received control frames: ping, pong, close (RFC 6455 5.5).
 */
#include "proto/machine_parts.h"

#include <stdlib.h>

/* Pongs that may wait in the queue: a flood of pings is answered by these and the latest. */
#define PONGS_MAX 16

/* Judges a close payload of which `len` bytes are here. RFC 6455 5.5.1, 7.4 */
static wring_result close_check(const wring_machine *machine, const uint8_t *payload, size_t len,
                                bool whole) {
    if (len < 2) {
        return WRING_OK;
    }
    if (!wring__machine_code_is_legal(machine, wring__load_be16(payload))) {
        return WRING_ERR_BAD_CLOSE_CODE;
    }
    size_t bad_at;
    uint32_t utf8 = wring__utf8_feed(WRING__UTF8_COMPLETE, payload + 2, len - 2, &bad_at);
    bool bad = utf8 == WRING__UTF8_REJECT || (whole && utf8 != WRING__UTF8_COMPLETE);
    return bad ? WRING_ERR_INVALID_UTF8 : WRING_OK;
}

static wring_result close_received(wring_machine *machine, wring_event *event, uint8_t *payload,
                                   size_t len) {
    wring_result result = close_check(machine, payload, len, true);
    if (result != WRING_OK) {
        return result;
    }
    machine->close_received = true;
    bool began_here = machine->close_sent;
    uint16_t code = len < 2 ? WRING_CLOSE_NO_STATUS : wring__load_be16(payload);
    wring__machine_close_frame(machine, code, wring_bytes_of(NULL, 0)); /* RFC 6455 5.5.1 echo */
    wring__machine_end(machine, WRING_OK, code, !began_here);
    event->message.close_code = code;
    event->message.payload = wring_bytes_of(payload + 2, len < 2 ? 0 : len - 2);
    return WRING_OK;
}

static wring_result pong_send(wring_machine *machine, const uint8_t *payload, size_t len) {
    wring_frame pong = {WRING_PONG, 0, 0, wring_bytes_of(payload, len)};
    wring_result result = wring_machine_send(machine, &pong);
    const bool moot = result == WRING_ERR_CLOSED || result == WRING_ERR_QUEUE_FULL;
    machine->pongs = (uint8_t)(machine->pongs + (result == WRING_OK));
    return moot ? WRING_OK : result;
}

/* RFC 6455 5.5.3: answered before it is shown; of those that wait, only the latest needs to be. */
static wring_result ping_received(wring_machine *machine, const uint8_t *payload, size_t len) {
    wring__rx *rx = machine->rx;
    if (wring__machine_out(machine)->bytes == 0) {
        machine->pongs = 0;
        rx->pong_owed = false;
    }
    if (machine->pongs < PONGS_MAX) {
        return pong_send(machine, payload, len);
    }
    rx->pong_owed = true;
    rx->pong_len = (uint8_t)len;
    memcpy(rx->pong, payload, len);
    return WRING_OK;
}

void wring__machine_drained(wring_machine *machine) {
    machine->pongs = 0;
    if (!wring__machine_owes_pong(machine)) {
        return;
    }
    machine->rx->pong_owed = false;
    if (pong_send(machine, machine->rx->pong, machine->rx->pong_len) != WRING_OK) {
        wring__machine_end(machine, WRING_ERR_NO_MEMORY, WRING_CLOSE_ABNORMAL, false);
    }
}

static wring_result control_received(wring_machine *machine, wring_event *event, uint8_t *payload,
                                     size_t len) {
    wring__rx *rx = machine->rx;
    rx->phase = WRING__RX_HEADER;
    event->kind = WRING_EVENT_MESSAGE;
    event->message.opcode = (wring_opcode)rx->frame_opcode;
    event->message.close_code = 0;
    event->message.payload = wring_bytes_of(payload, len);
    if (rx->frame_opcode == WRING_CLOSE) {
        return close_received(machine, event, payload, len);
    }
    if (rx->frame_opcode == WRING_PONG && len == 0) {
        machine->pong_seen = true;
    }
    return rx->frame_opcode == WRING_PING ? ping_received(machine, payload, len) : WRING_OK;
}

wring_result wring__machine_control(wring_machine *machine, wring_event *event) {
    wring__rx *rx = machine->rx;
    uint8_t *payload = machine->in;
    size_t len = wring__min_size(machine->in_len, rx->payload_left);
    bool whole = len == rx->payload_left;
    wring__rx_unmask(rx, payload, len);
    wring__machine_in_skip(machine, len);
    if (whole && rx->control_len == 0) {
        return control_received(machine, event, payload, len);
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
        return control_received(machine, event, rx->control, rx->control_len);
    }
    wring_result result = WRING_OK;
    if (rx->frame_opcode == WRING_CLOSE) {
        result = close_check(machine, rx->control, rx->control_len, false);
    }
    return result == WRING_OK ? WRING_MORE : result;
}
