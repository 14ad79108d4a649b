/* SPDX-License-Identifier: Apache-2.0
 *
 * The scenarios of tests/sim, whose clients share connections of HTTP/2, and those that only such
 * clients have (close.c).
 */
#include "tests/h2/close.h"
#include "tests/h2/sim_h2.h"

static void over_h2(void (*run)(uint64_t seed), uint64_t seed) {
    sim_h2_begin(seed);
    run(seed);
    sim_h2_end();
}

#define OVER_H2(name, run)                                                                         \
    static void name(uint64_t seed) {                                                              \
        over_h2(run, seed);                                                                        \
    }

OVER_H2(h2_echo, sim_echo)
OVER_H2(h2_chat, sim_chat)
OVER_H2(h2_slow, sim_slow)
OVER_H2(h2_sends, sim_sends)
OVER_H2(h2_drain, sim_drain)
OVER_H2(h2_pubsub, sim_pubsub)
OVER_H2(h2_pubsub_slow, sim_pubsub_slow)
OVER_H2(h2_bombs, sim_bombs)
OVER_H2(h2_close, sim_h2_close)
OVER_H2(h2_refused, sim_h2_refused)
OVER_H2(h2_stuck, sim_h2_stuck)

const sim_scenario sim_scenarios[] = {
    {"h2-echo", h2_echo, NULL},
    {"h2-chat", h2_chat, NULL},
    {"h2-slow", h2_slow, NULL},
    {"h2-sends", h2_sends, NULL},
    {"h2-drain", h2_drain, NULL},
    {"h2-pubsub", h2_pubsub, NULL},
    {"h2-pubsub-slow", h2_pubsub_slow, NULL},
    {"h2-bombs", h2_bombs, NULL},
    {"h2-close", h2_close, NULL},
    {"h2-refused", h2_refused, NULL},
    {"h2-stuck", h2_stuck, sim_h2_stuck_sum},
    {NULL, NULL, NULL},
};
