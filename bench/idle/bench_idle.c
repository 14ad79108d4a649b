/* SPDX-License-Identifier: Apache-2.0
 *
 * bench-idle: what an idle connection costs the server's process.
 *
 *     bench-idle NAME COUNT [--tls12 | --tls13 | --mutual] [--topic] [--state BYTES]
 *         [--deflate | --takeover] [--streams N]
 *
 * A server of one worker and nothing else in this process; the clients are in another. It is warmed
 * up until every receive buffer was used, then COUNT connections are opened, left alone and
 * counted, then each echoes two messages and they are counted again. Prints one line of a table.
 * With --streams these are sessions of HTTP/2, N on a connection.
 *
 *   allocated  the allocator's bytes in use: what was asked for, rounded up to its size classes
 *   resident   private pages of the process, after the allocator gave back what is free
 *   kernel     growth of /proc/meminfo's Slab and of TCP's pages, for both ends, halved; the
 *              machine's, so others may disturb it
 */
#include <getopt.h>
#include <jemalloc/jemalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/idle/clients.h"
#include "tests/certs/certs.h"
#include "wring/wring.h"

#define WARM_UP 1100 /* more than the receive buffers of a worker */
#define SETTLE  300000

/* Caches of threads would count as allocated. The name is jemalloc's. */
const char *malloc_conf = "tcache:false";

struct options {
    const char *name;
    uint32_t count;
    bool topic;
    bool mutual;
    bool deflate;
    bool takeover;
    int tls_version; /* 0: plain */
    size_t state;
    uint32_t streams; /* HTTP/2; 0: HTTP/1.1 */
};

struct reading {
    double allocated;
    double resident;
    double kernel;
};

/* ---- the server ------------------------------------------------------------------------------ */

static bool subscribes;

static wring_verdict idle_init(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    if (subscribes && wring_session_subscribe(session, wring_str("news")) != WRING_OK) {
        return WRING_STOP;
    }
    return WRING_CONTINUE;
}

static wring_verdict idle_in(wring_session *session, const wring_message *message) {
    const wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
    const bool data = message->opcode == WRING_TEXT || message->opcode == WRING_BINARY;
    return !data || wring_session_send(session, &frame) == WRING_OK ? WRING_CONTINUE : WRING_STOP;
}

static wring_handler handler = {
    .struct_size = sizeof handler, .name = "idle", .init = idle_init, .handle_in = idle_in};

static void die(const char *what) {
    fprintf(stderr, "bench-idle: %s\n", what);
    exit(1);
}

static wring_server *serve(const struct options *options) {
    const wring_tls_server_config tls = {
        .struct_size = sizeof tls,
        .cert_file = cert_path("server.pem"),
        .key_file = cert_path("server.key"),
        .client_ca_file = options->mutual ? cert_path("ca.pem") : NULL,
    };
    const wring_deflate_config deflate = {.struct_size = sizeof deflate,
                                          .server_context_takeover = options->takeover,
                                          .client_context_takeover = options->takeover,
                                          .takeover_budget_bytes = WRING_UNLIMITED};
    const wring_policy policy = {.struct_size = sizeof policy,
                                 .deflate = options->deflate ? &deflate : NULL};
    const wring_http2_config http2 = {.struct_size = sizeof http2, .cleartext = true};
    const wring_server_config config = {
        .struct_size = sizeof config,
        .workers = 1,
        .handler = &handler,
        .policy = &policy,
        .tls = options->tls_version == 0 ? NULL : &tls,
        .http2 = options->streams == 0 ? NULL : &http2,
    };
    wring_server *server = NULL;
    wring_error error;
    handler.state_size = options->state;
    subscribes = options->topic;
    if (wring_server_create(&config, &server, &error) != WRING_OK ||
        wring_server_start(server, &error) != WRING_OK) {
        die(error.text);
    }
    return server;
}

/* ---- readings -------------------------------------------------------------------------------- */

/* The value behind `key` in a file of "key: value" lines, or of "key value ..." words. */
static double number_in(const char *path, const char *key) {
    FILE *file = fopen(path, "r");
    char line[512];
    double number = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *at = strstr(line, key);
        if (at != NULL) {
            number += strtod(at + strlen(key), NULL);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return number;
}

static struct reading read_now(void) {
    struct reading reading = {0};
    uint64_t epoch = 1;
    size_t len = sizeof epoch;
    size_t allocated = 0;
    usleep(SETTLE);                                         /* the last completions of the server */
    (void)mallctl("arena.4096.purge", NULL, NULL, NULL, 0); /* MALLCTL_ARENAS_ALL */
    (void)mallctl("epoch", &epoch, &len, &epoch, sizeof epoch);
    len = sizeof allocated;
    if (mallctl("stats.allocated", &allocated, &len, NULL, 0) != 0) {
        die("this jemalloc keeps no statistics");
    }
    reading.allocated = (double)allocated;
    reading.resident = 1024 * (number_in("/proc/self/smaps_rollup", "Private_Clean:") +
                               number_in("/proc/self/smaps_rollup", "Private_Dirty:"));
    reading.kernel = 1024 * number_in("/proc/meminfo", "Slab:") +
                     (double)sysconf(_SC_PAGESIZE) * number_in("/proc/net/sockstat", " mem ");
    return reading;
}

static void print_row(const struct options *options, const struct reading *before,
                      const struct reading *idle, const struct reading *after) {
    const double count = options->count;
    printf(
        "| %s | %u | %.0f | %.0f | %.0f | %.0f | %.0f |\n", options->name, options->count,
        (idle->allocated - before->allocated) / count,
        (after->allocated - before->allocated) / count, (idle->resident - before->resident) / count,
        (after->resident - before->resident) / count, (idle->kernel - before->kernel) / count / 2);
}

/* ---- the run --------------------------------------------------------------------------------- */

static void run(const struct options *options, uint16_t port) {
    for (int i = 0; i < WARM_UP; i++) { /* three reads each: a long one comes to every buffer */
        if (!clients_open(port, 1) || !clients_talk(5000) || !clients_talk(20) ||
            !clients_close()) {
            die("the warm-up failed");
        }
    }
    const struct reading before = read_now();
    if (!clients_open(port, options->count)) {
        die("not all connections could be opened");
    }
    const struct reading idle = read_now();
    if (!clients_talk(20) || !clients_talk(5000)) {
        die("a connection was lost");
    }
    const struct reading after = read_now();
    print_row(options, &before, &idle, &after);
}

static struct options options_parse(int argc, char **argv) {
    static const struct option list[] = {{"tls12", no_argument, NULL, '2'},
                                         {"tls13", no_argument, NULL, '3'},
                                         {"mutual", no_argument, NULL, 'm'},
                                         {"topic", no_argument, NULL, 't'},
                                         {"deflate", no_argument, NULL, 'd'},
                                         {"takeover", no_argument, NULL, 'k'},
                                         {"state", required_argument, NULL, 's'},
                                         {"streams", required_argument, NULL, 'n'},
                                         {0}};
    struct options options = {0};
    int option;
    while ((option = getopt_long(argc, argv, "", list, NULL)) != -1) {
        switch (option) {
        case '2':
            options.tls_version = 12;
            break;
        case 'm':
            options.mutual = true;
            options.tls_version = 13;
            break;
        case '3':
            options.tls_version = 13;
            break;
        case 't':
            options.topic = true;
            break;
        case 'k':
            options.takeover = true;
            options.deflate = true;
            break;
        case 'd':
            options.deflate = true;
            break;
        case 's':
            options.state = strtoul(optarg, NULL, 10);
            break;
        case 'n':
            options.streams = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        default:
            exit(2);
        }
    }
    if (argc - optind != 2) {
        die("usage: bench-idle NAME COUNT [--tls12 | --tls13 | --mutual] [--topic] "
            "[--state BYTES] [--deflate | --takeover] [--streams N]");
    }
    options.name = argv[optind];
    options.count = (uint32_t)strtoul(argv[optind + 1], NULL, 10);
    return options;
}

int main(int argc, char **argv) {
    const struct options options = options_parse(argc, argv);
    certs_make_usual();
    const struct clients_config config = {
        .tls = options.tls_version != 0,
        .tls_version = options.tls_version,
        .cert = options.mutual ? cert_path("client.pem") : NULL,
        .key = cert_path("client.key"),
        .deflate = options.deflate,
        .streams = options.streams,
    };
    clients_start(&config);
    wring_server *server = serve(&options);
    run(&options, wring_server_port(server));
    clients_stop();
    wring_server_stop(server, 1000);
    wring_server_destroy(server);
    return 0;
}
