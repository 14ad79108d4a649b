/* SPDX-License-Identifier: Apache-2.0
 *
 * A server's exchanges, one behind the other on one connection: each way to answer, and an upgrade
 * that is accepted later. Wherever memory is out, what the client gets is a beginning of what it is
 * owed, and nothing else: no answer twice, none that looks whole and is not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/server.h"
#include "tests/sim/backend/sim.h"
#include "tests/torture/torture.h"
#include "wring/exchange.h"
#include "wring/ref.h"

#define ROUNDS   200000
#define BIG      20000 /* more than is queued together with a head */
#define PIECES   4
#define PIECE    3000
#define REQUESTS 7
#define BODY_LEN 1500

static struct {
    wring__sim *sim;
    wring_server *server;
    wring_ref ref;
    bool has_ref;
    unsigned requested;
    unsigned done;
    unsigned init;
    unsigned lost;
    bool is_accepted; /* wring_ref_accept said WRING_OK */
    bool is_struck;   /* somebody was told that memory is out */
    size_t in_len;    /* what the client got */
} it;

static char in[131072];
static uint8_t big[BIG];

static bool note(wring_result result) {
    CHECK(result == WRING_OK || result == WRING_ERR_NO_MEMORY || result == WRING_ERR_CLOSED);
    it.is_struck |= result != WRING_OK;
    return result == WRING_OK;
}

/* ---- the server ------------------------------------------------------------------------------ */

static bool path_is(const wring_exchange *exchange, const char *path) {
    return wring_bytes_equal(wring_exchange_request(exchange)->path, wring_str(path));
}

static wring_answer answer_of(wring_bytes body) {
    static const wring_header header = {{(const uint8_t *)"X-Own", 5}, {(const uint8_t *)"y", 1}};
    return (wring_answer){
        .struct_size = sizeof(wring_answer), .headers = {&header, 1}, .body = body};
}

static void answer(wring_exchange *exchange, wring_bytes body) {
    const wring_answer whole = answer_of(body);
    if (!note(wring_exchange_answer(exchange, &whole))) {
        note(wring_exchange_answer(exchange, &whole)); /* once more: nothing was answered */
    }
}

/* A piece that found no memory is tried once more; else the answer is ended without it. */
static void begin_and_end(wring_exchange *exchange) {
    wring_answer begun = answer_of(wring_bytes_of(big, PIECE));
    begun.body_bytes = PIECES * PIECE;
    if (!note(wring_exchange_answer_begin(exchange, &begun))) {
        return;
    }
    for (unsigned i = 1; i < PIECES; i++) {
        const wring_bytes piece = wring_bytes_of(big + i * PIECE, PIECE);
        if (!note(wring_exchange_answer_write(exchange, piece))) {
            note(wring_exchange_answer_write(exchange, piece));
        }
    }
    const wring_result result = wring_exchange_answer_end(exchange);
    CHECK(result == WRING_OK || it.is_struck);
}

static void on_request(wring_exchange *exchange, const wring_request *request, void *opts) {
    (void)opts;
    it.requested++;
    if (path_is(exchange, "/now")) {
        answer(exchange, wring_str("now"));
    } else if (path_is(exchange, "/big")) {
        answer(exchange, wring_bytes_of(big, BIG));
    } else if (path_is(exchange, "/body")) {
        CHECK(request->body.len == BODY_LEN);
        answer(exchange, request->body);
    } else if (path_is(exchange, "/begun")) {
        begin_and_end(exchange);
    } else if (path_is(exchange, "/pieces")) {
        const wring_answer begun = answer_of(wring_bytes_of(NULL, 0));
        note(wring_exchange_answer_begin(exchange, &begun));
    } else if (note(wring_exchange_ref(exchange, &it.ref))) {
        it.has_ref = true;
    }
}

static void on_body(wring_exchange *exchange, wring_bytes piece, bool is_last) {
    if (!note(wring_exchange_answer_write(exchange, piece))) {
        wring_exchange_abort(exchange);
    } else if (is_last) {
        note(wring_exchange_answer_end(exchange));
    }
}

static void on_done(wring_exchange *exchange, const wring_exchange_end *end) {
    (void)exchange;
    it.done++;
    it.is_struck |= end->result != WRING_OK;
}

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    (void)opts;
    CHECK(request->accept_data == &it);
    it.init++;
    const wring_frame frame = wring_frame_text(wring_str("hello"));
    note(wring_session_send(session, &frame));
    return WRING_CONTINUE;
}

static void on_lost(void *data) {
    CHECK(data == &it);
    it.is_struck = true; /* accepting found no memory, or its server ended before */
    it.lost++;
}

static bool server_begin(void) {
    static const wring_http_handler whole = {
        .struct_size = sizeof whole, .name = "whole", .request = on_request, .done = on_done};
    static const wring_http_handler pieces = {.struct_size = sizeof pieces,
                                              .name = "pieces",
                                              .request = on_request,
                                              .body = on_body,
                                              .done = on_done};
    static const wring_handler sessions = {
        .struct_size = sizeof sessions, .name = "sessions", .init = on_init};
    const wring_route routes[] = {
        {.struct_size = sizeof routes[0], .path = "/pieces", .methods = "POST", .http = &pieces},
        {.struct_size = sizeof routes[0], .path = "/hook", .handler = &sessions, .upgrade = &whole},
        {.struct_size = sizeof routes[0], .path = "/*", .methods = "GET, POST", .http = &whole}};
    const wring_server_config config = {.struct_size = sizeof config,
                                        .workers = 1,
                                        .routes = routes,
                                        .route_count = 3,
                                        .receive_buffers = 4,
                                        .receive_buffer_bytes = 700};
    wring_error error = {0};
    wring_result result = wring_server_create(&config, &it.server, &error);
    if (result == WRING_OK) {
        wring__server_set_backend(it.server, wring__sim_backend(it.sim));
        result = wring_server_start(it.server, &error);
    }
    CHECK(result == WRING_OK || error.text[0] != 0);
    return note(result);
}

/* ---- the client ------------------------------------------------------------------------------ */

static size_t put_requests(char *out, size_t cap) {
    static const char *const lines[] = {"GET /begun", "GET /now", "GET /big", "GET /late"};
    char body[BODY_LEN + 1];
    size_t len = 0;
    memset(body, 'b', BODY_LEN);
    body[BODY_LEN] = 0;
    for (unsigned i = 0; i < 4; i++) {
        len += (size_t)snprintf(out + len, cap - len, "%s HTTP/1.1\r\nHost: h\r\n\r\n", lines[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        len += (size_t)snprintf(out + len, cap - len,
                                "POST /%s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "5DC\r\n%s\r\n0\r\n\r\n",
                                i == 0 ? "body" : "pieces", body);
    }
    len += (size_t)snprintf(out + len, cap - len,
                            "GET /hook HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
                            "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                            "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    CHECK(len < cap);
    return len;
}

/* Takes an answer off what came. Its status; 0: it is not there whole. */
static unsigned answer_take(size_t *at, size_t *body_len) {
    const char *head = in + *at;
    const char *end = strstr(head, "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }
    CHECK(memcmp(head, "HTTP/1.1 ", 9) == 0);
    const unsigned status = (unsigned)strtoul(head + 9, NULL, 10);
    const char *length = strstr(head, "Content-Length: ");
    size_t next = (size_t)(end + 4 - in);
    *body_len = 0;
    if (length != NULL && length < end) {
        *body_len = strtoul(length + 16, NULL, 10);
        next += *body_len;
    } else if (status == 200) {
        const char *chunk = in + next;
        char *line_end;
        size_t len;
        while ((len = strtoul(chunk, &line_end, 16)) > 0 && line_end[0] == '\r') {
            chunk = line_end + 2 + len + 2;
            *body_len += len;
            if ((size_t)(chunk - in) >= it.in_len) {
                return 0;
            }
        }
        if (strncmp(chunk, "0\r\n\r\n", 5) != 0) {
            return 0;
        }
        next = (size_t)(chunk - in) + 5;
    }
    if (next > it.in_len) {
        return 0;
    }
    *at = next;
    return status;
}

/* How many answers are there whole. Each has the length of its request's, or is a refusal, which is
 * the last. */
static unsigned answers_check(void) {
    static const size_t owed[REQUESTS] = {PIECES * PIECE, 3, BIG, 4, BODY_LEN, BODY_LEN, 0};
    size_t at = 0;
    in[it.in_len] = 0;
    for (unsigned i = 0; i < REQUESTS; i++) {
        size_t body_len;
        const unsigned status = answer_take(&at, &body_len);
        if (status == 0) {
            return i;
        }
        if (status == 500 || status == 503) {
            CHECK(it.is_struck); /* nobody answered, since nobody could: at once, or ever */
            continue;
        }
        CHECK(status == (i == REQUESTS - 1 ? 101 : 200) && body_len == owed[i]);
    }
    CHECK(it.in_len == at || (in[at] & 0x80) != 0);
    return REQUESTS;
}

/* ---- the run --------------------------------------------------------------------------------- */

static wring__server_worker *worker(void) {
    return &it.server->workers[0];
}

static void round_run(bool *still) {
    const uint64_t before = wring__sim_activity(it.sim);
    if (!wring__server_worker_is_done(worker())) {
        CHECK(wring__worker_turn(&worker()->io, WRING_TIME_NEVER) == WRING_OK);
    }
    const bool moved = before != wring__sim_activity(it.sim);
    if (!moved && *still) {
        (void)wring__sim_advance(it.sim);
    }
    *still = !moved;
}

/* As another thread would; its own lack of memory is told to it. */
static void late_answer(void) {
    const wring_answer late = answer_of(wring_str("late"));
    const wring_accept accept = {.struct_size = sizeof accept, .data = &it, .lost = on_lost};
    if (!it.has_ref) {
        return;
    }
    it.has_ref = false;
    if (it.done < 4) {
        if (!note(wring_ref_answer(it.ref, &late))) {
            note(wring_ref_answer(it.ref, &late));
        }
    } else {
        it.is_accepted = note(wring_ref_accept(it.ref, &accept));
        if (!it.is_accepted) {
            it.is_accepted = note(wring_ref_accept(it.ref, &accept));
        }
    }
}

static void talk(void) {
    static char out[8192];
    const size_t len = put_requests(out, sizeof out);
    size_t sent = 0;
    bool end = false;
    bool reset = false;
    bool still = false;
    const wring__socket socket = wring__sim_dial(it.sim, wring_server_port(it.server));
    CHECK(socket != WRING__SOCKET_NONE);
    for (int round = 0; !end && it.init == 0; round++) {
        CHECK(round < ROUNDS);
        sent +=
            wring__sim_peer_send(it.sim, socket, wring_bytes_of((uint8_t *)out + sent, len - sent));
        round_run(&still);
        late_answer();
        it.in_len += wring__sim_peer_recv(it.sim, socket, (uint8_t *)in + it.in_len,
                                          sizeof in - 1 - it.in_len, &end, &reset);
    }
    for (int round = 0; !end && round < 100; round++) {
        round_run(&still);
        it.in_len += wring__sim_peer_recv(it.sim, socket, (uint8_t *)in + it.in_len,
                                          sizeof in - 1 - it.in_len, &end, &reset);
    }
    wring__sim_peer_close(it.sim, socket, false);
}

static void end(void) {
    bool still = false;
    if (wring_server_port(it.server) != 0) {
        wring__server_drain(it.server, 1000);
        for (int round = 0; !wring__server_worker_is_done(worker()); round++) {
            CHECK(round < ROUNDS);
            round_run(&still);
        }
        CHECK(worker()->io.chunks.held == 0);
        wring_server_stop(it.server, 0);
    }
    wring_server_destroy(it.server);
}

static wring_result exchanges(void) {
    const wring__sim_config config = {.seed = 7};
    memset(&it, 0, sizeof it);
    for (size_t i = 0; i < BIG; i++) {
        big[i] = 'B';
    }
    it.sim = wring__sim_create(&config);
    if (server_begin()) {
        talk();
    }
    if (it.server != NULL) {
        end();
    }
    CHECK(it.requested == it.done);
    CHECK(it.init + it.lost == (it.is_accepted ? 1 : 0));
    const wring__sim_leftovers left = wring__sim_leftover(it.sim);
    CHECK(left.sockets == 0 && left.operations == 0 && left.buffers == 0);
    wring__sim_destroy(it.sim);
    return answers_check() == REQUESTS && it.init == 1 ? WRING_OK : WRING_ERR_NO_MEMORY;
}

const torture_case torture_http[] = {
    {"exchanges", exchanges, true},
    {0},
};
