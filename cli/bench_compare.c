/* SPDX-License-Identifier: Apache-2.0
 *
 * `wring bench compare`: two JSON reports side by side, and whether the second one is worse.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"

#define REPORT_MAX (64u << 20)

/* One figure of a report. */
typedef struct figure {
    const char *name;
    const char *group;
    const char *field;
    int better;  /* 1: higher, -1: lower */
    bool judged; /* else only shown */
} figure;

static const figure figures[] = {
    {"rate, messages/s", "rate", "messages_per_s", 1, true},
    {"latency p50, us", "latency_us", "p50", -1, true},
    {"latency p99, us", "latency_us", "p99", -1, true},
    {"latency p99.9, us", "latency_us", "p99.9", -1, false},
    {"latency max, us", "latency_us", "max", -1, false},
    {"handshake p50, us", "connect_us", "p50", -1, false},
    {"server CPU, us/message", "server_cpu", "us_per_message", -1, true},
    {"generator CPU, us/message", "cpu", "us_per_message", -1, false},
    {"answers wrong", "messages", "wrong", -1, true},
    {"messages lost", "messages", "lost", -1, true},
    {"messages repeated", "messages", "duplicated", -1, true},
    {"messages out of order", "messages", "reordered", -1, true},
    {"connections failed", "connections", "failed", -1, true},
    {"connections lost", "connections", "lost", -1, true},
};

static char *file_text(const char *path) {
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t len = 0;
    size_t cap = 0;
    bool ok = file != NULL;
    while (ok && feof(file) == 0) {
        if (cap - len < 2) {
            cap = cap * 2 + 65536;
            char *grown = cap > REPORT_MAX ? NULL : realloc(text, cap);
            ok = grown != NULL;
            text = grown == NULL ? text : grown;
        }
        len += ok ? fread(text + len, 1, cap - len - 1, file) : 0;
        ok = ok && ferror(file) == 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    if (!ok) {
        cli_complain("cannot read %s: %s", path, strerror(errno == 0 ? EFBIG : errno));
        free(text);
        return NULL;
    }
    text[len] = 0;
    return text;
}

static cJSON *report_read(const char *path) {
    char *text = file_text(path);
    if (text == NULL) {
        return NULL;
    }
    cJSON *root = cJSON_Parse(text);
    free(text);
    if (!cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(root, "wring_bench"))) {
        cli_complain("%s is no report of 'wring bench --json'", path);
        cJSON_Delete(root);
        return NULL;
    }
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(root, "error");
    if (cJSON_IsString(error)) {
        cli_complain("%s is of a run without a result: %s", path, error->valuestring);
        cJSON_Delete(root);
        return NULL;
    }
    return root;
}

static bool value_of(const cJSON *root, const figure *f, double *out) {
    const cJSON *group = cJSON_GetObjectItemCaseSensitive(root, f->group);
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(group, f->field);
    *out = cJSON_IsNumber(field) ? field->valuedouble : 0;
    return cJSON_IsNumber(field);
}

static const char *text_of(const cJSON *root, const char *name) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);
    return cJSON_IsString(item) ? item->valuestring : "?";
}

static void value_text(double value, char text[32]) {
    if (value >= 10000) {
        (void)bench_count_text(value, text);
    } else {
        (void)snprintf(text, 32, "%.4g", value);
    }
}

/* True when it is worse by more than the tolerance. */
static bool figure_compare(const figure *f, double a, double b, double tolerance) {
    char first[32];
    char second[32];
    char ratio[16] = "";
    const double worse = f->better > 0 ? a - b : b - a;
    const bool regressed = f->judged && worse > tolerance * a;
    const bool improved = f->judged && -worse > tolerance * a;
    value_text(a, first);
    value_text(b, second);
    if (a > 0) {
        (void)snprintf(ratio, sizeof ratio, "%.3f", b / a);
    }
    printf("  %-26s %14s %14s %8s  %s\n", f->name, first, second, ratio,
           regressed    ? "WORSE"
           : improved   ? "better"
           : !f->judged ? "not judged"
                        : "");
    return regressed;
}

static const char *kind_of(const cJSON *root) {
    return cJSON_GetObjectItemCaseSensitive(root, "find_max") != NULL ? "find-max " : "";
}

/* Figures of another mode, or of the best rate of a search, do not mean the same. */
static bool kinds_compare(const cJSON *a, const cJSON *b, const bench_options *o) {
    if (strcmp(text_of(a, "mode"), text_of(b, "mode")) == 0 &&
        strcmp(kind_of(a), kind_of(b)) == 0) {
        return true;
    }
    cli_complain("these runs cannot be compared: %s is of %s%s, %s of %s%s", o->first, kind_of(a),
                 text_of(a, "mode"), o->second, kind_of(b), text_of(b, "mode"));
    return false;
}

static bool is_set(const cJSON *config, const char *name) {
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(config, name)) != 0;
}

/* Different settings may be what is compared: they are told, and the verdict is given. */
static int settings_compare(const cJSON *a, const cJSON *b) {
    static const char *const fields[] = {"connections", "rate",       "pipeline",
                                         "burst",       "publishers", "topics",
                                         "size_min",    "size_max",   "streams"};
    static const char *const switches[] = {"binary", "deflate", "http2"};
    static const char *const means[] = {"binary", "compressed", "over HTTP/2"};
    int count = 0;
    const cJSON *first = cJSON_GetObjectItemCaseSensitive(a, "config");
    const cJSON *second = cJSON_GetObjectItemCaseSensitive(b, "config");
    if (is_set(first, "coordinated_omission") != is_set(second, "coordinated_omission")) {
        printf("note: one is a closed loop and the other has a constant rate: their latencies do "
               "not\nmean the same\n");
        count++;
    }
    if (strcmp(text_of(first, "backend"), text_of(second, "backend")) != 0) {
        printf("note: A ran on %s and B on %s\n", text_of(first, "backend"),
               text_of(second, "backend"));
        count++;
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const double x = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(first, fields[i]));
        const double y = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(second, fields[i]));
        if (x < y || x > y) {
            printf("note: %s differs, %g and %g\n", fields[i], x, y);
            count++;
        }
    }
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        if (is_set(first, switches[i]) != is_set(second, switches[i])) {
            printf("note: only %s is %s\n", is_set(first, switches[i]) ? "A" : "B", means[i]);
            count++;
        }
    }
    return count;
}

static int reports_compare(const cJSON *a, const cJSON *b, const bench_options *o) {
    int worse = 0;
    printf("A  %s: %s %s\nB  %s: %s %s\n\n", o->first, text_of(a, "mode"), text_of(a, "url"),
           o->second, text_of(b, "mode"), text_of(b, "url"));
    const int differences = settings_compare(a, b);
    printf("  %-26s %14s %14s %8s\n", "", "A", "B", "B/A");
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        double first;
        double second;
        const bool both = value_of(a, &figures[i], &first) && value_of(b, &figures[i], &second);
        if (both && (first > 0 || second > 0)) {
            worse += figure_compare(&figures[i], first, second, o->tolerance_share);
        }
    }
    if (differences > 0) {
        fputs("\nThe settings differ, as noted above: the figures may differ for that reason.\n",
              stdout);
    }
    if (worse == 0) {
        printf("\nB is not worse than A by more than %g %%.\n", o->tolerance_share * 100);
        return CLI_OK;
    }
    printf("\nB is worse than A by more than %g %% in %d figure%s.\n", o->tolerance_share * 100,
           worse, worse == 1 ? "" : "s");
    return BENCH_REGRESSION;
}

int bench_compare(const bench_options *o) {
    int code = CLI_FAILED;
    cJSON *a = report_read(o->first);
    cJSON *b = a == NULL ? NULL : report_read(o->second);
    if (b != NULL) {
        code = kinds_compare(a, b, o) ? reports_compare(a, b, o) : CLI_USAGE;
    }
    cJSON_Delete(a);
    cJSON_Delete(b);
    return code;
}
