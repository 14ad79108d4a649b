/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a link, shared by its files: link.c has the connection and the session,
 * link_upgrade.c what is said before the session, link_carried.c the same over HTTP/2.
 *
 * A link is a connection of the client's own, or a stream of a trunk (trunk.h). The connection of a
 * trunk was a link when it was dialled, and is one no more: it is the trunk's shell.
 */
#ifndef WRING_CLIENT_LINK_H
#define WRING_CLIENT_LINK_H

#include "client/client.h"
#include "client/refusal.h"
#include "proto/crypto.h"
#include "stream/stream.h"

enum wring__link_stage {
    STAGE_DIAL,
    STAGE_PROXY,
    STAGE_UPGRADE, /* TLS included */
    STAGE_REFUSED, /* the upgrade or the CONNECT was: the answer's body is waited for */
    STAGE_SESSION,
    STAGE_SHELL, /* of a trunk: no client's any more */
    STAGE_OVER   /* the client has been told, or wants to know no more */
};

/* The first bytes of the answer to the upgrade. */
struct wring__answered {
    size_t len;
    uint8_t bytes[512];
};

struct wring__link {
    wring__stream stream; /* first: the connection's callbacks get this address */
    wring_client *client; /* a reference; NULL: a shell */
    wring__link *next;
    wring__trunk *trunk; /* whose shell or stream it is; NULL: neither */
    wring__address address;
    wring__head *head;
    wring__proxy proxy;
    wring__refusal *refusal; /* owned until the client is told */
    wring_time_ns ping_at;   /* an unanswered ping went out; 0: none */
    uint32_t interim_bytes;  /* of answers before the final one: RFC 9110 15.2 */
    uint8_t interim_count;
    uint8_t stage;
    bool negotiates; /* HTTP/2 or 1.1, by ALPN */
    wring__deflate_offered deflate_offered;
    struct wring__answered *answered; /* for on_handshake; NULL without one */
    char key[WRING__KEY_TEXT];
    _Alignas(16) uint8_t state[]; /* the handler's */
};

static inline const wring_client_config *wring__link_config(const wring__link *link) {
    return &link->client->settings.config;
}

/* ---- link.c ---------------------------------------------------------------------------------- */

/** Tells the client that its attempt failed, and ends the connection. */
void wring__link_fail(wring__link *link, const wring_error *error);

/** The same.  @param text  NULL takes the result's own */
void wring__link_fail_with(wring__link *link, wring_result result, const char *text);

/** The session, over an upgrade that was accepted with the status client->http_status.
 *  @param rest  what came behind the head: the first frames */
void wring__link_session_begin(wring__link *link, wring_headers headers, wring_bytes subprotocol,
                               wring_mut_bytes rest);

/** It is a trunk's shell now, and lets go of its client; and its memory, when the trunk ends. */
void wring__link_is_shell(wring__link *link);
void wring__link_shell_free(wring__link *link);

/* ---- link_upgrade.c -------------------------------------------------------------------------- */

/** TLS where the URL asks for it, and the request. */
void wring__link_upgrade_begin(wring__link *link);
void wring__link_upgrade_rx(wring__link *link, wring_mut_bytes bytes);

/** The TLS handshake is over: goes on with what ALPN agreed on. */
void wring__link_secured(wring__link *link);

/** What the request offers, with the extensions in short: the request has the whole. */
wring_upgrade_offer wring__link_offer(const wring__link *link);

/** Shows the request, where the application asked for that. */
void wring__link_show_request(wring__link *link, wring_bytes request);
void wring__link_note_answer(wring__link *link, wring_bytes bytes);

/** The answer refused: its body is waited for.  @param refusal  taken; NULL: no memory for it */
void wring__link_refused(wring__link *link, wring__refusal *refusal);

/** Shows what came in place of an answer, where the application asked for that. */
void wring__link_show_answer(wring__link *link);

/** The CONNECT or the SOCKS5 conversation. */
void wring__link_proxy_begin(wring__link *link);
void wring__link_proxy_rx(wring__link *link, wring_mut_bytes bytes);

/** Bytes of a refusal's body. */
void wring__link_refusal_rx(wring__link *link, wring_mut_bytes bytes);

/* ---- link_carried.c -------------------------------------------------------------------------- */

/** Asks for the upgrade, as a stream of the trunk.  Errors: those of wring__h2_connect. */
WRING_MUST_CHECK wring_result wring__link_connect(wring__link *link, wring__stream *below);

/** The slot `answered` of wring__h2_role. */
void wring__link_answered(wring__endpoint *end, int status, wring_headers fields);

#endif
