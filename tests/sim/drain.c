/* SPDX-License-Identifier: Apache-2.0
 *
 * Draining: every session is told 1001, spread evenly over the window; who does not answer is cut
 * off at the deadline, and nobody who comes late is let in.
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

static const wring_handler handler = {.name = "drain", .terminate = drain_terminate};

static void on_open(sim_client *client) {
    (void)client;
    open_count++;
}

static void on_message(sim_client *client, const wring_message *message) {
    EXPECT(message->opcode == WRING_CLOSE && message->close_code == WRING_CLOSE_GOING_AWAY);
    told_at[client - clients] = wring__sim_now(client->run->world);
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
    wring__server_drain(run.server, DRAIN_MS);
    for (unsigned round = 0; !is_over(&run); round++) {
        EXPECT(round < 1000000);
        round_run(&run, true);
    }
    const uint64_t took_ms = (wring__sim_now(run.world) - began) / WRING_NS_PER_MS;
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
