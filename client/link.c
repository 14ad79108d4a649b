/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection of a client, from the dial to its last byte: connect, what link_upgrade.c says to
 * proxy and server, then the session with its handler. All on the client's worker.
 */
#include "client/link.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/ref.h"

static wring__link *link_of(wring__conn *conn) {
    return WRING_CONTAINER_OF(conn, wring__link, conn);
}

static wring_ref link_ref(const wring_session *session) {
    const wring__host *host = WRING_CONTAINER_OF(session, wring__host, session);
    const wring__conn *conn = &WRING_CONTAINER_OF(host, wring__link, host)->conn;
    return wring__ref_pack(conn->worker->index, conn->slot, conn->generation);
}

/* wring_session_pause and _resume of a client's session. */
static void link_hold(wring_session *session, bool on) {
    wring__host *host = WRING_CONTAINER_OF(session, wring__host, session);
    wring__conn *conn = &WRING_CONTAINER_OF(host, wring__link, host)->conn;
    if (conn->state != WRING__CONN_OPEN) {
        return;
    }
    if (on) {
        wring__conn_hold(conn);
        (void)wring__conn_pause_when_full(conn);
    } else if (conn->held) {
        wring__session_touch(session, conn->worker->clock.peer_now);
        wring__conn_unhold(conn);
    }
}

void wring__link_prepare(wring_client *client) {
    const wring_client_config *config = &client->settings.config;
    client->binding = config->handler == NULL
                          ? (wring__binding){&wring__inbox_handler, client}
                          : (wring__binding){config->handler, config->handler_opts};
    wring__session_common_init(&client->sessions, &config->session, &client->worker->chunks);
    client->sessions.ref_of = link_ref;
    client->sessions.hold = link_hold;
    client->sessions.lost = &client->worker->counters.lost_mail;
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
        link->stage = STAGE_OVER;
        link->refusal = NULL;
        wring__client_link_failed(link->client, link, error, refusal);
    }
    wring__conn_shut(&link->conn);
}

void wring__link_fail_with(wring__link *link, wring_result result, const char *text) {
    wring_error error;
    (void)wring_error_set(&error, result, 0, "%s", text == NULL ? wring_result_text(result) : text);
    wring__link_fail(link, &error);
}

/* The body of a refusal has come, or will not: now the client is told. */
static void refusal_tell(wring__link *link) {
    const wring_error error = link->refusal->error;
    wring__link_fail(link, &error);
}

/* ---- the session ----------------------------------------------------------------------------- */

/* After each call into the session. */
static void settle(wring__link *link) {
    wring_session *session = &link->host.session;
    if (link->conn.out.bytes > 0) {
        wring__conn_flush(&link->conn);
    }
    if (link->conn.held && session->state == WRING_SESSION_CLOSING) {
        wring__conn_unhold(&link->conn); /* the server's close frame has to be read */
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

void wring__link_session_begin(wring__link *link, wring_headers headers, wring_bytes subprotocol,
                               wring_mut_bytes rest) {
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
    if (rest.len > 0 && link->stage == STAGE_SESSION) { /* the first frames came along */
        session_rx(link, rest);
    }
}

/* ---- the pump's callbacks -------------------------------------------------------------------- */

static void link_connected(wring__conn *conn) {
    wring__link *link = link_of(conn);
    wring__client_link_connected(link->client, link);
}

static void link_rx(wring__conn *conn, wring_mut_bytes bytes) {
    wring__link *link = link_of(conn);
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
    } else if (link->stage == STAGE_REFUSED) {
        refusal_tell(link);
    } else {
        wring__link_fail_with(
            link, WRING_ERR_TRUNCATED,
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
    if (link->stage == STAGE_REFUSED) {
        refusal_tell(link);
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
    wring__link_fail(link, &error);
}

static void link_timer(wring__conn *conn) {
    wring__link *link = link_of(conn);
    if (link->stage == STAGE_REFUSED) {
        refusal_tell(link);
    }
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
    free(link->refusal);
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
