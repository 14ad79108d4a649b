/* SPDX-License-Identifier: Apache-2.0
 *
 * Exchanges, one situation a case: what the scenario `http` meets too rarely, with what is owed in
 * it. The seed chooses the receive buffers and how the server's turns fall.
 */
#include <stdio.h>

#include "tests/sim/sim_test.h"
#include "wring/exchange.h"
#include "wring/ref.h"

#define LINE              "0123456789012345678901234567890123456789012345678901234567890123456789"
#define CLIENTS           2
#define ANSWER_TIMEOUT_MS 800
#define BUDGET            (1024 * 1024)
#define BODY_TIMEOUT_MS   600

typedef struct case_client {
    wring__socket socket;
    char in[65536];
    size_t in_len;
    bool had_end;
} case_client;

static struct {
    sim_run run;
    case_client clients[CLIENTS];
    bool reads; /* the clients */
    wring_ref refs[CLIENTS];
    wring_exchange *exchanges[CLIENTS];
    unsigned ref_count;
    void (*act)(wring_exchange *exchange); /* in `info` */
    size_t written;
    size_t taken;
    size_t stream_bytes;
    bool was_in_time;
    unsigned done;
    wring_exchange_end end; /* of the last `done` */
} it;

/* ---- the server ------------------------------------------------------------------------------ */

static bool path_is(const wring_exchange *exchange, const char *path) {
    return wring_bytes_equal(wring_exchange_request(exchange)->path, wring_str(path));
}

static void answer(wring_exchange *exchange, const char *text) {
    const wring_answer whole = {.struct_size = sizeof whole, .body = wring_str(text)};
    EXPECT(wring_exchange_answer(exchange, &whole) == WRING_OK);
}

static void begin(wring_exchange *exchange, const char *first, uint64_t bytes) {
    const wring_answer begun = {
        .struct_size = sizeof begun, .body = wring_str(first), .body_bytes = bytes};
    EXPECT(wring_exchange_answer_begin(exchange, &begun) == WRING_OK);
}

static void ref_take(wring_exchange *exchange) {
    EXPECT(it.ref_count < CLIENTS);
    it.exchanges[it.ref_count] = exchange;
    EXPECT(wring_exchange_ref(exchange, &it.refs[it.ref_count++]) == WRING_OK);
}

static void stream_go_on(wring_exchange *exchange) {
    static const char piece[500];
    while (it.written < it.stream_bytes) {
        const size_t len = wring__min_size(sizeof piece, it.stream_bytes - it.written);
        if (wring_exchange_answer_write(exchange, wring_bytes_of(piece, len)) != WRING_OK) {
            return;
        }
        it.written += len;
    }
    EXPECT(wring_exchange_answer_end(exchange) == WRING_OK);
}

static void on_request(wring_exchange *exchange, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    if (path_is(exchange, "/now")) {
        answer(exchange, LINE);
    } else if (path_is(exchange, "/other")) {
        it.was_in_time = it.done == 0;
        if (it.was_in_time) {
            answer(it.exchanges[0], "just in time");
        }
        answer(exchange, "told");
    } else if (path_is(exchange, "/late")) {
        ref_take(exchange);
    } else if (path_is(exchange, "/begun")) {
        begin(exchange, "first", 5);
        EXPECT(wring_exchange_answer_end(exchange) == WRING_OK);
    } else if (path_is(exchange, "/open")) {
        ref_take(exchange);
        begin(exchange, "first", 0);
    } else if (path_is(exchange, "/stream")) {
        begin(exchange, "", it.stream_bytes);
        stream_go_on(exchange);
    } else { /* the body in pieces, from the first one on paused */
        ref_take(exchange);
        if (path_is(exchange, "/begun-upload")) {
            begin(exchange, LINE LINE, 0);
        }
        wring_exchange_pause(exchange);
    }
}

static void on_body(wring_exchange *exchange, wring_bytes piece, bool is_last) {
    it.taken += piece.len;
    if (is_last && path_is(exchange, "/upload")) {
        answer(exchange, "taken");
    }
}

static void on_info(wring_exchange *exchange, const wring_info *info) {
    (void)info;
    it.act(exchange);
}

static void on_done(wring_exchange *exchange, const wring_exchange_end *end) {
    (void)exchange;
    it.done++;
    it.end = *end;
}

static void case_begin(uint64_t seed, const wring_policy *policy, uint32_t pipe_bytes) {
    static const wring_http_handler whole = {.struct_size = sizeof whole,
                                             .name = "whole",
                                             .request = on_request,
                                             .info = on_info,
                                             .drained = stream_go_on,
                                             .done = on_done};
    static const wring_http_handler pieces = {.struct_size = sizeof pieces,
                                              .name = "pieces",
                                              .request = on_request,
                                              .body = on_body,
                                              .info = on_info,
                                              .done = on_done};
    static const char *const paths[] = {"/now",    "/late",  "/begun",  "/open",
                                        "/stream", "/other", "/upload", "/begun-upload"};
    wring_route routes[WRING_ARRAY_LEN(paths)];
    memset(&it, 0, sizeof it);
    for (unsigned i = 0; i < WRING_ARRAY_LEN(paths); i++) {
        routes[i] = (wring_route){.struct_size = sizeof(wring_route),
                                  .path = paths[i],
                                  .methods = "GET, POST",
                                  .http = i < 6 ? &whole : &pieces};
    }
    wring_server_config config = {.workers = 1,
                                  .policy = policy,
                                  .routes = routes,
                                  .route_count = WRING_ARRAY_LEN(paths),
                                  .mailbox_items = 64,
                                  .memory_budget_bytes = BUDGET,
                                  .body_bytes_max = BUDGET,
                                  .body_timeout_ms = BODY_TIMEOUT_MS,
                                  .answer_timeout_ms = ANSWER_TIMEOUT_MS};
    sim_run_calm = true;
    sim_run_pipe_bytes = pipe_bytes;
    sim_run_begin_config(&it.run, seed, &config);
    for (unsigned i = 0; i < CLIENTS; i++) {
        it.clients[i].socket = wring__sim_dial(it.run.world, it.run.port);
    }
    it.reads = true;
}

/* ---- the clients and the time ---------------------------------------------------------------- */

static void receive(case_client *client) {
    bool end = client->had_end;
    bool reset = false;
    while (it.reads && !end) {
        char *room = client->in + client->in_len;
        const size_t cap = sizeof client->in - client->in_len - 1;
        const size_t len =
            wring__sim_peer_recv(it.run.world, client->socket, (uint8_t *)room, cap, &end, &reset);
        client->in_len += len;
        client->had_end = end;
        if (len == 0) {
            return;
        }
    }
}

/* All that happens at this moment. */
static void turns(void) {
    uint64_t before;
    do {
        before = wring__sim_activity(it.run.world);
        sim_run_workers(&it.run);
        for (unsigned i = 0; i < CLIENTS; i++) {
            receive(&it.clients[i]);
        }
    } while (before != wring__sim_activity(it.run.world));
}

static void pass_ms(uint64_t ms) {
    const wring_time_ns at = wring__sim_now(it.run.world) + ms * WRING_NS_PER_MS;
    turns();
    while (wring__sim_now(it.run.world) < at) {
        wring__sim_alarm(it.run.world, at);
        (void)wring__sim_advance(it.run.world); /* false: it took an old alarm away */
        turns();
    }
}

static void say(unsigned number, const char *text) {
    wring_bytes left = wring_str(text);
    for (int tries = 0; left.len > 0; tries++) {
        EXPECT(tries < 10000);
        const size_t len = wring__sim_peer_send(it.run.world, it.clients[number].socket, left);
        left = wring_bytes_of(left.data + len, left.len - len);
        turns();
    }
}

static void say_no_more(unsigned number) {
    wring__sim_peer_shutdown(it.run.world, it.clients[number].socket);
    turns();
}

static void act(unsigned number, void (*what)(wring_exchange *exchange)) {
    const wring_info info = {.tag = 1};
    it.act = what;
    EXPECT(wring_ref_post(it.refs[number], &info, NULL) == WRING_OK);
}

static bool was_told(unsigned number, const char *text) {
    const case_client *client = &it.clients[number];
    return memmem(client->in, client->in_len, text, strlen(text)) != NULL;
}

static void case_end(void) {
    for (unsigned i = 0; i < CLIENTS; i++) {
        wring__sim_peer_close(it.run.world, it.clients[i].socket, false);
    }
    sim_run_end(&it.run);
    sim_run_calm = false;
    sim_run_pipe_bytes = 0;
}

/* ---- the cases ------------------------------------------------------------------------------- */

static void first_piece_of_an_answer_comes_with_its_head(uint64_t seed) {
    const wring_policy policy = {
        .struct_size = sizeof policy, .send_soft_bytes = 50, .send_hard_bytes = 100};
    case_begin(seed, &policy, 16);
    it.reads = false;
    say(0, "GET /now HTTP/1.1\r\nHost: a\r\n\r\nGET /begun HTTP/1.1\r\nHost: a\r\n\r\n");
    it.reads = true;
    pass_ms(100);
    EXPECT(was_told(0, "6789HTTP/1.1 200") && was_told(0, "\r\n\r\nfirst") && it.done == 2);
    case_end();
}

static void half_closed_client_that_reads_slowly_gets_all(uint64_t seed) {
    const wring_policy policy = {
        .struct_size = sizeof policy, .send_soft_bytes = 1000, .send_hard_bytes = 2000};
    uint8_t some[900];
    case_begin(seed, &policy, 1000);
    it.stream_bytes = 10000;
    it.reads = false;
    say(0, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    say_no_more(0);
    for (unsigned i = 0; i < 10; i++) { /* a whole queue in each ANSWER_TIMEOUT_MS */
        bool end;
        bool reset;
        pass_ms(ANSWER_TIMEOUT_MS / 4);
        (void)wring__sim_peer_recv(it.run.world, it.clients[0].socket, some, sizeof some, &end,
                                   &reset);
    }
    it.reads = true;
    turns();
    EXPECT(it.done == 1 && it.end.result == WRING_OK && it.end.tx_bytes == it.stream_bytes);
    case_end();
}

static void other_resume(wring_exchange *exchange) {
    (void)exchange;
    wring_exchange_resume(it.exchanges[0]);
}

static void body_that_ends_early_while_paused_is_told_at_once(uint64_t seed) {
    case_begin(seed, NULL, 4000);
    say(0, "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n0123456789");
    say(1, "GET /late HTTP/1.1\r\nHost: a\r\n\r\n");
    say_no_more(0);
    act(1, other_resume);
    turns();
    EXPECT(it.done == 1 && it.end.result == WRING_ERR_TRUNCATED && it.taken == 10);
    EXPECT(was_told(0, "HTTP/1.1 400 "));
    case_end();
}

static void time_of_a_pause_is_not_the_clients(uint64_t seed) {
    case_begin(seed, NULL, 4000);
    say(0, "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n0123456789");
    pass_ms(BODY_TIMEOUT_MS + 100);
    act(0, wring_exchange_resume);
    pass_ms(BODY_TIMEOUT_MS - 100);
    say(0, "0123456789");
    EXPECT(it.done == 1 && it.end.result == WRING_OK && was_told(0, "taken"));
    case_end();
}

static void pause_without_end_is_a_late_answer(uint64_t seed) {
    case_begin(seed, NULL, 4000);
    say(0, "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n0123456789");
    pass_ms(ANSWER_TIMEOUT_MS + 100);
    EXPECT(it.done == 1 && it.end.result == WRING_ERR_TIMEOUT && was_told(0, "HTTP/1.1 503 "));
    case_end();
}

static void body_that_stays_away_behind_a_pause_is_late(uint64_t seed) {
    case_begin(seed, NULL, 4000);
    say(0, "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n0123456789");
    act(0, wring_exchange_resume);
    pass_ms(BODY_TIMEOUT_MS + 100);
    EXPECT(it.done == 1 && it.end.result == WRING_ERR_TIMEOUT && was_told(0, "HTTP/1.1 408 "));
    case_end();
}

static void body_goes_on_beside_a_queue_above_the_mark(uint64_t seed) {
    const wring_policy policy = {
        .struct_size = sizeof policy, .send_soft_bytes = 60, .send_hard_bytes = 2000};
    case_begin(seed, &policy, 200);
    it.reads = false;
    say(0, "POST /begun-upload HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n"
           "0123456789012345678");
    say(1, "GET /late HTTP/1.1\r\nHost: a\r\n\r\n");
    act(1, other_resume);
    turns();
    EXPECT(it.taken == 19);
    case_end();
}

static void refusal_of_an_expected_body_ends_the_connection(uint64_t seed) {
    case_begin(seed, NULL, 4000);
    say(0, "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\nExpect: 100-continue\r\n"
           "\r\nGET /now HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT(was_told(0, "HTTP/1.1 404 ") && was_told(0, "Connection: close\r\n"));
    EXPECT(!was_told(0, "HTTP/1.1 400 ") && it.done == 0); /* the next head is not its body */
    case_end();
}

static void stream_end(wring_exchange *exchange) {
    EXPECT(wring_exchange_answer_end(exchange) == WRING_OK);
}

static void drain_does_not_wait_for_a_kept_connection(uint64_t seed) {
    case_begin(seed, NULL, 4000);
    say(0, "GET /open HTTP/1.1\r\nHost: a\r\n\r\n");
    wring__server_drain(it.run.server, 20000);
    turns();
    act(0, stream_end);
    pass_ms(1000);
    EXPECT(it.done == 1 && it.end.result == WRING_OK && it.clients[0].had_end);
    case_end();
}

static void answer_at_the_deadline_is_sent(uint64_t seed) {
    case_begin(seed, NULL, 4000);
    say(0, "GET /late HTTP/1.1\r\nHost: a\r\n\r\n");
    say_no_more(0);
    const wring_time_ns deadline =
        wring__sim_now(it.run.world) + ANSWER_TIMEOUT_MS * WRING_NS_PER_MS;
    while (wring__sim_now(it.run.world) < deadline) {
        wring__sim_alarm(it.run.world, deadline);
        (void)wring__sim_advance(it.run.world);
    }
    say(1, "GET /other HTTP/1.1\r\nHost: a\r\n\r\n"); /* in the turn of the deadline */
    EXPECT(it.done == 2 && was_told(0, it.was_in_time ? "just in time" : "HTTP/1.1 503 "));
    case_end();
}

/* Two that are collected, together more than there is room for: the larger one goes. */
static void bodies_count_for_the_memory_budget(uint64_t seed) {
    static char body[400000];
    case_client *const large = &it.clients[0];
    uint64_t highest = 0;
    case_begin(seed, NULL, 60000);
    memset(body, 'b', sizeof body - 1);
    say(0, "POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n");
    say(1, "POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 399999\r\n\r\n");
    for (size_t at = 0; at < 2 * sizeof body && !large->had_end; at += 20000) {
        wring_bytes piece = wring_bytes_of((const uint8_t *)body, 20000);
        (void)wring__sim_peer_send(it.run.world, large->socket, piece);
        if (at < 60000) {
            (void)wring__sim_peer_send(it.run.world, it.clients[1].socket, piece);
            it.taken += 20000;
        }
        pass_ms(1);
        const uint64_t held = wring__chunk_cache_held(&it.run.server->workers[0].io.chunks);
        highest = held > highest ? held : highest;
    }
    pass_ms(BODY_TIMEOUT_MS - 200);
    EXPECT(large->had_end && !it.clients[1].had_end);
    EXPECT(it.run.server->workers[0].counters.memory_evicted == 1);
    EXPECT(highest <= 2 * BUDGET);
    say(1, body + it.taken);
    EXPECT(it.done == 1 && it.end.result == WRING_OK && was_told(1, LINE));
    case_end();
}

/* Nobody takes what is written: a stream without end would never find its queue full. */
static void head_of_a_stream_ends_with_its_head(uint64_t seed) {
    case_begin(seed, NULL, 4000);
    it.stream_bytes = 1000000;
    say(0, "HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\nHEAD /open HTTP/1.1\r\nHost: a\r\n\r\n"
           "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT(it.done == 3 && it.end.result == WRING_OK && it.written == 0);
    EXPECT(was_told(0, "\r\n\r\n" LINE) && !was_told(0, "first"));
    case_end();
}

/* Its end lies behind more than is read meanwhile. */
static void who_left_behind_many_requests_is_noticed(uint64_t seed) {
    static const char line[] = "GET /now HTTP/1.1\r\nHost: a\r\n\r\n";
    case_begin(seed, NULL, 60000);
    say(0, "GET /open HTTP/1.1\r\nHost: a\r\n\r\n");
    for (size_t sent = 0; sent < 40000; sent += sizeof line - 1) {
        (void)wring__sim_peer_send(it.run.world, it.clients[0].socket, wring_str(line));
    }
    wring__sim_peer_shutdown(it.run.world, it.clients[0].socket);
    pass_ms(ANSWER_TIMEOUT_MS - 100);
    EXPECT(it.done == 0);
    pass_ms(ANSWER_TIMEOUT_MS + 200);
    EXPECT(it.done == 1 && it.end.result == WRING_ERR_SLOW_CONSUMER && it.clients[0].had_end);
    case_end();
}

static void many_requests_are_not_one_turn(uint64_t seed) {
    static char flood[200 * 29 + 1];
    case_begin(seed, NULL, 60000);
    for (size_t at = 0; at < sizeof flood - 1; at += 29) {
        memcpy(flood + at, "GET /now HTTP/1.1\r\nHost:a\r\n\r\n", 29);
    }
    (void)wring__sim_peer_send(it.run.world, it.clients[0].socket, wring_str(flood));
    for (int i = 0; i < 1000 && it.done < 200; i++) {
        const unsigned before = it.done;
        sim_run_workers(&it.run);
        EXPECT(it.done - before <= 128); /* 64 where they come, and 64 when it goes on */
        receive(&it.clients[0]);
    }
    EXPECT(it.done == 200);
    case_end();
}

static const struct {
    const char *name;
    void (*run)(uint64_t seed);
} cases[] = {
    {"head of a stream", head_of_a_stream_ends_with_its_head},
    {"left behind many", who_left_behind_many_requests_is_noticed},
    {"many requests", many_requests_are_not_one_turn},
    {"first piece", first_piece_of_an_answer_comes_with_its_head},
    {"half-closed", half_closed_client_that_reads_slowly_gets_all},
    {"ends while paused", body_that_ends_early_while_paused_is_told_at_once},
    {"time of a pause", time_of_a_pause_is_not_the_clients},
    {"pause without end", pause_without_end_is_a_late_answer},
    {"late behind a pause", body_that_stays_away_behind_a_pause_is_late},
    {"above the mark", body_goes_on_beside_a_queue_above_the_mark},
    {"refused expectation", refusal_of_an_expected_body_ends_the_connection},
    {"drain", drain_does_not_wait_for_a_kept_connection},
    {"at the deadline", answer_at_the_deadline_is_sent},
    {"budget", bodies_count_for_the_memory_budget},
};

void sim_http_cases(uint64_t seed) {
    cases[seed % WRING_ARRAY_LEN(cases)].run(seed / WRING_ARRAY_LEN(cases));
}
