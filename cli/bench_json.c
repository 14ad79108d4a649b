/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON report of `wring bench`.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/bench.h"
#include "wring/wring.h"

static void latency_add(cJSON *parent, const char *name, const load_histogram *h) {
    static const struct {
        const char *name;
        double percentile;
    } points[] = {{"p50", 50}, {"p75", 75},     {"p90", 90},       {"p95", 95},
                  {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}, {"p99.999", 99.999}};
    cJSON *object = cJSON_AddObjectToObject(parent, name);
    cJSON_AddNumberToObject(object, "count", (double)h->count);
    cJSON_AddNumberToObject(object, "min", h->count == 0 ? 0 : (double)h->min / 1e3);
    cJSON_AddNumberToObject(object, "mean", load_histogram_mean(h) / 1e3);
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        cJSON_AddNumberToObject(object, points[i].name,
                                (double)load_histogram_percentile(h, points[i].percentile) / 1e3);
    }
    cJSON_AddNumberToObject(object, "max", (double)h->max / 1e3);
}

/* Only where there is one. */
static void ramp_add(cJSON *parent, const char *name, const load_ramp *ramp) {
    if (ramp->count == 0) {
        return;
    }
    cJSON *object = cJSON_AddObjectToObject(parent, name);
    cJSON_AddNumberToObject(object, "from", ramp->from);
    cJSON *stages = cJSON_AddArrayToObject(object, "stages");
    for (uint32_t i = 0; i < ramp->count; i++) {
        cJSON *stage = cJSON_CreateObject();
        cJSON_AddNumberToObject(stage, "seconds", (double)ramp->stages[i].duration / 1e9);
        cJSON_AddNumberToObject(stage, "to", ramp->stages[i].value);
        cJSON_AddItemToArray(stages, stage);
    }
}

static void config_add(cJSON *root, const bench_options *o, const load_result *r) {
    const load_config *load = &o->load;
    cJSON *config = cJSON_AddObjectToObject(root, "config");
    cJSON_AddNumberToObject(config, "connections", load->connections);
    cJSON_AddBoolToObject(config, "http2", load->http2);
    cJSON_AddNumberToObject(config, "streams", load->http2 ? load->streams : 0);
    cJSON_AddNumberToObject(config, "threads", r->threads);
    cJSON_AddStringToObject(config, "backend", wring_backend_name(r->backend));
    cJSON_AddNumberToObject(config, "duration_s",
                            load->duration == LOAD_ENDLESS ? 0 : (double)load->duration / 1e9);
    cJSON_AddNumberToObject(config, "messages", (double)load->messages);
    cJSON_AddNumberToObject(config, "rate", load->rate);
    cJSON_AddNumberToObject(config, "connect_rate", load->connect_rate);
    ramp_add(config, "ramp", &load->ramp);
    ramp_add(config, "connect_ramp", &load->connect_ramp);
    cJSON_AddNumberToObject(config, "pipeline", load->pipeline);
    cJSON_AddNumberToObject(config, "burst", load->burst);
    cJSON_AddNumberToObject(config, "publishers", load->mode == LOAD_FANOUT ? load->publishers : 0);
    cJSON_AddNumberToObject(config, "topics", load->topics);
    cJSON_AddNumberToObject(config, "size_min",
                            (double)(load->has_message ? load->message.len : load->sizes.min));
    cJSON_AddNumberToObject(config, "size_max",
                            (double)(load->has_message ? load->message.len : load->sizes.max));
    cJSON_AddBoolToObject(config, "binary", load->binary);
    cJSON_AddBoolToObject(config, "deflate", load->deflate);
    cJSON_AddBoolToObject(config, "coordinated_omission",
                          load->rate <= 0 && load->mode == LOAD_ECHO);
}

/* Of HTTP/2 "connections" are sessions. */
static void carriers_add(cJSON *root, const bench_options *o, const load_result *r) {
    if (o->load.http2) {
        cJSON *http2 = cJSON_AddObjectToObject(root, "http2");
        cJSON_AddNumberToObject(http2, "connections", (double)r->carriers);
    }
}

static void counts_add(cJSON *root, const load_result *r) {
    cJSON *connections = cJSON_AddObjectToObject(root, "connections");
    cJSON_AddNumberToObject(connections, "wanted", (double)r->connections.wanted);
    cJSON_AddNumberToObject(connections, "opened", (double)r->connections.opened);
    cJSON_AddNumberToObject(connections, "failed", (double)r->connections.failed);
    cJSON_AddNumberToObject(connections, "lost", (double)r->connections.lost);
    cJSON_AddNumberToObject(connections, "unanswered", (double)r->connections.unanswered);
    cJSON_AddNumberToObject(connections, "unclosed", (double)r->connections.unclosed);
    if (r->backoffs > 0) {
        cJSON_AddNumberToObject(connections, "backoffs", (double)r->backoffs);
        cJSON_AddNumberToObject(connections, "backoff_s", r->backoff_s);
    }
    cJSON *messages = cJSON_AddObjectToObject(root, "messages");
    cJSON_AddNumberToObject(messages, "sent", (double)r->measured.sent);
    cJSON_AddNumberToObject(messages, "received", (double)r->measured.received);
    cJSON_AddNumberToObject(messages, "wrong", (double)r->measured.wrong);
    cJSON_AddNumberToObject(messages, "lost", (double)r->lost);
    cJSON_AddNumberToObject(messages, "duplicated", (double)r->duplicated);
    cJSON_AddNumberToObject(messages, "reordered", (double)r->reordered);
    cJSON_AddNumberToObject(messages, "foreign", (double)r->foreign);
    cJSON_AddNumberToObject(messages, "unsent", (double)r->unsent);
    cJSON_AddNumberToObject(messages, "held", (double)r->held);
    cJSON *totals = cJSON_AddObjectToObject(root, "totals");
    cJSON_AddNumberToObject(totals, "sent", (double)r->totals.sent);
    cJSON_AddNumberToObject(totals, "received", (double)r->totals.received);
    cJSON_AddNumberToObject(totals, "wrong", (double)r->totals.wrong);
    cJSON_AddNumberToObject(totals, "to_publishers", (double)r->to_publishers);
    cJSON_AddNumberToObject(totals, "wire_bytes_sent", (double)r->wire_sent);
    cJSON_AddNumberToObject(totals, "wire_bytes_received", (double)r->wire_received);
    cJSON *bytes = cJSON_AddObjectToObject(root, "bytes");
    cJSON_AddNumberToObject(bytes, "sent", (double)r->measured.sent_bytes);
    cJSON_AddNumberToObject(bytes, "received", (double)r->measured.received_bytes);
    cJSON *rate = cJSON_AddObjectToObject(root, "rate");
    const double seconds = r->duration_s > 0 ? r->duration_s : 1;
    cJSON_AddNumberToObject(rate, "messages_per_s", bench_rate(r));
    cJSON_AddNumberToObject(rate, "bytes_per_s", (double)r->measured.received_bytes / seconds);
}

static cJSON *cpu_add(cJSON *root, const char *name, const load_cpu *cpu) {
    cJSON *object = cJSON_AddObjectToObject(root, name);
    cJSON_AddNumberToObject(object, "user_s", cpu->user_s);
    cJSON_AddNumberToObject(object, "system_s", cpu->system_s);
    return object;
}

static void message_cpu_add(cJSON *root, const char *name, const load_cpu *cpu,
                            const load_result *r) {
    cJSON_AddNumberToObject(cpu_add(root, name, cpu), "us_per_message",
                            bench_us_per_message(cpu, r));
}

static void opening_cpu_add(cJSON *root, const load_result *r) {
    const load_cpu *cpu = &r->server_opening;
    const double opened = (double)r->connections.opened;
    cJSON_AddNumberToObject(cpu_add(root, "server_opening_cpu", cpu), "us_per_connection",
                            opened > 0 ? (cpu->user_s + cpu->system_s) * 1e6 / opened : 0);
}

static void memory_add(cJSON *root, const bench_options *o, const load_result *r) {
    cJSON *memory = cJSON_AddObjectToObject(root, "memory");
    cJSON_AddNumberToObject(memory, "own_rss_before", (double)r->own_rss_before);
    cJSON_AddNumberToObject(memory, "own_rss_after", (double)r->own_rss_after);
    cJSON_AddNumberToObject(memory, "slab_before", (double)r->slab_before);
    cJSON_AddNumberToObject(memory, "slab_after", (double)r->slab_after);
    if (o->load.server_pid != 0) {
        cJSON_AddNumberToObject(memory, "server_rss_before", (double)r->server_rss_before);
        cJSON_AddNumberToObject(memory, "server_rss_after", (double)r->server_rss_after);
    }
}

static void series_add(cJSON *root, const load_result *r) {
    cJSON *series = cJSON_AddArrayToObject(root, "series");
    for (size_t i = 0; i < r->series_count; i++) {
        const load_sample *sample = &r->series[i];
        cJSON *point = cJSON_CreateObject();
        cJSON_AddNumberToObject(point, "t", sample->t);
        cJSON_AddNumberToObject(point, "seconds", sample->seconds);
        cJSON_AddNumberToObject(point, "messages", (double)sample->messages);
        cJSON_AddNumberToObject(point, "p50_us", (double)sample->p50_ns / 1e3);
        cJSON_AddNumberToObject(point, "p99_us", (double)sample->p99_ns / 1e3);
        cJSON_AddNumberToObject(point, "max_us", (double)sample->max_ns / 1e3);
        cJSON_AddNumberToObject(point, "lag_p99_us", (double)sample->lag_p99_ns / 1e3);
        cJSON_AddItemToArray(series, point);
    }
}

static void errors_add(cJSON *root, const load_result *r) {
    cJSON *errors = cJSON_AddObjectToObject(root, "errors");
    for (uint32_t i = 0; i < r->errors.count; i++) {
        cJSON_AddNumberToObject(errors, r->errors.kinds[i].text, (double)r->errors.kinds[i].count);
    }
}

/* Times in microseconds, shares as they are. */
static void bounds_add(cJSON *root, const bench_options *o) {
    cJSON *bounds = cJSON_AddArrayToObject(root, "bounds");
    for (size_t i = 0; i < o->fail_count; i++) {
        const bench_bound *bound = &o->bounds[i];
        const double unit = bound->is_time ? 1e3 : 1;
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "bound", bound->text);
        cJSON_AddNumberToObject(object, "value", bound->value / unit);
        if (bound->is_missing) {
            cJSON_AddNullToObject(object, "measured");
        } else {
            cJSON_AddNumberToObject(object, "measured", bound->got / unit);
        }
        cJSON_AddBoolToObject(object, "crossed", bound->is_crossed);
        cJSON_AddItemToArray(bounds, object);
    }
}

static void search_add(cJSON *root, const bench_search *search) {
    cJSON *object = cJSON_AddObjectToObject(root, "find_max");
    cJSON_AddNumberToObject(object, "p99_bound_us", (double)search->p99_ns / 1e3);
    cJSON_AddNumberToObject(object, "rate", search->rate);
    cJSON *steps = cJSON_AddArrayToObject(object, "steps");
    for (size_t i = 0; i < search->count; i++) {
        cJSON *step = cJSON_CreateObject();
        cJSON_AddNumberToObject(step, "rate", search->steps[i].rate);
        cJSON_AddNumberToObject(step, "p50_us", (double)search->steps[i].p50_ns / 1e3);
        cJSON_AddNumberToObject(step, "p99_us", (double)search->steps[i].p99_ns / 1e3);
        cJSON_AddBoolToObject(step, "holds", search->steps[i].holds);
        cJSON_AddBoolToObject(step, "generator_lags", search->steps[i].lags);
        cJSON_AddItemToArray(steps, step);
    }
}

bool bench_json_print(FILE *to, const bench_options *o, const load_result *r) {
    cJSON *root = cJSON_CreateObject();
    cJSON_AddNumberToObject(root, "wring_bench", 1);
    cJSON_AddStringToObject(root, "version", WRING_VERSION);
    cJSON_AddStringToObject(root, "mode", bench_mode_name(o->load.mode));
    cJSON_AddStringToObject(root, "url", o->load.url_shown);
    config_add(root, o, r);
    cJSON_AddNumberToObject(root, "duration_s", r->duration_s);
    cJSON_AddNumberToObject(root, "warmup_s", r->warmup_s);
    cJSON_AddNumberToObject(root, "opening_s", r->opening_s);
    cJSON_AddBoolToObject(root, "interrupted", r->interrupted || bench_interrupted());
    carriers_add(root, o, r);
    counts_add(root, r);
    latency_add(root, "latency_us", r->latency);
    latency_add(root, "connect_us", r->connect);
    cJSON_AddNumberToObject(root, "behind_max_us", (double)r->behind_max / 1e3);
    latency_add(root, "lag_us", r->lag);
    cJSON_AddBoolToObject(root, "generator_lags", bench_generator_lags(r));
    message_cpu_add(root, "cpu", &r->cpu, r);
    if (o->load.server_pid != 0) {
        message_cpu_add(root, "server_cpu", &r->server_cpu, r);
        opening_cpu_add(root, r);
    }
    memory_add(root, o, r);
    series_add(root, r);
    errors_add(root, r);
    bounds_add(root, o);
    if (o->search != NULL) {
        search_add(root, o->search);
    }
    char *text = cJSON_Print(root);
    const bool ok = text != NULL && fprintf(to, "%s\n", text) > 0;
    cJSON_free(text);
    cJSON_Delete(root);
    return ok;
}
