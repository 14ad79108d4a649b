/* SPDX-License-Identifier: Apache-2.0
 *
 * Long messages through a real server: each is answered once by reference and once by copy, byte
 * for byte, while others do the same, some of them reading slowly. Then the worker's counters say
 * that the kernel did write where the messages are assembled.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/server.h"
#include "wring/wring.h"

#define CLIENTS 4
#define ROUNDS  3
#define CHECK(x)                                                                                   \
    ((x) ? (void)0 : (fprintf(stderr, "FAILED %s:%d %s\n", __FILE__, __LINE__, #x), abort()))

static wring_server *server;
static const size_t sizes[] = {20,    4096,   16384,  20000,   40000,
                               65536, 100000, 262144, 1048576, 3000001};

static wring_verdict on_message(wring_session *session, const wring_message *message) {
    wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
    CHECK(wring_session_send(session, &frame) == WRING_OK);
    CHECK(wring_session_send(session, &frame) == WRING_OK);
    return WRING_CONTINUE;
}

static void write_all(int fd, const uint8_t *data, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        CHECK(n > 0);
        data += n;
        len -= (size_t)n;
    }
}

static void read_all(int fd, uint8_t *data, size_t len) {
    while (len > 0) {
        ssize_t n = read(fd, data, len);
        CHECK(n > 0);
        data += n;
        len -= (size_t)n;
    }
}

static int dial(void) {
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(wring_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    write_all(fd, (const uint8_t *)request, sizeof request - 1);
    uint8_t tail[4] = {0};
    while (memcmp(tail, "\r\n\r\n", 4) != 0) {
        memmove(tail, tail + 1, 3);
        read_all(fd, tail + 3, 1);
    }
    return fd;
}

static size_t header_write(uint8_t *out, size_t len, bool masked) {
    size_t n = 2;
    out[0] = 0x82;
    if (len < 126) {
        out[1] = (uint8_t)len;
    } else if (len < 65536) {
        out[1] = 126;
        out[2] = (uint8_t)(len >> 8);
        out[3] = (uint8_t)len;
        n = 4;
    } else {
        out[1] = 127;
        for (int i = 0; i < 8; i++) {
            out[2 + i] = (uint8_t)((uint64_t)len >> (56 - 8 * i));
        }
        n = 10;
    }
    if (masked) {
        out[1] |= 0x80;
        memcpy(out + n, "\x11\x22\x33\x44", 4);
        n += 4;
    }
    return n;
}

static uint8_t pattern(size_t i, unsigned seed) {
    return (uint8_t)((i * 2654435761u >> 13) + seed);
}

struct round {
    int fd;
    size_t len;
    unsigned seed;
};

static void *send_round(void *arg) {
    const struct round *round = arg;
    uint8_t *frame = malloc(round->len + 14);
    size_t n = header_write(frame, round->len, true);
    for (size_t i = 0; i < round->len; i++) {
        frame[n + i] = pattern(i, round->seed) ^ (uint8_t)(0x11 * (1 + i % 4));
    }
    write_all(round->fd, frame, n + round->len);
    free(frame);
    return NULL;
}

/* Twice: in steps, so that the server's queue is full now and then. */
static void receive_round(const struct round *round) {
    uint8_t *frame = malloc(round->len + 10);
    uint8_t header[14];
    for (int copy = 0; copy < 2; copy++) {
        size_t n = header_write(header, round->len, false);
        for (size_t at = 0; at < n + round->len; at += 300000) {
            size_t left = n + round->len - at;
            read_all(round->fd, frame + at, left < 300000 ? left : 300000);
            usleep(round->seed % 2 * 500);
        }
        CHECK(memcmp(frame, header, n) == 0);
        for (size_t i = 0; i < round->len; i++) {
            CHECK(frame[n + i] == pattern(i, round->seed));
        }
    }
    free(frame);
}

static void *client(void *arg) {
    const unsigned self = (unsigned)(uintptr_t)arg;
    struct round round = {.fd = dial()};
    for (unsigned i = 0; i < ROUNDS * WRING_ARRAY_LEN(sizes); i++) {
        pthread_t sender;
        round.len = sizes[(i * 7 + self) % WRING_ARRAY_LEN(sizes)];
        round.seed = i * CLIENTS + self;
        CHECK(pthread_create(&sender, NULL, send_round, &round) == 0);
        receive_round(&round);
        pthread_join(sender, NULL);
    }
    close(round.fd);
    return NULL;
}

int main(void) {
    static const wring_handler handler = {
        .struct_size = sizeof handler, .name = "twice", .handle_in = on_message};
    wring_server_config config = {
        .struct_size = sizeof config, .workers = 1, .handler = &handler, .receive_buffers = 64};
    wring_error error;
    pthread_t clients[CLIENTS];
    CHECK(wring_server_create(&config, &server, &error) == WRING_OK);
    if (wring_server_start(server, &error) != WRING_OK) {
        fprintf(stderr, "%s\n", error.text);
        return error.code == WRING_ERR_BACKEND ? 77 : 1;
    }
    for (uintptr_t i = 0; i < CLIENTS; i++) {
        CHECK(pthread_create(&clients[i], NULL, client, (void *)i) == 0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i], NULL);
    }
    const uint64_t *direct = &server->workers[0].io.counters.rx_direct;
    CHECK(__atomic_load_n(direct, __ATOMIC_RELAXED) > 0);
    wring_server_stop(server, 1000);
    wring_server_destroy(server);
    return 0;
}
