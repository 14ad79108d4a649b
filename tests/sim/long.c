/* SPDX-License-Identifier: Apache-2.0
 *
 * Long messages of many peers at a time, with two lanes for them (io/conn_long.h): every one comes
 * back whole, no more than two receive long runs at once, and who stops in the middle of a message,
 * for a while or for ever, holds nobody up, nor does who cuts the connection.
 */
#include <stdlib.h>

#include "tests/sim/sim_test.h"

#define CLIENTS    7
#define LANES      2 /* io/conn_long.c */
#define MESSAGES   2
#define LENGTH_MIN (100 * 1024)
#define LENGTH_MAX (600 * 1024)
#define PIPE_BYTES (1024 * 1024)

enum fate { STAYS, RESTS, STOPS, CUTS, FATES };

struct talker {
    sim_client super;
    enum fate fate;
    size_t lengths[MESSAGES];
    unsigned planned;
    unsigned answered;
    size_t fate_at; /* bytes of the first message that are still to go when it meets its fate */
    unsigned rest;  /* rounds */
};

static struct talker talkers[CLIENTS];
static uint8_t content[LENGTH_MAX + 256];
static uint64_t waited; /* over all seeds */

static wring_verdict echo_in(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_BINARY) {
        const wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
        const wring_result result = wring_session_send(session, &frame);
        EXPECT(result == WRING_OK || result == WRING_ERR_CLOSED);
    }
    return WRING_CONTINUE;
}

static const wring_handler echo = {
    .struct_size = sizeof echo, .name = "long", .handle_in = echo_in};

/* Each message's bytes begin elsewhere. */
static wring_bytes message_of(const struct talker *talker, unsigned i) {
    return wring_bytes_of(content + (talker - talkers) * MESSAGES + i, talker->lengths[i]);
}

static void on_open(sim_client *super) {
    const struct talker *talker = (const struct talker *)super;
    for (unsigned i = 0; i < talker->planned; i++) {
        sim_client_send(super, wring_frame_binary(message_of(talker, i)));
    }
}

static void on_message(sim_client *super, const wring_message *message) {
    struct talker *talker = (struct talker *)super;
    if (message->opcode == WRING_BINARY) {
        EXPECT(talker->answered < talker->planned);
        EXPECT(wring_bytes_equal(message->payload, message_of(talker, talker->answered)));
        talker->answered++;
    }
}

static void plan(struct talker *talker, sim_run *run) {
    memset(talker, 0, sizeof *talker);
    sim_client_init(&talker->super, run);
    talker->super.on_open = on_open;
    talker->super.on_message = on_message;
    talker->fate = (enum fate)wring__sim_random(run->world, FATES);
    talker->planned = 1 + (unsigned)wring__sim_random(run->world, MESSAGES);
    for (unsigned i = 0; i < talker->planned; i++) {
        talker->lengths[i] = LENGTH_MIN + wring__sim_random(run->world, LENGTH_MAX - LENGTH_MIN);
    }
    talker->fate_at = 1 + wring__sim_random(run->world, talker->lengths[0] - 1);
    talker->rest = 1 + (unsigned)wring__sim_random(run->world, 1000);
}

/* So much of the first message, and all behind it, is still to go. */
static bool meets_fate(const struct talker *talker) {
    size_t all_behind = 0;
    for (unsigned i = 1; i < talker->planned; i++) {
        all_behind += talker->lengths[i];
    }
    return talker->super.phase == CLIENT_OPEN &&
           wring_machine_output(talker->super.machine).len <= talker->fate_at + all_behind;
}

/* False: nothing more is expected of it. */
static bool step(struct talker *talker) {
    if (talker->super.phase == CLIENT_GONE || talker->answered == talker->planned) {
        return false;
    }
    if (talker->fate != STAYS && meets_fate(talker)) {
        if (talker->fate == CUTS) {
            sim_client_cut(&talker->super, wring__sim_random(talker->super.run->world, 2) == 0);
            return false;
        }
        if (talker->fate == STOPS || talker->rest-- > 0) {
            return talker->fate == RESTS;
        }
        talker->fate = STAYS;
    }
    sim_client_step(&talker->super);
    return true;
}

static void lane_count(wring__endpoint *end, void *arg) {
    wring__conn *conn = wring__end_conn(end);
    *(uint32_t *)arg += conn->has_lane;
}

static void check_lanes(const sim_run *run) {
    wring__worker *worker = &run->server->workers[0].io;
    uint32_t taken = 0;
    wring__worker_each(worker, lane_count, &taken);
    EXPECT(taken == worker->lanes.taken && taken <= LANES);
}

void sim_long(uint64_t seed) {
    sim_run run;
    wring_server_config config = {.workers = 1, .handler = &echo};
    sim_run_pipe_bytes = PIPE_BYTES;
    sim_run_begin_config(&run, seed, &config);
    sim_run_pipe_bytes = 0;
    for (size_t i = 0; i < sizeof content; i++) {
        content[i] = (uint8_t)(i * 7 + i / 251);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        plan(&talkers[i], &run);
    }
    bool busy = true;
    for (int round = 0; busy; round++) {
        EXPECT(round < 1000000); /* nobody waits for who stopped */
        const uint64_t before = wring__sim_activity(run.world);
        sim_run_workers(&run);
        check_lanes(&run);
        busy = false;
        for (unsigned i = 0; i < CLIENTS; i++) {
            busy = step(&talkers[i]) || busy;
        }
        if (before == wring__sim_activity(run.world)) {
            (void)wring__sim_advance(run.world);
        }
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        EXPECT(talkers[i].fate != STAYS || talkers[i].answered == talkers[i].planned);
        sim_client_cut(&talkers[i].super, false);
        sim_client_deinit(&talkers[i].super);
    }
    waited += run.server->workers[0].io.counters.rx_waited;
    sim_run_end(&run);
}

/* What only many seeds together show: that they did wait for one another. Mostly about once a seed;
 * fewer seeds may have less. */
void sim_long_sum(uint64_t seeds) {
    EXPECT(seeds < 20 || waited > seeds / 2);
}
