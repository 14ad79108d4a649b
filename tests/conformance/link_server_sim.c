/* SPDX-License-Identifier: Apache-2.0
 *
 * The server over the simulated backend, with the faults of its seed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/deflate.h"
#include "tests/conformance/link.h"
#include "tests/sim/sim_test.h"

struct server_sim {
    sim_run run;
    wring__socket socket;
    unsigned idle_rounds;
};

static wring_verdict echo_in(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_TEXT || message->opcode == WRING_BINARY) {
        const wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
        EXPECT(wring_session_send(session, &frame) == WRING_OK);
    }
    return WRING_CONTINUE;
}

static const wring_handler echo = {
    .struct_size = sizeof echo, .name = "echo", .handle_in = echo_in};

/* A round of the world. False after a long row of rounds in which nothing happened: one alone means
 * little, a fault may have struck in the last operation due. */
static bool advance(struct server_sim *l) {
    const uint64_t before = wring__sim_activity(l->run.world);
    sim_run_workers(&l->run);
    const bool active =
        before != wring__sim_activity(l->run.world) || wring__sim_advance(l->run.world);
    l->idle_rounds = active ? 0 : l->idle_rounds + 1;
    return l->idle_rounds < 1000;
}

static struct moved server_sim_move(void *link, const uint8_t *bytes, size_t len, uint8_t *out,
                                    size_t cap) {
    struct server_sim *l = link;
    struct moved moved = {0};
    const wring_time_ns limit = wring__sim_now(l->run.world) + 5 * UINT64_C(1000000000);
    while (moved.sent == 0 && moved.received == 0 && !moved.end && !moved.reset) {
        moved.sent = wring__sim_peer_send(l->run.world, l->socket, wring_bytes_of(bytes, len));
        if (len == 1) { /* single bytes are to be read as such */
            sim_run_workers(&l->run);
        }
        moved.received =
            wring__sim_peer_recv(l->run.world, l->socket, out, cap, &moved.end, &moved.reset);
        if (moved.sent == 0 && moved.received == 0 &&
            (!advance(l) || wring__sim_now(l->run.world) > limit)) {
            moved.timeout = true;
            break;
        }
    }
    return moved;
}

static bool handshake(struct server_sim *l) {
    static const char start[] = "GET / HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    char request[1024], head[1024], offer[DEFLATE_TEXT];
    size_t sent = 0, received = 0;
    deflate_offer(link_deflate, offer);
    const size_t request_len = (size_t)snprintf(
        request, sizeof request, "%s%s%s%s\r\n", start,
        offer[0] == 0 ? "" : "Sec-WebSocket-Extensions: ", offer, offer[0] == 0 ? "" : "\r\n");
    while (received < 4 || memcmp(head + received - 4, "\r\n\r\n", 4) != 0) {
        const struct moved moved =
            server_sim_move(l, (const uint8_t *)request + sent, request_len - sent,
                            (uint8_t *)head + received, sizeof head - 1 - received);
        sent += moved.sent;
        received += moved.received;
        if (moved.end || moved.reset || moved.timeout) {
            return false;
        }
    }
    head[received] = 0;
    return memcmp(head, "HTTP/1.1 101 ", 13) == 0 &&
           (link_deflate == NULL || deflate_is_granted(link_deflate, head));
}

static void server_sim_close(void *link) {
    struct server_sim *l = link;
    wring__sim_peer_close(l->run.world, l->socket, false);
    sim_run_end(&l->run);
    free(l);
}

static void *server_sim_open(const struct link_ops *ops, uint64_t seed) {
    (void)ops;
    struct server_sim *l = calloc(1, sizeof *l);
    static const wring_deflate_config deflate = {.struct_size = sizeof deflate,
                                                 .server_context_takeover = true,
                                                 .client_context_takeover = true,
                                                 .server_max_window_bits = 15,
                                                 .client_max_window_bits = 15,
                                                 .message_bytes_min = 1,
                                                 /* no timers: when nothing is due, nothing comes */
                                                 .takeover_idle_ms = WRING_OFF};
    sim_seed = seed;
    sim_deflate = &deflate;
    sim_run_begin(&l->run, seed, &echo, NULL, 1);
    l->socket = wring__sim_dial(l->run.world, l->run.port);
    if (!handshake(l)) {
        server_sim_close(l);
        return NULL;
    }
    return l;
}

const struct link_ops link_server_sim = {
    .name = "server-sim",
    .text = "server, simulated",
    .tester_is_client = true,
    .open = server_sim_open,
    .move = server_sim_move,
    .close = server_sim_close,
};
