/* SPDX-License-Identifier: Apache-2.0
 *
 * A client that reads nothing at all any more, of a connection with several streams: their sessions
 * are ended as slow, and what they hold is free, although not a byte of their ends can be sent. The
 * connection alone stays, until the server drains.
 */
#include "tests/h2/close.h"
#include "tests/h2/sim_h2.h"

#define CLIENTS 5

static sim_client clients[CLIENTS];
static unsigned opened;
static unsigned live;
static unsigned ended_as_slow;
static unsigned carried; /* endpoints that are streams */

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    live++;
    EXPECT(wring_session_subscribe(session, wring_str("news")) == WRING_OK);
    return WRING_CONTINUE;
}

static void on_terminate(wring_session *session, const wring_end *end) {
    (void)session;
    live--;
    ended_as_slow += end->result == WRING_ERR_SLOW_CONSUMER;
}

static const wring_handler handler = {
    .struct_size = sizeof handler, .name = "stall", .init = on_init, .terminate = on_terminate};

static void on_open(sim_client *client) {
    (void)client;
    opened++;
}

static void on_message(sim_client *client, const wring_message *message) {
    (void)client;
    (void)message;
}

static void count(wring__endpoint *end, void *unused) {
    (void)unused;
    carried += end->kind == WRING__END_MUX;
}

static void round_run(sim_run *run, bool stalls) {
    const uint64_t before = wring__sim_activity(run->world);
    sim_run_workers(run);
    for (unsigned i = 0; i < CLIENTS && !stalls; i++) {
        sim_client_step(&clients[i]);
    }
    carried = 0;
    wring__worker_each(&run->server->workers[0].io, count, NULL);
    if (before == wring__sim_activity(run->world)) {
        (void)wring__sim_advance(run->world);
    }
}

static void news_publish(sim_run *run) {
    static uint8_t text[20000];
    for (size_t i = 0; i < sizeof text; i++) { /* not to be compressed */
        text[i] = (uint8_t)wring__sim_random(run->world, 256);
    }
    const wring_frame frame = {WRING_BINARY, 0, 0, wring_bytes_of(text, sizeof text)};
    EXPECT(wring_server_publish(run->server, wring_str("news"), &frame) == WRING_OK);
}

static const wring_policy policy = {.struct_size = sizeof policy,
                                    .send_soft_bytes = 1000,
                                    .send_hard_bytes = 1 << 20,
                                    .slow_timeout_ms = 50};

void sim_h2_stall(uint64_t seed) {
    sim_run run;
    wring_server_config config = {
        .workers = 1, .handler = &handler, .policy = &policy, .mailbox_items = 4096};
    opened = live = ended_as_slow = 0;
    sim_h2_plan_now.share = CLIENTS;
    sim_h2_plan_now.is_full = true;
    sim_run_begin_config(&run, seed, &config);
    for (unsigned i = 0; i < CLIENTS; i++) {
        sim_client_init(&clients[i], &run);
        clients[i].on_open = on_open;
        clients[i].on_message = on_message;
    }
    int round = 0;
    for (; opened < CLIENTS; round++) {
        EXPECT(round < 100000);
        round_run(&run, false);
    }
    for (int i = 0; i < 20; i++) {
        news_publish(&run);
        round_run(&run, true);
    }
    for (; carried > 0; round++) {
        EXPECT(round < 200000);
        round_run(&run, true);
    }
    EXPECT(live == 0 && ended_as_slow == CLIENTS);
    EXPECT(run.server->workers[0].io.conn_count == 1);
    for (unsigned i = 0; i < CLIENTS; i++) {
        sim_client_cut(&clients[i], true);
        sim_client_deinit(&clients[i]);
    }
    sim_run_end(&run);
}
