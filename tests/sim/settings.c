/* SPDX-License-Identifier: Apache-2.0
 *
 * What is replaced while sessions are open, and slow: marks, timeouts and policies reach who is
 * congested already, rules reach topics that exist, and nothing gets out of order by it. One case a
 * seed, one reader.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/settings.h"
#include "wring/ref.h"

settings_world settings_now;
static settings_world *const w = &settings_now;

/* ---- the server's handler -------------------------------------------------------------------- */

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    EXPECT(wring_session_subscribe(session, wring_str("news")) == WRING_OK);
    EXPECT(wring_session_subscribe(session, wring_str("other")) == WRING_OK);
    w->ref = wring_session_ref(session);
    return WRING_CONTINUE;
}

static wring_verdict on_in(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_TEXT) {
        const wring_frame frame = wring_frame_text(message->payload);
        w->received++;
        EXPECT(wring_server_publish(wring_session_server(session), wring_str("news"), &frame) ==
               WRING_OK);
    }
    return WRING_CONTINUE;
}

/* Sends until it is refused. */
static wring_verdict on_info(wring_session *session, const wring_info *info) {
    char text[SETTINGS_PAD] = {0};
    memset(text, 'x', sizeof text);
    const wring_frame frame = wring_frame_binary(wring_bytes_of(text, sizeof text));
    (void)info;
    while (wring_session_send(session, &frame) == WRING_OK) {
        EXPECT(w->filled < 100000);
        w->filled++;
    }
    return WRING_CONTINUE;
}

static void on_terminate(wring_session *session, const wring_end *end) {
    (void)session;
    w->ended++;
    w->end_result = end->result;
}

static wring_verdict on_drained(wring_session *session) {
    (void)session;
    w->drained++;
    return WRING_CONTINUE;
}

static const wring_handler handler = {.struct_size = sizeof handler,
                                      .name = "settings",
                                      .init = on_init,
                                      .handle_in = on_in,
                                      .handle_info = on_info,
                                      .terminate = on_terminate,
                                      .drained = on_drained};

/* ---- the reader ------------------------------------------------------------------------------ */

static void on_open(sim_client *client) {
    (void)client;
}

/* Keeps the numbers. */
static void on_message(sim_client *client, const wring_message *message) {
    (void)client;
    if (message->opcode == WRING_CLOSE) {
        w->close_code = message->close_code;
    } else if (message->opcode == WRING_TEXT) {
        char text[8] = {0};
        EXPECT(message->payload.len > 0 && w->count < SETTINGS_KEPT);
        memcpy(text, message->payload.data, wring__min_size(message->payload.len, sizeof text - 1));
        w->got[w->count++] = (unsigned)strtoul(text, NULL, 10);
    }
}

/* ---- for the cases --------------------------------------------------------------------------- */

void settings_step(bool awake) {
    wring__sim *world = w->run.world;
    const uint64_t before = wring__sim_activity(world);
    sim_run_workers(&w->run);
    if (awake) {
        sim_client_step(&w->reader);
    }
    if (before == wring__sim_activity(world)) {
        (void)wring__sim_advance(world);
    }
}

void settings_run(uint64_t ms, bool awake) {
    const wring_time_ns until = wring__sim_now(w->run.world) + ms * WRING_NS_PER_MS;
    for (unsigned round = 0; wring__sim_now(w->run.world) < until; round++) {
        EXPECT(round < 10000000);
        wring__sim_alarm(w->run.world, until);
        settings_step(awake);
    }
}

void settings_begin(uint64_t seed, const wring_policy *policy, const wring_topic_rule *rule) {
    wring_server_config config = {.workers = 1,
                                  .handler = &handler,
                                  .policy = policy,
                                  .topic_rules = rule,
                                  .topic_rule_count = rule != NULL};
    memset(w, 0, sizeof *w);
    sim_run_pipe_bytes = 128;
    sim_run_begin_config(&w->run, seed, &config);
    sim_client_init(&w->reader, &w->run);
    w->reader.on_open = on_open;
    w->reader.on_message = on_message;
    w->reader.must_deflate = true;
    for (unsigned round = 0; w->ref == 0 || w->reader.phase != CLIENT_OPEN; round++) {
        EXPECT(round < 1000);
        settings_run(1, true);
    }
}

void settings_end(void) {
    sim_client_cut(&w->reader, true);
    sim_run_end(&w->run);
    sim_run_pipe_bytes = 0;
    sim_client_deinit(&w->reader);
}

static wring_frame numbered(unsigned number, char text[SETTINGS_PAD + 1]) {
    snprintf(text, SETTINGS_PAD + 1, "%-*u", SETTINGS_PAD, number);
    return wring_frame_text(wring_bytes_of(text, SETTINGS_PAD));
}

void settings_publish(const char *topic, unsigned number) {
    char text[SETTINGS_PAD + 1];
    const wring_frame frame = numbered(number, text);
    EXPECT(wring_server_publish(w->run.server, wring_str(topic), &frame) == WRING_OK);
}

wring_result settings_send(unsigned number) {
    char text[SETTINGS_PAD + 1];
    const wring_frame frame = numbered(number, text);
    return wring_ref_send(w->ref, &frame, 1);
}

void settings_talk(unsigned number) {
    char text[SETTINGS_PAD + 1];
    sim_client_send(&w->reader, numbered(number, text));
}

void settings_policy(const wring_policy *policy) {
    EXPECT(wring_server_set_policy(w->run.server, NULL, policy, NULL) == WRING_OK);
}

void settings_rule(const wring_topic_rule *rule) {
    EXPECT(wring_server_set_topic_rules(w->run.server, rule, rule != NULL, NULL) == WRING_OK);
}

wring_server_stats settings_stats(void) {
    wring_server_stats stats = {.struct_size = sizeof stats};
    EXPECT(wring_server_get_stats(w->run.server, &stats) == WRING_OK);
    return stats;
}

void settings_in_order(unsigned at_least) {
    EXPECT(w->count >= at_least);
    for (unsigned i = 1; i < w->count; i++) {
        EXPECT(w->got[i] > w->got[i - 1]);
    }
}

void sim_settings(uint64_t seed) {
    sim_deflate = NULL;
    settings_cases[seed % settings_case_count](seed / settings_case_count);
}
