/* SPDX-License-Identifier: Apache-2.0
 *
 * Running a handler over a stream of the embedder's own, in the embedder's own event loop: the
 * counterpart of ws:accept in erlang_ws. The embedder parses the upgrade request, validates it
 * (wring/http.h), answers it, and hands the stream over.
 *
 *     wring_accept(&transport, handle, &request, &handler, opts, NULL, now, &session, &error)
 *     wring_activate(session, now)                 the session may ask for bytes from here on
 *     wring_transport_data(session, bytes, now)    bytes came
 *     wring_transport_ended(session, reason, now)  the stream ended or broke
 *     wring_tick(session, now)                     its deadline (wring_session_deadline) is over
 *
 * A session asks for bytes with `activate` and gets at most one batch for each (pull mode); it asks
 * first when the embedder has called wring_activate, so that bytes never race the hand-over. When
 * the session is over it calls `close` once and is freed; the pointer is dead after the call it
 * happened in, which then returns WRING_ERR_CLOSED.
 *
 * From within a callback of the session's handler or transport these calls do nothing and return
 * WRING_ERR_INVALID_STATE, for they may free the session that runs: the call that the callback is
 * made in sends what was queued. Only wring_transport_ended is taken note of, and ends the session
 * when that call comes to its end.
 *
 * Part of libwring-proto. Thread: one session, one thread at a time.
 */
#ifndef WRING_TRANSPORT_H
#define WRING_TRANSPORT_H

#include "wring/handler.h"

WRING_BEGIN_DECLS

/** What a stream does for its session: a const vtable. */
typedef struct wring_transport {
    const char *name;
    /** Takes bytes to send; borrowed for the call. All of them or an error: an embedder that cannot
     *  write at once queues them.   Errors: any; the session then ends with it. */
    wring_result (*send)(void *handle, wring_bytes bytes);
    /** Asks for one batch of bytes, to be given by wring_transport_data. */
    wring_result (*activate)(void *handle);
    /** The session is over: close when what was sent is out. The last call. */
    void (*close)(void *handle);
    /** Optional: "address:port" into `out`; false if not known. */
    bool (*peername)(void *handle, char *out, size_t cap);
    /** Optional: waits for bytes, for a client that drives its handshake synchronously. */
    wring_result (*recv)(void *handle, wring_mut_bytes into, uint32_t timeout_ms, size_t *len);
} wring_transport;

/** Makes a session of an upgraded stream and calls handler->init.
 *  @param request  given to init; its `peer` is filled by peername when it is empty
 *  @param config   NULL for the defaults; role CLIENT runs the other end
 *  Own: `handle` stays the embedder's until `close`; transport, handler and opts are borrowed for
 *  the session's life.
 *  Errors: WRING_ERR_INVALID_ARGUMENT (a callback is missing), WRING_ERR_INVALID_CONFIG,
 *  WRING_ERR_NO_MEMORY: then nothing was called. WRING_ERR_CLOSED: init stopped at once. */
WRING_API WRING_MUST_CHECK wring_result wring_accept(const wring_transport *transport, void *handle,
                                                     const wring_request *request,
                                                     const wring_handler *handler, void *opts,
                                                     const wring_session_config *config,
                                                     uint64_t now_ns, wring_session **out,
                                                     wring_error *error);

/** The hand-over is done: the session asks for its first bytes.
 *  Errors: WRING_ERR_CLOSED when it ended meanwhile; WRING_ERR_INVALID_STATE the second time. */
WRING_API WRING_MUST_CHECK wring_result wring_activate(wring_session *session, uint64_t now_ns);

/** Bytes came: they are unmasked in place, the handler is called, replies are sent.
 *  Errors: WRING_ERR_CLOSED when that ended the session; WRING_ERR_INVALID_STATE before
 *  wring_activate, or from within a callback. */
WRING_API WRING_MUST_CHECK wring_result wring_transport_data(wring_session *session,
                                                             wring_mut_bytes bytes,
                                                             uint64_t now_ns);

/** The stream ended (WRING_ERR_TRUNCATED) or broke. Always ends the session: at once, or from
 * within a callback when the call around it returns. */
WRING_API void wring_transport_ended(wring_session *session, wring_result reason, uint64_t now_ns);

/** Time passed. Errors: WRING_ERR_CLOSED when that ended the session; WRING_ERR_INVALID_STATE from
 *  within a callback. Bytes that wait should be given first: what came is no silence. */
WRING_API WRING_MUST_CHECK wring_result wring_tick(wring_session *session, uint64_t now_ns);

/** Sends what was queued outside a callback (wring_session_send, wring_session_close).
 *  Errors: WRING_ERR_CLOSED when that ended the session; WRING_ERR_INVALID_STATE from within a
 *  callback, whose end sends it. */
WRING_API WRING_MUST_CHECK wring_result wring_flush(wring_session *session, uint64_t now_ns);

WRING_END_DECLS

#endif
