/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a client around its attempts: what is told of it, the end, and what other threads ask
 * of it. See client.h.
 */
#include "client/client.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/refusal.h"
#include "core/ref.h"
#include "io/registry.h"
#include "proto/crypto.h"
#include "wring/ref.h"

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
    free(client->refusal);
    wring__client_renew_cancel(client);
    wring__inbox_deinit(client);
    wring__machine_common_deinit(&client->sessions);
    wring__client_settings_deinit(&client->settings);
    pthread_cond_destroy(&client->changed);
    pthread_mutex_destroy(&client->lock);
    free(client);
}

/* ---- telling --------------------------------------------------------------------------------- */

wring_end wring__client_no_session(const wring_error *why) {
    wring_end end = {.struct_size = sizeof end, .result = why->code};
    (void)snprintf(end.text, sizeof end.text, "%.*s", (int)sizeof end.text - 1, why->text);
    return end;
}

wring_client_report wring__client_report_of(const wring_client *client, wring_client_status status,
                                            uint32_t delay_ms, wring_ref ref) {
    const bool told_why = status == WRING_CLIENT_WAITING || status == WRING_CLIENT_CLOSED;
    return (wring_client_report){
        .struct_size = sizeof(wring_client_report),
        .status = status,
        .result = told_why ? client->last.code : WRING_OK,
        .text = told_why ? client->last.text : "",
        .close_code = told_why ? client->end.close_code : 0,
        .http_status = client->http_status,
        .attempt = client->attempt,
        .delay_ms = delay_ms,
        .ref = ref,
        .answer = told_why && client->refusal != NULL ? &client->refusal->answer : NULL,
        .by_peer = told_why && client->end.by_peer,
        .http_version = status == WRING_CLIENT_OPEN && client->link != NULL
                            ? wring__link_http_version(client->link)
                            : 0,
    };
}

static enum wring__log_event event_of(wring_client_status status) {
    return status == WRING_CLIENT_OPEN      ? WRING__LOG_CLIENT_OPEN
           : status == WRING_CLIENT_WAITING ? WRING__LOG_CLIENT_WAITING
                                            : WRING__LOG_CLIENT_CLOSED;
}

/* No credentials: of the URL only host and port are told. */
static void status_tell(wring_client *client, wring_client_status status, uint32_t delay_ms) {
    wring__log_entry entry;
    if (status == WRING_CLIENT_CONNECTING ||
        !wring__log_begin(&entry, client->log, event_of(status))) {
        return;
    }
    const bool open = status == WRING_CLIENT_OPEN;
    wring__log_text(&entry, "host", client->settings.host_header);
    wring__log_number(&entry, "attempt", client->attempt);
    if (open && client->link != NULL) {
        wring__log_number(&entry, "http_version", wring__link_http_version(client->link));
    }
    if (!open) {
        wring__log_text(&entry, "reason", wring_result_name(client->last.code));
    }
    if (status == WRING_CLIENT_WAITING) {
        wring__log_write(&entry, "not connected, next attempt in %u ms: %s", delay_ms,
                         client->last.text);
    } else {
        wring__log_write(&entry, "%s%s",
                         open ? "connected" : "closed: ", open ? "" : client->last.text);
    }
}

/* Waiters see it, and may let go of what callbacks were given. */
static void status_publish(wring_client *client, wring_client_status status) {
    pthread_mutex_lock(&client->lock);
    client->status = status;
    if (status == WRING_CLIENT_WAITING || status == WRING_CLIENT_CLOSED) {
        client->error = client->last;
    }
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->lock);
}

/* CLOSED is the last callback of all, and is over before anyone who waits for the end is woken. */
void wring__client_status_set(wring_client *client, wring_client_status status, uint32_t delay_ms,
                              wring_ref ref) {
    const bool is_last = status == WRING_CLIENT_CLOSED;
    const wring_client_config *config = &client->settings.config;
    atomic_store(&client->ref, ref);
    if (!is_last) {
        status_publish(client, status);
    }
    status_tell(client, status, delay_ms);
    if (is_last && client->log == &client->own_log) {
        wring__log_close(&client->own_log);
    }
    if (config->on_status != NULL) {
        const wring_client_report report = wring__client_report_of(client, status, delay_ms, ref);
        config->on_status(client, &report, config->on_status_opts);
    }
    if (is_last) {
        status_publish(client, status);
    }
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
    (void)wring_error_set(&client->last, WRING_ERR_CLOSED, 0, "%s",
                          client->status == WRING_CLIENT_WAITING
                              ? "closed while it waited to connect again"
                              : "closed before it was open");
    client->end = wring__client_no_session(&client->last);
    wring__client_attempt_clear(client);
    if (link != NULL) {
        wring__link_abort(link);
    }
    wring__client_closed(client);
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
    wring__client_attempt_failed_with(client, WRING_ERR_CLOSED, 0, "its loop ended");
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
    client->close_reason_len =
        reason.data == NULL ? 0 : (uint8_t)wring__min_size(reason.len, sizeof client->close_reason);
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
    client->log = client->log == NULL ? client->worker->log : client->log;
    wring__link_prepare(client);
    wring__worker_add_guest(client->worker, &client->guest);
    wring__client_attempt_begin(client);
}

static void start_lost(wring__call *call) {
    wring_client *client = WRING_CONTAINER_OF(call, wring_client, start);
    client->finishing = true;
    (void)wring_error_set(&client->last, WRING_ERR_CLOSED, 0, "the loop ended first");
    wring__client_status_set(client, WRING_CLIENT_CLOSED, 0, WRING_REF_NONE);
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
    client->timeout.run = wring__client_on_timeout;
    client->stagger.run = wring__client_on_stagger;
    client->finish_here.run = on_finish_here;
    client->guest.drain = guest_drain;
    client->guest.abort = guest_abort;
    client->start = (wring__call){start_run, start_lost};
    client->finish = (wring__call){finish_called, finish_lost};
    client->unhold = (wring__call){unhold_run, unhold_lost};
    wring__client_renew_init(client);
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

wring_result wring_client_create(wring_loop loop, const char *url,
                                 const wring_client_config *config, wring_client **out,
                                 wring_error *error) {
    *out = NULL;
    wring_client *client = client_alloc(loop);
    if (client == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for a client");
    }
    wring_result result = wring__client_settings_adopt(&client->settings, url, config, error);
    if (result == WRING_OK && client->settings.config.log != NULL) {
        client->log = &client->own_log;
        result = wring__log_init(&client->own_log, client->settings.config.log, error);
    }
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
    return wring_ref_send(atomic_load(&client->ref), frames, count);
}
