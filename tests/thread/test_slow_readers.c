/* SPDX-License-Identifier: Apache-2.0
 *
 * Peers that never read beside peers that do, over real sockets, under each policy. The healthy
 * ones get every message in order; what is held for the others stays within the marks; and when
 * they read at last, what they miss is exactly what was counted.
 *
 *     thread-slow_readers [--peers N] [--messages N]     N of each kind (default 40, 700)
 *     thread-slow_readers --bench [--peers N]            delay of the healthy with and without the
 *                                                        others, in one run: see script/bench
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "wring/wring.h"

#define PEERS_MAX   2000
#define NUMBERS_MAX 20000
#define SHORT       200 /* copied into each queue; the others are shared by reference */
#define LONG        2000
#define SOFT        (64 * 1024)
#define HARD        (128 * 1024)
#define WINDOW      16 /* published and not yet with every healthy peer: below the soft mark */
#define KEYS        8
#define PATIENCE_MS 120000
#define CHECK(x)                                                                                   \
    ((x) ? (void)0 : (fprintf(stderr, "FAILED %s:%d %s\n", __FILE__, __LINE__, #x), abort()))

static unsigned peers = 40;
static unsigned messages = 700;
static bool is_bench;

static wring_server *server;
static _Atomic unsigned begun;
static _Atomic unsigned ended;
static _Atomic unsigned drained;
static _Atomic unsigned arrived[NUMBERS_MAX]; /* at healthy peers, of each message */
static _Atomic bool over;

static struct client {
    int fd;
    bool in_use;
    bool ended;
    uint16_t close_code;
    uint8_t buffer[8192];
    size_t len;
    uint64_t received;
    int64_t last; /* number of the last message, -1 before the first */
    uint64_t missed;
} healthy[PEERS_MAX], silent[PEERS_MAX];

static uint64_t delays[4 * 1000 * 1000]; /* ns */
static size_t delay_count;

static uint64_t now_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void sleep_ms(unsigned ms) {
    (void)poll(NULL, 0, (int)ms);
}

/* ---- the server ------------------------------------------------------------------------------ */

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    CHECK(wring_session_subscribe(session, wring_str("news")) == WRING_OK);
    atomic_fetch_add(&begun, 1);
    return WRING_CONTINUE;
}

static wring_verdict on_drained(wring_session *session) {
    CHECK(wring_session_queued_bytes(session) <= SOFT);
    atomic_fetch_add(&drained, 1);
    return WRING_CONTINUE;
}

static void on_end(wring_session *session, const wring_end *end) {
    (void)session;
    (void)end;
    atomic_fetch_add(&ended, 1);
}

static void server_begin(wring_slow_policy policy) {
    static const wring_handler handler = {.struct_size = sizeof handler,
                                          .name = "slow",
                                          .init = on_init,
                                          .drained = on_drained,
                                          .terminate = on_end};
    const wring_policy marks = {.struct_size = sizeof marks,
                                .send_soft_bytes = SOFT,
                                .send_hard_bytes = HARD,
                                .slow_policy = policy};
    const wring_server_config config = {.struct_size = sizeof config,
                                        .workers = is_bench ? 1 : 2,
                                        .handler = &handler,
                                        .policy = &marks,
                                        .unpinned = true};
    wring_error error;
    atomic_store(&begun, 0);
    atomic_store(&ended, 0);
    atomic_store(&drained, 0);
    CHECK(wring_server_create(&config, &server, &error) == WRING_OK);
    if (wring_server_start(server, &error) != WRING_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(error.code == WRING_ERR_BACKEND ? 77 : 1);
    }
}

static void publish(unsigned number) {
    uint8_t payload[LONG] = {0};
    const uint64_t now = now_ns();
    const wring_publish_options options = {.struct_size = sizeof options, .key = number % KEYS};
    memcpy(payload, &number, sizeof number);
    memcpy(payload + 8, &now, sizeof now);
    const wring_frame frame =
        wring_frame_binary(wring_bytes_of(payload, number % 2 == 0 ? SHORT : LONG));
    CHECK(wring_server_publish_with(server, wring_str("news"), &frame, &options) == WRING_OK);
}

/* ---- clients --------------------------------------------------------------------------------- */

/* `small`: the kernel holds little for it. The server's send buffer grows with the segment size,
 * which on the loopback is 64 KiB. */
static void dial(struct client *client, bool small) {
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(wring_server_port(server)),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int window = 4096;
    const int segment = 1000;
    memset(client, 0, sizeof *client);
    client->last = -1;
    client->in_use = true;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(client->fd >= 0);
    if (small) {
        CHECK(setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof window) == 0);
        CHECK(setsockopt(client->fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment) == 0);
    }
    CHECK(connect(client->fd, (const struct sockaddr *)&address, sizeof address) == 0);
    CHECK(write(client->fd, request, sizeof request - 1) == (ssize_t)sizeof request - 1);
    uint32_t last = 0;
    while (last != 0x0D0A0D0A) { /* the 101 */
        uint8_t byte;
        CHECK(read(client->fd, &byte, 1) == 1);
        last = last << 8 | byte;
    }
    CHECK(fcntl(client->fd, F_SETFL, O_NONBLOCK) == 0);
}

static void message_take(struct client *client, const uint8_t *payload, bool is_healthy) {
    unsigned number;
    uint64_t sent;
    memcpy(&number, payload, sizeof number);
    memcpy(&sent, payload + 8, sizeof sent);
    CHECK(number < messages && (int64_t)number > client->last); /* in order, none twice */
    client->missed += (uint64_t)((int64_t)number - client->last - 1);
    client->last = number;
    client->received++;
    if (is_healthy) {
        CHECK(client->missed == 0);
        if (is_bench && delay_count < sizeof delays / sizeof delays[0]) {
            delays[delay_count++] = now_ns() - sent;
        }
        atomic_fetch_add(&arrived[number], 1);
    }
}

/* A whole frame at the front of the buffer, as its length; 0: not yet. */
static size_t frame_take(struct client *client, const uint8_t *at, size_t len, bool is_healthy) {
    if (len < 2) {
        return 0;
    }
    const size_t header = at[1] == 126 ? 4 : 2;
    if (len < header) {
        return 0;
    }
    const size_t payload = at[1] == 126 ? (size_t)at[2] << 8 | at[3] : at[1];
    if (len < header + payload) {
        return 0;
    }
    if (at[0] == 0x88) {
        client->ended = true;
        client->close_code = (uint16_t)(payload < 2 ? 0 : at[header] << 8 | at[header + 1]);
    } else {
        CHECK(at[0] == 0x82 && (payload == SHORT || payload == LONG) && !client->ended);
        message_take(client, at + header, is_healthy);
    }
    return header + payload;
}

/* Reads what is there; false when the stream is over. */
static bool client_read(struct client *client, bool is_healthy) {
    for (;;) {
        const ssize_t n =
            read(client->fd, client->buffer + client->len, sizeof client->buffer - client->len);
        if (n <= 0) {
            const bool blocked = n < 0 && (errno == EAGAIN || errno == EINTR);
            CHECK(blocked || n == 0 || errno == ECONNRESET || errno == EPIPE);
            return blocked;
        }
        client->len += (size_t)n;
        size_t at = 0;
        size_t taken;
        while ((taken = frame_take(client, client->buffer + at, client->len - at, is_healthy)) >
               0) {
            at += taken;
        }
        client->len -= at;
        memmove(client->buffer, client->buffer + at, client->len);
    }
}

static void *healthy_read(void *unused) {
    struct epoll_event events[64];
    const int set = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < peers; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &healthy[i]};
        CHECK(epoll_ctl(set, EPOLL_CTL_ADD, healthy[i].fd, &event) == 0);
    }
    while (!atomic_load(&over)) {
        const int count = epoll_wait(set, events, 64, 20);
        for (int i = 0; i < count; i++) {
            CHECK(client_read(events[i].data.ptr, true));
        }
    }
    close(set);
    return unused;
}

static void clients_dial(struct client *clients, bool small) {
    const unsigned before = atomic_load(&begun);
    for (unsigned i = 0; i < peers; i++) {
        dial(&clients[i], small);
    }
    for (unsigned ms = 0; atomic_load(&begun) < before + peers; ms++) {
        CHECK(ms < PATIENCE_MS);
        sleep_ms(1);
    }
}

static void clients_close(struct client *clients) {
    for (unsigned i = 0; i < peers; i++) {
        if (clients[i].in_use) {
            close(clients[i].fd);
            clients[i].in_use = false;
        }
    }
}

/* ---- publishing ------------------------------------------------------------------------------ */

static void wait_for(unsigned number) {
    for (unsigned waits = 0; atomic_load(&arrived[number]) < peers; waits++) {
        CHECK(waits < PATIENCE_MS * 10);
        const struct timespec a_little = {.tv_nsec = 100000};
        (void)nanosleep(&a_little, NULL);
    }
}

static void publish_all(unsigned pause_us) {
    for (unsigned i = 0; i < messages; i++) {
        atomic_store(&arrived[i], 0);
    }
    for (unsigned i = 0; i < messages; i++) {
        if (i >= WINDOW) {
            wait_for(i - WINDOW); /* so that no healthy peer is ever slow */
        }
        publish(i);
        if (pause_us > 0) {
            const struct timespec pause = {.tv_nsec = pause_us * 1000L};
            (void)nanosleep(&pause, NULL);
        }
    }
    wait_for(messages - 1);
}

static long resident_bytes(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%*s %ld", &pages) == 1);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

/* ---- the test -------------------------------------------------------------------------------- */

static void check_memory(long before) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    /* what the marks allow for each silent peer, and 16 MiB for everything else */
    const long budget = (long)peers * (HARD + LONG) + (16 << 20);
    const long grown = resident_bytes() - before;
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("  %ld KiB more are resident, %ld would be within the marks\n", grown >> 10,
           budget >> 10);
    CHECK(grown <= budget);
#else
    (void)before;
#endif
}

static uint64_t dropped(const wring_server_stats *stats) {
    return stats->dropped_newest + stats->dropped_oldest + stats->dropped_replaced;
}

/* Those who were silent read at last: until what came and what was counted as dropped is all there
 * was, or until the streams are over. */
static void silent_read(bool until_closed) {
    wring_server_stats stats = {.struct_size = sizeof stats};
    bool done = false;
    for (unsigned ms = 0; !done; ms++) {
        uint64_t received = 0;
        bool closed = true;
        CHECK(ms < PATIENCE_MS);
        for (unsigned i = 0; i < peers; i++) {
            closed = !client_read(&silent[i], false) && closed;
            received += silent[i].received;
        }
        wring_server_get_stats(server, &stats);
        done = until_closed ? closed : received + dropped(&stats) == (uint64_t)peers * messages;
        sleep_ms(1);
    }
}

static void check_dropping(wring_slow_policy policy) {
    wring_server_stats stats = {.struct_size = sizeof stats};
    uint64_t missed = 0;
    silent_read(false);
    wring_server_get_stats(server, &stats);
    for (unsigned i = 0; i < peers; i++) {
        struct client *client = &silent[i];
        CHECK(policy == WRING_SLOW_DROP_NEWEST || client->last == (int64_t)messages - 1);
        client->missed += (uint64_t)((int64_t)messages - 1 - client->last);
        CHECK(client->received + client->missed == messages && client->missed > 0);
        missed += client->missed;
    }
    CHECK(missed == dropped(&stats));
    CHECK((policy == WRING_SLOW_DROP_NEWEST) == (stats.dropped_newest == missed));
    CHECK((policy == WRING_SLOW_KEEP_LATEST) == (stats.dropped_replaced > 0));
    CHECK(stats.slow_ended == 0);
    for (unsigned ms = 0; atomic_load(&drained) < peers; ms++) {
        CHECK(ms < PATIENCE_MS);
        sleep_ms(1);
    }
    printf("  %llu missed: %llu newest, %llu oldest, %llu replaced; %u told that they drained\n",
           (unsigned long long)missed, (unsigned long long)stats.dropped_newest,
           (unsigned long long)stats.dropped_oldest, (unsigned long long)stats.dropped_replaced,
           atomic_load(&drained));
}

static void check_disconnecting(void) {
    wring_server_stats stats = {.struct_size = sizeof stats};
    for (unsigned ms = 0; atomic_load(&ended) < peers; ms++) {
        CHECK(ms < PATIENCE_MS);
        sleep_ms(1);
    }
    wring_server_get_stats(server, &stats);
    CHECK(stats.slow_ended == peers);
    CHECK(dropped(&stats) == 0);
    silent_read(true);
    unsigned told = 0;
    for (unsigned i = 0; i < peers; i++) {
        CHECK(silent[i].missed == 0); /* a prefix, then the end */
        CHECK(!silent[i].ended || silent[i].close_code == 1008);
        told += silent[i].ended;
    }
    printf("  %u ended, %u of them could read why\n", peers, told);
}

static void run_policy(wring_slow_policy policy, const char *name) {
    pthread_t reader;
    printf("%s\n", name);
    server_begin(policy);
    clients_dial(healthy, false);
    clients_dial(silent, true);
    const long before = resident_bytes();
    atomic_store(&over, false);
    CHECK(pthread_create(&reader, NULL, healthy_read, NULL) == 0);
    publish_all(0);
    check_memory(before);
    if (policy == WRING_SLOW_DISCONNECT) {
        check_disconnecting();
    } else {
        check_dropping(policy);
    }
    atomic_store(&over, true);
    pthread_join(reader, NULL);
    for (unsigned i = 0; i < peers; i++) {
        CHECK(healthy[i].received == messages);
    }
    clients_close(healthy);
    clients_close(silent);
    wring_server_stop(server, 2000);
    wring_server_destroy(server);
}

/* ---- the bench ------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double bench_round(bool with_silent, double *p50) {
    pthread_t reader;
    server_begin(WRING_SLOW_DROP_OLDEST);
    clients_dial(healthy, false);
    if (with_silent) {
        clients_dial(silent, true);
    }
    atomic_store(&over, false);
    delay_count = 0;
    CHECK(pthread_create(&reader, NULL, healthy_read, NULL) == 0);
    publish_all(20000);
    atomic_store(&over, true);
    pthread_join(reader, NULL);
    clients_close(healthy);
    clients_close(silent);
    wring_server_stop(server, 2000);
    wring_server_destroy(server);
    const size_t skip = delay_count / 2; /* the second half: the silent ones are full by then */
    qsort(delays + skip, delay_count - skip, sizeof delays[0], by_value);
    *p50 = (double)delays[skip + (delay_count - skip) / 2] / 1000;
    return (double)delays[skip + (delay_count - skip) * 99 / 100] / 1000;
}

static void bench(void) {
    printf("%u healthy peers, %u messages a round at 50 a second, one worker; delay in us\n", peers,
           messages);
    printf(
        "| round | p50 alone | p50 with %u silent | p99 alone | p99 with them | ratio of p99 |\n",
        peers);
    printf("|---|--:|--:|--:|--:|--:|\n");
    for (int round = 1; round <= 3; round++) {
        double p50[2];
        const double alone = bench_round(false, &p50[0]);
        const double with = bench_round(true, &p50[1]);
        printf("| %d | %.0f | %.0f | %.0f | %.0f | %.2f |\n", round, p50[0], p50[1], alone, with,
               with / alone);
        fflush(stdout);
    }
}

/* ---- main ------------------------------------------------------------------------------------ */

static void options_read(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const bool value = i + 1 < argc;
        if (value && strcmp(argv[i], "--peers") == 0) {
            peers = (unsigned)strtoul(argv[++i], NULL, 10);
        } else if (value && strcmp(argv[i], "--messages") == 0) {
            messages = (unsigned)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--bench") == 0) {
            is_bench = true;
        } else {
            fputs("usage: thread-slow_readers [--bench] [--peers N] [--messages N]\n", stderr);
            exit(2);
        }
    }
    CHECK(peers > 0 && peers <= PEERS_MAX && messages > WINDOW && messages <= NUMBERS_MAX);
}

int main(int argc, char **argv) {
    struct rlimit files;
    options_read(argc, argv);
    CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0);
    files.rlim_cur = files.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
    if (is_bench) {
        bench();
        return 0;
    }
    run_policy(WRING_SLOW_DROP_NEWEST, "drop_newest");
    run_policy(WRING_SLOW_DROP_OLDEST, "drop_oldest");
    run_policy(WRING_SLOW_KEEP_LATEST, "keep_latest");
    run_policy(WRING_SLOW_DISCONNECT, "disconnect");
    return 0;
}
