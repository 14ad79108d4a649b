/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole server and its clients in a simulated world: wherever memory is out, somebody is told,
 * and the process, and whoever did not need that memory, go on.
 */
#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "client/pool.h"
#include "tests/sim/backend/sim.h"
#include "server/server.h"
#include "tests/certs/certs.h"
#include "tests/torture/torture.h"

#define CLIENTS  2
#define MESSAGES 3
#define ROUNDS   200000

static struct {
    wring__sim *sim;
    wring_server *server;
    wring_pool *pool;
    bool tls;
    const wring_deflate_config *deflate; /* NULL: none */
    const wring_http2_config *http2;     /* NULL: none */
    bool worked;                         /* server and clients were made */
    bool still;
    int sessions;
    wring_result told; /* the first bad news */
} world;

static struct talker {
    wring_client *client;
    unsigned received;
    bool closed;
} talkers[CLIENTS];

static void note(wring_result result) {
    if (result != WRING_OK && world.told == WRING_OK) {
        world.told = result;
    }
}

/* ---- the server ------------------------------------------------------------------------------ */

static wring_verdict server_init(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    world.sessions++;
    note(wring_session_subscribe(session, wring_str("news")));
    return WRING_CONTINUE;
}

static wring_verdict server_in(wring_session *session, const wring_message *message) {
    if (message->opcode != WRING_TEXT) {
        return WRING_CONTINUE;
    }
    const wring_frame echo = wring_frame_text(message->payload);
    const wring_frame news = wring_frame_binary(message->payload);
    const wring_result result = wring_session_send(session, &echo);
    note(result);
    note(wring_server_publish(world.server, wring_str("news"), &news));
    return result == WRING_OK ? WRING_CONTINUE : WRING_STOP;
}

static void server_terminate(wring_session *session, const wring_end *end) {
    (void)session;
    world.sessions--;
    note(end->result);
}

static const wring_handler server_handler = {.struct_size = sizeof server_handler,
                                             .name = "server",
                                             .state_size = 40,
                                             .init = server_init,
                                             .handle_in = server_in,
                                             .terminate = server_terminate};

static wring_result server_begin(void) {
    const wring_tls_server_config tls = {.struct_size = sizeof tls,
                                         .cert_file = cert_path("server.pem"),
                                         .key_file = cert_path("server.key")};
    const wring_session_config session = {.struct_size = sizeof session, .idle_timeout_ms = 3000};
    const wring_policy policy = {
        .struct_size = sizeof policy, .session = &session, .deflate = world.deflate};
    const wring_server_config config = {
        .struct_size = sizeof config,
        .workers = 1,
        .handler = &server_handler,
        .receive_buffers = 4,
        .receive_buffer_bytes = 700, /* the longest message straddles */
        .policy = &policy,
        .tls = world.tls ? &tls : NULL,
        .http2 = world.http2,
    };
    wring_error error = {0};
    wring_result result = wring_server_create(&config, &world.server, &error);
    if (result == WRING_OK) {
        wring__server_set_backend(world.server, wring__sim_backend(world.sim));
        result = wring_server_start(world.server, &error);
    }
    CHECK(result == WRING_OK || error.text[0] != 0);
    return result;
}

/* ---- the clients ----------------------------------------------------------------------------- */

static wring_verdict talk_init(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    static uint8_t data[3000];
    static const size_t sizes[MESSAGES] = {10, 3000, 200};
    (void)opts;
    for (int i = 0; i < MESSAGES; i++) {
        memset(data, 'a' + i, sizes[i]);
        const wring_frame frame = wring_frame_text(wring_bytes_of(data, sizes[i]));
        const wring_result result = wring_session_send(session, &frame);
        note(result);
        if (result != WRING_OK) {
            return WRING_STOP;
        }
    }
    return WRING_CONTINUE;
}

static wring_verdict talk_in(wring_session *session, const wring_message *message) {
    struct talker *talker = wring_session_opts(session);
    if (message->opcode == WRING_TEXT) {
        CHECK(message->payload.data[0] == 'a' + talker->received); /* in order, none left out */
        if (++talker->received == MESSAGES) {
            wring_session_close(session, WRING_CLOSE_NORMAL, wring_str("done"));
        }
    }
    return WRING_CONTINUE;
}

static const wring_handler talk_handler = {
    .struct_size = sizeof talk_handler, .name = "talker", .init = talk_init, .handle_in = talk_in};

static void on_status(wring_client *client, const wring_client_report *report, void *opts) {
    (void)client;
    struct talker *talker = opts;
    if (report->status == WRING_CLIENT_CLOSED) {
        CHECK(!talker->closed);
        talker->closed = true;
        note(report->result);
    }
}

static wring_result talker_begin(struct talker *talker) {
    const wring_tls_client_config tls = {.struct_size = sizeof tls, .ca_file = cert_path("ca.pem")};
    const wring_session_config session = {.struct_size = sizeof session, .idle_timeout_ms = 4000};
    const wring_client_config config = {
        .struct_size = sizeof config,
        .handler = &talk_handler,
        .handler_opts = talker,
        .session = &session,
        .tls = world.tls ? &tls : NULL,
        .deflate = world.deflate,
        .http2 = world.http2,
        .on_status = on_status,
        .on_status_opts = talker,
    };
    char url[64];
    wring_error error = {0};
    (void)snprintf(url, sizeof url, "%s://127.0.0.1:%u/", world.tls ? "wss" : "ws",
                   wring_server_port(world.server));
    const wring_result result =
        wring_client_create(wring_pool_loop(world.pool), url, &config, &talker->client, &error);
    CHECK(result == WRING_OK || error.text[0] != 0);
    talker->closed = result != WRING_OK;
    return result;
}

/* ---- the run --------------------------------------------------------------------------------- */

static wring__server_worker *server_worker(void) {
    return &world.server->workers[0];
}

static void round_run(void) {
    const uint64_t before = wring__sim_activity(world.sim);
    if (world.server != NULL && wring_server_port(world.server) != 0 &&
        !wring__server_worker_is_done(server_worker())) {
        CHECK(wring__worker_turn(&server_worker()->io, WRING_TIME_NEVER) == WRING_OK);
    }
    if (world.pool != NULL && !wring__pool_is_done(world.pool)) {
        CHECK(wring__worker_turn(&world.pool->workers[0].io, WRING_TIME_NEVER) == WRING_OK);
    }
    const bool moved = before != wring__sim_activity(world.sim);
    if (!moved && world.still) {
        (void)wring__sim_advance(world.sim);
    }
    world.still = !moved;
}

static bool all_closed(void) {
    for (int i = 0; i < CLIENTS; i++) {
        if (!talkers[i].closed) {
            return false;
        }
    }
    return true;
}

static void work(void) {
    wring_error error = {0};
    const wring_pool_config config = {
        .struct_size = sizeof config, .receive_buffers = 4, .receive_buffer_bytes = 500};
    wring_result result =
        wring__pool_create_on(&config, wring__sim_backend(world.sim), &world.pool, &error);
    note(result);
    world.worked = result == WRING_OK;
    for (int i = 0; i < CLIENTS && result == WRING_OK; i++) {
        note(talker_begin(&talkers[i]));
    }
    for (int round = 0; result == WRING_OK && !all_closed(); round++) {
        CHECK(round < ROUNDS);
        round_run();
    }
}

/* What the case is for was done. */
static void deflate_check(void) {
    wring_deflate_stats deflate = {.struct_size = sizeof deflate};
    wring_server_stats stats = {.struct_size = sizeof stats, .deflate = &deflate};
    wring_server_get_stats(world.server, &stats);
    CHECK(deflate.rx_interrupted > 0 && deflate.tx_messages > 0);
    CHECK(stats.deflate_published > 0);
}

static void end(void) {
    if (world.deflate != NULL && world.told == WRING_OK && !torture_struck()) {
        deflate_check();
    }
    for (int i = 0; i < CLIENTS; i++) {
        wring_client_destroy(talkers[i].client);
    }
    if (world.pool != NULL) {
        wring__pool_drain(world.pool, 1000);
    }
    for (int round = 0; world.pool != NULL && !wring__pool_is_done(world.pool); round++) {
        CHECK(round < ROUNDS);
        round_run();
    }
    if (wring_server_port(world.server) != 0) {
        wring__server_drain(world.server, 1000);
        for (int round = 0; !wring__server_worker_is_done(server_worker()); round++) {
            CHECK(round < ROUNDS);
            round_run();
        }
        wring_server_stop(world.server, 0);
    }
    wring_pool_destroy(world.pool, 0);
    wring_server_destroy(world.server);
}

static wring_result run(bool tls, const wring_deflate_config *deflate,
                        const wring_http2_config *http2) {
    const wring__sim_config config = {.seed = 7};
    static const wring_result known[] = {WRING_ERR_NO_MEMORY,     WRING_ERR_TRANSPORT,
                                         WRING_ERR_TRUNCATED,     WRING_ERR_TIMEOUT,
                                         WRING_ERR_TLS_TRUNCATED, WRING_ERR_CONNECT,
                                         WRING_ERR_STREAM_RESET,  WRING_ERR_STREAM_REFUSED};
    memset(&world, 0, sizeof world);
    memset(talkers, 0, sizeof talkers);
    world.tls = tls;
    world.deflate = deflate;
    world.http2 = http2;
    world.sim = wring__sim_create(&config);
    note(server_begin());
    if (world.told == WRING_OK) {
        work();
    }
    if (world.server != NULL) {
        end();
    }
    CHECK(world.sessions == 0);
    const wring__sim_leftovers left = wring__sim_leftover(world.sim);
    CHECK(left.sockets == 0 && left.operations == 0 && left.buffers == 0);
    wring__sim_destroy(world.sim);
    if (world.told == WRING_OK) {
        CHECK(talkers[0].received == MESSAGES && talkers[1].received == MESSAGES);
        return WRING_OK;
    }
    /* one failure is one connection's, which may be that of both */
    CHECK(!world.worked || torture_fails_all() || http2 != NULL ||
          talkers[0].received == MESSAGES || talkers[1].received == MESSAGES);
    bool is_known = false;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        is_known = is_known || world.told == known[i];
    }
    CHECK(is_known);
    return WRING_ERR_NO_MEMORY; /* or what came of it at the other end */
}

static wring_result plain_world(void) {
    return run(false, NULL, NULL);
}

static wring_result tls_world(void) {
    return run(true, NULL, NULL);
}

/* Everything that can be is compressed, publications too, and what is received is inflated over
 * several turns. Contexts are given up at once when they rest. */
static wring_result deflate_world(void) {
    const wring_deflate_config config = {.struct_size = sizeof config,
                                         .message_bytes_min = 1,
                                         .inflate_turn_bytes = 500,
                                         .compress_turn_bytes = 400};
    return run(false, &config, NULL);
}

static wring_result takeover_world(void) {
    const wring_deflate_config config = {.struct_size = sizeof config,
                                         .server_context_takeover = true,
                                         .client_context_takeover = true,
                                         .message_bytes_min = 1,
                                         .takeover_idle_ms = 1,
                                         .inflate_turn_bytes = 500,
                                         .compress_turn_bytes = 400};
    return run(false, &config, NULL);
}

/* Both clients on one connection, with windows that a message does not fit into. */
static wring_result http2_world(void) {
    const wring_http2_config config = {
        .struct_size = sizeof config, .cleartext = true, .window_bytes = 1000};
    return run(false, NULL, &config);
}

static wring_result http2_tls_world(void) {
    const wring_http2_config config = {.struct_size = sizeof config};
    return run(true, NULL, &config);
}

const torture_case torture_world[] = {
    {"server and clients", plain_world, true},
    {"server and clients, TLS", tls_world, true},
    {"server and clients, compression", deflate_world, true},
    {"server and clients, takeover", takeover_world, true},
    {"server and clients, HTTP/2", http2_world, true},
    {"server and clients, HTTP/2 and TLS", http2_tls_world, true},
    {0},
};
