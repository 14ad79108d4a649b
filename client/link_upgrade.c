/* SPDX-License-Identifier: Apache-2.0
 *
 * What a client says before its session: the conversation with a proxy, the upgrade request, and
 * what becomes of their answers. See link.h.
 */
#include <stdlib.h>

#include "client/link.h"
#include "wring/upgrade.h"

/* ---- what is shown of it ----------------------------------------------------------------------
 */

void wring__link_show_request(wring__link *link, wring_bytes request) {
    const wring_client_config *config = wring__link_config(link);
    if (config->on_handshake != NULL) {
        link->answered = calloc(1, sizeof *link->answered); /* without memory it is not shown */
        config->on_handshake(link->client, true, request, config->on_handshake_opts);
    }
}

void wring__link_note_answer(wring__link *link, wring_bytes bytes) {
    struct wring__answered *answered = link->answered;
    if (answered != NULL) {
        const size_t len = wring__min_size(bytes.len, sizeof answered->bytes - answered->len);
        memcpy(answered->bytes + answered->len, bytes.data, len);
        answered->len += len;
    }
}

void wring__link_show_answer(wring__link *link) {
    const struct wring__answered *answered = link->answered;
    const wring_client_config *config = wring__link_config(link);
    if (answered != NULL && answered->len > 0) {
        config->on_handshake(link->client, false, wring_bytes_of(answered->bytes, answered->len),
                             config->on_handshake_opts);
    }
}

/* ---- the upgrade ----------------------------------------------------------------------------- */

wring_upgrade_offer wring__link_offer(const wring__link *link) {
    wring_upgrade_offer offer = wring__client_offer(&link->client->settings);
    if (link->client->settings.config.deflate != NULL) {
        offer.extensions = "permessage-deflate"; /* in short: the request has the whole */
    }
    return offer;
}

static wring_result request_write(wring__link *link, char *out, size_t cap, size_t *len) {
    const wring__client_settings *settings = &link->client->settings;
    wring_upgrade_offer offer = wring__link_offer(link);
    char *extensions = NULL;
    wring_result result = WRING_OK;
    if (settings->config.deflate != NULL) {
        result = wring__client_deflate_offer(link->client, &link->deflate_offered, &extensions);
        offer.extensions = extensions;
    }
    if (result == WRING_OK) {
        result = wring_h1_request_write(&offer, link->key, out, cap, len);
    }
    free(extensions);
    return result;
}

static void request_send(wring__link *link) {
    const size_t cap = 64 * 1024;
    wring_result result = wring__client_key(link->key);
    char *request = result == WRING_OK ? malloc(cap) : NULL;
    size_t len = 0;
    if (result == WRING_OK && request == NULL) {
        result = WRING_ERR_NO_MEMORY;
    }
    if (result == WRING_OK) {
        result = request_write(link, request, cap, &len);
    }
    if (result == WRING_OK) {
        wring__link_show_request(link, wring_bytes_of(request, len));
        result = wring__outq_append(&link->stream.end.out, &link->stream.end.worker->chunks,
                                    wring_bytes_of(request, len));
    }
    free(request);
    if (result != WRING_OK) {
        wring__link_fail_with(link, result, NULL);
        return;
    }
    wring__end_flush(&link->stream.end);
}

static void trunk_take(wring__link *link) {
    const wring_result result = wring__trunk_take(link);
    if (result != WRING_OK) {
        wring__link_fail_with(link, result, NULL);
    }
}

void wring__link_upgrade_begin(wring__link *link) {
    wring_client *client = link->client;
    const wring__client_settings *settings = &client->settings;
    wring_result result = WRING_OK;
    link->stage = STAGE_UPGRADE;
    if (settings->url.secure) {
        link->negotiates = wring__trunk_is_negotiated(client);
        result = wring__conn_secure(&link->stream.conn, wring__tls_share_context(settings->tls),
                                    settings->host, client->tls_session, wring__trunk_alpn(client));
        wring__client_session_offered(client);
    }
    if (result != WRING_OK) {
        wring__link_fail_with(link, result, NULL);
    } else if (wring__trunk_is_prior(client)) {
        trunk_take(link);
    } else if (!link->negotiates) {
        request_send(link);
    }
}

void wring__link_secured(wring__link *link) {
    if (link->stage != STAGE_UPGRADE || !link->negotiates) {
        return;
    }
    link->negotiates = false;
    if (wring_bytes_equal(wring__tls_alpn(wring__end_tls(&link->stream.end)), wring_str("h2"))) {
        trunk_take(link);
    } else if (wring__link_config(link)->http2->required) {
        wring__link_fail_with(link, WRING_ERR_PEER_NO_CONNECT_PROTOCOL,
                              "the server did not agree on HTTP/2 (ALPN \"h2\"): switch it on "
                              "there, or leave http2.required out");
    } else {
        wring__trunk_declined(link->client);
        request_send(link);
    }
}

/* ---- a refusal ------------------------------------------------------------------------------- */

/* How long the body of a refusal is waited for. What refused is known already. */
#define REFUSAL_BODY_NS WRING_NS_PER_SEC

/* The client is told when the body has come: at once when there is none. */
static void refusal_await(wring__link *link, wring__refusal *refusal) {
    link->refusal = refusal;
    link->stage = STAGE_REFUSED;
    wring__end_bring_deadline(&link->stream.end,
                              link->stream.end.worker->clock.peer_now + REFUSAL_BODY_NS);
    wring__link_refusal_rx(link, (wring_mut_bytes){NULL, 0});
}

void wring__link_refusal_rx(wring__link *link, wring_mut_bytes bytes) {
    if (wring__refusal_feed(link->refusal, wring_bytes_of(bytes.data, bytes.len))) {
        const wring_error error = link->refusal->error;
        wring__link_fail(link, &error);
    }
}

void wring__link_refused(wring__link *link, wring__refusal *refusal) {
    if (refusal == NULL) {
        wring__link_fail_with(link, WRING_ERR_NO_MEMORY, NULL);
    } else {
        refusal_await(link, refusal);
    }
}

static void refused(wring__link *link, const wring__http1 *parser, wring_mut_bytes data) {
    wring__refusal *refusal = wring__refusal_create(parser, data.data, false);
    link->client->http_status = parser->status;
    if (refusal != NULL) {
        (void)wring__refusal_feed(
            refusal, wring_bytes_of(data.data + parser->position, data.len - parser->position));
    }
    wring__link_refused(link, refusal);
}

/* ---- the answer ------------------------------------------------------------------------------ */

static void response_done(wring__link *link, wring__http1 *parser, wring_mut_bytes data) {
    const wring_upgrade_offer offer = wring__link_offer(link);
    wring_header list[WRING__HTTP1_FIELDS_MAX];
    const wring_headers headers = wring__http1_headers(parser, data.data, list);
    wring_bytes subprotocol = {NULL, 0};
    wring_error error;
    wring_result result =
        wring_h1_response_validate(&offer, link->key, parser->status, headers, &subprotocol);
    if (result == WRING_ERR_UNEXPECTED_STATUS) {
        refused(link, parser, data);
        return;
    }
    if (result != WRING_OK) {
        wring__link_fail_with(link, result, NULL);
        return;
    }
    if (wring__link_config(link)->deflate != NULL &&
        wring__client_deflate_answer(link->client, headers, link->deflate_offered,
                                     &link->stream.session.machine, &error) != WRING_OK) {
        wring__link_fail(link, &error);
        return;
    }
    const size_t head_len = parser->position;
    link->client->http_status = parser->status;
    wring__link_session_begin(link, headers, subprotocol,
                              (wring_mut_bytes){data.data + head_len, data.len - head_len});
}

static wring_result interim_skip(wring__link *link, const wring__http1 *parser) {
    link->interim_bytes += parser->position;
    link->interim_count++;
    return link->interim_count > WRING__INTERIM_MAX ||
                   link->interim_bytes >= wring__link_config(link)->handshake_bytes_max
               ? WRING_ERR_HANDSHAKE_RESPONSE_TOO_BIG
               : WRING_OK;
}

/* One head. WRING_MORE: it is not whole. WRING_OK: the answer was an interim one, and *bytes are
 * what follows; else the link knows how it went on and nothing is left to do. */
static wring_result head_take(wring__link *link, wring_mut_bytes *bytes, bool *is_final) {
    wring__http1 scratch;
    wring__http1 *parser = &scratch;
    wring_mut_bytes data;
    if (link->head == NULL) {
        wring__http1_init(&scratch, WRING__HTTP1_RESPONSE,
                          wring__link_config(link)->handshake_bytes_max - link->interim_bytes,
                          UINT16_MAX);
    }
    wring_result result = wring__head_feed(&link->head, &scratch, *bytes, &parser, &data);
    if (result == WRING_OK && wring__http1_is_interim(parser)) {
        *bytes = (wring_mut_bytes){data.data + parser->position, data.len - parser->position};
        return interim_skip(link, parser);
    }
    if (result == WRING_OK) {
        *is_final = true;
        response_done(link, parser, data);
    }
    return result == WRING_ERR_HANDSHAKE_TOO_BIG ? WRING_ERR_HANDSHAKE_RESPONSE_TOO_BIG : result;
}

void wring__link_upgrade_rx(wring__link *link, wring_mut_bytes bytes) {
    wring__head *spent = NULL; /* holds `bytes`, once an interim answer came in pieces */
    wring_result result = WRING_OK;
    bool is_final = false;
    wring__link_note_answer(link, wring_bytes_of(bytes.data, bytes.len));
    while (result == WRING_OK && !is_final && bytes.len > 0) {
        result = head_take(link, &bytes, &is_final);
        if (result != WRING_MORE && link->head != NULL) {
            wring__head_free(&spent);
            spent = link->head;
            link->head = NULL;
        }
    }
    wring__head_free(&spent);
    if (result != WRING_OK && result != WRING_MORE) {
        wring__link_fail_with(link, result, NULL);
    }
}

/* ---- the proxy ------------------------------------------------------------------------------- */

void wring__link_proxy_begin(wring__link *link) {
    const wring__client_settings *settings = &link->client->settings;
    link->stage = STAGE_PROXY;
    wring_result result =
        wring__proxy_start(&link->proxy, &settings->proxy, settings->host, settings->url.port,
                           &link->stream.end.out, &link->stream.end.worker->chunks);
    if (result != WRING_OK) {
        wring__link_fail_with(link, result, NULL);
        return;
    }
    wring__end_flush(&link->stream.end);
}

void wring__link_proxy_rx(wring__link *link, wring_mut_bytes bytes) {
    wring_error error;
    size_t used = 0;
    wring_result result =
        wring__proxy_rx(&link->proxy, wring_bytes_of(bytes.data, bytes.len), &used, &error);
    wring__end_flush(&link->stream.end);
    if (result == WRING_MORE) {
        return;
    }
    const bool may_follow = wring__trunk_is_prior(link->client); /* SETTINGS: RFC 9113 3.4 */
    if (result == WRING_OK && used < bytes.len && !may_follow) {
        /* we speak first: nothing can follow but what somebody slipped in */
        result = wring_error_set(&error, WRING_ERR_PROXY, 0, "the proxy sent more than its answer");
    } else if (result == WRING_ERR_NO_MEMORY) {
        (void)wring_error_set(&error, result, 0, "out of memory");
    }
    if (link->proxy.refusal != NULL) {
        refusal_await(link, link->proxy.refusal);
        link->proxy.refusal = NULL;
        return;
    }
    if (result != WRING_OK) {
        wring__link_fail(link, &error);
        return;
    }
    wring__link_upgrade_begin(link);
    wring__endpoint *end = &link->stream.end;
    if (used < bytes.len && link->stage == STAGE_SHELL && end->state == WRING__END_OPEN) {
        end->ops->rx(end, (wring_mut_bytes){bytes.data + used, bytes.len - used}, NULL);
    }
}
