/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const families[] = {
    [1] = "Framing",
    [2] = "Pings and pongs",
    [3] = "Reserved bits",
    [4] = "Opcodes",
    [5] = "Fragmentation",
    [6] = "UTF-8",
    [7] = "Close",
    [9] = "Limits",
    [10] = "Misc",
    [11] = "Beyond: strictness",
    [12] = "Compression: payloads",
    [13] = "Compression: parameters",
    [14] = "Beyond: streams of HTTP/2",
};

struct tally {
    size_t ran, passed;
};

static struct tally tally_of(const struct results *r, size_t c) {
    struct tally tally = {0};
    for (size_t l = 0; l < r->link_count; l++) {
        for (size_t cut = 0; cut < CUTS; cut++) {
            tally.ran += r->runs[c][l][cut].ran;
            tally.passed += r->runs[c][l][cut].ran && r->runs[c][l][cut].verdict.pass;
        }
    }
    return tally;
}

/* The run that speaks for the case: the first that failed, or else the first. */
static const struct verdict *speaker(const struct results *r, size_t c) {
    const struct verdict *first = NULL;
    for (size_t l = 0; l < r->link_count; l++) {
        for (size_t cut = 0; cut < CUTS; cut++) {
            const struct run *run = &r->runs[c][l][cut];
            if (run->ran && !run->verdict.pass) {
                return &run->verdict;
            }
            first = run->ran && first == NULL ? &run->verdict : first;
        }
    }
    return first;
}

static void write_code(FILE *f, const struct verdict *v, const char *none, const char *empty) {
    if (!v->closed) {
        fprintf(f, "%s", none);
    } else if (v->close_code == 0) {
        fprintf(f, "%s", empty);
    } else {
        fprintf(f, "%u", v->close_code);
    }
}

static void write_json(FILE *f, const struct results *r) {
    fprintf(f, "{\n\"cases\": [");
    const char *comma = "\n";
    for (size_t c = 0; c < r->suite->count; c++) {
        const struct verdict *v = speaker(r, c);
        if (v == NULL) {
            continue;
        }
        const struct tally tally = tally_of(r, c);
        fprintf(f, "%s{\"id\": \"%s\", \"what\": \"%s\", \"behaviour\": \"%s\", \"close_code\": ",
                comma, r->suite->cases[c].id, r->suite->cases[c].what, v->behaviour);
        write_code(f, v, "null", "1005");
        fprintf(f, ", \"verdict\": \"%s\", \"runs\": %zu, \"passed\": %zu}",
                tally.ran == tally.passed ? "pass" : "fail", tally.ran, tally.passed);
        comma = ",\n";
    }
    fprintf(f, "\n]\n}\n");
}

static const char style[] =
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;"
    "color:#1c2430;background:#fff}h1{margin-bottom:.2rem}h2{margin:2rem 0 .4rem}"
    "p{max-width:60rem}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #e4e8ee;vertical-align:top}"
    "th{font-weight:600;background:#f6f8fa;position:sticky;top:0}td.id,td.code{white-space:nowrap;"
    "font-variant-numeric:tabular-nums}.pass{color:#0a6b3b}.fail{color:#b00020;font-weight:600}"
    ".dots span{display:inline-block;width:.7em;height:.7em;border-radius:2px;margin-right:2px;"
    "background:#2da36a}.dots span.x{background:#d1242f}.dots span.o{background:#d8dee6}"
    ".dots span.gap{margin-right:8px}@media(prefers-color-scheme:dark){body{background:#0f141a;"
    "color:#d7dee8}th{background:#1a212b}th,td{border-color:#2a3340}.pass{color:#5fd39a}"
    ".fail{color:#ff7b86}}";

static void write_row(FILE *f, const struct results *r, size_t c, const struct verdict *v) {
    const struct tally tally = tally_of(r, c);
    const bool pass = tally.ran == tally.passed;
    fprintf(f, "<tr><td class=id>%s<td>%s<td>%s<td class=code>", r->suite->cases[c].id,
            r->suite->cases[c].what, v->behaviour);
    write_code(f, v, "none", "empty");
    fprintf(f, "<td class=dots>");
    for (size_t l = 0; l < r->link_count; l++) {
        for (size_t cut = 0; cut < CUTS; cut++) {
            const struct run *run = &r->runs[c][l][cut];
            fprintf(f, "<span class=\"%s%s\" title=\"%s, %s: %s\"></span>",
                    !run->ran           ? "o"
                    : run->verdict.pass ? ""
                                        : "x",
                    cut + 1 == CUTS ? " gap" : "", r->links[l]->text, cut_names[cut],
                    run->ran ? run->verdict.behaviour : "not run");
        }
    }
    fprintf(f, "<td class=%s>%s %zu/%zu\n", pass ? "pass" : "fail", pass ? "pass" : "FAIL",
            tally.passed, tally.ran);
}

static void write_head(FILE *f, const struct results *r) {
    size_t cases = 0, ran = 0, passed = 0;
    for (size_t c = 0; c < r->suite->count; c++) {
        const struct tally tally = tally_of(r, c);
        cases += tally.ran > 0;
        ran += tally.ran;
        passed += tally.passed;
    }
    fprintf(
        f,
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
        "content=\"width=device-width\"><title>wring: conformance</title><style>%s</style>"
        "<h1>Conformance</h1><p><b class=%s>%zu of %zu runs passed</b>, %zu cases: the families "
        "1 to 7, 9, 10, 12 and 13 of the field's test suite re-expressed from RFC 6455, RFC 3629 "
        "and RFC 7692, and 11 and 14 of our own. Each case runs ",
        style, ran == passed ? "pass" : "fail", passed, ran, cases);
    for (size_t l = 0; l < r->link_count; l++) {
        fprintf(f, "%s%s", l == 0 ? "" : "; ", r->links[l]->text);
    }
    fprintf(
        f,
        ": whole, in single bytes and in random cuts, three dots each in that order. Of scripts "
        "above 64 KiB only the first and the last 4 KiB go in single bytes, of compressed ones "
        "above "
        "4 KiB 512 bytes at each end. A text that is not "
        "UTF-8 is sent up to the byte that makes it certain and no further. Over HTTP/2 all cases "
        "are "
        "streams of one connection (RFC 8441): each ends with END_STREAM, behind its close frame, "
        "and another WebSocket on the connection echoes after each.</p>\n");
}

static void write_html(FILE *f, const struct results *r) {
    write_head(f, r);
    int family = 0;
    for (size_t c = 0; c < r->suite->count; c++) {
        const struct verdict *v = speaker(r, c);
        if (v == NULL) {
            continue;
        }
        const int this_family = (int)strtol(r->suite->cases[c].id, NULL, 10);
        if (this_family != family) {
            family = this_family;
            fprintf(f,
                    "%s<h2>%d. %s</h2><table><tr><th>case<th>what is sent<th>behaviour<th>close "
                    "code<th>runs<th>verdict\n",
                    c == 0 ? "" : "</table>", family, families[family]);
        }
        write_row(f, r, c, v);
    }
    fprintf(f, "</table></html>\n");
}

static bool write_file(const struct results *r, const char *folder, const char *name,
                       void (*writer)(FILE *, const struct results *)) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    if (f == NULL) {
        perror(path);
        return false;
    }
    writer(f, r);
    return fclose(f) == 0;
}

bool report_write(const struct results *r, const char *folder) {
    return write_file(r, folder, "index.json", write_json) &&
           write_file(r, folder, "index.html", write_html);
}
