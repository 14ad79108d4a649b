/* SPDX-License-Identifier: Apache-2.0
 *
 * bench-micro: the kernels of proto/kernels.h against memcpy of the same bytes in the same run.
 *
 * Every round measures every cell once, one after another, so that a slow moment of the machine
 * falls on all of them; ratios are taken within a round, and medians over the rounds. All data has
 * been touched before and stays in the cache it fits into. The payload lies eight bytes behind a
 * cache line, as behind the header of a client's frame. The fused loop is run with a key of zero,
 * so that the text stays the same text from call to call: no kernel looks at the key's value.
 */
#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base.h"
#include "micro.h"
#include "proto/kernels.h"

#define SAMPLE_NS      150000.0
#define PAYLOAD_OFFSET 8

const size_t micro_sizes[MICRO_SIZES] = {16, 125, 1024, 16384, 1048576};
const char *const micro_size_names[MICRO_SIZES] = {"16 B", "125 B", "1 KiB", "16 KiB", "1 MiB"};
const char *const micro_op_names[MICRO_OPS] = {
    "memcpy", "mask", "mask_copy", "utf8_ascii", "utf8_mixed", "fused_ascii", "fused_mixed"};
const char *const micro_op_texts[MICRO_OPS] = {"memcpy",
                                               "mask in place",
                                               "mask while copying",
                                               "validate ASCII",
                                               "validate mixed text",
                                               "unmask + validate ASCII",
                                               "unmask + validate mixed text"};

/* Mixed text: characters of one to four bytes, no run of 16 ASCII bytes, so that no shortcut for
 * ASCII helps. */
static const char mixed_text[] =
    "Grüße, мир! こんにちは 世界 👋🌍 — naïve café, Ελλάδα, 한국어, हिन्दी, עברית 😀 π≈3,14 … ";

static struct { uint8_t *bytes, *ascii, *mixed, *copy; } payloads;

static volatile uint32_t sink;

static uint8_t *payload_create(size_t skew) {
    const size_t size = micro_sizes[MICRO_SIZES - 1];
    uint8_t *all = aligned_alloc(4096, size + 2 * 4096);
    if (all == NULL) {
        perror("bench-micro");
        exit(1);
    }
    memset(all, 0x5A, size + 2 * 4096);
    return all + skew;
}

static void payloads_create(void) {
    const size_t size = micro_sizes[MICRO_SIZES - 1];
    payloads.bytes = payload_create(PAYLOAD_OFFSET);
    payloads.ascii = payload_create(PAYLOAD_OFFSET);
    payloads.mixed = payload_create(PAYLOAD_OFFSET);
    /* Not the same place within a page as the source: loads would wait for unrelated stores. */
    payloads.copy = payload_create(1024);
    for (size_t i = 0; i < size; i++) {
        payloads.ascii[i] = (uint8_t)(' ' + i * 7 % 95);
        payloads.mixed[i] = (uint8_t)mixed_text[i % (sizeof mixed_text - 1)];
    }
}

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Keeps the compiler from merging, hoisting or dropping the calls around it. */
static inline void barrier(const void *p) {
    __asm__ volatile("" : : "g"(p) : "memory");
}

static void call(enum micro_op op, const struct wring__kernels *kernels, size_t size) {
    size_t bad_at = 0;
    switch (op) {
    case OP_MEMCPY:
        memcpy(payloads.copy, payloads.bytes, size);
        barrier(payloads.copy);
        return;
    case OP_MASK:
        kernels->mask(payloads.bytes, size, UINT32_C(0x84C2B1F7), 0);
        return;
    case OP_MASK_COPY:
        kernels->mask_copy(payloads.copy, payloads.bytes, size, UINT32_C(0x84C2B1F7), 0);
        return;
    case OP_UTF8_ASCII:
        sink = kernels->utf8_feed(0, payloads.ascii, size, &bad_at);
        return;
    case OP_UTF8_MIXED:
        sink = kernels->utf8_feed(0, payloads.mixed, size, &bad_at);
        return;
    case OP_FUSED_ASCII:
        sink = kernels->unmask_utf8(0, payloads.ascii, payloads.ascii, size, 0, &bad_at);
        return;
    case OP_FUSED_MIXED:
        sink = kernels->unmask_utf8(0, payloads.mixed, payloads.mixed, size, 0, &bad_at);
        return;
    }
}

static double sample(enum micro_op op, const struct wring__kernels *kernels, size_t size,
                     uint32_t repeats) {
    call(op, kernels, size); /* this cell's data back into the cache, its code too */
    const double start = now_ns();
    for (uint32_t i = 0; i < repeats; i++) {
        call(op, kernels, size);
    }
    return (now_ns() - start) / repeats;
}

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values) {
    double sorted[MICRO_ROUNDS];
    memcpy(sorted, values, sizeof sorted);
    qsort(sorted, MICRO_ROUNDS, sizeof sorted[0], compare_doubles);
    return sorted[MICRO_ROUNDS / 2];
}

typedef void cell_function(struct micro_cell *cell, const struct micro_cell *memcpy_cell,
                           enum micro_op op, const struct wring__kernels *kernels, size_t size,
                           size_t round);

static void cell_calibrate(struct micro_cell *cell, const struct micro_cell *memcpy_cell,
                           enum micro_op op, const struct wring__kernels *kernels, size_t size,
                           size_t round) {
    (void)memcpy_cell, (void)round;
    const uint32_t few = size < 100000 ? 200 : 2;
    const double ns = sample(op, kernels, size, few);
    cell->repeats = ns * 2 > SAMPLE_NS ? 2 : (uint32_t)(SAMPLE_NS / ns);
    cell->measured = true;
}

static void cell_measure(struct micro_cell *cell, const struct micro_cell *memcpy_cell,
                         enum micro_op op, const struct wring__kernels *kernels, size_t size,
                         size_t round) {
    (void)memcpy_cell;
    cell->samples[round] = sample(op, kernels, size, cell->repeats);
}

static void cell_finish(struct micro_cell *cell, const struct micro_cell *memcpy_cell,
                        enum micro_op op, const struct wring__kernels *kernels, size_t size,
                        size_t round) {
    (void)op, (void)kernels, (void)size, (void)round;
    double ratios[MICRO_ROUNDS];
    for (size_t i = 0; i < MICRO_ROUNDS; i++) {
        ratios[i] = memcpy_cell->samples[i] / cell->samples[i];
    }
    cell->ns = median(cell->samples);
    cell->of_memcpy = median(ratios);
}

static struct {
    const struct wring__kernels *kernels[MICRO_ISAS];
    struct micro_results results;
} bench;

static void for_each_cell(cell_function *function, size_t round) {
    for (size_t s = 0; s < MICRO_SIZES; s++) {
        const struct micro_cell *memcpy_cell = &bench.results.cells[OP_MEMCPY][0][s];
        for (size_t isa = 0; isa < bench.results.isa_count; isa++) {
            for (size_t op = 0; op < MICRO_OPS; op++) {
                if ((op == OP_MEMCPY) == (isa == 0)) {
                    function(&bench.results.cells[op][isa][s], memcpy_cell, (enum micro_op)op,
                             bench.kernels[isa], micro_sizes[s], round);
                }
            }
        }
    }
}

static void find_isas(void) {
    const struct wring__kernels *kernels;
    bench.results.isas[bench.results.isa_count++] = "libc";
    for (size_t i = 0; (kernels = wring__kernels_at(i)) != NULL; i++) {
        if (wring__kernels_can_run(kernels)) {
            bench.kernels[bench.results.isa_count] = kernels;
            bench.results.isas[bench.results.isa_count++] = kernels->name;
        }
    }
}

static void find_cpu_name(void) {
    char line[256];
    FILE *info = fopen("/proc/cpuinfo", "r");
    snprintf(bench.results.cpu, sizeof bench.results.cpu, "unknown CPU");
    while (info != NULL && fgets(line, sizeof line, info) != NULL) {
        if (sscanf(line, "model name : %63[^\n]", bench.results.cpu) == 1) {
            break;
        }
    }
    if (info != NULL) {
        fclose(info);
    }
}

static void pin(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)sched_getcpu(), &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        perror("bench-micro: not pinned");
    }
}

typedef void printer(FILE *out, const struct micro_results *results);

static bool write_file(const char *path, printer *print) {
    FILE *out = path == NULL ? NULL : fopen(path, "w");
    if (out == NULL) {
        if (path != NULL) {
            perror(path);
        }
        return path == NULL;
    }
    print(out, &bench.results);
    return fclose(out) == 0;
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"json", required_argument, NULL, 'j'},
                                            {"svg", required_argument, NULL, 's'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const char *json = NULL, *svg = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'j') {
            json = optarg;
        } else if (option == 's') {
            svg = optarg;
        } else {
            fprintf(stderr, "usage: bench-micro [--json FILE] [--svg FILE]\n");
            return option == 'h' ? 0 : 2;
        }
    }
    pin();
    find_cpu_name();
    find_isas();
    payloads_create();
    for_each_cell(cell_calibrate, 0);
    for (size_t round = 0; round < MICRO_ROUNDS; round++) {
        for_each_cell(cell_measure, round);
    }
    for_each_cell(cell_finish, 0);
    micro_print_tables(stdout, &bench.results);
    const bool json_ok = write_file(json, micro_print_json);
    const bool svg_ok = write_file(svg, micro_print_svg);
    return json_ok && svg_ok ? 0 : 1;
}
