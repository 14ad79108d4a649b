/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a session, for the host and for tests. The public contract is wring/session.h.
 *
 * Two machines share the struct: receiving (header -> payload -> header ...) and the life of the
 * connection (ready -> open -> closing -> closed). An idle session holds no buffer.
 */
#ifndef WRING_PROTO_SESSION_H
#define WRING_PROTO_SESSION_H

#include "core/outq.h"
#include "proto/frame.h"
#include "wring/session.h"

/** Where the receiving machine stands. */
enum wring__rx_phase {
    WRING__RX_HEADER, /* collecting the header of the next frame */
    WRING__RX_PAYLOAD /* taking the payload of the frame whose header is known */
};

struct wring_session {
    const wring_session_config *config; /* frozen; shared by all sessions of a worker */
    wring__outq *out;
    wring__chunk_cache *cache; /* NULL: malloc */
    void *user;

    /* bytes lent by feed and not yet used */
    uint8_t *in;
    size_t in_len;

    /* the message under assembly: only when a frame straddles feeds or a message is fragmented */
    uint8_t *assembly;
    size_t assembly_len;
    size_t assembly_cap;
    uint64_t fragment_bytes; /* what the open message's fragments are charged for */
    uint8_t *control;        /* payload of a control frame that straddles feeds */

    /* the frame being received */
    uint64_t payload_left;
    uint32_t key;
    uint32_t utf8; /* validator state of the text message, across frames and feeds */
    uint8_t header[WRING__FRAME_HEADER_MAX];
    uint8_t header_len; /* bytes of it collected over feeds */
    uint8_t key_phase;  /* index into the masking key of the next payload byte */
    uint8_t frame_opcode;
    uint8_t message_opcode; /* TEXT or BINARY while a fragmented message is open, else 0 */
    uint8_t control_len;
    uint8_t rx_phase;
    uint8_t state;
    bool frame_fin : 1;
    bool frame_masked : 1;
    bool close_sent : 1;
    bool close_received : 1;
    bool end_pending : 1; /* WRING_EVENT_END is owed */
    bool end_by_peer : 1;
    bool ping_sent : 1;     /* since the last byte received */
    bool assembly_lent : 1; /* the last event showed it: free to reuse with the next call */
    bool owned : 1;         /* made by wring_session_create: out belongs to the session */
    uint16_t end_code;
    int16_t end_result;

    uint64_t activity_ns; /* when the last bytes came; CLOSING: when the close began, 0 not known */
};

/** Fills in the defaults and checks.
 *  Errors: WRING_ERR_INVALID_CONFIG; `error` names the first bad field. */
WRING_MUST_CHECK wring_result wring__session_config_adopt(const wring_session_config *in,
                                                          wring_session_config *out,
                                                          wring_error *error);

/** Initialises a session in the caller's storage.
 *  Own: config, out and cache are borrowed for the session's life. */
void wring__session_init(wring_session *session, const wring_session_config *config,
                         wring__outq *out, wring__chunk_cache *cache);

/** Frees what the session holds; the out queue is its owner's. Legal on a zeroed session. */
void wring__session_deinit(wring_session *session);

/** Queues a shared message: one framing for all server sessions. The caller has written its header
 *  with wring__session_frame_shared. Errors as wring_session_send. */
WRING_MUST_CHECK wring_result wring__session_send_shared(wring_session *session,
                                                         wring__shared *shared);

/** Ends the session on the application's wish: a close frame (1000, if none was queued yet) goes
 *  out, then the stream is shut without waiting for the peer's. */
void wring__session_stop(wring_session *session);

/** Writes the unmasked header of a shared message. Only its creator or only holder may. */
void wring__session_frame_shared(wring__shared *shared);

#endif
