/* SPDX-License-Identifier: Apache-2.0
 *
 * See trunk.h.
 */
#include "client/trunk.h"

#include <stdlib.h>

#include "client/client.h"
#include "client/link.h"
#include "client/origin.h"

/* How long an origin is taken for one without WebSockets over HTTP/2, or with room for so many
 * streams on a connection and no more. */
#define LEARNED_NS (5 * 60 * WRING_NS_PER_SEC)
/* Within one attempt: so many streams of a client may be turned away by their trunks, and so many
 * connections it dials for itself and others. */
#define REROUTES_MAX 3
#define DIALS_MAX    5
/* A new one waits so long for its first stream, which mostly comes in the same turn. */
#define FRESH_NS WRING_NS_PER_SEC
/* RFC 9113 7: what a server resets a stream with that it wants over HTTP/1.1. */
#define CODE_HTTP_1_1_REQUIRED 0xd

struct wring__trunk {
    wring__guest guest;
    wring__trunk *next;
    wring__origin *origin; /* NULL: it is over */
    wring__link *shell;
    wring_client *dialler; /* who dialled it and waits for it still; NULL: not any more */
    wring_http2_config config;
    uint32_t riders;  /* links that were not refused */
    uint32_t full_at; /* with so many of them it is full: the server refused one more */
    bool was_used;    /* it has carried a session */
    bool is_ending;   /* so does the worker */
};

static const wring_http2_config *http2_of(const wring_client *client) {
    return client->settings.config.http2;
}

static bool is_required(const wring_client *client) {
    return http2_of(client)->required || !client->settings.url.secure;
}

/* ---- the life of a trunk --------------------------------------------------------------------- */

static wring__trunk *trunk_of(const wring__stream *below) {
    return WRING_CONTAINER_OF(below, wring__link, stream)->trunk;
}

static wring__stream *below_of(const wring__trunk *trunk) {
    return &trunk->shell->stream;
}

/* It takes no more clients. Twice is legal. */
static void trunk_over(wring__trunk *trunk) {
    wring__origin *origin = trunk->origin;
    if (origin == NULL) {
        return;
    }
    wring__trunk **at = &origin->trunks;
    while (*at != NULL && *at != trunk) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        *at = trunk->next;
    } else {
        WRING_ASSERT(origin->opening == trunk);
        origin->opening = NULL;
    }
    trunk->origin = NULL;
    trunk->dialler = NULL; /* it waits on, as the others do */
    wring__origin_wake(origin);
}

/* Nobody uses it. */
static void trunk_close(wring__trunk *trunk) {
    trunk_over(trunk);
    wring__h2_drain(below_of(trunk));
}

/* It is closed then, unless it is used before. */
static void idle_bound(wring__trunk *trunk, wring_duration_ns idle) {
    wring__endpoint *end = &below_of(trunk)->end;
    wring__end_set_deadline(end, end->worker->clock.peer_now + idle);
}

static void idle_begin(wring__trunk *trunk) {
    const bool at_once = trunk->is_ending || trunk->config.idle_timeout_ms == WRING_OFF;
    idle_bound(trunk, at_once ? 0 : trunk->config.idle_timeout_ms * WRING_NS_PER_MS);
}

/* The server's settings. Within its connection's callback: what follows is the task's. */
static void trunk_ready(wring__stream *below) {
    wring__trunk *trunk = trunk_of(below);
    wring__origin *origin = trunk->origin;
    if (origin == NULL || origin->opening != trunk) {
        if (origin != NULL) {
            wring__origin_wake(origin); /* it may have more room now */
        }
        return;
    }
    trunk->dialler = NULL;
    if (wring__h2_has_websockets(below)) {
        origin->opening = NULL;
        trunk->next = origin->trunks;
        origin->trunks = trunk;
        idle_bound(trunk, FRESH_NS); /* whom it was dialled for may have left */
    } else {
        origin->plain_until = origin->worker->now + LEARNED_NS;
        for (wring_client *client = origin->waiting; client != NULL; client = client->ride.next) {
            client->ride.is_turned_down = true;
        }
        trunk_close(trunk);
    }
    wring__origin_wake(origin);
}

static void trunk_going(wring__stream *below) {
    trunk_over(trunk_of(below));
}

static void trunk_idle(wring__stream *below) {
    idle_begin(trunk_of(below));
}

static bool has_room(const wring__trunk *trunk) {
    return wring__h2_room(below_of(trunk)) > 0 && trunk->riders < trunk->full_at;
}

/* Whoever waits now is served after the deadlines of this turn: origin_wake. */
static bool is_wanted(const wring__trunk *trunk) {
    const wring__origin *origin = trunk->origin;
    return origin != NULL && origin->opening != trunk && origin->waiting != NULL &&
           !trunk->is_ending && has_room(trunk);
}

static void trunk_timer(wring__stream *below) {
    wring__trunk *trunk = trunk_of(below);
    if (is_wanted(trunk)) {
        wring__end_set_deadline(&below->end, below->end.worker->clock.peer_now + WRING_NS_PER_MS);
    } else {
        trunk_close(trunk);
    }
}

/* To whoever waits now the dial has failed; they are told by the origin's task. */
static void failure_mark(wring__origin *origin, const wring_error *error) {
    origin->failure = *error;
    for (wring_client *client = origin->waiting; client != NULL; client = client->ride.next) {
        client->ride.has_failed = true;
    }
    wring__origin_wake(origin);
}

/* Before the server's settings came. */
static void opening_error(const wring__trunk *trunk, wring_result reason, wring_error *error) {
    const wring__endpoint *end = &below_of(trunk)->end;
    const int number = wring__end_errno(end);
    char why[256] = "";
    if (wring__end_tls(end) != NULL) {
        (void)wring__tls_reason(wring__end_tls(end), why, sizeof why);
    }
    if (why[0] != 0) {
        (void)wring_error_set(error, reason, number, "%s", why);
    } else if (reason == WRING_OK || reason == WRING_ERR_TLS_TRUNCATED || number != 0) {
        (void)wring_error_set(error, reason == WRING_OK ? WRING_ERR_TRUNCATED : reason, number,
                              "the server %s the connection before it said a word of HTTP/2",
                              number == 0 ? "closed" : "reset");
    } else {
        (void)wring_error_set(error, WRING_ERR_BAD_HTTP2, 0, "%s",
                              wring__end_tls(end) != NULL
                                  ? "the server broke the rules of HTTP/2 (RFC 9113)"
                                  : "the server does not speak HTTP/2 here: leave http2.cleartext "
                                    "out for one of HTTP/1.1");
    }
}

static void trunk_failed(wring__stream *below, wring_result reason) {
    wring__trunk *trunk = trunk_of(below);
    wring__origin *origin = trunk->origin;
    const bool is_opening = origin != NULL && origin->opening == trunk;
    trunk_over(trunk);
    if (is_opening) {
        wring_error error;
        opening_error(trunk, reason, &error);
        failure_mark(origin, &error);
    }
}

static void trunk_closed(wring__stream *below) {
    wring__trunk *trunk = trunk_of(below);
    trunk_over(trunk);
    wring__worker_remove_guest(&trunk->guest);
    wring__link_shell_free(trunk->shell);
    free(trunk);
}

static const wring__h2_role trunk_role = {
    .is_client = true,
    .answered = wring__link_answered,
    .ready = trunk_ready,
    .going = trunk_going,
    .idle = trunk_idle,
    .failed = trunk_failed,
    .timer = trunk_timer,
    .closed = trunk_closed,
};

/* Its clients are told as well, and end their sessions; the last one takes it along. */
static void on_drain(wring__guest *guest) {
    wring__trunk *trunk = WRING_CONTAINER_OF(guest, wring__trunk, guest);
    trunk->is_ending = true;
    if (wring__h2_stream_count(below_of(trunk)) == 0) {
        idle_begin(trunk);
    }
}

static void on_abort(wring__guest *guest) {
    wring__trunk *trunk = WRING_CONTAINER_OF(guest, wring__trunk, guest);
    wring__end_abort(&below_of(trunk)->end);
}

static wring_result connection_take(wring__trunk *trunk, const wring_client *client) {
    wring__link *link = trunk->shell;
    const wring__h2_options options = {.role = &trunk_role,
                                       .config = &trunk->config,
                                       .counters = &trunk->origin->all->counters,
                                       .head_bytes_max =
                                           client->settings.config.handshake_bytes_max};
    wring__session_deinit(&link->stream.session); /* its place is the carrier's */
    const wring_result result = wring__h2_take(&link->stream, &options);
    if (result != WRING_OK) {
        wring__session_init(&link->stream.session, &link->client->sessions, &link->stream.end.out);
    }
    return result;
}

wring_result wring__trunk_take(wring__link *link) {
    wring_client *client = link->client;
    wring__origin *origin = client->ride.origin;
    WRING_ASSERT(origin != NULL && origin->dialler == client && origin->opening == NULL);
    wring__trunk *trunk = calloc(1, sizeof *trunk);
    if (trunk == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    trunk->origin = origin;
    trunk->shell = link;
    trunk->config = *http2_of(client);
    trunk->full_at = origin->full_until > origin->worker->now ? origin->full_at : UINT32_MAX;
    trunk->dialler = client;
    trunk->guest.drain = on_drain;
    trunk->guest.abort = on_abort;
    const wring_result result = connection_take(trunk, client);
    if (result != WRING_OK) {
        free(trunk);
        return result;
    }
    wring__worker_add_guest(origin->worker, &trunk->guest);
    link->trunk = trunk;
    origin->opening = trunk;
    origin->dialler = NULL;
    client->ride.origin = NULL;
    client->link = NULL;
    wring__origin_wait(origin, client, true);
    if (client->settings.config.connect_timeout_ms != WRING_OFF) { /* for the server's settings */
        idle_bound(trunk, client->settings.config.connect_timeout_ms * WRING_NS_PER_MS);
    }
    wring__link_is_shell(link);
    return WRING_OK;
}

/* ---- who rides ------------------------------------------------------------------------------- */

static wring__trunk *roomy_of(const wring__origin *origin) {
    wring__trunk *trunk = origin->trunks;
    while (trunk != NULL && !has_room(trunk)) {
        trunk = trunk->next;
    }
    return trunk;
}

static void no_memory_tell(wring_client *client) {
    wring__client_attempt_failed_with(client, WRING_ERR_NO_MEMORY, 0, "out of memory");
}

static void turn_down(wring_client *client) {
    wring__client_attempt_failed_with(
        client, WRING_ERR_PEER_NO_CONNECT_PROTOCOL, 0,
        "the server has no WebSockets over HTTP/2 (SETTINGS_ENABLE_CONNECT_PROTOCOL, RFC 8441): "
        "switch them on there, or leave http2.required and http2.cleartext out");
}

static void ride(wring_client *client, wring__trunk *trunk) {
    wring__origin *origin = trunk->origin;
    trunk->riders++;
    const wring_result result = wring__link_ride(client, trunk, below_of(trunk));
    if (result == WRING_ERR_CLOSED) { /* its streams have used up their numbers */
        trunk_over(trunk);
        wring__origin_wait(origin, client, true);
        wring__origin_wake(origin);
    } else if (result != WRING_OK) {
        wring__client_attempt_failed_with(client, result, 0, wring_result_text(result));
    }
}

/* It will do with HTTP/1.1, which is all that is to be had. */
static bool goes_plain(const wring__origin *origin, const wring_client *client) {
    return !is_required(client) && origin->plain_until > origin->worker->now;
}

/* True: there is nothing to dial. */
static bool serve(wring__origin *origin, wring_client *client) {
    if (goes_plain(origin, client)) {
        client->ride.is_plain = true;
        return false;
    }
    if (client->ride.is_turned_down) {
        turn_down(client);
        return true;
    }
    if (client->ride.has_failed) {
        const wring_error error = origin->failure;
        wring__client_attempt_failed(client, &error);
        return true;
    }
    wring__trunk *trunk = roomy_of(origin);
    if (trunk != NULL) {
        ride(client, trunk);
        return true;
    }
    if (++client->ride.dials > DIALS_MAX) {
        wring__client_attempt_failed_with(client, WRING_ERR_STREAM_REFUSED, 0,
                                          "the server's connections of HTTP/2 take no streams");
        return true;
    }
    client->ride.origin = origin;
    origin->dialler = client;
    return false;
}

static bool can_be_served(const wring__origin *origin, const wring_client *client) {
    return (origin->dialler == NULL && origin->opening == NULL) || client->ride.is_turned_down ||
           client->ride.has_failed || goes_plain(origin, client) || roomy_of(origin) != NULL;
}

void wring__trunk_serve(wring__task *task) {
    wring__origin *origin = WRING_CONTAINER_OF(task, wring__origin, serve);
    while (origin->waiting != NULL && can_be_served(origin, origin->waiting)) {
        wring_client *client = origin->waiting;
        wring__origin_unwait(client);
        if (!serve(origin, client)) {
            wring__client_attempt_connect(client);
        }
    }
}

/* ---- what clients ask ------------------------------------------------------------------------ */

void wring__trunk_forget(wring_client *client) {
    WRING_ASSERT(client->ride.origin == NULL);
    client->ride = (wring__ride){.origin = NULL};
}

bool wring__trunk_is_prior(const wring_client *client) {
    return http2_of(client) != NULL && http2_of(client)->cleartext && !client->settings.url.secure;
}

bool wring__trunk_is_negotiated(const wring_client *client) {
    return http2_of(client) != NULL && client->settings.url.secure && !client->ride.is_plain;
}

wring_bytes wring__trunk_alpn(const wring_client *client) {
    if (http2_of(client) == NULL || client->settings.has_alpn) {
        return wring_bytes_of(NULL, 0);
    }
    return client->ride.is_plain        ? wring_str("\x08http/1.1")
           : http2_of(client)->required ? wring_str("\x02h2")
                                        : wring_str("\x02h2\x08http/1.1");
}

bool wring__trunk_seek(wring_client *client) {
    if (!wring__trunk_is_prior(client) && !wring__trunk_is_negotiated(client)) {
        return false;
    }
    wring__origin *origin = wring__origin_get(client);
    if (origin == NULL) {
        no_memory_tell(client);
        return true;
    }
    if (origin->waiting == NULL && can_be_served(origin, client)) {
        return serve(origin, client);
    }
    wring__origin_wait(origin, client, false);
    wring__origin_wake(origin);
    return true;
}

void wring__trunk_dial_failed(wring_client *client, const wring_error *error) {
    wring__origin *origin = client->ride.origin;
    if (origin != NULL && origin->dialler == client && error->code != WRING_ERR_TIMEOUT) {
        failure_mark(origin, error);
    }
}

bool wring__trunk_is_waited_for(const wring_client *client) {
    return client->ride.link != NULL;
}

void wring__trunk_leave(wring_client *client) {
    wring__origin *origin = client->ride.origin;
    if (origin == NULL) {
        return;
    }
    if (client->ride.link != NULL) {
        wring__origin_unwait(client);
    } else {
        WRING_ASSERT(origin->dialler == client);
        origin->dialler = NULL;
        client->ride.origin = NULL;
    }
    wring__trunk *opening = origin->opening;
    if (opening != NULL && opening->dialler == client) {
        opening->dialler = NULL;
    }
    if (opening != NULL && origin->waiting == NULL) { /* nobody wants it any more */
        trunk_over(opening);
        wring__end_abort(&below_of(opening)->end);
    }
    wring__origin_wake(origin);
}

void wring__trunk_declined(wring_client *client) {
    wring__origin *origin = client->ride.origin;
    WRING_ASSERT(origin != NULL && origin->dialler == client);
    origin->plain_until = origin->worker->now + LEARNED_NS;
    client->ride.is_plain = true;
    wring__trunk_leave(client);
}

void wring__trunk_doubt(wring__trunk *trunk) {
    trunk_over(trunk);
}

void wring__trunk_is_left(wring__trunk *trunk) {
    WRING_ASSERT(trunk->riders > 0);
    trunk->riders--;
}

void wring__trunk_is_used(wring__trunk *trunk) {
    trunk->was_used = true;
}

/* What went wrong lies in the trunk, and not in what was asked of the server. */
static bool is_of_the_trunk(const wring__trunk *trunk, wring_result reason) {
    const bool broke = reason == WRING_ERR_TRANSPORT || reason == WRING_ERR_TRUNCATED ||
                       reason == WRING_ERR_TLS_TRUNCATED;
    return reason == WRING_ERR_STREAM_REFUSED || (broke && trunk->was_used);
}

/* RFC 9113 8.7: it did not look at the request. A server may take fewer sessions than streams, and
 * says so in no other way; its next trunks are not filled beyond that either. */
static void refusal_learn(wring__origin *origin, wring__trunk *trunk) {
    trunk->full_at = trunk->riders;
    if (trunk->full_at > 0 && trunk->origin == origin) {
        origin->full_at = trunk->full_at;
        origin->full_until = origin->worker->now + LEARNED_NS;
    }
}

/* One that took others is full; one that takes nobody may go on like that for ever. */
static bool may_go_on(wring_client *client, const wring__trunk *trunk, wring_result reason) {
    const bool is_full = reason == WRING_ERR_STREAM_REFUSED && trunk->was_used;
    return is_full || ++client->ride.reroutes <= REROUTES_MAX;
}

bool wring__trunk_reroute(wring__link *link, wring_result reason) {
    wring_client *client = link->client;
    wring__trunk *trunk = link->trunk;
    const bool wants_plain = reason == WRING_ERR_STREAM_RESET &&
                             link->stream.mux.code == CODE_HTTP_1_1_REQUIRED &&
                             !is_required(client);
    if ((!wants_plain && !is_of_the_trunk(trunk, reason)) || client->link != link ||
        client->finishing || !may_go_on(client, trunk, reason)) {
        return false;
    }
    wring__origin *origin = wring__origin_get(client);
    if (origin == NULL) {
        return false;
    }
    wring__trunk_is_left(trunk);
    if (wants_plain) {
        origin->plain_until = origin->worker->now + LEARNED_NS;
    } else if (reason == WRING_ERR_STREAM_REFUSED) {
        refusal_learn(origin, trunk);
    } else {
        trunk_over(trunk);
    }
    client->link = NULL;
    link->trunk = NULL;
    wring__origin_wait(origin, client, true);
    wring__origin_wake(origin);
    return true;
}
