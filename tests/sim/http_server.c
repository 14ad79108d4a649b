/* SPDX-License-Identifier: Apache-2.0
 *
 * The server of the scenario `http`: a route for each way to answer.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/http.h"
#include "wring/ref.h"

static http_world *const w = &http_now;

const char *const http_paths[HTTP_KINDS] = {"/now",   "/silent", "/late", "/peer",
                                            "/info",  "/stream", "/echo", "/upload",
                                            "/abort", "/hook",   "/ws",   "/missing"};

#define SESSION_STATE 64

/* An exchange's own. */
typedef struct own {
    unsigned id;
    bool is_zeroed_not; /* it was not zeroed */
    bool is_paused;
    size_t written; /* of a stream */
    size_t kept_len;
    bool is_last; /* the last piece of the body came */
    bool is_ended;
    bool is_gone;                /* its client, before the answer was begun */
    size_t taken;                /* of the body */
    uint8_t kept[HTTP_BODY_MAX]; /* pieces that found the queue full */
} own;

static own *own_of(wring_exchange *exchange) {
    return wring_exchange_user(exchange);
}

static unsigned id_of(const wring_request *request) {
    wring_bytes text;
    char number[12] = {0};
    EXPECT(wring_headers_get(request->headers, "x-id", &text) && text.len < sizeof number);
    memcpy(number, text.data, text.len);
    return (unsigned)strtoul(number, NULL, 10);
}

static http_ask *ask_of(wring_exchange *exchange) {
    return w->asked[id_of(wring_exchange_request(exchange))];
}

/* ---- answers --------------------------------------------------------------------------------- */

/* The answer of a request, with its id: whoever gets another's sees it. */
static wring_answer answer_of(unsigned id, wring_header *header, char text[16]) {
    snprintf(text, 16, "%u", id);
    *header = (wring_header){wring_str("X-Id"), wring_str(text)};
    return (wring_answer){.struct_size = sizeof(wring_answer),
                          .headers = {header, 1},
                          .ends_connection = w->asked[id]->flavour % 16 == 5};
}

static wring_result answer_whole(wring_exchange *exchange, unsigned id, uint16_t status) {
    char text[16];
    wring_header header;
    wring_answer answer = answer_of(id, &header, text);
    answer.status = status;
    answer.body = wring_str(text);
    return wring_exchange_answer(exchange, &answer);
}

/* A client that is gone is no fault of the handler's. */
static bool is_done(wring_result result) {
    return result == WRING_OK || result == WRING_ERR_CLOSED;
}

static void begin(wring_exchange *exchange, unsigned id, uint64_t bytes) {
    char text[16];
    wring_header header;
    wring_answer answer = answer_of(id, &header, text);
    answer.body_bytes = bytes;
    const wring_result result = wring_exchange_answer_begin(exchange, &answer);
    EXPECT(is_done(result));
    own_of(exchange)->is_gone = result != WRING_OK;
    EXPECT(wring_exchange_answer(exchange, &answer) ==
           (result == WRING_OK ? WRING_ERR_INVALID_STATE : WRING_ERR_CLOSED));
}

static wring_accept accept_of(unsigned id);

/* From within a callback of this worker: by its pointer. */
static void other_decide(wring_exchange *other, unsigned id) {
    if (http_random(8) == 0) {
        wring_exchange_abort(other);
        w->asked[id]->is_aborted = true;
    } else if (w->asked[id]->kind == HTTP_HOOK && http_random(3) > 0) {
        const wring_accept accept = accept_of(id);
        const wring_result result = wring_exchange_accept(other, &accept);
        EXPECT(is_done(result));
        ((http_given *)accept.data)->is_taken = result == WRING_OK;
    } else {
        EXPECT(is_done(answer_whole(other, id, w->asked[id]->kind == HTTP_HOOK ? 403 : 200)));
    }
}

/* Exchanges that wait are decided from within a callback of something else. */
static void decide_others(uint32_t worker, const wring_exchange *mine) {
    for (unsigned i = 0; i < HTTP_ASKED_MAX; i++) {
        wring_exchange *other = w->parked[i];
        if (other != NULL && other != mine && http_random(2) == 0 &&
            wring_exchange_worker(other) == worker) {
            w->parked[i] = NULL;
            other_decide(other, i);
        }
    }
}

static void answer_others(const wring_exchange *mine) {
    decide_others(wring_exchange_worker(mine), mine);
}

/* ---- ways to answer -------------------------------------------------------------------------- */

/* WRING_REF_NONE: no slot was free. */
static wring_ref ref_of(wring_exchange *exchange) {
    wring_ref ref;
    wring_ref again;
    const wring_result result = wring_exchange_ref(exchange, &ref);
    if (result != WRING_OK) {
        EXPECT(result == WRING_ERR_TOO_MANY_CONNECTIONS && ref == WRING_REF_NONE && w->is_tight);
        w->refs_refused++;
        return WRING_REF_NONE;
    }
    EXPECT(ref != WRING_REF_NONE);
    EXPECT(wring_exchange_ref(exchange, &again) == WRING_OK && again == ref);
    return ref;
}

static void later(wring_exchange *exchange, const http_ask *ask) {
    const wring_ref ref = ref_of(exchange);
    if (ref == WRING_REF_NONE) {
        EXPECT(is_done(answer_whole(exchange, ask->id, 200)));
        return;
    }
    if (ask->kind == HTTP_PEER) {
        w->parked[ask->id] = exchange;
    }
    if (ask->flavour % 11 != 0) { /* one in eleven never is answered so */
        http_job_add(ask->kind == HTTP_INFO ? JOB_POST : JOB_ANSWER, ask->id, ref,
                     ask->flavour % 7 == 0 ? 3000 : 50);
    }
    if (ask->flavour % 5 == 0) { /* twice, and perhaps when it is over */
        http_job_add(JOB_ANSWER, ask->id, ref, 2000);
    }
    if (ask->flavour % 13 == 0) {
        http_job_add(JOB_STOP, ask->id, ref, 100);
    }
}

static void stream_write(wring_exchange *exchange) {
    own *mine = own_of(exchange);
    const http_ask *ask = w->asked[mine->id];
    uint8_t piece[500];
    while (mine->written < ask->body_len && !mine->is_gone) {
        const size_t len =
            wring__min_size(1 + http_random(sizeof piece), ask->body_len - mine->written);
        for (size_t i = 0; i < len; i++) {
            piece[i] = http_byte(ask->id, mine->written + i);
        }
        const wring_result result =
            wring_exchange_answer_write(exchange, wring_bytes_of(piece, len));
        if (result == WRING_ERR_QUEUE_FULL) {
            w->fulls++;
            return; /* `drained` goes on */
        }
        if (result != WRING_OK) {
            EXPECT(result == WRING_ERR_CLOSED);
            return;
        }
        mine->written += len;
        if (ask->kind == HTTP_ABORT && mine->written > ask->body_len / 2) {
            wring_exchange_abort(exchange);
            return;
        }
    }
    if (!mine->is_ended && !mine->is_gone) {
        mine->is_ended = true;
        EXPECT(is_done(wring_exchange_answer_end(exchange)));
        EXPECT(wring_exchange_answer_end(exchange) != WRING_OK); /* again it is an error */
    }
}

static void abort_somehow(wring_exchange *exchange, const http_ask *ask) {
    if (ask->flavour % 3 == 0) {
        wring_exchange_abort(exchange);
        EXPECT(answer_whole(exchange, ask->id, 200) == WRING_ERR_CLOSED);
    } else if (ask->flavour % 3 == 1) {
        begin(exchange, ask->id, 0);
        stream_write(exchange);
    } else {
        const wring_ref ref = ref_of(exchange);
        if (ref == WRING_REF_NONE) {
            wring_exchange_abort(exchange);
        } else {
            http_job_add(JOB_STOP, ask->id, ref, 50);
        }
    }
}

/* ---- bodies ---------------------------------------------------------------------------------- */

/* What waits goes out first; a full queue pauses the body. */
static void echo_go_on(wring_exchange *exchange) {
    own *mine = own_of(exchange);
    if (mine->kept_len > 0) {
        const wring_result result =
            wring_exchange_answer_write(exchange, wring_bytes_of(mine->kept, mine->kept_len));
        if (result != WRING_OK) {
            EXPECT(result == WRING_ERR_QUEUE_FULL || result == WRING_ERR_CLOSED);
            return;
        }
        mine->kept_len = 0;
        wring_exchange_resume(exchange);
    }
    if (mine->is_last && !mine->is_ended) {
        mine->is_ended = true;
        EXPECT(is_done(wring_exchange_answer_end(exchange)));
    }
}

static void echo_piece(wring_exchange *exchange, wring_bytes piece) {
    own *mine = own_of(exchange);
    if (mine->is_gone) {
        return;
    }
    EXPECT(mine->kept_len + piece.len <= sizeof mine->kept);
    if (piece.len > 0) {
        memcpy(mine->kept + mine->kept_len, piece.data, piece.len);
        mine->kept_len += piece.len;
    }
    echo_go_on(exchange);
    if (mine->kept_len > 0) {
        wring_exchange_pause(exchange);
    }
}

static void upload_piece(wring_exchange *exchange, const http_ask *ask) {
    own *mine = own_of(exchange);
    if (mine->is_last || (ask->flavour % 6 == 0 && mine->taken >= ask->body_len / 3)) {
        EXPECT(is_done(answer_whole(exchange, ask->id, 200)));
        mine->is_ended = true;
    } else if (ask->flavour % 4 == 1 && !mine->is_paused) {
        const wring_ref ref = ref_of(exchange);
        mine->is_paused = true;
        if (ref != WRING_REF_NONE) {
            wring_exchange_pause(exchange);
            http_job_add(JOB_POST, ask->id, ref, ask->flavour % 8 == 1 ? 1500 : 30);
        }
    }
}

static void on_body(wring_exchange *exchange, wring_bytes piece, bool is_last) {
    own *mine = own_of(exchange);
    const http_ask *ask = ask_of(exchange);
    EXPECT(!mine->is_ended && !mine->is_last);
    http_body_look(ask, mine->taken, piece);
    mine->taken += piece.len;
    mine->is_last = is_last;
    EXPECT(!is_last || mine->taken == ask->body_len);
    answer_others(exchange);
    if (ask->kind == HTTP_ECHO) {
        echo_piece(exchange, piece);
    } else if (ask->kind == HTTP_UPLOAD) {
        upload_piece(exchange, ask);
    }
}

/* ---- callbacks ------------------------------------------------------------------------------- */

static void on_request(wring_exchange *exchange, const wring_request *request, void *opts) {
    own *mine = own_of(exchange);
    const unsigned id = id_of(request);
    http_ask *ask = w->asked[id];
    (void)opts;
    EXPECT(id < w->asked_count && !mine->is_zeroed_not && mine->id == 0);
    mine->is_zeroed_not = true;
    mine->id = id;
    EXPECT(++ask->requested == 1);
    http_request_look(exchange, ask);
    answer_others(exchange);
    switch (ask->kind) {
    case HTTP_NOW:
        EXPECT(is_done(answer_whole(exchange, id, ask->flavour % 9 == 0 ? 404 : 200)));
        EXPECT(answer_whole(exchange, id, 200) != WRING_OK);
        break;
    case HTTP_LATE:
    case HTTP_PEER:
    case HTTP_INFO:
        later(exchange, ask);
        break;
    case HTTP_STREAM:
        begin(exchange, id, ask->flavour % 2 == 0 ? ask->body_len : 0);
        stream_write(exchange);
        break;
    case HTTP_ECHO:
        begin(exchange, id, ask->flavour % 2 == 0 ? ask->body_len : 0);
        break;
    case HTTP_ABORT:
        abort_somehow(exchange, ask);
        break;
    default:
        break;
    }
}

static void on_info(wring_exchange *exchange, const wring_info *info) {
    const http_ask *ask = ask_of(exchange);
    EXPECT(info->tag == ask->id);
    answer_others(exchange);
    if (ask->kind == HTTP_INFO) {
        EXPECT(is_done(answer_whole(exchange, ask->id, 200)));
    } else {
        EXPECT(ask->kind == HTTP_UPLOAD);
        wring_exchange_resume(exchange);
    }
}

static void on_drained(wring_exchange *exchange) {
    const http_ask *ask = ask_of(exchange);
    w->drained++;
    if (ask->kind == HTTP_STREAM || ask->kind == HTTP_ABORT) {
        stream_write(exchange);
    } else if (ask->kind == HTTP_ECHO) {
        echo_go_on(exchange);
    }
}

static void on_done(wring_exchange *exchange, const wring_exchange_end *end) {
    http_ask *ask = ask_of(exchange);
    wring_ref ref;
    EXPECT(ask->requested == 1 && ++ask->done == 1);
    ask->end = *end;
    http_end_check(ask);
    http_request_look(exchange, ask);
    w->parked[ask->id] = NULL;
    answer_others(exchange);
    EXPECT(answer_whole(exchange, ask->id, 200) == WRING_ERR_CLOSED);
    EXPECT(wring_exchange_ref(exchange, &ref) == WRING_ERR_INVALID_STATE);
    wring_exchange_abort(exchange); /* of no effect */
}

/* ---- upgrades -------------------------------------------------------------------------------- */

static void on_lost(void *data) {
    http_given *given = data;
    EXPECT(++given->lost == 1 && given->init == 0);
}

static wring_accept accept_of(unsigned id) {
    http_given *given = &w->given[w->given_count++];
    EXPECT(w->given_count <= WRING_ARRAY_LEN(w->given));
    *given = (http_given){.id = id};
    return (wring_accept){.struct_size = sizeof(wring_accept), .data = given, .lost = on_lost};
}

static void on_upgrade(wring_exchange *exchange, const wring_request *request, void *opts) {
    own *mine = own_of(exchange);
    http_ask *ask = w->asked[id_of(request)];
    const enum http_verdict verdict = (enum http_verdict)(ask->flavour % VERDICTS);
    (void)opts;
    EXPECT(!mine->is_zeroed_not);
    mine->is_zeroed_not = true;
    EXPECT(++ask->requested == 1);
    http_request_look(exchange, ask);
    answer_others(exchange);
    if (verdict == VERDICT_ACCEPT) {
        const wring_accept accept = accept_of(ask->id);
        const wring_result result = wring_exchange_accept(exchange, &accept);
        EXPECT(is_done(result));
        ((http_given *)accept.data)->is_taken = result == WRING_OK;
        EXPECT(wring_exchange_accept(exchange, NULL) != WRING_OK);
    } else if (verdict == VERDICT_REFUSE) {
        EXPECT(is_done(answer_whole(exchange, ask->id, 401)));
        EXPECT(wring_exchange_accept(exchange, NULL) != WRING_OK);
    } else {
        const wring_ref ref = ref_of(exchange);
        if (ref == WRING_REF_NONE) {
            EXPECT(is_done(answer_whole(exchange, ask->id, 401)));
            return;
        }
        if (http_random(2) == 0) {
            w->parked[ask->id] = exchange;
        }
        if (verdict == VERDICT_ACCEPT_LATER || verdict == VERDICT_BOTH_LATER) {
            http_job_add(JOB_ACCEPT, ask->id, ref, ask->flavour % 4 == 0 ? 2000 : 50);
        }
        if (verdict == VERDICT_REFUSE_LATER || verdict == VERDICT_BOTH_LATER) {
            http_job_add(JOB_ANSWER, ask->id, ref, 50);
        }
    }
}

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    const http_ask *ask = w->asked[id_of(request)];
    http_given *given = request->accept_data;
    const uint8_t *state = wring_session_user(session);
    (void)opts;
    for (size_t i = 0; i < SESSION_STATE; i++) {
        EXPECT(state[i] == 0); /* whatever exchanges the connection had before */
    }
    EXPECT((given == NULL) == (ask->kind == HTTP_SOCKET));
    EXPECT(given == NULL || (given->id == ask->id && given->lost == 0 && ++given->init == 1));
    decide_others(wring_session_worker(session), NULL);
    return WRING_CONTINUE;
}

static wring_verdict on_in(wring_session *session, const wring_message *message) {
    if (message->opcode != WRING_TEXT) {
        return WRING_CONTINUE;
    }
    const wring_frame frame = wring_frame_text(message->payload);
    return wring_session_send(session, &frame) == WRING_OK ? WRING_CONTINUE : WRING_STOP;
}

/* ---- other threads --------------------------------------------------------------------------- */

void http_job_run(const http_job *job) {
    char text[16];
    wring_header header;
    wring_result result = WRING_OK;
    if (job->what == JOB_ANSWER) {
        wring_answer answer = answer_of(job->id, &header, text);
        answer.body = wring_str(text);
        answer.status = w->asked[job->id]->kind == HTTP_HOOK ? 403 : 200;
        result = wring_ref_answer(job->ref, &answer);
    } else if (job->what == JOB_ACCEPT) {
        const wring_accept accept = accept_of(job->id);
        result = wring_ref_accept(job->ref, &accept);
        ((http_given *)accept.data)->is_taken = result == WRING_OK;
    } else if (job->what == JOB_POST) {
        const wring_info info = {.tag = job->id};
        result = wring_ref_post(job->ref, &info, NULL);
    } else {
        result = wring_ref_stop(job->ref);
    }
    EXPECT(is_done(result));
}

/* ---- the server ------------------------------------------------------------------------------ */

void http_server_begin(uint64_t seed) {
    static const wring_http_handler whole = {.struct_size = sizeof whole,
                                             .name = "whole",
                                             .state_size = sizeof(own),
                                             .request = on_request,
                                             .info = on_info,
                                             .drained = on_drained,
                                             .done = on_done};
    static const wring_handler sessions = {.struct_size = sizeof sessions,
                                           .name = "sessions",
                                           .state_size = SESSION_STATE,
                                           .init = on_init,
                                           .handle_in = on_in};
    static const uint32_t softs[] = {100, 1000, 64 * 1024};
    wring_http_handler pieces = whole;
    wring_http_handler upgrade = {.struct_size = sizeof upgrade,
                                  .name = "hook",
                                  .state_size = sizeof(own),
                                  .request = on_upgrade,
                                  .done = on_done};
    wring_route routes[HTTP_KINDS];
    pieces.body = on_body;
    w->is_tight = seed % 5 == 1;
    for (unsigned i = 0; i < HTTP_MISSING; i++) {
        const bool in_pieces = i == HTTP_ECHO || i == HTTP_UPLOAD;
        routes[i] = (wring_route){.struct_size = sizeof(wring_route),
                                  .path = http_paths[i],
                                  .methods = i < HTTP_HOOK ? "GET, POST" : NULL,
                                  .http = i < HTTP_HOOK ? in_pieces ? &pieces : &whole : NULL,
                                  .handler = i < HTTP_HOOK ? NULL : &sessions,
                                  .upgrade = i == HTTP_HOOK ? &upgrade : NULL};
    }
    const wring_policy policy = {.struct_size = sizeof policy,
                                 .send_soft_bytes = softs[seed / 3 % 3],
                                 .send_hard_bytes = 2 * softs[seed / 3 % 3]};
    wring_server_config config = {.workers = 1 + (uint32_t)(seed % 2),
                                  .policy = &policy,
                                  .routes = routes,
                                  .route_count = HTTP_MISSING,
                                  .mailbox_items = 4096,
                                  .connections_max = w->is_tight ? HTTP_CLIENTS + 1 : 0,
                                  .handshake_timeout_ms = 1000,
                                  .keep_alive_timeout_ms = 400,
                                  .body_timeout_ms = 600,
                                  .answer_timeout_ms = 800,
                                  .body_bytes_max = HTTP_BODY_MAX};
    sim_run_begin_config(&w->run, seed, &config);
}
