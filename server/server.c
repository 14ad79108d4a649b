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
#include "core/sized.h"
#include "io/registry.h"

/* ---- create ---------------------------------------------------------------------------------- */

/* Also frees what is half made. */
static void server_free(wring_server *server) {
    wring__server_deflate_changed(server);
    wring__tls_context_unref(server->tls);
    wring__presence_deinit(&server->presence);
    wring__sources_deinit(&server->sources);
    wring__group_deinit(&server->group);
    wring__routes_deinit(&server->routes);
    wring__settings_deinit(server);
    wring__proxies_free(server->proxies);
    free(server->tls_sni);
    free(server->workers);
    free(server);
}

/* More than 32 bits count is no limit. */
static uint32_t of_source(uint64_t max) {
    return max >= UINT32_MAX ? UINT32_MAX : (uint32_t)max;
}

static wring_result tables_make(wring_server *server, wring_error *error) {
    const uint32_t workers = server->config.workers;
    server->workers = aligned_alloc(WRING_CACHE_LINE, workers * sizeof *server->workers);
    if (server->workers == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for %u workers", workers);
    }
    memset(server->workers, 0, workers * sizeof *server->workers);
    wring_result result = wring__group_init(&server->group, &wring__server_group_ops, workers);
    for (uint32_t i = 0; i < workers && result == WRING_OK; i++) {
        wring__group_place(&server->group, i, &server->workers[i].member, &server->workers[i].io);
    }
    if (result == WRING_OK) {
        result = wring__presence_init(&server->presence, workers);
    }
    if (result == WRING_OK) {
        result = wring__sources_init(&server->sources,
                                     of_source(server->config.connections_per_source_max),
                                     of_source(server->config.handshakes_per_source_max));
    }
    if (result != WRING_OK) {
        return wring_error_set(error, result, 0, "tables: %s", wring_result_text(result));
    }
    return WRING_OK;
}

static wring_result http2_keep(wring_server *server, wring_error *error) {
    if (server->config.http2 == NULL) {
        return WRING_OK;
    }
    server->http2.struct_size = sizeof server->http2;
    const wring_result result =
        wring_http2_config_adopt(server->config.http2, &server->http2, error);
    server->config.http2 = &server->http2;
    return result;
}

/* What wring_server_reload_tls reads again: the records are copied, the file names are the
   caller's. */
static wring_result tls_keep(wring_server *server, wring_error *error) {
    wring_tls_server_config *kept = &server->tls_config;
    wring_result result = wring__sized_adopt(kept, sizeof *kept, server->config.tls,
                                             offsetof(wring_tls_server_config, sni),
                                             "wring_tls_server_config", error);
    server->config.tls = kept;
    if (result == WRING_OK && server->config.http2 != NULL && kept->alpn_count == 0) {
        static const char *const both[] = {"h2", "http/1.1"};
        kept->alpn = both;
        kept->alpn_count = WRING_ARRAY_LEN(both);
    }
    if (result != WRING_OK || kept->sni_count == 0) {
        return result;
    }
    server->tls_sni = calloc(kept->sni_count, sizeof *server->tls_sni);
    if (server->tls_sni == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for the TLS names");
    }
    result = wring__sized_list_adopt(server->tls_sni, sizeof *server->tls_sni, kept->sni,
                                     kept->sni_count, offsetof(wring_tls_sni, key_file),
                                     "wring_tls_sni", error);
    kept->sni = server->tls_sni;
    return result;
}

/* Everything has been copied: what the application's records were is not looked at again. */
static void config_forget(wring_server_config *config) {
    config->handler = NULL;
    config->routes = NULL;
    config->policy = NULL;
    config->topic_rules = NULL;
    config->log = NULL;
    config->trusted_proxies = NULL;
    config->trusted_proxy_count = 0;
}

wring_result wring_server_create(const wring_server_config *config, wring_server **out,
                                 wring_error *error) {
    *out = NULL;
    wring_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for a server");
    }
    wring_result result = wring__server_config_adopt(config, &server->config, error);
    if (result != WRING_OK) {
        free(server);
        return result;
    }
    result = wring__log_init(&server->log, server->config.log, error);
    if (result == WRING_OK) {
        result = wring__routes_init(&server->routes, &server->config, error);
    }
    if (result == WRING_OK) {
        result = wring__settings_init(server, error);
    }
    if (result == WRING_OK) {
        result = wring__proxies_init(server->config.trusted_proxies,
                                     server->config.trusted_proxy_count, &server->proxies, error);
    }
    if (result == WRING_OK) {
        result = http2_keep(server, error);
    }
    if (result == WRING_OK && server->config.tls != NULL) {
        result = tls_keep(server, error);
    }
    if (result == WRING_OK && server->config.tls != NULL) {
        result = wring__tls_context_server(server->config.tls, NULL, &server->tls, error);
    }
    if (result == WRING_OK) {
        result = tables_make(server, error);
    }
    if (result != WRING_OK) {
        server_free(server);
        return result;
    }
    server->group.is_pinned = !server->config.unpinned;
    for (uint32_t i = 0; i < server->config.workers; i++) {
        server->workers[i].server = server;
        server->workers[i].listener = WRING__SOCKET_NONE;
    }
    config_forget(&server->config);
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
    if (server->started) {
        wring__group_refuse_inside(&server->group, "wring_server_destroy",
                                   "tell another thread to stop and destroy the server");
        wring__panic("wring_server_destroy was called while the server runs: call "
                     "wring_server_stop before it",
                     __FILE__, __LINE__, __func__);
    }
    pthread_mutex_destroy(&server->reload_lock);
    wring__log_close(&server->log); /* of what was changed since it stopped */
    server_free(server);
}

/* ---- start ----------------------------------------------------------------------------------- */

wring__listen_config wring__server_listen_config(const wring_server *server, uint16_t port) {
    wring__listen_config config = {.host = server->config.host,
                                   .port = port,
                                   .backlog = (int)server->config.backlog,
                                   .reuse_port = true,
                                   .context = server->group.backend.context};
    return config;
}

/* The first listener may have its port picked; the others share it. */
static wring_result listeners_open(wring_server *server, wring_error *error) {
    uint16_t port = server->config.port;
    for (uint32_t i = 0; i < server->config.workers; i++) {
        wring__listen_config config = wring__server_listen_config(server, port);
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
            wring__listen_config config = wring__server_listen_config(server, server->port);
            server->group.backend.ops->unlisten(&config, server->workers[i].listener);
            server->workers[i].listener = WRING__SOCKET_NONE;
        }
    }
    server->port = 0;
}

static void started_tell(wring_server *server) {
    wring__log_entry entry;
    server->announced = true;
    wring__group_tell_fallback(&server->group, server->config.backend, &server->log);
    if (wring__log_begin(&entry, &server->log, WRING__LOG_STARTED)) {
        wring__log_text(&entry, "host", server->config.host);
        wring__log_number(&entry, "port", server->port);
        wring__log_number(&entry, "workers", server->config.workers);
        wring__log_text(&entry, "backend", wring_backend_name(server->group.picked));
        wring__log_write(&entry, "listening on %s port %u", server->config.host, server->port);
    }
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
        return result;
    }
    started_tell(server);
    return WRING_OK;
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
        while ((result = wring__registry_post_to(server, &mail)) == WRING_ERR_QUEUE_FULL) {
            sched_yield();
        }
        if (result != WRING_OK) {
            wring__tls_context_unref(server->tls);
        }
    }
}

static void tls_reloaded_tell(wring_server *server, wring_result result, const wring_error *error) {
    wring__log_entry entry;
    if (wring__log_begin(&entry, &server->log, WRING__LOG_TLS_RELOADED)) {
        wring__log_text(&entry, "cert_file", server->config.tls->cert_file);
        wring__log_text(&entry, "reason", wring_result_name(result));
        wring__log_write(&entry, "%s%s",
                         result == WRING_OK ? "new connections get the certificates as they are now"
                                            : "the certificates were not reloaded: ",
                         result == WRING_OK ? ""
                         : error == NULL    ? wring_result_text(result)
                                            : error->text);
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
    tls_reloaded_tell(server, result, error);
    pthread_mutex_unlock(&server->reload_lock);
    return result;
}

void wring_server_stop(wring_server *server, uint32_t drain_ms) {
    wring__log_entry entry;
    if (!server->started) {
        return;
    }
    wring__group_refuse_inside(&server->group, "wring_server_stop",
                               "tell another thread to stop the server");
    if (server->announced && wring__log_begin(&entry, &server->log, WRING__LOG_STOPPING)) {
        wring__log_number(&entry, "drain_ms", drain_ms);
        wring__log_write(&entry, "stopping: sessions have %u ms to close", drain_ms);
    }
    if (!server->group.backend.is_driven) {
        wring__server_drain(server, drain_ms);
    }
    wring__group_join(&server->group);
    server->started = false;
    listeners_close(server);
    if (server->announced && wring__log_begin(&entry, &server->log, WRING__LOG_STOPPED)) {
        wring__log_write(&entry, "stopped");
    }
    server->announced = false;
    wring__log_close(&server->log);
}

uint16_t wring_server_port(const wring_server *server) {
    return server->port;
}

uint32_t wring_server_worker_count(const wring_server *server) {
    return server->config.workers;
}

wring_loop wring_server_loop(const wring_server *server, uint32_t worker) {
    return worker < server->config.workers ? atomic_load(&server->workers[worker].address)
                                           : WRING_LOOP_NONE;
}
