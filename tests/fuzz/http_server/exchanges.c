/* SPDX-License-Identifier: Apache-2.0
 *
 * See exchanges.h.
 */
#include "tests/fuzz/http_server/exchanges.h"

#include "tests/fuzz/http_server/drafts.h"

/* The script's byte: what to do, and whether something follows in the same callback. */
enum action {
    FINISH, /* also when the script is at its end */
    NOTHING,
    ANSWER,
    BEGIN_CHUNKED,
    BEGIN_LENGTH,
    WRITE,
    FILL, /* writes until the queue is full */
    END,
    REF,
    PAUSE,
    RESUME,
    ABORT,
    ACCEPT,
    ILLEGAL,
    MAIL,
    LOOK,
    ACTIONS,
    FLAVOUR = 0x70, /* further choices */
    FOLLOWED = 0x80
};

static exchanges *all_of(const wring_exchange *exchange) {
    return wring_exchange_opts(exchange);
}

static record *record_of(const wring_exchange *exchange) {
    record *const *state = wring_exchange_user(exchange);
    FUZZ_CHECK(*state != NULL && (*state)->exchange == exchange);
    return *state;
}

/* ---- answers --------------------------------------------------------------------------------- */

/* What an answer may say that is given to this exchange now. */
static bool taken_check(const record *mine, wring_result result) {
    const bool is_free = mine->answer == REPLIES_MAX && !mine->is_whole && !mine->is_aborted &&
                         mine->exchange != NULL;
    FUZZ_CHECK(result == WRING_ERR_CLOSED || (is_free && result == WRING_OK) ||
               ((!is_free || mine->has_mail) && result == WRING_ERR_INVALID_STATE));
    FUZZ_CHECK(!mine->is_aborted || result == WRING_ERR_CLOSED);
    return result == WRING_OK;
}

static void answer_whole(exchanges *all, record *mine, unsigned flavour, size_t len) {
    struct draft draft;
    if (all->reply_count == REPLIES_MAX) {
        return;
    }
    draft_make(all, &draft, mine, flavour);
    draft.answer.body = draft_filler(draft.id, 0, wring__min_size(len, PIECE_MAX));
    if (taken_check(mine, wring_exchange_answer(mine->exchange, &draft.answer))) {
        all->replies[all->reply_count++].len = draft.answer.body.len;
        mine->answer = draft.id;
        mine->is_whole = true;
    }
}

static void answer_begin(exchanges *all, record *mine, unsigned flavour, size_t len,
                         bool has_length) {
    struct draft draft;
    if (all->reply_count == REPLIES_MAX) {
        return;
    }
    draft_make(all, &draft, mine, flavour);
    draft.answer.body_bytes = has_length ? len : 0;
    draft.answer.body = draft_filler(draft.id, 0, (flavour & 1) == 0 ? 0 : len / 2);
    const wring_result result = wring_exchange_answer_begin(mine->exchange, &draft.answer);
    if (taken_check(mine, result)) {
        answered *reply = &all->replies[all->reply_count++];
        reply->is_begun = true;
        reply->len = draft.answer.body.len;
        mine->answer = draft.id;
        mine->left = draft.answer.body_bytes > 0 ? len - reply->len : SIZE_MAX;
        mine->owes_end = mine->is_whole = reply->is_ended =
            mine->is_head || reply->status == 204 || reply->status == 205 || reply->status == 304;
    }
}

/* Returns whether it was taken. */
static bool answer_write(exchanges *all, record *mine, size_t len) {
    const bool has_begun = mine->answer != REPLIES_MAX && !mine->is_whole;
    answered *reply = has_begun ? &all->replies[mine->answer] : NULL;
    len = wring__min_size(len, PIECE_MAX);
    const wring_bytes piece = draft_filler(mine->answer, has_begun ? reply->len : 0, len);
    const wring_result result = wring_exchange_answer_write(mine->exchange, piece);
    if (!has_begun || mine->is_aborted || result == WRING_ERR_CLOSED) {
        FUZZ_CHECK(result == WRING_ERR_INVALID_STATE || result == WRING_ERR_CLOSED);
        return false;
    }
    if (piece.len > mine->left) {
        FUZZ_CHECK(result == WRING_ERR_INVALID_ARGUMENT);
    } else if (result == WRING_OK) {
        reply->len += piece.len;
        mine->left -= mine->left == SIZE_MAX ? 0 : piece.len;
    } else {
        FUZZ_CHECK(result == WRING_ERR_QUEUE_FULL && piece.len > 0);
    }
    return result == WRING_OK;
}

static void answer_end(exchanges *all, record *mine) {
    const bool has_begun = mine->answer != REPLIES_MAX && !mine->is_whole;
    const bool has_ended = mine->owes_end;
    const wring_result result = wring_exchange_answer_end(mine->exchange);
    mine->owes_end = false;
    if (has_ended) {
        FUZZ_CHECK(result == WRING_ERR_CLOSED || (result == WRING_OK && !mine->is_aborted));
        return;
    }
    if (result == WRING_OK) {
        FUZZ_CHECK(has_begun && !mine->is_aborted);
        FUZZ_CHECK(mine->left == 0 || mine->left == SIZE_MAX);
        mine->is_whole = true;
        all->replies[mine->answer].is_ended = true;
        return;
    }
    FUZZ_CHECK(result == WRING_ERR_INVALID_STATE || result == WRING_ERR_CLOSED);
    FUZZ_CHECK(!has_begun || mine->is_aborted || result == WRING_ERR_CLOSED ||
               (mine->left > 0 && mine->left != SIZE_MAX));
    mine->is_aborted = mine->is_aborted || (has_begun && result == WRING_ERR_INVALID_STATE);
}

/* Answers what is not answered, and ends what was begun; a full queue is waited for. */
static void finish(exchanges *all, record *mine) {
    if (mine->answer == REPLIES_MAX) {
        if (!mine->is_whole) {
            answer_whole(all, mine, 0, 5);
        }
    } else if (!mine->is_whole) {
        const size_t left = mine->left == SIZE_MAX ? 0 : mine->left;
        if (left == 0 || answer_write(all, mine, left) || mine->is_aborted) {
            answer_end(all, mine);
        }
    }
}

static void fill(exchanges *all, record *mine) {
    for (int i = 0; i < 40 && mine->answer != REPLIES_MAX && all->budget > 0; i++) {
        const size_t len = wring__min_size(100, wring__min_size(all->budget, mine->left));
        all->budget -= len;
        if (len == 0 || !answer_write(all, mine, len)) {
            break;
        }
    }
}

/* What nobody may answer is refused, and leaves the exchange as it was. */
static void illegal(record *mine, unsigned flavour) {
    const wring_header bad[] = {{wring_str("Content-Length"), wring_str("5")},
                                {wring_str("X-A"), wring_str("a\r\nX-B: b")},
                                {wring_str("x y"), wring_str("")},
                                {wring_str("Connection"), wring_str("close")}};
    wring_answer answer = {.struct_size = sizeof answer, .headers = {&bad[flavour & 3], 1}};
    if (flavour >= 6) {
        answer.headers.count = 0;
        answer.status = flavour == 6 ? 101 : 600;
    }
    const wring_result result = (flavour & 1) == 0
                                    ? wring_exchange_answer(mine->exchange, &answer)
                                    : wring_exchange_answer_begin(mine->exchange, &answer);
    FUZZ_CHECK(result == WRING_ERR_CLOSED || result == WRING_ERR_INVALID_STATE ||
               result == (flavour >= 6 ? WRING_ERR_INVALID_ARGUMENT : WRING_ERR_INVALID_HEADER));
}

/* ---- upgrades -------------------------------------------------------------------------------- */

static void accept_now(exchanges *all, record *mine, unsigned flavour) {
    wring_accept accept;
    if (all->given_count == GIVEN_MAX) {
        return;
    }
    fuzz_given *what = draft_accept(all, &accept, flavour);
    const wring_result result = wring_exchange_accept(mine->exchange, &accept);
    what->is_taken = result == WRING_OK;
    if (result == WRING_ERR_UNEXPECTED_SUBPROTOCOL) {
        FUZZ_CHECK(mine->is_hook && (flavour == 1 || flavour == 2));
        return;
    }
    FUZZ_CHECK(mine->is_hook || result != WRING_OK);
    if (mine->is_hook && taken_check(mine, result)) {
        mine->is_whole = true;
    }
}

/* ---- by ref ---------------------------------------------------------------------------------- */

static void take_ref(record *mine) {
    wring_ref ref;
    wring_ref again;
    const wring_result result = wring_exchange_ref(mine->exchange, &ref);
    if (result == WRING_OK) {
        FUZZ_CHECK(!mine->is_whole && !mine->is_aborted);
        FUZZ_CHECK(mine->ref == WRING_REF_NONE || mine->ref == ref);
        FUZZ_CHECK(wring_exchange_ref(mine->exchange, &again) == WRING_OK && again == ref);
        mine->ref = ref;
    } else {
        const bool is_over = mine->is_whole || mine->is_aborted || mine->has_mail;
        FUZZ_CHECK(ref == WRING_REF_NONE && (result == WRING_ERR_TOO_MANY_CONNECTIONS ||
                                             (result == WRING_ERR_INVALID_STATE && is_over)));
    }
}

/* ---- callbacks ------------------------------------------------------------------------------- */

static void look(const record *mine) {
    const wring_request *request = wring_exchange_request(mine->exchange);
    FUZZ_CHECK(mine->name.len == request->method.len + request->target.len);
    FUZZ_CHECK(memcmp(mine->name.data, request->method.data, request->method.len) == 0);
    FUZZ_CHECK(memcmp(mine->name.data + request->method.len, request->target.data,
                      request->target.len) == 0);
    for (size_t i = 0; i < request->headers.count; i++) { /* ASan sees what is not there */
        FUZZ_CHECK(request->headers.list[i].name.data[0] > ' ');
    }
    FUZZ_CHECK(mine->is_stream || mine->is_hook ||
               wring_bytes_equal(request->body, wring_bytes_of(mine->body.data, mine->body.len)));
    FUZZ_CHECK(wring_exchange_server(mine->exchange) == all_of(mine->exchange)->session.server);
}

static void act_once(exchanges *all, record *mine, enum action action, unsigned flavour) {
    switch (action) {
    case FINISH:
        finish(all, mine);
        break;
    case ANSWER:
        answer_whole(all, mine, flavour, draft_length(all, &all->script));
        break;
    case BEGIN_CHUNKED:
    case BEGIN_LENGTH:
        answer_begin(all, mine, flavour, draft_length(all, &all->script), action == BEGIN_LENGTH);
        break;
    case WRITE:
        (void)answer_write(all, mine, draft_length(all, &all->script));
        break;
    case FILL:
        fill(all, mine);
        break;
    case END:
        answer_end(all, mine);
        break;
    case REF:
        take_ref(mine);
        break;
    case PAUSE:
        wring_exchange_pause(mine->exchange);
        mine->is_paused = mine->is_stream && !mine->had_last;
        break;
    case RESUME:
        wring_exchange_resume(mine->exchange);
        mine->is_paused = false;
        break;
    case ABORT:
        wring_exchange_abort(mine->exchange);
        mine->is_aborted = true;
        break;
    case ACCEPT:
        accept_now(all, mine, flavour);
        break;
    case ILLEGAL:
        illegal(mine, flavour);
        break;
    case MAIL:
        exchanges_mail(all, &all->script);
        break;
    case LOOK:
        look(mine);
        break;
    case NOTHING:
    case ACTIONS:
    case FLAVOUR:
    case FOLLOWED:
        break;
    }
}

static void act(wring_exchange *exchange) {
    exchanges *all = all_of(exchange);
    record *mine = record_of(exchange);
    uint8_t byte;
    do {
        byte = fuzz_u8(&all->script);
        act_once(all, mine, (enum action)(byte & 15), (unsigned)(byte & FLAVOUR) >> 4);
    } while ((byte & FOLLOWED) != 0);
}

static record *record_make(wring_exchange *exchange, const wring_request *request, exchanges *all) {
    record **state = wring_exchange_user(exchange);
    FUZZ_CHECK(*state == NULL && wring_exchange_request(exchange) == request);
    FUZZ_CHECK(all->record_count < RECORDS_MAX && wring_exchange_opts(exchange) == all);
    FUZZ_CHECK(all->tag_of != NULL || all->record_count == 0 ||
               all->records[all->record_count - 1].dones == 1);
    record *mine = *state = &all->records[all->record_count++];
    mine->exchange = exchange;
    mine->tag = all->tag_of == NULL ? 0 : all->tag_of(exchange);
    mine->answer = REPLIES_MAX;
    mine->is_head = wring_bytes_equal(request->method, wring_str("HEAD"));
    fuzz_log_bytes(&mine->name, request->method);
    fuzz_log_bytes(&mine->name, request->target);
    fuzz_log_bytes(&mine->body, request->body);
    return mine;
}

static void on_collect(wring_exchange *exchange, const wring_request *request, void *opts) {
    record_make(exchange, request, opts)->had_last = true;
    act(exchange);
}

static void on_stream(wring_exchange *exchange, const wring_request *request, void *opts) {
    FUZZ_CHECK(request->body.len == 0);
    record_make(exchange, request, opts)->is_stream = true;
    act(exchange);
}

static void on_hook(wring_exchange *exchange, const wring_request *request, void *opts) {
    record_make(exchange, request, opts)->is_hook = true;
    act(exchange);
}

static void on_body(wring_exchange *exchange, wring_bytes piece, bool is_last) {
    record *mine = record_of(exchange);
    FUZZ_CHECK(!mine->had_last && !mine->is_whole && !mine->is_aborted &&
               (piece.len > 0 || is_last));
    fuzz_log_bytes(&mine->body, piece);
    mine->had_last = is_last;
    mine->is_paused = mine->is_paused && !is_last;
    act(exchange);
}

static void on_info(wring_exchange *exchange, const wring_info *info) {
    exchanges *all = all_of(exchange);
    FUZZ_CHECK(info->data == all && info->tag == 9 && record_of(exchange)->ref != WRING_REF_NONE);
    all->infos++;
    act(exchange);
}

static void on_drained(wring_exchange *exchange) {
    FUZZ_CHECK(record_of(exchange)->answer != REPLIES_MAX);
    act(exchange);
}

static void on_done(wring_exchange *exchange, const wring_exchange_end *end) {
    record *mine = record_of(exchange);
    wring_ref ref;
    const wring_answer answer = {.struct_size = sizeof answer};
    FUZZ_CHECK(mine->dones++ == 0 && end->struct_size == sizeof *end);
    look(mine);
    FUZZ_CHECK(wring_exchange_answer(exchange, &answer) == WRING_ERR_CLOSED);
    FUZZ_CHECK(wring_exchange_ref(exchange, &ref) == WRING_ERR_INVALID_STATE);
    FUZZ_CHECK(wring_exchange_answer_write(exchange, wring_str("late")) != WRING_OK);
    wring_exchange_abort(exchange);
    wring_exchange_pause(exchange);
    mine->end = *end;
    mine->exchange = NULL;
}

const wring_http_handler exchanges_collect = {.struct_size = sizeof exchanges_collect,
                                              .name = "collect",
                                              .state_size = sizeof(record *),
                                              .request = on_collect,
                                              .info = on_info,
                                              .drained = on_drained,
                                              .done = on_done};
const wring_http_handler exchanges_stream = {.struct_size = sizeof exchanges_stream,
                                             .name = "stream",
                                             .state_size = sizeof(record *),
                                             .request = on_stream,
                                             .body = on_body,
                                             .info = on_info,
                                             .drained = on_drained,
                                             .done = on_done};
const wring_http_handler exchanges_hook = {.struct_size = sizeof exchanges_hook,
                                           .name = "hook",
                                           .state_size = sizeof(record *),
                                           .request = on_hook,
                                           .info = on_info,
                                           .drained = on_drained,
                                           .done = on_done};

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    fuzz_given *what = request->accept_data;
    if (what != NULL) {
        FUZZ_CHECK(what->is_taken && what->losts == 0 && ++what->inits == 1);
    }
    return fuzz_app_handler.init(session, request, opts);
}

wring_handler exchanges_session(void) {
    wring_handler handler = fuzz_app_handler;
    handler.init = on_init;
    return handler;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void record_check(const exchanges *all, const record *mine) {
    const wring_exchange_end *end = &mine->end;
    FUZZ_CHECK(mine->dones == 1);
    FUZZ_CHECK(end->result != WRING_OK || end->status != 0);
    FUZZ_CHECK(mine->is_hook || end->rx_bytes >= mine->body.len);
    if (mine->is_whole && mine->answer != REPLIES_MAX) {
        FUZZ_CHECK(end->status == all->replies[mine->answer].status);
    }
    if (end->result == WRING_OK && end->status < 500 && !mine->has_mail) {
        FUZZ_CHECK(mine->is_whole && !mine->is_aborted);
    }
}

void exchanges_check(const exchanges *all) {
    for (size_t i = 0; i < all->record_count; i++) {
        record_check(all, &all->records[i]);
    }
    for (size_t i = 0; i < all->given_count; i++) {
        FUZZ_CHECK(all->given[i].inits + all->given[i].losts == (all->given[i].is_taken ? 1 : 0));
    }
    FUZZ_CHECK(all->posts == all->infos + all->losts);
}

void exchanges_free(exchanges *all) {
    for (size_t i = 0; i < all->record_count; i++) {
        fuzz_log_free(&all->records[i].name);
        fuzz_log_free(&all->records[i].body);
    }
    fuzz_app_free(&all->session);
}
