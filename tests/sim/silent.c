/* SPDX-License-Identifier: Apache-2.0
 *
 * Peers that send and never read what comes back, with and without TLS: what each of them costs is
 * bounded, the worker goes on to receive, and their neighbours are answered. Reading stops for one
 * of the reasons there are: the queue is full, the session is paused, the memory budget is short.
 * Then they do read, and everything comes, in order.
 */
#include <stdio.h>

#include "io/conn_tls.h"
#include "server/peer.h"
#include "tests/sim/sim_test.h"
#include "wring/ref.h"

#define SILENT     14 /* with what they send in a turn they could fill four buffers */
#define SILENT_TLS 5
#define NEIGHBOURS 2
#define MESSAGES   500
#define MESSAGE    600 /* from 512 on an answer may lie where it was received */
#define ANSWERS    20  /* of each neighbour's, once the silent ones have come to a stand */
#define PAUSE      2000
#define BUDGET     (1024 * 1024)
#define PIPE       4000
/* What was on its way when reading stopped: the pipe, what the buffers hold, a piece that is being
 * given. With TLS the same again, sealed. */
#define ON_ITS_WAY (64 * 1024)

enum stop { STOP_FULL, STOP_PAUSE, STOP_BUDGET, STOPS };

struct silent {
    sim_client super;
    unsigned sent, received;
};

static struct {
    enum stop stop;
    unsigned silent_count;
    struct silent silent[SILENT];
    struct silent neighbours[NEIGHBOURS];
    wring_ref refs[SILENT]; /* STOP_PAUSE: paused */
    unsigned ref_count;
    unsigned shown_while_paused;
    bool reads; /* the silent ones, at last */
    unsigned rounds;
} it;

/* ---- the server ------------------------------------------------------------------------------ */

static void answer(wring_session *session, wring_opcode opcode, wring_bytes payload) {
    const wring_frame frame = {opcode, 0, WRING_COMPRESS_NEVER, payload};
    const wring_result result = wring_session_send(session, &frame);
    EXPECT(result == WRING_OK || result == WRING_ERR_CLOSED); /* evicted, or at the end */
}

static wring_verdict silent_in(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_TEXT) { /* a neighbour's */
        answer(session, WRING_TEXT, message->payload);
        return WRING_CONTINUE;
    }
    if (message->opcode != WRING_BINARY) {
        return WRING_CONTINUE;
    }
    bool *paused = wring_session_user(session);
    it.shown_while_paused += *paused;
    if (it.stop == STOP_PAUSE && !*paused && it.ref_count < it.silent_count) {
        it.refs[it.ref_count++] = wring_session_ref(session);
        *paused = true;
        wring_session_pause(session);
    }
    answer(session, WRING_BINARY, message->payload);
    return WRING_CONTINUE;
}

static wring_verdict silent_info(wring_session *session, const wring_info *info) {
    (void)info;
    *(bool *)wring_session_user(session) = false;
    wring_session_resume(session);
    return WRING_CONTINUE;
}

static const wring_handler handler = {.struct_size = sizeof handler,
                                      .name = "silent",
                                      .state_size = sizeof(bool),
                                      .handle_in = silent_in,
                                      .handle_info = silent_info};

/* ---- the clients ----------------------------------------------------------------------------- */

static void on_open(sim_client *client) {
    (void)client;
}

static void on_message(sim_client *client, const wring_message *message) {
    struct silent *silent = (struct silent *)client;
    unsigned number;
    if (message->opcode == WRING_CLOSE) {
        EXPECT(it.stop == STOP_BUDGET);
        return;
    }
    EXPECT(message->opcode == WRING_BINARY && message->payload.len == MESSAGE);
    memcpy(&number, message->payload.data, sizeof number);
    EXPECT(number == silent->received++);
}

static void on_answer(sim_client *client, const wring_message *message) {
    struct silent *neighbour = (struct silent *)client;
    EXPECT(message->opcode == WRING_TEXT && message->payload.len > 0);
    neighbour->received++;
}

static void silent_step(struct silent *silent) {
    if (silent->super.phase != CLIENT_OPEN || it.reads) {
        sim_client_step(&silent->super);
    } else {
        sim_client_talk(&silent->super);
    }
    if (silent->super.phase == CLIENT_OPEN && silent->sent < MESSAGES &&
        wring_machine_output(silent->super.machine).len < PIPE) {
        uint8_t bytes[MESSAGE];
        memset(bytes, (int)(silent->sent * 7), sizeof bytes);
        memcpy(bytes, &silent->sent, sizeof silent->sent);
        silent->sent++;
        const wring_frame frame = {WRING_BINARY, 0, WRING_COMPRESS_NEVER,
                                   wring_bytes_of(bytes, sizeof bytes)};
        sim_client_send(&silent->super, frame);
    }
}

static void neighbour_step(struct silent *neighbour) {
    sim_client_step(&neighbour->super);
    EXPECT(neighbour->super.phase != CLIENT_GONE);
    if (neighbour->super.phase == CLIENT_OPEN && neighbour->sent == neighbour->received) {
        neighbour->sent++;
        sim_client_send(&neighbour->super, wring_frame_text(wring_str("are you there?")));
    }
}

/* ---- the run --------------------------------------------------------------------------------- */

static void cost_is_bounded(wring__endpoint *end, void *arg) {
    const sim_run *run = arg;
    if (end->state == WRING__END_OPEN && wring__peer_of_end(end) != NULL) {
        EXPECT(wring__end_held_bytes(end) <= run->server->config.pause_bytes + ON_ITS_WAY);
    }
}

static void round_run(sim_run *run) {
    const uint64_t before = wring__sim_activity(run->world);
    sim_run_workers(run);
    for (uint32_t i = 0; i < run->server->config.workers; i++) {
        wring__worker_each(&run->server->workers[i].io, cost_is_bounded, run);
    }
    wring_server_stats stats = {.struct_size = sizeof stats};
    wring_server_get_stats(run->server, &stats);
    EXPECT(it.stop != STOP_BUDGET || stats.memory_held_bytes <= BUDGET + BUDGET / 4);
    for (unsigned i = 0; i < it.silent_count; i++) {
        silent_step(&it.silent[i]);
    }
    for (unsigned i = 0; i < NEIGHBOURS; i++) {
        neighbour_step(&it.neighbours[i]);
    }
    /* the neighbours are never done: time passes all the same */
    if (before == wring__sim_activity(run->world) || it.rounds++ % 16 == 0) {
        (void)wring__sim_advance(run->world);
    }
}

static unsigned count_in(enum sim_client_phase phase) {
    unsigned count = 0;
    for (unsigned i = 0; i < it.silent_count; i++) {
        count += it.silent[i].super.phase == phase;
    }
    return count;
}

static bool neighbours_have(unsigned answers) {
    for (unsigned i = 0; i < NEIGHBOURS; i++) {
        if (it.neighbours[i].received < answers) {
            return false;
        }
    }
    return true;
}

/* Nobody is ended for not reading, except by the budget, which leaves those that hold little. */
static void stand(sim_run *run) {
    for (unsigned round = 0; count_in(CLIENT_OPEN) + count_in(CLIENT_GONE) < it.silent_count;
         round++) {
        EXPECT(round < 1000000);
        round_run(run);
    }
    for (unsigned round = 0; round < 300; round++) {
        round_run(run);
    }
    const unsigned first = it.neighbours[0].received, second = it.neighbours[1].received;
    const unsigned so_far = first > second ? first : second;
    for (unsigned round = 0; !neighbours_have(so_far + ANSWERS); round++) {
        EXPECT(round < 1000000);
        round_run(run);
    }
    EXPECT(it.stop == STOP_BUDGET ? count_in(CLIENT_OPEN) > 0
                                  : count_in(CLIENT_OPEN) == it.silent_count);
    /* a paused session is shown what lay in the piece at hand, and no more */
    EXPECT(it.shown_while_paused <= it.silent_count * (2 * 8192 / MESSAGE + 2));
}

static void read_all(sim_run *run) {
    const wring_info info = {0};
    it.reads = true;
    for (unsigned i = 0; i < it.ref_count; i++) {
        EXPECT(wring_ref_post(it.refs[i], &info, NULL) == WRING_OK);
    }
    it.ref_count = it.silent_count; /* it is not paused again */
    for (unsigned i = 0; i < it.silent_count; i++) {
        for (unsigned round = 0; it.silent[i].received < MESSAGES; round++) {
            EXPECT(round < 1000000);
            if (it.silent[i].super.phase != CLIENT_OPEN) {
                EXPECT(it.stop == STOP_BUDGET);
                break;
            }
            round_run(run);
        }
    }
}

static struct silent *client_at(unsigned i) {
    return i < it.silent_count ? &it.silent[i] : &it.neighbours[i - it.silent_count];
}

static void clients_begin(sim_run *run) {
    for (unsigned i = 0; i < it.silent_count + NEIGHBOURS; i++) {
        struct silent *client = client_at(i);
        sim_client_init(&client->super, run);
        client->super.on_open = on_open;
        client->super.on_message = i < it.silent_count ? on_message : on_answer;
    }
}

static void clients_end(void) {
    for (unsigned i = 0; i < it.silent_count + NEIGHBOURS; i++) {
        struct silent *client = client_at(i);
        sim_client_cut(&client->super, i % 2 == 0);
        sim_client_deinit(&client->super);
    }
}

void sim_silent(uint64_t seed) {
    const bool tls = seed % 2 == 1;
    const wring_tls_server_config server_tls =
        tls ? sim_tls_server() : (wring_tls_server_config){0};
    sim_run run;
    memset(&it, 0, sizeof it);
    it.silent_count = tls ? SILENT_TLS : SILENT;
    it.stop = (enum stop)(seed / 2 % STOPS);
    static const wring_policy policy = {.struct_size = sizeof policy,
                                        .send_hard_bytes = 64 << 20}; /* no reply is refused */
    wring_server_config config = {.workers = 1 + (uint32_t)(seed / 6 % 2),
                                  .handler = &handler,
                                  .policy = &policy,
                                  .mailbox_items = 4096,
                                  .memory_budget_bytes = it.stop == STOP_BUDGET ? BUDGET : 0};
    sim_tls_random_begin(seed);
    sim_run_tls = tls ? &server_tls : NULL;
    sim_run_pipe_bytes = PIPE;
    sim_run_begin_config(&run, seed, &config);
    sim_run_pipe_bytes = 0;
    sim_run_tls = NULL;
    run.client_tls = tls ? sim_tls_client() : NULL;
    clients_begin(&run);
    stand(&run);
    read_all(&run);
    clients_end();
    wring__tls_context_unref(run.client_tls);
    sim_run_end(&run);
    sim_tls_random_end();
}
