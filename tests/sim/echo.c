/* SPDX-License-Identifier: Apache-2.0
 *
 * Echo under faults: every client sends messages of all sizes and kinds and gets each back, whole
 * and in order. Some clients cut the connection half way; what they did get is a prefix, and the
 * others do not notice.
 */
#include <stdlib.h>

#include "tests/sim/sim_test.h"

#define CLIENTS_MAX  6
#define MESSAGES_MAX 20
#define SIZE_MAX_    6000

static wring_verdict echo_in(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_TEXT || message->opcode == WRING_BINARY) {
        wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
        wring_result result = wring_session_send(session, &frame);
        /* CLOSED only while the server drains: a client that was cut sent on into the dark */
        EXPECT(result == WRING_OK ||
               (result == WRING_ERR_CLOSED && sim_session_state(session) == WRING_MACHINE_CLOSING));
    }
    return WRING_CONTINUE;
}

static unsigned live; /* sessions between init and terminate */

static wring_verdict echo_init(wring_session *session, const wring_request *request, void *opts) {
    (void)opts;
    EXPECT(request->struct_size == sizeof *request);
    EXPECT(wring_bytes_equal(request->path, wring_str("/")));
    EXPECT(wring_session_ref(session) != WRING_REF_NONE);
    live++;
    return WRING_CONTINUE;
}

static void echo_terminate(wring_session *session, const wring_end *end) {
    (void)session;
    EXPECT(end->result == WRING_OK || end->result == WRING_ERR_TRUNCATED ||
           end->result == WRING_ERR_STREAM_RESET || end->result == WRING_ERR_TRANSPORT ||
           end->result == WRING_ERR_TIMEOUT);
    live--;
}

static const wring_handler echo = {.struct_size = sizeof echo,
                                   .name = "echo",
                                   .init = echo_init,
                                   .handle_in = echo_in,
                                   .terminate = echo_terminate};

struct echo_client {
    sim_client super;
    unsigned planned;
    unsigned sent;
    unsigned received;
    unsigned pongs;
    unsigned pings;
    unsigned cut_after; /* messages received before the connection is cut; 0: never */
    bool closing;
    struct {
        wring_opcode opcode;
        size_t len;
        uint8_t first; /* content: counts up from here */
    } messages[MESSAGES_MAX];
};

static void fill(uint8_t *data, size_t len, uint8_t first) {
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)((first + i) & 0x7F); /* ASCII, so that it is a text as well */
    }
}

static void send_some(struct echo_client *client) {
    uint8_t data[SIZE_MAX_];
    wring__sim *world = client->super.run->world;
    while (client->sent < client->planned && wring__sim_random(world, 4) != 0) {
        unsigned i = client->sent++;
        fill(data, client->messages[i].len, client->messages[i].first);
        wring_frame frame = {.opcode = client->messages[i].opcode,
                             .payload = wring_bytes_of(data, client->messages[i].len)};
        sim_client_send(&client->super, frame);
        if (wring__sim_random(world, 5) == 0) {
            wring_frame ping = {WRING_PING, 0, 0, wring_str("are you there")};
            sim_client_send(&client->super, ping);
            client->pings++;
        }
    }
}

static void on_open(sim_client *super) {
    send_some((struct echo_client *)super);
}

static void on_message(sim_client *super, const wring_message *message) {
    struct echo_client *client = (struct echo_client *)super;
    uint8_t want[SIZE_MAX_];
    if (message->opcode == WRING_PONG) {
        EXPECT(wring_bytes_equal(message->payload, wring_str("are you there")));
        client->pongs++;
        return;
    }
    if (message->opcode == WRING_CLOSE) {
        EXPECT(client->closing && message->close_code == 4321);
        return;
    }
    unsigned i = client->received++;
    EXPECT(i < client->sent);
    EXPECT(message->opcode == client->messages[i].opcode);
    EXPECT(message->payload.len == client->messages[i].len);
    fill(want, client->messages[i].len, client->messages[i].first);
    EXPECT(wring_bytes_equal(message->payload, wring_bytes_of(want, client->messages[i].len)));
}

static void plan(struct echo_client *client, sim_run *run) {
    static const size_t sizes[] = {0, 1, 20, 125, 126, 127, 500, SIZE_MAX_};
    memset(client, 0, sizeof *client);
    sim_client_init(&client->super, run);
    client->super.on_open = on_open;
    client->super.on_message = on_message;
    client->planned = 1 + (unsigned)wring__sim_random(run->world, MESSAGES_MAX);
    for (unsigned i = 0; i < client->planned; i++) {
        client->messages[i].opcode =
            wring__sim_random(run->world, 2) == 0 ? WRING_TEXT : WRING_BINARY;
        client->messages[i].len = sizes[wring__sim_random(run->world, WRING_ARRAY_LEN(sizes))];
        client->messages[i].first = (uint8_t)wring__sim_random(run->world, 128);
    }
    if (wring__sim_random(run->world, 4) == 0) {
        client->cut_after = 1 + (unsigned)wring__sim_random(run->world, client->planned);
    }
}

static void act(struct echo_client *client) {
    if (client->super.phase != CLIENT_OPEN || client->closing) {
        return;
    }
    if (client->cut_after > 0 && client->received >= client->cut_after) {
        sim_client_cut(&client->super, wring__sim_random(client->super.run->world, 2) == 0);
        return;
    }
    send_some(client);
    if (client->received == client->planned) {
        client->closing = true;
        wring_machine_close(client->super.machine, 4321, wring_str("done"));
    }
}

static bool is_over(const struct echo_client *clients, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        if (clients[i].super.phase != CLIENT_GONE) {
            return false;
        }
    }
    return true;
}

static void check(const struct echo_client *client) {
    if (client->cut_after > 0) {
        return; /* the prefix was checked message by message */
    }
    EXPECT(client->received == client->planned);
    EXPECT(client->pongs == client->pings);
    EXPECT(client->super.ended && client->super.end.result == WRING_OK);
    EXPECT(client->super.end.close_code == 4321 && !client->super.end.by_peer);
}

void sim_echo(uint64_t seed) {
    static struct echo_client clients[CLIENTS_MAX];
    sim_run run;
    live = 0;
    sim_run_begin(&run, seed, &echo, NULL, 2);
    unsigned count = 1 + (unsigned)wring__sim_random(run.world, CLIENTS_MAX);
    for (unsigned i = 0; i < count; i++) {
        plan(&clients[i], &run);
    }
    for (int round = 0; !is_over(clients, count); round++) {
        EXPECT(round < 1000000); /* with faults or without, all work finishes */
        uint64_t before = wring__sim_activity(run.world);
        sim_run_workers(&run);
        for (unsigned i = 0; i < count; i++) {
            act(&clients[i]);
            sim_client_step(&clients[i].super);
        }
        if (before == wring__sim_activity(run.world)) {
            (void)wring__sim_advance(run.world); /* false while a client has yet to send */
        }
    }
    sim_run_end(&run);
    EXPECT(live == 0);
    for (unsigned i = 0; i < count; i++) {
        check(&clients[i]);
        sim_client_deinit(&clients[i].super);
    }
}
