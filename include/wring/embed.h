/* SPDX-License-Identifier: Apache-2.0
 *
 * Running a handler over a stream of the embedder's own, in the embedder's own event loop: the
 * counterpart of ws:accept in erlang_ws. The embedder parses the upgrade request, validates it
 * (wring/upgrade.h), answers it, and hands the stream over.
 *
 *     wring_embed_accept(&options, now_ns, &embed, &error)
 *     wring_embed_activate(embed, now_ns)        the session may ask for bytes from here on
 *     wring_embed_feed(embed, bytes, now_ns)     bytes came
 *     wring_embed_fail(embed, reason, now_ns)    the stream ended or broke
 *     wring_embed_expire(embed, now_ns)          its deadline (wring_embed_deadline_ns) is over
 *
 * A session asks for bytes by `activate` of its transport and gets at most one batch each time
 * (pull mode). It asks first when the embedder has called wring_embed_activate, so that bytes never
 * race the hand-over. When the session is over it calls `close` of its transport once and is freed:
 * the wring_embed is dead after the call in which that happened, which then returns
 * WRING_ERR_CLOSED.
 *
 * From within a callback of the handler or transport these calls do nothing and return
 * WRING_ERR_INVALID_STATE, because they may free the session that runs: the call in which the
 * callback is made sends what was queued. Only wring_embed_fail is taken note of, and ends the
 * session when that call returns.
 *
 * Part of libwring-proto. Thread: any, but one session is driven by one thread at a time.
 */
#ifndef WRING_EMBED_H
#define WRING_EMBED_H

#include "wring/handler.h"

WRING_BEGIN_DECLS

/** An embedder's handle of one session. */
typedef struct wring_embed wring_embed;

/** What a stream does for its session. Copied by wring_embed_accept. */
typedef struct wring_transport {
    uint32_t struct_size; /**< sizeof(wring_transport) */
    const char *name;     /**< for error sentences */
    /** Takes bytes to send; borrowed for the call. All of them or an error: an embedder that cannot
     *  write at once queues them.   Errors: any; the session then ends with it. */
    wring_result (*send)(void *stream, wring_bytes bytes);
    /** Asks for one batch of bytes, to be given by wring_embed_feed.   Errors: as send. */
    wring_result (*activate)(void *stream);
    /** The session is over: close when what was sent is out. The last call. */
    void (*close)(void *stream);
    /** Optional: "address:port" into `out`; false if it is not known. */
    bool (*peername)(void *stream, char *out, size_t cap);
} wring_transport;

/** What a session is made from. Pointers are borrowed for the call, except where it is said. */
typedef struct wring_embed_options {
    uint32_t struct_size;             /**< sizeof(wring_embed_options) */
    wring_role role;                  /**< which end it is; default the server */
    const wring_transport *transport; /**< needed */
    void *stream;                     /**< given to the transport; the embedder's until `close` */
    const wring_handler *handler;     /**< needed */
    void *opts;                       /**< given to the handler; borrowed for the session's life */
    const wring_request *request;     /**< given to init; its `peer` is filled in by peername if it
                                           is empty; NULL: an empty one */
    const wring_session_config *session; /**< limits and timeouts; NULL: the defaults */
    struct wring_deflate *deflate;       /**< compression contexts of this thread (wring/deflate.h),
                                              borrowed for the session's life; NULL: no
                                              compression */
    const struct wring_deflate_params *deflate_params; /**< with `deflate`: what was negotiated */
} wring_embed_options;

/** Makes a session of an upgraded stream and calls the handler's init.
 *  @param now_ns  monotonic time, as in all calls below
 *  Own:    give, until a call returns WRING_ERR_CLOSED
 *  Errors: WRING_ERR_INVALID_ARGUMENT (something needed is missing), WRING_ERR_INVALID_CONFIG,
 *          WRING_ERR_NO_MEMORY: then nothing was called, and the stream is the embedder's.
 *          WRING_ERR_CLOSED: the session ended within init, and `close` was called */
WRING_API WRING_MUST_CHECK wring_result wring_embed_accept(const wring_embed_options *options,
                                                           uint64_t now_ns, wring_embed **out,
                                                           wring_error *error);

/** The session, as its handler sees it: for wring_session_send and wring_session_close outside its
 *  callbacks, followed by wring_embed_flush. */
WRING_API wring_session *wring_embed_session(wring_embed *embed);

/** The hand-over is done: the session asks for its first bytes.
 *  Errors: WRING_ERR_CLOSED when it ended meanwhile; WRING_ERR_INVALID_STATE the second time. */
WRING_API WRING_MUST_CHECK wring_result wring_embed_activate(wring_embed *embed, uint64_t now_ns);

/** Bytes came: they are unmasked in place, the handler is called, what it sent goes out.
 *  Errors: WRING_ERR_CLOSED when that ended the session; WRING_ERR_INVALID_STATE before
 *  wring_embed_activate, or from within a callback. */
WRING_API WRING_MUST_CHECK wring_result wring_embed_feed(wring_embed *embed, wring_mut_bytes bytes,
                                                         uint64_t now_ns);

/** The stream ended (WRING_ERR_TRUNCATED) or broke. Always ends the session: at once, or from
 *  within a callback when the call around it returns. */
WRING_API void wring_embed_fail(wring_embed *embed, wring_result reason, uint64_t now_ns);

/** When wring_embed_expire has to be called, in monotonic ns; UINT64_MAX for never. */
WRING_API uint64_t wring_embed_deadline_ns(const wring_embed *embed);

/** The deadline passed. Bytes that wait should be fed first: what has come is no silence.
 *  Errors: WRING_ERR_CLOSED when that ended the session; WRING_ERR_INVALID_STATE from within a
 *  callback. */
WRING_API WRING_MUST_CHECK wring_result wring_embed_expire(wring_embed *embed, uint64_t now_ns);

/** Sends what was queued outside a callback.
 *  Errors: WRING_ERR_CLOSED when that ended the session; WRING_ERR_INVALID_STATE from within a
 *  callback, whose end sends it. */
WRING_API WRING_MUST_CHECK wring_result wring_embed_flush(wring_embed *embed, uint64_t now_ns);

WRING_END_DECLS

#endif
