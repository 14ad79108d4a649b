/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a client: attempts at its addresses, back-off, the end, and what other threads ask
 * of it. See client.h.
 */
#include "client/client.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "core/ref.h"
#include "io/registry.h"
#include "proto/crypto.h"
#include "wring/push.h"

/* RFC 8305 8: the recommended delay between attempts at two addresses. */
#define STAGGER_NS (250 * WRING_NS_PER_MS)

static void attempt_begin(wring_client *client);

/* ---- references ------------------------------------------------------------------------------ */

wring_client *wring__client_hold(wring_client *client) {
    atomic_fetch_add_explicit(&client->refs, 1, memory_order_relaxed);
    return client;
}

void wring__client_release(wring_client *client) {
    if (atomic_fetch_sub_explicit(&client->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    wring__tls_session_destroy(client->tls_session);
    wring__inbox_deinit(client);
    wring__session_common_deinit(&client->sessions);
    wring__client_settings_deinit(&client->settings);
    pthread_cond_destroy(&client->changed);
    pthread_mutex_destroy(&client->lock);
    free(client);
}

/* ---- telling --------------------------------------------------------------------------------- */

static void status_set(wring_client *client, wring_client_status status, uint32_t delay_ms,
                       uint64_t ref) {
    atomic_store(&client->ref, ref);
    pthread_mutex_lock(&client->lock);
    client->status = status;
    if (status == WRING_CLIENT_WAITING || status == WRING_CLIENT_CLOSED) {
        client->error = client->last;
    }
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->lock);
    const wring_client_config *config = &client->settings.config;
    if (config->on_status == NULL) {
        return;
    }
    const bool told_why = status == WRING_CLIENT_WAITING || status == WRING_CLIENT_CLOSED;
    const wring_client_report report = {
        .status = status,
        .result = told_why ? client->last.code : WRING_OK,
        .text = told_why ? client->last.text : "",
        .close_code = told_why ? client->end.close_code : 0,
        .http_status = client->http_status,
        .attempt = client->attempt,
        .delay_ms = delay_ms,
        .ref = ref,
    };
    config->on_status(client, &report, config->on_status_opts);
}

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
    return config->reconnect_min_ms > 0 && !client->finishing &&
           (config->reconnect_attempts == 0 || client->attempt < config->reconnect_attempts);
}

/* Everything under way is let go of. */
static void attempt_clear(wring_client *client) {
    wring__worker_unschedule(client->worker, &client->timeout);
    wring__worker_unschedule(client->worker, &client->stagger);
    wring__resolve_cancel(client->resolve);
    client->resolve = NULL;
    while (client->dialling != NULL) {
        wring__link *link = client->dialling;
        client->dialling = *wring__link_next(link);
        wring__link_abort(link);
    }
    client->link = NULL;
}

static void closed(wring_client *client) {
    client->finishing = true;
    status_set(client, WRING_CLIENT_CLOSED, 0, WRING_REF_NONE);
    wring__worker_remove_guest(&client->guest);
    wring__client_release(client); /* the worker's own */
}

/* client->last and client->end say how it went. */
static void attempt_over(wring_client *client) {
    attempt_clear(client);
    if (!may_try_again(client)) {
        closed(client);
        return;
    }
    const uint32_t delay_ms = backoff_next(client);
    wring__worker_schedule(client->worker, &client->timeout,
                           client->worker->now + delay_ms * WRING_NS_PER_MS);
    status_set(client, WRING_CLIENT_WAITING, delay_ms, WRING_REF_NONE);
}

static void attempt_failed(wring_client *client, const wring_error *error) {
    client->last = *error;
    client->end = (wring_end){error->code, 0, false};
    attempt_over(client);
}

static void attempt_failed_with(wring_client *client, wring_result result, int system_errno,
                                const char *text) {
    wring_error error;
    (void)wring_error_set(&error, result, system_errno, "%s", text);
    attempt_failed(client, &error);
}

/* ---- dialling: RFC 8305 ---------------------------------------------------------------------- */

static const char *target_host(const wring_client *client) {
    const wring__client_settings *settings = &client->settings;
    return settings->proxy.kind == WRING__PROXY_NONE ? settings->host : settings->proxy.host;
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
        (void)wring_error_set(&client->last, result, saved, "cannot connect to %s: %s",
                              target_host(client),
                              saved != 0 ? strerror(saved) : wring_result_text(result));
    }
    return false;
}

static void on_stagger(wring__task *task) {
    (void)dial_next(WRING_CONTAINER_OF(task, wring_client, stagger));
}

static void dial_first(wring_client *client) {
    client->next_address = 0;
    if (!dial_next(client)) {
        const wring_error error = client->last;
        attempt_failed(client, &error);
    }
}

static void on_resolved(void *owner, const wring__addresses *addresses, const wring_error *error) {
    wring_client *client = owner;
    client->resolve = NULL; /* it frees itself */
    if (error->code != WRING_OK) {
        wring_error named;
        (void)wring_error_set(&named, error->code, 0, "cannot resolve '%s': %s",
                              target_host(client), error->text);
        attempt_failed(client, &named);
        return;
    }
    client->addresses = *addresses;
    wring__addresses_interleave(&client->addresses);
    dial_first(client);
}

static void attempt_begin(wring_client *client) {
    client->attempt++;
    client->timeout_lost = client->worker->clock.lost;
    client->http_status = 0;
    client->addresses.count = 0;
    wring__worker_schedule(client->worker, &client->timeout,
                           client->worker->now +
                               client->settings.config.timeout_ms * WRING_NS_PER_MS);
    status_set(client, WRING_CLIENT_CONNECTING, 0, WRING_REF_NONE);
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
        attempt_failed_with(client, result, 0, "the resolver cannot be set up");
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
    dialling_remove(client, link);
    (void)wring_error_set(&client->last, result, system_errno, "cannot connect to %s port %u: %s",
                          target_host(client), target_port(client), strerror(system_errno));
    if (!dial_next(client) && client->dialling == NULL) {
        const wring_error error = client->last;
        attempt_failed(client, &error);
    }
}

static wring__tls *stream_of(const wring__link *link) {
    return wring__conn_tls_of((const wring__conn *)(const void *)link);
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
    wring__tls *stream = stream_of(link);
    wring__tls_session *fresh = stream == NULL ? NULL : wring__tls_take_session(stream);
    if (fresh != NULL) {
        session_drop(client);
        client->tls_session = fresh;
    }
}

void wring__client_link_open(wring_client *client, wring__link *link) {
    const wring__conn *conn = (const wring__conn *)(const void *)link;
    wring__worker_unschedule(client->worker, &client->timeout);
    client->opened_at = client->worker->now;
    status_set(client, WRING_CLIENT_OPEN, 0,
               wring__ref_pack(client->worker->index, conn->slot, conn->generation));
}

void wring__client_link_failed(wring_client *client, wring__link *link, const wring_error *error) {
    session_drop(client); /* it may be what was wrong */
    if (client->link == link) {
        attempt_failed(client, error);
    }
}

void wring__client_link_ended(wring_client *client, wring__link *link, const wring_end *end) {
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
    (void)wring_error_set(&client->last, end->result, 0, "%s", wring_result_text(end->result));
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

static void on_timeout(wring__task *task) {
    wring_client *client = WRING_CONTAINER_OF(task, wring_client, timeout);
    if (client->status == WRING_CLIENT_WAITING) {
        attempt_begin(client);
        return;
    }
    if (timeout_is_ours(client)) {
        return;
    }
    const char *what = client->link != NULL      ? wring__link_awaits(client->link)
                       : client->resolve != NULL ? "the name was not resolved in time"
                                                 : "the connection was not made in time";
    wring__link *link = client->link;
    (void)wring__client_hold(client);
    attempt_failed_with(client, WRING_ERR_TIMEOUT, 0, what);
    if (link != NULL) {
        wring__link_abort(link);
    }
    wring__client_release(client);
}

/* ---- asked to end ---------------------------------------------------------------------------- */

static void finish(wring_client *client, uint16_t code, wring_bytes reason) {
    if (client->finishing) {
        return;
    }
    client->finishing = true;
    wring__link *link = client->link;
    if (client->status == WRING_CLIENT_OPEN && link != NULL) {
        wring__link_close(link, code, reason); /* ends by the close handshake or its timeout */
        return;
    }
    client->end = (wring_end){WRING_ERR_CLOSED, 0, false};
    (void)wring_error_set(&client->last, WRING_ERR_CLOSED, 0, "%s",
                          client->status == WRING_CLIENT_WAITING
                              ? "closed while it waited to connect again"
                              : "closed before it was open");
    attempt_clear(client);
    if (link != NULL) {
        wring__link_abort(link);
    }
    closed(client);
}

static void guest_drain(wring__guest *guest) {
    finish(WRING_CONTAINER_OF(guest, wring_client, guest), WRING_CLOSE_GOING_AWAY,
           wring_str("client is shutting down"));
}

static void guest_abort(wring__guest *guest) {
    wring_client *client = WRING_CONTAINER_OF(guest, wring_client, guest);
    wring__link *link = client->link;
    client->finishing = true;
    if (client->status == WRING_CLIENT_OPEN && link != NULL) {
        wring__link_abort(link); /* tells its end, and then the client is closed */
        return;
    }
    (void)wring__client_hold(client);
    attempt_failed_with(client, WRING_ERR_CLOSED, 0, "its loop ended");
    if (link != NULL) {
        wring__link_abort(link);
    }
    wring__client_release(client);
}

static void finish_run(wring_client *client) {
    pthread_mutex_lock(&client->lock);
    uint8_t reason[WRING_CONTROL_PAYLOAD_MAX];
    const size_t len = client->close_reason_len;
    const uint16_t code = client->close_code;
    memcpy(reason, client->close_reason, len);
    pthread_mutex_unlock(&client->lock);
    finish(client, code, wring_bytes_of(reason, len));
    wring__client_release(client);
}

static void finish_called(wring__call *call, void *worker) {
    (void)worker;
    finish_run(WRING_CONTAINER_OF(call, wring_client, finish));
}

static void finish_lost(wring__call *call) {
    wring__client_release(WRING_CONTAINER_OF(call, wring_client, finish));
}

static void on_finish_here(wring__task *task) {
    finish_run(WRING_CONTAINER_OF(task, wring_client, finish_here));
}

void wring_client_close(wring_client *client, uint16_t code, wring_bytes reason) {
    if (atomic_exchange(&client->finish_posted, true)) {
        return;
    }
    pthread_mutex_lock(&client->lock);
    client->close_code = code;
    client->close_reason_len = (uint8_t)wring__min_size(reason.len, sizeof client->close_reason);
    if (client->close_reason_len > 0) {
        memcpy(client->close_reason, reason.data, client->close_reason_len);
    }
    const bool started = client->worker != NULL;
    const bool here = started && pthread_equal(client->thread, pthread_self());
    pthread_mutex_unlock(&client->lock);
    (void)wring__client_hold(client);
    const wring__mail mail = {.kind = WRING__MAIL_CALL,
                              .ref = wring__ref_pack(client->loop, 0, 0),
                              .data = &client->finish};
    wring_result result;
    while ((result = wring__registry_post(&mail)) == WRING_ERR_QUEUE_FULL && !here) {
        sched_yield(); /* it empties with the worker's next turn */
    }
    if (result == WRING_ERR_QUEUE_FULL) {
        wring__worker_schedule(client->worker, &client->finish_here, client->worker->now);
    } else if (result != WRING_OK) {
        wring__client_release(client); /* the worker is gone, and told us so */
    }
}

void wring_client_destroy(wring_client *client) {
    if (client != NULL) {
        wring__inbox_give_up(client);
        wring_client_close(client, WRING_CLOSE_NORMAL, wring_str(""));
        wring__client_release(client);
    }
}

/* ---- the beginning --------------------------------------------------------------------------- */

static void start_run(wring__call *call, void *worker) {
    wring_client *client = WRING_CONTAINER_OF(call, wring_client, start);
    pthread_mutex_lock(&client->lock);
    client->worker = worker;
    client->thread = pthread_self();
    pthread_mutex_unlock(&client->lock);
    wring__link_prepare(client);
    wring__worker_add_guest(client->worker, &client->guest);
    attempt_begin(client);
}

static void start_lost(wring__call *call) {
    wring_client *client = WRING_CONTAINER_OF(call, wring_client, start);
    client->finishing = true;
    (void)wring_error_set(&client->last, WRING_ERR_CLOSED, 0, "the loop ended first");
    status_set(client, WRING_CLIENT_CLOSED, 0, WRING_REF_NONE);
    wring__client_release(client);
}

static void unhold_run(wring__call *call, void *worker) {
    (void)worker;
    wring_client *client = WRING_CONTAINER_OF(call, wring_client, unhold);
    atomic_store(&client->unhold_posted, false);
    if (client->link != NULL) {
        wring__link_unhold(client->link);
    }
    wring__client_release(client);
}

static void unhold_lost(wring__call *call) {
    wring__client_release(WRING_CONTAINER_OF(call, wring_client, unhold));
}

static wring_client *client_alloc(wring_loop loop) {
    wring_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        return NULL;
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&client->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&client->lock, NULL);
    atomic_init(&client->refs, 1);
    client->loop = (uint8_t)loop;
    client->inbox_tail = &client->inbox;
    client->timeout.run = on_timeout;
    client->stagger.run = on_stagger;
    client->finish_here.run = on_finish_here;
    client->guest.drain = guest_drain;
    client->guest.abort = guest_abort;
    client->start = (wring__call){start_run, start_lost};
    client->finish = (wring__call){finish_called, finish_lost};
    client->unhold = (wring__call){unhold_run, unhold_lost};
    return client;
}

static wring_result random_seed(wring_client *client) {
    uint32_t low = 0;
    uint32_t high = 0;
    if (wring__random_key(&low) != WRING_OK || wring__random_key(&high) != WRING_OK) {
        return WRING_ERR_NO_RANDOM;
    }
    client->random = (uint64_t)high << 32 | low;
    return WRING_OK;
}

wring_result wring_connect(wring_loop loop, const char *url, const wring_client_config *config,
                           wring_client **out, wring_error *error) {
    wring_client *client = client_alloc(loop);
    if (client == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for a client");
    }
    wring_result result = wring__client_settings_adopt(&client->settings, url, config, error);
    if (result != WRING_OK) {
        wring__client_release(client);
        return result;
    }
    result = loop > WRING__WORKERS_MAX ? WRING_ERR_CLOSED : random_seed(client);
    if (result == WRING_OK) {
        const wring__mail mail = {.kind = WRING__MAIL_CALL,
                                  .ref = wring__ref_pack(client->loop, 0, 0),
                                  .data = &client->start};
        (void)wring__client_hold(client); /* the worker's, until it is closed */
        result = wring__registry_post(&mail);
        if (result != WRING_OK) {
            wring__client_release(client);
        }
    }
    if (result != WRING_OK) {
        wring__client_release(client);
        return wring_error_set(error, result, 0, "%s",
                               result == WRING_ERR_CLOSED ? "there is no such loop, or it has ended"
                                                          : wring_result_text(result));
    }
    *out = client;
    return WRING_OK;
}

/* ---- questions ------------------------------------------------------------------------------- */

wring_ref wring_client_ref(const wring_client *client) {
    return atomic_load(&client->ref);
}

wring_client_status wring_client_get_status(const wring_client *client) {
    wring_client *locked = (wring_client *)(uintptr_t)client;
    pthread_mutex_lock(&locked->lock);
    const wring_client_status status = client->status;
    pthread_mutex_unlock(&locked->lock);
    return status;
}

uint64_t wring_client_rtt_ns(const wring_client *client) {
    return atomic_load_explicit(&client->rtt_ns, memory_order_relaxed);
}

wring_result wring_client_send(wring_client *client, const wring_frame *frames, size_t count) {
    const wring_ref ref = atomic_load(&client->ref);
    return ref == WRING_REF_NONE ? WRING_ERR_CLOSED : wring_send(ref, frames, count);
}
