/* SPDX-License-Identifier: Apache-2.0
 *
 * The carrier h2: exchanges and sessions as streams of a connection of HTTP/2 (RFC 9113, RFC 8441).
 * A server's connection becomes one by wring__h2_take when its first bytes, or ALPN, say so; a
 * client's when it is connected. From then on a stream and its owner meet as a connection and its
 * owner do (wring__end_ops). The connection itself (`below`) has no session.
 *
 * Only h2_session.c knows nghttp2. Thread: the connection's worker.
 */
#ifndef WRING_STREAM_H2_H
#define WRING_STREAM_H2_H

#include "stream/stream.h"
#include "wring/http.h"
#include "wring/http2.h"

/** So many bytes are enough for a claim. */
#define WRING__H2_CLAIM_BYTES 12

enum wring__h2_claim {
    WRING__H2_CLAIM_NO,
    WRING__H2_CLAIM_MORE, /* a beginning of it: ask again with more bytes */
    WRING__H2_CLAIM_YES
};

/** Counts of a worker. Written by it only, with wring__count. */
typedef struct wring__h2_counters {
    uint64_t connections;   /* taken so far */
    uint64_t closed;        /* of them, over */
    uint64_t streams;       /* opened so far */
    uint64_t refused;       /* streams that were not opened */
    uint64_t calmed;        /* connections ended with ENHANCE_YOUR_CALM */
    uint64_t stashed;       /* pieces that came while their stream was not read */
    uint64_t deferred;      /* times a stream had nothing to send */
    uint64_t full;          /* times a connection had enough to send */
    uint64_t resets;        /* sent */
    uint64_t reset_by_peer; /* received */
    uint64_t spliced;       /* pieces sent without a copy */
} wring__h2_counters;

/** What the owner of a connection is asked and told. Slots of the other role are NULL. */
typedef struct wring__h2_role {
    bool is_client;
    /** A server's. A request came in: the endpoint of a stream for it (a wring__mux_stream), OPEN
     *  and of kind WRING__END_MUX. NULL: it is refused, nothing of it was looked at. */
    wring__endpoint *(*open)(struct wring__mux *mux);
    /** A server's. The request of a stream that was just opened. It may be answered, and the stream
     *  be shut, when this returns.
     *  @param fields  the pseudo-header fields first; borrowed
     *  @param ends    no body follows */
    void (*request)(wring__endpoint *end, wring_headers fields, bool ends);
    /** A server's. Instead of `request`: the head is beyond a limit, which `result` names.
     *  @param fields  those below the limit; borrowed */
    void (*refused)(wring__endpoint *end, wring_headers fields, wring_result result);
    /** A server's. The peer broke a rule of HTTP/2, and a stream or the connection ends for it.
     *  @param text  what nghttp2 says of it; may quote the peer */
    void (*broken)(wring__stream *below, wring_bytes text);
    /** A server's. The peer went beyond a limit: `what` names it. The connection ends. */
    void (*calmed)(wring__stream *below, const char *what);
    /** A client's. The final answer to a stream's request; its body, or the bytes of its session,
     *  follow by `rx`.  @param fields  without :status; borrowed */
    void (*answered)(wring__endpoint *end, int status, wring_headers fields);
    /** A client's. The server's settings came: now, and when they change. */
    void (*ready)(wring__stream *below);
    /** A client's. The server takes no new streams here. */
    void (*going)(wring__stream *below);
    /** The last stream is gone. */
    void (*idle)(wring__stream *below);
    /** The connection broke, or ended; its streams have been told. Optional. */
    void (*failed)(wring__stream *below, wring_result reason);
    /** A deadline of the owner's passed while there is no stream. Optional: the connection ends. */
    void (*timer)(wring__stream *below);
    /** Last call: frees the memory of the connection. */
    void (*closed)(wring__stream *below);
} wring__h2_role;

/** What a connection is to be. All of it is borrowed for the connection's life. */
typedef struct wring__h2_options {
    const wring__h2_role *role;
    const wring_http2_config *config; /* adopted */
    wring__h2_counters *counters;
    uint32_t head_bytes_max; /* of a request's, or an answer's, fields together */
} wring__h2_options;

/** Whether a connection begins as one of HTTP/2.   RFC: 9113 3.4 */
enum wring__h2_claim wring__h2_claim(wring_bytes first);

/** Takes the connection over: sets its ops, and below->carried. All it received follows by rx.
 *  Errors: WRING_ERR_NO_MEMORY, and then nothing has changed. */
WRING_MUST_CHECK wring_result wring__h2_take(wring__stream *below,
                                             const wring__h2_options *options);

/** It is a connection that was taken in that role. */
bool wring__h2_is_below(const wring__endpoint *end, const wring__h2_role *role);

/** Streams it has had, those it has included. */
uint64_t wring__h2_opened(const wring__stream *below);

/** Streams it has. */
uint32_t wring__h2_stream_count(const wring__stream *below);

/** The head of the answer to a stream's request, once. Its body, or the bytes of its session,
 *  follow by end->out, and end with wring__end_shut.
 *  @param ends  none follow: it needs no window. wring__end_shut is owed all the same, at once
 *  Errors: WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__h2_answer(wring__endpoint *end, int status,
                                               wring_headers headers, bool ends);

/** An interim answer: 100.  Errors: WRING_ERR_NO_MEMORY.   RFC: 9110 15.2 */
WRING_MUST_CHECK wring_result wring__h2_interim(wring__endpoint *end, int status);

/** Takes no new streams; the connection ends with the last one.   RFC: 9113 6.8 */
void wring__h2_drain(wring__stream *below);

/** The peer's END_STREAM came, whatever became of the stream since. */
bool wring__h2_was_ended(const wring__endpoint *end);

/** A client's: whether the server's settings are known, and it takes WebSockets (RFC 8441 3). */
bool wring__h2_is_ready(const wring__stream *below);
bool wring__h2_has_websockets(const wring__stream *below);

/** A client's: the code of the last GOAWAY that came; 0 (NO_ERROR) without one.   RFC: 9113 7 */
uint32_t wring__h2_goaway_code(const wring__stream *below);

/** A client's: so many streams more may be opened now. */
uint32_t wring__h2_room(const wring__stream *below);

/** A client's: opens a stream with an extended CONNECT. Its endpoint (a wring__mux_stream) is OPEN,
 *  of kind WRING__END_MUX, and has `below->carried` as its mux. What is queued in it is sent behind
 *  the request: queue nothing before the answer.
 *  @param fields  the pseudo-header fields first; copied
 *  Errors: WRING_ERR_NO_MEMORY, WRING_ERR_CLOSED (no new streams here). */
WRING_MUST_CHECK wring_result wring__h2_connect(wring__stream *below, wring__endpoint *end,
                                                wring_headers fields);

#endif
