/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection of a client, from the dial to its last byte: connect, proxy, TLS, upgrade, then
 * the session with its handler. All on the client's worker.
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/client.h"
#include "core/ref.h"
#include "proto/crypto.h"

enum stage {
    STAGE_DIAL,
    STAGE_PROXY,
    STAGE_UPGRADE, /* TLS included */
    STAGE_SESSION,
    STAGE_OVER /* the client has been told, or wants to know no more */
};

struct wring__link {
    wring__conn conn; /* first: the pump's callbacks get this address */
    wring__host host;
    wring_client *client; /* a reference */
    wring__link *next;
    wring__address address;
    wring__head *head;
    wring__proxy proxy;
    wring_time_ns ping_at; /* an unanswered ping went out; 0: none */
    uint8_t stage;
    bool no_takeover; /* was offered, for want of memory */
    char key[WRING__KEY_TEXT];
    _Alignas(16) uint8_t state[]; /* the handler's */
};

static wring__link *link_of(wring__conn *conn) {
    return WRING_CONTAINER_OF(conn, wring__link, conn);
}

static const wring_client_config *config_of(const wring__link *link) {
    return &link->client->settings.config;
}

static wring_ref link_ref(const wring_session *session) {
    const wring__host *host = WRING_CONTAINER_OF(session, wring__host, session);
    const wring__conn *conn = &WRING_CONTAINER_OF(host, wring__link, host)->conn;
    return wring__ref_pack(conn->worker->index, conn->slot, conn->generation);
}

void wring__link_prepare(wring_client *client) {
    const wring_client_config *config = &client->settings.config;
    client->binding = config->handler == NULL
                          ? (wring__binding){&wring__inbox_handler, client}
                          : (wring__binding){config->handler, config->handler_opts};
    wring__session_common_init(&client->sessions, &config->session, &client->worker->chunks);
    client->sessions.ref_of = link_ref;
    client->sessions.lost = &client->worker->counters.lost_mail;
}

wring__link **wring__link_next(wring__link *link) {
    return &link->next;
}

const wring__address *wring__link_address(const wring__link *link) {
    return &link->address;
}

/* ---- failing --------------------------------------------------------------------------------- */

static void fail(wring__link *link, const wring_error *error) {
    if (link->stage != STAGE_OVER) {
        link->stage = STAGE_OVER;
        wring__client_link_failed(link->client, link, error);
    }
    wring__conn_shut(&link->conn);
}

static void fail_with(wring__link *link, wring_result result, const char *text) {
    wring_error error;
    (void)wring_error_set(&error, result, 0, "%s", text == NULL ? wring_result_text(result) : text);
    fail(link, &error);
}

/* ---- the session ----------------------------------------------------------------------------- */

/* After each call into the session. */
static void settle(wring__link *link) {
    wring_session *session = &link->host.session;
    if (link->conn.out.bytes > 0) {
        wring__conn_flush(&link->conn);
    }
    if (!wring__host_is_closed(&link->host)) {
        wring__conn_bring_deadline(
            &link->conn, wring__host_deadline(&link->host, link->conn.worker->clock.peer_now));
        if (wring__session_has_more(session)) {
            wring__conn_yield(&link->conn);
        }
        return;
    }
    if (link->stage == STAGE_SESSION) {
        const wring_end end = {(wring_result)session->end_result, session->end_code,
                               session->end_by_peer};
        link->stage = STAGE_OVER;
        wring__client_link_ended(link->client, link, &end);
    }
    wring__conn_shut(&link->conn);
}

/* After bytes were given to it. */
static void session_took(wring__link *link) {
    if (link->ping_at != 0 && link->host.session.pong_seen) {
        atomic_store_explicit(&link->client->rtt_ns, link->conn.worker->now - link->ping_at,
                              memory_order_relaxed);
        link->ping_at = 0;
    }
    settle(link);
}

static void session_rx(wring__link *link, wring_mut_bytes bytes) {
    link->host.session.pong_seen = false;
    wring__session_turn(&link->host.session, link->conn.worker->counters.turns);
    wring__host_rx(&link->host, bytes, link->conn.worker->clock.peer_now);
    session_took(link);
}

/* ---- the upgrade ----------------------------------------------------------------------------- */

static wring_h1_client_options options_of(const wring__link *link) {
    const wring_client_config *config = config_of(link);
    wring_h1_client_options options = {config->subprotocols, config->subprotocol_count,
                                       config->extensions, config->origin, config->headers};
    if (config->deflate != NULL) {
        options.extensions = "permessage-deflate"; /* in short: the request has the whole */
    }
    return options;
}

static wring_result request_write(wring__link *link, char *out, size_t cap, size_t *len) {
    const wring__client_settings *settings = &link->client->settings;
    wring_h1_client_options options = options_of(link);
    char *extensions = NULL;
    wring_result result = WRING_OK;
    if (settings->config.deflate != NULL) {
        result = wring__client_deflate_offer(link->client, &link->no_takeover, &extensions);
        options.extensions = extensions;
    }
    if (result == WRING_OK) {
        result = wring_h1_request_write(settings->host_header, settings->target, link->key,
                                        &options, out, cap, len);
    }
    free(extensions);
    return result;
}

static void upgrade_begin(wring__link *link) {
    const wring__client_settings *settings = &link->client->settings;
    link->stage = STAGE_UPGRADE;
    wring_result result = WRING_OK;
    if (settings->tls != NULL) {
        result = wring__conn_secure(&link->conn, wring__tls_share_context(settings->tls),
                                    settings->host, link->client->tls_session);
        wring__client_session_offered(link->client);
    }
    if (result == WRING_OK) {
        result = wring__client_key(link->key);
    }
    const size_t cap = 64 * 1024;
    char *request = result == WRING_OK ? malloc(cap) : NULL;
    size_t len = 0;
    if (result == WRING_OK && request == NULL) {
        result = WRING_ERR_NO_MEMORY;
    }
    if (result == WRING_OK) {
        result = request_write(link, request, cap, &len);
    }
    if (result == WRING_OK) {
        result = wring__outq_append(&link->conn.out, &link->conn.worker->chunks,
                                    wring_bytes_of(request, len));
    }
    free(request);
    if (result != WRING_OK) {
        fail_with(link, result, NULL);
        return;
    }
    wring__conn_flush(&link->conn);
}

/* Behind "HTTP/1.1 404 ", which the parser has checked. */
static wring_bytes reason_phrase(const uint8_t *data) {
    const size_t at = strlen("HTTP/1.1 404 ");
    return wring_bytes_of(data + at, strcspn((const char *)data + at, "\r"));
}

static void refused(wring__link *link, wring_result result, const wring__http1 *parser,
                    const uint8_t *data) {
    wring_error error;
    if (result == WRING_ERR_UNEXPECTED_STATUS) {
        const wring_bytes reason = reason_phrase(data);
        (void)wring_error_set(&error, result, 0, "the server answered the upgrade with %u %.*s",
                              parser->status, (int)wring__min_size(reason.len, 100),
                              (const char *)reason.data);
        link->client->http_status = parser->status;
    } else {
        (void)wring_error_set(&error, result, 0, "%s", wring_result_text(result));
    }
    fail(link, &error);
}

static void session_begin(wring__link *link, wring_headers headers, wring_bytes subprotocol) {
    const wring__client_settings *settings = &link->client->settings;
    const wring__binding *binding = &link->client->binding;
    wring_tls_info tls;
    wring_request request = {.method = wring_str("GET"),
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
    wring__tls *stream = wring__conn_tls_of(&link->conn);
    if (stream != NULL) {
        tls = wring__tls_info_of(stream);
        request.tls = &tls;
    }
    link->stage = STAGE_SESSION;
    link->client->http_status = 101;
    wring__client_link_open(link->client, link);
    wring__host_start(&link->host, binding, binding->handler->state_size == 0 ? NULL : link->state,
                      &request, link->conn.worker->clock.peer_now);
    settle(link);
}

static void response_done(wring__link *link, wring__http1 *parser, wring_mut_bytes data) {
    const wring_h1_client_options options = options_of(link);
    wring_header list[WRING__HTTP1_FIELDS_MAX];
    const wring_headers headers = wring__http1_headers(parser, data.data, list);
    wring_bytes subprotocol = {NULL, 0};
    wring_result result =
        wring_h1_validate_response(parser->status, headers, link->key, &options, &subprotocol);
    if (result != WRING_OK) {
        refused(link, result, parser, data.data);
        return;
    }
    wring_error error;
    if (config_of(link)->deflate != NULL &&
        wring__client_deflate_answer(link->client, headers, link->no_takeover, &link->host.session,
                                     &error) != WRING_OK) {
        fail(link, &error);
        return;
    }
    const size_t head_len = parser->position;
    session_begin(link, headers, subprotocol);
    if (data.len > head_len && link->stage == STAGE_SESSION) { /* the first frames came along */
        wring_mut_bytes rest = {data.data + head_len, data.len - head_len};
        session_rx(link, rest);
    }
}

static void upgrade_rx(wring__link *link, wring_mut_bytes bytes) {
    wring__http1 scratch;
    wring__http1 *parser = &scratch;
    wring_mut_bytes data;
    if (link->head == NULL) {
        wring__http1_init(&scratch, WRING__HTTP1_RESPONSE, config_of(link)->max_handshake_size,
                          UINT16_MAX);
    }
    wring_result result = wring__head_feed(&link->head, &scratch, bytes, &parser, &data);
    if (result == WRING_MORE) {
        return;
    }
    if (result == WRING_ERR_HANDSHAKE_TOO_BIG) {
        fail_with(link, WRING_ERR_HANDSHAKE_RESPONSE_TOO_BIG, NULL);
    } else if (result != WRING_OK) {
        fail_with(link, result, NULL);
    } else {
        response_done(link, parser, data);
    }
    wring__head_free(&link->head);
}

/* ---- the proxy ------------------------------------------------------------------------------- */

void wring__link_proceed(wring__link *link) {
    const wring__client_settings *settings = &link->client->settings;
    if (settings->proxy.kind == WRING__PROXY_NONE) {
        upgrade_begin(link);
        return;
    }
    link->stage = STAGE_PROXY;
    wring_result result =
        wring__proxy_start(&link->proxy, &settings->proxy, settings->host, settings->url.port,
                           &link->conn.out, &link->conn.worker->chunks);
    if (result != WRING_OK) {
        fail_with(link, result, NULL);
        return;
    }
    wring__conn_flush(&link->conn);
}

static void proxy_rx(wring__link *link, wring_mut_bytes bytes) {
    wring_error error;
    size_t used = 0;
    wring_result result =
        wring__proxy_rx(&link->proxy, wring_bytes_of(bytes.data, bytes.len), &used, &error);
    wring__conn_flush(&link->conn);
    if (result == WRING_MORE) {
        return;
    }
    if (result == WRING_OK && used < bytes.len) {
        /* we speak first: nothing can follow but what somebody slipped in */
        result = wring_error_set(&error, WRING_ERR_PROXY, 0, "the proxy sent more than its answer");
    } else if (result == WRING_ERR_NO_MEMORY) {
        (void)wring_error_set(&error, result, 0, "out of memory");
    }
    if (result != WRING_OK) {
        fail(link, &error);
        return;
    }
    upgrade_begin(link);
}

/* ---- the pump's callbacks -------------------------------------------------------------------- */

static void link_connected(wring__conn *conn) {
    wring__link *link = link_of(conn);
    wring__client_link_connected(link->client, link);
}

static void link_rx(wring__conn *conn, wring_mut_bytes bytes) {
    wring__link *link = link_of(conn);
    switch ((enum stage)link->stage) {
    case STAGE_PROXY:
        proxy_rx(link, bytes);
        break;
    case STAGE_UPGRADE:
        upgrade_rx(link, bytes);
        break;
    case STAGE_SESSION:
        session_rx(link, bytes);
        break;
    case STAGE_DIAL: /* we speak first */
    case STAGE_OVER:
        break;
    }
}

static void link_eof(wring__conn *conn) {
    wring__link *link = link_of(conn);
    if (link->stage == STAGE_SESSION) {
        wring__host_fail(&link->host, WRING_ERR_TRUNCATED);
        settle(link);
    } else {
        fail_with(link, WRING_ERR_TRUNCATED,
                  link->stage == STAGE_PROXY
                      ? "the proxy closed the connection before it answered"
                      : "the server closed the connection before it answered the upgrade");
    }
    wring__conn_shut(conn);
}

static void link_failed(wring__conn *conn, wring_result reason) {
    wring__link *link = link_of(conn);
    if (link->stage == STAGE_DIAL) {
        link->stage = STAGE_OVER;
        wring__client_link_refused(link->client, link, reason, conn->error);
        return;
    }
    if (link->stage == STAGE_SESSION) {
        wring__host_fail(&link->host, reason);
        settle(link);
        return;
    }
    wring_error error;
    char why[256] = "";
    if (wring__conn_tls_of(conn) != NULL) {
        (void)wring__tls_reason(wring__conn_tls_of(conn), why, sizeof why);
    }
    if (why[0] == 0) {
        (void)snprintf(why, sizeof why, "%s",
                       conn->error == 0 ? wring_result_text(reason) : strerror(conn->error));
    }
    (void)wring_error_set(&error, reason, conn->error, "%s", why);
    fail(link, &error);
}

static void link_timer(wring__conn *conn) {
    wring__link *link = link_of(conn);
    if (link->stage != STAGE_SESSION) {
        return;
    }
    const bool pinged = link->host.session.ping_sent;
    if (wring__conn_is_deaf(conn)) {
        conn->starved = false;
        wring__session_touch(&link->host.session, conn->worker->clock.peer_now);
    }
    wring__session_tx_tell(&link->host.session, wring__conn_unsent(conn) > 0,
                           wring__conn_take_tx_moved(conn));
    wring__host_expire(&link->host, conn->worker->clock.peer_now);
    if (!pinged && link->host.session.ping_sent && !link->host.session.ping_withheld) {
        link->ping_at = conn->worker->now;
    }
    settle(link);
}

static void link_resume(wring__conn *conn) {
    wring__link *link = link_of(conn);
    link->host.session.pong_seen = false;
    wring__session_turn(&link->host.session, conn->worker->counters.turns);
    if (conn->broken) {
        wring__session_tx_drop(&link->host.session);
    }
    wring__host_resume(&link->host, conn->worker->clock.peer_now);
    session_took(link);
}

static void link_mail(wring__conn *conn, const wring__mail *mail) {
    wring__link *link = link_of(conn);
    const size_t lost = wring__host_mail(&link->host, mail);
    wring__count(&conn->worker->counters.lost_mail, lost);
    if (wring__host_is_started(&link->host)) {
        settle(link);
    }
}

static void link_closed(wring__conn *conn) {
    wring__link *link = link_of(conn);
    wring__proxy_deinit(&link->proxy);
    wring__head_free(&link->head);
    wring__host_deinit(&link->host);
    wring__client_release(link->client);
    free(link);
}

static uint64_t link_missing(wring__conn *conn) {
    wring__link *link = link_of(conn);
    return link->stage == STAGE_SESSION ? wring__session_rx_missing(&link->host.session) : 0;
}

static wring__block *link_room(wring__conn *conn) {
    wring__link *link = link_of(conn);
    return link->stage == STAGE_SESSION ? wring__session_rx_room(&link->host.session) : NULL;
}

static const wring__conn_ops link_ops = {
    .name = "client link",
    .connected = link_connected,
    .rx = link_rx,
    .eof = link_eof,
    .failed = link_failed,
    .timer = link_timer,
    .mail = link_mail,
    .resume = link_resume,
    .closed = link_closed,
    .missing = link_missing,
    .room = link_room,
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
    wring_result result = wring__conn_connect(&link->conn, client->worker, &link_ops, &config);
    if (result != WRING_OK) {
        free(link);
        return result;
    }
    link->client = wring__client_hold(client);
    wring__host_init(&link->host, &client->sessions, &link->conn.out);
    *out = link;
    return WRING_OK;
}

const char *wring__link_awaits(const wring__link *link) {
    const wring__tls *stream = wring__conn_tls_of(&link->conn);
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
        wring__conn_unhold(&link->conn);
        wring__host_close(&link->host, code, reason);
        settle(link);
    } else {
        wring__link_abort(link);
    }
}

void wring__link_abort(wring__link *link) {
    if (link->stage == STAGE_SESSION) {
        wring__host_fail(&link->host, WRING_ERR_TIMEOUT);
        settle(link);
    }
    link->stage = STAGE_OVER;
    wring__conn_abort(&link->conn);
}

void wring__link_unhold(wring__link *link) {
    wring__conn_unhold(&link->conn);
}
