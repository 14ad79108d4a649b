/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits of a server whose clients share connections. Slots are of streams too: a stream that finds
 * none is refused, and those beside it go on. A connection on which nothing is asked for ends as
 * one does whose request does not come.
 */
#include "tests/h2/close.h"
#include "tests/h2/sim_h2.h"

#define CLIENTS 8
#define SLOTS   6 /* of which a connection has one */
#define IDLE_MS 100

static sim_client clients[CLIENTS];
static uint64_t refused; /* of all seeds */

static wring_verdict on_in(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_TEXT) {
        const wring_frame frame = wring_frame_text(message->payload);
        EXPECT(wring_session_send(session, &frame) == WRING_OK);
    }
    return WRING_CONTINUE;
}

static const wring_handler handler = {
    .struct_size = sizeof handler, .name = "limits", .handle_in = on_in};

static void on_open(sim_client *client) {
    sim_client_send(client, wring_frame_text(wring_str("hello")));
}

static void on_message(sim_client *client, const wring_message *message) {
    if (message->opcode == WRING_TEXT) {
        EXPECT(wring_bytes_equal(message->payload, wring_str("hello")));
        wring_machine_close(client->machine, WRING_CLOSE_NORMAL, wring_str(""));
    }
}

static void begin(sim_run *run, uint64_t seed, uint32_t slots) {
    wring_server_config config = {
        .workers = 1, .handler = &handler, .mailbox_items = 4096, .connections_max = slots};
    sim_h2_plan_now.share = CLIENTS;
    sim_h2_plan_now.is_full = true;
    sim_run_begin_config(run, seed, &config);
    for (unsigned i = 0; i < CLIENTS; i++) {
        sim_client_init(&clients[i], run);
        clients[i].on_open = on_open;
        clients[i].on_message = on_message;
    }
}

static void round_run(sim_run *run, unsigned count) {
    const uint64_t before = wring__sim_activity(run->world);
    sim_run_workers(run);
    for (unsigned i = 0; i < count; i++) {
        sim_client_step(&clients[i]);
    }
    if (before == wring__sim_activity(run->world)) {
        (void)wring__sim_advance(run->world);
    }
}

static bool are_gone(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        if (clients[i].phase != CLIENT_GONE) {
            return false;
        }
    }
    return true;
}

void sim_h2_slots(uint64_t seed) {
    sim_run run;
    unsigned served = 0;
    begin(&run, seed, SLOTS);
    for (int round = 0; !are_gone(CLIENTS); round++) {
        EXPECT(round < 1000000);
        round_run(&run, CLIENTS);
    }
    EXPECT(sim_h2_connections() == 1);
    for (unsigned i = 0; i < CLIENTS; i++) {
        const bool ok = clients[i].ended && clients[i].end.result == WRING_OK;
        EXPECT(ok == (clients[i].machine != NULL));
        EXPECT(ok || sim_h2_was_reset(&clients[i]));
        served += ok;
        sim_client_deinit(&clients[i]);
    }
    EXPECT(served == CLIENTS - run.server->workers[0].http2.refused && served >= SLOTS - 1);
    refused += CLIENTS - served;
    sim_run_end(&run);
}

void sim_h2_slots_sum(uint64_t seeds) {
    EXPECT(seeds < 20 || refused > 0);
}

/* One client is served or, by the seed, none is; the other one never asks for anything. */
void sim_h2_idle(uint64_t seed) {
    sim_run run;
    const unsigned count = 1 + seed / 3 % 2;
    begin(&run, seed, 0);
    run.server->config.handshake_timeout_ms = IDLE_MS;
    run.server->config.keep_alive_timeout_ms = IDLE_MS;
    sim_h2_join(&clients[0]);
    for (int round = 0; !are_gone(count); round++) {
        EXPECT(round < 1000000);
        round_run(&run, count);
    }
    EXPECT(wring__sim_now(run.world) >= IDLE_MS * WRING_NS_PER_MS);
    EXPECT(sim_h2_connections() == 1);
    /* NULL: its request was so long on its way that it found the connection over */
    EXPECT(clients[1].machine == NULL || (clients[1].ended && clients[1].end.result == WRING_OK));
    for (unsigned i = 0; i < CLIENTS; i++) {
        sim_client_deinit(&clients[i]);
    }
    sim_run_end(&run);
}
