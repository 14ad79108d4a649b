/* SPDX-License-Identifier: Apache-2.0
 *
 * Session events to handler callbacks and back. See host.h.
 */
#include "proto/host.h"

#include "core/trace.h"

void wring__host_init(wring__host *host, wring__session_common *common, wring__outq *out) {
    wring__session_init(&host->session, common, out);
    host->binding = NULL;
}

void wring__host_deinit(wring__host *host) {
    WRING_ASSERT(!wring__host_is_started(host) ||
                 (host->session.state == WRING_SESSION_CLOSED && !host->session.end_pending));
    wring__session_deinit(&host->session);
}

/* ---- the callbacks, one wrapper each --------------------------------------------------------- */

static void obey(wring__host *host, wring_verdict verdict) {
    if (verdict == WRING_STOP) {
        wring__session_stop(&host->session); /* the pump that called sees the end next */
    }
}

static void call_init(wring__host *host, const wring_request *request) {
    if (host->binding->handler->init != NULL) {
        obey(host, host->binding->handler->init(&host->session, request, host->binding->opts));
    }
}

static void call_handle_in(wring__host *host, const wring_message *message) {
    WRING_TRACE_STOP();
    WRING_TRACE(HANDLE_IN, (uint64_t)message->opcode, message->payload.len);
    if (host->binding->handler->handle_in != NULL) {
        obey(host, host->binding->handler->handle_in(&host->session, message));
    }
}

static void call_handle_info(wring__host *host, const wring_info *info) {
    obey(host, host->binding->handler->handle_info(&host->session, info));
}

static void call_terminate(wring__host *host, const wring_end *end) {
    WRING_TRACE(TERMINATE, (uint64_t)end->close_code, (uint64_t) - (int64_t)end->result);
    if (host->binding->handler->terminate != NULL) {
        host->binding->handler->terminate(&host->session, end);
    }
}

/* ---- driving --------------------------------------------------------------------------------- */

static bool is_admitted(wring__host *host, const wring_message *message) {
    const wring__session_common *common = host->session.common;
    const bool ask = common->admit != NULL && (!common->admit_controls_only ||
                                               wring__opcode_is_control((uint8_t)message->opcode));
    wring_result result = ask ? common->admit(&host->session, message) : WRING_OK;
    if (result != WRING_OK) {
        wring__session_refuse(&host->session, result);
    }
    return result == WRING_OK;
}

static void pump(wring__host *host) {
    wring_event event;
    while (wring_session_next(&host->session, &event) == WRING_OK) {
        switch (event.kind) {
        case WRING_EVENT_MESSAGE:
            if (is_admitted(host, &event.message)) {
                call_handle_in(host, &event.message);
            }
            break;
        case WRING_EVENT_END:
            call_terminate(host, &event.end);
            break;
        }
    }
}

void wring__host_start(wring__host *host, const wring__binding *binding, void *state,
                       const wring_request *request, wring_time_ns now) {
    host->binding = binding;
    wring__session_set_user(&host->session, state);
    wring_result opened = wring_session_open(&host->session, now);
    WRING_ASSERT(opened == WRING_OK);
    call_init(host, request);
    pump(host);
}

void wring__host_rx(wring__host *host, wring_mut_bytes bytes, wring__block *block,
                    wring_time_ns now) {
    wring_result fed = wring__session_feed(&host->session, bytes, block, now);
    WRING_ASSERT(fed == WRING_OK);
    pump(host);
    host->session.common->feed.block = NULL; /* the bytes are the caller's again */
}

void wring__host_resume(wring__host *host, wring_time_ns now) {
    wring__session_touch(&host->session, now); /* it is not the peer that lets us wait */
    wring__session_pending_go_on(&host->session);
    pump(host);
}

void wring__host_fail(wring__host *host, wring_result reason) {
    wring_session_fail(&host->session, reason);
    pump(host);
}

void wring__host_expire(wring__host *host, wring_time_ns now) {
    wring_session_expire(&host->session, now);
    pump(host);
}

void wring__host_close(wring__host *host, uint16_t code, wring_bytes reason) {
    wring_session_close(&host->session, code, reason);
    pump(host);
}

void wring__host_stop(wring__host *host) {
    wring__session_stop(&host->session);
    pump(host);
}

void wring__host_refuse(wring__host *host, wring_result reason) {
    wring__session_refuse(&host->session, reason);
    pump(host);
}

void wring__host_drained(wring__host *host) {
    wring__session_drained(&host->session);
    if (host->session.state == WRING_SESSION_OPEN && host->binding->handler->drained != NULL) {
        obey(host, host->binding->handler->drained(&host->session));
        pump(host);
    }
}

bool wring__host_info(wring__host *host, const wring_info *info) {
    const uint8_t state = host->session.state;
    const bool alive = state == WRING_SESSION_OPEN || state == WRING_SESSION_CLOSING;
    if (!alive || host->binding->handler->handle_info == NULL) {
        return false;
    }
    call_handle_info(host, info);
    pump(host);
    return true;
}

/* ---- what handlers call ---------------------------------------------------------------------- */

wring_ref wring_session_ref(const wring_session *session) {
    return session->common->ref_of == NULL ? WRING_REF_NONE : session->common->ref_of(session);
}

wring_result wring_reply(wring_session *session, const wring_frame *frame) {
    return wring_session_send(session, frame);
}

wring_result wring_reply_list(wring_session *session, const wring_frame *frames, size_t count) {
    for (size_t i = 0; i < count; i++) {
        wring_result result = wring_session_send(session, &frames[i]);
        if (result != WRING_OK) {
            return result;
        }
    }
    return WRING_OK;
}
