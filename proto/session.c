/* SPDX-License-Identifier: Apache-2.0
 *
 * Session events to handler callbacks and back. See session.h.
 */
#include "proto/session.h"

#include "core/sized.h"
#include "core/trace.h"

void wring__session_init(wring_session *session, wring__machine_common *common, wring__outq *out) {
    wring__machine_init(&session->machine, common, out);
    session->binding = NULL;
}

void wring__session_deinit(wring_session *session) {
    WRING_ASSERT(!wring__session_is_started(session) ||
                 (session->machine.state == WRING_MACHINE_CLOSED && !session->machine.end_pending));
    wring__machine_deinit(&session->machine);
}

/* ---- the callbacks, one wrapper each --------------------------------------------------------- */

static void obey(wring_session *session, wring_verdict verdict) {
    if (verdict == WRING_STOP) {
        wring__machine_stop(&session->machine); /* the pump that called sees the end next */
    }
}

static void call_init(wring_session *session, const wring_request *request) {
    if (session->binding->handler->init != NULL) {
        obey(session, session->binding->handler->init(session, request, session->binding->opts));
    }
}

static void call_handle_in(wring_session *session, const wring_message *message) {
    WRING_TRACE_STOP();
    WRING_TRACE(HANDLE_IN, (uint64_t)message->opcode, message->payload.len);
    if (session->binding->handler->handle_in != NULL) {
        obey(session, session->binding->handler->handle_in(session, message));
    }
}

static void call_handle_info(wring_session *session, const wring_info *info) {
    obey(session, session->binding->handler->handle_info(session, info));
}

static void call_terminate(wring_session *session) {
    const wring_machine *machine = &session->machine;
    WRING_TRACE(TERMINATE, (uint64_t)machine->end_code, (uint64_t) - (int64_t)machine->end_result);
    if (session->binding->handler->terminate != NULL) {
        const wring_end end = wring__machine_end_of(machine);
        session->binding->handler->terminate(session, &end);
    }
}

/* ---- driving --------------------------------------------------------------------------------- */

static bool is_admitted(wring_session *session, const wring_message *message) {
    const wring__machine_common *common = session->machine.common;
    const bool ask = common->admit != NULL && (!common->admit_controls_only ||
                                               wring__opcode_is_control((uint8_t)message->opcode));
    wring_result result = ask ? common->admit(session, message) : WRING_OK;
    if (result != WRING_OK) {
        wring__machine_refuse(&session->machine, result);
    }
    return result == WRING_OK;
}

static void pump(wring_session *session) {
    wring_event event;
    uint64_t messages = 0;
    while (wring_machine_next(&session->machine, &event) == WRING_OK) {
        switch (event.kind) {
        case WRING_EVENT_MESSAGE:
            messages += !wring__opcode_is_control((uint8_t)event.message.opcode);
            if (is_admitted(session, &event.message)) {
                call_handle_in(session, &event.message);
            }
            break;
        case WRING_EVENT_END:
            call_terminate(session);
            break;
        }
    }
    if (messages > 0) {
        wring__count(&session->machine.common->counts->rx, messages);
    }
}

void wring__session_start(wring_session *session, const wring__binding *binding, void *state,
                          const wring_request *request, wring_time_ns now) {
    session->binding = binding;
    wring__machine_set_user(&session->machine, state);
    wring_result opened = wring_machine_open(&session->machine, now);
    WRING_ASSERT(opened == WRING_OK);
    call_init(session, request);
    pump(session);
}

void wring__session_rx(wring_session *session, wring_mut_bytes bytes, wring__block *block,
                       wring_time_ns now) {
    wring_result fed = wring__machine_feed(&session->machine, bytes, block, now);
    WRING_ASSERT(fed == WRING_OK);
    pump(session);
    session->machine.common->feed.block = NULL; /* the bytes are the caller's again */
}

void wring__session_resume(wring_session *session, wring_time_ns now) {
    wring__machine_touch(&session->machine, now); /* it is not the peer that lets us wait */
    wring__machine_pending_go_on(&session->machine);
    pump(session);
}

void wring__session_fail(wring_session *session, wring_result reason) {
    wring_machine_fail(&session->machine, reason);
    pump(session);
}

void wring__session_expire(wring_session *session, wring_time_ns now) {
    wring_machine_expire(&session->machine, now);
    pump(session);
}

void wring__session_close(wring_session *session, uint16_t code, wring_bytes reason) {
    wring_machine_close(&session->machine, code, reason);
    pump(session);
}

void wring__session_stop(wring_session *session) {
    wring__machine_stop(&session->machine);
    pump(session);
}

void wring__session_refuse(wring_session *session, wring_result reason) {
    wring__machine_refuse(&session->machine, reason);
    pump(session);
}

void wring__session_drained(wring_session *session, bool tell) {
    wring__machine_drained(&session->machine);
    if (!tell) {
        pump(session); /* without memory for a pong it has ended */
        return;
    }
    if (session->machine.state == WRING_MACHINE_OPEN &&
        session->binding->handler->drained != NULL) {
        obey(session, session->binding->handler->drained(session));
        pump(session);
    }
}

void wring__session_visit(wring_session *session, wring_verdict (*visit)(wring_session *, void *),
                          void *opts) {
    obey(session, visit(session, opts));
    pump(session);
}

bool wring__session_info(wring_session *session, const wring_info *info) {
    const uint8_t state = session->machine.state;
    const bool alive = state == WRING_MACHINE_OPEN || state == WRING_MACHINE_CLOSING;
    if (!alive || session->binding->handler->handle_info == NULL) {
        return false;
    }
    call_handle_info(session, info);
    pump(session);
    return true;
}

/* ---- what handlers call ---------------------------------------------------------------------- */

#define STATE_MAX ((size_t)16 << 20)

wring_result wring__handler_adopt(const wring_handler *in, wring_handler *out, wring_error *error) {
    const wring_result result = wring__sized_adopt(
        out, sizeof *out, in, offsetof(wring_handler, drained), "wring_handler", error);
    if (result == WRING_OK && out->state_size > STATE_MAX) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                               "wring_handler: state_size is %zu, above 16 MiB: let the state hold "
                               "a pointer",
                               out->state_size);
    }
    return result;
}

void *wring_session_user(const wring_session *session) {
    return wring__machine_user(&session->machine);
}

void *wring_session_opts(const wring_session *session) {
    return session->binding == NULL ? NULL : session->binding->opts;
}

static const wring__session_owner *owner_of(const wring_session *session) {
    return session->machine.common->owner;
}

wring_ref wring_session_ref(const wring_session *session) {
    const wring__session_owner *owner = owner_of(session);
    return owner == NULL ? WRING_REF_NONE : owner->ref(session);
}

wring_loop wring_session_loop(const wring_session *session) {
    const wring__session_owner *owner = owner_of(session);
    return owner == NULL ? WRING_LOOP_NONE : owner->loop(session);
}

uint32_t wring_session_worker(const wring_session *session) {
    const wring__session_owner *owner = owner_of(session);
    return owner == NULL ? 0 : owner->worker(session);
}

wring_server *wring_session_server(const wring_session *session) {
    const wring__session_owner *owner = owner_of(session);
    return owner == NULL ? NULL : owner->server(session);
}

wring_client *wring_session_client(const wring_session *session) {
    const wring__session_owner *owner = owner_of(session);
    return owner == NULL ? NULL : owner->client(session);
}

void wring_session_log(wring_session *session, wring_log_level level, const char *event,
                       const char *text) {
    const wring__session_owner *owner = owner_of(session);
    if (owner != NULL) {
        owner->log(session, level, event, text);
    }
}

uint64_t wring_session_queued_bytes(const wring_session *session) {
    const wring__session_owner *owner = owner_of(session);
    return owner == NULL ? wring__machine_out(&session->machine)->bytes
                         : owner->queued_bytes(session);
}

void wring_session_pause(wring_session *session) {
    const wring__session_owner *owner = owner_of(session);
    if (owner != NULL) {
        owner->pause(session);
    }
}

void wring_session_resume(wring_session *session) {
    const wring__session_owner *owner = owner_of(session);
    if (owner != NULL) {
        owner->resume(session);
    }
}

wring_result wring_session_send(wring_session *session, const wring_frame *frame) {
    return wring_machine_send(&session->machine, frame);
}

wring_result wring_session_send_list(wring_session *session, const wring_frame *frames,
                                     size_t count) {
    for (size_t i = 0; i < count; i++) {
        wring_result result = wring_machine_send(&session->machine, &frames[i]);
        if (result != WRING_OK) {
            return result;
        }
    }
    return WRING_OK;
}

wring_result wring_session_message_begin(wring_session *session, wring_opcode opcode,
                                         wring_bytes payload) {
    return wring_machine_message_begin(&session->machine, opcode, payload);
}

wring_result wring_session_message_continue(wring_session *session, wring_bytes payload) {
    return wring_machine_message_continue(&session->machine, payload);
}

wring_result wring_session_message_end(wring_session *session, wring_bytes payload) {
    return wring_machine_message_end(&session->machine, payload);
}

void wring_session_close(wring_session *session, uint16_t code, wring_bytes reason) {
    wring_machine_close(&session->machine, code, reason);
}
