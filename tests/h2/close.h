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

#endif
