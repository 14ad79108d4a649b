/* SPDX-License-Identifier: Apache-2.0
 *
 * bench-micro's results as Markdown tables, JSON and an SVG picture.
 */
#include <math.h>

#include "micro.h"

static double gbps(const struct micro_cell *cell, size_t size) {
    return (double)micro_sizes[size] / cell->ns; /* bytes a ns are GB/s */
}

static void print_header(FILE *out, const char *first) {
    fprintf(out, "| %s | |", first);
    for (size_t s = 0; s < MICRO_SIZES; s++) {
        fprintf(out, " %s |", micro_size_names[s]);
    }
    fprintf(out, "\n|---|---|");
    for (size_t s = 0; s < MICRO_SIZES; s++) {
        fprintf(out, "--:|");
    }
    fprintf(out, "\n");
}

static void print_rows(FILE *out, const struct micro_results *results, bool ratios) {
    for (size_t op = ratios ? 1 : 0; op < MICRO_OPS; op++) {
        for (size_t isa = 0; isa < results->isa_count; isa++) {
            if (!results->cells[op][isa][0].measured) {
                continue;
            }
            fprintf(out, "| %s | %s |", micro_op_texts[op], results->isas[isa]);
            for (size_t s = 0; s < MICRO_SIZES; s++) {
                const struct micro_cell *cell = &results->cells[op][isa][s];
                if (ratios) {
                    fprintf(out, " %.2f |", cell->of_memcpy);
                } else {
                    fprintf(out, " %.1f ns, %.1f |", cell->ns, gbps(cell, s));
                }
            }
            fprintf(out, "\n");
        }
    }
}

void micro_print_tables(FILE *out, const struct micro_results *results) {
    fprintf(out, "CPU: %s. %d interleaved rounds, medians.\n\n", results->cpu, MICRO_ROUNDS);
    fprintf(out,
            "Speed relative to memcpy of the same bytes in the same round (1 is as fast):\n\n");
    print_header(out, "loop");
    print_rows(out, results, true);
    fprintf(out, "\nTime a call, and GB/s:\n\n");
    print_header(out, "loop");
    print_rows(out, results, false);
}

void micro_print_json(FILE *out, const struct micro_results *results) {
    fprintf(out, "{\n  \"cpu\": \"%s\",\n  \"rounds\": %d,\n  \"cells\": [", results->cpu,
            MICRO_ROUNDS);
    const char *comma = "";
    for (size_t op = 0; op < MICRO_OPS; op++) {
        for (size_t isa = 0; isa < results->isa_count; isa++) {
            for (size_t s = 0; s < MICRO_SIZES; s++) {
                const struct micro_cell *cell = &results->cells[op][isa][s];
                if (!cell->measured) {
                    continue;
                }
                fprintf(out,
                        "%s\n    {\"loop\": \"%s\", \"isa\": \"%s\", \"bytes\": %zu, "
                        "\"ns\": %.2f, \"gb_per_s\": %.2f, \"of_memcpy\": %.3f}",
                        comma, micro_op_names[op], results->isas[isa], micro_sizes[s], cell->ns,
                        gbps(cell, s), cell->of_memcpy);
                comma = ",";
            }
        }
    }
    fprintf(out, "\n  ]\n}\n");
}

/* ---- the picture: a panel a loop, sizes from left to right, GB/s upwards ---- */

#define PANEL_W   300
#define PANEL_H   210
#define PANEL_GAP 56
#define LEFT      64
#define TOP       110
#define COLUMNS   3

static const char *isa_colour(const char *isa) {
    switch (isa[0]) {
    case 'l': /* libc */
        return "#9aa3ad";
    case 'a': /* avx2, avx512: the longer name is the wider one */
        return isa[4] == '\0' ? "#2563eb" : "#7c3aed";
    case 'n': /* neon */
        return "#2563eb";
    default: /* sse41, scalar */
        return isa[1] == 's' ? "#0d9488" : "#d97706";
    }
}

static double top_of_scale(const struct micro_results *results) {
    double top = 1;
    for (size_t op = 0; op < MICRO_OPS; op++) {
        for (size_t isa = 0; isa < results->isa_count; isa++) {
            for (size_t s = 0; s < MICRO_SIZES; s++) {
                const struct micro_cell *cell = &results->cells[op][isa][s];
                top = cell->measured ? fmax(top, gbps(cell, s)) : top;
            }
        }
    }
    return ceil(top / 20) * 20;
}

static double point_x(size_t size) {
    return 24 + (PANEL_W - 48) * (double)size / (MICRO_SIZES - 1);
}

static void svg_line(FILE *out, const struct micro_results *results, size_t op, size_t isa,
                     double top) {
    const char *colour = isa_colour(results->isas[isa]);
    fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2.5\" %s points=\"", colour,
            op == OP_MEMCPY ? "stroke-dasharray=\"5 4\"" : "stroke-linejoin=\"round\"");
    for (size_t s = 0; s < MICRO_SIZES; s++) {
        const double y = PANEL_H * (1 - gbps(&results->cells[op][isa][s], s) / top);
        fprintf(out, "%.1f,%.1f ", point_x(s), y);
    }
    fprintf(out, "\"/>\n");
    for (size_t s = 0; s < MICRO_SIZES && op != OP_MEMCPY; s++) {
        const double y = PANEL_H * (1 - gbps(&results->cells[op][isa][s], s) / top);
        fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"%s\"/>\n", point_x(s), y,
                colour);
    }
}

static void svg_panel(FILE *out, const struct micro_results *results, size_t op, double top) {
    const size_t place = op - 1;
    fprintf(out, "<g transform=\"translate(%zu %zu)\">\n",
            LEFT + place % COLUMNS * (PANEL_W + PANEL_GAP),
            TOP + place / COLUMNS * (PANEL_H + PANEL_GAP + 34));
    fprintf(out, "<text y=\"-14\" class=\"title\">%s</text>\n", micro_op_texts[op]);
    for (int i = 0; i <= 4; i++) {
        const double y = PANEL_H * (1 - i / 4.0);
        fprintf(out, "<line x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>\n", PANEL_W, y, y);
        fprintf(out, "<text x=\"-8\" y=\"%.1f\" class=\"scale\">%.0f</text>\n", y + 4,
                top * i / 4.0);
    }
    for (size_t s = 0; s < MICRO_SIZES; s++) {
        fprintf(out, "<text x=\"%.1f\" y=\"%d\" class=\"size\">%s</text>\n", point_x(s),
                PANEL_H + 19, micro_size_names[s]);
    }
    svg_line(out, results, OP_MEMCPY, 0, top);
    for (size_t isa = results->isa_count; isa-- > 1;) {
        svg_line(out, results, op, isa, top);
    }
    fprintf(out, "</g>\n");
}

static void svg_legend(FILE *out, const struct micro_results *results) {
    for (size_t isa = 0; isa < results->isa_count; isa++) {
        fprintf(out,
                "<g transform=\"translate(%zu 62)\"><line x2=\"22\" stroke=\"%s\" "
                "stroke-width=\"3\" %s/><text x=\"29\" y=\"4\">%s</text></g>\n",
                LEFT + isa * 110, isa_colour(results->isas[isa]),
                isa == 0 ? "stroke-dasharray=\"5 4\"" : "",
                isa == 0 ? "memcpy" : results->isas[isa]);
    }
}

void micro_print_svg(FILE *out, const struct micro_results *results) {
    const int width = LEFT + COLUMNS * (PANEL_W + PANEL_GAP);
    const int height = TOP + 2 * (PANEL_H + PANEL_GAP + 34) - 20;
    const double top = top_of_scale(results);
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
            "font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#1f2933\">\n"
            "<style>.title{font-weight:600;font-size:15px}.grid{stroke:#e4e7eb}"
            ".scale{text-anchor:end;fill:#616e7c;font-size:12px}"
            ".size{text-anchor:middle;fill:#616e7c;font-size:12px}</style>\n"
            "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n"
            "<text x=\"%d\" y=\"34\" font-size=\"19\" font-weight=\"700\">"
            "Payload loops, GB/s by payload size (%s)</text>\n",
            width, height, width, height, LEFT, results->cpu);
    svg_legend(out, results);
    for (size_t op = 1; op < MICRO_OPS; op++) {
        svg_panel(out, results, op, top);
    }
    fprintf(out, "</svg>\n");
}
