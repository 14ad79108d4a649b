/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory of a frame in progress: its state, and the bytes of a message that straddles feeds or
 * comes in fragments. A machine has neither between messages; a worker keeps a few for the next.
 */
#include "proto/machine_parts.h"

#include <stdlib.h>

#define ASSEMBLY_MIN  256
#define ASSEMBLY_LEAN ((size_t)16 * 1024) /* grown by so much when memory is short */
/* A buffer rests with the state it was made for, until the next frame that straddles two reads: on
 * whichever machine of the worker that is. All of them are at most so large. */
#define ASSEMBLIES_KEPT_MAX ((size_t)128 * 1024)

bool wring__machine_rx_begin(wring_machine *machine) {
    if (machine->rx != NULL) {
        return true;
    }
    wring__machine_common *common = machine->common;
    wring__rx *rx = common->rx_kept;
    if (rx != NULL) {
        common->rx_kept = rx->next;
        common->rx_kept_count--;
        common->rx_kept_bytes -= rx->assembly_cap;
    } else {
        rx = calloc(1, sizeof *rx);
    }
    machine->rx = rx;
    return rx != NULL;
}

static void inflated_end(wring_machine *machine) {
    wring__rx *rx = machine->rx;
    if (rx->inflated != NULL) {
        wring__deflate_recycle(machine->deflate, rx->inflated, rx->inflated_cap);
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

static void rx_end(wring_machine *machine) {
    wring__machine_common *common = machine->common;
    wring__rx *rx = machine->rx;
    inflated_end(machine);
    wring__machine_inflate_end(machine);
    machine->rx = NULL;
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

void wring__machine_rx_deinit(wring_machine *machine) {
    if (machine->rx != NULL) {
        rx_end(machine);
    }
}

void wring__machine_rx_rest(wring_machine *machine) {
    wring__rx *rx = machine->rx;
    inflated_end(machine);
    wring__machine_kept_rest(machine);
    if (rx->assembly_lent) {
        rx->assembly_lent = false;
        rx->assembly_len = 0;
        if (rx->block != NULL && rx->block->refs > 1) { /* it is on its way out */
            assembly_drop(rx);
        }
    }
    if (rx->phase == WRING__RX_HEADER && rx->kept == NULL &&
        (rx->header_len | rx->message_opcode | rx->pong_owed) == 0) {
        rx_end(machine);
    }
}

/* ---- what is assembled ----------------------------------------------------------------------- */

static wring_result assembly_set(wring__rx *rx, wring__block *block) {
    if (block == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    rx->block = block;
    rx->assembly = block->data;
    rx->assembly_cap = block->cap;
    return WRING_OK;
}

wring_result wring__assembly_reserve(wring__rx *rx, wring__block_cache *cache, size_t more) {
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

uint64_t wring__machine_rx_missing(const wring_machine *machine) {
    const wring__rx *rx = machine->rx;
    const bool in_data = rx != NULL && rx->phase == WRING__RX_PAYLOAD && !rx->assembly_lent &&
                         !wring__opcode_is_control(rx->frame_opcode);
    return in_data && machine->state != WRING_MACHINE_CLOSED ? rx->payload_left : 0;
}

wring__block *wring__machine_rx_room(wring_machine *machine) {
    const uint64_t missing = wring__machine_rx_missing(machine);
    if (missing == 0 || machine->in_len > 0) {
        return NULL;
    }
    wring__rx *rx = machine->rx;
    const size_t want = (size_t)wring__min_u64(missing, ROOM_MAX);
    const size_t ahead = wring__min_size(want, rx->assembly_len + ROOM_AHEAD);
    wring__block_cache *cache = wring__blocks_of(machine->common->cache);
    const size_t enough = wring__min_size(want, ROOM_AHEAD / 4);
    if (rx->assembly_cap - rx->assembly_len < enough &&
        wring__assembly_reserve(rx, cache, ahead) != WRING_OK) {
        return NULL;
    }
    rx->block->at = rx->assembly_len;
    rx->block->len = wring__min_size(want, rx->assembly_cap - rx->assembly_len);
    return rx->block;
}
