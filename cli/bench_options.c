/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of `wring bench`.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/load/deflate.h"
#include "cli/bench.h"
#include "cli/units.h"

static const char examples[] =
    "\nModes (echo when none is given):\n"
    "  echo      every connection sends and awaits the same back; with -r at a constant rate\n"
    "  fanout    publishers send, subscribers count what is lost, repeated or out of order\n"
    "  connect   opens and closes connections: handshakes a second, and their latency\n"
    "  idle      opens connections and holds them: what one costs\n"
    "  find-max  the highest constant rate whose p99 stays within --p99; of fanout when that word\n"
    "            follows, else of echo\n"
    "  compare   two JSON reports: ratios, and exit code 3 when the second one is worse\n"
    "\nExamples:\n"
    "  wring bench ws://127.0.0.1:8080/echo\n"
    "  wring bench -c 1k -d 30s --size 125 --pipeline 32 ws://127.0.0.1:8080/echo\n"
    "  wring bench -r 50k -c 200 -d 1m --size 64-1k ws://127.0.0.1:8080/echo\n"
    "  wring bench fanout -c 1000 --publishers 4 -r 200 ws://127.0.0.1:8080/topic/load\n"
    "  wring bench connect -c 32 -k wss://127.0.0.1:8443/echo\n"
    "  wring bench --http2 --streams 100 -c 1k -k wss://127.0.0.1:8443/echo\n"
    "  wring bench -n 100k ws://127.0.0.1:8080/echo\n"
    "  wring bench --ramp 10s:1k,30s:1k,1m:20k ws://127.0.0.1:8080/echo\n"
    "  wring bench --connect-ramp 30s:10k,30s:10k -r 5k ws://127.0.0.1:8080/echo\n"
    "  wring bench -r 1k --fail 'p99>10ms' --fail 'errors>0.1%' ws://127.0.0.1:8080/echo\n"
    "  wring bench idle -c 60k -d 30s ws://127.0.0.1:8080/echo\n"
    "  wring bench find-max --p99 5ms -c 100 ws://127.0.0.1:8080/echo\n"
    "  wring bench find-max fanout -c 1k --p99 50ms ws://127.0.0.1:8080/topic/load\n"
    "  wring bench --json-file new.json --svg new.svg ws://127.0.0.1:8080/echo\n"
    "  wring bench compare old.json new.json --tolerance 5%\n"
    "\nCounts and rates take k, m and g (1,000s); rates are from 0.001 to 1g a second. Sizes\n"
    "take k and m (1,024s), durations ms, s, m, h.\n"
    "A size is 125, 64-1k (evenly), 64,512,4k (each as often), 64:90,16k:10 (by weight),\n"
    "exp:512 (exponential with that mean) or normal:1k:200 (mean and deviation).\n"
    "\nWithout -r an answer makes room for the next message (closed loop): a server that stalls "
    "is\n"
    "not sent to meanwhile, and its latencies look better than they are. With -r messages have a\n"
    "time of their own and latency counts from it, whether or not they could be sent then.\n"
    "\nExit codes: 0 done; 1 failed; 2 used wrongly; 3 compare: worse; 4 done, but connections or\n"
    "messages failed, were lost, repeated or out of order (messages that nobody here sent are "
    "told\n"
    "and are no error); 5 find-max: no rate keeps the bound;\n"
    "6 done, but a --fail holds; 130 ended by SIGINT (Ctrl-C), SIGTERM or SIGHUP, with the report\n"
    "so far; at once by a second.\n";

/* ---- popt ------------------------------------------------------------------------------------ */

/* The mode is the first argument, if it is one; of find-max the second may say what is searched. */
static void arguments_take(cli_parser *parser, bench_options *o) {
    o->first = cli_parser_argument(parser);
    if (o->first != NULL && bench_command_of(o->first, &o->command)) {
        free(o->first);
        o->first = cli_parser_argument(parser);
    }
    bench_command searched;
    if (o->command == BENCH_FIND_MAX && o->first != NULL && bench_command_of(o->first, &searched) &&
        searched <= BENCH_FANOUT) {
        free(o->first);
        o->searched = (load_mode)searched;
        o->first = cli_parser_argument(parser);
    }
    /* A word before the URL is meant as a mode: see bench_word_complain. */
    if (o->command == BENCH_COMPARE || (o->first != NULL && strstr(o->first, "://") == NULL)) {
        o->second = cli_parser_argument(parser);
    }
}

#define TEXT(name, short, field, help, what)                                                       \
    { name, short, POPT_ARG_STRING, &o->field, 0, help, what }
#define SWITCH(name, short, field, help)                                                           \
    { name, short, POPT_ARG_NONE, &o->field, 0, help, NULL }

/* An option that may be repeated. */
static bool list_take(bench_options *o, int code, char *text) {
    switch (code) {
    case 'H':
        return cli_list_add(o->headers, &o->header_count, BENCH_HEADERS_MAX, text, "headers");
    case 'F':
        return cli_list_add(o->fails, &o->fail_count, BENCH_BOUNDS_MAX, text, "bounds");
    default:
        return cli_list_add(o->subprotocols, &o->subprotocol_count, BENCH_SUBPROTOCOLS_MAX, text,
                            "subprotocols");
    }
}

static bool line_parse(int argc, const char **argv, bench_options *o) {
    char *text = NULL;
    const struct poptOption table[] = {
        TEXT("connections", 'c', connections, "connections; fanout: subscribers (64)", "N"),
        SWITCH("http2", 0, http2,
               "sessions as streams of HTTP/2 (RFC 8441), with ws:// too; -c counts sessions"),
        TEXT("streams", 0, streams, "with --http2: sessions that share a connection (1)", "N"),
        TEXT("threads", 't', threads,
             "threads, a ring each (0, automatic: half of the CPUs, or as connections need)", "N"),
        TEXT("duration", 'd', duration, "measured time (10s; of each step of find-max 2s)", "TIME"),
        TEXT("warmup", 0, warmup, "runs so long before (1s)", "TIME"),
        TEXT("messages", 'n', messages,
             "end when so many are answered; connect: handshakes (by -d)", "N"),
        TEXT("rate", 'r', rate, "messages a second in all, constant (closed loop)", "RATE"),
        TEXT("ramp", 0, ramp, "the rate in stages: in TIME in a line to RATE", "TIME:RATE,..."),
        TEXT("connect-ramp", 0, connect_ramp, "connections in stages, instead of -c", "TIME:N,..."),
        TEXT("connect-rate", 0, connect_rate, "connections opened a second (no limit)", "RATE"),
        TEXT("size", 's', size, "bytes of a message (64)", "SIZE"),
        TEXT("message", 'm', message, "this one instead", "TEXT"),
        TEXT("message-file", 0, message_file, "the content of a file instead (up to 64 MiB)",
             "FILE"),
        SWITCH("text", 0, text, "text messages (that is so)"),
        SWITCH("binary", 'b', binary, "binary messages"),
        TEXT("pipeline", 'p', pipeline,
             "messages under way on a connection (0, automatic: 1; with -r 1024)", "N"),
        SWITCH("any-answer", 0, any_answer, "each message has one answer, of any content"),
        SWITCH("verify", 0, verify, "compare every byte of an echo"),
        SWITCH("deflate", 0, deflate, "compressed messages: permessage-deflate, no takeover"),
        TEXT("publishers", 'P', publishers, "fanout: connections that publish (1)", "N"),
        TEXT("burst", 0, burst, "fanout: messages published at a time (1)", "N"),
        TEXT("topics", 0, topics, "fanout: how many; {topic} in the URL is its number (1)", "N"),
        TEXT("p99", 0, p99, "find-max: bound of the latency (5ms)", "TIME"),
        TEXT("tolerance", 0, tolerance, "compare: what is no regression yet (5%)", "SHARE"),
        {"fail", 0, POPT_ARG_STRING, &text, 'F',
         "exit code 6 where this holds, such as 'p99>10ms'; may be repeated", "BOUND"},
        {"header", 'H', POPT_ARG_STRING, &text, 'H', "one more for the request; may be repeated",
         "'NAME: VALUE'"},
        {"subprotocol", 0, POPT_ARG_STRING, &text, 's', "offered; may be repeated", "NAME"},
        TEXT("origin", 0, origin, "the Origin header", "ORIGIN"),
        SWITCH("insecure", 'k', insecure, "accept any certificate"),
        TEXT("ca", 0, ca, "PEM: authorities to trust (the system's)", "FILE"),
        TEXT("cert", 0, cert, "PEM: our own certificate", "FILE"),
        TEXT("key", 0, key, "PEM: its private key", "FILE"),
        TEXT("source-ip", 0, source_ip, "addresses to connect from: A,B or A-B", "LIST"),
        TEXT("connect-timeout", 0, connect_timeout, "from the dial to the upgrade (15s)", "TIME"),
        TEXT("backend", 0, backend, CLI_BACKEND_HELP, "NAME"),
        TEXT("server-pid", 0, server_pid, "also report this process's CPU time and memory", "PID"),
        TEXT("interval", 0, interval, "of progress lines and the series (1s)", "TIME"),
        SWITCH("json", 'j', json, "the report as JSON on standard output"),
        TEXT("json-file", 'o', json_file, "the report as JSON also into this file", "FILE"),
        TEXT("summary", 0, summary_file, "a short report in Markdown, appended; - prints it",
             "FILE"),
        TEXT("hdr", 0, hdr_file, "the latencies for HdrHistogram's plotter", "FILE"),
        TEXT("svg", 0, svg_file, "a picture of latencies and rate", "FILE"),
        SWITCH("quiet", 'q', quiet, "no progress"),
        SWITCH("verbose", 'v', verbose, "show the answer of a server that refuses the upgrade"),
        {"help", 'h', POPT_ARG_NONE, NULL, 'h', "this text", NULL},
        POPT_TABLEEND,
    };
    cli_parser parser;
    cli_parser_init(&parser, argc, argv, table, "wring bench", "[options] [MODE] URL", examples);
    int code;
    bool ok = true;
    while (ok && (code = cli_parser_next(&parser)) > 0) {
        ok = list_take(o, code, text);
        text = NULL;
    }
    arguments_take(&parser, o);
    return cli_parser_end(&parser) && ok;
}

/* ---- from texts to numbers ------------------------------------------------------------------- */

static bool wrong(const char *option, const char *text, const char *like) {
    cli_complain("%s '%s' is not like %s", option, text, like);
    return false;
}

static bool take_count(const char *option, const char *text, uint32_t min, uint32_t max,
                       uint32_t *out) {
    double value;
    if (text == NULL) {
        return true;
    }
    if (!units_parse_count(text, &value) || value < min || value > max || value != floor(value)) {
        cli_complain("%s '%s' is not a number from %u to %u", option, text, min, max);
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

static bool take_rate(const char *option, const char *text, double *out) {
    if (text == NULL) {
        return true;
    }
    if (!units_parse_count(text, out) || !(*out > 0)) {
        return wrong(option, text, "500, 20k or 1.5m");
    }
    return bench_rate_check(option, text, *out);
}

static bool take_duration(const char *option, const char *text, wring_duration_ns min,
                          wring_duration_ns *out) {
    if (text == NULL) {
        return true;
    }
    return (units_parse_duration(text, UNITS_NS_PER_SEC, out) && *out >= min) ||
           wrong(option, text, "500ms, 10s or 2m");
}

static bool take_numbers(bench_options *o) {
    load_config *load = &o->load;
    load->pipeline = 0; /* by the mode: see adopt */
    return take_count("--threads", o->threads, 0, LOAD_THREADS_MAX, &load->threads) &&
           take_count("--pipeline", o->pipeline, 0, 65536, &load->pipeline) &&
           take_count("--burst", o->burst, 1, 65536, &load->burst) &&
           take_count("--server-pid", o->server_pid, 1, INT32_MAX, &load->server_pid) &&
           take_count("-c", o->connections, 1, 1u << 24, &load->connections) &&
           take_count("--streams", o->streams, 1, 1u << 24, &load->streams) &&
           take_count("--publishers", o->publishers, 1, LOAD_PUBLISHERS_MAX, &load->publishers) &&
           take_count("--topics", o->topics, 1, 1u << 20, &load->topics) &&
           take_rate("-r", o->rate, &load->rate) &&
           take_rate("--connect-rate", o->connect_rate, &load->connect_rate) &&
           take_duration("-d", o->duration, WRING_NS_PER_MS, &load->duration) &&
           take_duration("--warmup", o->warmup, 0, &load->warmup) &&
           cli_backend_parse(o->backend, &load->backend) &&
           take_duration("--interval", o->interval, 10 * WRING_NS_PER_MS, &load->interval) &&
           take_duration("--connect-timeout", o->connect_timeout, 1, &load->connect_timeout) &&
           take_duration("--p99", o->p99, 1, &o->p99_ns) &&
           (o->tolerance == NULL || units_parse_share(o->tolerance, &o->tolerance_share) ||
            wrong("--tolerance", o->tolerance, "5% or 0.05"));
}

static bool take_network(bench_options *o) {
    load_config *load = &o->load;
    if ((o->cert == NULL) != (o->key == NULL)) {
        cli_complain("--cert and --key go together");
        return false;
    }
    o->tls = (wring_tls_client_config){.struct_size = sizeof o->tls,
                                       .no_verify = o->insecure != 0,
                                       .ca_file = o->ca,
                                       .cert_file = o->cert,
                                       .key_file = o->key};
    load->tls = &o->tls;
    load->upgrade.struct_size = sizeof load->upgrade;
    load->sources = o->sources;
    return o->source_ip == NULL ||
           load_parse_sources(o->source_ip, o->sources, &load->source_count) ||
           wrong("--source-ip", o->source_ip, "127.0.0.2,127.0.0.3 or 127.0.0.2-127.0.0.9");
}

/* ---- what goes together ---------------------------------------------------------------------- */

static bool fanout_check(const load_config *load) {
    if (load->sizes.min < 26) {
        cli_complain("fanout needs messages of at least 26 bytes, for their number and time");
        return false;
    }
    if (load->publishers < load->topics) {
        cli_complain("%u topics need as many --publishers, and there are %u", load->topics,
                     load->publishers);
        return false;
    }
    return true;
}

static bool deflate_check(bench_options *o) {
    load_config *load = &o->load;
    if (o->deflate == 0) {
        return true;
    }
    if (!load->sizes.fixed && !load->has_message) {
        cli_complain("--deflate needs messages of one --size, or a --message");
        return false;
    }
    load->deflate = true;
    load->upgrade.extensions = LOAD_DEFLATE_OFFER;
    return true;
}

static bool adopt(bench_options *o) {
    load_config *load = &o->load;
    load->url = o->first;
    load->url_shown = o->url_shown = bench_url_shown(o->first);
    load->keep_refusal = o->verbose != 0;
    load->mode = o->command < BENCH_FIND_MAX ? (load_mode)o->command : o->searched;
    load->http2 = o->http2 != 0;
    if (o->streams != NULL && !load->http2) {
        cli_complain("--streams is about HTTP/2: give --http2 as well");
        return false;
    }
    if (!bench_plan_adopt(o)) {
        return false;
    }
    if (o->summary_file != NULL && o->json != 0 && strcmp(o->summary_file, "-") == 0) {
        cli_complain("--summary - and --json would mix on standard output: give a file to one");
        return false;
    }
    const bool schedule = load->rate > 0 || o->command == BENCH_FIND_MAX;
    if (o->command == BENCH_FIND_MAX) { /* of each step */
        load->duration = o->duration == NULL ? 2 * WRING_NS_PER_SEC : load->duration;
        load->warmup = o->warmup == NULL ? WRING_NS_PER_SEC / 2 : load->warmup;
    }
    if (load->mode == LOAD_CONNECT || load->mode == LOAD_IDLE) {
        load->warmup = o->warmup == NULL ? 0 : load->warmup;
    }
    load->burst = load->burst == 0 ? 1 : load->burst;
    load->pipeline = load->pipeline != 0                   ? load->pipeline
                     : schedule && load->mode == LOAD_ECHO ? 1024
                                                           : load->burst;
    load->pipeline = load->pipeline < load->burst ? load->burst : load->pipeline;
    return load->mode != LOAD_FANOUT || fanout_check(load);
}

bool bench_options_parse(int argc, const char **argv, bench_options *o) {
    memset(o, 0, sizeof *o);
    load_config_init(&o->load);
    o->p99_ns = 5 * WRING_NS_PER_MS;
    o->tolerance_share = 0.05;
    if (!line_parse(argc, argv, o)) {
        return false;
    }
    if (o->first != NULL && o->command != BENCH_COMPARE && strstr(o->first, "://") == NULL) {
        bench_word_complain(o);
        return false;
    }
    if (o->first == NULL || (o->command == BENCH_COMPARE && o->second == NULL)) {
        cli_complain(o->command == BENCH_COMPARE ? "compare needs two files of --json"
                                                 : "no URL; try 'wring bench --help'");
        return false;
    }
    return bench_modes_check(o) && take_numbers(o) && bench_message_take(o) &&
           bench_headers_take(o) && take_network(o) && deflate_check(o) && bench_bounds_parse(o) &&
           adopt(o);
}

void bench_options_free(bench_options *o) {
    char *texts[] = {o->connections,  o->duration,   o->rate,          o->connect_rate,
                     o->size,         o->message,    o->warmup,        o->message_file,
                     o->source_ip,    o->publishers, o->topics,        o->connect_timeout,
                     o->p99,          o->tolerance,  o->interval,      o->ca,
                     o->cert,         o->key,        o->origin,        o->json_file,
                     o->hdr_file,     o->svg_file,   o->first,         o->second,
                     o->url_shown,    o->messages,   o->ramp,          o->connect_ramp,
                     o->summary_file, o->threads,    o->backend,       o->pipeline,
                     o->burst,        o->server_pid, o->message_bytes, o->streams};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        free(texts[i]);
    }
    for (size_t i = 0; i < o->header_count; i++) {
        free(o->headers[i]);
    }
    for (size_t i = 0; i < o->fail_count; i++) {
        free(o->fails[i]);
    }
    for (size_t i = 0; i < o->subprotocol_count; i++) {
        free(o->subprotocols[i]);
    }
}
