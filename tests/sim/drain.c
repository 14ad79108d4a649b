/* SPDX-License-Identifier: Apache-2.0
 *
 * Draining: every session is told 1001, spread evenly over the window; who does not answer is cut
 * off at the deadline. Who had connected before, and was not yet accepted, gets an answer.
 */
#include <stdlib.h>

#include "tests/sim/sim_test.h"

#define CLIENTS   40
#define SPREAD_MS 400
#define DRAIN_MS  1000

static sim_client clients[CLIENTS];
static wring_time_ns told_at[CLIENTS]; /* 0: not yet */
static unsigned open_count;
static unsigned ended_in_time;
static unsigned cut_off;

static void drain_terminate(wring_session *session, const wring_end *end) {
    (void)session;
    ended_in_time += end->result == WRING_OK;
    cut_off += end->result == WRING_ERR_TIMEOUT;
}

static const wring_handler handler = {
    .struct_size = sizeof handler, .name = "drain", .terminate = drain_terminate};

static void on_open(sim_client *client) {
    (void)client;
    open_count++;
}

static void on_message(sim_client *client, const wring_message *message) {
    EXPECT(message->opcode == WRING_CLOSE && message->close_code == WRING_CLOSE_GOING_AWAY);
    told_at[client - clients] = wring__sim_now(client->run->world);
}

/* ---- who connected just before ----------------------------------------------------------------
 */

#define LATE 6

static struct late {
    wring__socket socket;
    size_t sent;
    char answer[16];
    size_t got;
    bool over;
} late[LATE];

static void late_dial(sim_run *run) {
    for (unsigned i = 0; i < LATE; i++) {
        late[i] = (struct late){.socket = wring__sim_dial(run->world, run->port)};
        EXPECT(late[i].socket != WRING__SOCKET_NONE);
    }
}

/* Every second one says nothing. */
static void late_step(sim_run *run, unsigned i) {
    static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    struct late *one = &late[i];
    uint8_t piece[64];
    bool end = false;
    bool reset = false;
    if (one->over) {
        return;
    }
    if (i % 2 == 0) {
        one->sent += wring__sim_peer_send(
            run->world, one->socket,
            wring_bytes_of(request + one->sent, sizeof request - 1 - one->sent));
    }
    const size_t len =
        wring__sim_peer_recv(run->world, one->socket, piece, sizeof piece, &end, &reset);
    for (size_t k = 0; k < len && one->got < sizeof one->answer; k++) {
        one->answer[one->got++] = (char)piece[k];
    }
    if (end) {
        wring__sim_peer_close(run->world, one->socket, false);
        one->over = true;
    }
}

static void late_check(sim_run *run) {
    for (unsigned i = 0; i < LATE; i++) {
        while (!late[i].over) {
            late_step(run, i);
            (void)wring__sim_advance(run->world);
        }
        EXPECT(late[i].got >= 12 && memcmp(late[i].answer, "HTTP/1.1 ", 9) == 0);
        EXPECT(i % 2 == 0 || memcmp(late[i].answer + 9, "503", 3) == 0);
    }
}

/* One in ten never reads again. */
static bool is_stuck(unsigned i) {
    return i % 10 == 9;
}

static void round_run(sim_run *run, bool draining) {
    const uint64_t before = wring__sim_activity(run->world);
    sim_run_workers(run);
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (!draining || !is_stuck(i)) {
            sim_client_step(&clients[i]);
        }
    }
    for (unsigned i = 0; i < LATE && draining; i++) {
        late_step(run, i);
    }
    if (before == wring__sim_activity(run->world)) {
        (void)wring__sim_advance(run->world);
    }
}

static bool is_over(const sim_run *run) {
    for (uint32_t i = 0; i < run->server->config.workers; i++) {
        if (!wring__server_worker_is_done(&run->server->workers[i])) {
            return false;
        }
    }
    return true;
}

/* Told in each quarter of the window: about as many as in the others. */
static void check_spread(wring_time_ns began, bool fair) {
    unsigned quarters[4] = {0};
    unsigned told = 0;
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (told_at[i] != 0) {
            const uint64_t ms = (told_at[i] - began) / WRING_NS_PER_MS;
            const uint64_t quarter = ms * 4 / SPREAD_MS;
            quarters[quarter > 3 ? 3 : quarter]++;
            EXPECT(!fair || ms <= SPREAD_MS + 2);
            told++;
        }
    }
    EXPECT(told == CLIENTS - CLIENTS / 10);
    for (unsigned i = 0; i < 4 && fair; i++) {
        EXPECT(quarters[i] >= told / 4 - 5 && quarters[i] <= told / 4 + 5);
    }
}

void sim_drain(uint64_t seed) {
    sim_run run;
    wring_server_config config = {.workers = 1 + (uint32_t)(seed % 2),
                                  .handler = &handler,
                                  .mailbox_items = 4096,
                                  .drain_spread_ms = SPREAD_MS};
    open_count = ended_in_time = cut_off = 0;
    memset(told_at, 0, sizeof told_at);
    sim_run_begin_config(&run, seed, &config);
    for (unsigned i = 0; i < CLIENTS; i++) {
        sim_client_init(&clients[i], &run);
        clients[i].on_open = on_open;
        clients[i].on_message = on_message;
    }
    for (unsigned round = 0; open_count < CLIENTS; round++) {
        EXPECT(round < 1000000);
        round_run(&run, false);
    }
    const wring_time_ns began = wring__sim_now(run.world);
    late_dial(&run);
    wring__server_drain(run.server, DRAIN_MS);
    for (unsigned round = 0; !is_over(&run); round++) {
        EXPECT(round < 1000000);
        round_run(&run, true);
    }
    const uint64_t took_ms = (wring__sim_now(run.world) - began) / WRING_NS_PER_MS;
    late_check(&run);
    check_spread(began, seed == 0); /* faults delay what is on its way */
    EXPECT(ended_in_time + cut_off == CLIENTS && cut_off == CLIENTS / 10);
    EXPECT(seed != 0 || (took_ms >= DRAIN_MS && took_ms <= DRAIN_MS + 10));
    for (unsigned i = 0; i < CLIENTS; i++) {
        sim_client_cut(&clients[i], true); /* the stuck ones, which saw nothing of it */
    }
    sim_run_end(&run);
    for (unsigned i = 0; i < CLIENTS; i++) {
        sim_client_deinit(&clients[i]);
    }
}
