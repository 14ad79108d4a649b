/* SPDX-License-Identifier: Apache-2.0
 *
 * Ends of streams and of connections. Every client sends a few messages and gets each back. Then it
 * closes, or has the server do so, resets its stream in the middle of a message, ends its side
 * without a close frame. Meanwhile a connection may be told GOAWAY, or break: that is the end of
 * its clients, and of no other.
 */
#include "tests/h2/close.h"

#include "tests/h2/sim_h2.h"

#define CLIENTS  8
#define MESSAGES 4

enum way { CLOSES, IS_CLOSED, IS_STOPPED, RESETS, ENDS, WAYS };
enum event { NOTHING, GOES_AWAY, BREAKS, EVENTS };

struct talker {
    sim_client super;
    enum way way;
    unsigned sent;
    unsigned received;
    bool is_done;        /* it did what its way is */
    bool may_be_cut_off; /* its connection broke */
};

static struct talker talkers[CLIENTS];
static uint8_t text[40000];
static size_t sizes[MESSAGES];
static unsigned live;
static unsigned broken; /* sessions that were told of a stream that broke or ended early */

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    (void)session;
    (void)opts;
    EXPECT(wring_bytes_equal(request->method, wring_str("CONNECT")));
    EXPECT(wring_bytes_equal(request->path, wring_str("/")));
    EXPECT(wring_bytes_equal(request->host, wring_str("sim")));
    live++;
    return WRING_CONTINUE;
}

static wring_verdict on_in(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_BINARY) {
        const wring_frame frame = {WRING_BINARY, 0, 0, message->payload};
        const wring_result result = wring_session_send(session, &frame);
        EXPECT(result == WRING_OK || result == WRING_ERR_CLOSED);
    } else if (wring_bytes_equal(message->payload, wring_str("close"))) {
        wring_session_close(session, 4000, wring_str("as asked"));
    } else if (wring_bytes_equal(message->payload, wring_str("stop"))) {
        return WRING_STOP;
    }
    return WRING_CONTINUE;
}

static void on_terminate(wring_session *session, const wring_end *end) {
    (void)session;
    live--;
    broken += end->result == WRING_ERR_TRUNCATED || end->result == WRING_ERR_TRANSPORT ||
              end->result == WRING_ERR_STREAM_RESET;
}

static const wring_handler handler = {.struct_size = sizeof handler,
                                      .name = "h2",
                                      .init = on_init,
                                      .handle_in = on_in,
                                      .terminate = on_terminate};

static void on_open(sim_client *client) {
    (void)client;
}

static void on_message(sim_client *client, const wring_message *message) {
    struct talker *talker = (struct talker *)client;
    if (message->opcode == WRING_BINARY) {
        const unsigned i = talker->received++;
        EXPECT(wring_bytes_equal(message->payload, wring_bytes_of(text + i, sizes[i])));
    } else if (message->opcode == WRING_CLOSE) {
        EXPECT(message->close_code == (talker->way == CLOSES ? 4001 : 4000) ||
               talker->way == IS_STOPPED);
    }
}

static void message_send(struct talker *talker) {
    const unsigned i = talker->sent++;
    const wring_frame frame = {WRING_BINARY, 0, 0, wring_bytes_of(text + i, sizes[i])};
    sim_client_send(&talker->super, frame);
}

static void finish(struct talker *talker) {
    wring__sim *world = talker->super.run->world;
    talker->is_done = true;
    switch (talker->way) {
    case CLOSES:
        wring_machine_close(talker->super.machine, 4001, wring_str("done"));
        break;
    case IS_CLOSED:
        sim_client_send(&talker->super, wring_frame_text(wring_str("close")));
        break;
    case IS_STOPPED:
        sim_client_send(&talker->super, wring_frame_text(wring_str("stop")));
        break;
    case RESETS:
        talker->sent = 0;
        message_send(talker); /* some of it may be on its way */
        for (uint64_t i = wring__sim_random(world, 4); i > 0; i--) {
            sim_client_step(&talker->super);
        }
        sim_client_cut(&talker->super, true);
        break;
    case ENDS:
        sim_client_cut(&talker->super, false);
        break;
    case WAYS:
        break;
    }
}

static void act(struct talker *talker) {
    if (talker->super.phase != CLIENT_OPEN || talker->is_done) {
        return;
    }
    if (talker->sent < MESSAGES && wring__sim_random(talker->super.run->world, 3) == 0) {
        message_send(talker);
    } else if (talker->received == MESSAGES) {
        finish(talker);
    }
}

/* Once, to the connection of a client that is open. */
static void strike(enum event event, struct talker *at) {
    if (event == GOES_AWAY) {
        sim_h2_go_away(&at->super);
    } else if (event == BREAKS) {
        for (unsigned i = 0; i < CLIENTS; i++) {
            talkers[i].may_be_cut_off |= sim_h2_is_beside(&talkers[i].super, &at->super);
        }
        sim_h2_cut_connection(&at->super, wring__sim_random(at->super.run->world, 2) == 0);
    }
}

static bool is_over(void) {
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (talkers[i].super.phase != CLIENT_GONE) {
            return false;
        }
    }
    return true;
}

static void check(const struct talker *talker) {
    if (talker->may_be_cut_off) {
        return;
    }
    EXPECT(talker->is_done && talker->received == MESSAGES);
    EXPECT((talker->way != CLOSES && talker->way != IS_CLOSED) ||
           (talker->super.ended && talker->super.end.result == WRING_OK));
}

/* Messages of more than two DATA frames, where a byte at a time would take too long. */
static bool is_long(uint64_t seed) {
    return seed % 10 == 0;
}

static void plan(sim_run *run, uint64_t seed) {
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (uint8_t)wring__sim_random(run->world, 256);
    }
    for (unsigned i = 0; i < MESSAGES; i++) {
        sizes[i] = is_long(seed) ? sizeof text - MESSAGES : wring__sim_random(run->world, 3000);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        memset(&talkers[i], 0, sizeof talkers[i]);
        sim_client_init(&talkers[i].super, run);
        talkers[i].super.on_open = on_open;
        talkers[i].super.on_message = on_message;
        talkers[i].way = (enum way)wring__sim_random(run->world, WAYS);
    }
}

void sim_h2_close(uint64_t seed) {
    sim_run run;
    live = broken = 0;
    sim_run_pipe_bytes = is_long(seed) ? 64 << 10 : 0;
    sim_run_begin(&run, seed, &handler, NULL, 2);
    plan(&run, seed);
    enum event event = (enum event)wring__sim_random(run.world, EVENTS);
    const unsigned target = (unsigned)wring__sim_random(run.world, CLIENTS);
    const unsigned after = (unsigned)wring__sim_random(run.world, MESSAGES);
    for (int round = 0; !is_over(); round++) {
        EXPECT(round < 2000000);
        const uint64_t before = wring__sim_activity(run.world);
        sim_run_workers(&run);
        for (unsigned i = 0; i < CLIENTS; i++) {
            act(&talkers[i]);
            sim_client_step(&talkers[i].super);
        }
        if (talkers[target].super.phase == CLIENT_OPEN && talkers[target].received >= after) {
            strike(event, &talkers[target]);
            event = NOTHING;
        }
        if (before == wring__sim_activity(run.world)) {
            (void)wring__sim_advance(run.world);
        }
    }
    sim_run_end(&run);
    EXPECT(live == 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        check(&talkers[i]);
        sim_client_deinit(&talkers[i].super);
    }
    sim_run_pipe_bytes = 0;
}

/* ---- refusals -------------------------------------------------------------------------------- */

void sim_h2_refused(uint64_t seed) {
    static const struct {
        const char *protocol;
        int status;
    } kinds[] = {{"connect-udp", 501}, {NULL, 405}};
    sim_run run;
    sim_h2_plan_now.protocol = kinds[seed / 3 % 2].protocol;
    live = 0;
    sim_run_begin(&run, seed, &handler, NULL, 1);
    plan(&run, 1);
    for (int round = 0; !is_over(); round++) {
        EXPECT(round < 1000000);
        const uint64_t before = wring__sim_activity(run.world);
        sim_run_workers(&run);
        for (unsigned i = 0; i < CLIENTS; i++) {
            sim_client_step(&talkers[i].super);
        }
        if (before == wring__sim_activity(run.world)) {
            (void)wring__sim_advance(run.world);
        }
    }
    sim_run_end(&run);
    for (unsigned i = 0; i < CLIENTS; i++) {
        EXPECT(sim_h2_status(&talkers[i].super) == kinds[seed / 3 % 2].status);
        EXPECT(talkers[i].super.machine == NULL);
        sim_client_deinit(&talkers[i].super);
    }
    EXPECT(live == 0);
}
