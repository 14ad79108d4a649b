/* SPDX-License-Identifier: Apache-2.0
 *
 * The scenario `http` over HTTP/2: its server, with clients whose requests are streams of one
 * connection, all at once. They send bodies in pieces, cancel what they asked for at any moment,
 * give windows late, leave; sessions are beside exchanges. Meanwhile the server may drain.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/h2/close.h"
#include "tests/h2/raw.h"
#include "tests/sim/http.h"

static http_world *const w = &http_now;

/* A request's stream. */
struct web_stream {
    uint32_t id; /* 0: not asked for yet */
    size_t said; /* of its body */
    unsigned frames;
    size_t heard; /* of its session's bytes */
    bool has_ended;
    bool has_closed; /* its session's close frame was sent */
};

struct web_client {
    raw_client raw;
    http_client *asks;
    struct web_stream streams[HTTP_REQUESTS_MAX];
};

static struct web_client clients[HTTP_CLIENTS];
static wring_http2_config http2;
static uint32_t window;

static struct {
    uint64_t whole[HTTP_KINDS];
    uint64_t resets; /* by the client */
    uint64_t refused;
    uint64_t echoes;
    uint64_t drains;
    uint64_t at_once; /* most exchanges that were alive on one connection */
} sums;

/* ---- what it asks ---------------------------------------------------------------------------- */

static bool is_session(const http_ask *ask) {
    return ask->kind == HTTP_HOOK || ask->kind == HTTP_SOCKET;
}

static bool has_body(const http_ask *ask) {
    return ask->body_len > 0 && (ask->kind <= HTTP_INFO || ask->kind == HTTP_ECHO ||
                                 ask->kind == HTTP_UPLOAD || ask->kind == HTTP_MISSING);
}

static void plan(struct web_client *client, http_client *asks) {
    memset(client, 0, sizeof *client);
    client->asks = asks;
    http_client_plan(asks);
    for (unsigned i = 0; i < asks->count; i++) {
        asks->asks[i].is_10 = asks->asks[i].asks_close = false; /* unknown here */
    }
}

static void ask(struct web_client *client, unsigned i) {
    const http_ask *of = &client->asks->asks[i];
    struct web_stream *stream = &client->streams[i];
    h2_buffer block = {0};
    char text[32];
    (void)snprintf(text, sizeof text, "%s?q=1", http_paths[of->kind]);
    h2_write_request(&block,
                     of->is_head      ? "HEAD"
                     : is_session(of) ? "CONNECT"
                     : has_body(of)   ? "POST"
                                      : "GET",
                     text, is_session(of) ? "websocket" : NULL);
    if (is_session(of)) {
        h2_write_field(&block, "sec-websocket-version", wring_str("13"));
    }
    (void)snprintf(text, sizeof text, "%u", of->id);
    h2_write_field(&block, "x-id", wring_str(text));
    if (of->expects) {
        h2_write_field(&block, "expect", wring_str("100-continue"));
    }
    (void)snprintf(text, sizeof text, "%zu", of->body_len);
    if (has_body(of) && !of->is_chunked) {
        h2_write_field(&block, "content-length", wring_str(text));
    }
    h2_write_field(&block, "x-last", wring_str("here"));
    stream->id = client->raw.next;
    client->raw.next += 2;
    stream->has_ended = !has_body(of) && !is_session(of);
    h2_write_headers(&client->raw.unsent, stream->id, stream->has_ended ? H2_END_STREAM : 0,
                     h2_buffer_view(&block), http_random(4) == 0 ? 40 : 0);
    h2_buffer_free(&block);
}

static void body_say(struct web_client *client, unsigned i) {
    const http_ask *of = &client->asks->asks[i];
    struct web_stream *stream = &client->streams[i];
    uint8_t piece[1000];
    const size_t most = wring__min_size(1 + http_random(http_random(3) == 0 ? sizeof piece : 40),
                                        raw_room(&client->raw, stream->id));
    const size_t len = wring__min_size(most, of->body_len - stream->said);
    for (size_t k = 0; k < len; k++) {
        piece[k] = http_byte(of->id, stream->said + k);
    }
    stream->said += len;
    stream->has_ended = stream->said == of->body_len;
    if (len > 0 || stream->has_ended) {
        h2_write_data(&client->raw.unsent, stream->id, stream->has_ended,
                      wring_bytes_of(piece, len));
    }
}

static void message_say(struct web_client *client, unsigned i) {
    struct web_stream *stream = &client->streams[i];
    char text[24];
    (void)snprintf(text, sizeof text, "%u.%u", client->asks->asks[i].id, stream->frames);
    if (raw_room(&client->raw, stream->id) >= 40) {
        raw_text(&client->raw, stream->id, text);
        stream->frames++;
    }
}

static void close_say(struct web_client *client, struct web_stream *stream) {
    h2_buffer frame = {0};
    if (raw_room(&client->raw, stream->id) >= 40) {
        h2_write_message(&frame, 0x88, wring_bytes_of("\x03\xE8", 2));
        h2_write_data(&client->raw.unsent, stream->id, true, h2_buffer_view(&frame));
        h2_buffer_free(&frame);
        stream->has_closed = stream->has_ended = true;
    }
}

/* ---- what it is answered --------------------------------------------------------------------- */

static size_t number_of(wring_bytes text) {
    char digits[16] = {0};
    EXPECT(text.len > 0 && text.len < sizeof digits);
    memcpy(digits, text.data, text.len);
    return strtoul(digits, NULL, 10);
}

/* The echoes of a session, and the server's close. */
static void session_hear(struct web_client *client, unsigned i, const h2_judged_stream *from) {
    struct web_stream *stream = &client->streams[i];
    char text[24];
    while (from->data.len >= stream->heard + 2 &&
           from->data.len >= stream->heard + 2 + from->data.data[stream->heard + 1]) {
        const uint8_t *frame = from->data.data + stream->heard;
        EXPECT(frame[0] == 0x81 || frame[0] == 0x88);
        if (frame[0] == 0x81) {
            const int len = snprintf(text, sizeof text, "%u.%u", client->asks->asks[i].id,
                                     client->asks->echoes++);
            EXPECT(frame[1] == len && memcmp(frame + 2, text, (size_t)len) == 0);
        } else if (!stream->has_ended) {
            close_say(client, stream);
            if (!stream->has_ended) {
                return; /* no room: later */
            }
        }
        stream->heard += 2u + frame[1];
    }
}

static bool is_refusal_due(const http_ask *of, unsigned status) {
    switch (status) {
    case 404:
        return of->kind == HTTP_MISSING;
    case 500:
        return of->kind == HTTP_SILENT;
    case 413:
        return of->body_len > HTTP_BODY_MAX;
    case 408:
    case 503: /* the server drains, or no answer came in time */
        return true;
    default:
        return false;
    }
}

static void answer_check(http_ask *of, const h2_judged_stream *from) {
    wring_bytes id;
    const bool is_long = of->kind == HTTP_STREAM || of->kind == HTTP_ECHO;
    if (!h2_judged_field(from, "x-id", &id)) {
        EXPECT(is_refusal_due(of, from->status));
    } else {
        EXPECT(number_of(id) == of->id && of->requested == 1);
        EXPECT(of->kind != HTTP_SILENT && of->kind != HTTP_MISSING && of->kind != HTTP_SOCKET);
        EXPECT(!is_long || of->is_head || from->data.len == of->body_len);
        for (size_t i = 0; i < from->data.len && is_long; i++) {
            EXPECT(from->data.data[i] == http_byte(of->id, i));
        }
        EXPECT(is_long || of->is_head || number_of(h2_buffer_view(&from->data)) == of->id);
    }
    of->is_seen = true;
    of->status = from->status;
    of->seen_bytes = from->data.len;
}

/* True: nothing more comes of it. */
static bool stream_is_over(const struct web_client *client, unsigned i) {
    const h2_judged_stream *from = raw_stream(&client->raw, client->streams[i].id);
    return client->streams[i].id == 0
               ? client->raw.judge.goaways > 0
               : client->asks->asks[i].is_reset || (from != NULL && (from->reset || from->ended)) ||
                     client->raw.judge.goaway_last < client->streams[i].id;
}

static void stream_look(struct web_client *client, unsigned i) {
    http_ask *of = &client->asks->asks[i];
    const h2_judged_stream *from = raw_stream(&client->raw, client->streams[i].id);
    if (from == NULL || of->is_reset) {
        return;
    }
    if (is_session(of) && from->status == 200) {
        session_hear(client, i, from);
    } else if (from->ended && !of->is_seen) {
        answer_check(of, from);
    }
}

/* ---- what it does ---------------------------------------------------------------------------- */

static void cut(struct web_client *client, bool reset) {
    client->asks->is_over = true;
    raw_close(&client->raw, reset);
}

/* What was read may be sent again. */
static void windows_give(struct web_client *client, const h2_judged_stream *from) {
    h2_judge *judge = &client->raw.judge;
    h2_buffer *out = &client->raw.unsent;
    if (from->sent > from->given && !from->ended && !from->reset && http_random(3) == 0) {
        h2_write_window(out, from->id, (uint32_t)(from->sent - from->given));
    }
    if (judge->sent > judge->given + 1000 || (judge->sent > judge->given && http_random(9) == 0)) {
        h2_write_window(out, 0, (uint32_t)(judge->sent - judge->given));
    }
}

static void stream_act(struct web_client *client, unsigned i) {
    struct web_stream *stream = &client->streams[i];
    http_ask *of = &client->asks->asks[i];
    const h2_judged_stream *from = raw_stream(&client->raw, stream->id);
    if (client->raw.unsent.len > 0) { /* windows are as the judge has them */
        return;
    }
    if (stream->id == 0) {
        if (http_random(3) == 0 && (i == 0 || client->streams[i - 1].id != 0)) {
            ask(client, i);
        }
    } else if (http_random(400) == 0) {
        h2_write_reset(&client->raw.unsent, stream->id, H2_CANCEL);
        of->is_reset = true;
        sums.resets++;
    } else if (is_session(of) && from != NULL && from->status == 200 && !stream->has_ended) {
        stream->frames < client->asks->frames          ? message_say(client, i)
        : client->asks->echoes == client->asks->frames ? close_say(client, stream)
                                                       : (void)0;
    } else if (!stream->has_ended && !is_session(of)) {
        body_say(client, i);
    }
    if (from != NULL && !of->is_reset) {
        windows_give(client, from);
    }
}

static void alive_count(const struct web_client *client) {
    unsigned alive = 0;
    for (unsigned i = 0; i < client->asks->count; i++) {
        alive += client->asks->asks[i].requested > client->asks->asks[i].done;
    }
    sums.at_once = alive > sums.at_once ? alive : sums.at_once;
}

/* False: it has nothing to do for a while. */
static bool client_waits(http_client *asks) {
    if (http_random(60) == 0) {
        asks->has_waited = true;
        asks->waits_until = wring__sim_now(w->run.world) +
                            http_random(http_random(4) == 0 ? 1500 : 20) * WRING_NS_PER_MS;
        wring__sim_alarm(w->run.world, asks->waits_until);
    }
    return asks->waits_until > wring__sim_now(w->run.world);
}

static void client_step(struct web_client *client) {
    bool is_content = true;
    if (client->asks->is_over || client_waits(client->asks)) {
        return;
    }
    for (unsigned i = 0; i < client->asks->count; i++) {
        if (!stream_is_over(client, i)) {
            is_content = false;
            stream_act(client, i);
        }
    }
    raw_step(&client->raw, 1 + http_random(http_random(3) == 0 ? 5000 : 60));
    for (unsigned i = 0; i < client->asks->count; i++) {
        stream_look(client, i);
    }
    alive_count(client);
    if (client->raw.end) {
        client->asks->is_over = client->asks->had_end = true;
    } else if (http_random(4000) == 0 || (is_content && http_random(20) == 0)) {
        client->asks->is_cut = !is_content;
        cut(client, http_random(2) == 0);
    }
}

/* ---- the run --------------------------------------------------------------------------------- */

/* Something may be said now: time stands still. */
static bool is_busy(const struct web_client *client) {
    const http_client *asks = client->asks;
    bool busy = false;
    for (unsigned i = 0; i < asks->count && !asks->is_over; i++) {
        const struct web_stream *stream = &client->streams[i];
        const bool may_end = stream->id != 0 && is_session(&asks->asks[i]);
        busy |= !stream_is_over(client, i) &&
                (stream->id == 0 ||
                 (!stream->has_ended && !may_end && raw_room(&client->raw, stream->id) > 0));
    }
    return busy && asks->waits_until <= wring__sim_now(w->run.world);
}

static bool round_run(void) {
    const uint64_t before = wring__sim_activity(w->run.world);
    bool is_over = true;
    bool busy = http_jobs_run();
    sim_run_workers(&w->run);
    for (unsigned i = 0; i < HTTP_CLIENTS; i++) {
        client_step(&clients[i]);
        is_over &= clients[i].asks->is_over;
        busy |= is_busy(&clients[i]);
        if (clients[i].asks->waits_until > wring__sim_now(w->run.world)) {
            wring__sim_alarm(w->run.world, clients[i].asks->waits_until);
        }
    }
    if (before == wring__sim_activity(w->run.world) && !busy) {
        (void)wring__sim_advance(w->run.world);
    }
    return !is_over;
}

static void ask_check(const http_ask *of) {
    EXPECT(of->done == of->requested);
    sums.whole[of->kind] += of->is_seen;
    if (of->done == 1 && of->is_seen && of->status < 400 && !is_session(of)) {
        EXPECT(of->end.result == WRING_OK && of->end.status == of->status);
        EXPECT(of->end.tx_bytes == of->seen_bytes);
    }
}

static void client_check(struct web_client *client) {
    const http_client *asks = client->asks;
    for (unsigned i = 0; i < asks->count; i++) {
        const h2_judged_stream *from = raw_stream(&client->raw, client->streams[i].id);
        ask_check(&asks->asks[i]);
        sums.refused += from != NULL && from->reset && from->code == H2_REFUSED_STREAM;
    }
    sums.echoes += asks->echoes;
    EXPECT(client->raw.judge.goaway_code == H2_NO_ERROR);
    EXPECT(asks->is_cut || !asks->had_end || w->is_draining || asks->has_waited || w->is_tight ||
           client->raw.judge.goaways > 0);
    raw_free(&client->raw);
}

static void begin(uint64_t seed) {
    static const uint32_t pipes[] = {16, 100, 1024, 16384};
    static const uint32_t windows[] = {65535, 100, 1000, 20000, 64};
    memset(w, 0, sizeof *w);
    http2 = (wring_http2_config){.struct_size = sizeof http2,
                                 .cleartext = true,
                                 .window_bytes = windows[seed % 5],
                                 .resets_per_second = WRING_UNLIMITED,
                                 .controls_per_second = WRING_UNLIMITED};
    window = windows[seed / 5 % 5];
    sim_run_http2 = &http2;
    sim_run_pipe_bytes = pipes[seed / 2 % 4];
    http_server_begin(seed);
    for (unsigned i = 0; i < HTTP_CLIENTS; i++) {
        plan(&clients[i], &w->clients[i]);
        raw_begin(&clients[i].raw, &w->run, &http2, window);
    }
}

void sim_h2_web(uint64_t seed) {
    begin(seed);
    const uint64_t drain_at = http_random(3) == 0 ? http_random(400) : UINT64_MAX;
    for (uint64_t round = 0; round_run(); round++) {
        EXPECT(round < 1000000);
        if (round == drain_at) {
            w->is_draining = true;
            sums.drains++;
            wring__server_drain(w->run.server, 1000);
        }
    }
    w->job_count = 0; /* for exchanges that are over */
    const bool was_draining = w->is_draining;
    w->is_draining = true;
    sim_run_end(&w->run);
    w->is_draining = was_draining;
    for (unsigned i = 0; i < HTTP_CLIENTS; i++) {
        client_check(&clients[i]);
    }
    sim_run_http2 = NULL;
    sim_run_pipe_bytes = 0;
}

void sim_h2_web_sum(uint64_t seeds) {
    for (unsigned i = 0; i < HTTP_KINDS; i++) {
        printf("%s %llu; ", http_paths[i], (unsigned long long)sums.whole[i]);
        EXPECT(seeds < 100 || sums.whole[i] > 0 || i == HTTP_ABORT || i >= HTTP_HOOK);
    }
    printf("echoes %llu, resets %llu, refused %llu, drains %llu, at once %llu\n",
           (unsigned long long)sums.echoes, (unsigned long long)sums.resets,
           (unsigned long long)sums.refused, (unsigned long long)sums.drains,
           (unsigned long long)sums.at_once);
    EXPECT(seeds < 100 ||
           (sums.echoes > 0 && sums.resets > 0 && sums.drains > 0 && sums.at_once > 3));
}
