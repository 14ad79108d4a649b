/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory budget: peers that begin large messages and never end them bring the server to it.
 * Connections are refused before it is used up, the largest holders go, their neighbours lose
 * nothing, and when the pressure is over everything is as it was before. Who goes is told, unless
 * it has not read what was sent to it.
 */
#include <stdio.h>

#include "server/peer.h"
#include "tests/sim/sim_test.h"

#define BUDGET     (1024 * 1024)
#define HOGS       8
#define NEIGHBOURS 4
#define HOG_BYTES  (400 * 1024) /* of its message */
#define HOG_SENT   (300 * 1024) /* ... and then no more */
/* What a turn brings of a connection comes on top: its window in this world, and as much again of
 * room for its message to grow. */
#define TURN_BYTES (128 * 1024)

struct neighbour {
    sim_client super;
    unsigned sent;
    unsigned answered;
};

static sim_client hogs[HOGS];
static struct neighbour neighbours[NEIGHBOURS];
static sim_client late; /* dials again and again */
static uint8_t hog_message[HOG_BYTES];
static unsigned told;   /* hogs that had to go, by a close frame */
static unsigned ending; /* connections seen on their way out */
static unsigned refused;
static unsigned welcomed;
static uint64_t highest;
static unsigned rounds;

static wring_verdict budget_in(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_TEXT) {
        wring_frame frame = wring_frame_text(message->payload);
        (void)!wring_session_send(session, &frame);
    }
    return WRING_CONTINUE;
}

static const wring_handler handler = {
    .struct_size = sizeof handler, .name = "budget", .handle_in = budget_in};

/* ---- the clients ----------------------------------------------------------------------------- */

static void neighbour_ask(struct neighbour *neighbour) {
    char text[32];
    const int len = snprintf(text, sizeof text, "question %u", neighbour->sent++);
    sim_client_send(&neighbour->super, wring_frame_text(wring_bytes_of(text, (size_t)len)));
}

static void on_neighbour_open(sim_client *client) {
    neighbour_ask((struct neighbour *)client);
}

static void on_neighbour_message(sim_client *client, const wring_message *message) {
    struct neighbour *neighbour = (struct neighbour *)client;
    char text[32];
    if (message->opcode != WRING_TEXT) {
        return;
    }
    (void)snprintf(text, sizeof text, "question %u", neighbour->answered++);
    EXPECT(wring_bytes_equal(message->payload, wring_str(text)));
    neighbour_ask(neighbour);
}

static void on_hog_open(sim_client *client) {
    sim_client_send(client, wring_frame_binary(wring_bytes_of(hog_message, sizeof hog_message)));
}

static void on_late_open(sim_client *client) {
    (void)client;
    welcomed++;
}

static void on_nothing(sim_client *client, const wring_message *message) {
    (void)client;
    (void)message;
}

static void on_hog_message(sim_client *client, const wring_message *message) {
    const uint16_t code = sim_run_policy(client->run)->session.allow_iana_close_codes
                              ? WRING_CLOSE_TRY_AGAIN_LATER
                              : WRING_CLOSE_POLICY_VIOLATION;
    EXPECT(message->opcode == WRING_CLOSE && message->close_code == code);
    told++;
}

static void client_begin(sim_client *client, sim_run *run, void (*on_open)(sim_client *client),
                         void (*on_message)(sim_client *client, const wring_message *message)) {
    sim_client_init(client, run);
    client->on_open = on_open;
    client->on_message = on_message;
}

static bool hog_has_sent(const sim_client *hog) {
    return hog->machine != NULL && wring_machine_output(hog->machine).len < HOG_BYTES - HOG_SENT;
}

/* One connection after another: each is let in, and leaves, or is refused without an answer. */
static void late_step(sim_run *run) {
    sim_client_step(&late);
    if (late.phase != CLIENT_OPEN && late.phase != CLIENT_GONE) {
        return;
    }
    if (late.phase == CLIENT_GONE) {
        EXPECT(late.head_len == 0);
        refused++;
    }
    sim_client_cut(&late, false);
    sim_client_deinit(&late);
    client_begin(&late, run, on_late_open, on_nothing);
}

/* ---- the run --------------------------------------------------------------------------------- */

static uint64_t held(void) {
    wring_server_stats stats = {.struct_size = sizeof stats};
    wring_server_get_stats(late.run->server, &stats);
    return stats.memory_held_bytes;
}

/* What a session held is free when it is over, not when its connection is. */
static void over_is_free(wring__endpoint *end, void *unused) {
    wring__conn *conn = wring__end_conn(end);
    const wring__peer *peer = wring__peer_of_end(end);
    (void)unused;
    if (peer != NULL && end->state > WRING__END_OPEN) {
        EXPECT(wring__machine_held(&peer->stream.session.machine) == 0);
        /* or is about to be: the receive into it has been asked to end */
        EXPECT(end->state != WRING__END_LINGERING || !conn->is_direct || conn->recv_cancelled);
        ending++;
    }
}

static void round_run(sim_run *run, bool hogs_too) {
    const uint64_t before = wring__sim_activity(run->world);
    sim_run_workers(run);
    for (uint32_t i = 0; i < run->server->config.workers; i++) {
        wring__worker_each(&run->server->workers[i].io, over_is_free, NULL);
    }
    highest = held() > highest ? held() : highest;
    for (unsigned i = 0; i < HOGS && hogs_too; i++) {
        if (!hog_has_sent(&hogs[i])) {
            sim_client_step(&hogs[i]);
        } else {
            sim_client_listen(&hogs[i]);
        }
    }
    for (unsigned i = 0; i < NEIGHBOURS; i++) {
        sim_client_step(&neighbours[i].super);
        EXPECT(neighbours[i].super.phase != CLIENT_GONE);
    }
    late_step(run);
    /* those that are refused dial again at once: time passes all the same */
    if (before == wring__sim_activity(run->world) || rounds++ % 16 == 0) {
        (void)wring__sim_advance(run->world);
    }
}

/* Under pressure for so long in virtual time: a stop, a second of patience, evictions. */
static void press(sim_run *run) {
    for (unsigned i = 0; i < NEIGHBOURS; i++) {
        for (unsigned round = 0; neighbours[i].answered == 0; round++) {
            EXPECT(round < 1000000);
            round_run(run, false);
        }
    }
    const wring_time_ns until = wring__sim_now(run->world) + 3 * WRING_NS_PER_SEC;
    for (unsigned round = 0; wring__sim_now(run->world) < until && round < 5000; round++) {
        round_run(run, true);
    }
}

static void recover(sim_run *run) {
    unsigned answered[NEIGHBOURS];
    for (unsigned i = 0; i < HOGS; i++) {
        sim_client_cut(&hogs[i], i % 2 == 0);
    }
    for (unsigned round = 0; held() > BUDGET / 4; round++) {
        EXPECT(round < 1000000);
        round_run(run, false);
    }
    const unsigned refused_before = refused;
    const unsigned welcomed_before = welcomed;
    for (unsigned i = 0; i < NEIGHBOURS; i++) {
        answered[i] = neighbours[i].answered;
    }
    for (unsigned round = 0; welcomed < welcomed_before + 20; round++) {
        EXPECT(round < 1000000);
        round_run(run, false);
    }
    EXPECT(refused <= refused_before + 1); /* one may have been on its way */
    for (unsigned i = 0; i < NEIGHBOURS; i++) {
        EXPECT(neighbours[i].answered > answered[i]);
    }
}

static void end(sim_run *run) {
    for (unsigned i = 0; i < NEIGHBOURS; i++) {
        sim_client_cut(&neighbours[i].super, false);
    }
    sim_client_cut(&late, false);
    sim_run_end(run);
    for (unsigned i = 0; i < HOGS; i++) {
        sim_client_deinit(&hogs[i]);
    }
    for (unsigned i = 0; i < NEIGHBOURS; i++) {
        sim_client_deinit(&neighbours[i].super);
    }
    sim_client_deinit(&late);
}

void sim_budget(uint64_t seed) {
    sim_run run;
    const wring_session_config session = {.struct_size = sizeof session,
                                          .allow_iana_close_codes = seed % 4 >= 2};
    const wring_policy policy = {.struct_size = sizeof policy, .session = &session};
    wring_server_config config = {.workers = 1 + (uint32_t)(seed % 2),
                                  .handler = &handler,
                                  .mailbox_items = 4096,
                                  .policy = &policy,
                                  .memory_budget_bytes = BUDGET};
    sim_run_calm = true; /* megabytes through pipes of a byte would take too long */
    sim_run_begin_config(&run, seed, &config);
    sim_run_calm = false;
    told = refused = welcomed = rounds = 0;
    highest = ending = 0;
    for (size_t i = 0; i < sizeof hog_message; i++) { /* not to be compressed */
        hog_message[i] = (uint8_t)wring__sim_random(run.world, 256);
    }
    for (unsigned i = 0; i < HOGS; i++) {
        client_begin(&hogs[i], &run, on_hog_open, on_hog_message);
    }
    for (unsigned i = 0; i < NEIGHBOURS; i++) {
        neighbours[i].sent = neighbours[i].answered = 0;
        client_begin(&neighbours[i].super, &run, on_neighbour_open, on_neighbour_message);
    }
    client_begin(&late, &run, on_late_open, on_nothing);
    press(&run);
    wring_server_stats stats = {.struct_size = sizeof stats};
    wring_server_get_stats(run.server, &stats);
    EXPECT(stats.memory_stops > 0 && stats.memory_evicted > 0 && stats.memory_evicted <= HOGS);
    EXPECT(told == stats.memory_evicted && ending > 0);
    EXPECT(stats.refused_memory >= refused && (seed != 0 || refused > 0));
    EXPECT(highest <= BUDGET + HOGS * TURN_BYTES);
    recover(&run);
    end(&run);
}
