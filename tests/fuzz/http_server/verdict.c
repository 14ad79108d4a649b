/* SPDX-License-Identifier: Apache-2.0
 *
 * Each answer with the request that it answers, and with what the application did. See scene.h.
 */
#include <stdlib.h>

#include "tests/fuzz/http_server/reader.h"
#include "tests/fuzz/http_server/scene.h"

/* Where the walk over both directions is. */
struct walk {
    const struct scene *scene;
    wring_bytes said;
    wring_bytes got;
    fuzz_ask ask; /* the one at hand */
    fuzz_reply reply;
    size_t record; /* the next that was not seen */
    bool is_last;  /* nothing may follow */
    bool is_upgraded;
    bool cut; /* not all has to be there: the stream was cut, or an exchange that ended badly did */
};

/* The record of the request at hand; NULL: no handler was asked for it. */
static const record *record_next(const struct walk *walk) {
    const exchanges *app = walk->scene->app;
    if (walk->record == app->record_count || walk->ask.state < ASK_BODY_PART) {
        return NULL;
    }
    const record *next = &app->records[walk->record];
    const wring_request *request = &walk->ask.request;
    const size_t method = request->method.len;
    const bool is_it =
        next->name.len == method + request->target.len &&
        memcmp(next->name.data, request->method.data, method) == 0 &&
        memcmp(next->name.data + method, request->target.data, request->target.len) == 0;
    return is_it ? next : NULL;
}

/* What the handler got of the body is what was sent. */
static void body_check(const struct walk *walk, const record *of) {
    const fuzz_log *sent = &walk->ask.body;
    FUZZ_CHECK(of->body.len <= sent->len);
    FUZZ_CHECK(of->body.len == 0 || memcmp(of->body.data, sent->data, of->body.len) == 0);
    if (of->had_last) {
        FUZZ_CHECK(walk->ask.state == ASK_WHOLE && of->body.len == sent->len);
        FUZZ_CHECK(of->end.rx_bytes == sent->len);
    }
}

/* An answer of the application's: it is what was given, all of it if the exchange ended well. */
static void own_check(struct walk *walk) {
    const exchanges *app = walk->scene->app;
    const fuzz_reply *got = &walk->reply;
    FUZZ_CHECK(got->record == walk->record && got->answer < app->reply_count);
    const record *of = record_next(walk);
    FUZZ_CHECK(of != NULL);
    const answered *given = &app->replies[got->answer];
    FUZZ_CHECK(given->record == got->record && given->status == got->status);
    FUZZ_CHECK(of->answer == got->answer || (of->answer == REPLIES_MAX && of->has_mail));
    FUZZ_CHECK(got->body.len <= given->len);
    for (size_t i = 0; i < got->body.len; i++) {
        FUZZ_CHECK(got->body.data[i] == exchanges_byte(got->answer, i));
    }
    FUZZ_CHECK(of->end.status == got->status || walk->cut);
    const bool has_body = !of->is_head && got->status != 204 && got->status != 304;
    if (of->end.result == WRING_OK) {
        FUZZ_CHECK(walk->cut || (got->is_whole && (!has_body || got->body.len == given->len)));
        FUZZ_CHECK(!has_body || of->end.tx_bytes == given->len);
    } else if (!got->is_unframed && got->is_chunked && has_body) {
        FUZZ_CHECK(!got->is_whole || given->is_ended);
    }
    body_check(walk, of);
    walk->record++;
}

/* What the library answers itself has a reason. */
static void refusal_check(struct walk *walk) {
    const struct scene *scene = walk->scene;
    const fuzz_ask *asked = &walk->ask;
    const record *of = record_next(walk);
    const unsigned status = walk->reply.status;
    const bool is_mute = of != NULL && of->answer == REPLIES_MAX && !of->is_whole;
    switch (status) {
    case 204: /* OPTIONS */
        FUZZ_CHECK(wring_bytes_equal(asked->request.method, wring_str("OPTIONS")));
        return;
    case 500:
        FUZZ_CHECK(is_mute && !walk->reply.has_record);
        break;
    case 503:
        FUZZ_CHECK(scene->late || scene->draining);
        FUZZ_CHECK(walk->reply.is_close);
        break;
    case 408:
        FUZZ_CHECK(scene->late && walk->reply.is_close);
        break;
    case 413:
        FUZZ_CHECK(walk->reply.is_close && asked->has_body);
        break;
    case 404:
    case 405:
    case 426:
    case 403:
        FUZZ_CHECK(asked->state >= ASK_BODY_PART);
        return;
    default:
        FUZZ_CHECK(status == 400 || status == 414 || status == 417 || status == 431 ||
                   status == 501 || status == 505);
        return;
    }
    if (is_mute && of->end.status == status) {
        body_check(walk, of);
        walk->record++;
    }
}

static void upgraded_check(struct walk *walk) {
    const exchanges *app = walk->scene->app;
    const record *of = record_next(walk);
    fuzz_wire wire = fuzz_wire_read(WRING_ROLE_SERVER, walk->got, walk->scene->cut);
    FUZZ_CHECK(walk->ask.asks_upgrade && app->session.inits == 1);
    if (of != NULL && of->is_hook) {
        FUZZ_CHECK(of->end.status == 101 && of->end.result == WRING_OK);
        walk->record++;
    }
    fuzz_app_check(&app->session, &wire, walk->scene->cut);
    if (!walk->ask.has_body) {
        fuzz_app_check_got(&app->session, WRING_ROLE_SERVER, &walk->scene->session, walk->said,
                           walk->scene->cut);
    }
    fuzz_wire_free(&wire);
}

/* One answer that is not 100. False when the bytes end. */
static bool answer_walk(struct walk *walk) {
    bool had_continue = false;
    ask_take(&walk->ask, &walk->said, walk->scene->head_max, walk->scene->target_max);
    for (;;) {
        if (walk->got.len == 0) {
            return false;
        }
        FUZZ_CHECK(!walk->is_last);
        reply_take(&walk->reply, &walk->got, &walk->ask);
        if (walk->reply.is_head_only || walk->reply.status != 100) {
            break;
        }
        FUZZ_CHECK(walk->ask.expects && !had_continue);
        had_continue = true;
        reply_free(&walk->reply);
    }
    if (walk->reply.is_head_only) {
        FUZZ_CHECK(walk->cut && walk->got.len == 0);
        return false;
    }
    if (walk->reply.status == 101) {
        walk->is_upgraded = true;
        upgraded_check(walk);
        return false;
    }
    walk->reply.has_record ? own_check(walk) : refusal_check(walk);
    FUZZ_CHECK(walk->reply.is_whole || walk->got.len == 0);
    FUZZ_CHECK(walk->ask.state >= ASK_BODY_PART || walk->reply.is_close);
    const bool is_10_close = walk->ask.is_10 && !walk->reply.is_keep_alive;
    FUZZ_CHECK(!(walk->ask.asks_close || walk->ask.asks_upgrade) || walk->reply.is_close);
    walk->is_last = walk->reply.is_close || is_10_close || !walk->reply.is_whole ||
                    walk->ask.state != ASK_WHOLE; /* the rest of it was dropped */
    return true;
}

/* The bytes have ended: was anything owed for the request at hand? */
static void owed_check(const struct walk *walk) {
    const struct scene *scene = walk->scene;
    const exchanges *app = scene->app;
    if (walk->cut || scene->late || scene->drained || walk->is_last) {
        return;
    }
    FUZZ_CHECK(walk->ask.state == ASK_NONE || walk->ask.state == ASK_HEAD_PART);
    FUZZ_CHECK(walk->record == app->record_count);
}

void verdict_check(const struct scene *scene) {
    struct walk *walk = calloc(1, sizeof *walk);
    FUZZ_CHECK(walk != NULL);
    walk->scene = scene;
    walk->cut = scene->cut;
    for (size_t i = 0; i < scene->app->record_count; i++) {
        walk->cut = walk->cut || scene->app->records[i].end.result != WRING_OK;
    }
    walk->said = wring_bytes_of(scene->says.data, scene->sent);
    walk->got = wring_bytes_of(scene->received.data, scene->received.len);
    while (answer_walk(walk)) {
        reply_free(&walk->reply);
        ask_free(&walk->ask);
        walk->reply = (fuzz_reply){0};
    }
    if (!walk->is_upgraded) {
        owed_check(walk);
        FUZZ_CHECK(scene->app->session.inits == 0 || walk->cut);
        FUZZ_CHECK(scene->app->session.inits == scene->app->session.terminates);
    }
    reply_free(&walk->reply);
    ask_free(&walk->ask);
    free(walk);
}
