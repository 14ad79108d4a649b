/* SPDX-License-Identifier: Apache-2.0
 *
 * CPU against bytes: what a compressor without takeover costs for a message, by level, window,
 * memLevel and strategy. The defaults of wring_deflate_config are read off here.
 *
 *     bench-deflate [--rounds N] [--svg FILE]          the table goes to standard output
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/deflate.h"

#define TEXTS    64
#define ROUNDS   400 /* each is all texts once; the points take turns */
#define TEXT_MAX 16384

static const size_t sizes[] = {256, 1024, 4096, 16384};
#define SIZES (sizeof sizes / sizeof *sizes)

struct point {
    wring__deflate_tuning tuning;
    wring__compressor *compressor;
    double median_us[SIZES]; /* median over rounds, of a message */
    double bytes[SIZES];
    double *samples;
};

static uint8_t texts[TEXTS][TEXT_MAX];

static uint64_t random_next(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return *state >> 33;
}

/* Quotes as a feed sends them: names repeat, numbers do not. */
static void text_make(uint8_t *out, uint64_t *state) {
    static const char *const names[] = {"AAPL", "MSFT", "NVDA", "ORCL", "INTC", "ADBE", "CSCO"};
    char line[256];
    for (size_t at = 0; at < TEXT_MAX;) {
        const size_t n = (size_t)snprintf(
            line, sizeof line,
            "{\"symbol\":\"%s\",\"id\":%u,\"bid\":%u.%02u,\"ask\":%u.%02u,\"volume\":%u,"
            "\"open\":%s,\"venue\":\"X%u\"},",
            names[random_next(state) % 7], (unsigned)random_next(state) % 1000000,
            (unsigned)random_next(state) % 900, (unsigned)random_next(state) % 100,
            (unsigned)random_next(state) % 900, (unsigned)random_next(state) % 100,
            (unsigned)random_next(state) % 100000, random_next(state) % 2 ? "true" : "false",
            (unsigned)random_next(state) % 10);
        const size_t take = n < TEXT_MAX - at ? n : TEXT_MAX - at;
        memcpy(out + at, line, take);
        at += take;
    }
}

static double cpu_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double round_us(struct point *p, size_t size) {
    static uint8_t out[TEXT_MAX * 2];
    const double begin = cpu_us();
    for (unsigned i = 0; i < TEXTS; i++) {
        (void)wring__compressor_run(p->compressor, wring_bytes_of(texts[i], size), out);
        wring__compressor_reset(p->compressor);
    }
    return (cpu_us() - begin) / TEXTS;
}

static double mean_bytes(struct point *p, size_t size) {
    static uint8_t out[TEXT_MAX * 2];
    double sum = 0;
    for (unsigned i = 0; i < TEXTS; i++) {
        sum += (double)wring__compressor_run(p->compressor, wring_bytes_of(texts[i], size), out);
        wring__compressor_reset(p->compressor);
    }
    return sum / TEXTS;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void measure(struct point *points, size_t count, unsigned rounds) {
    for (size_t s = 0; s < SIZES; s++) {
        const unsigned turns = 4 + rounds * 256 / (unsigned)sizes[s];
        for (size_t i = 0; i < count; i++) {
            points[i].bytes[s] = mean_bytes(&points[i], sizes[s]);
        }
        for (unsigned turn = 0; turn < turns; turn++) {
            for (size_t i = 0; i < count; i++) {
                points[i].samples[turn] = round_us(&points[i], sizes[s]);
            }
        }
        for (size_t i = 0; i < count; i++) {
            qsort(points[i].samples, turns, sizeof *points[i].samples, by_value);
            points[i].median_us[s] = points[i].samples[turns / 2];
        }
    }
}

/* ---- showing ---- */

static const char *strategy_name(uint8_t strategy) {
    static const char *const names[] = {"default", "filtered", "huffman", "rle", "fixed"};
    return names[strategy];
}

static void print_table(const struct point *points, size_t count) {
    printf("| level | window | memLevel | strategy | KiB a compressor |");
    for (size_t s = 0; s < SIZES; s++) {
        printf(" %zu B: µs | bytes |", sizes[s]);
    }
    printf("\n|--:|--:|--:|---|--:|");
    for (size_t s = 0; s < SIZES; s++) {
        printf("--:|--:|");
    }
    for (size_t i = 0; i < count; i++) {
        const wring__deflate_tuning *t = &points[i].tuning;
        printf("\n| %u | %u | %u | %s | %zu |", t->level, t->window_bits, t->mem_level,
               strategy_name(t->strategy), wring__compressor_memory(*t) / 1024);
        for (size_t s = 0; s < SIZES; s++) {
            printf(" %.1f | %.0f |", points[i].median_us[s], points[i].bytes[s]);
        }
    }
    printf("\n");
}

/* 1 KiB: µs to the right, bytes up; the levels of one window joined by a line. */
static void write_svg(FILE *out, const struct point *points, size_t count) {
    enum { W = 620, H = 360, LEFT = 70, TOP = 70, S = 1 };
    double most_us = 0, most = 0;
    for (size_t i = 0; i < count; i++) {
        most_us = points[i].median_us[S] > most_us ? points[i].median_us[S] : most_us;
        most = points[i].bytes[S] > most ? points[i].bytes[S] : most;
    }
    most_us *= 1.1;
    most *= 1.1;
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\""
            "system-ui, sans-serif\" font-size=\"12\" fill=\"#1f2933\"><rect width=\"100%%\" "
            "height=\"100%%\" fill=\"#fff\"/><text x=\"%d\" y=\"34\" font-size=\"18\" font-weight="
            "\"700\">CPU against bytes: 1 KiB of JSON, no takeover</text>\n",
            W + LEFT + 40, H + TOP + 60, LEFT);
    for (int i = 0; i <= 4; i++) {
        const double y = TOP + H * (1 - i / 4.0), x = LEFT + W * i / 4.0;
        fprintf(out,
                "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#e4e7eb\"/>"
                "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.0f B</text>"
                "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0f µs</text>\n",
                LEFT, LEFT + W, y, y, LEFT - 8, y + 4, most * i / 4, x, TOP + H + 22,
                most_us * i / 4);
    }
    fprintf(out, "<polyline fill=\"none\" stroke=\"#2166ac\" stroke-width=\"2\" points=\"");
    for (size_t i = 0; i < 9; i++) {
        fprintf(out, "%.1f,%.1f ", LEFT + W * points[i].median_us[S] / most_us,
                TOP + H * (1 - points[i].bytes[S] / most));
    }
    fprintf(out, "\"/>\n");
    for (size_t i = 0; i < count; i++) {
        const wring__deflate_tuning *t = &points[i].tuning;
        const double x = LEFT + W * points[i].median_us[S] / most_us;
        const double y = TOP + H * (1 - points[i].bytes[S] / most);
        fprintf(out,
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"><title>level %u, window %u, "
                "memLevel %u, %s</title></circle>\n",
                x, y, i < 9 ? "#2166ac" : "#b2182b", t->level, t->window_bits, t->mem_level,
                strategy_name(t->strategy));
        if (i < 9) {
            fprintf(out, "<text x=\"%.1f\" y=\"%.1f\">%u</text>\n", x + 6, y - 6, t->level);
        }
    }
    fprintf(
        out,
        "<text x=\"%d\" y=\"%d\">blue: levels 1 to 9, window 12, memLevel 5; red: other windows, "
        "memLevels, strategies</text></svg>\n",
        LEFT, TOP + H + 46);
}

int main(int argc, char **argv) {
    static struct point points[] = {
        {.tuning = {12, 1, 5, 0}}, {.tuning = {12, 2, 5, 0}}, {.tuning = {12, 3, 5, 0}},
        {.tuning = {12, 4, 5, 0}}, {.tuning = {12, 5, 5, 0}}, {.tuning = {12, 6, 5, 0}},
        {.tuning = {12, 7, 5, 0}}, {.tuning = {12, 8, 5, 0}}, {.tuning = {12, 9, 5, 0}},
        {.tuning = {9, 1, 5, 0}},  {.tuning = {11, 1, 4, 0}}, {.tuning = {15, 1, 5, 0}},
        {.tuning = {15, 1, 8, 0}}, {.tuning = {15, 6, 8, 0}}, {.tuning = {12, 1, 3, 0}},
        {.tuning = {12, 1, 5, 4}}, {.tuning = {12, 6, 5, 4}}, {.tuning = {12, 1, 5, 2}}};
    const size_t count = sizeof points / sizeof *points;
    unsigned rounds = ROUNDS;
    const char *svg = NULL;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--rounds") == 0) {
            rounds = (unsigned)strtoul(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--svg") == 0) {
            svg = argv[i + 1];
        }
    }
    uint64_t state = 1;
    for (unsigned i = 0; i < TEXTS; i++) {
        text_make(texts[i], &state);
    }
    for (size_t i = 0; i < count; i++) {
        points[i].compressor = wring__compressor_create(points[i].tuning);
        points[i].samples = calloc(rounds + 8, sizeof *points[i].samples);
        if (points[i].compressor == NULL || points[i].samples == NULL) {
            abort();
        }
    }
    measure(points, count, rounds);
    print_table(points, count);
    if (svg != NULL) {
        FILE *out = fopen(svg, "w");
        if (out == NULL) {
            perror(svg);
            return 1;
        }
        write_svg(out, points, count);
        fclose(out);
    }
    for (size_t i = 0; i < count; i++) {
        wring__compressor_destroy(points[i].compressor);
        free(points[i].samples);
    }
    return 0;
}
