/* SPDX-License-Identifier: Apache-2.0
 *
 * See app.h.
 */
#include "tests/fuzz/app.h"

#include <stdlib.h>

#include "proto/session.h"
#include "wring/ref.h"

#define FILLER_MAX 65535

/* The script's byte: what to do, and whether something follows in the same callback. */
enum action {
    ECHO, /* also when the script is at its end */
    NOTHING,
    TEXT,
    LIST,
    LARGE,
    LONG_CONTROL,
    CONTINUATION,
    CLOSE,
    CLOSE_FRAME,
    STOP,
    CLOSE_AND_STOP,
    TOPIC,
    LATE,
    PUSH,
    ACTIONS,
    FOLLOWED = 0x80
};

static const uint8_t *filler(void) {
    static uint8_t bytes[FILLER_MAX];
    memset(bytes, 'f', sizeof bytes);
    return bytes;
}

/* ---- sending --------------------------------------------------------------------------------- */

static wring_machine_state state_of(const wring_session *session) {
    return wring_machine_get_state(&session->machine);
}

static bool is_open(const wring_session *session) {
    return state_of(session) == WRING_MACHINE_OPEN;
}

/* Once this end's close frame went out, or the session is over, nothing is taken. */
static void send_frame(fuzz_app *app, wring_session *session, wring_frame frame) {
    bool open = is_open(session);
    wring_result result = wring_session_send(session, &frame);
    FUZZ_CHECK(result == (open ? WRING_OK : WRING_ERR_CLOSED));
    if (result != WRING_OK) {
        return;
    }
    if (frame.opcode == WRING_TEXT || frame.opcode == WRING_BINARY) {
        wring_message message = {frame.opcode, 0, frame.payload};
        fuzz_log_message(&app->sent, &message);
    }
    app->pings += frame.opcode == WRING_PING;
}

static void echo(fuzz_app *app, wring_session *session, const wring_message *message) {
    if (message != NULL && (message->opcode == WRING_TEXT || message->opcode == WRING_BINARY)) {
        const wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
        send_frame(app, session, frame);
    }
}

static void list(fuzz_app *app, wring_session *session) {
    static const wring_opcode opcodes[] = {WRING_TEXT, WRING_PING, WRING_BINARY, WRING_PONG};
    wring_frame frames[16];
    size_t count = fuzz_u8(&app->script) & 15;
    for (size_t i = 0; i < count; i++) {
        frames[i] =
            (wring_frame){.opcode = opcodes[i & 3], .payload = wring_bytes_of(filler(), i * 8)};
    }
    bool open = is_open(session);
    wring_result result = wring_session_send_list(session, frames, count);
    FUZZ_CHECK(result == (open || count == 0 ? WRING_OK : WRING_ERR_CLOSED));
    for (size_t i = 0; i < count && open; i++) {
        wring_message message = {frames[i].opcode, 0, frames[i].payload};
        if ((i & 1) == 0) {
            fuzz_log_message(&app->sent, &message);
        }
        app->pings += (i & 3) == 1;
    }
}

static void large(fuzz_app *app, wring_session *session) {
    size_t len = wring__min_size(fuzz_u16(&app->script), app->budget);
    app->budget -= len;
    send_frame(app, session, wring_frame_binary(wring_bytes_of(filler(), len)));
}

/* What no caller may send is refused, and leaves the session as it was. */
static void refused(fuzz_app *app, wring_session *session, wring_opcode opcode) {
    const wring_frame frame = {.opcode = opcode,
                               .payload = wring_bytes_of(filler(), 126u + fuzz_u8(&app->script))};
    bool open = is_open(session);
    FUZZ_CHECK(wring_session_send(session, &frame) ==
               (open ? WRING_ERR_INVALID_ARGUMENT : WRING_ERR_CLOSED));
    FUZZ_CHECK(is_open(session) == open);
}

/* ---- closing --------------------------------------------------------------------------------- */

/* What goes out for the code of a call: no code at all for 0, 1002 for what is illegal. */
static void closed_first(fuzz_app *app, uint16_t code) {
    bool legal =
        app->allow_iana ? wring_close_valid_on_wire_iana(code) : wring_close_valid_on_wire(code);
    app->closed = true;
    app->close_code = legal                                        ? code
                      : code == 0 || code == WRING_CLOSE_NO_STATUS ? WRING_CLOSE_NO_STATUS
                                                                   : WRING_CLOSE_PROTOCOL_ERROR;
}

static void close_with(fuzz_app *app, wring_session *session, bool as_frame) {
    char reason[300];
    uint16_t code = fuzz_u16(&app->script);
    size_t len = fuzz_u8(&app->script);
    for (size_t i = 0; i < len; i++) { /* two bytes a character: the cut may not part them */
        reason[i] = (i & 1) == 0 ? (char)0xC3 : (char)0xA9;
    }
    len &= ~(size_t)1;
    bool open = is_open(session);
    if (as_frame) {
        const wring_frame frame = {
            .opcode = WRING_CLOSE, .close_code = code, .payload = wring_bytes_of(reason, len)};
        send_frame(app, session, frame);
    } else {
        wring_session_close(session, code, wring_bytes_of(reason, len));
    }
    FUZZ_CHECK(!is_open(session));
    if (open) {
        closed_first(app, code);
    }
}

/* ---- topics and mail ------------------------------------------------------------------------- */

static void topic(fuzz_app *app, wring_session *session) {
    wring_bytes name = wring_bytes_of(filler(), fuzz_u8(&app->script) & 3);
    wring_result want = app->server == NULL ? WRING_ERR_INVALID_STATE
                        : name.len == 0     ? WRING_ERR_INVALID_ARGUMENT
                                            : WRING_OK;
    wring_result result = wring_session_subscribe(session, name);
    FUZZ_CHECK(want != WRING_OK || state_of(session) == WRING_MACHINE_CLOSED ||
               result == WRING_OK || result == WRING_ERR_TOO_MANY_TOPICS);
    FUZZ_CHECK(want == WRING_OK || result != WRING_OK);
    if (app->server != NULL && name.len > 0) {
        wring_frame frame = wring_frame_text(wring_str("published"));
        FUZZ_CHECK(wring_server_publish(app->server, name, &frame) == WRING_OK);
        app->mailed = true;
    }
    if ((fuzz_u8(&app->script) & 1) != 0) {
        wring_session_unsubscribe(session, name);
    }
}

static void lost(const wring_info *info) {
    ((fuzz_app *)info->data)->losts++;
}

void fuzz_app_push(fuzz_app *app, wring_bytes *in) {
    wring_frame frames[3] = {
        wring_frame_text(wring_str("mailed")),
        wring_frame_binary(wring_bytes_of(filler(), 600)),
        {.opcode = WRING_CLOSE, .close_code = fuzz_u16(in), .payload = wring_str("by mail")}};
    wring_info info = {7, app};
    wring_result result;
    app->mailed = true;
    switch (fuzz_u8(in) & 7) {
    case 0:
        result = wring_ref_send(app->ref, frames, 1);
        break;
    case 1:
        result = wring_ref_send(app->ref, frames + 1, 1);
        break;
    case 2:
        result = wring_ref_send(app->ref, frames, 2);
        break;
    case 3:
        result = wring_ref_send(app->ref, frames, 3);
        break;
    case 4:
        result = wring_ref_close(app->ref, frames[2].close_code, frames[2].payload);
        break;
    case 5:
        result = wring_ref_stop(app->ref);
        break;
    default:
        result = wring_ref_post(app->ref, &info, lost);
        app->posts += result == WRING_OK;
    }
    FUZZ_CHECK(result == (app->ref == WRING_REF_NONE ? WRING_ERR_CLOSED : WRING_OK));
}

/* ---- callbacks ------------------------------------------------------------------------------- */

static bool act_once(fuzz_app *app, wring_session *session, const wring_message *message,
                     enum action action) {
    switch (action) {
    case ECHO:
        echo(app, session, message);
        break;
    case TEXT:
        send_frame(app, session, wring_frame_text(wring_str("reply")));
        break;
    case LIST:
        list(app, session);
        break;
    case LARGE:
        large(app, session);
        break;
    case LONG_CONTROL:
        refused(app, session, (fuzz_u8(&app->script) & 1) == 0 ? WRING_PING : WRING_PONG);
        break;
    case CONTINUATION:
        refused(app, session, (wring_opcode)(app->script.len % 2 == 0 ? WRING_CONTINUATION : 0xB));
        break;
    case CLOSE:
    case CLOSE_FRAME:
        close_with(app, session, action == CLOSE_FRAME);
        break;
    case STOP:
        return true;
    case CLOSE_AND_STOP:
        close_with(app, session, false);
        return true;
    case TOPIC:
        topic(app, session);
        break;
    case LATE:
        close_with(app, session, false);
        send_frame(app, session, wring_frame_text(wring_str("late")));
        break;
    case PUSH:
        fuzz_app_push(app, &app->script);
        break;
    case NOTHING:
    case ACTIONS:
    case FOLLOWED:
        break;
    }
    return false;
}

bool fuzz_app_act(fuzz_app *app, wring_session *session, const wring_message *message) {
    uint8_t byte;
    do {
        byte = fuzz_u8(&app->script);
        if (act_once(app, session, message, (enum action)((byte & 0x7F) % ACTIONS))) {
            return true;
        }
    } while ((byte & FOLLOWED) != 0);
    return false;
}

/* What its state says since init; of a route with one session, its opts say the same. */
static fuzz_app *app_of(const wring_session *session) {
    fuzz_app *app = *(fuzz_app **)wring_session_user(session);
    FUZZ_CHECK(app->is_one_of_many || wring_session_opts(session) == app);
    FUZZ_CHECK(wring_session_server(session) == app->server);
    return app;
}

static wring_verdict verdict(fuzz_app *app, wring_session *session, const wring_message *message) {
    if (!fuzz_app_act(app, session, message)) {
        return WRING_CONTINUE;
    }
    if (is_open(session)) {
        closed_first(app, WRING_CLOSE_NORMAL);
    }
    return WRING_STOP;
}

static wring_verdict app_init(wring_session *session, const wring_request *request, void *opts) {
    fuzz_app *app = opts;
    fuzz_app **state = wring_session_user(session);
    FUZZ_CHECK(*state == NULL && app->inits == 0 && is_open(session));
    FUZZ_CHECK(request->struct_size == sizeof *request && request->method.len > 0);
    *state = app;
    app->inits++;
    app->ref = wring_session_ref(session);
    FUZZ_CHECK(app->ref != WRING_REF_NONE || app->server == NULL);
    FUZZ_CHECK(app->ref == WRING_REF_NONE || app->server != NULL || app->is_one_of_many);
    return verdict(app, session, NULL);
}

static wring_verdict app_handle_in(wring_session *session, const wring_message *message) {
    fuzz_app *app = app_of(session);
    FUZZ_CHECK(app->terminates == 0);
    FUZZ_CHECK(message->opcode != WRING_TEXT || fuzz_is_utf8(message->payload));
    fuzz_log_message(&app->got, message);
    return verdict(app, session, message);
}

static wring_verdict app_handle_info(wring_session *session, const wring_info *info) {
    fuzz_app *app = app_of(session);
    FUZZ_CHECK(app->terminates == 0 && info->data == app && info->tag == 7);
    app->infos++;
    return verdict(app, session, NULL);
}

static void app_terminate(wring_session *session, const wring_end *end) {
    fuzz_app *app = app_of(session);
    FUZZ_CHECK(app->terminates == 0 && end->struct_size == sizeof *end && end->text[0] != 0);
    FUZZ_CHECK(state_of(session) == WRING_MACHINE_CLOSED);
    (void)fuzz_app_act(app, session, NULL); /* too late for everything */
    app->terminates++;
    app->end = *end;
}

const wring_handler fuzz_app_handler = {.struct_size = sizeof fuzz_app_handler,
                                        .name = "fuzz",
                                        .state_size = sizeof(fuzz_app *),
                                        .init = app_init,
                                        .handle_in = app_handle_in,
                                        .handle_info = app_handle_info,
                                        .terminate = app_terminate};

/* ---- the end --------------------------------------------------------------------------------- */

static bool is_prefix(const fuzz_log *part, const fuzz_log *all) {
    return part->len <= all->len &&
           (part->len == 0 || memcmp(part->data, all->data, part->len) == 0);
}

void fuzz_app_check(const fuzz_app *app, const fuzz_wire *wire, bool cut) {
    FUZZ_CHECK(app->inits <= 1 && app->terminates == app->inits);
    FUZZ_CHECK(app->posts == app->infos + app->losts);
    FUZZ_CHECK(app->mailed || is_prefix(&wire->messages, &app->sent));
    if (wire->closed && app->closed) {
        FUZZ_CHECK(wire->close_code == app->close_code);
    }
    if (!cut) {
        FUZZ_CHECK(wire->messages.len >= app->sent.len && wire->pings >= app->pings);
        FUZZ_CHECK(wire->closed || !app->closed);
        FUZZ_CHECK(wire->closed || app->inits == 0 || app->end.result != WRING_OK);
    }
}

void fuzz_app_check_got(const fuzz_app *app, wring_role role, const wring_session_config *config,
                        wring_bytes bytes, bool cut) {
    fuzz_log want = {0};
    wring_machine *machine = fuzz_machine_open(role, config);
    wring_event event;
    uint8_t *copy = fuzz_copy(bytes);
    wring_mut_bytes fed = {copy, bytes.len};
    FUZZ_CHECK(wring_machine_feed(machine, fed, 2) == WRING_OK);
    while (wring_machine_next(machine, &event) == WRING_OK) {
        if (event.kind == WRING_EVENT_MESSAGE) {
            fuzz_log_message(&want, &event.message);
        }
    }
    FUZZ_CHECK(is_prefix(&app->got, &want));
    if (!cut && app->inits == 1 && app->end.by_peer && app->end.result != WRING_ERR_TIMEOUT) {
        FUZZ_CHECK(app->got.len == want.len);
    }
    wring_machine_destroy(machine);
    free(copy);
    fuzz_log_free(&want);
}

void fuzz_app_free(fuzz_app *app) {
    fuzz_log_free(&app->got);
    fuzz_log_free(&app->sent);
}
