/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a client.
 *
 *     connecting -> open -> waiting -> connecting ... -> closed
 *
 *   settings.c  what wring_client_create was given, checked and copied
 *   client.c    the life: what is told, the end, what other threads ask for
 *   attempt.c   attempts: the name, dialling, back-off; retry.c: whether and when the next one is
 *   renew.c     the application's URL and headers for the next attempt
 *   link.c      one connection, or stream, and its session; link_upgrade.c: proxy, TLS, upgrade;
 *               link_carried.c: the upgrade over HTTP/2
 *   trunk.c     connections of HTTP/2 that clients share; origin.c: by what
 *   refusal.c   an answer that refused, kept for the report
 *   inbox.c     the blocking style
 *   tls_share.c one TLS context for all clients with equal settings
 *
 * Fields are the worker's, but those below `lock`.
 */
#ifndef WRING_CLIENT_CLIENT_H
#define WRING_CLIENT_CLIENT_H

#include <pthread.h>
#include <stdatomic.h>

#include "client/proxy.h"
#include "client/resolve.h"
#include "client/trunk.h"
#include "io/log.h"
#include "core/mail.h"
#include "io/worker.h"
#include "proto/head.h"
#include "stream/stream.h"
#include "wring/client.h"
#include "wring/upgrade.h"
#include "wring/url.h"

struct wring__refusal;
typedef struct wring__link wring__link;
typedef struct wring__tls_share wring__tls_share;

/** Frozen before the client is posted to its worker, but for what a renewal replaces: URL and
 *  headers, with what follows from them, which only the worker reads. Strings are owned. */
typedef struct wring__client_settings {
    wring_client_config config; /* defaults filled in; pointers are to `owned` */
    wring_url url;
    char *host;        /* of the URL */
    char *host_header; /* with the port if it is not the scheme's, and brackets */
    char *target;
    wring__proxy_config proxy;
    wring_session_config session; /* config.session, .deflate and .handler point to these */
    wring_deflate_config deflate;
    wring_http2_config http2; /* config.http2 is this or NULL */
    wring_handler handler;
    wring__address source; /* len 0: none */
    wring__tls_share *tls; /* NULL: ws:// */
    wring_headers given;   /* config.headers without what the URL added */
    const char *url_text;  /* `url` is views of it */
    bool proxy_is_from_env;
    bool has_alpn; /* the application chose what ALPN offers */
    struct wring__owned *owned;
    struct wring__owned *renewed; /* URL and headers of the last renewal */
} wring__client_settings;

struct wring_client {
    atomic_uint refs;
    wring__client_settings settings;
    wring__log own_log; /* where the configuration has one */
    wring__log *log;    /* that, or the worker's */
    wring__binding binding;
    wring__machine_common sessions; /* of its links */
    uint8_t loop;

    /* the worker's */
    wring__worker *worker;
    pthread_t thread; /* the worker's */
    wring__guest guest;
    wring__task timeout;            /* of an attempt; WAITING: until the next one */
    wring_duration_ns timeout_lost; /* the worker's clock.lost when the timeout was set */
    wring__task stagger;            /* until the next address is tried as well: RFC 8305 5 */
    wring__resolve *resolve;
    wring__addresses addresses;
    uint32_t next_address;
    wring__link *dialling; /* attempts at addresses, linked by `next` */
    wring__link *link;     /* the one that connected */
    wring__ride ride;
    wring__tls_session *tls_session;
    uint64_t random; /* of the back-off */
    uint32_t attempt;
    uint32_t backoff;
    wring_time_ns opened_at;
    bool finishing; /* no more attempts */
    bool renewing;  /* the application was asked, and answers by wring_client_renew */
    int http_status;
    struct wring__refusal *refusal; /* what refused the last attempt; NULL: no answer did */
    wring_error last;               /* how the last attempt or session ended */
    wring_end end;

    /* calls from other threads; each is posted at most once at a time */
    wring__call start;
    wring__call finish;
    wring__task finish_here; /* when the mailbox is full and the caller is the worker */
    wring__call unhold;
    wring__call renewed; /* renew.c */
    atomic_bool finish_posted;
    atomic_bool unhold_posted;
    _Atomic uint64_t rtt_ns;
    _Atomic uint64_t ref;

    /* guarded by lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    wring_client_status status;
    wring_error error; /* CLOSED: why */
    uint16_t close_code;
    uint8_t close_reason[WRING_CONTROL_PAYLOAD_MAX];
    uint8_t close_reason_len;
    struct wring__letter *inbox;
    struct wring__letter **inbox_tail;
    struct wring__letter *lent; /* what wring_client_receive gave last */
    uint64_t inbox_bytes;
    bool inbox_full;
    bool given_up;                  /* by wring_client_destroy: what comes is dropped */
    bool renewal_wanted;            /* wring_client_renew may be called */
    bool renewal_posted;            /* `renewed` is on its way */
    struct wring__renewed *renewal; /* what wring_client_renew was given */
};

/* ---- settings.c ------------------------------------------------------------------------------ */

WRING_MUST_CHECK wring_result wring__client_settings_adopt(wring__client_settings *settings,
                                                           const char *url,
                                                           const wring_client_config *config,
                                                           wring_error *error);
void wring__client_settings_deinit(wring__client_settings *settings);

/** What the upgrade request asks for. Borrows from the settings. */
wring_upgrade_offer wring__client_offer(const wring__client_settings *settings);

/** No length or count stands beside a NULL, which is a slip of the caller's. */
bool wring__headers_are_views(wring_headers headers);

/** Replaces URL and headers. Not while a link of the client is not over; on an error nothing is
 *  changed.
 *  Errors: WRING_ERR_INVALID_URL, WRING_ERR_INVALID_HEADER, WRING_ERR_INVALID_CONFIG,
 *  WRING_ERR_NO_MEMORY */
WRING_MUST_CHECK wring_result wring__client_settings_renew(wring__client_settings *settings,
                                                           const char *url, wring_headers headers,
                                                           wring_error *error);

/* ---- renew.c --------------------------------------------------------------------------------- */

/** Asks the application, before an attempt. WRING_OK: go on. WRING_MORE: it answers by
 *  wring_client_renew, and wring__client_attempt_dial goes on then.
 *  Errors: the application's, and those of wring__client_settings_renew; `error` is filled. */
WRING_MUST_CHECK wring_result wring__client_renew(wring_client *client, wring_error *error);

/** What wring_client_renew may say from now on is not waited for. */
void wring__client_renew_cancel(wring_client *client);
void wring__client_renew_init(wring_client *client);

/* ---- tls_share.c ----------------------------------------------------------------------------- */

/** Errors: those of wring__tls_context_client.   Thread: any. */
WRING_MUST_CHECK wring_result wring__tls_share_get(const wring_tls_client_config *config,
                                                   wring__tls_share **out, wring_error *error);
void wring__tls_share_release(wring__tls_share *share); /* NULL is legal */
wring__tls_context *wring__tls_share_context(const wring__tls_share *share);

/* ---- deflate.c ------------------------------------------------------------------------------- */

/** What was offered: for wring__client_deflate_answer. */
typedef struct wring__deflate_offered {
    bool no_takeover; /* in spite of the configuration: the budget had no room for it */
    bool plain;       /* an offer that asks nothing of the server stood behind the first one */
} wring__deflate_offered;

/** The value of Sec-WebSocket-Extensions, with what the application offers itself.
 *  Own: give `out`, free it.  Errors: WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__client_deflate_offer(wring_client *client,
                                                          wring__deflate_offered *offered,
                                                          char **out);

/** Does as the response says.  Errors: those of wring_deflate_response_parse. */
WRING_MUST_CHECK wring_result wring__client_deflate_answer(wring_client *client,
                                                           wring_headers headers,
                                                           wring__deflate_offered offered,
                                                           wring_machine *machine,
                                                           wring_error *error);

/* ---- client.c -------------------------------------------------------------------------------- */

wring_client *wring__client_hold(wring_client *client); /* one more reference */
void wring__client_release(wring_client *client);

/** The end of an attempt that came to no session. */
wring_end wring__client_no_session(const wring_error *why);

/** As on_status is told it. Borrows from the client. */
wring_client_report wring__client_report_of(const wring_client *client, wring_client_status status,
                                            uint32_t delay_ms, wring_ref ref);
void wring__client_status_set(wring_client *client, wring_client_status status, uint32_t delay_ms,
                              wring_ref ref);

/* ---- attempt.c ------------------------------------------------------------------------------- */

void wring__client_attempt_begin(wring_client *client);

/** Goes on with URL and headers as they are: rides on a trunk, or resolves and dials. */
void wring__client_attempt_dial(wring_client *client);

/** Resolves and dials, a trunk too. */
void wring__client_attempt_connect(wring_client *client);

/** Lets go of everything under way, except the link that connected. */
void wring__client_attempt_clear(wring_client *client);
void wring__client_attempt_failed(wring_client *client, const wring_error *error);
void wring__client_attempt_failed_with(wring_client *client, wring_result result, int system_errno,
                                       const char *text);

/** For good; client->last and client->end say how it went. */
void wring__client_closed(wring_client *client);
void wring__client_on_timeout(wring__task *task);
void wring__client_on_stagger(wring__task *task);

/** For link.c: what became of a link. */
void wring__client_link_connected(wring_client *client, wring__link *link);
void wring__client_link_refused(wring_client *client, wring__link *link, wring_result result,
                                int system_errno);
void wring__client_link_open(wring_client *client, wring__link *link);
/** @param refusal  taken: the answer that refused; NULL when there was none */
void wring__client_link_failed(wring_client *client, wring__link *link, const wring_error *error,
                               struct wring__refusal *refusal);
/** @param error  why it ended, with its sentence; WRING_OK after a close handshake */
void wring__client_link_ended(wring_client *client, wring__link *link, const wring_end *end,
                              const wring_error *error);

/** Its TLS session, if there is one, was offered to the server. */
void wring__client_session_offered(wring_client *client);

/* ---- link.c ---------------------------------------------------------------------------------- */

/** What the links of a client need of it, before the first one. */
void wring__link_prepare(wring_client *client);

/** Dials one address.  Errors: those of wring__conn_connect. */
WRING_MUST_CHECK wring_result wring__link_dial(wring_client *client, const wring__address *address,
                                               wring__link **out);

/** A stream of a trunk, in place of a connection of its own: client->link, which asks for the
 *  upgrade.  Errors: WRING_ERR_NO_MEMORY, WRING_ERR_CLOSED, WRING_ERR_TOO_MANY_CONNECTIONS, those
 *  of the request; then there is no link. */
WRING_MUST_CHECK wring_result wring__link_ride(wring_client *client, wring__trunk *trunk,
                                               wring__stream *below);
wring__link **wring__link_next(wring__link *link);
/** As wring_request.http_version. */
uint32_t wring__link_http_version(const wring__link *link);
const wring__endpoint *wring__link_endpoint(const wring__link *link);
const wring__address *wring__link_address(const wring__link *link);

/** It is the one: proxy, TLS, upgrade. */
void wring__link_proceed(wring__link *link);

/** Ends the wait for a refusal's body. False: the link does not wait for that. */
bool wring__link_tell_refusal(wring__link *link);

/** What did not come in time, as a sentence; before the session is open. */
const char *wring__link_awaits(const wring__link *link);

/** What it awaits did not come in time: nobody else is to wait on its trunk. */
void wring__link_doubt(wring__link *link);

/** Begins the close handshake; before the session is open, ends at once. */
void wring__link_close(wring__link *link, uint16_t code, wring_bytes reason);

/** Ends at once, and tells the client nothing more. */
void wring__link_abort(wring__link *link);
void wring__link_unhold(wring__link *link);

/* ---- inbox.c --------------------------------------------------------------------------------- */

/** The handler of clients without one: keeps messages for wring_client_receive. opts: the client.
 */
extern const wring_handler wring__inbox_handler;
void wring__inbox_deinit(wring_client *client);

/** Nobody receives any more: the server is read on, so that the close handshake ends.
 *  Thread: any. */
void wring__inbox_give_up(wring_client *client);

#endif
