/* SPDX-License-Identifier: Apache-2.0
 *
 * Chat under faults: what one client says reaches every client on every worker, in the speaker's
 * order, without gap or repetition, from the moment the client has joined. Clients come late, leave
 * early and cut connections.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/sim_test.h"

#define CLIENTS_MAX 6
#define LINES_MAX   12

static sim_run *current;
static unsigned live;

static wring_verdict chat_init(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    live++;
    EXPECT(wring_session_subscribe(session, wring_str("room")) == WRING_OK);
    EXPECT(wring_session_subscribe(session, wring_str("room")) == WRING_OK); /* twice is once */
    wring_frame joined = wring_frame_text(wring_str("joined"));
    EXPECT(wring_session_send(session, &joined) == WRING_OK);
    return WRING_CONTINUE;
}

static wring_verdict chat_in(wring_session *session, const wring_message *message) {
    (void)session;
    if (message->opcode == WRING_TEXT) {
        wring_frame frame = wring_frame_text(message->payload);
        EXPECT(wring_server_publish(current->server, wring_str("room"), &frame) == WRING_OK);
    }
    return WRING_CONTINUE;
}

static void chat_terminate(wring_session *session, const wring_end *end) {
    (void)session;
    (void)end;
    live--;
}

static const wring_handler chat = {.struct_size = sizeof chat,
                                   .name = "chat",
                                   .init = chat_init,
                                   .handle_in = chat_in,
                                   .terminate = chat_terminate};

struct chat_client {
    sim_client super;
    unsigned index;
    unsigned planned;
    unsigned said;
    unsigned starts_at; /* round in which it dials */
    bool joined;
    bool cuts; /* goes without a close when half its lines are said */
    bool closing;
    unsigned said_at_join[CLIENTS_MAX]; /* what each had said when this one was in */
    bool heard_any[CLIENTS_MAX];
    unsigned heard_first[CLIENTS_MAX];
    unsigned heard_next[CLIENTS_MAX];
};

static struct chat_client clients[CLIENTS_MAX];
static unsigned client_count;

static void on_open(sim_client *super) {
    (void)super;
}

static void on_joined(struct chat_client *client) {
    client->joined = true;
    for (unsigned i = 0; i < client_count; i++) {
        client->said_at_join[i] = clients[i].said;
    }
}

static void on_message(sim_client *super, const wring_message *message) {
    struct chat_client *client = (struct chat_client *)super;
    char text[64] = {0};
    unsigned from;
    unsigned line;
    if (message->opcode != WRING_TEXT) {
        return;
    }
    EXPECT(message->payload.len < sizeof text);
    memcpy(text, message->payload.data, message->payload.len);
    if (strcmp(text, "joined") == 0) {
        EXPECT(!client->joined);
        on_joined(client);
        return;
    }
    EXPECT(sscanf(text, "%u says %u", &from, &line) == 2 && from < client_count);
    EXPECT(line < clients[from].said); /* nothing is heard that was not said */
    if (!client->heard_any[from]) {
        client->heard_any[from] = true;
        client->heard_first[from] = line;
        client->heard_next[from] = line;
    }
    EXPECT(line == client->heard_next[from]); /* no gap, no repetition, in order */
    client->heard_next[from]++;
}

static void say(struct chat_client *client) {
    char text[64];
    int len = snprintf(text, sizeof text, "%u says %u", client->index, client->said++);
    sim_client_send(&client->super, wring_frame_text(wring_bytes_of(text, (size_t)len)));
}

static void act(struct chat_client *client) {
    if (client->super.phase != CLIENT_OPEN || !client->joined) {
        return;
    }
    wring__sim *world = client->super.run->world;
    if (client->cuts && client->said * 2 >= client->planned) {
        sim_client_cut(&client->super, wring__sim_random(world, 2) == 0);
    } else if (client->said < client->planned && wring__sim_random(world, 3) == 0) {
        say(client);
    }
}

/* How far the ones who stayed have heard `from`; UINT32_MAX while they disagree. */
static unsigned heard_by_all(unsigned from) {
    unsigned heard = UINT32_MAX;
    bool first = true;
    for (unsigned i = 0; i < client_count; i++) {
        if (clients[i].cuts) {
            continue;
        }
        unsigned next = clients[i].heard_any[from] ? clients[i].heard_next[from]
                                                   : clients[i].said_at_join[from];
        if (!first && next != heard) {
            return UINT32_MAX;
        }
        heard = next;
        first = false;
    }
    return first ? 0 : heard;
}

static bool all_is_heard(void) {
    for (unsigned i = 0; i < client_count; i++) {
        const struct chat_client *client = &clients[i];
        bool done = client->cuts ? client->super.phase == CLIENT_GONE
                                 : client->joined && client->said == client->planned;
        if (!done || (!client->cuts && heard_by_all(i) != client->planned)) {
            return false;
        }
    }
    return true;
}

static void check(const struct chat_client *client) {
    for (unsigned i = 0; i < client_count; i++) {
        if (client->cuts || !client->heard_any[i]) {
            continue;
        }
        EXPECT(client->heard_first[i] <= client->said_at_join[i]); /* nothing missed once in */
        EXPECT(clients[i].cuts || client->heard_next[i] == clients[i].planned);
    }
    EXPECT(client->cuts || (client->super.ended && client->super.end.close_code == 1000));
}

static void round_run(sim_run *run, unsigned round) {
    uint64_t before = wring__sim_activity(run->world);
    sim_run_workers(run);
    for (unsigned i = 0; i < client_count; i++) {
        act(&clients[i]);
        if (clients[i].starts_at <= round) {
            sim_client_step(&clients[i].super);
        }
    }
    if (before == wring__sim_activity(run->world)) {
        /* false only while a client has yet to speak or to come */
        (void)wring__sim_advance(run->world);
    }
}

static bool all_are_gone(void) {
    for (unsigned i = 0; i < client_count; i++) {
        if (clients[i].super.phase != CLIENT_GONE) {
            return false;
        }
    }
    return true;
}

void sim_chat(uint64_t seed) {
    sim_run run;
    current = &run;
    live = 0;
    sim_run_begin(&run, seed, &chat, NULL, 1 + (uint32_t)(seed % 4));
    client_count = 2 + (unsigned)wring__sim_random(run.world, CLIENTS_MAX - 1);
    for (unsigned i = 0; i < client_count; i++) {
        memset(&clients[i], 0, sizeof clients[i]);
        sim_client_init(&clients[i].super, &run);
        clients[i].super.on_open = on_open;
        clients[i].super.on_message = on_message;
        clients[i].index = i;
        clients[i].planned = (unsigned)wring__sim_random(run.world, LINES_MAX);
        clients[i].starts_at = (unsigned)wring__sim_random(run.world, 200);
        clients[i].cuts = i > 0 && wring__sim_random(run.world, 4) == 0;
    }
    unsigned round = 0;
    for (; !all_is_heard(); round++) {
        EXPECT(round < 1000000);
        round_run(&run, round);
    }
    for (unsigned i = 0; i < client_count; i++) {
        if (clients[i].super.phase == CLIENT_OPEN) {
            wring_machine_close(clients[i].super.machine, 1000, wring_str(""));
        }
    }
    for (; !all_are_gone(); round++) {
        EXPECT(round < 2000000);
        round_run(&run, round);
    }
    sim_run_end(&run);
    EXPECT(live == 0);
    for (unsigned i = 0; i < client_count; i++) {
        check(&clients[i]);
        sim_client_deinit(&clients[i].super);
    }
}
