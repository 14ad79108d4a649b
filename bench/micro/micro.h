/* SPDX-License-Identifier: Apache-2.0
 *
 * What bench-micro measures and how it is told: one cell is one loop of one implementation at one
 * size. memcpy of the same bytes is a cell like the others, of the pseudo-implementation "libc".
 */
#ifndef WRING_BENCH_MICRO_H
#define WRING_BENCH_MICRO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define MICRO_SIZES  5
#define MICRO_ISAS   5 /* libc and up to four implementations */
#define MICRO_OPS    7
#define MICRO_ROUNDS 101

enum micro_op {
    OP_MEMCPY,
    OP_MASK,
    OP_MASK_COPY,
    OP_UTF8_ASCII,
    OP_UTF8_MIXED,
    OP_FUSED_ASCII,
    OP_FUSED_MIXED
};

struct micro_cell {
    bool measured;
    uint32_t repeats;             /* calls in a sample */
    double samples[MICRO_ROUNDS]; /* ns a call, one a round */
    double ns;                    /* the median */
    double of_memcpy;             /* speed relative to memcpy in the same round, the median */
};

struct micro_results {
    const char *isas[MICRO_ISAS];
    size_t isa_count;
    char cpu[64];
    struct micro_cell cells[MICRO_OPS][MICRO_ISAS][MICRO_SIZES];
};

extern const size_t micro_sizes[MICRO_SIZES];
extern const char *const micro_size_names[MICRO_SIZES];
extern const char *const micro_op_names[MICRO_OPS];
extern const char *const micro_op_texts[MICRO_OPS];

/** Tables in Markdown. */
void micro_print_tables(FILE *out, const struct micro_results *results);
/** All medians as JSON. */
void micro_print_json(FILE *out, const struct micro_results *results);
/** One panel a loop, GB/s by size, one line an implementation. */
void micro_print_svg(FILE *out, const struct micro_results *results);

#endif
