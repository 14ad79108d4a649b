/* SPDX-License-Identifier: Apache-2.0
 *
 * Budgets and limits of a connection, each exact: what is within them passes, one more does not.
 * What a burst leaves comes back with time. A neighbour on another connection is unharmed.
 */
#include <stdio.h>

#include "tests/h2/close.h"
#include "tests/h2/raw.h"
#include "tests/h2/raw_app.h"

#define REQUESTS_MAX 3
#define SESSIONS_MAX 2
#define HEAD_MAX     300

enum { ATTACKER, NEIGHBOUR, CLIENTS };

static raw_client clients[CLIENTS];
static sim_run run;
static wring_http2_config http2;
static unsigned echoes; /* the neighbour had */

/* ---- the run --------------------------------------------------------------------------------- */

static void settle(void) {
    raw_settle(&run, clients, CLIENTS);
}

/* It is served as ever. */
static void neighbour_check(void) {
    raw_client *neighbour = &clients[NEIGHBOUR];
    const h2_judged_stream *session = raw_stream(neighbour, 1);
    raw_text(neighbour, 1, "hi");
    settle();
    EXPECT(session->data.len == 4 * (size_t)++echoes);
    EXPECT(memcmp(session->data.data + session->data.len - 4, "\x81\x02hi", 4) == 0);
    EXPECT(neighbour->judge.goaways == 0 && !neighbour->end);
}

static void begin(uint64_t seed, uint64_t per_source, uint32_t window) {
    wring_route routes[RAW_ROUTES];
    raw_app_routes(routes);
    wring_server_config config = {.workers = 1,
                                  .routes = routes,
                                  .route_count = RAW_ROUTES,
                                  .mailbox_items = 4096,
                                  .handshake_bytes_max = HEAD_MAX,
                                  .target_bytes_max = HEAD_MAX,
                                  .keep_alive_timeout_ms = 60000,
                                  .connections_per_source_max = per_source};
    http2 = (wring_http2_config){.struct_size = sizeof http2,
                                 .cleartext = true,
                                 .requests_max = REQUESTS_MAX,
                                 .sessions_max = SESSIONS_MAX,
                                 .resets_per_second = 1 + seed % 13,
                                 .resets_burst = 2 + seed % 17,
                                 .controls_per_second = 1 + seed % 7,
                                 .controls_burst = 3 + seed % 19};
    sim_run_http2 = &http2;
    sim_run_calm = true;
    sim_run_has_room = true; /* what is sent at once comes at once */
    sim_run_pipe_bytes = 65536;
    sim_run_begin_config(&run, seed, &config);
    sim_run_has_room = false;
    echoes = 0;
    for (unsigned i = 0; i < CLIENTS; i++) {
        raw_begin(&clients[i], &run, &http2, i == ATTACKER ? window : 65535);
    }
    EXPECT(raw_connect(&clients[NEIGHBOUR], "/e") == 1);
    settle();
    EXPECT(raw_status(&clients[NEIGHBOUR], 1) == 200);
    neighbour_check();
}

static void end(void) {
    neighbour_check();
    for (unsigned i = 0; i < CLIENTS; i++) {
        raw_free(&clients[i]);
    }
    sim_run_end(&run);
    EXPECT(raw_app_live == 0 && raw_app_asked == raw_app_done);
    sim_run_http2 = NULL;
    sim_run_calm = false;
    sim_run_pipe_bytes = 0;
}

/* ---- what has a budget ----------------------------------------------------------------------- */

static void reset_says(raw_client *client) {
    const uint32_t stream = raw_ask(client, "GET", "/wait", true);
    h2_write_reset(&client->unsent, stream, H2_CANCEL);
}

/* RFC 9113 8.2.2: it costs its stream its life. */
static void malformed_says(raw_client *client) {
    h2_buffer block = {0};
    h2_write_request(&block, "GET", "/now", NULL);
    h2_write_field(&block, "connection", wring_str("close"));
    h2_write_headers(&client->unsent, client->next, H2_END_STREAM, h2_buffer_view(&block), 0);
    h2_buffer_free(&block);
    client->next += 2;
}

static void refused_begins(raw_client *client) {
    for (unsigned i = 0; i < SESSIONS_MAX; i++) {
        (void)raw_connect(client, "/e");
    }
}

static void refused_says(raw_client *client) {
    (void)raw_connect(client, "/e");
}

static void pad_head(h2_buffer *block, size_t all) {
    static const size_t has = 7 + 3 + 7 + 4 + 10 + 3 + 5 + 4 + 1; /* names and values, and "x" */
    uint8_t pad[HEAD_MAX];
    h2_write_request(block, "GET", "/now", NULL);
    memset(pad, 'p', sizeof pad);
    h2_write_field(block, "x", wring_bytes_of(pad, all - has));
}

static uint32_t padded_ask(raw_client *client, size_t all) {
    h2_buffer block = {0};
    const uint32_t stream = client->next;
    pad_head(&block, all);
    h2_write_headers(&client->unsent, stream, H2_END_STREAM, h2_buffer_view(&block), 0);
    h2_buffer_free(&block);
    client->next += 2;
    return stream;
}

static void big_head_says(raw_client *client) {
    (void)padded_ask(client, HEAD_MAX + 1);
}

static void settings_says(raw_client *client) {
    h2_write_setting(&client->unsent, H2_MAX_FRAME_SIZE, 16384);
}

static void ping_says(raw_client *client) {
    h2_write_ping(&client->unsent, false);
}

static void priority_says(raw_client *client) {
    h2_write_frame(&client->unsent, H2_PRIORITY, 0, 1, wring_bytes_of("\0\0\0\0\x10", 5));
}

static void upload_begins(raw_client *client) {
    (void)raw_ask(client, "POST", "/up", false);
}

static void empty_data_says(raw_client *client) {
    h2_write_data(&client->unsent, 1, false, wring_bytes_of(NULL, 0));
}

static void padding_says(raw_client *client) {
    h2_write_frame(&client->unsent, H2_DATA, H2_PADDED, 1, wring_bytes_of("\3\0\0\0", 4));
}

static void download_begins(raw_client *client) {
    raw_app_big = 20000;
    (void)raw_ask(client, "GET", "/big", true);
}

static void tiny_window_says(raw_client *client) {
    h2_write_window(&client->unsent, 1, 1);
}

static const struct flood {
    const char *name;
    void (*begins)(raw_client *client); /* optional */
    void (*says)(raw_client *client);
    bool is_reset; /* of the budget of resets; else of controls */
    bool is_slow;  /* one at a time: several are more streams than allowed, or one event */
} floods[] = {
    {"streams that the peer resets", NULL, reset_says, true, true},
    {"streams that are malformed", NULL, malformed_says, true, true},
    {"sessions above the limit", refused_begins, refused_says, false, true},
    {"heads that are too big", NULL, big_head_says, true, true},
    {"SETTINGS", NULL, settings_says, false, false},
    {"PING", NULL, ping_says, false, false},
    {"PRIORITY", NULL, priority_says, false, false},
    {"DATA without data", upload_begins, empty_data_says, false, false},
    {"DATA of padding", upload_begins, padding_says, false, false},
    {"windows of a byte", download_begins, tiny_window_says, false, true},
};

static void says_each(const struct flood *flood, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        flood->says(&clients[ATTACKER]);
        settle();
    }
}

static void says_at_once(const struct flood *flood, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        flood->says(&clients[ATTACKER]);
    }
    settle();
}

static void passes(const struct flood *flood, uint64_t seed, uint64_t count) {
    if (flood->is_slow || seed / 10 % 2 == 0) {
        says_each(flood, count);
    } else {
        says_at_once(flood, count);
    }
    EXPECT(clients[ATTACKER].judge.goaways == 0 && !clients[ATTACKER].end);
}

void sim_h2_floods(uint64_t seed) {
    const struct flood *flood = &floods[seed % WRING_ARRAY_LEN(floods)];
    begin(seed, 0, flood->says == tiny_window_says ? 0 : 65535);
    const uint64_t burst = flood->is_reset ? http2.resets_burst : http2.controls_burst;
    const uint64_t rate = flood->is_reset ? http2.resets_per_second : http2.controls_per_second;
    if (flood->begins != NULL) {
        flood->begins(&clients[ATTACKER]);
    }
    settle();
    passes(flood, seed, burst - !flood->is_reset); /* its first SETTINGS is one of them */
    neighbour_check();
    raw_wait(&run, clients, CLIENTS, WRING_NS_PER_SEC);
    passes(flood, seed, rate < burst ? rate : burst);
    neighbour_check();
    flood->says(&clients[ATTACKER]);
    settle();
    EXPECT(raw_is_calmed(&clients[ATTACKER]));
    EXPECT(run.server->workers[0].http2.calmed == 1);
    end();
}

/* ---- what has a limit ------------------------------------------------------------------------ */

static void refused_check(uint32_t stream) {
    const h2_judged_stream *refused = raw_stream(&clients[ATTACKER], stream);
    EXPECT(refused->reset && refused->code == H2_REFUSED_STREAM && refused->status == 0);
    EXPECT(clients[ATTACKER].judge.goaways == 0);
}

/* One session more than there may be is refused although there is room for a request, and what ends
 * makes room. Requests may use all of it. */
static void streams_check(bool requests_first) {
    raw_client *client = &clients[ATTACKER];
    const unsigned requests = REQUESTS_MAX - 1;
    const unsigned sessions = requests_first ? 0 : SESSIONS_MAX;
    const unsigned more = requests_first ? SESSIONS_MAX : 0;
    uint32_t session = 0;
    for (unsigned i = 0; i < requests + more; i++) {
        (void)raw_ask(client, "GET", "/wait", true);
    }
    for (unsigned i = 0; i < sessions; i++) {
        session = raw_connect(client, "/e");
    }
    settle();
    EXPECT(raw_app_waiting == requests + more && raw_app_live == sessions + 1);
    EXPECT(client->judge.goaways == 0);
    if (!requests_first) {
        const uint32_t refused = raw_connect(client, "/e");
        settle();
        refused_check(refused);
        EXPECT(raw_app_live == sessions + 1);
        h2_write_reset(&client->unsent, session, H2_CANCEL);
        settle();
    }
    const uint32_t again =
        requests_first ? raw_ask(client, "GET", "/now", true) : raw_connect(client, "/e");
    settle();
    EXPECT(raw_status(client, again) == 200);
}

/* Above what SETTINGS allow in all the connection ends: nghttp2 has it so. */
static void all_streams_check(void) {
    raw_client *client = &clients[ATTACKER];
    for (unsigned i = 0; i < REQUESTS_MAX; i++) {
        (void)raw_ask(client, "GET", "/wait", true);
    }
    for (unsigned i = 0; i < SESSIONS_MAX; i++) {
        (void)raw_connect(client, "/e");
    }
    settle();
    EXPECT(raw_app_waiting == REQUESTS_MAX && raw_app_live == SESSIONS_MAX + 1);
    EXPECT(client->judge.goaways == 0);
    (void)raw_ask(client, "GET", "/wait", true);
    settle();
    EXPECT(client->end && client->judge.goaway_code == H2_PROTOCOL_ERROR);
    EXPECT(raw_app_live == 1 && raw_app_asked == REQUESTS_MAX && raw_app_done == REQUESTS_MAX);
}

/* Names and values of a head, together. */
static void heads_check(void) {
    raw_client *client = &clients[ATTACKER];
    const uint32_t fits = padded_ask(client, HEAD_MAX);
    const uint32_t is_too_big = padded_ask(client, HEAD_MAX + 1);
    const uint32_t next = raw_ask(client, "GET", "/now", true);
    settle();
    EXPECT(raw_status(client, fits) == 200 && raw_status(client, next) == 200);
    EXPECT(raw_status(client, is_too_big) == 431 && raw_app_asked == 2);
}

static uint32_t continued_ask(raw_client *client, unsigned count) {
    h2_buffer block = {0};
    const uint32_t stream = client->next;
    client->next += 2;
    h2_write_request(&block, "GET", "/now", NULL);
    h2_write_frame(&client->unsent, H2_HEADERS, H2_END_STREAM, stream, h2_buffer_view(&block));
    for (unsigned i = 1; i <= count; i++) {
        h2_write_frame(&client->unsent, H2_CONTINUATION, i == count ? H2_END_HEADERS : 0, stream,
                       wring_bytes_of(NULL, 0));
    }
    h2_buffer_free(&block);
    return stream;
}

/* Of a head: more are a flood. Those that come byte by byte are as many as others. */
#define CONTINUATIONS 8

static void continuations_check(void) {
    raw_client *client = &clients[ATTACKER];
    const uint32_t slow = continued_ask(client, CONTINUATIONS);
    while (client->unsent.len > 0) {
        EXPECT(!client->is_closed);
        raw_step(client, 1);
        raw_settle(&run, NULL, 0);
    }
    settle();
    EXPECT(raw_status(client, slow) == 200);
    const uint32_t fits = continued_ask(client, CONTINUATIONS);
    settle();
    EXPECT(raw_status(client, fits) == 200 && client->judge.goaways == 0);
    const uint32_t floods_it = continued_ask(client, CONTINUATIONS + 1);
    settle();
    EXPECT(raw_status(client, floods_it) == 0 && raw_is_calmed(client));
}

/* Both connections are of one source, and the neighbour has a session. */
static void source_check(uint64_t max) {
    raw_client *client = &clients[ATTACKER];
    const uint32_t first = raw_connect(client, "/e");
    const uint32_t second = raw_connect(client, "/e");
    settle();
    EXPECT(raw_status(client, first) == (max >= 4 ? 200u : 503u));
    EXPECT(raw_status(client, second) == (max >= 5 ? 200u : 503u));
    EXPECT(raw_app_live == (max < 5 ? max - 2 : 3));
    const uint32_t request = raw_ask(client, "GET", "/now", true);
    settle();
    EXPECT(raw_status(client, request) == 200); /* it is no session */
    if (max == 4) {                             /* one that ends makes room */
        h2_write_reset(&client->unsent, first, H2_CANCEL);
        settle();
        const uint32_t again = raw_connect(client, "/e");
        settle();
        EXPECT(raw_status(client, again) == 200);
    }
}

void sim_h2_bounds(uint64_t seed) {
    const uint64_t per_source = 3 + seed / 6 % 4;
    begin(seed, seed % 6 == 5 ? per_source : 0, 65535);
    switch (seed % 6) {
    case 0:
    case 1:
        streams_check(seed % 6 == 0);
        break;
    case 2:
        all_streams_check();
        break;
    case 3:
        heads_check();
        break;
    case 4:
        continuations_check();
        break;
    default:
        source_check(per_source);
    }
    end();
}
