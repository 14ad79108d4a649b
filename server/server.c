/* SPDX-License-Identifier: Apache-2.0
 *
 * The threads of a server: create, start, stop. Configuration is frozen before the first thread
 * starts; after that workers share nothing writable but their mailboxes.
 */
#include "server/server.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "core/ref.h"
#include "io/registry.h"
#include "stream/stream.h"

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
    if (mail->kind == WRING__MAIL_DRAIN) {
        wring__member_drain(&worker->member, mail);
        return;
    }
    if (mail->kind == WRING__MAIL_RELOAD_TLS) {
        wring__tls_context_unref(worker->tls);
        worker->tls = mail->data;
        return;
    }
    WRING_ASSERT(mail->kind == WRING__MAIL_PUBLISH);
    wring__deliver(worker, mail->data);
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

static wring__listen_config listen_config(const wring_server *server, uint16_t port) {
    wring__listen_config config = {.host = server->config.host,
                                   .port = port,
                                   .backlog = (int)server->config.backlog,
                                   .reuse_port = true,
                                   .context = server->group.backend.context};
    return config;
}

static void worker_unlistened(wring__worker *io) {
    wring__server_worker *worker = worker_of(io);
    const wring__listen_config config = listen_config(worker->server, worker->server->port);
    worker->server->group.backend.ops->unlisten(&config, worker->listener);
    worker->listener = WRING__SOCKET_NONE;
}

static void worker_turned(wring__worker *io) {
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

static bool is_rate_limited(const wring_server_config *config) {
    return config->message_rate != WRING_OFF || config->control_rate != WRING_OFF;
}

/* Replies are refused a whole message later than what others send: a handler that answers each
 * message, while its peer is read, is never refused. */
static uint64_t queue_max(const wring_server_config *config) {
    const uint64_t hard = config->send_hard_bytes;
    return hard > UINT64_MAX - config->session.max_message ? UINT64_MAX
                                                           : hard + config->session.max_message;
}

static wring_result member_open(wring__member *member) {
    wring__server_worker *worker = worker_of(member->worker);
    const wring_server *server = worker->server;
    worker->drain_over = false;
    wring__worker_config config = {
        .backend = server->group.backend.ops,
        .backend_config = {.entries = server->config.ring_entries,
                           .buffer_count = server->config.receive_buffers,
                           .buffer_size = server->config.receive_buffer_size,
                           .busy_poll_us = server->config.busy_poll_us,
                           .context = server->group.backend.context},
        .ops = &worker_ops,
        .group = server,
        .connections_max = server->config.max_connections,
        .mailbox_items = server->config.mailbox_items,
        .pause_bytes = server->config.pause_bytes,
        .soft_bytes = server->config.send_soft_bytes,
        .drained_bytes = server->config.send_soft_bytes / 2,
    };
    wring_result result = wring__worker_init(&worker->io, &config, &member->error);
    if (result != WRING_OK) {
        return result;
    }
    result = wring__topics_init(&worker->topics, &worker->server->presence, member->number,
                                &worker->server->config);
    if (result == WRING_OK) {
        result = wring__server_deflate_attach(worker);
    }
    if (result == WRING_OK) {
        result = wring__limits_init(worker);
    }
    if (result == WRING_OK) {
        result = wring__registry_add(&worker->io, &worker->io.index);
    }
    if (result != WRING_OK) {
        wring__topics_deinit(&worker->topics);
        wring__limits_deinit(worker);
        wring__worker_deinit(&worker->io);
        return wring_error_set(&member->error, result, 0, "worker %u: %s", member->number,
                               wring_result_text(result));
    }
    wring__session_common_init(&worker->sessions, &server->config.session, &worker->io.chunks);
    wring__memory_init(worker);
    worker->sessions.ref_of = wring__stream_ref;
    worker->sessions.lost = &worker->io.counters.lost_mail;
    worker->sessions.queue_max = queue_max(&server->config);
    worker->sessions.admit = is_rate_limited(&server->config) ? wring__limits_admit : NULL;
    worker->sessions.admit_controls_only = server->config.message_rate == WRING_OFF;
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
    wring__tls_context_unref(worker->tls);
    worker->tls = NULL;
    wring__topics_deinit(&worker->topics);
    wring__limits_deinit(worker);
    wring__memory_deinit(worker);
    wring__session_common_deinit(&worker->sessions);
    wring__worker_deinit(&worker->io);
}

static const wring__group_ops group_ops = {member_open, member_close, member_drain};

/* ---- create ---------------------------------------------------------------------------------- */

static size_t state_size_max(const wring_server *server) {
    size_t max = server->catch_all.handler == NULL ? 0 : server->catch_all.handler->state_size;
    for (size_t i = 0; i < server->config.route_count; i++) {
        const wring_handler *handler = server->config.routes[i].handler;
        if (handler != NULL && handler->state_size > max) {
            max = handler->state_size;
        }
    }
    return max;
}

/* Also frees what is half made. */
static void server_free(wring_server *server) {
    wring__server_deflate_deinit(server);
    wring__tls_context_unref(server->tls);
    wring__presence_deinit(&server->presence);
    wring__sources_deinit(&server->sources);
    wring__group_deinit(&server->group);
    free(server->bindings);
    free(server->workers);
    free(server);
}

static wring_result tables_make(wring_server *server, wring_error *error) {
    const uint32_t workers = server->config.workers;
    const size_t routes = server->config.route_count;
    server->bindings = calloc(routes + 1, sizeof *server->bindings);
    server->workers = aligned_alloc(WRING_CACHE_LINE, workers * sizeof *server->workers);
    if (server->bindings == NULL || server->workers == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for %u workers", workers);
    }
    memset(server->workers, 0, workers * sizeof *server->workers);
    wring_result result = wring__group_init(&server->group, &group_ops, workers);
    for (uint32_t i = 0; i < workers && result == WRING_OK; i++) {
        wring__group_place(&server->group, i, &server->workers[i].member, &server->workers[i].io);
    }
    if (result == WRING_OK) {
        result = wring__presence_init(&server->presence, workers);
    }
    if (result == WRING_OK) {
        result = wring__sources_init(&server->sources, server->config.max_connections_per_source,
                                     server->config.max_handshakes_per_source);
    }
    if (result != WRING_OK) {
        return wring_error_set(error, result, 0, "tables: %s", wring_result_text(result));
    }
    for (size_t i = 0; i < routes; i++) {
        const wring_route *route = &server->config.routes[i];
        server->bindings[i] = (wring__binding){route->handler, route->opts};
    }
    server->bindings[routes] =
        (wring__binding){server->config.handler, server->config.handler_opts};
    return WRING_OK;
}

wring_result wring_server_create(const wring_server_config *config, wring_server **out,
                                 wring_error *error) {
    wring_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for a server");
    }
    wring_result result = wring_server_config_adopt(config, &server->config, error);
    if (result != WRING_OK) {
        free(server);
        return result;
    }
    if (server->config.tls != NULL) {
        result = wring__tls_context_server(server->config.tls, NULL, &server->tls, error);
    }
    if (result == WRING_OK) {
        result = wring__server_deflate_init(server, error);
    }
    if (result == WRING_OK) {
        result = tables_make(server, error);
    }
    if (result != WRING_OK) {
        server_free(server);
        return result;
    }
    server->catch_all.path = "*";
    server->catch_all.handler = server->config.handler;
    server->catch_all.opts = server->config.handler_opts;
    server->catch_all.subprotocols = server->config.subprotocols;
    server->catch_all.subprotocol_count = server->config.subprotocol_count;
    server->state_size_max = state_size_max(server);
    server->group.is_pinned = !server->config.unpinned;
    for (uint32_t i = 0; i < server->config.workers; i++) {
        server->workers[i].server = server;
        server->workers[i].listener = WRING__SOCKET_NONE;
    }
    pthread_mutex_init(&server->reload_lock, NULL);
    *out = server;
    return WRING_OK;
}

void wring__server_set_backend(wring_server *server, wring__backend_choice backend) {
    if (backend.is_driven) {
        server->presence.seed = 1; /* a run that is driven again has the same topics share a slot */
    }
    server->group.backend = backend;
}

void wring_server_destroy(wring_server *server) {
    if (server == NULL) {
        return;
    }
    WRING_ASSERT(!server->started);
    pthread_mutex_destroy(&server->reload_lock);
    server_free(server);
}

/* ---- start ----------------------------------------------------------------------------------- */

/* The first listener may have its port picked; the others share it. */
static wring_result listeners_open(wring_server *server, wring_error *error) {
    uint16_t port = server->config.port;
    for (uint32_t i = 0; i < server->config.workers; i++) {
        wring__listen_config config = listen_config(server, port);
        config.exclusive = i == 0 && !server->config.share_port;
        config.reuse_port = server->config.workers > 1 || server->config.share_port;
        wring_result result =
            server->group.backend.ops->listen(&config, &server->workers[i].listener, &port, error);
        if (result != WRING_OK) {
            return result;
        }
    }
    server->port = port;
    return WRING_OK;
}

static void listeners_close(wring_server *server) {
    for (uint32_t i = 0; i < server->config.workers; i++) {
        if (server->workers[i].listener != WRING__SOCKET_NONE) {
            wring__listen_config config = listen_config(server, server->port);
            server->group.backend.ops->unlisten(&config, server->workers[i].listener);
            server->workers[i].listener = WRING__SOCKET_NONE;
        }
    }
    server->port = 0;
}

wring_result wring_server_start(wring_server *server, wring_error *error) {
    if (server->started) {
        return wring_error_set(error, WRING_ERR_INVALID_STATE, 0, "the server runs already");
    }
    wring_result result = wring__group_pick(&server->group, server->config.backend, error);
    if (result != WRING_OK) {
        return result;
    }
    result = listeners_open(server, error);
    server->started = true;
    if (result == WRING_OK) {
        result = wring__group_start(&server->group, error);
    }
    if (result != WRING_OK) {
        wring_server_stop(server, 1);
    }
    return result;
}

/* ---- stop and questions ---------------------------------------------------------------------- */

void wring__server_drain(wring_server *server, uint32_t drain_ms) {
    wring__group_drain(&server->group, drain_ms * WRING_NS_PER_MS);
}

/* By the registry: a worker that is ending needs no certificates. */
static void tls_hand_over(wring_server *server) {
    for (uint32_t i = 0; i < server->config.workers; i++) {
        wring__mail mail = {.kind = WRING__MAIL_RELOAD_TLS,
                            .ref = wring__ref_pack(atomic_load(&server->workers[i].address), 0, 0),
                            .data = wring__tls_context_ref(server->tls)};
        wring_result result;
        while ((result = wring__registry_post(&mail)) == WRING_ERR_QUEUE_FULL) {
            sched_yield();
        }
        if (result != WRING_OK) {
            wring__tls_context_unref(server->tls);
        }
    }
}

wring_result wring_server_reload_tls(wring_server *server, wring_error *error) {
    if (server->config.tls == NULL) {
        return wring_error_set(error, WRING_ERR_INVALID_STATE, 0, "the server does not use TLS");
    }
    pthread_mutex_lock(&server->reload_lock);
    wring__tls_context *context = NULL;
    wring_result result =
        wring__tls_context_server(server->config.tls, server->tls, &context, error);
    if (result == WRING_OK) {
        wring__tls_context_unref(server->tls);
        server->tls = context;
        tls_hand_over(server);
    }
    pthread_mutex_unlock(&server->reload_lock);
    return result;
}

void wring_server_stop(wring_server *server, uint32_t drain_ms) {
    if (!server->started) {
        return;
    }
    if (!server->group.backend.is_driven) {
        wring__server_drain(server, drain_ms);
    }
    wring__group_join(&server->group);
    server->started = false;
    listeners_close(server);
}

uint16_t wring_server_port(const wring_server *server) {
    return server->port;
}

uint32_t wring_server_workers(const wring_server *server) {
    return server->config.workers;
}

wring_loop wring_server_loop(const wring_server *server, uint32_t worker) {
    return worker < server->config.workers ? atomic_load(&server->workers[worker].address)
                                           : WRING_LOOP_NONE;
}
