/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a session, from its configuration to its close (RFC 6455 5.5, 7), and its clock.
 * No I/O, no clock, no callback: see wring/session.h.
 */
#include "proto/session.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/sized.h"
#include "proto/session_parts.h"

#define FRAME_DEFAULT         (UINT64_C(16) << 20)
#define MESSAGE_DEFAULT       (UINT64_C(64) << 20)
#define FRAGMENT_BYTES_LEAST  (UINT64_C(512) << 10)
#define CLOSE_TIMEOUT_DEFAULT 5000
#define PONG_TIMEOUT_DEFAULT  20000

/* ---- configuration --------------------------------------------------------------------------- */

wring_result wring__session_config_adopt(const wring_session_config *in, wring_session_config *out,
                                         wring_error *error) {
    const wring_session_config none = {.struct_size = sizeof none};
    wring_session_config c;
    const wring_result sized = wring__sized_adopt(&c, sizeof c, in == NULL ? &none : in,
                                                  offsetof(wring_session_config, max_frame),
                                                  "wring_session_config", error);
    if (sized != WRING_OK) {
        return sized;
    }
    if (c.role != WRING_ROLE_SERVER && c.role != WRING_ROLE_CLIENT) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0, "session config: role is %d",
                               (int)c.role);
    }
    c.max_frame = c.max_frame == 0 ? FRAME_DEFAULT : c.max_frame;
    c.max_message = c.max_message == 0 ? MESSAGE_DEFAULT : c.max_message;
    if (c.max_fragment_bytes == 0) {
        uint64_t base = c.max_message < FRAGMENT_BYTES_LEAST ? FRAGMENT_BYTES_LEAST : c.max_message;
        c.max_fragment_bytes = base <= UINT64_MAX / 2 ? base * 2 : UINT64_MAX;
    }
    c.close_timeout_ms = c.close_timeout_ms == 0 ? CLOSE_TIMEOUT_DEFAULT : c.close_timeout_ms;
    c.idle_timeout_ms = c.idle_timeout_ms == 0 ? WRING_OFF : c.idle_timeout_ms;
    c.pong_timeout_ms = c.pong_timeout_ms == 0 ? PONG_TIMEOUT_DEFAULT : c.pong_timeout_ms;
    c.ping_interval_ms = c.ping_interval_ms == 0 ? WRING_OFF : c.ping_interval_ms;
    *out = c;
    return WRING_OK;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Receiving states kept for the next frame that straddles two reads. */
#define RX_KEPT_MAX 32

void wring__session_common_init(wring__session_common *common, const wring_session_config *config,
                                wring__chunk_cache *cache) {
    memset(common, 0, sizeof *common);
    common->config = *config;
    common->cache = cache;
    common->queue_max = UINT64_MAX;
#ifndef WRING_ASAN /* there malloc's twin sees use after free */
    common->rx_kept_max = cache == NULL ? 0 : RX_KEPT_MAX; /* alone: nothing rests */
#endif
}

void wring__session_common_deinit(wring__session_common *common) {
    while (common->rx_kept != NULL) {
        wring__rx *rx = common->rx_kept;
        common->rx_kept = rx->next;
        wring__block_unref(rx->block);
        free(rx);
    }
    free(common->pendings);
    memset(common, 0, sizeof *common);
}

static int16_t distance(const wring_session *session, const void *to) {
    const ptrdiff_t bytes = (const uint8_t *)to - (const uint8_t *)session;
    WRING_ASSERT(bytes >= INT16_MIN && bytes <= INT16_MAX);
    return (int16_t)bytes;
}

void wring__session_init(wring_session *session, wring__session_common *common, wring__outq *out) {
    memset(session, 0, sizeof *session);
    session->common = common;
    session->out_distance = distance(session, out);
    session->state = WRING_SESSION_READY;
    session->send_gated = true;
}

void wring__session_set_user(wring_session *session, void *user) {
    session->user_distance = user == NULL ? 0 : distance(session, user);
}

void wring__session_deinit(wring_session *session) {
    wring__session_pending_drop(session);
    wring__session_rx_deinit(session);
    wring__deflate_release(session->deflate);
    session->deflate = NULL;
}

void wring__session_use_deflate(wring_session *session, wring__deflate *deflate) {
    WRING_ASSERT(session->state == WRING_SESSION_READY && session->deflate == NULL);
    session->deflate = deflate;
}

wring_result wring__session_deflate_from_config(wring_session *session, wring_error *error) {
    const wring_session_config *config = &session->common->config;
    if (config->deflate == NULL) {
        return WRING_OK;
    }
    if (config->deflate_params == NULL) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                               "session config: deflate is set, deflate_params is not");
    }
    wring_deflate_params params = *config->deflate_params;
    wring__deflate *deflate = wring__deflate_acquire(
        config->deflate, wring__deflate_pool_config(config->deflate), &params, config->role, false);
    if (deflate == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for compression");
    }
    wring__session_use_deflate(session, deflate);
    return WRING_OK;
}

/* What wring_session_create allocates: the session with the parts a worker would share. */
struct owned_session {
    wring_session super;
    wring__session_common common;
    wring__outq out;
};

wring_result wring_session_create(const wring_session_config *config, wring_session **out,
                                  wring_error *error) {
    wring_session_config adopted;
    wring_result result = wring__session_config_adopt(config, &adopted, error);
    if (result != WRING_OK) {
        return result;
    }
    struct owned_session *owned = calloc(1, sizeof *owned);
    if (owned == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for a session");
    }
    wring__session_common_init(&owned->common, &adopted, NULL);
    wring__session_init(&owned->super, &owned->common, &owned->out);
    owned->super.owned = true;
    result = wring__session_deflate_from_config(&owned->super, error);
    if (result != WRING_OK) {
        free(owned);
        return result;
    }
    *out = &owned->super;
    return WRING_OK;
}

void wring_session_destroy(wring_session *session) {
    if (session == NULL) {
        return;
    }
    WRING_ASSERT(session->owned);
    wring__outq_deinit(wring__session_out(session), session->common->cache);
    wring__session_deinit(session);
    wring__session_common_deinit(session->common);
    free(session);
}

static void set_state(wring_session *session, wring_session_state state) {
    WRING_ASSERT((int)state > (int)session->state); /* ready -> open -> closing -> closed */
    session->state = (uint8_t)state;
    session->send_gated = state != WRING_SESSION_OPEN;
}

wring_result wring_session_open(wring_session *session, uint64_t now_ns) {
    if (session->state != WRING_SESSION_READY) {
        return WRING_ERR_INVALID_STATE;
    }
    set_state(session, WRING_SESSION_OPEN);
    session->activity_ns = now_ns;
    return WRING_OK;
}

void wring__session_end(wring_session *session, wring_result result, uint16_t code, bool by_peer) {
    if (session->state == WRING_SESSION_CLOSED) {
        return;
    }
    set_state(session, WRING_SESSION_CLOSED);
    wring__session_pending_drop(session);
    session->end_pending = true;
    session->end_result = (int16_t)result;
    session->end_code = code;
    session->end_by_peer = by_peer;
    session->in_len = 0;
}

void wring_session_eof(wring_session *session) {
    wring_session_fail(session, WRING_ERR_TRUNCATED);
}

void wring_session_fail(wring_session *session, wring_result reason) {
    const bool by_peer = reason == WRING_ERR_TRUNCATED || reason == WRING_ERR_TRANSPORT;
    wring__session_end(session, reason, WRING_CLOSE_ABNORMAL, by_peer);
}

/* ---- closing --------------------------------------------------------------------------------- */

/* Cuts a reason at 123 bytes without splitting a code point. */
static size_t reason_len(wring_bytes reason) {
    if (reason.len <= WRING_CLOSE_REASON_MAX) {
        return reason.len;
    }
    size_t len = WRING_CLOSE_REASON_MAX;
    while (len > 0 && (reason.data[len] & 0xC0) == 0x80) {
        len--;
    }
    return len;
}

bool wring__session_code_is_legal(const wring_session *session, uint16_t code) {
    return session->common->config.allow_iana_close_codes ? wring_close_valid_on_wire_iana(code)
                                                          : wring_close_valid_on_wire(code);
}

void wring__session_close_frame(wring_session *session, uint16_t code, wring_bytes reason) {
    if (session->close_sent || session->state == WRING_SESSION_READY) {
        return;
    }
    wring__session_pending_finish(session); /* what was sent before goes before */
    session->close_sent = true;
    session->send_gated = true;
    uint8_t payload[WRING_CONTROL_PAYLOAD_MAX];
    size_t len = 0;
    if (code != WRING_CLOSE_NO_STATUS) {
        bool legal = wring__session_code_is_legal(session, code);
        wring__store_be16(payload, legal ? code : WRING_CLOSE_PROTOCOL_ERROR);
        size_t cut = reason_len(reason);
        if (cut > 0) {
            memcpy(payload + 2, reason.data, cut);
        }
        len = 2 + cut;
    }
    wring_result result =
        wring__session_append(session, WRING__FIN | WRING_CLOSE, wring_bytes_of(payload, len));
    if (result != WRING_OK) { /* no memory for it: the stream is shut without */
        wring__session_end(session, result, WRING_CLOSE_ABNORMAL, false);
    }
}

void wring_session_close(wring_session *session, uint16_t code, wring_bytes reason) {
    if (session->close_sent || session->state != WRING_SESSION_OPEN) {
        return;
    }
    session->end_code = code;
    wring__session_close_frame(session, code, reason);
    if (session->state == WRING_SESSION_OPEN) {
        set_state(session, WRING_SESSION_CLOSING);
        session->activity_ns = 0; /* the clock of the close starts with the next time we are told */
    }
}

void wring__session_touch(wring_session *session, wring_time_ns now) {
    if (session->state == WRING_SESSION_OPEN) {
        session->activity_ns = now;
        session->ping_sent = false;
    }
}

void wring__session_refuse(wring_session *session, wring_result reason) {
    uint16_t code = wring_result_close_code(reason);
    const bool is_our_need = reason == WRING_ERR_SLOW_CONSUMER || reason == WRING_ERR_MEMORY_BUDGET;
    if (is_our_need && session->common->config.allow_iana_close_codes) {
        code = WRING_CLOSE_TRY_AGAIN_LATER;
    }
    if (reason == WRING_ERR_MEMORY_BUDGET) {
        wring__session_pending_drop(session);
    }
    wring__session_close_frame(session, code, wring_str(wring_result_text(reason)));
    wring__session_end(session, reason, code, true);
}

void wring__session_stop(wring_session *session) {
    uint16_t code = session->close_sent ? session->end_code : WRING_CLOSE_NORMAL;
    wring__session_close_frame(session, WRING_CLOSE_NORMAL, wring_bytes_of(NULL, 0));
    wring__session_end(session, WRING_OK, code, false);
}

/* ---- output, time, questions ----------------------------------------------------------------- */

wring_bytes wring_session_output(const wring_session *session) {
    struct iovec iov;
    if (wring__outq_gather(wring__session_out(session), &iov, 1) == 0) {
        return wring_bytes_of(NULL, 0);
    }
    return wring_bytes_of(iov.iov_base, iov.iov_len);
}

void wring_session_sent(wring_session *session, size_t count) {
    wring__outq_consume(wring__session_out(session), session->common->cache, count);
    if (wring__session_out(session)->bytes == 0) {
        wring__session_drained(session);
    }
}

static uint64_t after(uint64_t from_ns, uint32_t duration_ms) {
    return duration_ms == WRING_OFF ? WRING_TIME_NEVER : from_ns + duration_ms * WRING_NS_PER_MS;
}

static uint64_t ping_due(const wring_session *session) {
    return after(session->activity_ns, session->common->config.ping_interval_ms);
}

static uint64_t pong_deadline(const wring_session *session) {
    return after(session->ping_ns, session->common->config.pong_timeout_ms);
}

/* With bytes still queued no ping goes behind them: they ask the same of the peer, that it takes
 * them. So a ping that is sent is the kernel's with the next flush, and its time is known. */
static void ping_begin(wring_session *session, uint64_t now_ns) {
    const wring_frame ping = {WRING_PING, 0, {NULL, 0}};
    session->ping_sent = true;
    session->ping_ns = now_ns;
    session->ping_withheld = session->tx_waits;
    session->tx_moved = false;
    if (!session->ping_withheld && wring_session_send(session, &ping) == WRING_ERR_NO_MEMORY) {
        wring__session_end(session, WRING_ERR_NO_MEMORY, WRING_CLOSE_ABNORMAL, false);
    }
}

/* Nothing was received: that the peer takes what was queued is a sign of life as well. */
static bool is_taking(const wring_session *session) {
    return session->ping_withheld && (session->tx_moved || !session->tx_waits);
}

static void silence_end(wring_session *session, enum wring__silence silence, const char *why) {
    wring__session_close_frame(session, WRING_CLOSE_GOING_AWAY, wring_str(why));
    session->silence = (uint8_t)(silence & 3);
    wring__session_end(session, WRING_ERR_TIMEOUT, WRING_CLOSE_ABNORMAL, true);
}

void wring__session_end_text(const wring_session *session, char *text, size_t cap) {
    const wring_session_config *config = &session->common->config;
    switch ((enum wring__silence)session->silence) {
    case WRING__SILENCE_NONE:
        (void)snprintf(text, cap, "%s", wring_result_text((wring_result)session->end_result));
        break;
    case WRING__SILENCE_CLOSE:
        (void)snprintf(text, cap, "no close frame within %u ms", config->close_timeout_ms);
        break;
    case WRING__SILENCE_IDLE:
        (void)snprintf(text, cap, "no bytes for %u ms (idle timeout)", config->idle_timeout_ms);
        break;
    case WRING__SILENCE_PING:
        (void)snprintf(text, cap, "%s within %u ms",
                       session->ping_withheld ? "nothing of what was queued was taken"
                                              : "no answer to a ping",
                       config->pong_timeout_ms);
        break;
    }
}

uint64_t wring_session_deadline(const wring_session *session) {
    switch ((wring_session_state)session->state) {
    case WRING_SESSION_READY:
    case WRING_SESSION_CLOSED:
        return WRING_TIME_NEVER;
    case WRING_SESSION_CLOSING:
        return session->activity_ns == 0
                   ? 0
                   : after(session->activity_ns, session->common->config.close_timeout_ms);
    case WRING_SESSION_OPEN:
        break;
    }
    uint64_t idle = after(session->activity_ns, session->common->config.idle_timeout_ms);
    uint64_t ping = session->ping_sent ? pong_deadline(session) : ping_due(session);
    uint64_t first = wring__min_u64(idle, ping);
    if (session->deflate != NULL) {
        first =
            wring__min_u64(first, wring__deflate_deadline(session->deflate, session->activity_ns));
    }
    return first;
}

void wring_session_expire(wring_session *session, uint64_t now_ns) {
    if (now_ns < wring_session_deadline(session)) {
        return;
    }
    if (session->state == WRING_SESSION_CLOSING && session->activity_ns == 0) {
        session->activity_ns = now_ns;
        return;
    }
    if (session->state == WRING_SESSION_CLOSING) {
        session->silence = WRING__SILENCE_CLOSE;
        wring__session_end(session, WRING_ERR_TIMEOUT, WRING_CLOSE_ABNORMAL, true);
        return;
    }
    if (now_ns >= after(session->activity_ns, session->common->config.idle_timeout_ms)) {
        silence_end(session, WRING__SILENCE_IDLE, "idle timeout");
        return;
    }
    if (session->ping_sent && now_ns >= pong_deadline(session)) {
        if (is_taking(session)) {
            ping_begin(session, now_ns);
        } else {
            silence_end(session, WRING__SILENCE_PING, "a ping was not answered");
        }
        return;
    }
    if (session->deflate != NULL) {
        wring__deflate_expire(session->deflate, session->activity_ns, now_ns);
    }
    if (session->ping_sent || now_ns < ping_due(session)) {
        return;
    }
    ping_begin(session, now_ns);
}

wring_session_state wring_session_get_state(const wring_session *session) {
    return (wring_session_state)session->state;
}

bool wring_session_is_finished(const wring_session *session) {
    return session->state == WRING_SESSION_CLOSED && wring__session_out(session)->bytes == 0;
}

void *wring_session_user(const wring_session *session) {
    return session->user_distance == 0 ? NULL
                                       : (uint8_t *)(uintptr_t)session + session->user_distance;
}
