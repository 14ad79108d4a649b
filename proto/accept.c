/* SPDX-License-Identifier: Apache-2.0
 *
 * A host over an embedder's stream. See wring/transport.h.
 */
#include <stdlib.h>

#include "proto/host.h"
#include "wring/http.h"
#include "wring/transport.h"

#define PEER_TEXT_MAX 64

/* One allocation: host, what a worker would share, and the handler's state. */
struct accepted {
    wring__host host;
    wring__binding binding;
    wring__session_common common;
    wring__outq out;
    const wring_transport *transport;
    void *handle;
    wring_result ended; /* told from within a callback; WRING_OK: it was not */
    bool active;
    bool inside; /* a call of the embedder's runs: it may free the session when it returns */
    _Alignas(16) uint8_t state[];
};

static struct accepted *accepted_of(wring_session *session) {
    wring__host *host = WRING_CONTAINER_OF(session, wring__host, session);
    return WRING_CONTAINER_OF(host, struct accepted, host);
}

static void accepted_free(struct accepted *accepted) {
    wring__outq_deinit(&accepted->out, NULL);
    wring__host_deinit(&accepted->host);
    wring__session_common_deinit(&accepted->common);
    free(accepted);
}

static wring_result out_send(struct accepted *accepted) {
    struct iovec iov;
    while (wring__outq_gather(&accepted->out, &iov, 1) == 1) {
        wring_result result =
            accepted->transport->send(accepted->handle, wring_bytes_of(iov.iov_base, iov.iov_len));
        if (result != WRING_OK) {
            return result;
        }
        wring__outq_consume(&accepted->out, NULL, iov.iov_len);
    }
    return WRING_OK;
}

/* After anything: what is queued goes out, then what waited for that, and an ended session goes. */
static wring_result settle(struct accepted *accepted, wring_time_ns now) {
    wring__settled settled;
    wring_result sent;
    do {
        sent = out_send(accepted);
        sent = sent == WRING_OK ? accepted->ended : sent;
        if (sent != WRING_OK) {
            wring__host_fail(&accepted->host, sent);
        }
        settled = wring__host_settle(&accepted->host, now);
        if (settled.owes_pong && !settled.is_over) {
            wring__host_drained(&accepted->host);
        }
    } while (accepted->out.bytes > 0 && sent == WRING_OK);
    if (!settled.is_over) {
        accepted->inside = false;
        return WRING_OK;
    }
    accepted->transport->close(accepted->handle);
    accepted_free(accepted);
    return WRING_ERR_CLOSED;
}

static struct accepted *accepted_make(const wring_transport *transport, void *handle,
                                      const wring__binding *binding,
                                      const wring_session_config *config) {
    struct accepted *accepted = calloc(1, sizeof *accepted + binding->handler->state_size);
    if (accepted != NULL) {
        accepted->binding = *binding;
        wring__session_common_init(&accepted->common, config, NULL);
        accepted->transport = transport;
        accepted->handle = handle;
        accepted->inside = true; /* until wring_accept is done */
        wring__host_init(&accepted->host, &accepted->common, &accepted->out);
    }
    return accepted;
}

wring_result wring_accept(const wring_transport *transport, void *handle,
                          const wring_request *request, const wring_handler *handler, void *opts,
                          const wring_session_config *config, uint64_t now_ns, wring_session **out,
                          wring_error *error) {
    if (transport->send == NULL || transport->activate == NULL || transport->close == NULL) {
        return wring_error_set(error, WRING_ERR_INVALID_ARGUMENT, 0,
                               "transport '%s' lacks send, activate or close", transport->name);
    }
    wring_session_config adopted;
    wring_result result = wring__session_config_adopt(config, &adopted, error);
    if (result != WRING_OK) {
        return result;
    }
    const wring__binding binding = {handler, opts};
    struct accepted *accepted = accepted_make(transport, handle, &binding, &adopted);
    if (accepted == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for a session");
    }
    result = wring__session_deflate_from_config(&accepted->host.session, error);
    if (result != WRING_OK) {
        accepted_free(accepted);
        return result;
    }
    wring_request seen = *request;
    char peer[PEER_TEXT_MAX] = {0};
    if (seen.peer.len == 0 && transport->peername != NULL &&
        transport->peername(handle, peer, sizeof peer)) {
        seen.peer = wring_str(peer);
    }
    wring__host_start(&accepted->host, &accepted->binding,
                      handler->state_size == 0 ? NULL : accepted->state, &seen, now_ns);
    wring_session *session = &accepted->host.session;
    result = settle(accepted, now_ns);
    *out = result == WRING_OK ? session : NULL; /* anything else: it is freed already */
    return result;
}

/* A call of the embedder's that is not made from within another one begins. */
static bool enter(struct accepted *accepted) {
    const bool may = !accepted->inside;
    accepted->inside = true;
    return may;
}

static wring_result ask(struct accepted *accepted, wring_time_ns now) {
    accepted->inside = true;
    wring_result result = accepted->transport->activate(accepted->handle);
    if (result != WRING_OK) {
        wring__host_fail(&accepted->host, result);
    }
    return settle(accepted, now);
}

wring_result wring_activate(wring_session *session, uint64_t now_ns) {
    struct accepted *accepted = accepted_of(session);
    if (accepted->active || !enter(accepted)) {
        return WRING_ERR_INVALID_STATE;
    }
    accepted->active = true;
    return ask(accepted, now_ns);
}

wring_result wring_transport_data(wring_session *session, wring_mut_bytes bytes, uint64_t now_ns) {
    struct accepted *accepted = accepted_of(session);
    if (!accepted->active || !enter(accepted)) {
        return WRING_ERR_INVALID_STATE;
    }
    wring__host_rx(&accepted->host, bytes, NULL, now_ns);
    wring_result result = settle(accepted, now_ns);
    return result == WRING_OK ? ask(accepted, now_ns) : result;
}

void wring_transport_ended(wring_session *session, wring_result reason, uint64_t now_ns) {
    struct accepted *accepted = accepted_of(session);
    if (!enter(accepted)) {
        accepted->ended = reason; /* the call that this one is made within ends it */
        return;
    }
    wring__host_fail(&accepted->host, reason);
    (void)!settle(accepted, now_ns); /* always CLOSED: that is what was asked for */
}

wring_result wring_tick(wring_session *session, uint64_t now_ns) {
    struct accepted *accepted = accepted_of(session);
    if (!enter(accepted)) {
        return WRING_ERR_INVALID_STATE;
    }
    wring__host_expire(&accepted->host, now_ns);
    return settle(accepted, now_ns);
}

wring_result wring_flush(wring_session *session, uint64_t now_ns) {
    struct accepted *accepted = accepted_of(session);
    return enter(accepted) ? settle(accepted, now_ns) : WRING_ERR_INVALID_STATE;
}
