/* SPDX-License-Identifier: Apache-2.0
 *
 * Back-pressure, of one stream among others on one connection: a client that sends and does not
 * read its echoes comes to a halt, with no more of it in the server than marks and windows allow.
 * Those beside it get all of theirs meanwhile. When it reads, it gets all of its own, in order.
 */
#include "tests/h2/close.h"
#include "tests/h2/sim_h2.h"

#define CLIENTS  4
#define MESSAGES 60
#define SIZE     900
#define PAUSE    2000

static struct reader {
    sim_client super;
    unsigned sent;
    unsigned received;
} readers[CLIENTS];

static uint8_t text[SIZE + MESSAGES];
static unsigned arrived; /* at the handler, from the one that does not read */
static wring_ref stuck_ref;
static uint64_t queued_max;
static uint64_t halted; /* runs in which it came to a halt, of all seeds */
static uint64_t stashed;

static wring_verdict on_in(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_TEXT) {
        stuck_ref = wring_session_ref(session);
    } else if (message->opcode == WRING_BINARY) {
        const wring_frame frame = {WRING_BINARY, 0, 0, message->payload};
        EXPECT(wring_session_send(session, &frame) == WRING_OK);
        if (wring_session_ref(session) == stuck_ref) {
            arrived++;
            const uint64_t queued = wring_session_queued_bytes(session);
            queued_max = queued > queued_max ? queued : queued_max;
        }
    }
    return WRING_CONTINUE;
}

static const wring_handler handler = {
    .struct_size = sizeof handler, .name = "stuck", .handle_in = on_in};

static void on_open(sim_client *client) {
    if (client == &readers[0].super) {
        sim_client_send(client, wring_frame_text(wring_str("it is me")));
    }
}

static void on_message(sim_client *client, const wring_message *message) {
    struct reader *reader = (struct reader *)client;
    if (message->opcode == WRING_BINARY) {
        const unsigned i = reader->received++;
        EXPECT(wring_bytes_equal(message->payload, wring_bytes_of(text + i, SIZE)));
    }
}

static void act(struct reader *reader) {
    if (reader->super.phase == CLIENT_OPEN && reader->sent < MESSAGES) {
        const wring_frame frame = {WRING_BINARY, 0, 0, wring_bytes_of(text + reader->sent++, SIZE)};
        sim_client_send(&reader->super, frame);
    } else if (reader->super.phase == CLIENT_OPEN && reader->received == MESSAGES) {
        wring_machine_close(reader->super.machine, 1000, wring_str(""));
    }
}

/* @param reads  the first one does */
static void round_run(sim_run *run, bool reads) {
    const uint64_t before = wring__sim_activity(run->world);
    sim_run_workers(run);
    for (unsigned i = 0; i < CLIENTS; i++) {
        act(&readers[i]);
        if (i > 0 || reads || readers[0].super.phase != CLIENT_OPEN) {
            sim_client_step(&readers[i].super);
        } else {
            sim_h2_push(&readers[0].super);
        }
    }
    if (before == wring__sim_activity(run->world)) {
        (void)wring__sim_advance(run->world);
    }
}

static bool are_gone(unsigned from) {
    for (unsigned i = from; i < CLIENTS; i++) {
        if (readers[i].super.phase != CLIENT_GONE) {
            return false;
        }
    }
    return true;
}

void sim_h2_stuck(uint64_t seed) {
    sim_run run;
    const uint64_t stashed_before = sim_run_http2_counters.stashed;
    arrived = 0;
    stuck_ref = WRING_REF_NONE;
    queued_max = 0;
    sim_h2_plan_now.share = CLIENTS;
    wring_server_config config = {.workers = 1, .handler = &handler, .mailbox_items = 4096};
    sim_run_begin_config(&run, seed, &config);
    run.server->workers[0].io.pause_bytes[false] = PAUSE;
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (uint8_t)wring__sim_random(run.world, 256);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        memset(&readers[i], 0, sizeof readers[i]);
        sim_client_init(&readers[i].super, &run);
        readers[i].super.on_open = on_open;
        readers[i].super.on_message = on_message;
    }
    int round = 0;
    for (; !are_gone(1); round++) {
        EXPECT(round < 2000000);
        round_run(&run, false);
    }
    EXPECT(readers[0].super.phase != CLIENT_GONE);
    /* what is queued when it is read no further: the mark, and one chunk's worth of answers */
    EXPECT(queued_max <= PAUSE + 2 * (SIZE + 16) + sim_h2_config.window_bytes);
    halted += arrived < MESSAGES;
    for (; !are_gone(0); round++) {
        EXPECT(round < 4000000);
        round_run(&run, true);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        EXPECT(readers[i].received == MESSAGES);
        EXPECT(readers[i].super.ended && readers[i].super.end.result == WRING_OK);
        sim_client_deinit(&readers[i].super);
    }
    sim_run_end(&run);
    stashed += sim_run_http2_counters.stashed - stashed_before;
}

void sim_h2_stuck_sum(uint64_t seeds) {
    EXPECT(seeds < 20 || (halted > seeds / 4 && stashed > 0));
}
