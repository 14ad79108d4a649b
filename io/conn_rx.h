/* SPDX-License-Identifier: Apache-2.0
 *
 * The receiving half of the pump, and what its files ask of each other: for conn.c, conn_rx.c,
 * conn_long.c and conn_tls.c only.
 *
 * What the kernel received waits in a connection's chain (io/recv.h) until the dispatch phase gives
 * it to the owner. While nothing is read (the owner's queue is full, or it asked for that) what
 * still comes moves to a stash of the connection's own.
 */
#ifndef WRING_IO_CONN_RX_H
#define WRING_IO_CONN_RX_H

#include "io/conn.h"
#include "io/worker.h"

/** Names an operation of the connection's to the backend. */
static inline uint64_t wring__conn_token(const wring__conn *conn, enum wring__op op) {
    return wring__token_pack((uint8_t)op, conn->super.slot, conn->super.generation);
}

/** Arms a receive operation. None may be armed already. The mode (multishot, one-shot, direct)
 *  depends on the lengths of recent frames. */
void wring__conn_recv_arm(wring__conn *conn);

/** The same, if nothing speaks against reading on. */
void wring__conn_recv_on(wring__conn *conn);

/** Asks for the end of the receive under way. */
void wring__conn_recv_cancel(wring__conn *conn);

void wring__conn_recv_complete(wring__conn *conn, const wring__completion *completion);

/** Gives the owner what was received; it may end the connection. */
void wring__conn_rx_give(wring__conn *conn);

/** Nothing that was received waits. */
bool wring__conn_rx_is_given(const wring__conn *conn);

/** Hands plain bytes to the owner, then decides whether it is given more: the one place where
 *  reading stops, with and without TLS.  @param plain  none is legal: the look alone
 *  False: no more now, because it has ended or a reason of rx_stop holds. */
bool wring__conn_give(wring__conn *conn, wring_mut_bytes plain, wring__block *block);

/** Gives up what waits. */
void wring__conn_rx_drop(wring__conn *conn);

/** For wring__end_rx_stop: the endpoint is given nothing more, so nothing more is received. */
void wring__conn_rx_stopped(wring__conn *conn);

/** The stream broke, by a completion's result. The first error says why; those that follow only say
 *  that it is over. */
void wring__conn_broken_by(wring__conn *conn, int32_t result);

/** Tells the owner `reason` and ends the stream. */
void wring__conn_fail(wring__conn *conn, wring_result reason);

#endif
