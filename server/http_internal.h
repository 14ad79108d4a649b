/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of server/http share: http.c (heads, and the order of bytes), http_held.c (bytes
 * that wait), http_body.c, http_settle.c (what the application did), http_events.c (deadlines and
 * ends).
 */
#ifndef WRING_SERVER_HTTP_INTERNAL_H
#define WRING_SERVER_HTTP_INTERNAL_H

#include "server/http.h"
#include "server/server.h"

static inline const wring_server_config *wring__http_config(const wring__peer *peer) {
    return &wring__peer_worker(peer)->server->config;
}

/** It has neither ended nor a session. */
static inline bool wring__http_is_open(const wring__peer *peer) {
    return peer->stream.end.state == WRING__END_OPEN && !wring__stream_is_started(&peer->stream);
}

/** The application takes no more of the body. */
static inline bool wring__http_is_paused(const wring__peer *peer) {
    return (peer->stream.end.rx_stop & WRING__RX_STOP_PAUSED) != 0;
}

/* ---- bytes that wait ------------------------------------------------------------------------- */

static inline bool wring__http_has_held(const wring__http *http) {
    return http->held_at < http->held_len;
}

static inline wring_mut_bytes wring__http_held_view(const wring__http *http) {
    return (wring_mut_bytes){http->held + http->held_at, http->held_len - http->held_at};
}

/** Keeps bytes that it is not their turn for. */
void wring__http_hold(wring__peer *peer, wring_mut_bytes bytes);
/** A head that came in pieces: its memory becomes what is held, of which the head is used up. */
void wring__http_held_adopt(wring__peer *peer, wring__head *head);
void wring__http_held_free(wring__peer *peer, wring__http *http);
void wring__http_memory_out(wring__peer *peer);

/** Frames that came with the head. In one place: peer_rx then has wring__stream_rx inlined. */
void wring__http_first_frames(wring__peer *peer, wring_mut_bytes bytes);

/* ---- bodies ---------------------------------------------------------------------------------- */

/** Returns how many of the bytes were taken: the phase may change at any of them. */
size_t wring__http_step_body(wring__peer *peer, wring_mut_bytes in);
void wring__http_body_end(wring__peer *peer);
/** The request cannot go on: answered if that is still possible, and the connection's last. */
void wring__http_body_fail(wring__peer *peer, wring_result result, const char *text);

/* ---- time and ends --------------------------------------------------------------------------- */

/** @param timeout_ms  or WRING_OFF */
wring_time_ns wring__http_after(const wring__peer *peer, uint32_t timeout_ms);
wring_time_ns wring__http_body_deadline(const wring__peer *peer);

/** The exchange is over, and the connection goes on. */
void wring__http_head_next(wring__peer *peer);
/** Nothing more is read as a request.
 *  @param is_sending  the client may be */
void wring__http_end(wring__peer *peer, bool is_sending);
void wring__http_destroy(wring__peer *peer, wring__http *http);

#endif
