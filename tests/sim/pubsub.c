/* SPDX-License-Identifier: Apache-2.0
 *
 * Topics and refs under faults: sessions on several workers subscribe, unsubscribe, publish, send,
 * post, close and stop each other at random from every callback, and a foreign thread does so
 * between the turns, with refs that may be stale and mailboxes that may be full. The oracle knows
 * what each client has to receive; it must come whole, once and in order, up to the moment the
 * connection is cut, and all of it when a close frame ends it. `pubsub-slow` has clients that sleep
 * and low marks: what is missing then must have been counted by the policy.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/pubsub_oracle.h"
#include "wring/ref.h"

#define CLIENTS_MAX 6
#define LIST_MAX    3
#define CODE_FIRST  4000

static struct {
    sim_run *run;
    unsigned budget; /* actions left in this run: posts answer posts */
    unsigned begun;
    unsigned terminated;
    unsigned posted;
    unsigned handled;
    unsigned lost;
    unsigned slow_ended;
    uint64_t missing;         /* messages that clients missed whose connection ended in order */
    wring_slow_policy policy; /* WRING_SLOW_DEFAULT: the marks are never reached */
    bool draining; /* no client is left; the server closes with 1001 who has not noticed */
} world;

static struct pubsub_client {
    sim_client super;
    unsigned starts_at; /* round in which it dials */
    unsigned lives;     /* connections it will make after this one */
    unsigned planned;   /* messages it sends before it leaves */
    unsigned sleeps;    /* rounds in which it neither reads nor writes */
    bool knows_session;
    uint32_t session;
} clients[CLIENTS_MAX];

static uint32_t dice(uint32_t sides) {
    return (uint32_t)wring__sim_random(world.run->world, sides);
}

/* ---- actions --------------------------------------------------------------------------------- */

static wring_bytes topic_name(uint32_t topic) {
    static const char *const names[ORACLE_TOPICS] = {"a", "news/of the day", "\x01\xFF"};
    return wring_str(names[topic]);
}

static uint16_t any_code(void) {
    return (uint16_t)(CODE_FIRST + dice(100));
}

static void publish(wring_session *self, uint32_t self_index) {
    char text[ORACLE_TEXT_MAX];
    struct oracle_mail mail = {
        .kind = MAIL_PUBLISH, .session = ORACLE_NOBODY, .topic = dice(ORACLE_TOPICS)};
    mail.first_message = oracle_message(mail.topic);
    const wring_frame frame = wring_frame_text(oracle_text(mail.first_message, text));
    const bool not_self = self != NULL && dice(3) == 0;
    mail.session = not_self ? self_index : ORACLE_NOBODY;
    const wring_publish_options options = {
        .struct_size = sizeof options, .from = not_self ? self : NULL, .key = dice(3)};
    oracle_before(self_index);
    oracle_after(
        wring_server_publish_with(world.run->server, topic_name(mail.topic), &frame, &options),
        &mail);
}

/* One frame or a list, which may end with a close frame. */
static void send_some(uint32_t self, wring_ref ref, uint32_t to) {
    static char text[LIST_MAX][ORACLE_TEXT_MAX];
    wring_frame frames[LIST_MAX + 1];
    struct oracle_mail mail = {.kind = MAIL_SEND, .session = to, .count = 1 + dice(LIST_MAX)};
    for (uint32_t i = 0; i < mail.count; i++) {
        const uint32_t message = oracle_message(ORACLE_TOPICS);
        mail.first_message = i == 0 ? message : mail.first_message;
        frames[i] = wring_frame_text(oracle_text(message, text[i]));
    }
    uint32_t count = mail.count;
    if (dice(60) == 0 && world.policy == WRING_SLOW_DEFAULT) { /* dropped, it would close no one */
        mail.closes = true;
        mail.code = any_code();
        frames[count++] = (wring_frame){WRING_CLOSE, mail.code, 0, wring_str("by list")};
    }
    oracle_before(self);
    oracle_after(wring_ref_send(ref, frames, count), &mail);
}

static void on_lost(const wring_info *info) {
    EXPECT(info->tag == 77 && info->data == &world);
    world.lost++;
}

static void post(uint32_t self, wring_ref ref) {
    const wring_info info = {77, &world};
    const struct oracle_mail mail = {.kind = MAIL_OTHER, .session = ORACLE_NOBODY};
    oracle_before(self);
    const wring_result result = wring_ref_post(ref, &info, on_lost);
    oracle_after(result, &mail);
    world.posted += result == WRING_OK;
}

static void close_or_stop(uint32_t self, wring_ref ref, uint32_t whom) {
    struct oracle_mail mail = {.kind = MAIL_CLOSE, .session = whom, .code = any_code()};
    oracle_before(self);
    if (dice(2) == 0) {
        oracle_after(wring_ref_close(ref, mail.code, wring_str("by ref")), &mail);
    } else {
        mail.kind = MAIL_STOP;
        mail.code = WRING_CLOSE_NORMAL;
        oracle_after(wring_ref_stop(ref), &mail);
    }
}

/* A session that is or was, or now and then a number that never was one. */
static wring_ref any_ref(uint32_t *index) {
    const uint32_t count = oracle_session_count();
    if (count == 0 || dice(20) == 0) {
        *index = ORACLE_NOBODY;
        return wring__sim_random(world.run->world, 2) == 0 ? WRING_REF_NONE
                                                           : UINT64_C(0xFE00000100000001);
    }
    *index = dice(count);
    for (int i = 0; i < 6 && oracle_is_closed(*index); i++) { /* more often alive than stale */
        *index = dice(count);
    }
    return oracle_ref(*index);
}

/* What any thread may do. */
static void act_any_thread(wring_session *self, uint32_t self_index) {
    uint32_t index;
    const wring_ref ref = any_ref(&index);
    const uint32_t what = dice(60);
    if (what < 34) {
        publish(self, self_index);
    } else if (what < 50) {
        send_some(self_index, ref, index);
    } else if (what < 59) {
        post(self_index, ref);
    } else {
        close_or_stop(self_index, ref, index);
    }
}

/* What a session may do in its own callbacks; true: it stops. */
static bool act_self(wring_session *session, uint32_t index) {
    char text[ORACLE_TEXT_MAX];
    if (world.draining && sim_session_state(session) == WRING_MACHINE_CLOSING) {
        oracle_close(index, WRING_CLOSE_GOING_AWAY);
    }
    const uint32_t topic = dice(ORACLE_TOPICS);
    const bool over = sim_session_state(session) == WRING_MACHINE_CLOSED;
    const uint32_t what = dice(20);
    if (what < 9) {
        const wring_result result = wring_session_subscribe(session, topic_name(topic));
        EXPECT(result == (over ? WRING_ERR_INVALID_STATE : WRING_OK));
        oracle_subscribe(index, topic, result == WRING_OK);
    } else if (what < 13) {
        wring_session_unsubscribe(session, topic_name(topic));
        oracle_subscribe(index, topic, false);
    } else if (what < 18) {
        const uint32_t message = oracle_message(ORACLE_TOPICS);
        const wring_frame frame = wring_frame_text(oracle_text(message, text));
        const bool closed = oracle_is_closed(index);
        EXPECT(wring_session_send(session, &frame) ==
               (over || closed ? WRING_ERR_CLOSED : WRING_OK));
        oracle_reply(index, message);
    } else if (what == 18 && dice(6) == 0) {
        const uint16_t code = any_code();
        wring_session_close(session, code, wring_str("by itself"));
        oracle_close(index, code);
    } else if (dice(12) == 0) {
        oracle_close(index, WRING_CLOSE_NORMAL);
        return true;
    }
    return false;
}

static bool act(wring_session *session, uint32_t index) {
    bool stops = false;
    for (uint32_t i = dice(4); i > 0 && world.budget > 0 && !stops; i--) {
        world.budget--;
        if (dice(2) == 0) {
            stops = act_self(session, index);
        } else {
            act_any_thread(session, index);
        }
    }
    return stops;
}

/* ---- the application ------------------------------------------------------------------------- */

static uint32_t index_of(const wring_session *session) {
    return *(const uint32_t *)wring_session_user(session);
}

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    char text[32];
    (void)request;
    (void)opts;
    world.begun++;
    const uint32_t index = oracle_session_begin(session);
    *(uint32_t *)wring_session_user(session) = index;
    const int len = snprintf(text, sizeof text, "you are %u", index);
    const wring_frame frame = wring_frame_binary(wring_bytes_of(text, (size_t)len));
    EXPECT(wring_session_send(session, &frame) == WRING_OK);
    return act(session, index) ? WRING_STOP : WRING_CONTINUE;
}

static wring_verdict on_in(wring_session *session, const wring_message *message) {
    if (message->opcode != WRING_TEXT) {
        return WRING_CONTINUE;
    }
    return act(session, index_of(session)) ? WRING_STOP : WRING_CONTINUE;
}

static wring_verdict on_info(wring_session *session, const wring_info *info) {
    EXPECT(info->tag == 77 && info->data == &world);
    world.handled++;
    return act(session, index_of(session)) ? WRING_STOP : WRING_CONTINUE;
}

static wring_verdict on_drained(wring_session *session) {
    EXPECT(wring_session_queued_bytes(session) <=
           sim_run_policy(world.run)->config.send_soft_bytes);
    return act(session, index_of(session)) ? WRING_STOP : WRING_CONTINUE;
}

static void on_end(wring_session *session, const wring_end *end) {
    const bool slow = end->result == WRING_ERR_SLOW_CONSUMER;
    EXPECT(end->result == WRING_OK || end->result == WRING_ERR_TRUNCATED ||
           end->result == WRING_ERR_STREAM_RESET || end->result == WRING_ERR_TRANSPORT ||
           end->result == WRING_ERR_TIMEOUT || (slow && world.policy == WRING_SLOW_DISCONNECT));
    world.slow_ended += slow;
    world.terminated++;
    oracle_session_end(index_of(session));
    (void)act(session, index_of(session)); /* too late for itself, not for others */
}

static const wring_handler pubsub = {.struct_size = sizeof pubsub,
                                     .name = "pubsub",
                                     .state_size = sizeof(uint32_t),
                                     .init = on_init,
                                     .handle_in = on_in,
                                     .handle_info = on_info,
                                     .drained = on_drained,
                                     .terminate = on_end};

/* ---- clients --------------------------------------------------------------------------------- */

static void client_open(sim_client *super) {
    (void)super;
}

static void client_message(sim_client *super, const wring_message *message) {
    struct pubsub_client *client = (struct pubsub_client *)super;
    char text[32] = {0};
    if (message->opcode == WRING_BINARY) {
        EXPECT(!client->knows_session && message->payload.len < sizeof text);
        memcpy(text, message->payload.data, message->payload.len);
        EXPECT(sscanf(text, "you are %u", &client->session) == 1);
        client->knows_session = true;
    } else if (message->opcode == WRING_TEXT) {
        EXPECT(client->knows_session);
        oracle_received(client->session, message->payload);
    }
}

static void client_begin(struct pubsub_client *client, unsigned starts_at) {
    const unsigned lives = client->lives;
    memset(client, 0, sizeof *client);
    sim_client_init(&client->super, world.run);
    client->super.on_open = client_open;
    client->super.on_message = client_message;
    client->starts_at = starts_at;
    client->lives = lives;
    client->planned = 5 + dice(60);
}

/* Its connection is over: if a close frame ended it, everything was before that. */
static void client_end(struct pubsub_client *client) {
    const sim_client *super = &client->super;
    if (super->ended && super->end.result == WRING_OK) {
        EXPECT(client->knows_session);
        const bool cut_off = super->end.close_code == WRING_CLOSE_POLICY_VIOLATION;
        EXPECT(!cut_off || world.policy == WRING_SLOW_DISCONNECT);
        world.missing += cut_off ? 0 : oracle_missing(client->session);
        const uint16_t code = oracle_close_code(client->session);
        EXPECT(code == 0 || !super->end.by_peer || super->end.close_code == code);
    }
    sim_client_deinit(&client->super);
}

static void client_act(struct pubsub_client *client) {
    if (client->super.phase != CLIENT_OPEN ||
        wring_machine_get_state(client->super.machine) != WRING_MACHINE_OPEN) {
        return;
    }
    const uint32_t what = dice(40);
    if (client->planned == 0) {
        wring_machine_close(client->super.machine, 3999, wring_str(""));
    } else if (what < 8) {
        client->planned--;
        sim_client_send(&client->super, wring_frame_text(wring_str("go")));
    } else if (what == 8 && dice(20) == 0) {
        sim_client_cut(&client->super, dice(2) == 0);
    }
}

static bool client_is_done(struct pubsub_client *client, unsigned round) {
    if (client->super.phase == CLIENT_GONE && client->lives > 0) {
        client_end(client);
        client->lives--;
        client_begin(client, round + dice(50));
    }
    return client->super.phase == CLIENT_GONE;
}

/* ---- the run --------------------------------------------------------------------------------- */

static bool round_run(unsigned count, unsigned round) {
    bool done = true;
    const uint64_t before = wring__sim_activity(world.run->world);
    sim_run_workers(world.run);
    for (unsigned i = 0; i < count; i++) {
        client_act(&clients[i]);
        if (world.policy != WRING_SLOW_DEFAULT && dice(40) == 0) {
            clients[i].sleeps = dice(200);
        }
        clients[i].sleeps -= clients[i].sleeps > 0;
        if (clients[i].starts_at <= round && clients[i].sleeps == 0) {
            sim_client_step(&clients[i].super);
        }
        done = client_is_done(&clients[i], round) && done;
    }
    if (dice(2) == 0 && world.budget > 0) { /* a foreign thread */
        world.budget--;
        act_any_thread(NULL, ORACLE_NOBODY);
    }
    if (before == wring__sim_activity(world.run->world)) {
        (void)wring__sim_advance(world.run->world); /* false while a client has yet to come */
    }
    return done;
}

/* A server that is told to drain must have room for being told. */
static void mailboxes_empty(void) {
    for (bool left = true; left;) {
        left = false;
        sim_run_workers(world.run);
        for (uint32_t i = 0; i < world.run->server->config.workers; i++) {
            wring__mailbox *box = &world.run->server->workers[i].io.mailbox;
            left = left || atomic_load(&box->tail) != box->head;
        }
    }
}

static void server_begin(sim_run *run, uint64_t seed) {
    static const uint32_t mailboxes[] = {2, 4, 16, 4096};
    wring_policy policy = {.struct_size = sizeof policy};
    wring_server_config config = {.handler = &pubsub,
                                  .policy = &policy,
                                  .workers = 1 + (uint32_t)(seed % ORACLE_WORKERS),
                                  .mailbox_items = mailboxes[seed / 7 % 4]};
    if (world.policy == WRING_SLOW_DEFAULT) {
        policy.send_soft_bytes = UINT32_MAX;
        policy.send_hard_bytes = UINT64_C(2) * UINT32_MAX;
    } else {
        policy.slow_policy = world.policy;
        policy.send_soft_bytes = 100 + seed / 3 % 7 * 150;
        policy.send_hard_bytes = policy.send_soft_bytes + 1 + seed / 5 % 5 * 400;
    }
    sim_run_begin_config(run, seed, &config);
}

static void check_counters(const wring_server_stats *stats) {
    const uint64_t dropped =
        stats->dropped_newest + stats->dropped_oldest + stats->dropped_replaced;
    /* not more than was counted; between being found slow and being ended a session may still be
     * closed by another, and then the close code does not tell */
    EXPECT(world.policy == WRING_SLOW_DISCONNECT || world.missing <= dropped);
    EXPECT(stats->slow_ended <= world.slow_ended);
    EXPECT(world.policy != WRING_SLOW_DEFAULT || dropped + stats->slow_ended == 0);
    EXPECT(world.policy != WRING_SLOW_DISCONNECT || dropped == 0);
}

static void run_with(uint64_t seed, wring_slow_policy policy, enum oracle_slack slack) {
    sim_run run;
    wring_server_stats stats = {.struct_size = sizeof stats};
    memset(&world, 0, sizeof world);
    world.run = &run;
    world.policy = policy;
    server_begin(&run, seed);
    oracle_begin(&run, slack);
    world.budget = 200 + dice(1500);
    const unsigned count = 2 + dice(CLIENTS_MAX - 1);
    for (unsigned i = 0; i < count; i++) {
        clients[i].lives = dice(6);
        client_begin(&clients[i], dice(100));
    }
    for (unsigned round = 0; !round_run(count, round); round++) {
        EXPECT(round < 1000000); /* with faults or without, all of them come to an end */
    }
    mailboxes_empty();
    wring_server_get_stats(run.server, &stats);
    for (unsigned i = 0; i < count; i++) {
        client_end(&clients[i]);
    }
    check_counters(&stats);
    world.draining = true;
    sim_run_end(&run);
    EXPECT(world.begun == world.terminated);
    EXPECT(world.posted == world.handled + world.lost);
    oracle_end();
}

void sim_pubsub(uint64_t seed) {
    run_with(seed, WRING_SLOW_DEFAULT, ORACLE_EXACT);
}

void sim_pubsub_slow(uint64_t seed) {
    static const struct {
        wring_slow_policy policy;
        enum oracle_slack slack;
    } variants[] = {{WRING_SLOW_DISCONNECT, ORACLE_GAPS},
                    {WRING_SLOW_DROP_NEWEST, ORACLE_GAPS},
                    {WRING_SLOW_DROP_OLDEST, ORACLE_OVERTAKEN},
                    {WRING_SLOW_KEEP_LATEST, ORACLE_OVERTAKEN}};
    const uint64_t i = seed / 2 % WRING_ARRAY_LEN(variants);
    run_with(seed, variants[i].policy, variants[i].slack);
}
