/* SPDX-License-Identifier: Apache-2.0
 *
 * The options about permessage-deflate, the same in every command that has them.
 */
#include "cli/deflate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A process runs one command: so there is one set of options. */
static struct {
    int on;
    int server_takeover;
    int client_takeover;
    int server_bits;
    int client_bits;
    int level;
    int mem_level;
    char *strategy;
    int min_bytes;
    int idle_ms;
    long long max_inflated;
    long long turn_bytes;
    long long compress_turn_bytes;
    long long budget;
} given;

const struct poptOption cli_deflate_options[] = {
    {"deflate", 0, POPT_ARG_NONE, &given.on, 0, "compress where the peer can", NULL},
    {"deflate-server-takeover", 0, POPT_ARG_NONE, &given.server_takeover, 0,
     "the server's window is kept over messages", NULL},
    {"deflate-client-takeover", 0, POPT_ARG_NONE, &given.client_takeover, 0, "... the client's",
     NULL},
    {"deflate-server-bits", 0, POPT_ARG_INT, &given.server_bits, 0,
     "largest window of the server, 8 to 15 (15, with takeover 12)", "N"},
    {"deflate-client-bits", 0, POPT_ARG_INT, &given.client_bits, 0, "... of the client (15)", "N"},
    {"deflate-level", 0, POPT_ARG_INT, &given.level, 0, "1 (fastest) to 9 (smallest) (5)", "N"},
    {"deflate-mem-level", 0, POPT_ARG_INT, &given.mem_level, 0, "zlib's, 1 to 9 (5)", "N"},
    {"deflate-strategy", 0, POPT_ARG_STRING, &given.strategy, 0,
     "zlib's: default, filtered, huffman, rle or fixed (default)", "NAME"},
    {"deflate-min-bytes", 0, POPT_ARG_INT, &given.min_bytes, 0,
     "shorter messages go uncompressed (256)", "BYTES"},
    {"deflate-max-inflated", 0, POPT_ARG_LONGLONG, &given.max_inflated, 0,
     "longest message once inflated (64 MiB)", "BYTES"},
    {"deflate-turn-bytes", 0, POPT_ARG_LONGLONG, &given.turn_bytes, 0,
     "inflated for one connection in a worker's turn (128 KiB)", "BYTES"},
    {"deflate-compress-turn-bytes", 0, POPT_ARG_LONGLONG, &given.compress_turn_bytes, 0,
     "compressed of a long message in a worker's turn (64 KiB)", "BYTES"},
    {"deflate-budget", 0, POPT_ARG_LONGLONG, &given.budget, 0,
     "memory of all kept windows (256 MiB)", "BYTES"},
    {"deflate-idle", 0, POPT_ARG_INT, &given.idle_ms, 0,
     "a window not used for so long is released (30000)", "MS"},
    POPT_TABLEEND,
};

/* By number, which is zlib's. */
static const char *const strategies[] = {"default", "filtered", "huffman", "rle", "fixed"};

static bool strategy_find(const char *name, wring_deflate_strategy *out) {
    *out = WRING_DEFLATE_DEFAULT;
    for (unsigned i = 0; name != NULL && i < sizeof strategies / sizeof *strategies; i++) {
        if (strcmp(name, strategies[i]) == 0) {
            *out = (wring_deflate_strategy)i;
            return true;
        }
    }
    if (name != NULL) {
        cli_complain("--deflate-strategy %s is not default, filtered, huffman, rle or fixed", name);
    }
    return name == NULL;
}

static bool in_range(const char *name, long long value, long long least, long long most) {
    if (value != 0 && (value < least || value > most)) {
        cli_complain("--%s %lld is not %lld to %lld", name, value, least, most);
        return false;
    }
    return true;
}

bool cli_deflate_config(wring_deflate_config *config, const wring_deflate_config **out) {
    const bool others = given.server_takeover || given.client_takeover || given.server_bits ||
                        given.client_bits || given.level || given.mem_level || given.strategy ||
                        given.min_bytes || given.idle_ms || given.max_inflated ||
                        given.turn_bytes || given.compress_turn_bytes || given.budget;
    *out = NULL;
    if (!given.on) {
        if (others) {
            cli_complain("the --deflate-... options need --deflate");
        }
        return !others;
    }
    wring_deflate_strategy strategy;
    if (!strategy_find(given.strategy, &strategy) ||
        !in_range("deflate-server-bits", given.server_bits, 8, 15) ||
        !in_range("deflate-client-bits", given.client_bits, 8, 15) ||
        !in_range("deflate-level", given.level, 1, 9) ||
        !in_range("deflate-mem-level", given.mem_level, 1, 9) ||
        !in_range("deflate-min-bytes", given.min_bytes, 1, INT32_MAX) ||
        !in_range("deflate-idle", given.idle_ms, 1, INT32_MAX) ||
        !in_range("deflate-max-inflated", given.max_inflated, 1, INT64_MAX) ||
        !in_range("deflate-turn-bytes", given.turn_bytes, 1, INT64_MAX) ||
        !in_range("deflate-compress-turn-bytes", given.compress_turn_bytes, 1, INT64_MAX) ||
        !in_range("deflate-budget", given.budget, 1, INT64_MAX)) {
        return false;
    }
    *config = (wring_deflate_config){
        .struct_size = sizeof *config,
        .server_context_takeover = given.server_takeover != 0,
        .client_context_takeover = given.client_takeover != 0,
        .server_max_window_bits = (uint8_t)given.server_bits,
        .client_max_window_bits = (uint8_t)given.client_bits,
        .level = (uint8_t)given.level,
        .mem_level = (uint8_t)given.mem_level,
        .strategy = strategy,
        .min_bytes = (uint32_t)given.min_bytes,
        .takeover_idle_ms = (uint32_t)given.idle_ms,
        .max_inflated_bytes = (uint64_t)given.max_inflated,
        .takeover_budget = (uint64_t)given.budget,
        .inflate_turn_bytes = (uint64_t)given.turn_bytes,
        .compress_turn_bytes = (uint64_t)given.compress_turn_bytes,
    };
    *out = config;
    return true;
}

void cli_deflate_print(const wring_deflate_config *config) {
    wring_deflate_config c;
    if (config == NULL || wring_deflate_config_adopt(config, &c, NULL) != WRING_OK) {
        printf("deflate = off\n");
        return;
    }
    printf("deflate = on\ndeflate-server-takeover = %s\ndeflate-client-takeover = %s\n",
           c.server_context_takeover ? "yes" : "no", c.client_context_takeover ? "yes" : "no");
    printf("deflate-server-bits = %u\ndeflate-client-bits = %u\n", c.server_max_window_bits,
           c.client_max_window_bits);
    printf("deflate-level = %u\ndeflate-mem-level = %u\ndeflate-strategy = %s\n", c.level,
           c.mem_level, strategies[c.strategy]);
    printf("deflate-min-bytes = %u\n", c.min_bytes);
    printf("deflate-max-inflated = %" PRIu64 "\ndeflate-turn-bytes = %" PRIu64 "\n",
           c.max_inflated_bytes, c.inflate_turn_bytes);
    printf("deflate-compress-turn-bytes = %" PRIu64 "\n", c.compress_turn_bytes);
    printf("deflate-budget = %" PRIu64 "\ndeflate-idle = %u\n", c.takeover_budget,
           c.takeover_idle_ms);
}
