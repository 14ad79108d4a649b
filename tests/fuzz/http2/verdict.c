/* SPDX-License-Identifier: Apache-2.0
 *
 * Each stream with what the applications did on it. See scene.h.
 */
#include <stdlib.h>

#include "tests/fuzz/http2/scene.h"

static const h2_judged_stream *stream_of(const struct scene *scene, uint64_t tag) {
    const h2_judged_stream *stream = h2_judge_stream(&scene->peer.judge, (uint32_t)tag);
    FUZZ_CHECK(stream != NULL);
    return stream;
}

static bool is_over(const h2_judged_stream *stream) {
    return stream->reset || stream->peer_reset;
}

static size_t number_of(wring_bytes text) {
    char digits[20] = {0};
    FUZZ_CHECK(text.len > 0 && text.len < sizeof digits);
    memcpy(digits, text.data, text.len);
    return strtoul(digits, NULL, 10);
}

static bool has_body(const record *of, unsigned status) {
    return !of->is_head && status != 204 && status != 304;
}

/* ---- everything is quiet --------------------------------------------------------------------- */

static void quiet_exchange(const struct scene *scene, const record *of) {
    const h2_judged_stream *stream = stream_of(scene, of->tag);
    if (is_over(stream)) {
        return;
    }
    if (of->dones == 1) {
        FUZZ_CHECK(of->end.result != WRING_OK || of->is_hook || stream->ended);
    } else if (of->answer != REPLIES_MAX && has_body(of, stream->status)) {
        FUZZ_CHECK(stream->data.len == scene->app->replies[of->answer].len);
    }
}

static void quiet_session(const struct scene *scene, const carried *session) {
    const h2_judged_stream *stream = stream_of(scene, session->tag);
    if (is_over(stream)) {
        return;
    }
    fuzz_wire wire = fuzz_wire_read(WRING_ROLE_SERVER, h2_buffer_view(&stream->data), false);
    FUZZ_CHECK(wire.messages.len >= session->app.sent.len);
    FUZZ_CHECK(session->app.terminates == 0 || stream->ended);
    fuzz_wire_free(&wire);
}

void verdict_quiet(const struct scene *scene) {
    const h2_judge *judge = &scene->peer.judge;
    FUZZ_CHECK(judge->had_settings && judge->acks == judge->settings);
    FUZZ_CHECK(judge->pongs == judge->pings);
    for (size_t i = 0; i < scene->app->record_count; i++) {
        quiet_exchange(scene, &scene->app->records[i]);
    }
    for (size_t i = 0; i < scene->session_count; i++) {
        quiet_session(scene, scene->sessions[i]);
    }
}

/* ---- exchanges ------------------------------------------------------------------------------- */

/* What the handler got of the body is what was sent. */
static void body_check(const record *of, const h2_judged_stream *stream) {
    const h2_buffer *sent = &stream->peer_data;
    FUZZ_CHECK(of->body.len <= sent->len);
    FUZZ_CHECK(of->body.len == 0 || memcmp(of->body.data, sent->data, of->body.len) == 0);
    if (of->had_last && !of->is_hook) {
        FUZZ_CHECK(stream->peer_ended && of->body.len == sent->len);
    }
}

static void length_check(const record *of, const h2_judged_stream *stream) {
    wring_bytes text;
    if (h2_judged_field(stream, "content-length", &text)) {
        const size_t length = number_of(text);
        FUZZ_CHECK(stream->data.len <= length || !has_body(of, stream->status));
        FUZZ_CHECK(!stream->ended || stream->data.len == length || !has_body(of, stream->status));
    }
}

/* An answer of the application's is what was given, all of it if the stream ended in order. */
static void own_check(const struct scene *scene, size_t number, const h2_judged_stream *stream,
                      size_t answer) {
    const record *of = &scene->app->records[number];
    wring_bytes text;
    FUZZ_CHECK(h2_judged_field(stream, "x-record", &text) && number_of(text) == number);
    FUZZ_CHECK(answer < scene->app->reply_count);
    const answered *given = &scene->app->replies[answer];
    FUZZ_CHECK(given->record == number && given->status == stream->status);
    FUZZ_CHECK(of->answer == answer || (of->answer == REPLIES_MAX && of->has_mail));
    FUZZ_CHECK(stream->data.len <= given->len);
    for (size_t i = 0; i < stream->data.len; i++) {
        FUZZ_CHECK(stream->data.data[i] == exchanges_byte(answer, i));
    }
    if (stream->ended) {
        FUZZ_CHECK(!given->is_begun || given->is_ended);
        FUZZ_CHECK(!has_body(of, stream->status) || stream->data.len == given->len);
    }
    FUZZ_CHECK(of->end.result != WRING_OK || of->end.status == stream->status);
}

static bool is_refusal(unsigned status) {
    static const unsigned known[] = {0,   204, 400, 403, 404, 405, 408, 413, 414,
                                     417, 421, 426, 429, 431, 500, 501, 503};
    for (size_t i = 0; i < WRING_ARRAY_LEN(known); i++) {
        if (status == known[i]) {
            return true;
        }
    }
    return false;
}

static void exchange_check(const struct scene *scene, size_t number) {
    const record *of = &scene->app->records[number];
    const h2_judged_stream *stream = stream_of(scene, of->tag);
    wring_bytes text;
    if (h2_judged_field(stream, "x-answer", &text)) {
        own_check(scene, number, stream, number_of(text));
    } else {
        FUZZ_CHECK(is_refusal(stream->status) || (of->is_hook && stream->status == 200));
    }
    length_check(of, stream);
    body_check(of, stream);
}

/* ---- sessions -------------------------------------------------------------------------------- */

static void session_check(const struct scene *scene, const carried *session) {
    const h2_judged_stream *stream = stream_of(scene, session->tag);
    const bool cut = scene->peer.cut || !stream->ended || is_over(stream);
    fuzz_wire wire = fuzz_wire_read(WRING_ROLE_SERVER, h2_buffer_view(&stream->data), cut);
    FUZZ_CHECK(stream->status == 200 || (stream->status == 0 && cut));
    fuzz_app_check(&session->app, &wire, cut);
    fuzz_app_check_got(&session->app, WRING_ROLE_SERVER, &scene->session,
                       h2_buffer_view(&stream->peer_data), cut);
    fuzz_wire_free(&wire);
}

/* ---- streams --------------------------------------------------------------------------------- */

static void stream_check(const h2_judged_stream *stream) {
    FUZZ_CHECK(is_refusal(stream->status) || (stream->status >= 200 && stream->status < 600));
    FUZZ_CHECK(stream->interim <= 1);
    FUZZ_CHECK(!stream->reset || stream->code <= 13);
}

void verdict_check(const struct scene *scene) {
    bool mailed = false;
    for (size_t i = 0; i < scene->session_count; i++) {
        mailed |= scene->sessions[i]->app.mailed; /* of one to a topic of others */
        FUZZ_CHECK(scene->sessions[i]->app.inits == 1 && scene->sessions[i]->app.terminates == 1);
    }
    for (size_t i = 0; i < scene->session_count; i++) {
        scene->sessions[i]->app.mailed |= mailed;
        if (scene->peer.is_judged) {
            session_check(scene, scene->sessions[i]);
        }
    }
    for (size_t i = 0; i < scene->app->record_count && scene->peer.is_judged; i++) {
        exchange_check(scene, i);
    }
    for (size_t i = 0; i < scene->peer.judge.count; i++) {
        stream_check(&scene->peer.judge.streams[i]);
    }
}
