/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection of a client, from the dial to its last byte: connect, what link_upgrade.c says to
 * proxy and server, then the session with its handler. All on the client's worker.
 */
#include "client/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/ref.h"

static wring__link *link_of(wring__endpoint *end) {
    return WRING_CONTAINER_OF(end, wring__link, stream.end);
}

static wring_server *session_server(const wring_session *session) {
    (void)session;
    return NULL;
}

static wring_client *session_client(const wring_session *session) {
    return link_of(&wring__stream_of(session)->end)->client;
}

static void session_log(const wring_session *session, wring_log_level level, const char *event,
                        const char *text) {
    wring__stream_log(session, session_client(session)->log, level, event, text);
}

static const wring__session_owner session_owner = {
    .ref = wring__stream_ref,
    .loop = wring__stream_loop,
    .worker = wring__stream_worker,
    .server = session_server,
    .client = session_client,
    .log = session_log,
    .queued_bytes = wring__stream_queued_bytes,
    .pause = wring__stream_pause,
    .resume = wring__stream_unpause,
};

void wring__link_prepare(wring_client *client) {
    const wring_client_config *config = &client->settings.config;
    client->binding = config->handler == NULL
                          ? (wring__binding){&wring__inbox_handler, client}
                          : (wring__binding){config->handler, config->handler_opts};
    wring__machine_common_init(&client->sessions, WRING_ROLE_CLIENT, config->session,
                               &client->worker->chunks);
    client->sessions.owner = &session_owner;
    client->sessions.counts = &client->worker->messages;
    client->sessions.lost = &client->worker->counters.lost_mail;
}

uint32_t wring__link_http_version(const wring__link *link) {
    return link->trunk == NULL ? 11 : 20;
}

const wring__endpoint *wring__link_endpoint(const wring__link *link) {
    return &link->stream.end;
}

wring__link **wring__link_next(wring__link *link) {
    return &link->next;
}

const wring__address *wring__link_address(const wring__link *link) {
    return &link->address;
}

/* ---- failing --------------------------------------------------------------------------------- */

void wring__link_fail(wring__link *link, const wring_error *error) {
    if (link->stage != STAGE_OVER) {
        wring__refusal *refusal = link->refusal;
        if (link->stage == STAGE_UPGRADE) {
            wring__link_show_answer(link);
        }
        link->stage = STAGE_OVER;
        link->refusal = NULL;
        wring__client_link_failed(link->client, link, error, refusal);
    }
    wring__end_shut(&link->stream.end);
}

void wring__link_fail_with(wring__link *link, wring_result result, const char *text) {
    wring_error error;
    (void)wring_error_set(&error, result, 0, "%s", text == NULL ? wring_result_text(result) : text);
    wring__link_fail(link, &error);
}

/* The body of a refusal has come, or will not: now the client is told. */
static void refusal_tell(wring__link *link) {
    WRING_ASSERT(link->stage == STAGE_REFUSED && link->refusal != NULL);
    if (link->trunk != NULL && wring__h2_was_ended(&link->stream.end)) {
        wring__refusal_ended(link->refusal); /* perhaps with a reset behind: RFC 9113 8.1 */
    }
    const wring_error error = link->refusal->error;
    wring__link_fail(link, &error);
}

/* ---- the session ----------------------------------------------------------------------------- */

static bool is_reset(const wring__endpoint *end, wring_result reason) {
    const int number = wring__end_errno(end);
    return reason == WRING_ERR_TRANSPORT && (number == ECONNRESET || number == EPIPE);
}

/* Why the session ended: what broke under it, or its own reason. */
static void session_error_of(const wring__link *link, const wring_end *told, wring_error *error) {
    const wring__endpoint *end = &link->stream.end;
    const wring_result result = told->result;
    const int number = result == WRING_ERR_TRANSPORT ? wring__end_errno(end) : 0;
    if (is_reset(end, result)) {
        (void)wring_error_set(error, result, number, "the connection was reset");
    } else if (number != 0) {
        (void)wring_error_set(error, result, number, "the connection broke: %s", strerror(number));
    } else {
        (void)wring_error_set(error, result, 0, "%s", told->text);
    }
}

static void link_session_ended(wring__stream *stream) {
    wring__link *link = WRING_CONTAINER_OF(stream, wring__link, stream);
    if (link->stage == STAGE_SESSION) {
        const wring_end end = wring__machine_end_of(&stream->session.machine);
        wring_error error;
        if (end.result == WRING_ERR_TIMEOUT) {
            wring__link_doubt(link);
        }
        session_error_of(link, &end, &error);
        link->stage = STAGE_OVER;
        wring__client_link_ended(link->client, link, &end, &error);
    }
}

/* After bytes were given to it. */
static void round_trip_look(wring__link *link) {
    if (link->ping_at != 0 && link->stream.session.machine.pong_seen) {
        atomic_store_explicit(&link->client->rtt_ns, link->stream.end.worker->now - link->ping_at,
                              memory_order_relaxed);
        link->ping_at = 0;
    }
}

static void session_rx(wring__link *link, wring_mut_bytes bytes, wring__block *block) {
    link->stream.session.machine.pong_seen = false;
    wring__stream_rx(&link->stream, bytes, block);
    round_trip_look(link);
}

void wring__link_session_begin(wring__link *link, wring_headers headers, wring_bytes subprotocol,
                               wring_mut_bytes rest) {
    WRING_ASSERT(link->stage == STAGE_UPGRADE);
    const wring__client_settings *settings = &link->client->settings;
    const wring__binding *binding = &link->client->binding;
    wring_tls_info tls;
    wring_request request = {.struct_size = sizeof request,
                             .http_version = wring__link_http_version(link),
                             .method = wring_str(link->trunk == NULL ? "GET" : "CONNECT"),
                             .target = wring_str(settings->target),
                             .path = wring_str(settings->target),
                             .host = wring_str(settings->host_header),
                             .headers = headers,
                             .subprotocol = subprotocol};
    const uint8_t *query = memchr(request.target.data, '?', request.target.len);
    if (query != NULL) {
        request.path.len = (size_t)(query - request.target.data);
        request.query = wring_bytes_of(query + 1, request.target.len - request.path.len - 1);
    }
    wring__tls *stream = wring__end_tls(&link->stream.end);
    if (stream != NULL) {
        tls = wring__tls_info_of(stream);
        request.tls = &tls;
    }
    link->stage = STAGE_SESSION;
    free(link->answered);
    link->answered = NULL;
    if (link->trunk != NULL) {
        wring__trunk_is_used(link->trunk);
    }
    wring__client_link_open(link->client, link);
    wring__stream_start(&link->stream, binding, link->state, &request);
    if (rest.len > 0 && link->stage == STAGE_SESSION) { /* the first frames came along */
        session_rx(link, rest, NULL);
    }
}

/* ---- the pump's callbacks -------------------------------------------------------------------- */

static void link_connected(wring__endpoint *end) {
    wring__link *link = link_of(end);
    wring__client_link_connected(link->client, link);
}

static void link_secured(wring__endpoint *end) {
    wring__link_secured(link_of(end));
}

static void link_rx(wring__endpoint *end, wring_mut_bytes bytes, wring__block *block) {
    wring__link *link = link_of(end);
    switch ((enum wring__link_stage)link->stage) {
    case STAGE_PROXY:
        wring__link_proxy_rx(link, bytes);
        break;
    case STAGE_UPGRADE:
        wring__link_upgrade_rx(link, bytes);
        break;
    case STAGE_REFUSED:
        wring__link_refusal_rx(link, bytes);
        break;
    case STAGE_SESSION:
        session_rx(link, bytes, block);
        break;
    case STAGE_DIAL: /* we speak first */
    case STAGE_SHELL:
    case STAGE_OVER:
        break;
    }
}

/* A reset says what an end says, that the other side broke off: which of the two comes is chance.
 */
static bool is_broken_off(const wring__endpoint *end, wring_result reason) {
    return reason == WRING_ERR_TLS_TRUNCATED || is_reset(end, reason);
}

/* The stream of a trunk ended before its answer. True: the client goes to another trunk. */
static bool link_rerouted(wring__link *link, wring_result reason) {
    if (link->stage != STAGE_UPGRADE || link->trunk == NULL ||
        !wring__trunk_reroute(link, reason)) {
        return false;
    }
    link->stage = STAGE_OVER;
    return true;
}

/* Who broke off, how, and what was waited for. */
static void link_broken_off(wring__link *link, wring_result reason) {
    const wring__tls *tls = wring__end_tls(&link->stream.end);
    const bool in_tls = tls != NULL && !wring__tls_is_established(tls);
    const bool in_proxy = link->stage == STAGE_PROXY;
    wring_error error;
    (void)wring_error_set(&error, in_tls ? WRING_ERR_TLS_TRUNCATED : WRING_ERR_TRUNCATED,
                          wring__end_errno(&link->stream.end), "the %s %s the connection %s",
                          in_proxy ? "proxy" : "server",
                          reason == WRING_ERR_TRANSPORT ? "reset" : "closed",
                          in_tls     ? "within the TLS handshake"
                          : in_proxy ? "before it answered"
                                     : "before it answered the upgrade");
    wring__link_fail(link, &error);
}

static void link_eof(wring__endpoint *end) {
    wring__link *link = link_of(end);
    if (link->stage == STAGE_SESSION) {
        wring__stream_fail(&link->stream, WRING_ERR_TRUNCATED);
    } else if (link->stage == STAGE_REFUSED) {
        refusal_tell(link);
    } else if (!link_rerouted(link, WRING_ERR_TRUNCATED)) {
        link_broken_off(link, WRING_ERR_TRUNCATED);
    }
    wring__end_shut(end);
}

static void link_failed(wring__endpoint *end, wring_result reason) {
    wring__link *link = link_of(end);
    if (link->stage == STAGE_DIAL) {
        link->stage = STAGE_OVER;
        wring__client_link_refused(link->client, link, reason, wring__end_errno(end));
        return;
    }
    if (link->stage == STAGE_SESSION) {
        wring__stream_fail(&link->stream, reason);
        return;
    }
    if (link->stage == STAGE_REFUSED) {
        refusal_tell(link);
        return;
    }
    if (link_rerouted(link, reason)) {
        return;
    }
    if (is_broken_off(end, reason)) {
        link_broken_off(link, reason);
        return;
    }
    wring_error error;
    char why[256] = "";
    if (wring__end_tls(end) != NULL) {
        (void)wring__tls_reason(wring__end_tls(end), why, sizeof why);
    }
    if (why[0] == 0) {
        (void)snprintf(why, sizeof why, "%s",
                       wring__end_errno(end) == 0 ? wring_result_text(reason)
                                                  : strerror(wring__end_errno(end)));
    }
    (void)wring_error_set(&error, reason, wring__end_errno(end), "%s", why);
    wring__link_fail(link, &error);
}

static void link_timer(wring__endpoint *end) {
    wring__link *link = link_of(end);
    if (link->stage == STAGE_REFUSED) {
        refusal_tell(link);
    }
    if (link->stage != STAGE_SESSION) {
        return;
    }
    const bool pinged = link->stream.session.machine.ping_sent;
    const bool was_closing = link->stream.session.machine.state == WRING_MACHINE_CLOSING;
    wring__stream_expire(&link->stream);
    if (was_closing && link->stage == STAGE_OVER && wring__end_unsent(end) > 0) {
        wring__end_abort(end); /* the server had the time of the close to read what is queued */
        return;
    }
    if (!pinged && link->stream.session.machine.ping_sent &&
        !link->stream.session.machine.ping_withheld) {
        link->ping_at = end->worker->now;
    }
}

static void link_asked(wring__endpoint *end) {
    wring__link *link = link_of(end);
    if (link->stage == STAGE_SESSION) {
        wring__stream_drained(&link->stream, false);
    }
}

static void link_resume(wring__endpoint *end) {
    wring__link *link = link_of(end);
    link->stream.session.machine.pong_seen = false;
    wring__stream_resume(&link->stream);
    round_trip_look(link);
}

static void link_mail(wring__endpoint *end, const wring__mail *mail) {
    wring__stream_mail(wring__stream_of_end(end), mail);
}

static void link_free(wring__link *link) {
    wring__proxy_deinit(&link->proxy);
    wring__head_free(&link->head);
    free(link->refusal);
    free(link->answered);
    free(link);
}

static void link_closed(wring__endpoint *end) {
    wring__link *link = link_of(end);
    wring_client *client = link->client;
    if (link->trunk != NULL) {
        wring__trunk_is_left(link->trunk);
    }
    wring__session_deinit(&link->stream.session);
    link_free(link);
    wring__client_release(client);
}

void wring__link_is_shell(wring__link *link) {
    wring_client *client = link->client;
    link->stage = STAGE_SHELL;
    link->client = NULL;
    wring__proxy_deinit(&link->proxy); /* it borrows from the client */
    memset(&link->proxy, 0, sizeof link->proxy);
    wring__client_release(client);
}

void wring__link_shell_free(wring__link *link) {
    WRING_ASSERT(link->stage == STAGE_SHELL);
    link_free(link);
}

static const wring__stream_ops link_ops = {
    .super = {.name = "client link",
              .connected = link_connected,
              .rx = link_rx,
              .eof = link_eof,
              .failed = link_failed,
              .timer = link_timer,
              .mail = link_mail,
              .asked = link_asked,
              .resume = link_resume,
              .closed = link_closed,
              .missing = wring__stream_on_missing,
              .room = wring__stream_on_room,
              .secured = link_secured},
    .ended = link_session_ended,
};

/* ---- for the client -------------------------------------------------------------------------- */

wring_result wring__link_dial(wring_client *client, const wring__address *address,
                              wring__link **out) {
    wring__link *link = calloc(1, sizeof *link + client->binding.handler->state_size);
    if (link == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    link->address = *address;
    wring__dial_config config = {.address = &link->address.any, .address_len = link->address.len};
    const wring__address *source = &client->settings.source;
    if (source->len > 0 && source->any.sa_family == address->any.sa_family) {
        config.source = &source->any;
        config.source_len = source->len;
    }
    wring_result result =
        wring__conn_connect(&link->stream.conn, client->worker, &link_ops.super, &config);
    if (result != WRING_OK) {
        free(link);
        return result;
    }
    link->client = wring__client_hold(client);
    wring__session_init(&link->stream.session, &client->sessions, &link->stream.end.out);
    *out = link;
    return WRING_OK;
}

wring_result wring__link_ride(wring_client *client, wring__trunk *trunk, wring__stream *below) {
    wring__link *link = calloc(1, sizeof *link + client->binding.handler->state_size);
    if (link == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    wring__endpoint *end = &link->stream.end;
    wring_result result = wring__end_init(end, client->worker, &link_ops.super);
    if (result != WRING_OK) {
        free(link);
        return result;
    }
    end->kind = WRING__END_MUX;
    end->state = WRING__END_OPEN;
    end->mux = below->carried;
    link->client = wring__client_hold(client);
    link->trunk = trunk;
    link->stage = STAGE_UPGRADE;
    client->link = link;
    wring__session_init(&link->stream.session, &client->sessions, &end->out);
    result = wring__link_connect(link, below);
    if (result != WRING_OK) {
        client->link = NULL;
        wring__end_close(end);
    }
    return result;
}

void wring__link_proceed(wring__link *link) {
    if (link->client->settings.proxy.kind == WRING__PROXY_NONE) {
        wring__link_upgrade_begin(link);
    } else {
        wring__link_proxy_begin(link);
    }
}

bool wring__link_tell_refusal(wring__link *link) {
    if (link->stage != STAGE_REFUSED) {
        return false;
    }
    refusal_tell(link);
    return true;
}

void wring__link_doubt(wring__link *link) {
    if (link->trunk != NULL) {
        wring__trunk_doubt(link->trunk);
    }
}

const char *wring__link_awaits(const wring__link *link) {
    const wring__tls *stream = wring__end_tls(&link->stream.end);
    if (link->stage == STAGE_PROXY) {
        return "the proxy did not answer in time";
    }
    if (stream != NULL && wring__tls_state_of(stream) == WRING__TLS_HANDSHAKING) {
        return "the TLS handshake was not over in time";
    }
    return "the server did not answer the upgrade in time";
}

void wring__link_close(wring__link *link, uint16_t code, wring_bytes reason) {
    if (link->stage == STAGE_SESSION) {
        wring__end_rx_go(&link->stream.end, WRING__RX_STOP_INBOX);
        wring__stream_close(&link->stream, code, reason);
    } else {
        wring__link_abort(link);
    }
}

void wring__link_abort(wring__link *link) {
    if (link->stage == STAGE_SESSION) {
        wring__stream_fail(&link->stream, WRING_ERR_TIMEOUT);
    }
    link->stage = STAGE_OVER;
    wring__end_abort(&link->stream.end);
}

void wring__link_unhold(wring__link *link) {
    wring__end_rx_go(&link->stream.end, WRING__RX_STOP_INBOX);
}
