/* SPDX-License-Identifier: Apache-2.0
 *
 * A session over an embedder's stream. See wring/embed.h.
 */
#include "wring/embed.h"

#include <stdlib.h>

#include "core/sized.h"
#include "proto/session.h"
#include "wring/http.h"

#define PEER_TEXT_MAX 64

/* One allocation: the session, what a worker would share, and the handler's state. */
struct wring_embed {
    wring_session session;
    wring_handler handler;
    wring__binding binding;
    wring__machine_common common;
    wring__outq out;
    wring_transport transport;
    void *stream;
    wring_result ended; /* told from within a callback; WRING_OK: it was not */
    bool active;
    bool inside; /* a call of the embedder's runs: it may free the session when it returns */
    _Alignas(16) uint8_t state[];
};

static void embed_free(wring_embed *embed) {
    wring__outq_deinit(&embed->out, NULL);
    wring__session_deinit(&embed->session);
    wring__machine_common_deinit(&embed->common);
    free(embed);
}

static wring_result out_send(wring_embed *embed) {
    struct iovec iov;
    while (wring__outq_gather(&embed->out, &iov, 1) == 1) {
        wring_result result =
            embed->transport.send(embed->stream, wring_bytes_of(iov.iov_base, iov.iov_len));
        if (result != WRING_OK) {
            return result;
        }
        wring__outq_consume(&embed->out, NULL, iov.iov_len);
    }
    return WRING_OK;
}

/* After anything: what is queued goes out, then what waited for that, and an ended session goes. */
static wring_result settle(wring_embed *embed, wring_time_ns now) {
    wring__settled settled;
    wring_result sent;
    do {
        sent = out_send(embed);
        sent = sent == WRING_OK ? embed->ended : sent;
        if (sent != WRING_OK) {
            wring__session_fail(&embed->session, sent);
        }
        settled = wring__session_settle(&embed->session, now);
        if (settled.owes_pong && !settled.is_over) {
            wring__session_drained(&embed->session, false);
        }
    } while (embed->out.bytes > 0 && sent == WRING_OK);
    if (!settled.is_over) {
        embed->inside = false;
        return WRING_OK;
    }
    embed->transport.close(embed->stream);
    embed_free(embed);
    return WRING_ERR_CLOSED;
}

static wring_result options_adopt(const wring_embed_options *in, wring_embed_options *out,
                                  wring_session_config *session, wring_error *error) {
    wring_result result = wring__sized_adopt(
        out, sizeof *out, in, offsetof(wring_embed_options, session), "wring_embed_options", error);
    if (result == WRING_OK) {
        result = wring__role_check(out->role, error);
    }
    if (result == WRING_OK && (out->transport == NULL || out->handler == NULL)) {
        result = wring_error_set(error, WRING_ERR_INVALID_ARGUMENT, 0,
                                 "wring_embed_options: transport and handler are needed");
    }
    return result == WRING_OK ? wring__session_config_adopt(out->session, session, error) : result;
}

static wring_result transport_adopt(const wring_transport *in, wring_transport *out,
                                    wring_error *error) {
    const wring_result result = wring__sized_adopt(
        out, sizeof *out, in, offsetof(wring_transport, peername), "wring_transport", error);
    if (result == WRING_OK && (out->send == NULL || out->activate == NULL || out->close == NULL)) {
        return wring_error_set(error, WRING_ERR_INVALID_ARGUMENT, 0,
                               "transport '%s' lacks send, activate or close",
                               out->name == NULL ? "" : out->name);
    }
    return result;
}

static wring_result embed_make(const wring_embed_options *options,
                               const wring_session_config *session, wring_embed **out,
                               wring_error *error) {
    wring_handler handler;
    wring_transport transport;
    wring_result result = wring__handler_adopt(options->handler, &handler, error);
    if (result == WRING_OK) {
        result = transport_adopt(options->transport, &transport, error);
    }
    if (result != WRING_OK) {
        return result;
    }
    wring_embed *embed = calloc(1, sizeof *embed + handler.state_size);
    if (embed == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for a session");
    }
    embed->handler = handler;
    embed->binding = (wring__binding){&embed->handler, options->opts};
    embed->transport = transport;
    embed->stream = options->stream;
    embed->inside = true; /* until wring_embed_accept is done */
    wring__machine_common_init(&embed->common, options->role, session, NULL);
    wring__session_init(&embed->session, &embed->common, &embed->out);
    result = wring__machine_deflate_with(&embed->session.machine, options->deflate,
                                         options->deflate_params, error);
    if (result != WRING_OK) {
        embed_free(embed);
        return result;
    }
    *out = embed;
    return WRING_OK;
}

/* The request that init is given. */
static wring_request request_of(const wring_embed *embed, const wring_request *given, char *peer) {
    wring_request request = {.struct_size = sizeof request};
    if (given != NULL) {
        const wring_result sized = wring__sized_adopt(
            &request, sizeof request, given, sizeof given->struct_size, "wring_request", NULL);
        (void)sized; /* checked before */
    }
    if (request.peer.len == 0 && embed->transport.peername != NULL &&
        embed->transport.peername(embed->stream, peer, PEER_TEXT_MAX)) {
        request.peer = wring_str(peer);
    }
    return request;
}

static wring_result request_check(const wring_request *given, wring_error *error) {
    wring_request request;
    return given == NULL
               ? WRING_OK
               : wring__sized_adopt(&request, sizeof request, given,
                                    offsetof(wring_request, server), "wring_request", error);
}

wring_result wring_embed_accept(const wring_embed_options *options, uint64_t now_ns,
                                wring_embed **out, wring_error *error) {
    wring_embed_options o;
    wring_session_config session;
    wring_embed *embed = NULL;
    *out = NULL;
    wring_result result = options_adopt(options, &o, &session, error);
    if (result == WRING_OK) {
        result = request_check(o.request, error);
    }
    if (result == WRING_OK) {
        result = embed_make(&o, &session, &embed, error);
    }
    if (result != WRING_OK) {
        return result;
    }
    char peer[PEER_TEXT_MAX] = {0};
    const wring_request request = request_of(embed, o.request, peer);
    wring__session_start(&embed->session, &embed->binding,
                         embed->handler.state_size == 0 ? NULL : embed->state, &request, now_ns);
    result = settle(embed, now_ns);
    if (result != WRING_OK) { /* it is freed already */
        return wring_error_set(error, result, 0, "the session ended within init");
    }
    *out = embed;
    return WRING_OK;
}

wring_session *wring_embed_session(wring_embed *embed) {
    return &embed->session;
}

uint64_t wring_embed_deadline_ns(const wring_embed *embed) {
    return wring_machine_deadline_ns(&embed->session.machine);
}

/* A call of the embedder's that is not made from within another one begins. */
static bool enter(wring_embed *embed) {
    const bool may = !embed->inside;
    embed->inside = true;
    return may;
}

static wring_result ask(wring_embed *embed, wring_time_ns now) {
    embed->inside = true;
    wring_result result = embed->transport.activate(embed->stream);
    if (result != WRING_OK) {
        wring__session_fail(&embed->session, result);
    }
    return settle(embed, now);
}

wring_result wring_embed_activate(wring_embed *embed, uint64_t now_ns) {
    if (embed->active || !enter(embed)) {
        return WRING_ERR_INVALID_STATE;
    }
    embed->active = true;
    return ask(embed, now_ns);
}

wring_result wring_embed_feed(wring_embed *embed, wring_mut_bytes bytes, uint64_t now_ns) {
    if (!embed->active || !enter(embed)) {
        return WRING_ERR_INVALID_STATE;
    }
    wring__session_rx(&embed->session, bytes, NULL, now_ns);
    wring_result result = settle(embed, now_ns);
    return result == WRING_OK ? ask(embed, now_ns) : result;
}

void wring_embed_fail(wring_embed *embed, wring_result reason, uint64_t now_ns) {
    const wring_result is_over = reason == WRING_OK ? WRING_ERR_TRUNCATED : reason;
    if (!enter(embed)) {
        embed->ended = is_over; /* the call that this one is made within ends it */
        return;
    }
    wring__session_fail(&embed->session, is_over);
    (void)!settle(embed, now_ns); /* always CLOSED: that is what was asked for */
}

wring_result wring_embed_expire(wring_embed *embed, uint64_t now_ns) {
    if (!enter(embed)) {
        return WRING_ERR_INVALID_STATE;
    }
    wring__session_expire(&embed->session, now_ns);
    return settle(embed, now_ns);
}

wring_result wring_embed_flush(wring_embed *embed, uint64_t now_ns) {
    return enter(embed) ? settle(embed, now_ns) : WRING_ERR_INVALID_STATE;
}
