/* SPDX-License-Identifier: Apache-2.0
 *
 * A server that speaks HTTP/2 and is out of memory at every place, those in nghttp2 included. Its
 * clients share two connections and have all they need. What fails is at most one connection's.
 */
#include "tests/torture/torture.h"

#include "tests/h2/sim_h2.h"

#define CLIENTS  4
#define MESSAGES 3
#define ROUNDS   200000

static struct talker {
    sim_client super;
    unsigned received;
    unsigned news;
    bool closes;
} talkers[CLIENTS];

static sim_run run;
static int sessions;
static bool told; /* somebody was told of a failure */

/* ---- the server ------------------------------------------------------------------------------ */

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    sessions++;
    told |= wring_session_subscribe(session, wring_str("news")) != WRING_OK;
    return WRING_CONTINUE;
}

static wring_verdict on_in(wring_session *session, const wring_message *message) {
    if (message->opcode != WRING_TEXT) {
        return WRING_CONTINUE;
    }
    const wring_frame echo = {WRING_TEXT, 0, 0, message->payload};
    const wring_frame news = {WRING_BINARY, 0, 0, message->payload};
    const wring_result result = wring_session_send(session, &echo);
    told |= result != WRING_OK;
    told |= wring_server_publish(run.server, wring_str("news"), &news) != WRING_OK;
    return result == WRING_OK ? WRING_CONTINUE : WRING_STOP;
}

static void on_terminate(wring_session *session, const wring_end *end) {
    (void)session;
    sessions--;
    told |= end->result != WRING_OK;
}

static const wring_handler handler = {.struct_size = sizeof handler,
                                      .name = "server",
                                      .state_size = 40,
                                      .init = on_init,
                                      .handle_in = on_in,
                                      .terminate = on_terminate};

/* ---- the clients ----------------------------------------------------------------------------- */

static void on_open(sim_client *client) {
    static uint8_t data[3000];
    static const size_t sizes[MESSAGES] = {10, 3000, 200};
    for (int i = 0; i < MESSAGES; i++) {
        memset(data, 'a' + i, sizes[i]);
        sim_client_send(client, wring_frame_text(wring_bytes_of(data, sizes[i])));
    }
}

static void on_message(sim_client *client, const wring_message *message) {
    struct talker *talker = (struct talker *)client;
    talker->news += message->opcode == WRING_BINARY;
    if (message->opcode == WRING_TEXT) {
        CHECK(message->payload.data[0] == 'a' + talker->received); /* in order, none left out */
        talker->received++;
    }
}

static bool is_over(void) {
    for (int i = 0; i < CLIENTS; i++) {
        if (talkers[i].super.phase != CLIENT_GONE) {
            return false;
        }
    }
    return true;
}

static void clients_step(void) {
    for (int i = 0; i < CLIENTS; i++) {
        struct talker *talker = &talkers[i];
        if (talker->super.phase == CLIENT_OPEN && talker->received == MESSAGES && !talker->closes) {
            talker->closes = true;
            wring_machine_close(talker->super.machine, 1000, wring_str(""));
        }
        sim_client_step(&talker->super);
    }
}

/* ---- the run --------------------------------------------------------------------------------- */

static void begin(void) {
    static const wring_topic_rule rule = {
        .struct_size = sizeof rule, .name = "news", .slow_policy = WRING_SLOW_DROP_OLDEST};
    static const wring_session_config session = {.struct_size = sizeof session,
                                                 .idle_timeout_ms = 3000};
    static const wring_policy policy = {.struct_size = sizeof policy,
                                        .session = &session,
                                        .send_soft_bytes = 1000,
                                        .send_hard_bytes = 8000};
    wring_server_config config = {.workers = 1,
                                  .handler = &handler,
                                  .policy = &policy,
                                  .mailbox_items = 4096,
                                  .topic_rules = &rule,
                                  .topic_rule_count = 1};
    sim_h2_begin(0);
    sim_h2_config.window_bytes = 1000;
    sim_h2_plan_now.is_full = true;
    sim_h2_plan_now.is_tortured = true;
    sim_h2_plan_now.share = CLIENTS / 2;
    sim_h2_plan_now.window = 700;
    memset(talkers, 0, sizeof talkers);
    told = false;
    sim_run_has_room = true;
    sim_run_begin_config(&run, 0, &config);
    for (int i = 0; i < CLIENTS; i++) {
        sim_client_init(&talkers[i].super, &run);
        talkers[i].super.on_open = on_open;
        talkers[i].super.on_message = on_message;
    }
}

static wring_result end(void) {
    unsigned done[2] = {0, 0};
    CHECK(sessions == 0);
    for (int i = 0; i < CLIENTS; i++) {
        const struct talker *talker = &talkers[i];
        const bool ok = talker->received == MESSAGES && talker->super.ended &&
                        talker->super.end.result == WRING_OK;
        done[i / (CLIENTS / 2)] += ok;
        told |= !ok;
        sim_client_deinit(&talkers[i].super);
    }
    sim_h2_end();
    /* one failure is one connection's */
    CHECK(torture_fails_all() || done[0] == CLIENTS / 2 || done[1] == CLIENTS / 2);
    return told ? WRING_ERR_NO_MEMORY : WRING_OK;
}

static wring_result streams(void) {
    torture_spare(true);
    begin();
    for (int round = 0; !is_over(); round++) {
        CHECK(round < ROUNDS);
        const uint64_t before = wring__sim_activity(run.world);
        torture_spare(false);
        sim_run_workers(&run);
        torture_spare(true);
        clients_step();
        if (before == wring__sim_activity(run.world)) {
            (void)wring__sim_advance(run.world);
        }
    }
    torture_spare(false);
    sim_run_end(&run);
    torture_spare(true);
    const wring_result result = end();
    torture_spare(false);
    return result;
}

static const torture_case cases[] = {{"streams of HTTP/2", streams, true}, {0}};

const torture_case *const torture_lists[] = {cases, NULL};
