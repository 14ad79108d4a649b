/* SPDX-License-Identifier: Apache-2.0
 *
 * What echo.c, the usual case, and echo_match.c, the unusual ones, share.
 */
#ifndef WRING_LOAD_ECHO_H
#define WRING_LOAD_ECHO_H

#include "bench/load/engine.h"

/** The i-th oldest of those awaited. */
static inline load_awaited *load_echo_at(const load_echo *echo, uint32_t i) {
    return &echo->ring[(echo->head + i) & (echo->cap - 1)];
}

/** NULL when the message is the right answer to `awaited`, as far as it is looked at. */
const char *load_echo_fault(const load_link *link, const load_message *message,
                            const load_awaited *awaited);
/** The oldest `count` are awaited no longer. */
void load_echo_pop(load_link *link, uint32_t count);
/** The message answers the oldest one: with a `fault`, wrongly, and then it has no latency. */
void load_echo_accept(load_link *link, const load_message *message, const char *fault);
/** Notes the latency of a right answer. */
void load_echo_latency(load_link *link, wring_time_ns sent);

/** echo_match.c: any message but the right answer to the oldest.
 *  @param fault  what makes it another one; NULL when none is awaited */
void load_echo_odd(load_link *link, const load_message *message, const char *fault);

#endif
