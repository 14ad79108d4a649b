/* SPDX-License-Identifier: Apache-2.0
 *
 * C14 of the attack classes, the CPU asymmetry of compression: peers send messages that make a
 * thousand times the bytes received, and a bystander on the same worker is answered as if they did
 * not. Counted in turns and bytes, at the end of each turn: what a connection and what all of them
 * had inflated. Some bombs are cut or closed half way; nothing is left of them.
 */
#include <stdlib.h>

#include "server/peer.h"
#include "tests/sim/sim_test.h"
#include "wring/ref.h"

#define BOMBERS     12 /* more than are inflated at the same time */
#define PLACES      8
#define BOMB_BYTES  200000
#define SHARE       2000 /* so that a bomb takes a hundred turns */
#define BY_MESSAGES 10
#define BY_TURNS_MAX                                                                               \
    4 /* from sent to answered, in fair weather; one for a message in two buffers */

static struct {
    wring_ref bombers[BOMBERS];
    unsigned bombs_shown;
    unsigned by_shown;
    bool closes; /* the server closes bombers half way */
} app;

/* ---- the server ------------------------------------------------------------------------------ */

static wring_verdict bomb_shown(wring_session *session, const wring_message *message) {
    app.bombs_shown++;
    EXPECT(message->payload.len == BOMB_BYTES);
    for (size_t i = 0; i < BOMB_BYTES; i++) {
        EXPECT(message->payload.data[i] == (i % 1000 == 0 ? 'x' : 'o'));
    }
    const wring_frame answer = {WRING_BINARY, 0, 0, wring_str("seen")};
    wring_result result = wring_session_send(session, &answer);
    EXPECT(result == WRING_OK || result == WRING_ERR_CLOSED);
    return WRING_CONTINUE;
}

static wring_verdict bombs_in(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_BINARY) {
        for (unsigned i = 0; i < BOMBERS; i++) { /* "here I am" comes before the bomb */
            if (app.bombers[i] == WRING_REF_NONE) {
                app.bombers[i] = wring_session_ref(session);
                break;
            }
        }
        return WRING_CONTINUE;
    }
    if (message->opcode != WRING_TEXT) {
        return WRING_CONTINUE;
    }
    if (message->payload.len > 1000) {
        return bomb_shown(session, message);
    }
    const wring_frame answer = {WRING_TEXT, 0, WRING_COMPRESS_ALWAYS, message->payload};
    EXPECT(wring_session_send(session, &answer) == WRING_OK);
    if (++app.by_shown == BY_MESSAGES / 2 && app.closes) {
        for (unsigned i = 0; i < BOMBERS; i += 3) {
            wring_result result = wring_ref_close(app.bombers[i], 4000, wring_str("enough"));
            EXPECT(result == WRING_OK || result == WRING_ERR_CLOSED);
        }
    }
    return WRING_CONTINUE;
}

static const wring_handler handler = {
    .struct_size = sizeof handler, .name = "bombs", .handle_in = bombs_in};

/* ---- the clients ----------------------------------------------------------------------------- */

struct bomber {
    sim_client super;
    bool thrown;
};

static void bomber_open(sim_client *super) {
    const wring_frame here = {WRING_BINARY, 0, WRING_COMPRESS_NEVER, wring_str("here I am")};
    sim_client_send(super, here);
}

static void bomber_message(sim_client *super, const wring_message *message) {
    if (message->opcode == WRING_BINARY) {
        wring_machine_close(super->machine, 1000, wring_str(""));
    }
}

static void bomber_act(struct bomber *bomber) {
    if (bomber->super.phase != CLIENT_OPEN || bomber->thrown) {
        return;
    }
    static uint8_t bomb[BOMB_BYTES];
    for (size_t i = 0; i < BOMB_BYTES; i++) {
        bomb[i] = i % 1000 == 0 ? 'x' : 'o';
    }
    const wring_frame frame = {WRING_TEXT, 0, WRING_COMPRESS_ALWAYS,
                               wring_bytes_of(bomb, BOMB_BYTES)};
    sim_client_send(&bomber->super, frame);
    bomber->thrown = true;
    if (wring__sim_random(bomber->super.run->world, 2) == 0) { /* more input behind the bomb */
        const wring_frame ping = {WRING_PING, 0, 0, wring_str("?")};
        sim_client_send(&bomber->super, ping);
    }
}

struct bystander {
    sim_client super;
    unsigned sent, answered;
    int sent_at;
    int slowest;
    int round;
    unsigned bombs_before; /* shown when the last answer came */
};

static void bystander_open(sim_client *super) {
    (void)super;
}

static void bystander_message(sim_client *super, const wring_message *message) {
    struct bystander *by = (struct bystander *)super;
    if (message->opcode == WRING_TEXT) {
        EXPECT(wring_bytes_equal(message->payload, wring_str("hello, hello, hello, hello")));
        by->answered++;
        by->bombs_before = app.bombs_shown;
        by->slowest = by->round - by->sent_at > by->slowest ? by->round - by->sent_at : by->slowest;
    }
}

static void bystander_act(struct bystander *by, bool bombs_burn, int round) {
    by->round = round;
    if (by->super.phase != CLIENT_OPEN || by->sent > by->answered || !bombs_burn) {
        return;
    }
    if (by->answered == BY_MESSAGES) {
        wring_machine_close(by->super.machine, 1000, wring_str(""));
        return;
    }
    const wring_frame frame = {WRING_TEXT, 0, WRING_COMPRESS_ALWAYS,
                               wring_str("hello, hello, hello, hello")};
    sim_client_send(&by->super, frame);
    by->sent++;
    by->sent_at = round;
}

/* ---- what a turn may inflate ----------------------------------------------------------------- */

struct look {
    size_t before[2 * BOMBERS + 4]; /* by slot: inflated when the last turn ended. A connection that
                                       carries streams has a slot too */
    unsigned burning;               /* messages that are inflated over several turns */
    size_t turn;                    /* inflated for them in this turn */
    bool takeover;
};

static void look_at(wring__endpoint *end, void *arg) {
    struct look *look = arg;
    const wring__peer *peer = wring__peer_of_end(end);
    const wring__rx *rx = peer == NULL ? NULL : peer->stream.session.machine.rx;
    EXPECT(end->slot < WRING_ARRAY_LEN(look->before));
    const size_t now = rx == NULL ? 0 : rx->inflation.out.len;
    size_t *before = &look->before[end->slot];
    const size_t more = now > *before ? now - *before : 0;
    EXPECT(more <= SHARE); /* of one connection in one turn */
    look->turn += more;
    look->burning += rx != NULL && rx->inflation.has_place;
    EXPECT(now == 0 || rx->inflation.has_place || (look->takeover && now <= SHARE));
    *before = now;
}

static void look_after_turn(struct look *look, sim_run *run) {
    look->burning = 0;
    look->turn = 0;
    wring__worker_each(&run->server->workers[0].io, look_at, look);
    EXPECT(look->burning <= PLACES);
    /* those with a place; with takeover each may have had its first share as well */
    EXPECT(look->turn <= SHARE * (look->takeover ? PLACES + BOMBERS : PLACES));
}

/* ---- the scenario ---------------------------------------------------------------------------- */

static const wring_deflate_config *deflate_make(wring_deflate_config *config, bool takeover) {
    *config = (wring_deflate_config){.struct_size = sizeof *config,
                                     .server_context_takeover = takeover,
                                     .client_context_takeover = takeover,
                                     .message_bytes_min = 8,
                                     .takeover_idle_ms = 5,
                                     .inflate_turn_bytes = SHARE};
    return config;
}

static bool is_over(const struct bomber *bombers, const struct bystander *by) {
    bool over = by->super.phase == CLIENT_GONE;
    for (unsigned i = 0; i < BOMBERS; i++) {
        over &= bombers[i].super.phase == CLIENT_GONE;
    }
    return over;
}

static void clients_begin(struct bomber *bombers, struct bystander *by, sim_run *run) {
    memset(&app, 0, sizeof app);
    memset(bombers, 0, BOMBERS * sizeof *bombers);
    memset(by, 0, sizeof *by);
    for (unsigned i = 0; i < BOMBERS; i++) {
        sim_client_init(&bombers[i].super, run);
        bombers[i].super.must_deflate = true;
        bombers[i].super.on_open = bomber_open;
        bombers[i].super.on_message = bomber_message;
    }
    sim_client_init(&by->super, run);
    by->super.on_open = bystander_open;
    by->super.on_message = bystander_message;
}

static void clients_step(struct bomber *bombers, struct bystander *by, bool burn, int round) {
    wring__sim *world = by->super.run->world;
    for (unsigned i = 0; i < BOMBERS; i++) {
        bomber_act(&bombers[i]);
        if (app.closes && i % 4 == 1 && burn && wring__sim_random(world, 30) == 0) {
            sim_client_cut(&bombers[i].super, wring__sim_random(world, 2) == 0);
        }
        sim_client_step(&bombers[i].super);
    }
    bystander_act(by, burn || app.bombs_shown > 0, round);
    sim_client_step(&by->super);
}

void sim_bombs(uint64_t seed) {
    static struct bomber bombers[BOMBERS];
    static struct bystander by;
    wring_deflate_config config;
    sim_run run;
    sim_run_calm = seed % 2 == 0;
    const wring_deflate_config *before = sim_deflate;
    struct look look = {.takeover = seed % 4 >= 2};
    sim_deflate = deflate_make(&config, look.takeover);
    sim_run_begin(&run, seed, &handler, NULL, 1);
    clients_begin(bombers, &by, &run);
    app.closes = !sim_run_calm;
    for (int round = 0; !is_over(bombers, &by); round++) {
        EXPECT(round < 1000000);
        const uint64_t activity = wring__sim_activity(run.world);
        sim_run_workers(&run);
        look_after_turn(&look, &run);
        clients_step(bombers, &by, look.burning == PLACES, round);
        if (activity == wring__sim_activity(run.world)) {
            (void)wring__sim_advance(run.world);
        }
    }
    EXPECT(by.answered == BY_MESSAGES);
    if (sim_run_calm) { /* all of its answers came while the first bombs were still burning */
        /* with fewer it waits for one while the last bombs still come */
        const bool has_buffers = run.server->config.receive_buffers > 2;
        EXPECT(by.bombs_before == 0 && (!has_buffers || by.slowest <= BY_TURNS_MAX));
        EXPECT(app.bombs_shown == BOMBERS);
    }
    sim_run_end(&run);
    for (unsigned i = 0; i < BOMBERS; i++) {
        sim_client_deinit(&bombers[i].super);
    }
    sim_client_deinit(&by.super);
    sim_run_calm = false;
    sim_deflate = before;
}
