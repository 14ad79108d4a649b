/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP of a connection that is no session (yet): request heads, bodies, and the order of its
 * exchanges. One exchange at a time; what comes behind its request waits (RFC 9112 9.3.2). The
 * exchanges of a stream that a carrier has (stream/carrier.h) go the same way, one a stream,
 * without heads and framing.
 *
 * Thread: the connection's worker.
 */
#ifndef WRING_SERVER_HTTP_H
#define WRING_SERVER_HTTP_H

#include "proto/head.h"
#include "proto/http1_body.h"
#include "server/exchange.h"
#include "server/peer.h"
#include "server/tell.h"

/** While an exchange goes on, so many bytes are received behind its request: early frames, the next
 *  requests, and above all the end of the stream. */
#define WRING__HTTP_BEHIND_MAX (16 * 1024)
/** Of a body that nobody wants, so much is read, so that the connection can go on. */
#define WRING__HTTP_DISCARD_MAX (64 * 1024)

#define WRING__BODY_TOO_BIG "the body is larger than this route takes (body_bytes_max)"

enum wring__http_phase {
    WRING__HTTP_HEAD,    /* a request head, or nothing */
    WRING__HTTP_BODY,    /* the body of the exchange's request */
    WRING__HTTP_ANSWER,  /* the request is there whole; its answer is not */
    WRING__HTTP_DISCARD, /* the exchange is over; the rest of its body is read, and dropped */
    WRING__HTTP_LAST     /* nothing more is read as a request */
};

/** What a connection has of HTTP: made with its first exchange, or with a head that came in pieces.
 *  Freed before its session begins. */
typedef struct wring__http {
    wring__head *head; /* one that came in pieces */
    size_t head_bytes; /* of it, that count for the memory budget */
    wring__http1_body body;
    uint8_t *held; /* received, and not looked at yet: from held_at to held_len */
    size_t held_at;
    size_t held_len;
    size_t held_cap;
    uint64_t count;              /* exchanges that were begun */
    uint64_t discarded;          /* bytes, in DISCARD */
    wring_time_ns deadline;      /* the timer may be set to an earlier one */
    wring_duration_ns body_left; /* while the application has paused the body: of its time */
    wring__meter requests;
    char *peer_names; /* of its certificate, read once; NULL: it has none, or no request came yet */
    uint8_t phase;
    bool leaves;  /* its time is up, and a queued answer goes on leaving */
    bool is_last; /* the connection ends after this exchange */
    bool has_eof; /* the client sends nothing more */
    uint8_t address_len;
    char address[WRING__ADDRESS_TEXT];
    wring_exchange exchange; /* last: the largest, and not zeroed each time */
} wring__http;

/** NULL when memory is out: then the connection is cut. */
wring__http *wring__http_make(wring__peer *peer);

/** Bytes of a peer that has no session. */
void wring__http_rx(wring__peer *peer, wring_mut_bytes bytes);
/** The client sends nothing more. */
void wring__http_eof(wring__peer *peer);
/** Its deadline has passed. */
void wring__http_timer(wring__peer *peer);
/** After wring__end_ask, or because the queue has drained. */
void wring__http_asked(wring__peer *peer);
/** The connection is lost, or is about to be cut for `reason`: ends the exchange, if there is one.
 */
void wring__http_fail(wring__peer *peer, wring_result reason);
/** The server drains. */
void wring__http_drain(wring__peer *peer);
void wring__http_free(wring__peer *peer);

/** Bytes it holds. */
uint64_t wring__http_held(const wring__peer *peer);

/** For exchange.c: what was answered, begun, accepted or aborted since the last look is acted on.
 *  */
void wring__http_settle(wring__peer *peer);

/** What is received up to `end` is used up, before anyone is called who may look at what is behind
 *  it. Of bytes that are not held this is no news. */
void wring__http_used(wring__peer *peer, const uint8_t *end);

/** The body of the exchange's request is wanted, and does not lie there whole. */
void wring__http_wants_body(wring__peer *peer);

/** The application takes no more of the body, or takes it again: meanwhile the client's time stands
 *  still, and the application's runs (answer_timeout_ms). */
void wring__http_paused(wring__peer *peer);
void wring__http_resumed(wring__peer *peer);

/** Tells a client that waits to be asked for its body to send it (RFC 9110 10.1.1). No part of the
 *  answer is queued yet. */
void wring__http_continue(wring__peer *peer);

/** The library answered itself, whole, and no handler was asked: goes on behind that. */
void wring__http_refused(wring__peer *peer);

/** The 101 is queued: the session begins, and gets what is held. */
void wring__http_upgrade(wring__peer *peer, const wring__route *route,
                         const wring_request *request);

/** The connection ends behind what is queued. */
void wring__http_last(wring__peer *peer);

/** When this exchange is answered now, whether the connection goes on. Decided once. */
bool wring__http_keeps_alive(wring__peer *peer);

/** The deadline of the phase it is in.  @param at  or WRING_TIME_NEVER */
void wring__http_set_deadline(wring__peer *peer, wring_time_ns at);

#endif
