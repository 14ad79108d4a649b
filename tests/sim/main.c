/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs scenarios by seed. Every tenth seed runs twice and must leave the same trace.
 *
 *     sim --scenario NAME [--seeds COUNT] [--seed FIRST] [--trace]
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/sim_test.h"

#define TRACE_KEEP 100000

static const struct {
    const char *name;
    void (*run)(uint64_t seed);
    void (*sum)(uint64_t seeds); /* what only many seeds together show; NULL: nothing */
} scenarios[] = {
    {"echo", sim_echo, NULL},
    {"chat", sim_chat, NULL},
    {"pubsub", sim_pubsub, NULL},
    {"pubsub-slow", sim_pubsub_slow, NULL},
    {"slow", sim_slow, NULL},
    {"sends", sim_sends, NULL},
    {"drain", sim_drain, NULL},
    {"suspend", sim_suspend, NULL},
    {"client", sim_the_client, NULL},
    {"tls", sim_the_client_with_tls, NULL},
    {"reconnect", sim_reconnect, sim_reconnect_sum},
    {"client-pause", sim_client_pause, sim_client_pause_sum},
    {"eyeballs", sim_eyeballs, NULL},
    {"budget", sim_budget, NULL},
    {"c14-bombs", sim_bombs, NULL},
    {"long", sim_long, sim_long_sum},
    {"silent", sim_silent, NULL},
};

static wring__trace_entry entries[TRACE_KEEP];

/* Of three seeds one without compression, one with, one with takeover and contexts that are
 * released while the world still turns. A turn inflates less than many messages are. */
static const wring_deflate_config *deflate_of(uint64_t seed) {
    static const wring_deflate_config without = {.struct_size = sizeof without,
                                                 .min_bytes = 8,
                                                 .inflate_turn_bytes = 300,
                                                 .compress_turn_bytes = 200};
    static const wring_deflate_config with = {.struct_size = sizeof with,
                                              .server_context_takeover = true,
                                              .client_context_takeover = true,
                                              .min_bytes = 1,
                                              .takeover_idle_ms = 5,
                                              .takeover_budget = 400000,
                                              .inflate_turn_bytes = 50,
                                              .compress_turn_bytes = 30};
    return seed % 3 == 0 ? NULL : seed % 3 == 1 ? &without : &with;
}

static uint64_t run_traced(void (*run)(uint64_t), uint64_t seed, bool show) {
    wring__trace trace = {.entries = entries, .cap = show ? TRACE_KEEP : 0};
    sim_seed = seed;
    sim_deflate = deflate_of(seed);
    wring__trace_install(&trace);
    run(seed);
    wring__trace_install(NULL);
    for (uint64_t i = 0; show && i < trace.count && i < TRACE_KEEP; i++) {
        printf("%6llu %-14s %llx %llx\n", (unsigned long long)entries[i].sequence,
               wring__trace_name(entries[i].point), (unsigned long long)entries[i].a,
               (unsigned long long)entries[i].b);
    }
    return trace.hash;
}

int main(int argc, char **argv) {
    uint64_t first = 0;
    uint64_t count = 1;
    bool show = false;
    size_t scenario = WRING_ARRAY_LEN(scenarios);
    for (int i = 1; i < argc; i++) {
        bool value = i + 1 < argc;
        if (value && strcmp(argv[i], "--seed") == 0) {
            first = strtoull(argv[++i], NULL, 10);
        } else if (value && strcmp(argv[i], "--seeds") == 0) {
            count = strtoull(argv[++i], NULL, 10);
        } else if (value && strcmp(argv[i], "--scenario") == 0) {
            i++;
            for (size_t s = 0; s < WRING_ARRAY_LEN(scenarios); s++) {
                scenario = strcmp(argv[i], scenarios[s].name) == 0 ? s : scenario;
            }
        } else if (strcmp(argv[i], "--trace") == 0) {
            show = true;
        }
    }
    if (scenario == WRING_ARRAY_LEN(scenarios)) {
        fputs("usage: sim --scenario NAME [--seed FIRST] [--seeds COUNT] [--trace]\n", stderr);
        return 2;
    }
    for (uint64_t seed = first; seed < first + count; seed++) {
        uint64_t hash = run_traced(scenarios[scenario].run, seed, show);
        if (seed % 10 == 0) {
            EXPECT(run_traced(scenarios[scenario].run, seed, false) == hash); /* a seed replays */
        }
    }
    if (scenarios[scenario].sum != NULL) {
        scenarios[scenario].sum(count);
    }
    printf("%llu seeds from %llu: passed\n", (unsigned long long)count, (unsigned long long)first);
    return 0;
}
