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

static wring__trace_entry entries[TRACE_KEEP];

/* Of three seeds one without compression, one with, one with takeover and contexts that are
 * released while the world still turns. A turn inflates less than many messages are. */
static const wring_deflate_config *deflate_of(uint64_t seed) {
    static const wring_deflate_config without = {.struct_size = sizeof without,
                                                 .message_bytes_min = 8,
                                                 .inflate_turn_bytes = 300,
                                                 .compress_turn_bytes = 200};
    static const wring_deflate_config with = {.struct_size = sizeof with,
                                              .server_context_takeover = true,
                                              .client_context_takeover = true,
                                              .message_bytes_min = 1,
                                              .takeover_idle_ms = 5,
                                              .takeover_budget_bytes = 400000,
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
    const sim_scenario *scenario = NULL;
    for (int i = 1; i < argc; i++) {
        bool value = i + 1 < argc;
        if (value && strcmp(argv[i], "--seed") == 0) {
            first = strtoull(argv[++i], NULL, 10);
        } else if (value && strcmp(argv[i], "--seeds") == 0) {
            count = strtoull(argv[++i], NULL, 10);
        } else if (value && strcmp(argv[i], "--scenario") == 0) {
            i++;
            for (const sim_scenario *s = sim_scenarios; s->name != NULL; s++) {
                scenario = strcmp(argv[i], s->name) == 0 ? s : scenario;
            }
        } else if (strcmp(argv[i], "--trace") == 0) {
            show = true;
        }
    }
    if (scenario == NULL) {
        fputs("usage: sim --scenario NAME [--seed FIRST] [--seeds COUNT] [--trace]\n", stderr);
        return 2;
    }
    for (uint64_t seed = first; seed < first + count; seed++) {
        uint64_t hash = run_traced(scenario->run, seed, show);
        if (seed % 10 == 0) {
            EXPECT(run_traced(scenario->run, seed, false) == hash); /* a seed replays */
        }
    }
    if (scenario->sum != NULL) {
        scenario->sum(count);
    }
    printf("%llu seeds from %llu: passed\n", (unsigned long long)count, (unsigned long long)first);
    return 0;
}
