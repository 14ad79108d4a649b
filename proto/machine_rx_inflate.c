/* SPDX-License-Identifier: Apache-2.0
 *
 * Compressed messages of a machine, once they are whole (RFC 7692 6.2). One that makes more than a
 * turn may cost is inflated over several of them: it and the bytes fed behind it move to memory of
 * the machine's own, and nothing is fed until they are used up.
 */
#include "proto/kernels.h"
#include "proto/machine_parts.h"

/* What is held of the output from one turn to the next counts as memory of the worker. */
static void charge(wring_machine *machine, size_t bytes) {
    wring__rx *rx = machine->rx;
    if (machine->common->cache != NULL) {
        machine->common->cache->held += bytes - rx->charged;
    }
    rx->charged = bytes;
}

/* The bytes fed are the caller's: what is not done with moves, once. */
static wring_result input_keep(wring_machine *machine) {
    wring__rx *rx = machine->rx;
    const bool lent = rx->compressed.data != rx->assembly;
    const size_t len = (lent ? rx->compressed.len : 0) + machine->in_len;
    if (rx->kept != NULL || len == 0) {
        WRING_ASSERT(rx->kept == NULL || machine->in_len <= rx->kept->len);
        return WRING_OK;
    }
    rx->kept = wring__block_make(wring__blocks_of(machine->common->cache), len);
    if (rx->kept == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    uint8_t *to = rx->kept->data;
    rx->kept->len = len;
    if (lent) {
        memcpy(to, rx->compressed.data, rx->compressed.len);
        rx->compressed.data = to;
        to += rx->compressed.len;
    }
    if (machine->in_len > 0) {
        memcpy(to, machine->in, machine->in_len);
    }
    machine->in = to;
    return WRING_OK;
}

void wring__machine_kept_rest(wring_machine *machine) {
    wring__rx *rx = machine->rx;
    if (rx->kept != NULL && machine->in_len == 0 && rx->phase != WRING__RX_INFLATE) {
        wring__block_unref(rx->kept);
        rx->kept = NULL;
    }
}

void wring__machine_inflate_end(wring_machine *machine) {
    wring__rx *rx = machine->rx;
    if (rx->phase == WRING__RX_INFLATE) {
        wring__deflate_abandon(machine->deflate, &rx->inflation);
        charge(machine, 0);
    }
    if (rx->kept != NULL) {
        wring__block_unref(rx->kept);
        rx->kept = NULL;
        machine->in_len = 0;
    }
}

/* Validates what of the output is new; all that is there when it was begun anew. What is wrong is
 * told when the message is whole, so that the outcome does not depend on how it was cut. */
static void text_validate(wring__rx *rx, size_t before) {
    const wring__inflated *out = &rx->inflation.out;
    size_t bad_at;
    if (out->len < before) {
        rx->utf8 = WRING__UTF8_COMPLETE;
        before = 0;
    }
    if (rx->utf8 != WRING__UTF8_REJECT && out->len > before) {
        rx->utf8 = wring__utf8_feed(rx->utf8, out->data + before, out->len - before, &bad_at);
    }
}

wring_result wring__machine_inflate_on(wring_machine *machine, wring_event *event) {
    wring__rx *rx = machine->rx;
    wring__inflation *inflation = &rx->inflation;
    const size_t before = inflation->out.len;
    wring_result result = wring__deflate_inflate(machine->deflate, machine, rx->compressed,
                                                 rx->message_bytes_max, inflation);
    if (result != WRING_OK && result != WRING_MORE) {
        return result;
    }
    if (rx->message_opcode == WRING_TEXT) {
        text_validate(rx, before);
    }
    if (result == WRING_MORE) {
        charge(machine, inflation->out.cap);
        return input_keep(machine) == WRING_OK ? WRING_MORE : WRING_ERR_NO_MEMORY;
    }
    if (rx->message_opcode == WRING_TEXT && rx->utf8 != WRING__UTF8_COMPLETE) {
        wring__deflate_recycle(machine->deflate, inflation->out.data, inflation->out.cap);
        memset(&inflation->out, 0, sizeof inflation->out);
        return WRING_ERR_INVALID_UTF8;
    }
    charge(machine, 0);
    rx->assembly_lent = true; /* the compressed bytes are not needed any more */
    rx->inflated = inflation->out.data;
    rx->inflated_cap = inflation->out.cap;
    const size_t len = inflation->out.len;
    memset(inflation, 0, sizeof *inflation);
    wring__machine_message_show(rx, event, rx->inflated, len);
    return WRING_OK;
}

wring_result wring__machine_inflate(wring_machine *machine, wring_event *event, const uint8_t *data,
                                    size_t len) {
    wring__rx *rx = machine->rx;
    rx->compressed = wring_bytes_of(data, len);
    rx->phase = WRING__RX_INFLATE;
    return wring__machine_inflate_on(machine, event);
}
