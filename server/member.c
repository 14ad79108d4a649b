/* SPDX-License-Identifier: Apache-2.0
 *
 * One worker of a server, from its opening to its close: what it does with mail, in which of its
 * turns' phases, and when it drains; and what the sessions of each route have in common there.
 */
#include <stdlib.h>
#include <time.h>

#include "core/ref.h"
#include "io/registry.h"
#include "proto/date.h"
#include "server/server.h"
#include "server/tell.h"
#include "server/visit.h"
#include "stream/stream.h"

/* For the last bytes of an answer where answers may wait without end: nobody is there who could end
 * it any more. */
#define PATIENCE_OFF_NS (3600 * WRING_NS_PER_SEC)
/* From the beginning of a drain: so long a handshake with a client far away may last. */
#define UNLISTEN_NS (200 * WRING_NS_PER_MS)

/* ---- what a worker does as a server ---------------------------------------------------------- */

static wring__server_worker *worker_of(wring__worker *io) {
    return WRING_CONTAINER_OF(io, wring__server_worker, io);
}

/* So that what was connected does not come back all at once. */
static uint64_t drain_spread(const wring__server_worker *worker, uint32_t count,
                             uint64_t drain_ns) {
    const uint32_t asked_ms = worker->server->config.drain_spread_ms;
    if (asked_ms == WRING_OFF || count < 2) {
        return 0;
    }
    return asked_ms == 0 ? wring__min_u64(count * WRING_NS_PER_MS, drain_ns / 2)
                         : wring__min_u64(asked_ms * WRING_NS_PER_MS, drain_ns);
}

static void unlisten_run(wring__task *task) {
    wring__server_worker *worker = WRING_CONTAINER_OF(task, wring__server_worker, unlisten);
    wring__worker_stop_listening(&worker->io);
}

/* A successor that shares the port gets all that comes from now on; who began to connect here has
 * the time to finish, and is served. Alone, nothing is waited for. */
static void listening_leave(wring__server_worker *worker, uint64_t drain_ns) {
    const wring__backend_ops *ops = worker->server->group.backend.ops;
    if (!worker->server->config.share_port || ops->turn_away == NULL) {
        wring__worker_stop_listening(&worker->io);
        return;
    }
    ops->turn_away(worker->listener);
    worker->unlisten.run = unlisten_run;
    wring__worker_schedule(&worker->io, &worker->unlisten,
                           worker->io.now + wring__min_u64(UNLISTEN_NS, drain_ns / 2));
}

static void member_drain(wring__member *member, wring_duration_ns longest) {
    WRING_ASSERT(longest < WRING_TIME_NEVER / 2);
    wring__server_worker *worker = worker_of(member->worker);
    wring__deliver_all_batches(worker); /* before the first close frame */
    worker->drain_ns = longest;
    listening_leave(worker, longest);
    wring__worker_set_owner_timer(&worker->io, worker->io.now + longest);
    wring__drain drain = {.worker = worker};
    wring__worker_each(&worker->io, wring__peer_drain_count, &drain);
    drain.spread_ns = drain_spread(worker, drain.count, longest);
    wring__worker_each(&worker->io, wring__peer_drain, &drain);
    wring__worker_drain_guests(&worker->io);
}

static void worker_mail(wring__worker *io, const wring__mail *mail) {
    wring__server_worker *worker = worker_of(io);
    worker->current = NULL;
    wring__settings_look(worker);
    if (mail->kind == WRING__MAIL_SETTINGS) {
        return; /* that was it */
    }
    if (mail->kind == WRING__MAIL_DRAIN) {
        wring__member_drain(&worker->member, mail);
        return;
    }
    if (mail->kind == WRING__MAIL_RELOAD_TLS) {
        wring__tls_context_unref(worker->tls);
        worker->tls = mail->data;
        return;
    }
    if (mail->kind == WRING__MAIL_TOPIC) {
        wring__topic_mail(worker, mail->data);
    } else {
        WRING_ASSERT(mail->kind == WRING__MAIL_PUBLISH);
        wring__deliver(worker, mail->data);
    }
    wring__shared_unref(mail->data);
}

/* The drain window is over: whoever is left is cut off. */
static void worker_timer(wring__worker *io) {
    wring__server_worker *worker = worker_of(io);
    worker->drain_over = true;
    wring__worker_unschedule(io, &worker->unlisten);
    wring__worker_stop_listening(io);
    wring__worker_each(io, wring__peer_abort, NULL);
    wring__worker_abort_guests(io);
}

static void worker_deliver(wring__worker *io) {
    wring__server_worker *worker = worker_of(io);
    if (worker->topics.gathered != NULL) {
        wring__deliver_batch(worker, worker->topics.gathered);
    }
}

static void worker_unlistened(wring__worker *io) {
    wring__server_worker *worker = worker_of(io);
    const wring__listen_config config =
        wring__server_listen_config(worker->server, worker->server->port);
    worker->server->group.backend.ops->unlisten(&config, worker->listener);
    worker->listener = WRING__SOCKET_NONE;
}

static void worker_turned(wring__worker *io) {
    wring__settings_look(worker_of(io));
    wring__memory_look(worker_of(io));
}

static const wring__worker_ops worker_ops = {
    .name = "server",
    .accepted = wring__peer_accept,
    .mail = worker_mail,
    .unlistened = worker_unlistened,
    .timer = worker_timer,
    .deliver = worker_deliver,
    .turned = worker_turned,
};

wring_bytes wring__server_date(wring__server_worker *worker) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (worker->date_at != now.tv_sec || worker->date[0] == 0) {
        worker->date_at = now.tv_sec;
        wring__http_date(now.tv_sec, worker->date);
    }
    return wring_bytes_of(worker->date, sizeof worker->date - 1);
}

/* xorshift64* (Vigna). */
uint64_t wring__server_random(wring__server_worker *worker) {
    uint64_t x = worker->random;
    if (x == 0) {
        x = (worker->member.number + 1) * UINT64_C(0x9E3779B97F4A7C15) ^ worker->io.now;
        x |= 1;
    }
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    worker->random = x;
    return x * UINT64_C(0x2545F4914F6CDD1D);
}

static bool is_rate_limited(const wring_policy *policy) {
    return policy->messages_per_second != WRING_UNLIMITED ||
           policy->controls_per_second != WRING_UNLIMITED;
}

/* What a session sends is refused a whole message later than what others send to it: a handler that
 * answers each message, while its peer is read, is never refused. */
static uint64_t queue_max(const wring__policy *policy) {
    const uint64_t hard = policy->config.send_hard_bytes;
    const uint64_t message = policy->session.message_bytes_max;
    return hard > UINT64_MAX - message ? UINT64_MAX : hard + message;
}

static void sessions_set(wring__route_sessions *sessions, const wring__policy *policy) {
    wring__machine_common *common = &sessions->common;
    sessions->policy = policy->config;
    common->config = policy->session;
    common->queue_max = queue_max(policy);
    common->admit = is_rate_limited(&policy->config) ? wring__limits_admit : NULL;
    common->admit_controls_only = policy->config.messages_per_second == WRING_UNLIMITED;
}

/* A session is looked at more closely when it may be congested, or have drained, by any route's
 * marks: its own decide then. */
static void marks_set(wring__server_worker *worker) {
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    for (size_t i = 0; i < worker->server->routes.count; i++) {
        const uint64_t soft = worker->sessions[i].policy.send_soft_bytes;
        least = soft < least ? soft : least;
        most = soft > most ? soft : most;
    }
    worker->io.soft_bytes = least;
    worker->io.drained_bytes = most / 2;
    const uint32_t answer_ms = worker->server->config.answer_timeout_ms;
    worker->io.patience_ns = answer_ms == WRING_OFF ? PATIENCE_OFF_NS : answer_ms * WRING_NS_PER_MS;
}

void wring__server_sessions_set(wring__server_worker *worker) {
    for (size_t i = 0; i < worker->server->routes.count; i++) {
        sessions_set(&worker->sessions[i], &worker->settings->policies[i]);
    }
    marks_set(worker);
}

static wring_result sessions_init(wring__server_worker *worker) {
    const size_t count = worker->server->routes.count;
    worker->sessions = calloc(count, sizeof *worker->sessions);
    if (worker->sessions == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        wring__machine_common *common = &worker->sessions[i].common;
        wring__machine_common_init(common, WRING_ROLE_SERVER,
                                   &worker->settings->policies[i].session, &worker->io.chunks);
        common->owner = &wring__peer_session_owner;
        common->lost = &worker->io.counters.lost_mail;
        common->counts = &worker->io.messages;
    }
    wring__server_sessions_set(worker);
    return WRING_OK;
}

static void sessions_deinit(wring__server_worker *worker) {
    for (size_t i = 0; worker->sessions != NULL && i < worker->server->routes.count; i++) {
        wring__machine_common_deinit(&worker->sessions[i].common);
    }
    free(worker->sessions);
    worker->sessions = NULL;
}

static wring_result decoded_init(wring__server_worker *worker) {
    worker->decoded = malloc(2 * (size_t)worker->server->config.target_bytes_max);
    return worker->decoded == NULL ? WRING_ERR_NO_MEMORY : WRING_OK;
}

static void decoded_deinit(wring__server_worker *worker) {
    free(worker->decoded);
    worker->decoded = NULL;
}

static void settings_leave(wring__server_worker *worker) {
    wring__settings_release(worker->settings);
    worker->settings = NULL;
}

static wring_result member_open(wring__member *member) {
    wring__server_worker *worker = worker_of(member->worker);
    const wring_server *server = worker->server;
    worker->drain_over = false;
    wring__worker_config config = {
        .backend = server->group.backend.ops,
        .backend_config = {.entries = server->config.ring_entries,
                           .buffer_count = server->config.receive_buffers,
                           .buffer_size = server->config.receive_buffer_bytes,
                           .busy_poll_us = server->config.busy_poll_us == WRING_OFF
                                               ? 0
                                               : server->config.busy_poll_us,
                           .context = server->group.backend.context},
        .ops = &worker_ops,
        .log = &worker->server->log,
        .number = member->number,
        .group = server,
        .connections_max = (uint32_t)server->config.connections_max,
        .mailbox_items = server->config.mailbox_items,
        .pause_bytes = server->config.pause_bytes,
    };
    wring_result result = wring__worker_init(&worker->io, &config, &member->error);
    if (result != WRING_OK) {
        return result;
    }
    worker->settings_version = atomic_load(&server->settings.version);
    worker->settings = wring__settings_hold(worker->server);
    result = wring__topics_init(&worker->topics, &worker->server->presence, member->number,
                                worker->settings->rules, &worker->topic_counts);
    if (result == WRING_OK) {
        result = wring__server_deflate_attach(worker);
    }
    if (result == WRING_OK) {
        result = sessions_init(worker);
    }
    if (result == WRING_OK) {
        result = wring__limits_init(worker);
    }
    if (result == WRING_OK) {
        result = decoded_init(worker);
    }
    if (result == WRING_OK) {
        result = wring__registry_add(&worker->io, &worker->io.index);
    }
    if (result != WRING_OK) {
        decoded_deinit(worker);
        sessions_deinit(worker);
        settings_leave(worker);
        wring__topics_deinit(&worker->topics);
        wring__limits_deinit(worker);
        wring__worker_deinit(&worker->io);
        return wring_error_set(&member->error, result, 0, "worker %u: %s", member->number,
                               wring_result_text(result));
    }
    wring__memory_init(worker);
    worker->tls = server->tls == NULL ? NULL : wring__tls_context_ref(server->tls);
    atomic_store(&worker->address, worker->io.index);
    wring__worker_listen(&worker->io, worker->listener);
    return WRING_OK;
}

static void member_close(wring__member *member) {
    WRING_ASSERT(wring__worker_is_quiet(member->worker));
    wring__server_worker *worker = worker_of(member->worker);
    atomic_store(&worker->address, 0);
    wring__registry_remove(worker->io.index);
    wring__worker_empty_mailbox(&worker->io);
    wring__visit_end_all(worker);
    wring__tls_context_unref(worker->tls);
    worker->tls = NULL;
    wring__topics_deinit(&worker->topics);
    wring__limits_deinit(worker);
    wring__memory_deinit(worker);
    decoded_deinit(worker);
    sessions_deinit(worker);
    settings_leave(worker);
    wring__worker_deinit(&worker->io);
}

const wring__group_ops wring__server_group_ops = {member_open, member_close, member_drain};
