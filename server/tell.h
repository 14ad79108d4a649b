/* SPDX-License-Identifier: Apache-2.0
 *
 * What a server refuses and what ends on it: counted by reason, and told to the application's log.
 */
#ifndef WRING_SERVER_TELL_H
#define WRING_SERVER_TELL_H

#include "io/socket.h"
#include "server/peer.h"

struct wring__server_worker;

/** "address:port" of an address; `out` has room for WRING__ADDRESS_TEXT. */
#define WRING__ADDRESS_TEXT 56
wring_bytes wring__address_text(const struct sockaddr_storage *address,
                                char out[WRING__ADDRESS_TEXT]);
/** Of a peer; empty when it is not known. */
wring_bytes wring__peer_address(const wring__peer *peer, char out[WRING__ADDRESS_TEXT]);

/** Before it has a peer. */
void wring__tell_connection_refused(struct wring__server_worker *worker, wring__socket socket,
                                    wring_result reason);
void wring__tell_handshake_evicted(const wring__peer *peer);
/** Before the session: the connection ended or broke, perhaps in its TLS handshake. */
void wring__tell_handshake_failed(const wring__peer *peer, wring_result reason);
/** A peer broke a rule of HTTP/2.  @param text  may quote it */
void wring__tell_http2_broken(const wring__peer *peer, wring_bytes text);
/** Its connection of HTTP/2 ends: the peer sent more of `what` than it may. */
void wring__tell_connection_calmed(const wring__peer *peer, const char *what);
void wring__tell_request_refused(const wring__peer *peer, int status, wring_result reason,
                                 const char *text);
/** The application's fault: its handler gave no answer, so the library does. */
void wring__tell_request_unanswered(const wring__peer *peer, int status, wring_result reason,
                                    const char *text);
/** The session is about to begin. */
void wring__tell_session_opened(const wring__peer *peer, const wring_handler *handler);
void wring__tell_session_ended(const wring__peer *peer);
void wring__tell_memory(struct wring__server_worker *worker, bool over, uint64_t held);

#endif
