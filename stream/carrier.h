/* SPDX-License-Identifier: Apache-2.0
 *
 * Between a server and a carrier: a protocol that has many streams on one connection (HTTP/2). The
 * server accepts connections as ever. A carrier that recognises its own by the first bytes takes
 * the connection over, makes streams of the server's on it, and hands over their requests; from
 * then on a stream and its server meet as a connection and its server do (wring__end_ops).
 *
 * Neither knows the other's folder. Thread: the connection's worker.
 */
#ifndef WRING_STREAM_CARRIER_H
#define WRING_STREAM_CARRIER_H

#include "stream/stream.h"
#include "wring/http.h"

/** So many bytes are enough for a claim. */
#define WRING__CLAIM_BYTES_MAX 24

enum wring__claim {
    WRING__CLAIM_NO,
    WRING__CLAIM_MORE, /* a beginning of it: ask again with more bytes */
    WRING__CLAIM_MINE
};

/** The server's side. `below` is the stream whose connection the carrier took. */
typedef struct wring__carrier_role {
    /** A request came in: a stream for it, whose endpoint is OPEN and of kind WRING__END_MUX. NULL:
     *  it is refused, nothing of it was looked at. */
    wring__stream *(*open)(struct wring__mux *mux);
    /** The request of a stream that was just opened. It may be answered, and the stream be shut,
     *  when this returns.  @param fields  the pseudo-header fields first; borrowed */
    void (*request)(wring__stream *stream, wring_headers fields);
    /** The last stream is gone. */
    void (*idle)(wring__stream *below);
    /** Last call: frees the memory of the connection. */
    void (*closed)(wring__stream *below);
} wring__carrier_role;

/** The carrier's side. */
typedef struct wring__carrier {
    const char *name;
    const wring__end_ops *ops; /* of the connections it has taken */
    enum wring__claim (*claim)(wring_bytes first);
    /** Takes the connection over: sets its ops, and below->carried. All it received follows by rx.
     *  Errors: WRING_ERR_NO_MEMORY, and then nothing has changed. */
    wring_result (*take)(wring__stream *below, const wring__carrier_role *role);
    /** The head of the answer to a stream's request, once. Its body, or the bytes of its session,
     *  follow by end->out, and end with wring__end_shut.  Errors: WRING_ERR_NO_MEMORY. */
    wring_result (*answer)(wring__endpoint *end, int status, wring_headers headers);
    /** Takes no new streams; the connection ends with the last one. */
    void (*drain)(wring__stream *below);
} wring__carrier;

#endif
