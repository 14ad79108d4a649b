/* SPDX-License-Identifier: Apache-2.0
 *
 * Watches one client: every change of its status has to be legal, in time, and told with the right
 * reason; every session begins and ends once. See client_test.h.
 */
#include "tests/sim/client_test.h"

/* Timers fire at the next tick of the wheel. */
#define TICK WRING_NS_PER_MS

static wring_time_ns now_of(const struct watch *watch) {
    return wring__sim_now(watch->world->run.world);
}

static void expect_at(const struct watch *watch, wring_time_ns at) {
    EXPECT(now_of(watch) >= at && now_of(watch) <= at + TICK);
}

/* ---- why it may end -------------------------------------------------------------------------- */

/* The product's own server answers at once. */
static bool is_never_late(const struct watch *watch) {
    return watch->peer == NULL && watch->dial_result == WRING_OK && !watch->world->slow &&
           watch->status == WRING_CLIENT_OPEN;
}

/* A deadline is kept to the tick, whatever the weather. */
static bool is_timely(const struct watch *watch) {
    const wring_time_ns now = now_of(watch);
    const uint32_t idle_ms = watch->session.idle_timeout_ms;
    if (watch->status == WRING_CLIENT_CONNECTING) {
        expect_at(watch, watch->connecting_at + watch->config.connect_timeout_ms * WRING_NS_PER_MS);
        return true;
    }
    if (watch->closing_at != WRING_TIME_NEVER) {
        return now >= watch->closing_at + 5 * WRING_NS_PER_SEC;
    }
    return idle_ms != WRING_OFF && now >= watch->opened_at + idle_ms * WRING_NS_PER_MS;
}

/* Over HTTP/2 the answer is a 200; where that is not to be had, HTTP/1.1 will do. */
static bool is_upgrade(const struct watch *watch, int status) {
    const bool is_plain = watch->config.http2 == NULL;
    return is_plain ? status == 101 : status == 200 || (watch->world->falls_back && status == 101);
}

/* What the weather may do to any connection. */
static bool is_weather(const struct watch *watch, wring_result result) {
    if (result == WRING_ERR_CONNECT) {
        return !watch->world->calm && watch->status == WRING_CLIENT_CONNECTING;
    }
    if (result == WRING_ERR_TRANSPORT && watch->config.inbox_bytes != 0) {
        return true; /* its inbox full, it reads no further: the server's end is a reset */
    }
    return watch->world->cuts && (result == WRING_ERR_TRANSPORT || result == WRING_ERR_TRUNCATED ||
                                  result == WRING_ERR_TLS_TRUNCATED);
}

static bool peer_result_fits(const struct watch *watch, wring_result result) {
    const struct behaviour_facts *facts = &behaviour_facts[watch->peer->behaviour];
    if (watch->peer->tls) {
        return result == WRING_ERR_TRANSPORT || result == WRING_ERR_TLS_TRUNCATED ||
               result == WRING_ERR_TLS_NOT_TLS || result == WRING_ERR_TIMEOUT;
    }
    return result == facts->first || result == facts->second;
}

static bool is_expected(const struct watch *watch, wring_result result) {
    if (result == WRING_ERR_TIMEOUT && (!is_timely(watch) || is_never_late(watch))) {
        return false;
    }
    if (watch->asked_to_close &&
        (result == WRING_ERR_CLOSED || result == WRING_OK || result == WRING_ERR_TIMEOUT)) {
        return true;
    }
    if (is_weather(watch, result)) {
        return true;
    }
    if (result == WRING_ERR_STREAM_REFUSED) { /* again and again */
        return watch->config.http2 != NULL && watch->world->refuses &&
               watch->status == WRING_CLIENT_CONNECTING;
    }
    if (watch->peer != NULL) {
        return peer_result_fits(watch, result);
    }
    if (watch->dial_result != WRING_OK) {
        return result == watch->dial_result;
    }
    return watch->status == WRING_CLIENT_OPEN ? result == WRING_OK : result == WRING_ERR_TIMEOUT;
}

static void check_reason(struct watch *watch, const wring_client_report *report) {
    EXPECT(report->text != NULL && (report->result == WRING_OK || report->text[0] != 0));
    EXPECT(is_expected(watch, report->result));
    if (watch->status == WRING_CLIENT_OPEN) {
        const bool saw_it = watch->config.handler != NULL;
        EXPECT(!saw_it || report->result == watch->end.result);
        EXPECT(!saw_it || report->close_code == watch->end.close_code);
        EXPECT(is_upgrade(watch, report->http_status));
    } else {
        EXPECT(report->close_code == 0);
    }
    if (report->result == WRING_ERR_UNEXPECTED_STATUS) {
        EXPECT(report->http_status == 503 && strstr(report->text, PEER_REASON_503) != NULL);
    }
    watch->last = report->result;
}

/* What was asked is done in the worker's next turn, before the clock moves. */
static bool may_go_on(const struct watch *watch) {
    return !watch->asked_to_close || watch->asked_at == now_of(watch);
}

/* ---- each status ----------------------------------------------------------------------------- */

static void to_connecting(struct watch *watch, const wring_client_report *report) {
    EXPECT(watch->status == -1 || watch->status == WRING_CLIENT_WAITING);
    EXPECT(may_go_on(watch));
    EXPECT(report->attempt == ++watch->attempt);
    if (watch->status == WRING_CLIENT_WAITING) {
        expect_at(watch, watch->waiting_until);
    }
    watch->connecting_at = now_of(watch);
}

static void to_open(struct watch *watch, const wring_client *client,
                    const wring_client_report *report) {
    EXPECT(watch->status == WRING_CLIENT_CONNECTING);
    EXPECT(report->ref != WRING_REF_NONE && wring_client_ref(client) == report->ref);
    EXPECT(is_upgrade(watch, report->http_status));
    EXPECT(watch->peer == NULL || behaviour_facts[watch->peer->behaviour].opens);
    EXPECT(watch->dial_result == WRING_OK);
    EXPECT(now_of(watch) <=
           watch->connecting_at + watch->config.connect_timeout_ms * WRING_NS_PER_MS + TICK);
    watch->opened_at = now_of(watch);
    watch->closing_at = WRING_TIME_NEVER;
    watch->opens++;
}

/* After a stable session attempts and delays begin anew. */
static void count_anew_if_stable(struct watch *watch) {
    const wring_duration_ns stable = watch->config.reconnect_stable_ms * WRING_NS_PER_MS;
    if (watch->status == WRING_CLIENT_OPEN && now_of(watch) - watch->opened_at >= stable) {
        watch->attempt = 0;
        watch->backoff = 0;
    }
}

static void to_waiting(struct watch *watch, const wring_client_report *report) {
    const wring_client_config *config = &watch->config;
    EXPECT(watch->status == WRING_CLIENT_CONNECTING || watch->status == WRING_CLIENT_OPEN);
    EXPECT(may_go_on(watch) && config->reconnect_min_ms != WRING_OFF);
    check_reason(watch, report);
    count_anew_if_stable(watch);
    EXPECT(watch->attempt < config->reconnect_attempts);
    uint64_t bound = config->reconnect_min_ms;
    for (uint32_t i = 0; i < watch->backoff && bound < config->reconnect_max_ms; i++) {
        bound *= 2;
    }
    watch->bound_ms = (uint32_t)wring__min_u64(bound, config->reconnect_max_ms);
    watch->backoff++;
    watch->waits++;
    watch->delay_ms = report->delay_ms;
    EXPECT(report->delay_ms <= watch->bound_ms);
    watch->waiting_until = now_of(watch) + report->delay_ms * WRING_NS_PER_MS;
}

static void to_closed(struct watch *watch, const wring_client_report *report) {
    EXPECT(++watch->closes == 1);
    if (watch->status != WRING_CLIENT_WAITING || !watch->asked_to_close) {
        check_reason(watch, report);
    }
    count_anew_if_stable(watch);
    EXPECT(watch->asked_to_close || watch->config.reconnect_min_ms == WRING_OFF ||
           watch->attempt >= watch->config.reconnect_attempts);
}

static void on_status(wring_client *client, const wring_client_report *report, void *opts) {
    struct watch *watch = opts;
    EXPECT(!watch->in_session);
    EXPECT(watch->closes == 0);
    switch (report->status) {
    case WRING_CLIENT_CONNECTING:
        to_connecting(watch, report);
        break;
    case WRING_CLIENT_OPEN:
        to_open(watch, client, report);
        break;
    case WRING_CLIENT_WAITING:
        to_waiting(watch, report);
        break;
    case WRING_CLIENT_CLOSED:
        to_closed(watch, report);
        break;
    }
    EXPECT((report->ref != WRING_REF_NONE) == (report->status == WRING_CLIENT_OPEN));
    watch->status = (int)report->status;
    if (watch->on_change != NULL) {
        watch->on_change(watch, report);
    }
}

/* ---- the session ----------------------------------------------------------------------------- */

static struct watch *watch_of(const wring_session *session) {
    return *(struct watch **)wring_session_user(session);
}

static wring_verdict session_init(wring_session *session, const wring_request *request,
                                  void *opts) {
    struct watch *watch = opts;
    EXPECT(watch->status == WRING_CLIENT_OPEN && !watch->in_session);
    EXPECT(wring_bytes_equal(request->path, wring_str("/")));
    memcpy(wring_session_user(session), &watch, sizeof watch);
    watch->in_session = true;
    watch->seen = 0;
    watch->pongs = 0;
    if (watch->on_session != NULL) {
        watch->on_session(watch, session);
    }
    return WRING_CONTINUE;
}

static wring_verdict session_in(wring_session *session, const wring_message *message) {
    struct watch *watch = watch_of(session);
    EXPECT(watch->in_session);
    if (message->opcode == WRING_PONG) {
        watch->pongs++;
    }
    return watch->on_message == NULL ? WRING_CONTINUE : watch->on_message(watch, session, message);
}

static void session_terminate(wring_session *session, const wring_end *end) {
    struct watch *watch = watch_of(session);
    EXPECT(watch->in_session);
    watch->in_session = false;
    watch->end = *end;
}

const wring_handler watch_handler = {.struct_size = sizeof watch_handler,
                                     .name = "watch",
                                     .state_size = sizeof(struct watch *),
                                     .init = session_init,
                                     .handle_in = session_in,
                                     .terminate = session_terminate};

/* ---- beginning and ending -------------------------------------------------------------------- */

/* The model is of attempts and delays, so every end is tried again. What the default rule would say
 * is known: only a server that closes with a code of its own is final. */
static bool on_retry(wring_client *client, const wring_client_report *report, uint32_t *delay_ms,
                     void *opts) {
    (void)client;
    (void)opts;
    EXPECT(report->status == WRING_CLIENT_WAITING && report->delay_ms == *delay_ms);
    EXPECT(wring_client_report_is_retryable(report) ==
           !(report->by_peer && report->close_code >= PEER_CLOSE));
    return true;
}

/* URL and headers stay; the answer comes at once or by mail. */
static wring_result on_renew(wring_client *client, wring_client_renewal *renewal, void *opts) {
    const struct watch *watch = opts;
    EXPECT(renewal->attempt == watch->attempt && renewal->url != NULL);
    if (client_random(watch->world, 2) == 0) {
        return WRING_OK;
    }
    const bool same = client_random(watch->world, 2) == 0;
    EXPECT(wring_client_renew(client, WRING_OK, same ? NULL : renewal) == WRING_OK);
    EXPECT(wring_client_renew(client, WRING_OK, NULL) == WRING_ERR_INVALID_STATE);
    return WRING_MORE;
}

void watch_connect(struct watch *watch, const char *url) {
    wring_error error;
    wring_client *client = NULL;
    watch->status = -1;
    watch->closing_at = WRING_TIME_NEVER;
    watch->config.struct_size = sizeof watch->config;
    watch->session.struct_size = sizeof watch->session;
    watch->config.session = &watch->session;
    watch->config.on_status = on_status;
    watch->config.on_status_opts = watch;
    watch->config.retry = on_retry;
    watch->config.renew = on_renew;
    watch->config.renew_opts = watch;
    EXPECT(wring_client_create(wring_pool_loop(watch->world->pool), url, &watch->config, &client,
                               &error) == WRING_OK);
    client->random = client_random(watch->world, UINT64_MAX); /* its jitter replays */
    watch->client = client;
    watch->config = client->settings.config; /* with the defaults */
    watch->session = client->settings.session;
    watch->config.session = &watch->session;
}

void watch_session_closes(struct watch *watch) {
    if (watch->closing_at == WRING_TIME_NEVER) {
        watch->closing_at = now_of(watch);
    }
}

static void closing(struct watch *watch) {
    watch->asked_at = watch->asked_to_close ? watch->asked_at : now_of(watch);
    watch->asked_to_close = true;
    watch_session_closes(watch);
}

void watch_close(struct watch *watch) {
    if (watch->client != NULL) {
        closing(watch);
        wring_client_close(watch->client, 4999, wring_str("enough"));
    }
}

void watch_give_up(struct watch *watch) {
    wring_client *client = watch->client;
    if (client != NULL) {
        closing(watch);
        watch->client = NULL;
        wring_client_destroy(client);
    }
}

bool watch_is_over(const struct watch *watch) {
    return watch->closes == 1;
}
