/* SPDX-License-Identifier: Apache-2.0
 *
 * A carrier (stream/carrier.h) of cleartext HTTP/2 by prior knowledge, over nghttp2: WebSockets by
 * extended CONNECT (RFC 9113, RFC 8441). It is here to prove that the middle carries a second kind
 * of endpoint; only tests link it.
 */
#ifndef WRING_TESTS_H2_CARRIER_H
#define WRING_TESTS_H2_CARRIER_H

#include "stream/carrier.h"

extern const wring__carrier h2_carrier;

/** What the connections to come announce. */
typedef struct h2_limits {
    uint32_t window;      /* bytes a stream may be sent before it gives credit back */
    uint32_t streams_max; /* at a time on one connection */
} h2_limits;

extern h2_limits h2_carrier_limits;

/** Events of all workers, for tests to see that a run had what it is for. */
typedef struct h2_counters {
    _Atomic uint64_t connections;
    _Atomic uint64_t streams;
    _Atomic uint64_t stashed;  /* chunks that came while their stream was not read */
    _Atomic uint64_t deferred; /* times a stream had nothing to send */
    _Atomic uint64_t full;     /* times the connection had enough to send */
    _Atomic uint64_t resets;   /* sent */
    _Atomic uint64_t reset_by_peer;
    _Atomic uint64_t refused; /* streams */
} h2_counters;

extern h2_counters h2_carrier_counters;

#endif
