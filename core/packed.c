/* SPDX-License-Identifier: Apache-2.0
 *
 * Packed frame lists. See packed.h.
 */
#include "core/packed.h"

struct record {
    uint64_t payload_len;
    uint16_t close_code;
    uint8_t compress;
    uint8_t opcode;
};

wring__shared *wring__packed_create(const wring_frame *frames, size_t count) {
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += sizeof(struct record) + frames[i].payload.len;
    }
    wring__shared *packed = wring__shared_create_room(WRING__PACKED, 0, total);
    if (packed == NULL) {
        return NULL;
    }
    uint8_t *at = packed->payload;
    for (size_t i = 0; i < count; i++) {
        struct record record = {frames[i].payload.len, frames[i].close_code,
                                (uint8_t)frames[i].compress, (uint8_t)frames[i].opcode};
        memcpy(at, &record, sizeof record);
        at += sizeof record;
        if (record.payload_len > 0) {
            memcpy(at, frames[i].payload.data, record.payload_len);
        }
        at += record.payload_len;
    }
    return packed;
}

bool wring__packed_next(const wring__shared *packed, size_t *offset, wring_frame *frame) {
    if (*offset == packed->payload_len) {
        return false;
    }
    struct record record;
    memcpy(&record, packed->payload + *offset, sizeof record);
    frame->opcode = (wring_opcode)record.opcode;
    frame->close_code = record.close_code;
    frame->compress = record.compress;
    frame->payload = wring_bytes_of(packed->payload + *offset + sizeof record, record.payload_len);
    *offset += sizeof record + record.payload_len;
    return true;
}

size_t wring__packed_count(const wring__shared *message) {
    if (message->opcode != WRING__PACKED) {
        return 1;
    }
    wring_frame frame;
    size_t offset = 0;
    size_t count = 0;
    while (wring__packed_next(message, &offset, &frame)) {
        count++;
    }
    return count;
}

bool wring__packed_close(const wring__shared *message, wring_frame *close) {
    size_t offset = 0;
    while (message->opcode == WRING__PACKED && wring__packed_next(message, &offset, close)) {
        if (close->opcode == WRING_CLOSE) {
            return true;
        }
    }
    return false;
}
