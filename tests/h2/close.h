/* SPDX-License-Identifier: Apache-2.0
 *
 * Scenarios that only clients with shared connections have.
 */
#ifndef WRING_TESTS_H2_CLOSE_H
#define WRING_TESTS_H2_CLOSE_H

#include <stdint.h>

/* Streams that end in every way, and connections that do, beside streams that go on. */
void sim_h2_close(uint64_t seed);

/* Requests that are no WebSocket's. */
void sim_h2_refused(uint64_t seed);

/* A stream whose client does not read pauses alone; those beside it go on. */
void sim_h2_stuck(uint64_t seed);
void sim_h2_stuck_sum(uint64_t seeds);

/* What the streams of a connection hold that takes no bytes any more is free all the same. */
void sim_h2_stall(uint64_t seed);

/* Streams that find no slot; a connection on which nothing is asked for. */
void sim_h2_slots(uint64_t seed);
void sim_h2_slots_sum(uint64_t seeds);
void sim_h2_idle(uint64_t seed);

/* Budgets, one after the other: a burst passes, one more does not, and time gives some back. */
void sim_h2_floods(uint64_t seed);
/* Limits: streams, heads, CONTINUATION frames, sessions of a source. */
void sim_h2_bounds(uint64_t seed);

/* One session of 100 is not read by its application; the others have all their echoes. */
void sim_h2_isolation(uint64_t seed);
/* Megabytes beside small messages: how many bytes are in front of an echo is bounded. */
void sim_h2_fair(uint64_t seed);
void sim_h2_fair_sum(uint64_t seeds);
/* Exchanges of all kinds beside sessions, on connections that they share. */
void sim_h2_web(uint64_t seed);
void sim_h2_web_sum(uint64_t seeds);
/* An answer that is begun and goes on much later. */
void sim_h2_quiet(uint64_t seed);
/* An answer that leaves slowly, and one that does not. */
void sim_h2_tail(uint64_t seed);
/* GOAWAY twice; what was opened between the two is served. */
void sim_h2_drain_late(uint64_t seed);

#endif
