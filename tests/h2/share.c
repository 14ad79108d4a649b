/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams that share a connection: one that its application does not read, beside 99 that go on;
 * one that moves megabytes, beside small messages; a drain, which serves what was opened before its
 * last word.
 */
#include <stdio.h>

#include "tests/h2/close.h"
#include "tests/h2/raw.h"
#include "tests/h2/raw_app.h"

#define SESSIONS 100
#define MESSAGES 3
#define TEXT     "message %05u of %02u"
#define TEXT_LEN 19 /* and 2 of a frame's head */

static sim_run run;
static raw_client client;
static wring_http2_config http2;

static unsigned checked[SESSIONS]; /* echoes of each stream */

static void begin(uint64_t seed, uint32_t window, bool is_calm) {
    wring_route routes[RAW_ROUTES];
    raw_app_routes(routes);
    wring_server_config config = {.workers = 1,
                                  .routes = routes,
                                  .route_count = RAW_ROUTES,
                                  .mailbox_items = 4096,
                                  .answer_timeout_ms = 60000};
    http2 = (wring_http2_config){.struct_size = sizeof http2,
                                 .cleartext = true,
                                 .window_bytes = window,
                                 .resets_per_second = WRING_UNLIMITED,
                                 .controls_per_second = WRING_UNLIMITED};
    memset(checked, 0, sizeof checked);
    sim_run_http2 = &http2;
    sim_run_calm = is_calm;
    sim_run_begin_config(&run, seed, &config);
    raw_begin(&client, &run, &http2, 1 << 24);
    h2_write_window(&client.unsent, 0, 1 << 24);
}

static void end(void) {
    raw_free(&client);
    sim_run_end(&run);
    EXPECT(raw_app_live == 0 && raw_app_asked == raw_app_done);
    sim_run_http2 = NULL;
    sim_run_calm = false;
    sim_run_pipe_bytes = 0;
}

static void round_run(void) {
    const uint64_t before = wring__sim_activity(run.world);
    sim_run_workers(&run);
    raw_step(&client, SIZE_MAX);
    if (before == wring__sim_activity(run.world)) {
        (void)wring__sim_advance(run.world);
    }
}

/* ---- isolation ------------------------------------------------------------------------------- */

static uint32_t streams[SESSIONS];

/* How many echoes came, each the right one. */
static unsigned echoes_of(unsigned i) {
    const h2_judged_stream *stream = raw_stream(&client, streams[i]);
    char text[32];
    EXPECT(stream->data.len % (TEXT_LEN + 2) == 0 || !stream->ended);
    const unsigned count = (unsigned)(stream->data.len / (TEXT_LEN + 2));
    for (; checked[i] < count; checked[i]++) {
        const int len = snprintf(text, sizeof text, TEXT, checked[i], i);
        const size_t at = checked[i] * (TEXT_LEN + 2) + 2;
        EXPECT(len == TEXT_LEN && memcmp(stream->data.data + at, text, TEXT_LEN) == 0);
    }
    return count;
}

static void message_say(unsigned i, unsigned k) {
    char text[32];
    (void)snprintf(text, sizeof text, TEXT, k, i);
    raw_text(&client, streams[i], text);
}

static void until_all_have(unsigned from, unsigned count) {
    for (int round = 0;; round++) {
        bool is_over = true;
        EXPECT(round < 2000000);
        round_run();
        for (unsigned i = from; i < SESSIONS && is_over; i++) {
            is_over = raw_status(&client, streams[i]) == 200 && echoes_of(i) == count;
        }
        if (is_over) {
            return;
        }
    }
}

/* All of its window is on its way, and nobody reads it. */
static unsigned stopped_fill(unsigned said) {
    while (raw_room(&client, streams[0]) >= TEXT_LEN + 6) {
        message_say(0, said++);
        for (int round = 0; client.unsent.len > 0; round++) {
            EXPECT(round < 1000000);
            round_run();
        }
    }
    return said;
}

void sim_h2_isolation(uint64_t seed) {
    static const uint32_t windows[] = {200, 1000, 3000, 64};
    begin(seed, windows[seed % 4], false);
    for (unsigned i = 0; i < SESSIONS; i++) {
        streams[i] = raw_connect(&client, "/e");
    }
    until_all_have(0, 0);
    raw_text(&client, streams[0], "pause");
    unsigned said = 0;
    for (unsigned k = 1; k <= MESSAGES; k++) {
        said = stopped_fill(said);
        for (unsigned i = 1; i < SESSIONS; i++) {
            message_say(i, k - 1);
        }
        until_all_have(1, k);
    }
    EXPECT(said > 0 && echoes_of(0) < said);
    const unsigned before = echoes_of(0); /* what came in front of the pause's message: nothing */
    EXPECT(before == 0);
    raw_app_resume();
    for (int round = 0; echoes_of(0) < said; round++) {
        EXPECT(round < 2000000);
        round_run();
    }
    EXPECT(raw_app_live == SESSIONS && client.judge.goaways == 0);
    end();
}

/* ---- fairness -------------------------------------------------------------------------------- */

#define SMALL     10
#define PIPE      (16u << 10)
#define AHEAD_MAX (PIPE + (32u << 10) + (16u << 10)) /* in the pipe, in order, a DATA frame */
#define LARGE     (1u << 20)
#define LARGER    (5u << 20)

static uint64_t ahead_max; /* of all seeds */

void sim_h2_fair(uint64_t seed) {
    unsigned said[SMALL + 1] = {0};
    uint64_t asked_at[SMALL + 1] = {0}; /* what of the large answer was here when it asked */
    uint64_t answers = 0;
    sim_run_pipe_bytes = PIPE;
    sim_run_has_room = true;
    begin(seed, 0, true);
    sim_run_has_room = false;
    raw_app_big = seed % 50 == 0 ? LARGER : LARGE;
    for (unsigned i = 1; i <= SMALL; i++) {
        streams[i] = raw_connect(&client, "/e");
    }
    raw_settle(&run, &client, 1);
    const uint32_t large = raw_ask(&client, "GET", "/big", true);
    raw_step(&client, SIZE_MAX);
    const h2_judged_stream *body = raw_stream(&client, large);
    for (int round = 0; !body->ended; round++) {
        EXPECT(round < 2000000);
        for (unsigned i = 1; i <= SMALL; i++) {
            if (echoes_of(i) < said[i]) {
                EXPECT(body->data.len - asked_at[i] <= AHEAD_MAX);
                continue;
            }
            if (said[i] > 0) {
                const uint64_t ahead = body->data.len - asked_at[i];
                ahead_max = ahead > ahead_max ? ahead : ahead_max;
                answers++;
            }
            asked_at[i] = body->data.len;
            message_say(i, said[i]++);
        }
        raw_step(&client, SIZE_MAX);
        sim_run_workers(&run);
        body = raw_stream(&client, large);
    }
    for (size_t i = 0; i < body->data.len; i++) {
        EXPECT(body->data.data[i] == raw_app_byte(i));
    }
    EXPECT(body->data.len == raw_app_big);
    EXPECT(answers >= SMALL * (raw_app_big / AHEAD_MAX - 1)); /* they were served all the time */
    end();
}

void sim_h2_fair_sum(uint64_t seeds) {
    (void)seeds;
    printf("at most %llu bytes of a large answer in front of a small one\n",
           (unsigned long long)ahead_max);
}

/* ---- drain ----------------------------------------------------------------------------------- */

static uint32_t notices; /* GOAWAY that name every stream */

static void frame_look(h2_judge *judge, const h2_frame *frame) {
    (void)judge;
    notices += frame->type == H2_GOAWAY && (h2_u32(frame->payload) & INT32_MAX) == INT32_MAX;
}

static void wait_for_goaways(unsigned count) {
    for (int round = 0; client.judge.goaways < count; round++) {
        EXPECT(round < 2000000 && !client.end);
        round_run();
    }
}

static void close_say(uint32_t stream) {
    h2_buffer frame = {0};
    h2_write_message(&frame, 0x88, wring_bytes_of("\x03\xE9", 2));
    h2_write_data(&client.unsent, stream, true, h2_buffer_view(&frame));
    h2_buffer_free(&frame);
}

/* In flight: one that waits, one that sends, one that is sent, a session. Then more is asked for
 * between the notice and the last GOAWAY. */
void sim_h2_drain_late(uint64_t seed) {
    begin(seed, 0, seed % 2 == 0);
    notices = 0;
    client.judge.on_frame = frame_look;
    raw_app_big = 30000 + seed % 7 * 1000;
    const uint32_t waits = raw_ask(&client, "GET", "/wait", true);
    const uint32_t uploads = raw_ask(&client, "POST", "/up", false);
    const uint32_t big = raw_ask(&client, "GET", "/big", true);
    const uint32_t session = raw_connect(&client, "/e");
    for (int round = 0; raw_status(&client, session) == 0 || raw_app_waiting == 0; round++) {
        EXPECT(round < 1000000);
        round_run();
    }
    wring__server_drain(run.server, 60000);
    wait_for_goaways(1);
    EXPECT(notices == 1);
    const uint32_t late = raw_ask(&client, "GET", "/now", true);
    const uint32_t later = raw_ask(&client, "POST", "/up", false);
    h2_write_data(&client.unsent, uploads, true, wring_str("12345"));
    raw_step(&client, SIZE_MAX);
    wait_for_goaways(2);
    EXPECT(notices == 1 && client.judge.goaway_code == H2_NO_ERROR);
    const bool has_come = client.judge.goaway_last >= later; /* else they came too late */
    raw_app_answer();
    close_say(session);
    h2_write_data(&client.unsent, later, true, wring_str("1"));
    for (int round = 0; !client.end; round++) {
        EXPECT(round < 2000000);
        round_run();
    }
    EXPECT(!client.reset && client.judge.goaways == 2);
    EXPECT(raw_stream(&client, waits)->ended && raw_stream(&client, waits)->data.len == 6);
    EXPECT(raw_stream(&client, uploads)->ended && raw_stream(&client, uploads)->data.len == 1);
    EXPECT(raw_stream(&client, big)->ended && raw_stream(&client, big)->data.len == raw_app_big);
    EXPECT(raw_stream(&client, session)->ended);
    EXPECT(!has_come || (raw_stream(&client, late)->ended && raw_status(&client, late) == 200));
    EXPECT(!has_come || (raw_stream(&client, later)->ended && raw_status(&client, later) == 200));
    EXPECT(has_come || seed % 2 == 1);
    end();
}

/* ---- an answer that is quiet ----------------------------------------------------------------- */

/* Nothing of it is queued for several times as long as an answer may not move: its client, whose
 * request has ended as every request does, is not gone. */
void sim_h2_quiet(uint64_t seed) {
    begin(seed, 0, seed % 2 == 0);
    const uint32_t stream = raw_ask(&client, "GET", "/events", true);
    raw_wait(&run, &client, 1, 200000 * WRING_NS_PER_MS);
    EXPECT(raw_status(&client, stream) == 200 && raw_app_done == 0);
    raw_app_event();
    raw_wait(&run, &client, 1, WRING_NS_PER_SEC);
    EXPECT(raw_stream(&client, stream)->ended && !raw_stream(&client, stream)->reset);
    EXPECT(wring_bytes_equal(h2_buffer_view(&raw_stream(&client, stream)->data),
                             wring_str("first last")));
    end();
}

/* All of an answer is queued, and its client takes it slowly: as long as some of it moves within 10
 * seconds, it all comes. Of one that takes nothing the stream is reset, and no other. */
void sim_h2_tail(uint64_t seed) {
    begin(seed, 0, true);
    h2_write_setting(&client.unsent, H2_INITIAL_WINDOW_SIZE, 0);
    raw_app_big = 20000;
    const uint32_t slow = raw_ask(&client, "GET", "/big", true);
    const uint32_t stuck = raw_ask(&client, "GET", "/big", true);
    raw_settle(&run, &client, 1);
    EXPECT(raw_app_done == 2); /* their handlers are through with them */
    for (size_t given = 0; given < raw_app_big; given += 1000) {
        h2_write_window(&client.unsent, slow, 1000);
        raw_wait(&run, &client, 1, (1 + seed % 8) * WRING_NS_PER_SEC);
        EXPECT(raw_stream(&client, slow)->data.len == given + 1000);
    }
    EXPECT(raw_stream(&client, slow)->ended && !raw_stream(&client, slow)->reset);
    if (!raw_stream(&client, stuck)->reset) {
        raw_wait(&run, &client, 1, 60 * WRING_NS_PER_SEC); /* answer_timeout_ms */
    }
    EXPECT(raw_stream(&client, stuck)->reset);
    EXPECT(raw_stream(&client, stuck)->code == H2_INTERNAL_ERROR);
    EXPECT(client.judge.goaways == 0 && !client.end);
    end();
}
