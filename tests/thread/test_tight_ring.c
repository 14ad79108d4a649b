/* SPDX-License-Identifier: Apache-2.0
 *
 * Rings and buffers so small that they are exhausted all the time, over real sockets: a submission
 * queue of one entry (full in the middle of every batch), a completion queue of eight (overflows
 * with every burst), one to four receive buffers for 96 connections (every multishot receive ends
 * for want of one). Nothing is lost, nobody is forgotten.
 */
#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wring/wring.h"

#define CLIENTS   96
#define MESSAGES  10
#define PUBLISHES 60
#define LARGE     (70 * 1000)
#define CHECK(x)                                                                                   \
    ((x) ? (void)0 : (fprintf(stderr, "FAILED %s:%d %s\n", __FILE__, __LINE__, #x), abort()))

static wring_server *server;
static int sockets[CLIENTS];
static _Atomic unsigned begun;
static _Atomic unsigned ended;

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    CHECK(wring_session_subscribe(session, wring_str("all")) == WRING_OK);
    atomic_fetch_add(&begun, 1);
    return WRING_CONTINUE;
}

static wring_verdict on_in(wring_session *session, const wring_message *message) {
    const wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
    if (message->opcode == WRING_BINARY) {
        CHECK(wring_session_send(session, &frame) == WRING_OK);
    }
    return WRING_CONTINUE;
}

static void on_end(wring_session *session, const wring_end *end) {
    (void)session;
    (void)end;
    atomic_fetch_add(&ended, 1);
}

/* ---- clients --------------------------------------------------------------------------------- */

static void write_all(int fd, const void *data, size_t len) {
    for (size_t done = 0; done < len;) {
        const ssize_t n = write(fd, (const char *)data + done, len - done);
        CHECK(n > 0);
        done += (size_t)n;
    }
}

static void read_all(int fd, void *out, size_t len) {
    for (size_t have = 0; have < len;) {
        const ssize_t n = read(fd, (char *)out + have, len - have);
        CHECK(n > 0);
        have += (size_t)n;
    }
}

static int dial(void) {
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(wring_server_port(server)),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    write_all(fd, request, sizeof request - 1);
    return fd;
}

static void read_head(int fd) {
    uint32_t last = 0;
    while (last != 0x0D0A0D0A) {
        uint8_t byte;
        read_all(fd, &byte, 1);
        last = last << 8 | byte;
    }
}

/* A masked binary frame of `len` bytes that begin with `number`; the key is zero. */
static size_t frame_make(uint8_t *out, unsigned number, size_t len) {
    size_t at = 0;
    out[at++] = 0x82;
    out[at++] = len < 65536 ? 0x80 | 126 : 0x80 | 127;
    for (int shift = len < 65536 ? 8 : 56; shift >= 0; shift -= 8) {
        out[at++] = (uint8_t)(len >> shift);
    }
    memset(out + at, 0, 4);
    at += 4;
    memset(out + at, (int)(number & 0x7F), len);
    memcpy(out + at, &number, sizeof number);
    return at + len;
}

static void expect(int fd, unsigned number, size_t len) {
    static uint8_t got[LARGE];
    uint8_t head[10];
    read_all(fd, head, len < 65536 ? 4 : 10);
    CHECK(head[0] == 0x82 && head[1] == (len < 65536 ? 126 : 127));
    read_all(fd, got, len);
    CHECK(memcmp(got, &number, sizeof number) == 0);
    CHECK(got[sizeof number] == (number & 0x7F) && got[len - 1] == (number & 0x7F));
}

/* All write before any reads. */
static void echo_all(unsigned messages, size_t len) {
    static uint8_t frame[LARGE + 14];
    for (unsigned m = 0; m < messages; m++) {
        for (unsigned c = 0; c < CLIENTS; c++) {
            write_all(sockets[c], frame, frame_make(frame, c * 1000 + m, len));
        }
    }
    for (unsigned c = 0; c < CLIENTS; c++) {
        for (unsigned m = 0; m < messages; m++) {
            expect(sockets[c], c * 1000 + m, len);
        }
    }
}

static void publish_all(size_t len) {
    static uint8_t payload[1024];
    for (unsigned i = 0; i < PUBLISHES; i++) {
        memset(payload, (int)(i & 0x7F), len);
        memcpy(payload, &i, sizeof i);
        const wring_frame frame = wring_frame_binary(wring_bytes_of(payload, len));
        CHECK(wring_server_publish(server, wring_str("all"), &frame) == WRING_OK);
    }
    for (unsigned c = 0; c < CLIENTS; c++) {
        for (unsigned i = 0; i < PUBLISHES; i++) {
            expect(sockets[c], i, len);
        }
    }
}

static void run(uint32_t entries, uint32_t buffers) {
    static const wring_handler handler = {.struct_size = sizeof handler,
                                          .name = "tight",
                                          .init = on_init,
                                          .handle_in = on_in,
                                          .terminate = on_end};
    const wring_server_config config = {.struct_size = sizeof config,
                                        .workers = 2,
                                        .handler = &handler,
                                        .ring_entries = entries,
                                        .receive_buffers = buffers,
                                        .receive_buffer_bytes = 256,
                                        .unpinned = true};
    wring_error error;
    CHECK(wring_server_create(&config, &server, &error) == WRING_OK);
    if (wring_server_start(server, &error) != WRING_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(error.code == WRING_ERR_BACKEND ? 77 : 1);
    }
    atomic_store(&begun, 0);
    atomic_store(&ended, 0);
    for (unsigned c = 0; c < CLIENTS; c++) {
        sockets[c] = dial();
    }
    for (unsigned c = 0; c < CLIENTS; c++) {
        read_head(sockets[c]);
    }
    while (atomic_load(&begun) < CLIENTS) {
        usleep(1000);
    }
    echo_all(MESSAGES, 300);
    echo_all(1, LARGE);
    publish_all(200);
    publish_all(1000);
    for (unsigned c = 0; c < CLIENTS; c++) {
        close(sockets[c]);
    }
    while (atomic_load(&ended) < CLIENTS) {
        usleep(1000);
    }
    wring_server_stop(server, 1000);
    wring_server_destroy(server);
}

int main(void) {
    run(1, 1);
    run(1, 4);
    run(2, 2);
    run(1024, 2);
    return 0;
}
