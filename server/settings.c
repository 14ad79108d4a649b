/* SPDX-License-Identifier: Apache-2.0
 *
 * Versions of what may change while a server runs. See settings.h.
 */
#include "server/settings.h"

#include <stdlib.h>

#include "core/ref.h"
#include "io/registry.h"
#include "server/server.h"
#include "server/visit.h"

/* ---- making one ------------------------------------------------------------------------------ */

static wring_result no_memory(wring_error *error) {
    return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for the settings");
}

static wring__settings *settings_alloc(size_t policies) {
    wring__settings *settings = calloc(1, sizeof *settings + policies * sizeof(wring__policy));
    if (settings != NULL) {
        atomic_init(&settings->refs, 1);
        settings->policy_count = policies;
    }
    return settings;
}

/* The server's policy first: the others begin with it. */
static wring_result policies_fill(const wring_server *server, wring__settings *settings,
                                  wring_error *error) {
    const wring__routes *routes = &server->routes;
    const uint64_t pause = server->config.pause_bytes;
    const size_t last = routes->count - 1;
    wring__policy *base = &settings->policies[last];
    wring_result result =
        wring__policy_adopt(&routes->list[last].policy.config, NULL, pause, base, error);
    for (size_t i = 0; i < last && result == WRING_OK; i++) {
        result = wring__policy_adopt(&routes->list[i].policy.config, base, pause,
                                     &settings->policies[i], error);
        result = wring__route_name(&routes->list[i], result, error);
    }
    return result;
}

void wring__settings_release(wring__settings *settings) {
    if (settings == NULL) {
        return;
    }
    const uint32_t refs = atomic_fetch_sub(&settings->refs, 1);
    WRING_ASSERT(refs > 0);
    if (refs == 1) {
        wring__topic_rules_unref(settings->rules);
        free(settings);
    }
}

wring__settings *wring__settings_hold(wring_server *server) {
    wring__settings_of *of = &server->settings;
    pthread_rwlock_rdlock(&of->lock);
    wring__settings *settings = of->newest;
    atomic_fetch_add(&settings->refs, 1);
    pthread_rwlock_unlock(&of->lock);
    return settings;
}

/* ---- replacing ------------------------------------------------------------------------------- */

static bool any_deflate(const wring__settings *settings) {
    bool any = false;
    for (size_t i = 0; i < settings->policy_count; i++) {
        any = any || settings->policies[i].has_deflate;
    }
    return any;
}

/* Wakes the workers, so that they look. One whose mailbox is full is awake. */
static void workers_wake(wring_server *server) {
    for (uint32_t i = 0; i < server->config.workers; i++) {
        const wring__mail mail = {
            .kind = WRING__MAIL_SETTINGS,
            .ref = wring__ref_pack(atomic_load(&server->workers[i].address), 0, 0)};
        const wring_result posted = wring__registry_post_to(server, &mail);
        (void)posted;
    }
}

/* Own: takes. */
static void settings_put(wring_server *server, wring__settings *settings) {
    wring__settings_of *of = &server->settings;
    pthread_rwlock_wrlock(&of->lock);
    wring__settings *old = of->newest;
    of->newest = settings;
    atomic_store(&of->judge_publishers, settings->rules->judge_publishers || any_deflate(settings));
    atomic_store(&of->taken_bytes_always, settings->rules->taken_bytes_always);
    pthread_rwlock_unlock(&of->lock);
    atomic_fetch_add(&of->version, 1);
    wring__settings_release(old);
}

static wring_result rules_result(const wring__settings *settings, const wring_error *why,
                                 wring_error *error) {
    if (settings->rules == NULL && error != NULL) {
        *error = *why;
    }
    return settings->rules == NULL ? why->code : WRING_OK;
}

wring_result wring__settings_init(wring_server *server, wring_error *error) {
    pthread_rwlockattr_t attributes; /* a change must not wait until no publisher is there */
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&server->settings.lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    pthread_mutex_init(&server->settings.changes, NULL);
    wring__settings *settings = settings_alloc(server->routes.count);
    if (settings == NULL) {
        return no_memory(error);
    }
    wring_error why = {.code = WRING_OK};
    settings->rules =
        wring__topic_rules_create(server->config.topic_rules, server->config.topic_rule_count,
                                  server->config.coalesce_us, &why);
    wring_result result = rules_result(settings, &why, error);
    if (result == WRING_OK) {
        result = policies_fill(server, settings, error);
    }
    if (result != WRING_OK) {
        wring__settings_release(settings);
        return result;
    }
    settings_put(server, settings);
    return WRING_OK;
}

void wring__settings_deinit(wring_server *server) {
    if (atomic_load(&server->settings.version) > 0) {
        wring__settings_release(server->settings.newest);
        pthread_rwlock_destroy(&server->settings.lock);
        pthread_mutex_destroy(&server->settings.changes);
    }
}

static wring_result policy_change(wring_server *server, wring__route *route,
                                  const wring_policy *policy, wring_error *error) {
    const wring__policy_given before = route->policy;
    wring__settings *settings = settings_alloc(server->routes.count);
    if (settings == NULL) {
        return no_memory(error);
    }
    const wring__settings *now = server->settings.newest; /* changed under `changes` only */
    memset(&route->policy, 0, sizeof route->policy);
    wring_result result = wring__policy_keep(policy, &route->policy, error);
    if (result == WRING_OK) {
        result = policies_fill(server, settings, error);
    }
    if (result == WRING_OK) {
        settings->rules = wring__topic_rules_ref(now->rules);
    }
    if (result != WRING_OK) {
        route->policy = before; /* its pointers are into the route: they are good again */
        wring__settings_release(settings);
        return result;
    }
    settings_put(server, settings);
    return WRING_OK;
}

static void policy_changed_tell(wring_server *server, const char *path) {
    wring__log_entry entry;
    if (wring__log_begin(&entry, &server->log, WRING__LOG_POLICY_CHANGED)) {
        wring__log_text(&entry, "route", path == NULL ? "" : path);
        wring__log_write(&entry, "the policy of %s was replaced",
                         path == NULL ? "the server" : path);
    }
}

static void rules_changed_tell(wring_server *server, size_t count) {
    wring__log_entry entry;
    if (wring__log_begin(&entry, &server->log, WRING__LOG_TOPIC_RULES_CHANGED)) {
        wring__log_number(&entry, "rules", count);
        wring__log_write(&entry, "the topic rules were replaced");
    }
}

wring_result wring_server_set_policy(wring_server *server, const char *path,
                                     const wring_policy *policy, wring_error *error) {
    wring__route *route = wring__routes_named(&server->routes, path);
    if (route == NULL) {
        char shown[128];
        (void)wring_text_printable(wring_str(path), shown, sizeof shown);
        return wring_error_set(error, WRING_ERR_INVALID_ARGUMENT, 0,
                               "no route was configured with the path '%s'", shown);
    }
    pthread_mutex_lock(&server->settings.changes);
    const wring_result result = policy_change(server, route, policy, error);
    pthread_mutex_unlock(&server->settings.changes);
    if (result == WRING_OK) {
        wring__server_deflate_changed(server);
        workers_wake(server);
        policy_changed_tell(server, path);
    }
    return result;
}

static wring_result rules_change(wring_server *server, const wring_topic_rule *rules, size_t count,
                                 wring_error *error) {
    const wring__settings *now = server->settings.newest;
    wring__settings *settings = settings_alloc(now->policy_count);
    if (settings == NULL) {
        return no_memory(error);
    }
    memcpy(settings->policies, now->policies, now->policy_count * sizeof settings->policies[0]);
    wring_error why = {.code = WRING_OK};
    settings->rules = wring__topic_rules_create(rules, count, now->rules->coalesce_us, &why);
    const wring_result result = rules_result(settings, &why, error);
    if (result != WRING_OK) {
        wring__settings_release(settings);
        return result;
    }
    settings_put(server, settings);
    return WRING_OK;
}

wring_result wring_server_set_topic_rules(wring_server *server, const wring_topic_rule *rules,
                                          size_t count, wring_error *error) {
    pthread_mutex_lock(&server->settings.changes);
    const wring_result result = rules_change(server, rules, count, error);
    pthread_mutex_unlock(&server->settings.changes);
    if (result == WRING_OK) {
        workers_wake(server);
        rules_changed_tell(server, count);
    }
    return result;
}

/* ---- for workers and publishers -------------------------------------------------------------- */

void wring__settings_take(wring__server_worker *worker) {
    const uint32_t version = atomic_load(&worker->server->settings.version);
    wring__settings *old = worker->settings;
    worker->settings = wring__settings_hold(worker->server);
    worker->settings_version = version;
    wring__server_sessions_set(worker);
    if (worker->settings->rules != old->rules) {
        wring__topics_set_rules(&worker->topics, worker->settings->rules);
    }
    WRING_ASSERT(worker->settings->policy_count == worker->server->routes.count);
    wring__settings_release(old);
    wring__visit_settle_all(worker); /* their deadlines may be sooner now */
}

/* As the server's policy says; where only routes have compression, as the first of those. */
static const wring_deflate_config *publishers_deflate(const wring__settings *settings) {
    const wring__policy *policy = wring__settings_policy(settings);
    for (size_t i = 0; i < settings->policy_count && !policy->has_deflate; i++) {
        policy = settings->policies[i].has_deflate ? &settings->policies[i] : policy;
    }
    return &policy->deflate; /* zeroed: none has it */
}

static void judge_by(const wring__settings *settings, wring_bytes topic, wring__publish_rule *out) {
    const wring_topic_rule rule = wring__topic_rules_find(settings->rules, topic);
    out->message_bytes_max = rule.message_bytes_max;
    out->compress = (uint16_t)rule.compress;
    out->deflate = *publishers_deflate(settings);
}

void wring__settings_judge(wring_server *server, wring_bytes topic, wring__publish_rule *out) {
    *out = (wring__publish_rule){.message_bytes_max = WRING_UNLIMITED};
    if (!atomic_load_explicit(&server->settings.judge_publishers, memory_order_relaxed)) {
        return;
    }
    pthread_rwlock_rdlock(&server->settings.lock);
    judge_by(server->settings.newest, topic, out);
    pthread_rwlock_unlock(&server->settings.lock);
}

bool wring__settings_take_publication(wring_server *server, wring_bytes topic, size_t len) {
    if (len <= atomic_load_explicit(&server->settings.taken_bytes_always, memory_order_relaxed)) {
        return true;
    }
    wring__publish_rule rule;
    wring__settings_judge(server, topic, &rule);
    return len <= rule.message_bytes_max;
}
