/* SPDX-License-Identifier: Apache-2.0
 *
 * A client whose handler pauses its session now and then, for longer than its pings may go
 * unanswered: nothing comes while it is paused, no timeout of its own ends it, and afterwards every
 * message is there, in order. Some are closed while they are paused: then the close handshake is
 * read. In calm weather, so that whatever ends a session is told by name.
 */
#include <stdio.h>

#include "tests/sim/client_test.h"
#include "wring/ref.h"

#define MESSAGES     40
#define PING_MS      500
#define PONG_MS      2000
#define PAUSE_MAX_NS (30 * WRING_NS_PER_SEC)

static struct pausing {
    client_world world;
    wring_client *client;
    wring_ref ref;
    uint8_t sent;
    wring_time_ns sent_at;
    unsigned received;
    unsigned closes_at; /* it is closed while it is paused at so many messages; MESSAGES: never */
    unsigned pauses;
    bool paused;
    bool asked; /* to resume, or to close */
    bool closed;
    wring_time_ns paused_at;
    wring_time_ns resume_at;
    wring_result result;
} p;

static unsigned paused_in_all;
static unsigned whole;

static wring_time_ns now(void) {
    return wring__sim_now(p.world.run.world);
}

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    p.ref = wring_session_ref(session);
    return WRING_CONTINUE;
}

static bool server_is_gone(void) {
    wring_server_stats stats = {.struct_size = sizeof stats};
    wring_server_get_stats(p.world.run.server, &stats);
    return stats.connections == 0;
}

static wring_verdict on_message(wring_session *session, const wring_message *message) {
    if (message->opcode != WRING_BINARY) {
        return WRING_CONTINUE;
    }
    /* What was received with the message before may still come, later ones may not; but when the
     * server is gone, what is here comes now or never. */
    EXPECT(!p.paused || p.asked || now() == p.paused_at || server_is_gone());
    EXPECT(message->payload.len == 1 && message->payload.data[0] == p.received);
    p.received++;
    if (!p.paused && client_random(&p.world, 4) == 0) {
        wring_session_pause(session);
        p.paused = true;
        p.asked = false;
        p.pauses++;
        p.paused_at = now();
        p.resume_at = now() + client_random(&p.world, PAUSE_MAX_NS);
    }
    return WRING_CONTINUE;
}

static wring_verdict on_info(wring_session *session, const wring_info *info) {
    (void)info;
    wring_session_resume(session);
    p.paused = false;
    return WRING_CONTINUE;
}

static void on_status(wring_client *client, const wring_client_report *report, void *opts) {
    (void)client;
    (void)opts;
    if (report->status == WRING_CLIENT_CLOSED) {
        p.closed = true;
        p.result = report->result;
    }
}

static const wring_handler handler = {.struct_size = sizeof handler,
                                      .name = "pausing",
                                      .init = on_init,
                                      .handle_in = on_message,
                                      .handle_info = on_info};

/* One message whenever the clock has moved, so that the echoes of some come to a paused session. */
static void send_one(void) {
    const wring_frame frame = {WRING_BINARY, 0, 0, wring_bytes_of(&p.sent, 1)};
    if (p.sent < MESSAGES && p.sent_at != now() &&
        wring_client_send(p.client, &frame, 1) == WRING_OK) {
        p.sent++;
        p.sent_at = now();
    }
}

static void act(void) {
    send_one();
    if (p.received == MESSAGES) {
        wring_client_close(p.client, WRING_CLOSE_NORMAL, wring_str(""));
    } else if (p.paused && !p.asked && now() >= p.resume_at) {
        const wring_info info = {0, NULL};
        p.asked = true;
        if (p.received >= p.closes_at) {
            wring_client_close(p.client, WRING_CLOSE_NORMAL, wring_str(""));
        } else {
            EXPECT(wring_ref_post(p.ref, &info, NULL) != WRING_ERR_QUEUE_FULL);
        }
    }
}

void sim_client_pause(uint64_t seed) {
    wring_error error;
    p = (struct pausing){.closes_at = MESSAGES};
    client_world_begin_calm(&p.world, seed);
    if (client_random(&p.world, 3) == 0) {
        p.closes_at = (unsigned)client_random(&p.world, MESSAGES);
    }
    char url[64];
    (void)snprintf(url, sizeof url, "ws://127.0.0.1:%u/", p.world.run.server->port);
    const wring_session_config session = {
        .struct_size = sizeof session, .ping_interval_ms = PING_MS, .pong_timeout_ms = PONG_MS};
    const wring_client_config config = {.struct_size = sizeof config,
                                        .handler = &handler,
                                        .on_status = on_status,
                                        .session = &session};
    EXPECT(wring_client_create(wring_pool_loop(p.world.pool), url, &config, &p.client, &error) ==
           WRING_OK);
    for (int round = 0; !p.closed; round++) {
        EXPECT(round < 1000000);
        const uint64_t before = wring__sim_activity(p.world.run.world);
        client_world_workers(&p.world);
        act();
        client_world_advance(&p.world, before);
    }
    /* The server ends some sessions: by a close, or when nobody reads that, by a reset. */
    EXPECT(p.result == WRING_OK || p.result == WRING_ERR_TRANSPORT ||
           p.result == WRING_ERR_TRUNCATED);
    paused_in_all += p.pauses;
    whole += p.received == MESSAGES;
    wring_client_destroy(p.client);
    client_world_end(&p.world);
}

void sim_client_pause_sum(uint64_t seeds) {
    EXPECT(seeds < 200 || (paused_in_all > seeds && whole > seeds / 3));
}
