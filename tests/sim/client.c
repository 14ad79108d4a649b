/* SPDX-License-Identifier: Apache-2.0
 *
 * The product's client under faults: some talk to the product's server and get every message back,
 * whole and in order; some meet servers that are wrong, refuse or say nothing; some read by the
 * blocking style's inbox; any may be closed or given up at any time, from outside or in a callback.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/certs/certs.h"
#include "tests/sim/client_test.h"
#include "wring/ref.h"

#define SUBJECTS_MAX 4
#define SHARERS_MAX  10
#define MESSAGES_MAX 12
#define SIZE_MOST    700
#define PORT_REFUSED 7
#define PORT_PEERS   20000
#define OPENS_MAX    3
#define INBOX_MOST   60 /* the clock stands still while it talks */
#define LIFE_MAX_NS  (90 * WRING_NS_PER_SEC)

enum subject_kind { TALKS, READS_ITS_INBOX, MEETS_A_PEER, IS_REFUSED, IS_NOT_ANSWERED, KINDS };

struct subject {
    struct watch watch;
    struct peer peer;
    enum subject_kind kind;
    unsigned planned, sent, received; /* of the session at hand */
    unsigned opens_most;
    wring_time_ns end_at; /* closed from outside by then */
    bool gives_up;
    unsigned posted, handled;
    uint64_t echo_count; /* READS_ITS_INBOX: the last number that came back */
    unsigned gaps;
};

static unsigned posts_lost;

/* ---- messages -------------------------------------------------------------------------------- */

/* What the message number `index` of a session is: anyone can tell by looking at it. */
static size_t message_fill(const struct subject *s, unsigned index, uint8_t *out) {
    const unsigned open = s->watch.opens;
    const size_t len = (index * 131u + open * 17u) % SIZE_MOST;
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)('0' + (index * 7 + open + i) % 64);
    }
    return len;
}

static wring_frame message_frame(const struct subject *s, unsigned index, uint8_t *data) {
    const size_t len = message_fill(s, index, data);
    const wring_bytes payload = wring_bytes_of(data, len);
    return index % 2 == 0 ? wring_frame_text(payload) : wring_frame_binary(payload);
}

static void message_check(struct subject *s, const wring_message *message) {
    uint8_t want[SIZE_MOST];
    EXPECT(s->received < s->sent);
    const wring_frame frame = message_frame(s, s->received, want);
    EXPECT(message->opcode == frame.opcode);
    EXPECT(wring_bytes_equal(message->payload, frame.payload));
    s->received++;
}

static void send_some(struct subject *s, wring_session *session) {
    uint8_t data[SIZE_MOST];
    while (s->sent < s->planned && client_random(s->watch.world, 3) != 0) {
        const wring_frame frame = message_frame(s, s->sent, data);
        const wring_result result = session != NULL ? wring_session_send(session, &frame)
                                                    : wring_client_send(s->watch.client, &frame, 1);
        if (result != WRING_OK) {
            EXPECT(result == WRING_ERR_CLOSED || result == WRING_ERR_QUEUE_FULL);
            return;
        }
        s->sent++;
    }
}

/* ---- the sessions ---------------------------------------------------------------------------- */

static void on_session(struct watch *watch, wring_session *session) {
    struct subject *s = (struct subject *)watch;
    s->sent = 0;
    s->received = 0;
    if (s->kind == TALKS) {
        send_some(s, session);
    }
}

/* All is said: one of the ways to end a session. */
static wring_verdict end_somehow(struct subject *s, wring_session *session) {
    struct watch *watch = &s->watch;
    switch (client_random(watch->world, watch->opens >= s->opens_most ? 2 : 5)) {
    case 0:
        watch_close(watch);
        return WRING_CONTINUE;
    case 1:
        watch_give_up(watch);
        return WRING_CONTINUE;
    case 2:
        watch_session_closes(watch);
        return WRING_STOP;
    default:
        watch_session_closes(watch);
        wring_session_close(session, 4321, wring_str("done"));
        return WRING_CONTINUE;
    }
}

static wring_verdict talk(struct subject *s, wring_session *session, const wring_message *message) {
    message_check(s, message);
    send_some(s, session);
    if (s->sent < s->planned && s->received == s->sent) {
        s->planned = s->sent; /* the seed is not in the mood for more */
    }
    return s->received == s->planned ? end_somehow(s, session) : WRING_CONTINUE;
}

static wring_verdict meet(struct subject *s, wring_session *session, const wring_message *message) {
    const char want[2] = {'m', (char)('0' + s->watch.seen)};
    EXPECT(message->opcode == WRING_TEXT && s->watch.seen < PEER_MESSAGES);
    EXPECT(wring_bytes_equal(message->payload, wring_bytes_of(want, 2)));
    s->watch.seen++;
    if (s->watch.seen == PEER_MESSAGES && s->peer.behaviour == PEER_OPENS_AND_ECHOES_NO_CLOSE) {
        watch_session_closes(&s->watch);
        wring_session_close(session, 4321, wring_str("done"));
    }
    return WRING_CONTINUE;
}

static wring_verdict on_message(struct watch *watch, wring_session *session,
                                const wring_message *message) {
    struct subject *s = (struct subject *)watch;
    if (message->opcode != WRING_TEXT && message->opcode != WRING_BINARY) {
        return WRING_CONTINUE;
    }
    return s->kind == TALKS ? talk(s, session, message) : meet(s, session, message);
}

static wring_verdict on_info(wring_session *session, const wring_info *info) {
    struct subject *s = info->data;
    EXPECT(*(struct watch **)wring_session_user(session) == &s->watch && s->watch.in_session);
    s->handled++;
    return WRING_CONTINUE;
}

static void on_lost(const wring_info *info) {
    (void)info;
    posts_lost++;
}

/* What a peer did, seen to its end: all messages before it were shown. */
static void check_peer_session(const struct subject *s, const wring_client_report *report) {
    const enum behaviour behaviour = s->peer.behaviour;
    const bool undisturbed =
        !s->watch.asked_to_close && report->result == behaviour_facts[behaviour].first;
    if (!undisturbed || s->watch.world->cuts) {
        return;
    }
    if (behaviour == PEER_OPENS_AND_ENDS || behaviour == PEER_OPENS_AND_MASKS ||
        behaviour == PEER_OPENS_WITH_BAD_UTF8 || behaviour == PEER_OPENS_AND_CLOSES ||
        behaviour == PEER_OPENS_AND_ECHOES_NO_CLOSE) {
        EXPECT(s->watch.seen == PEER_MESSAGES);
    }
    if (behaviour == PEER_OPENS_AND_CLOSES) {
        EXPECT(report->close_code == PEER_CLOSE);
    }
    if (behaviour == PEER_OPENS_AND_ANSWERS_PINGS_LATE) {
        const uint64_t rtt = wring_client_rtt_ns(s->watch.client);
        EXPECT(s->watch.pongs == PEER_PONGS && report->close_code == PEER_CLOSE);
        EXPECT(rtt >= PEER_PONG_NS && rtt <= PEER_PONG_NS + 500 * WRING_NS_PER_MS);
        EXPECT(!s->watch.world->calm || rtt == PEER_PONG_NS);
    }
}

static void on_change(struct watch *watch, const wring_client_report *report) {
    struct subject *s = (struct subject *)watch;
    const bool over =
        report->status == WRING_CLIENT_WAITING || report->status == WRING_CLIENT_CLOSED;
    if (over && s->kind == MEETS_A_PEER && report->http_status == 101) {
        check_peer_session(s, report);
    }
    if (report->status != WRING_CLIENT_CLOSED && watch->client != NULL &&
        client_random(watch->world, 40) == 0) {
        watch_give_up(watch); /* from its own callback */
    }
    if (report->status == WRING_CLIENT_WAITING && watch->opens >= s->opens_most) {
        watch_close(watch);
    }
}

/* ---- the subjects ---------------------------------------------------------------------------- */

static void plan_config(struct subject *s, client_world *world) {
    wring_client_config *config = &s->watch.config;
    static wring_handler handler;
    handler = watch_handler;
    handler.handle_info = on_info;
    config->handler = s->kind == READS_ITS_INBOX ? NULL : &handler;
    config->handler_opts = &s->watch;
    config->inbox_bytes = 1000;
    config->handshake_bytes_max = PEER_HEAD_MAX;
    if (s->kind == MEETS_A_PEER) {
        s->watch.session.idle_timeout_ms = PEER_IDLE_MS;
        s->watch.session.ping_interval_ms = PEER_PING_MS;
    }
    if (client_random(world, 4) != 0) {
        config->reconnect_min_ms = 1 + (uint32_t)client_random(world, 500);
        config->reconnect_max_ms = 2000;
        config->reconnect_attempts = 1 + (uint32_t)client_random(world, 5);
        config->reconnect_stable_ms = client_random(world, 2) == 0 ? 1 : 0;
    }
}

/* Nearly all of them share what there is to share; some do not, and some have a limit of two. */
static void http2_plan(struct subject *s, client_world *world, unsigned number,
                       wring_http2_config *http2) {
    *http2 = (wring_http2_config){.struct_size = sizeof *http2, .cleartext = true};
    http2->sessions_max = number % 4 == 3 ? 2 : 0;
    http2->window_bytes = client_random(world, 8) == 0 ? 64 : 0;
    http2->idle_timeout_ms = client_random(world, 8) == 0 ? WRING_OFF : 0;
    http2->resets_per_second = WRING_UNLIMITED;
    http2->controls_per_second = WRING_UNLIMITED;
    if (client_random(world, 10) != 0) {
        s->watch.config.http2 = http2;
    }
}

static void plan(struct subject *s, client_world *world, unsigned number, bool tls) {
    wring_tls_client_config tls_config = {.struct_size = sizeof tls_config};
    wring_http2_config http2;
    char url[64];
    uint16_t port = world->run.port;
    memset(s, 0, sizeof *s);
    s->watch.world = world;
    s->watch.on_session = on_session;
    s->watch.on_message = on_message;
    s->watch.on_change = on_change;
    s->kind = client_random(world, 2) == 0 ? TALKS : (enum subject_kind)client_random(world, KINDS);
    s->planned = 1 + (unsigned)client_random(world, MESSAGES_MAX);
    s->opens_most = 1 + (unsigned)client_random(world, OPENS_MAX);
    s->end_at = WRING_TIME_NEVER;
    if (s->kind == READS_ITS_INBOX || client_random(world, 2) == 0) {
        s->end_at = wring__sim_now(world->run.world) +
                    client_random(world, UINT64_C(1) << client_random(world, 27) << 10);
    }
    s->end_at = wring__min_u64(s->end_at, wring__sim_now(world->run.world) + LIFE_MAX_NS);
    wring__sim_alarm(world->run.world, s->end_at);
    s->gives_up = client_random(world, 2) == 0;
    if (s->kind == MEETS_A_PEER) {
        port = (uint16_t)(PORT_PEERS + number);
        peer_init(&s->peer, world, port);
        s->peer.tls = tls;
        s->watch.peer = &s->peer;
    } else if (s->kind == IS_REFUSED) {
        port = PORT_REFUSED;
        s->watch.dial_result = WRING_ERR_CONNECT;
    } else if (s->kind == IS_NOT_ANSWERED) {
        port = WRING__SIM_SILENT_PORT;
        s->watch.dial_result = WRING_ERR_TIMEOUT;
    }
    plan_config(s, world);
    if (world->shares && s->kind != MEETS_A_PEER) {
        http2_plan(s, world, number, &http2);
    }
    if (tls) {
        tls_config.ca_file = cert_path("ca.pem");
        s->watch.config.tls = &tls_config;
    }
    (void)snprintf(url, sizeof url, "%s://127.0.0.1:%u/", tls ? "wss" : "ws", port);
    watch_connect(&s->watch, url);
}

/* The blocking style: what was sent in one session comes back in order, none twice. */
static void inbox_act(struct subject *s) {
    wring_message message;
    if (client_random(s->watch.world, 3) != 0) {
        return; /* so that the inbox fills */
    }
    while (wring_client_receive(s->watch.client, 0, &message) == WRING_OK) {
        uint64_t number;
        EXPECT(message.opcode == WRING_BINARY && message.payload.len >= sizeof number);
        memcpy(&number, message.payload.data, sizeof number);
        EXPECT(number > s->echo_count && number <= s->sent);
        if (number > s->echo_count + 1) { /* what a session had not given back when it ended */
            EXPECT(++s->gaps < s->watch.opens);
        }
        s->echo_count = number;
        s->received++;
    }
    if (s->watch.status == WRING_CLIENT_OPEN && s->sent < INBOX_MOST) {
        uint8_t data[300] = {0};
        const uint64_t number = s->sent + 1;
        memcpy(data, &number, sizeof number);
        const wring_frame frame = {WRING_BINARY, 0, 0, wring_bytes_of(data, sizeof data)};
        s->sent += wring_client_send(s->watch.client, &frame, 1) == WRING_OK;
    }
}

static void act(struct subject *s) {
    struct watch *watch = &s->watch;
    wring__sim *sim = watch->world->run.world;
    if (s->kind == MEETS_A_PEER) {
        peer_step(&s->peer);
    }
    if (watch_is_over(watch) || watch->client == NULL) {
        return;
    }
    if (wring__sim_now(sim) >= s->end_at && !watch->asked_to_close) {
        if (s->gives_up) {
            watch_give_up(watch);
            return;
        }
        watch_close(watch);
    }
    if (s->kind == READS_ITS_INBOX) {
        inbox_act(s);
    } else if (client_random(watch->world, 50) == 0) {
        const wring_info info = {1, s};
        s->posted += wring_ref_post(wring_client_ref(watch->client), &info, on_lost) == WRING_OK;
    }
}

static bool all_over(const struct subject *subjects, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        if (!watch_is_over(&subjects[i].watch)) {
            return false;
        }
    }
    return true;
}

static void alarms_set(const struct subject *subjects, unsigned count, wring__sim *sim) {
    for (unsigned i = 0; i < count; i++) {
        const struct subject *s = &subjects[i];
        if (s->end_at > wring__sim_now(sim)) {
            wring__sim_alarm(sim, s->end_at);
        }
        if (s->kind == MEETS_A_PEER && s->peer.socket != WRING__SOCKET_NONE &&
            s->peer.pong_at != WRING_TIME_NEVER) {
            wring__sim_alarm(sim, s->peer.pong_at);
        }
    }
}

static void run(uint64_t seed, bool tls, bool shares) {
    static struct subject subjects[SHARERS_MAX];
    client_world world;
    if (shares) {
        client_world_begin_http2(&world, seed, tls);
    } else {
        client_world_begin(&world, seed, tls);
    }
    posts_lost = 0;
    const unsigned count = 1 + (unsigned)client_random(&world, shares ? SHARERS_MAX : SUBJECTS_MAX);
    for (unsigned i = 0; i < count; i++) {
        plan(&subjects[i], &world, i, tls);
    }
    for (int round = 0; !all_over(subjects, count); round++) {
        EXPECT(round < 1000000);
        const uint64_t before = wring__sim_activity(world.run.world);
        client_world_workers(&world);
        for (unsigned i = 0; i < count; i++) {
            act(&subjects[i]);
        }
        if (world.cuts && client_random(&world, 300) == 0) {
            (void)wring__sim_cut(world.run.world);
        }
        alarms_set(subjects, count, world.run.world);
        client_world_advance(&world, before);
    }
    unsigned unaccounted = 0;
    for (unsigned i = 0; i < count; i++) {
        struct subject *s = &subjects[i];
        watch_give_up(&s->watch);
        if (s->kind == MEETS_A_PEER) {
            peer_deinit(&s->peer);
        }
    }
    client_world_end(&world);
    for (unsigned i = 0; i < count; i++) {
        const struct subject *s = &subjects[i];
        EXPECT(s->watch.closes == 1 && !s->watch.in_session);
        unaccounted += s->posted - s->handled;
    }
    EXPECT(unaccounted == posts_lost); /* every post was handled or told as lost, once */
}

void sim_the_client(uint64_t seed) {
    run(seed, false, false);
}

void sim_the_client_with_tls(uint64_t seed) {
    run(seed, true, false);
}

void sim_the_client_http2(uint64_t seed) {
    run(seed, false, true);
}

void sim_the_client_http2_tls(uint64_t seed) {
    run(seed, true, true);
}

/* Connections were shared, by clients that went on others as well. */
void sim_the_client_http2_sum(uint64_t seeds) {
    const wring__h2_counters *c = &client_world_http2;
    EXPECT(seeds < 20 || (c->connections > seeds && c->streams > c->connections * 5 / 4));
}
