/* SPDX-License-Identifier: Apache-2.0
 *
 * Session events to handler callbacks and back. See host.h.
 */
#include "proto/host.h"

#include "core/trace.h"

void wring__host_init(wring__host *host, const wring_session_config *config, wring__outq *out,
                      wring__chunk_cache *cache, wring_ref ref) {
    memset(host, 0, sizeof *host);
    wring__session_init(&host->session, config, out, cache);
    host->ref = ref;
}

void wring__host_deinit(wring__host *host) {
    WRING_ASSERT(!host->started || host->terminated);
    wring__session_deinit(&host->session);
}

/* ---- the callbacks, one wrapper each --------------------------------------------------------- */

static void obey(wring__host *host, wring_verdict verdict) {
    if (verdict == WRING_STOP) {
        wring__session_stop(&host->session); /* the pump that called sees the end next */
    }
}

static void call_init(wring__host *host, const wring_request *request) {
    host->started = true;
    if (host->handler->init != NULL) {
        obey(host, host->handler->init(&host->session, request, host->opts));
    }
}

static void call_handle_in(wring__host *host, const wring_message *message) {
    WRING_TRACE(HANDLE_IN, (uint64_t)message->opcode, message->payload.len);
    if (host->handler->handle_in != NULL) {
        obey(host, host->handler->handle_in(&host->session, message));
    }
}

static void call_handle_info(wring__host *host, const wring_info *info) {
    obey(host, host->handler->handle_info(&host->session, info));
}

static void call_terminate(wring__host *host, const wring_end *end) {
    WRING_TRACE(TERMINATE, (uint64_t)end->close_code, (uint64_t) - (int64_t)end->result);
    host->terminated = true;
    if (host->handler->terminate != NULL) {
        host->handler->terminate(&host->session, end);
    }
}

/* ---- driving --------------------------------------------------------------------------------- */

static void pump(wring__host *host) {
    wring_event event;
    while (wring_session_next(&host->session, &event) == WRING_OK) {
        switch (event.kind) {
        case WRING_EVENT_MESSAGE:
            call_handle_in(host, &event.message);
            break;
        case WRING_EVENT_END:
            call_terminate(host, &event.end);
            break;
        }
    }
}

void wring__host_start(wring__host *host, const wring_handler *handler, void *opts, void *state,
                       const wring_request *request, wring_time_ns now) {
    host->handler = handler;
    host->opts = opts;
    host->session.user = state;
    wring_result opened = wring_session_open(&host->session, now);
    WRING_ASSERT(opened == WRING_OK);
    call_init(host, request);
    pump(host);
}

void wring__host_rx(wring__host *host, wring_mut_bytes bytes, wring_time_ns now) {
    wring_result fed = wring_session_feed(&host->session, bytes, now);
    WRING_ASSERT(fed == WRING_OK);
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

bool wring__host_info(wring__host *host, const wring_info *info) {
    if (host->handler->handle_info == NULL || (host->session.state != WRING_SESSION_OPEN &&
                                               host->session.state != WRING_SESSION_CLOSING)) {
        return false;
    }
    call_handle_info(host, info);
    pump(host);
    return true;
}

void wring__host_close(wring__host *host, uint16_t code, wring_bytes reason) {
    wring_session_close(&host->session, code, reason);
    pump(host);
}

void wring__host_stop(wring__host *host) {
    wring__session_stop(&host->session);
    pump(host);
}

/* ---- what handlers call ---------------------------------------------------------------------- */

wring_ref wring_session_ref(const wring_session *session) {
    return session->owned ? WRING_REF_NONE
                          : WRING_CONTAINER_OF(session, const wring__host, session)->ref;
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
