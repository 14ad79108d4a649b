/* SPDX-License-Identifier: Apache-2.0
 *
 * Which connections of HTTP/2 a crowd of clients makes, in calm weather and virtual time, where
 * every number is known: one for all, as many as their limits ask for, none for whom the server has
 * no WebSockets over HTTP/2. And what becomes of the crowd when its connection ends.
 */
#include <stdio.h>

#include "tests/certs/certs.h"
#include "tests/sim/backend/sim_world.h"
#include "tests/sim/client_test.h"

#define CROWD   9
#define IDLE_MS 700

enum course {
    ALL_SHARE,      /* one connection, closed IDLE_MS after the last session */
    AT_MOST_TWO,    /* by the clients' own limit */
    SERVER_REFUSES, /* it takes two sessions, and says so by refusing the third */
    NO_WEBSOCKETS,  /* required: a typed error */
    FALLS_BACK,   /* not required: HTTP/1.1, and the second half of the crowd does not ask again */
    HAS_NO_HTTP2, /* the same where ALPN says so */
    REQUIRES_HTTP2,  /* ... and required */
    IS_CUT,          /* the connection breaks: all come back, on one other */
    GOES_AWAY,       /* the server drains, with an order to all: nobody is left */
    FALLS_SILENT,    /* the connection seems dead: who comes back has another one */
    IS_SILENT,       /* nobody answers the dial: each has its own timeout */
    IS_OTHER_SERVER, /* cleartext, and the server has HTTP/1.1 only */
    COURSES
};

static struct crowd {
    client_world world;
    enum course course;
    wring_http2_config server;
    wring_http2_config client;
    wring_client *clients[CROWD];
    wring_client_status status[CROWD];
    wring_client_report last[CROWD];
    unsigned opens[CROWD];
    unsigned created, closed, sessions;
    unsigned opens_sum;
    bool was_cut;
} crowd;

static bool has_tls(enum course course) {
    return course == FALLS_BACK || course == HAS_NO_HTTP2 || course == REQUIRES_HTTP2 ||
           (course == ALL_SHARE && sim_seed % 2 == 1);
}

static const wring__h2_counters *counters(void) {
    static const wring__h2_counters none;
    const wring__h2_counters *c = wring__trunk_counters(&crowd.world.pool->workers[0].io);
    return c == NULL ? &none : c;
}

/* ---- the clients ----------------------------------------------------------------------------- */

static bool has_fallen_back(void) {
    return crowd.course == FALLS_BACK || crowd.course == HAS_NO_HTTP2;
}

static void on_status(wring_client *client, const wring_client_report *report, void *opts) {
    const size_t i = (size_t)(uintptr_t)opts;
    (void)client;
    crowd.status[i] = report->status;
    crowd.last[i] = *report;
    const uint32_t version = has_fallen_back() ? 11 : 20;
    EXPECT(report->http_version == (report->status == WRING_CLIENT_OPEN ? version : 0));
    if (report->status == WRING_CLIENT_OPEN) {
        crowd.opens[i]++;
        crowd.opens_sum++;
    }
    crowd.closed += report->status == WRING_CLIENT_CLOSED;
}

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    (void)session;
    (void)opts;
    EXPECT(wring_bytes_equal(request->method, wring_str(has_fallen_back() ? "GET" : "CONNECT")));
    crowd.sessions++;
    return WRING_CONTINUE;
}

static void on_terminate(wring_session *session, const wring_end *end) {
    (void)session;
    (void)end;
    crowd.sessions--;
}

static void client_create(size_t i) {
    static const wring_handler handler = {
        .struct_size = sizeof handler, .name = "crowd", .init = on_init, .terminate = on_terminate};
    const bool tls = has_tls(crowd.course);
    const wring_tls_client_config tls_config = {.struct_size = sizeof tls_config,
                                                .ca_file = cert_path("ca.pem")};
    const wring_session_config session = {
        .struct_size = sizeof session,
        .idle_timeout_ms = crowd.course == FALLS_SILENT ? 2000 : 0,
    };
    const uint16_t port = crowd.course == IS_SILENT ? WRING__SIM_SILENT_PORT : crowd.world.run.port;
    const wring_client_config config = {
        .struct_size = sizeof config,
        .handler = &handler,
        .on_status = on_status,
        .on_status_opts = (void *)(uintptr_t)i,
        .connect_timeout_ms = 3000 + (uint32_t)i * 500,
        .tls = tls ? &tls_config : NULL,
        .http2 = &crowd.client,
        .session = &session,
        .reconnect_min_ms = crowd.course == IS_CUT || crowd.course == FALLS_SILENT ? 100 : 0,
    };
    char url[64];
    wring_error error;
    (void)snprintf(url, sizeof url, "%s://127.0.0.1:%u/", tls ? "wss" : "ws", port);
    EXPECT(wring_client_create(wring_pool_loop(crowd.world.pool), url, &config, &crowd.clients[i],
                               &error) == WRING_OK);
    crowd.clients[i]->random = client_random(&crowd.world, UINT64_MAX); /* its jitter replays */
    crowd.created++;
}

/* ---- turns ----------------------------------------------------------------------------------- */

static void turn(void) {
    const uint64_t before = wring__sim_activity(crowd.world.run.world);
    client_world_workers(&crowd.world);
    client_world_advance(&crowd.world, before);
}

static unsigned count_of(wring_client_status status) {
    unsigned count = 0;
    for (size_t i = 0; i < crowd.created; i++) {
        count += crowd.clients[i] != NULL && crowd.status[i] == status;
    }
    return count;
}

static void until(wring_client_status status, unsigned count) {
    for (int round = 0; count_of(status) < count; round++) {
        EXPECT(round < 1000000);
        turn();
    }
}

static void close_all(void) {
    for (size_t i = 0; i < crowd.created; i++) {
        wring_client_close(crowd.clients[i], 4000, wring_str("done"));
    }
    until(WRING_CLIENT_CLOSED, crowd.created);
}

/* ---- the courses ----------------------------------------------------------------------------- */

static void begin(enum course course, uint64_t seed) {
    crowd = (struct crowd){.course = course};
    crowd.server = (wring_http2_config){.struct_size = sizeof crowd.server, .cleartext = true};
    crowd.client = crowd.server;
    crowd.client.idle_timeout_ms = IDLE_MS;
    crowd.client.sessions_max = course == AT_MOST_TWO ? 2 : 0;
    crowd.client.required = course == REQUIRES_HTTP2;
    crowd.server.sessions_max = course == SERVER_REFUSES ? 2 : 0;
    crowd.server.no_websockets = course == NO_WEBSOCKETS || course == FALLS_BACK;
    const bool none =
        course == HAS_NO_HTTP2 || course == REQUIRES_HTTP2 || course == IS_OTHER_SERVER;
    client_world_begin_http2_calm(&crowd.world, seed, none ? NULL : &crowd.server, has_tls(course));
}

static void expect_all(wring_result result) {
    for (size_t i = 0; i < crowd.created; i++) {
        EXPECT(crowd.last[i].result == result && crowd.opens[i] == 0);
    }
}

/* They come one after the other, or together, by the seed. */
static void create(size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        client_create(i);
        if (client_random(&crowd.world, 2) == 0) {
            turn();
        }
    }
}

static void expect_opened(unsigned connections) {
    create(0, CROWD);
    until(WRING_CLIENT_OPEN, CROWD);
    EXPECT(crowd.sessions == CROWD && counters()->connections == connections);
    EXPECT(counters()->closed == 0);
    close_all();
    EXPECT(crowd.sessions == 0 && counters()->streams >= CROWD);
}

static void expect_idle_close(void) {
    const wring_time_ns since = wring__sim_now(crowd.world.run.world);
    while (counters()->closed < counters()->connections) {
        turn();
    }
    const wring_duration_ns took = wring__sim_now(crowd.world.run.world) - since;
    EXPECT(took >= IDLE_MS * WRING_NS_PER_MS && took <= 2 * WRING_NS_PER_SEC);
}

static void all_share(void) {
    expect_opened(1);
    expect_idle_close();
}

static void server_refuses(void) {
    create(0, CROWD);
    until(WRING_CLIENT_OPEN, CROWD);
    EXPECT(counters()->connections == (CROWD + 1) / 2);
    close_all();
}

static void no_websockets(void) {
    create(0, CROWD);
    until(WRING_CLIENT_CLOSED, CROWD);
    expect_all(WRING_ERR_PEER_NO_CONNECT_PROTOCOL);
    EXPECT(counters()->streams == 0);
}

/* @param connections  of HTTP/2, in which they found out */
static void falls_back(unsigned connections) {
    create(0, CROWD / 2);
    until(WRING_CLIENT_OPEN, CROWD / 2);
    create(CROWD / 2, CROWD);
    until(WRING_CLIENT_OPEN, CROWD);
    EXPECT(counters()->connections == connections && counters()->streams == 0);
    for (size_t i = 0; i < CROWD; i++) {
        EXPECT(crowd.last[i].http_status == 101);
    }
    close_all();
}

static void is_cut(void) {
    create(0, CROWD);
    until(WRING_CLIENT_OPEN, CROWD);
    EXPECT(counters()->connections == 1);
    EXPECT(wring__sim_cut(crowd.world.run.world));
    until(WRING_CLIENT_WAITING, 1);
    until(WRING_CLIENT_OPEN, CROWD);
    EXPECT(counters()->connections == 2 && crowd.opens_sum == 2 * CROWD);
    close_all();
}

static void falls_silent(void) {
    create(0, CROWD);
    until(WRING_CLIENT_OPEN, CROWD);
    crowd.world.is_frozen = true;
    while (count_of(WRING_CLIENT_OPEN) > 0) {
        turn();
    }
    crowd.world.is_frozen = false;
    until(WRING_CLIENT_OPEN, CROWD);
    EXPECT(counters()->connections == 2 && crowd.opens_sum == 2 * CROWD);
    close_all();
}

static void goes_away(void) {
    create(0, CROWD);
    until(WRING_CLIENT_OPEN, CROWD);
    wring__server_drain(crowd.world.run.server, 1000);
    until(WRING_CLIENT_CLOSED, CROWD);
    for (size_t i = 0; i < CROWD; i++) {
        EXPECT(crowd.last[i].by_peer && crowd.last[i].close_code == WRING_CLOSE_GOING_AWAY);
    }
}

static void is_silent(void) {
    const wring_time_ns since = wring__sim_now(crowd.world.run.world);
    for (size_t i = 0; i < CROWD; i++) {
        client_create(i);
    }
    for (unsigned i = 1; i <= CROWD; i++) {
        until(WRING_CLIENT_CLOSED, i);
        const wring_duration_ns took = wring__sim_now(crowd.world.run.world) - since;
        EXPECT(took >= (2500 + i * 500) * WRING_NS_PER_MS);
        EXPECT(took <= (2510 + i * 500) * WRING_NS_PER_MS);
    }
    expect_all(WRING_ERR_TIMEOUT);
}

static void course_run(void) {
    switch (crowd.course) {
    case ALL_SHARE:
        all_share();
        break;
    case AT_MOST_TWO:
        expect_opened((CROWD + 1) / 2);
        break;
    case SERVER_REFUSES:
        server_refuses();
        break;
    case NO_WEBSOCKETS:
        no_websockets();
        break;
    case FALLS_BACK:
        falls_back(1);
        break;
    case HAS_NO_HTTP2:
        falls_back(0);
        break;
    case REQUIRES_HTTP2:
        create(0, CROWD);
        until(WRING_CLIENT_CLOSED, CROWD);
        expect_all(WRING_ERR_PEER_NO_CONNECT_PROTOCOL);
        break;
    case IS_CUT:
        is_cut();
        break;
    case FALLS_SILENT:
        falls_silent();
        break;
    case GOES_AWAY:
        goes_away();
        break;
    case IS_SILENT:
        is_silent();
        break;
    case IS_OTHER_SERVER:
        create(0, CROWD);
        until(WRING_CLIENT_CLOSED, CROWD);
        expect_all(WRING_ERR_BAD_HTTP2);
        break;
    case COURSES:
        break;
    }
}

void sim_client_trunks(uint64_t seed) {
    begin((enum course)(seed % COURSES), seed);
    course_run();
    for (size_t i = 0; i < crowd.created; i++) {
        wring_client_destroy(crowd.clients[i]);
    }
    client_world_end(&crowd.world);
    EXPECT(crowd.closed == crowd.created && crowd.sessions == 0);
}
