/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the two halves of the session: what receiving calls on the life of the connection, and
 * the other way round. Nobody else includes it.
 */
#ifndef WRING_PROTO_SESSION_RX_H
#define WRING_PROTO_SESSION_RX_H

#include "proto/session.h"

/** Goes to CLOSED and owes WRING_EVENT_END. The first reason wins. */
void wring__session_end(wring_session *session, wring_result result, uint16_t code, bool by_peer);

/** Queues the one close frame of this session, if none was queued yet. */
void wring__session_close_frame(wring_session *session, uint16_t code, wring_bytes reason);

bool wring__session_code_is_legal(const wring_session *session, uint16_t code);

/** Frees the buffers of the receiving half. */
void wring__session_rx_deinit(wring_session *session);

#endif
