/* SPDX-License-Identifier: Apache-2.0
 *
 * When a client comes back, in virtual time: growing delays with full jitter, beginning anew after
 * a stable session, up to a number of attempts; deadlines to the millisecond; the round trip of
 * keepalive pings. One client and one kind of server a run, in calm weather, so that every time is
 * known.
 */
#include <stdio.h>

#include "tests/sim/client_test.h"

#define ATTEMPTS 10
#define SESSIONS 4
#define PORT     20000

enum course { REFUSED, SILENT, STABLE, NEVER_STABLE, PINGS, COURSES };

static struct {
    uint64_t draws[4]; /* delays by the quarter of their bound they fell into */
    uint64_t total;
} jitter;

struct returning {
    struct watch watch;
    struct peer peer;
    enum course course;
};

static void on_change(struct watch *watch, const wring_client_report *report) {
    const struct returning *r = (const struct returning *)watch;
    if (report->status != WRING_CLIENT_WAITING) {
        return;
    }
    if (watch->bound_ms >= 100) { /* else a millisecond is too coarse */
        jitter.draws[(uint64_t)watch->delay_ms * 4 / (watch->bound_ms + 1u)]++;
        jitter.total++;
    }
    if (r->course == STABLE || r->course == PINGS) {
        EXPECT(watch->bound_ms == watch->config.reconnect_min_ms && report->attempt <= 1);
    } else { /* twice the last one, up to the longest */
        const uint64_t want = (uint64_t)watch->config.reconnect_min_ms << (watch->waits - 1);
        EXPECT(watch->bound_ms == wring__min_u64(want, watch->config.reconnect_max_ms));
        EXPECT(report->attempt == watch->waits);
    }
    if (r->course == PINGS) {
        EXPECT(watch->pongs == PEER_PONGS && wring_client_rtt_ns(watch->client) == PEER_PONG_NS);
    }
    if (watch->opens == SESSIONS) {
        watch_close(watch);
    }
}

static void plan(struct returning *r, client_world *world, uint64_t seed) {
    wring_client_config *config = &r->watch.config;
    char url[64];
    memset(r, 0, sizeof *r);
    r->course = (enum course)(seed % COURSES);
    r->watch.world = world;
    r->watch.on_change = on_change;
    config->handler = &watch_handler;
    config->handler_opts = &r->watch;
    config->reconnect_min_ms = 100 + (uint32_t)client_random(world, 400);
    config->reconnect_max_ms = 5000 + (uint32_t)client_random(world, 5000);
    uint16_t port = PORT;
    peer_init(&r->peer, world, PORT);
    switch (r->course) {
    case REFUSED:
        port = 7;
        r->watch.dial_result = WRING_ERR_CONNECT;
        config->reconnect_attempts = ATTEMPTS;
        break;
    case SILENT:
        port = WRING__SIM_SILENT_PORT;
        r->watch.dial_result = WRING_ERR_TIMEOUT;
        config->reconnect_attempts = ATTEMPTS;
        break;
    case STABLE:
    case NEVER_STABLE:
        r->watch.peer = &r->peer;
        r->peer.only = PEER_OPENS_AND_IS_SILENT;
        r->watch.session.idle_timeout_ms = PEER_IDLE_MS;
        config->reconnect_stable_ms = r->course == STABLE ? PEER_IDLE_MS : PEER_IDLE_MS + 100;
        config->reconnect_attempts = SESSIONS;
        break;
    case PINGS:
        r->watch.peer = &r->peer;
        r->peer.only = PEER_OPENS_AND_ANSWERS_PINGS_LATE;
        r->watch.session.idle_timeout_ms = PEER_IDLE_MS;
        r->watch.session.ping_interval_ms = PEER_PING_MS;
        config->reconnect_stable_ms = 1;
        break;
    case COURSES:
        break;
    }
    (void)snprintf(url, sizeof url, "ws://127.0.0.1:%u/", port);
    watch_connect(&r->watch, url);
}

static void check(const struct returning *r) {
    const struct watch *watch = &r->watch;
    switch (r->course) {
    case REFUSED:
    case SILENT:
        EXPECT(watch->attempt == ATTEMPTS && watch->waits == ATTEMPTS - 1 && watch->opens == 0);
        EXPECT(watch->last == watch->dial_result);
        break;
    case NEVER_STABLE:
        EXPECT(watch->attempt == SESSIONS && watch->opens == SESSIONS);
        EXPECT(watch->last == WRING_ERR_TIMEOUT);
        break;
    case STABLE:
    case PINGS: /* would go on for ever */
        EXPECT(watch->asked_to_close && watch->opens == SESSIONS && watch->waits == SESSIONS);
        break;
    case COURSES:
        break;
    }
}

void sim_reconnect(uint64_t seed) {
    static struct returning r;
    client_world world;
    client_world_begin_calm(&world, seed);
    plan(&r, &world, seed);
    for (int round = 0; !watch_is_over(&r.watch); round++) {
        EXPECT(round < 1000000);
        const uint64_t before = wring__sim_activity(world.run.world);
        client_world_workers(&world);
        peer_step(&r.peer);
        client_world_advance(&world, before);
    }
    check(&r);
    watch_give_up(&r.watch);
    peer_deinit(&r.peer);
    client_world_end(&world);
}

/* Full jitter: each quarter of the bound is as likely as the others. */
void sim_reconnect_sum(uint64_t seeds) {
    if (seeds < 200) {
        return;
    }
    for (unsigned i = 0; i < 4; i++) {
        EXPECT(jitter.draws[i] * 4 > jitter.total * 8 / 10);
        EXPECT(jitter.draws[i] * 4 < jitter.total * 12 / 10);
    }
}
