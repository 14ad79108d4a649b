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
OVER_H2(h2_close, sim_h2_close)
OVER_H2(h2_refused, sim_h2_refused)
OVER_H2(h2_stuck, sim_h2_stuck)
OVER_H2(h2_stall, sim_h2_stall)
OVER_H2(h2_slots, sim_h2_slots)
OVER_H2(h2_idle, sim_h2_idle)

/* The odd seeds: in fair weather it counts the turns from a question to its answer, and of bytes
 * that share a connection, and have frames around them, nothing is promised there. */
static void h2_bombs(uint64_t seed) {
    over_h2(sim_bombs, seed * 2 + 1);
}

/* Not seed 0, where connections have to be refused: windows keep what overshoots below that. With
 * small windows and buffers the hogs of this scenario do not come to the budget in its time. */
static void h2_budget(uint64_t seed) {
    sim_h2_begin(seed + 1);
    sim_h2_config.window_bytes = 64 << 10;
    sim_h2_plan_now.is_full = true;
    sim_h2_plan_now.share = 16; /* nghttp2 holds 26 KB a connection, which counts */
    sim_run_has_room = true;
    sim_budget(seed + 1);
    sim_run_has_room = false;
    sim_h2_end();
}

/* What a run was for has happened. */
static void h2_sum(uint64_t seeds) {
    const wring__h2_counters *c = &sim_run_http2_counters;
    EXPECT(c->connections > 0 && c->streams > c->connections);
    EXPECT(seeds < 100 || (c->stashed > 0 && c->deferred > 0 && c->resets > 0));
}

static void h2_close_sum(uint64_t seeds) {
    h2_sum(seeds);
    EXPECT(seeds < 100 || sim_run_http2_counters.reset_by_peer > 0);
}

const sim_scenario sim_scenarios[] = {
    {"h2-echo", h2_echo, h2_sum},
    {"h2-chat", h2_chat, NULL},
    {"h2-slow", h2_slow, NULL},
    {"h2-sends", h2_sends, NULL},
    {"h2-drain", h2_drain, NULL},
    {"h2-budget", h2_budget, NULL},
    {"h2-pubsub", h2_pubsub, h2_sum},
    {"h2-pubsub-slow", h2_pubsub_slow, NULL},
    {"h2-bombs", h2_bombs, NULL},
    {"h2-close", h2_close, h2_close_sum},
    {"h2-refused", h2_refused, NULL},
    {"h2-stuck", h2_stuck, sim_h2_stuck_sum},
    {"h2-stall", h2_stall, NULL},
    {"h2-slots", h2_slots, sim_h2_slots_sum},
    {"h2-idle", h2_idle, NULL},
    {"h2-web", sim_h2_web, sim_h2_web_sum},
    {"h2-tail", sim_h2_tail, NULL},
    {"h2-quiet", sim_h2_quiet, NULL},
    {"h2-floods", sim_h2_floods, NULL},
    {"h2-bounds", sim_h2_bounds, NULL},
    {"h2-isolation", sim_h2_isolation, NULL},
    {"h2-fair", sim_h2_fair, sim_h2_fair_sum},
    {"h2-drain-late", sim_h2_drain_late, NULL},
    {NULL, NULL, NULL},
};
