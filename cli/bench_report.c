/* SPDX-License-Identifier: Apache-2.0
 *
 * The report of `wring bench` that people read and paste.
 */
#include <stdio.h>

#include "cli/bench.h"
#include "wring/wring.h"

const char *bench_duration_text(double ns, char text[16]) {
    static const char *const units[] = {"ns", "us", "ms", "s"};
    unsigned unit = 0;
    while (unit < 3 && ns >= 999.5) {
        ns /= 1000;
        unit++;
    }
    const int decimals = unit == 0 || ns >= 99.95 ? 0 : ns >= 9.995 ? 1 : 2;
    (void)snprintf(text, 16, "%.*f %s", decimals, ns, units[unit]);
    return text;
}

const char *bench_count_text(double value, char text[32]) {
    char digits[32];
    const int len = snprintf(digits, sizeof digits, "%.0f", value);
    size_t at = 0;
    for (int i = 0; i < len && at + 1 < 32; i++) {
        if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-') {
            text[at++] = ',';
        }
        text[at++] = digits[i];
    }
    text[at < 32 ? at : 31] = 0;
    return text;
}

const char *bench_rate_text(double value, char text[32]) {
    if (value <= 0 || value >= 9.995) {
        return bench_count_text(value, text);
    }
    (void)snprintf(text, 32, "%.3g", value);
    return text;
}

const char *bench_counted_text(uint64_t count, const char *noun, char text[64]) {
    char digits[32];
    (void)snprintf(text, 64, "%s %s%s", bench_count_text((double)count, digits), noun,
                   count == 1 ? "" : "s");
    return text;
}

const char *bench_bytes_text(double bytes, char text[16]) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0;
    while (unit < 4 && bytes >= 1023.5) {
        bytes /= 1024;
        unit++;
    }
    (void)snprintf(text, 16, unit == 0 || bytes >= 99.95 ? "%.0f %s" : "%.1f %s", bytes,
                   units[unit]);
    return text;
}

const char *bench_session_noun(const load_config *load) {
    return load->http2 ? "session" : "connection";
}

double bench_rate(const load_result *r) {
    const double seconds = r->duration_s > 0 ? r->duration_s : 1;
    return (double)(r->measured.received - r->measured.wrong) / seconds;
}

double bench_us_per_message(const load_cpu *cpu, const load_result *r) {
    return r->measured.received == 0
               ? 0
               : (cpu->user_s + cpu->system_s) * 1e6 / (double)r->measured.received;
}

#define LAG_SHARE_MAX 0.1 /* of the latency, at p99 */

bool bench_generator_lags(const load_result *r) {
    return r->lag->count > 0 && r->latency->count > 0 &&
           (double)load_histogram_percentile(r->lag, 99) >
               LAG_SHARE_MAX * (double)load_histogram_percentile(r->latency, 99);
}

#define MEMORY_COUNT_MIN 200

static const double points[] = {50, 75, 90, 95, 99, 99.9, 99.99, 99.999};

static void percentiles_print(FILE *to, const char *what, const load_histogram *h) {
    char text[16];
    char count[32];
    if (h->count == 0) {
        return;
    }
    fprintf(to, "\n  %s, %s measured\n", what, bench_count_text((double)h->count, count));
    fprintf(to, "    min      %10s\n", bench_duration_text((double)h->min, text));
    fprintf(to, "    mean     %10s\n", bench_duration_text(load_histogram_mean(h), text));
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        fprintf(to, "    p%-7g %10s\n", points[i],
                bench_duration_text((double)load_histogram_percentile(h, points[i]), text));
    }
    fprintf(to, "    max      %10s\n", bench_duration_text((double)h->max, text));
}

/* ---- what was run ---------------------------------------------------------------------------- */

static void sizes_print(FILE *to, const load_config *load) {
    char min[16];
    char max[16];
    const char *kind = load->binary ? "binary" : "text";
    if (load->has_message || load->sizes.fixed) {
        const double size = load->has_message ? (double)load->message.len : load->sizes.max;
        fprintf(to, ", %s of %s%s", kind, bench_bytes_text(size, min),
                load->deflate ? " compressed" : "");
    } else {
        fprintf(to, ", %s of %s to %s, %.0f B in the mean", kind,
                bench_bytes_text(load->sizes.min, min), bench_bytes_text(load->sizes.max, max),
                load->sizes.mean);
    }
}

/* With -n: what was reached of it. */
static void limit_print(FILE *to, const load_config *load, const load_result *r) {
    static const char *const units[] = {"message", "message", "handshake", "message"};
    const uint64_t done = load->mode == LOAD_FANOUT ? r->measured.sent : r->measured.received;
    char wanted[64];
    char reached[32];
    (void)bench_counted_text(load->messages, units[load->mode], wanted);
    if (done >= load->messages) {
        fprintf(to, " for %s", wanted);
    } else {
        fprintf(to, ", %s of %s %s", bench_count_text((double)done, reached), wanted,
                load->mode == LOAD_ECHO     ? "answered"
                : load->mode == LOAD_FANOUT ? "published"
                                            : "done");
    }
}

static void setting_print(FILE *to, const bench_options *o, const load_result *r) {
    const load_config *load = &o->load;
    char text[64];
    fprintf(to, "wring bench %s: %s %s\n", WRING_VERSION, bench_mode_name(load->mode),
            load->url_shown);
    fputs(bench_counted_text(r->connections.wanted, bench_session_noun(load), text), to);
    if (load->mode == LOAD_FANOUT) {
        fprintf(to, " (%s publish, ", bench_count_text(load->publishers, text));
        fprintf(to, "%s subscribe, ", bench_count_text(load->connections, text));
        fprintf(to, "%s)", bench_counted_text(load->topics, "topic", text));
    }
    if (load->http2) {
        fprintf(to, " of HTTP/2, %s a connection",
                bench_counted_text(load->streams, "stream", text));
    }
    fprintf(to, " on %s, %s", bench_counted_text(r->threads, "thread", text),
            wring_backend_name(r->backend));
    if (load->mode == LOAD_ECHO || load->mode == LOAD_FANOUT) {
        sizes_print(to, load);
        if (load->ramp.count > 0) {
            fprintf(to, ", a ramp of up to %s/s", bench_rate_text(load->rate, text));
        } else if (load->rate > 0) {
            fprintf(to, ", %s/s", bench_rate_text(load->rate, text));
        } else {
            fprintf(to, ", closed loop with %u under way", load->pipeline);
        }
        if (load->burst > 1) {
            fprintf(to, ", in bursts of %u", load->burst);
        }
    }
    fprintf(to, "\n%.3g s", r->duration_s);
    if (load->messages > 0) {
        limit_print(to, load, r);
    }
    if (r->warmup_s > 0) {
        fprintf(to, " after %.3g s of warm-up", r->warmup_s);
    }
    fputs(r->interrupted ? ", ended early\n\n" : "\n\n", to);
}

/* ---- what came of it ------------------------------------------------------------------------- */

static void connections_print(FILE *to, const load_config *load, const load_result *r) {
    const bool repeats = load->mode == LOAD_CONNECT;
    char opened[64];
    char wanted[32];
    char text[16];
    fprintf(to, "  %-11s  %s", load->http2 ? "sessions" : "connections",
            bench_count_text((double)r->connections.opened, opened));
    if (!repeats) {
        fprintf(to, " of %s opened in %s", bench_count_text((double)r->connections.wanted, wanted),
                bench_duration_text(r->opening_s * 1e9, text));
    } else {
        fputs(" opened", to);
    }
    if (r->connections.failed > 0) {
        fprintf(to, ", %s failed", bench_count_text((double)r->connections.failed, opened));
    }
    if (r->connections.lost > 0) {
        fprintf(to, ", %s lost on the way", bench_count_text((double)r->connections.lost, opened));
    }
    if (r->connections.unanswered > 0) {
        fprintf(to, ", %s still unanswered at the end",
                bench_count_text((double)r->connections.unanswered, opened));
    }
    fputc('\n', to);
    if (load->http2) {
        fprintf(to, "               carried by %s of HTTP/2\n",
                bench_counted_text(r->carriers, "connection", opened));
    }
    if (r->connections.unclosed > 0) {
        fprintf(to, "               %s of our closes never answered\n",
                bench_count_text((double)r->connections.unclosed, opened));
    }
    if (r->backoffs > 0) {
        fprintf(to,
                "               dialling paused %s times, %s in all, because every dial "
                "failed\n",
                bench_count_text((double)r->backoffs, opened),
                bench_duration_text(r->backoff_s * 1e9, text));
    }
    if (!repeats && r->connect->count > 0) {
        fprintf(to, "  handshake    p50 %s, ",
                bench_duration_text((double)load_histogram_percentile(r->connect, 50), text));
        fprintf(to, "p99 %s from the dial to the upgrade\n",
                bench_duration_text((double)load_histogram_percentile(r->connect, 99), text));
    }
}

static void rate_print(FILE *to, const bench_options *o, const load_result *r) {
    const double seconds = r->duration_s > 0 ? r->duration_s : 1;
    char count[32];
    char text[16];
    static const char *const what[] = {"answers", "deliveries", "handshakes", "messages"};
    fprintf(to, "  rate         %s %s/s", bench_rate_text(bench_rate(r), count),
            what[o->load.mode]);
    if (r->measured.received_bytes > 0) {
        fprintf(to, ", %s/s of payload",
                bench_bytes_text((double)r->measured.received_bytes / seconds, text));
    }
    fputc('\n', to);
}

static void schedule_print(FILE *to, const load_result *r, const char *noun) {
    static const double shown[] = {50, 99, 99.9};
    char text[16];
    char count[64];
    fprintf(to, "  schedule     %s due %s not sent; at most %s late",
            bench_counted_text(r->unsent, "message", count), r->unsent == 1 ? "was" : "were",
            bench_duration_text((double)r->behind_max, text));
    if (r->held > 0) {
        fprintf(to, "; %s waited because all %ss were full",
                bench_count_text((double)r->held, count), noun);
    }
    fputs("\n  lag          ", to);
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        fprintf(to, "p%g %s, ", shown[i],
                bench_duration_text((double)load_histogram_percentile(r->lag, shown[i]), text));
    }
    fprintf(to, "max %s: the generator itself, from due to sent\n",
            bench_duration_text((double)r->lag->max, text));
}

static void dials_print(FILE *to, const load_result *r, const char *noun) {
    char count[32];
    char text[16];
    fprintf(to, "  schedule     %s %ss due were not dialled; at most %s late\n",
            bench_count_text((double)r->unsent, count), noun,
            bench_duration_text((double)r->behind_max, text));
}

/* No error: others may publish to the same topic, and a server may greet. */
static void foreign_print(FILE *to, const load_result *r) {
    if (r->foreign > 0) {
        char count[32];
        fprintf(to, "               %s messages more came that nobody here sent\n",
                bench_count_text((double)r->foreign, count));
    }
}

static void faults_print(FILE *to, const load_result *r) {
    char count[32];
    fprintf(to, "%s lost, ", bench_count_text((double)r->lost, count));
    fprintf(to, "%s repeated, ", bench_count_text((double)r->duplicated, count));
    fprintf(to, "%s out of order\n", bench_count_text((double)r->reordered, count));
}

static void messages_print(FILE *to, const load_config *load, const load_result *r) {
    char sent[32];
    char received[32];
    fprintf(to, "  messages     %s sent, %s %s", bench_count_text((double)r->measured.sent, sent),
            bench_count_text((double)r->measured.received, received),
            load->mode == LOAD_FANOUT ? "delivered" : "answered");
    if (r->measured.wrong > 0) {
        fprintf(to, " (%s wrongly)", bench_count_text((double)r->measured.wrong, sent));
    }
    fprintf(to, " in the measured time\n  whole run    %s sent: ",
            bench_count_text((double)r->totals.sent, sent));
    faults_print(to, r);
    if (load->deflate && r->totals.sent > 0 && r->totals.received > 0) {
        fprintf(to, "  on the wire  %.0f B a message sent, %.0f B received, headers included\n",
                (double)r->wire_sent / (double)r->totals.sent,
                (double)r->wire_received / (double)r->totals.received);
    }
    foreign_print(to, r);
    if (load->rate > 0) {
        schedule_print(to, r, bench_session_noun(load));
    }
}

static void cpu_print(FILE *to, const char *who, const load_cpu *cpu, const load_config *load,
                      const load_result *r) {
    const double seconds = r->duration_s > 0 ? r->duration_s : 1;
    fprintf(to, "%s %.3g us a %s (user %.3g %%, system %.3g %% of a CPU)", who,
            bench_us_per_message(cpu, r), load->mode == LOAD_CONNECT ? "handshake" : "message",
            cpu->user_s / seconds * 100, cpu->system_s / seconds * 100);
}

static void cpus_print(FILE *to, const bench_options *o, const load_result *r) {
    fputs("  CPU          ", to);
    cpu_print(to, "generator", &r->cpu, &o->load, r);
    if (o->load.server_pid != 0) {
        fputs("\n               ", to);
        cpu_print(to, "server", &r->server_cpu, &o->load, r);
    }
    fputc('\n', to);
}

static void each_print(FILE *to, const char *who, uint64_t before, uint64_t after, uint64_t count) {
    char text[16];
    const double each = after > before ? (double)(after - before) / (double)count : 0;
    fprintf(to, "%s %s", who, bench_bytes_text(each, text));
}

static void memory_print(FILE *to, const bench_options *o, const load_result *r) {
    const uint64_t count = r->connections.opened;
    if (count < MEMORY_COUNT_MIN) {
        return; /* what the program itself grew by would be most of it */
    }
    fprintf(to, "  memory       for each %s: ", bench_session_noun(&o->load));
    each_print(to, "generator", r->own_rss_before, r->own_rss_after, count);
    if (o->load.server_pid != 0) {
        each_print(to, ", server", r->server_rss_before, r->server_rss_after, count);
    }
    each_print(to, ", kernel (all of this machine)", r->slab_before, r->slab_after, count);
    fputc('\n', to);
}

static void errors_print(FILE *to, const load_result *r) {
    const load_errors *errors = &r->errors;
    char count[32];
    if (errors->count == 0 && r->lost + r->duplicated + r->reordered > 0) {
        fputs("  errors       messages: ", to);
        faults_print(to, r);
    } else if (errors->count == 0) {
        fputs("  errors       none\n", to);
    }
    for (uint32_t i = 0; i < errors->count; i++) {
        fprintf(to, "  %-11s  %s x %s\n", i == 0 ? "errors" : "",
                bench_count_text((double)errors->kinds[i].count, count), errors->kinds[i].text);
    }
}

static void bounds_print(FILE *to, const bench_options *o) {
    for (size_t i = 0; i < o->fail_count; i++) {
        char got[32];
        fprintf(to, "  %-11s  %s: %s, %s\n", i == 0 ? "bounds" : "", o->bounds[i].text,
                bench_bound_got(&o->bounds[i], got), o->bounds[i].is_crossed ? "CROSSED" : "kept");
    }
}

static void unsent_print(FILE *to, const load_result *r, const char *noun) {
    char lost[32];
    char opened[64];
    (void)bench_count_text((double)r->connections.lost, lost);
    (void)bench_counted_text(r->connections.opened, noun, opened);
    if (r->connections.lost == r->connections.opened) {
        fprintf(to, "The rate was not kept: all %ss were lost.\n", noun);
    } else if (r->connections.lost > 0) {
        fprintf(to,
                "The rate was not kept: %s of %s were lost, or the server (or this machine)\n"
                "is slower than the rate asked for.\n",
                lost, opened);
    } else {
        fputs("The rate was not kept: the server (or this machine) is slower than the rate asked "
              "for.\n",
              to);
    }
}

/* What the figures do not say by themselves. */
static void notes_print(FILE *to, const load_config *load, const load_result *r) {
    if (load->mode == LOAD_ECHO && load->rate <= 0) {
        fputs(
            "\nClosed loop: while the server stalls nothing is sent to it, so a stall counts once "
            "for each\nconnection and hardly shows in the percentiles (coordinated omission). Use "
            "-r RATE for\nlatencies as users with a schedule of their own see them.\n",
            to);
    }
    if (load->rate > 0) {
        fputs("\nConstant rate: latency counts from the time a message was due, whether or not it "
              "could be\nsent then, so a stall counts for every message it kept waiting.\n",
              to);
    }
    if (bench_generator_lags(r)) {
        char lag[16];
        char latency[16];
        fprintf(to,
                "\nThe generator, not the server, is what was measured: its own lag has a p99 of "
                "%s, and the\nlatency counts that in with its p99 of %s. Give it more threads "
                "(-t), CPUs of its own,\nor a lower rate.\n",
                bench_duration_text((double)load_histogram_percentile(r->lag, 99), lag),
                bench_duration_text((double)load_histogram_percentile(r->latency, 99), latency));
    }
    if (r->unsent > 0) {
        unsent_print(to, r, bench_session_noun(load));
    }
}

void bench_report_print(FILE *to, const bench_options *o, const load_result *r) {
    static const char *const latencies[] = {"latency of an answer", "latency of a delivery",
                                            "latency of a handshake, from the dial", "latency"};
    const load_config *load = &o->load;
    const bool paced_dials = load->mode == LOAD_CONNECT && load->connect_rate > 0;
    setting_print(to, o, r);
    connections_print(to, load, r);
    if (load->mode != LOAD_IDLE) {
        rate_print(to, o, r);
    }
    if (load->mode == LOAD_ECHO || load->mode == LOAD_FANOUT) {
        messages_print(to, load, r);
    } else {
        foreign_print(to, r);
    }
    if (paced_dials) {
        dials_print(to, r, bench_session_noun(load));
    }
    if (load->mode == LOAD_IDLE) {
        memory_print(to, o, r);
    } else {
        cpus_print(to, o, r);
    }
    errors_print(to, r);
    bounds_print(to, o);
    percentiles_print(
        to, paced_dials ? "latency of a handshake, from when it was due" : latencies[load->mode],
        r->latency);
    notes_print(to, load, r);
}
