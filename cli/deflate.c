/* SPDX-License-Identifier: Apache-2.0
 *
 * The options about permessage-deflate, the same in every command that has them.
 */
#include "cli/deflate.h"

#include <stdio.h>
#include <string.h>

/* A process runs one command: so there is one set of options. */
static struct {
    int on;
    int server_takeover;
    int client_takeover;
    char *strategy;
    uint32_t server_bits;
    uint32_t client_bits;
    uint32_t level;
    uint32_t mem_level;
    uint32_t message_bytes_min;
    uint32_t idle_ms;
    uint64_t max_inflated;
    uint64_t turn_bytes;
    uint64_t compress_turn_bytes;
    uint64_t budget;
} given;

const cli_number cli_deflate_numbers[] = {
    {"deflate-server-bits", 0, CLI_COUNT, &given.server_bits, NULL, 8, 15, 0,
     "largest window of the server, 8 to 15 (15, with takeover 12)"},
    {"deflate-client-bits", 0, CLI_COUNT, &given.client_bits, NULL, 8, 15, 0,
     "... of the client (15)"},
    {"deflate-level", 0, CLI_COUNT, &given.level, NULL, 1, 9, 0, "1 (fastest) to 9 (smallest) (5)"},
    {"deflate-mem-level", 0, CLI_COUNT, &given.mem_level, NULL, 1, 9, 0, "zlib's, 1 to 9 (5)"},
    {"deflate-min-bytes", 0, CLI_BYTES, &given.message_bytes_min, NULL, 1, INT32_MAX,
     CLI_OFF | CLI_ALL,
     "shorter messages go uncompressed; 'all': none is too short, 'off': none is compressed (256)"},
    {"deflate-max-inflated", 0, CLI_BYTES, NULL, &given.max_inflated, 1, 0, CLI_OFF,
     "longest message once inflated (64 MiB)"},
    {"deflate-turn-bytes", 0, CLI_BYTES, NULL, &given.turn_bytes, 1, 0, CLI_OFF,
     "inflated for one connection in a worker's turn (128 KiB)"},
    {"deflate-compress-turn-bytes", 0, CLI_BYTES, NULL, &given.compress_turn_bytes, 1, 0, CLI_OFF,
     "compressed of a long message in a worker's turn (64 KiB)"},
    {"deflate-budget", 0, CLI_BYTES, NULL, &given.budget, 1, 0, CLI_OFF,
     "memory of all kept windows (256 MiB)"},
    {"deflate-idle", 0, CLI_MS, &given.idle_ms, NULL, 1, INT32_MAX, CLI_OFF,
     "a window not used for so long is released (30s)"},
};

#define NUMBERS (sizeof cli_deflate_numbers / sizeof cli_deflate_numbers[0])

const struct poptOption *cli_deflate_options(void) {
    static const struct poptOption others[] = {
        {"deflate", 0, POPT_ARG_NONE, &given.on, 0, "compress where the peer can", NULL},
        {"deflate-server-takeover", 0, POPT_ARG_NONE, &given.server_takeover, 0,
         "the server's window is kept over messages", NULL},
        {"deflate-client-takeover", 0, POPT_ARG_NONE, &given.client_takeover, 0, "... the client's",
         NULL},
        {"deflate-strategy", 0, POPT_ARG_STRING, &given.strategy, 0,
         "zlib's: default, filtered, huffman, rle or fixed (default)", "NAME"},
    };
    static struct poptOption table[sizeof others / sizeof others[0] + NUMBERS + 1];
    memcpy(table, others, sizeof others);
    cli_numbers_fill(table + sizeof others / sizeof others[0], cli_deflate_numbers, NUMBERS,
                     CLI_DEFLATE_RANGE);
    return table; /* the last entry is zeroed: the end */
}

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

bool cli_deflate_config(wring_deflate_config *config, const wring_deflate_config **out) {
    const bool others = given.server_takeover || given.client_takeover || given.server_bits ||
                        given.client_bits || given.level || given.mem_level || given.strategy ||
                        given.message_bytes_min || given.idle_ms || given.max_inflated ||
                        given.turn_bytes || given.compress_turn_bytes || given.budget;
    *out = NULL;
    if (!given.on) {
        if (others) {
            cli_complain("the --deflate-... options need --deflate");
        }
        return !others;
    }
    wring_deflate_strategy strategy;
    if (!strategy_find(given.strategy, &strategy)) {
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
        .message_bytes_min = given.message_bytes_min,
        .takeover_idle_ms = given.idle_ms,
        .inflated_bytes_max = given.max_inflated,
        .takeover_budget_bytes = given.budget,
        .inflate_turn_bytes = given.turn_bytes,
        .compress_turn_bytes = given.compress_turn_bytes,
    };
    *out = config;
    return true;
}

void cli_deflate_print(const wring_deflate_config *config) {
    wring_deflate_config c = {.struct_size = sizeof c};
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
    if (c.message_bytes_min == WRING_DEFLATE_ALL) {
        puts("deflate-min-bytes = all");
    } else {
        cli_print_u32("deflate-min-bytes", c.message_bytes_min);
    }
    cli_print_u64("deflate-max-inflated", c.inflated_bytes_max);
    cli_print_u64("deflate-turn-bytes", c.inflate_turn_bytes);
    cli_print_u64("deflate-compress-turn-bytes", c.compress_turn_bytes);
    cli_print_u64("deflate-budget", c.takeover_budget_bytes);
    cli_print_u32("deflate-idle", c.takeover_idle_ms);
}
