/* SPDX-License-Identifier: Apache-2.0
 *
 * The attempts of a client: the name, dialling its addresses, what becomes of their links, and when
 * the next attempt is. See client.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "client/client.h"
#include "client/refusal.h"
#include "client/retry.h"
#include "core/ref.h"

/* RFC 8305 8: the recommended delay between attempts at two addresses. */
#define STAGGER_NS (250 * WRING_NS_PER_MS)

/* ---- the end of an attempt ------------------------------------------------------------------- */

static uint64_t random_below(wring_client *client, uint64_t bound) {
    client->random += UINT64_C(0x9E3779B97F4A7C15); /* splitmix64 */
    uint64_t z = client->random;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    z ^= z >> 31;
    return z % bound;
}

static uint32_t backoff_next(wring_client *client) {
    const wring_client_config *config = &client->settings.config;
    const uint32_t shift = client->backoff < 31 ? client->backoff : 31;
    client->backoff++;
    const uint64_t bound =
        wring__min_u64((uint64_t)config->reconnect_min_ms << shift, config->reconnect_max_ms);
    return (uint32_t)random_below(client, bound + 1);
}

static bool may_try_again(const wring_client *client) {
    const wring_client_config *config = &client->settings.config;
    return config->reconnect_min_ms != WRING_OFF && !client->finishing &&
           client->attempt < config->reconnect_attempts;
}

/* Asks the application's rule, or the default one. A server's Retry-After comes before the drawn
 * delay, so that a crowd does not come back at once. */
static bool is_worth_retrying(wring_client *client, uint32_t *delay_ms) {
    const wring_client_config *config = &client->settings.config;
    const struct wring__refusal *refusal = client->refusal;
    *delay_ms = backoff_next(client);
    if (refusal != NULL) {
        *delay_ms += wring__retry_after_ms(&refusal->answer, time(NULL));
    }
    const wring_client_report report =
        wring__client_report_of(client, WRING_CLIENT_WAITING, *delay_ms, WRING_REF_NONE);
    return config->retry == NULL ? wring_client_report_is_retryable(&report)
                                 : config->retry(client, &report, delay_ms, config->retry_opts);
}

/* Everything under way is let go of. */
void wring__client_attempt_clear(wring_client *client) {
    wring__worker_unschedule(client->worker, &client->timeout);
    wring__worker_unschedule(client->worker, &client->stagger);
    wring__resolve_cancel(client->resolve);
    client->resolve = NULL;
    wring__client_renew_cancel(client);
    while (client->dialling != NULL) {
        wring__link *link = client->dialling;
        client->dialling = *wring__link_next(link);
        wring__link_abort(link);
    }
    client->link = NULL;
    wring__trunk_leave(client);
}

void wring__client_closed(wring_client *client) {
    client->finishing = true;
    wring__machine_common_rest(&client->sessions); /* the last one to let go may be any thread */
    wring__client_status_set(client, WRING_CLIENT_CLOSED, 0, WRING_REF_NONE);
    wring__worker_remove_guest(&client->guest);
    wring__client_release(client); /* the worker's own */
}

/* client->last and client->end say how it went. */
static void attempt_over(wring_client *client) {
    wring__client_attempt_clear(client);
    uint32_t delay_ms = 0;
    if (!may_try_again(client) || !is_worth_retrying(client, &delay_ms)) {
        wring__client_closed(client);
        return;
    }
    wring__worker_schedule(client->worker, &client->timeout,
                           client->worker->now + delay_ms * WRING_NS_PER_MS);
    wring__client_status_set(client, WRING_CLIENT_WAITING, delay_ms, WRING_REF_NONE);
}

void wring__client_attempt_failed(wring_client *client, const wring_error *error) {
    client->last = *error;
    client->end = wring__client_no_session(error);
    wring__trunk_dial_failed(client, error);
    attempt_over(client);
}

void wring__client_attempt_failed_with(wring_client *client, wring_result result, int system_errno,
                                       const char *text) {
    wring_error error;
    (void)wring_error_set(&error, result, system_errno, "%s", text);
    wring__client_attempt_failed(client, &error);
}

/* ---- dialling: RFC 8305 ---------------------------------------------------------------------- */

static const char *target_host(const wring_client *client) {
    const wring__client_settings *settings = &client->settings;
    return settings->proxy.kind == WRING__PROXY_NONE ? settings->host : settings->proxy.host;
}

/* For sentences: the host is percent-decoded and may hold anything. */
static const char *target_shown(const wring_client *client, char text[160]) {
    (void)wring_text_printable(wring_str(target_host(client)), text, 160);
    return text;
}

static uint16_t target_port(const wring_client *client) {
    const wring__client_settings *settings = &client->settings;
    return settings->proxy.kind == WRING__PROXY_NONE ? settings->url.port : settings->proxy.port;
}

/* One more address. False: there is none left that can be tried. */
static bool dial_next(wring_client *client) {
    while (client->next_address < client->addresses.count) {
        const wring__address *address = &client->addresses.list[client->next_address++];
        wring__link *link = NULL;
        wring_result result = wring__link_dial(client, address, &link);
        if (result == WRING_OK) {
            *wring__link_next(link) = client->dialling;
            client->dialling = link;
            if (client->next_address < client->addresses.count) {
                wring__worker_schedule(client->worker, &client->stagger,
                                       client->worker->now + STAGGER_NS);
            }
            return true;
        }
        const int saved = result == WRING_ERR_SYSTEM ? errno : 0;
        char host[160];
        (void)wring_error_set(&client->last, result, saved, "cannot connect to %s: %s",
                              target_shown(client, host),
                              saved != 0 ? strerror(saved) : wring_result_text(result));
    }
    return false;
}

void wring__client_on_stagger(wring__task *task) {
    (void)dial_next(WRING_CONTAINER_OF(task, wring_client, stagger));
}

static void dial_first(wring_client *client) {
    client->next_address = 0;
    if (!dial_next(client)) {
        const wring_error error = client->last;
        wring__client_attempt_failed(client, &error);
    }
}

static void on_resolved(void *owner, const wring__addresses *addresses, const wring_error *error) {
    wring_client *client = owner;
    client->resolve = NULL; /* it frees itself */
    if (error->code != WRING_OK) {
        wring_error named;
        char host[160];
        (void)wring_error_set(&named, error->code, 0, "cannot resolve '%s': %s",
                              target_shown(client, host), error->text);
        wring__client_attempt_failed(client, &named);
        return;
    }
    client->addresses = *addresses;
    wring__addresses_interleave(&client->addresses);
    dial_first(client);
}

static void refusal_set(wring_client *client, wring__refusal *refusal) {
    free(client->refusal);
    client->refusal = refusal;
}

void wring__client_attempt_begin(wring_client *client) {
    WRING_ASSERT(client->link == NULL && client->dialling == NULL && client->resolve == NULL);
    client->attempt++;
    client->timeout_lost = client->worker->clock.lost;
    client->http_status = 0;
    wring__trunk_forget(client);
    refusal_set(client, NULL);
    client->addresses.count = 0;
    const uint32_t timeout_ms = client->settings.config.connect_timeout_ms;
    if (timeout_ms != WRING_OFF) {
        wring__worker_schedule(client->worker, &client->timeout,
                               client->worker->now + timeout_ms * WRING_NS_PER_MS);
    }
    wring__client_status_set(client, WRING_CLIENT_CONNECTING, 0, WRING_REF_NONE);
    wring_error error;
    const wring_result result = wring__client_renew(client, &error);
    if (result == WRING_OK) {
        wring__client_attempt_dial(client);
    } else if (result != WRING_MORE) {
        wring__client_attempt_failed(client, &error);
    }
}

void wring__client_attempt_dial(wring_client *client) {
    if (!wring__trunk_seek(client)) {
        wring__client_attempt_connect(client);
    }
}

void wring__client_attempt_connect(wring_client *client) {
    if (wring__address_parse(target_host(client), target_port(client),
                             &client->addresses.list[0])) {
        client->addresses.count = 1;
        dial_first(client);
        return;
    }
    wring_result result =
        wring__resolve_start(client->worker, target_host(client), target_port(client), on_resolved,
                             client, &client->resolve);
    if (result != WRING_OK) {
        wring__client_attempt_failed_with(client, result, 0, "the resolver cannot be set up");
    }
}

/* ---- what becomes of links ------------------------------------------------------------------- */

static void dialling_remove(wring_client *client, const wring__link *link) {
    wring__link **at = &client->dialling;
    while (*at != NULL && *at != link) {
        at = wring__link_next(*at);
    }
    if (*at != NULL) {
        *at = *wring__link_next(*at);
    }
}

void wring__client_link_connected(wring_client *client, wring__link *link) {
    WRING_ASSERT(client->link == NULL);
    dialling_remove(client, link);
    wring__worker_unschedule(client->worker, &client->stagger);
    while (client->dialling != NULL) {
        wring__link *loser = client->dialling;
        client->dialling = *wring__link_next(loser);
        wring__link_abort(loser);
    }
    client->link = link;
    wring__link_proceed(link);
}

void wring__client_link_refused(wring_client *client, wring__link *link, wring_result result,
                                int system_errno) {
    char host[160];
    dialling_remove(client, link);
    (void)wring_error_set(&client->last, result, system_errno, "cannot connect to %s port %u: %s",
                          target_shown(client, host), target_port(client), strerror(system_errno));
    if (!dial_next(client) && client->dialling == NULL) {
        const wring_error error = client->last;
        wring__client_attempt_failed(client, &error);
    }
}

static void session_drop(wring_client *client) {
    wring__tls_session_destroy(client->tls_session);
    client->tls_session = NULL;
}

/* A server of TLS 1.2 need not give a new one to those who resume; one of TLS 1.3 is used up. */
void wring__client_session_offered(wring_client *client) {
    if (!wring__tls_session_is_reusable(client->tls_session)) {
        session_drop(client);
    }
}

static void session_keep(wring_client *client, wring__link *link) {
    wring__tls *stream = wring__end_tls(wring__link_endpoint(link));
    wring__tls_session *fresh = stream == NULL ? NULL : wring__tls_take_session(stream);
    if (fresh != NULL) {
        session_drop(client);
        client->tls_session = fresh;
    }
}

void wring__client_link_open(wring_client *client, wring__link *link) {
    WRING_ASSERT(client->link == link && client->status == WRING_CLIENT_CONNECTING);
    const wring__endpoint *end = wring__link_endpoint(link);
    wring__worker_unschedule(client->worker, &client->timeout);
    client->opened_at = client->worker->now;
    wring__client_status_set(client, WRING_CLIENT_OPEN, 0,
                             wring__ref_pack(client->worker->index, end->slot, end->generation));
}

void wring__client_link_failed(wring_client *client, wring__link *link, const wring_error *error,
                               wring__refusal *refusal) {
    if (refusal == NULL) {
        session_drop(client); /* it may be what was wrong */
    }
    if (client->link == link) {
        refusal_set(client, refusal);
        wring__client_attempt_failed(client, error);
    } else {
        free(refusal);
    }
}

void wring__client_link_ended(wring_client *client, wring__link *link, const wring_end *end,
                              const wring_error *error) {
    session_keep(client, link);
    if (client->link != link) {
        return;
    }
    const wring_duration_ns stable = client->settings.config.reconnect_stable_ms * WRING_NS_PER_MS;
    if (client->worker->now - client->opened_at >= stable) {
        client->backoff = 0;
        client->attempt = 0;
    }
    client->end = *end;
    client->last = *error;
    client->link = NULL;
    attempt_over(client);
}

/* Time in which the worker did not run was not the server's to answer in; and what came meanwhile
 * is taken before anyone is judged. True: the timeout was moved. */
static bool timeout_is_ours(wring_client *client) {
    const wring__clock *clock = &client->worker->clock;
    const wring_duration_ns lost = clock->lost - client->timeout_lost;
    if (lost == 0 && !clock->catching_up) {
        return false;
    }
    client->timeout_lost = clock->lost;
    wring__worker_schedule(client->worker, &client->timeout,
                           client->worker->now + lost + WRING__CLOCK_QUIET);
    return true;
}

void wring__client_on_timeout(wring__task *task) {
    wring_client *client = WRING_CONTAINER_OF(task, wring_client, timeout);
    if (client->status == WRING_CLIENT_WAITING) {
        wring__client_attempt_begin(client);
        return;
    }
    if (timeout_is_ours(client) ||
        (client->link != NULL && wring__link_tell_refusal(client->link))) {
        return;
    }
    const char *what = client->link != NULL      ? wring__link_awaits(client->link)
                       : client->resolve != NULL ? "the name was not resolved in time"
                       : client->renewing ? "the application did not renew URL and headers in time"
                       : wring__trunk_is_waited_for(client)
                           ? "no connection of HTTP/2 was ready in time"
                           : "the connection was not made in time";
    wring__link *link = client->link;
    (void)wring__client_hold(client);
    if (link != NULL) {
        wring__link_doubt(link);
    }
    wring__client_attempt_failed_with(client, WRING_ERR_TIMEOUT, 0, what);
    if (link != NULL) {
        wring__link_abort(link);
    }
    wring__client_release(client);
}
