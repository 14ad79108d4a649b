/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a machine, and a map of its files. Nobody else includes this.
 *
 *   machine.c              its life and clock: configuration, opening, closing, timeouts
 *   machine_rx.c           bytes received, to events: the machine of frames, and the short way of a
 *                          message that is whole
 *   machine_rx_control.c   ... control frames received: pings are answered, a close is judged
 *   machine_rx_assembly.c  ... the memory of a frame or message that is not over yet
 *   machine_rx_inflate.c   ... compressed messages, in shares of a turn
 *   machine_send.c         a frame to send: checked, framed and queued at once
 *   machine_pending.c      messages that take several turns to send, and what waits behind them
 */
#ifndef WRING_PROTO_MACHINE_PARTS_H
#define WRING_PROTO_MACHINE_PARTS_H

#include "proto/kernels.h"
#include "proto/machine.h"

/** Goes to CLOSED and owes WRING_EVENT_END. The first reason wins. */
void wring__machine_end(wring_machine *machine, wring_result result, uint16_t code, bool by_peer);

/** Queues the one close frame of this machine, if none was queued yet. */
void wring__machine_close_frame(wring_machine *machine, uint16_t code, wring_bytes reason);

bool wring__machine_code_is_legal(const wring_machine *machine, uint16_t code);

/** Whether anything may be sent: RFC 6455 5.5.1, and not before it is open. */
WRING_MUST_CHECK wring_result wring__machine_send_check(const wring_machine *machine);

/** Frames and queues, whatever the machine's state.  @param first  the first byte of the header */
WRING_MUST_CHECK wring_result wring__machine_append(wring_machine *machine, uint8_t first,
                                                    wring_bytes payload);
/** The same of a text or binary message, compressed if that is worth while, and a published one. */
WRING_MUST_CHECK wring_result wring__machine_deflate_append(wring_machine *machine,
                                                            const wring_frame *frame);
WRING_MUST_CHECK wring_result wring__machine_shared_append(wring_machine *machine,
                                                           wring__shared *shared);

/** Messages that are compressed over several turns, and what waits behind them (machine_pending.c).
 *  Own: a copy; shares.  Errors: WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__machine_pending_add(wring_machine *machine,
                                                         const wring_frame *frame);
WRING_MUST_CHECK wring_result wring__machine_pending_add_shared(wring_machine *machine,
                                                                wring__shared *shared);
/** What waits is sent now, no longer compressed; behind an open message it cannot be, and is given
 *  up. May end the machine. */
void wring__machine_pending_finish(wring_machine *machine);

/** A compressed message is whole, at `data`: inflates it, or as much of it as this turn allows.
 *  WRING_OK: `event` shows it. WRING_MORE: the phase is WRING__RX_INFLATE, the bytes fed are kept.
 *  Errors: those of wring__deflate_inflate, WRING_ERR_INVALID_UTF8. (machine_rx_inflate.c) */
WRING_MUST_CHECK wring_result wring__machine_inflate(wring_machine *machine, wring_event *event,
                                                     const uint8_t *data, size_t len);
/** ... goes on with it. */
WRING_MUST_CHECK wring_result wring__machine_inflate_on(wring_machine *machine, wring_event *event);
/** Gives up what of it is not done. */
void wring__machine_inflate_end(wring_machine *machine);
/** Lets go of bytes that were kept, once they are used up. */
void wring__machine_kept_rest(wring_machine *machine);

/** Shows a message that is whole. */
void wring__machine_message_show(wring__rx *rx, wring_event *event, const uint8_t *data,
                                 size_t len);

/** Bytes that were fed are used up. */
static inline void wring__machine_in_skip(wring_machine *machine, size_t count) {
    machine->in += count;
    machine->in_len -= count;
}

static inline void wring__rx_unmask(const wring__rx *rx, uint8_t *data, size_t len) {
    if (rx->frame_masked) {
        wring__mask(data, len, rx->key, rx->key_phase);
    }
}

/** The next bytes of a control frame. (machine_rx_control.c)
 *  WRING_MORE: it is not whole. Errors: WRING_ERR_BAD_CLOSE_CODE, WRING_ERR_INVALID_UTF8,
 *  WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__machine_control(wring_machine *machine, wring_event *event);

/* The memory of a frame in progress. (machine_rx_assembly.c) */

/** False: no memory. */
WRING_MUST_CHECK bool wring__machine_rx_begin(wring_machine *machine);

/** The last event's view is no longer needed; between messages nothing is kept. */
void wring__machine_rx_rest(wring_machine *machine);

/** Frees the buffers of the receiving half. */
void wring__machine_rx_deinit(wring_machine *machine);

/** Room for `more` bytes: doubles with what was received, never past what this message still can
 *  bring where that is known. A kept block may be larger: it is there already.
 *  Errors: WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__assembly_reserve(wring__rx *rx, wring__block_cache *cache,
                                                      size_t more);

#endif
