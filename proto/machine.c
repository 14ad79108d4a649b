/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a machine, from its configuration to its close (RFC 6455 5.5, 7), and its clock.
 * No I/O, no clock, no callback: see wring/session.h.
 */
#include "proto/machine.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/sized.h"
#include "proto/machine_parts.h"

#define FRAME_DEFAULT         (UINT64_C(16) << 20)
#define MESSAGE_DEFAULT       (UINT64_C(64) << 20)
#define FRAGMENT_BYTES_LEAST  (UINT64_C(512) << 10)
#define CLOSE_TIMEOUT_DEFAULT 5000
#define PONG_TIMEOUT_DEFAULT  20000

/* ---- configuration --------------------------------------------------------------------------- */

static void default_u32(uint32_t *field, uint32_t value) {
    *field = *field == 0 ? value : *field;
}

static void default_u64(uint64_t *field, uint64_t value) {
    *field = *field == 0 ? value : *field;
}

wring_result wring__session_config_adopt(const wring_session_config *in, wring_session_config *out,
                                         wring_error *error) {
    const wring_session_config none = {.struct_size = sizeof none};
    const wring_result sized = wring__sized_adopt(out, sizeof *out, in == NULL ? &none : in,
                                                  offsetof(wring_session_config, frame_bytes_max),
                                                  "wring_session_config", error);
    if (sized != WRING_OK) {
        return sized;
    }
    default_u64(&out->frame_bytes_max, FRAME_DEFAULT);
    default_u64(&out->message_bytes_max, MESSAGE_DEFAULT);
    const uint64_t base = out->message_bytes_max < FRAGMENT_BYTES_LEAST ? FRAGMENT_BYTES_LEAST
                                                                        : out->message_bytes_max;
    default_u64(&out->fragment_bytes_max, base <= UINT64_MAX / 2 ? base * 2 : WRING_UNLIMITED);
    default_u32(&out->close_timeout_ms, CLOSE_TIMEOUT_DEFAULT);
    default_u32(&out->idle_timeout_ms, WRING_OFF);
    default_u32(&out->pong_timeout_ms, PONG_TIMEOUT_DEFAULT);
    default_u32(&out->ping_interval_ms, WRING_OFF);
    return WRING_OK;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Receiving states kept for the next frame that straddles two reads. */
#define RX_KEPT_MAX 32

void wring__machine_common_init(wring__machine_common *common, wring_role role,
                                const wring_session_config *config, wring__chunk_cache *cache) {
    memset(common, 0, sizeof *common);
    common->role = role;
    common->config = *config;
    common->cache = cache;
    common->queue_max = UINT64_MAX;
    common->counts = &common->own_counts;
#ifndef WRING_ASAN /* there malloc's twin sees use after free */
    common->rx_kept_max = cache == NULL ? 0 : RX_KEPT_MAX; /* alone: nothing rests */
#endif
}

void wring__machine_common_rest(wring__machine_common *common) {
    common->rx_kept_max = 0;
    common->rx_kept_count = 0;
    common->rx_kept_bytes = 0;
    while (common->rx_kept != NULL) {
        wring__rx *rx = common->rx_kept;
        common->rx_kept = rx->next;
        wring__block_unref(rx->block);
        free(rx);
    }
}

void wring__machine_common_deinit(wring__machine_common *common) {
    wring__machine_common_rest(common);
    free(common->pendings);
    memset(common, 0, sizeof *common);
}

static int16_t distance(const wring_machine *machine, const void *to) {
    const ptrdiff_t bytes = (const uint8_t *)to - (const uint8_t *)machine;
    WRING_ASSERT(bytes >= INT16_MIN && bytes <= INT16_MAX);
    return (int16_t)bytes;
}

void wring__machine_init(wring_machine *machine, wring__machine_common *common, wring__outq *out) {
    memset(machine, 0, sizeof *machine);
    machine->common = common;
    machine->out_distance = distance(machine, out);
    machine->state = WRING_MACHINE_READY;
    machine->send_gated = true;
}

void wring__machine_set_user(wring_machine *machine, void *user) {
    machine->user_distance = user == NULL ? 0 : distance(machine, user);
}

void wring__machine_deinit(wring_machine *machine) {
    wring__machine_pending_drop(machine);
    wring__machine_rx_deinit(machine);
    wring__deflate_release(machine->deflate);
    machine->deflate = NULL;
}

void wring__machine_use_deflate(wring_machine *machine, wring__deflate *deflate) {
    WRING_ASSERT(machine->state == WRING_MACHINE_READY && machine->deflate == NULL);
    machine->deflate = deflate;
}

wring_result wring__machine_deflate_with(wring_machine *machine, wring_deflate *contexts,
                                         const wring_deflate_params *params, wring_error *error) {
    if (contexts == NULL) {
        return WRING_OK;
    }
    if (params == NULL) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                               "deflate is set, deflate_params is not");
    }
    wring_deflate_params agreed = *params;
    wring__deflate *deflate = wring__deflate_acquire(contexts, wring__deflate_pool_config(contexts),
                                                     &agreed, machine->common->role, false);
    if (deflate == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for compression");
    }
    wring__machine_use_deflate(machine, deflate);
    return WRING_OK;
}

wring_result wring__role_check(wring_role role, wring_error *error) {
    return role == WRING_ROLE_SERVER || role == WRING_ROLE_CLIENT
               ? WRING_OK
               : wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                                 "role is %d, which is no wring_role", (int)role);
}

static wring_result config_adopt(const wring_machine_config *in, wring_machine_config *out,
                                 wring_session_config *session, wring_error *error) {
    const wring_machine_config none = {.struct_size = sizeof none};
    wring_result result =
        wring__sized_adopt(out, sizeof *out, in == NULL ? &none : in,
                           offsetof(wring_machine_config, session), "wring_machine_config", error);
    if (result == WRING_OK) {
        result = wring__role_check(out->role, error);
    }
    return result == WRING_OK ? wring__session_config_adopt(out->session, session, error) : result;
}

/* What wring_machine_create allocates: the machine with the parts a worker would share. */
struct owned_machine {
    wring_machine super;
    wring__machine_common common;
    wring__outq out;
};

wring_result wring_machine_create(const wring_machine_config *config, wring_machine **out,
                                  wring_error *error) {
    wring_machine_config adopted;
    wring_session_config session;
    *out = NULL;
    wring_result result = config_adopt(config, &adopted, &session, error);
    if (result != WRING_OK) {
        return result;
    }
    struct owned_machine *owned = calloc(1, sizeof *owned);
    if (owned == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for a machine");
    }
    wring__machine_common_init(&owned->common, adopted.role, &session, NULL);
    wring__machine_init(&owned->super, &owned->common, &owned->out);
    owned->super.owned = true;
    result =
        wring__machine_deflate_with(&owned->super, adopted.deflate, adopted.deflate_params, error);
    if (result != WRING_OK) {
        free(owned);
        return result;
    }
    *out = &owned->super;
    return WRING_OK;
}

void wring_machine_destroy(wring_machine *machine) {
    if (machine == NULL) {
        return;
    }
    WRING_ASSERT(machine->owned);
    wring__outq_deinit(wring__machine_out(machine), machine->common->cache);
    wring__machine_deinit(machine);
    wring__machine_common_deinit(machine->common);
    free(machine);
}

static void set_state(wring_machine *machine, wring_machine_state state) {
    WRING_ASSERT((int)state > (int)machine->state); /* ready -> open -> closing -> closed */
    machine->state = (uint8_t)state;
    machine->send_gated = state != WRING_MACHINE_OPEN;
}

wring_result wring_machine_open(wring_machine *machine, uint64_t now_ns) {
    if (machine->state != WRING_MACHINE_READY) {
        return WRING_ERR_INVALID_STATE;
    }
    set_state(machine, WRING_MACHINE_OPEN);
    machine->activity_ns = now_ns;
    return WRING_OK;
}

void wring__machine_end(wring_machine *machine, wring_result result, uint16_t code, bool by_peer) {
    if (machine->state == WRING_MACHINE_CLOSED) {
        return;
    }
    set_state(machine, WRING_MACHINE_CLOSED);
    wring__machine_pending_drop(machine);
    machine->end_pending = true;
    machine->end_result = (int16_t)result;
    machine->end_code = code;
    machine->end_by_peer = by_peer;
    machine->in_len = 0;
}

void wring_machine_fail(wring_machine *machine, wring_result reason) {
    reason = reason == WRING_OK ? WRING_ERR_TRUNCATED : reason;
    const bool by_peer = reason == WRING_ERR_TRUNCATED || reason == WRING_ERR_TRANSPORT ||
                         reason == WRING_ERR_STREAM_RESET;
    wring__machine_end(machine, reason, WRING_CLOSE_ABNORMAL, by_peer);
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

bool wring__machine_code_is_legal(const wring_machine *machine, uint16_t code) {
    return machine->common->config.allow_iana_close_codes ? wring_close_valid_on_wire_iana(code)
                                                          : wring_close_valid_on_wire(code);
}

/* What goes out for a code that somebody asks for. */
static uint16_t code_on_wire(const wring_machine *machine, uint16_t code) {
    return wring__machine_code_is_legal(machine, code) ? code : WRING_CLOSE_PROTOCOL_ERROR;
}

void wring__machine_close_frame(wring_machine *machine, uint16_t code, wring_bytes reason) {
    if (machine->close_sent || machine->state == WRING_MACHINE_READY) {
        return;
    }
    wring__machine_pending_finish(machine); /* what was sent before goes before */
    machine->close_sent = true;
    machine->send_gated = true;
    uint8_t payload[WRING_CONTROL_PAYLOAD_MAX];
    size_t len = 0;
    if (code != WRING_CLOSE_NO_STATUS) {
        wring__store_be16(payload, code_on_wire(machine, code));
        size_t cut = reason_len(reason);
        if (cut > 0) {
            memcpy(payload + 2, reason.data, cut);
        }
        len = 2 + cut;
    }
    wring_result result =
        wring__machine_append(machine, WRING__FIN | WRING_CLOSE, wring_bytes_of(payload, len));
    if (result != WRING_OK) { /* no memory for it: the stream is shut without */
        wring__machine_end(machine, result, WRING_CLOSE_ABNORMAL, false);
    }
}

void wring_machine_close(wring_machine *machine, uint16_t code, wring_bytes reason) {
    if (machine->close_sent || machine->state != WRING_MACHINE_OPEN) {
        return;
    }
    const bool is_empty = code == 0 || code == WRING_CLOSE_NO_STATUS;
    code = is_empty ? WRING_CLOSE_NO_STATUS : code_on_wire(machine, code);
    machine->end_code = code;
    wring__machine_close_frame(machine, code, reason);
    if (machine->state == WRING_MACHINE_OPEN) {
        set_state(machine, WRING_MACHINE_CLOSING);
        machine->activity_ns = 0; /* the clock of the close starts with the next time we are told */
    }
}

void wring__machine_touch(wring_machine *machine, wring_time_ns now) {
    if (machine->state == WRING_MACHINE_OPEN) {
        machine->activity_ns = now;
        machine->ping_sent = false;
    }
}

void wring__machine_refuse(wring_machine *machine, wring_result reason) {
    uint16_t code = wring_result_close_code(reason);
    const bool is_our_need = reason == WRING_ERR_SLOW_CONSUMER || reason == WRING_ERR_MEMORY_BUDGET;
    if (is_our_need && machine->common->config.allow_iana_close_codes) {
        code = WRING_CLOSE_TRY_AGAIN_LATER;
    }
    if (reason == WRING_ERR_MEMORY_BUDGET) {
        wring__machine_pending_drop(machine);
    }
    const wring_class class_ = wring_result_class(reason);
    const bool by_peer = reason != WRING_ERR_MEMORY_BUDGET &&
                         (class_ == WRING_CLASS_PEER || class_ == WRING_CLASS_LIMIT);
    wring__machine_close_frame(machine, code, wring_str(wring_result_text(reason)));
    wring__machine_end(machine, reason, code, by_peer);
}

void wring__machine_stop(wring_machine *machine) {
    uint16_t code = machine->close_sent ? machine->end_code : WRING_CLOSE_NORMAL;
    wring__machine_close_frame(machine, WRING_CLOSE_NORMAL, wring_bytes_of(NULL, 0));
    wring__machine_end(machine, WRING_OK, code, false);
}

/* ---- output, time, questions ----------------------------------------------------------------- */

wring_bytes wring_machine_output(const wring_machine *machine) {
    struct iovec iov;
    if (wring__outq_gather(wring__machine_out(machine), &iov, 1) == 0) {
        return wring_bytes_of(NULL, 0);
    }
    return wring_bytes_of(iov.iov_base, iov.iov_len);
}

void wring_machine_sent(wring_machine *machine, size_t count) {
    wring__outq_consume(wring__machine_out(machine), machine->common->cache, count);
    if (wring__machine_out(machine)->bytes == 0) {
        wring__machine_drained(machine);
    }
}

static uint64_t after(uint64_t from_ns, uint32_t duration_ms) {
    return duration_ms == WRING_OFF ? WRING_TIME_NEVER : from_ns + duration_ms * WRING_NS_PER_MS;
}

static uint64_t ping_due(const wring_machine *machine) {
    return after(machine->activity_ns, machine->common->config.ping_interval_ms);
}

static uint64_t pong_deadline(const wring_machine *machine) {
    return after(machine->ping_ns, machine->common->config.pong_timeout_ms);
}

/* With bytes still queued no ping goes behind them: they ask the same of the peer, that it takes
 * them. So a ping that is sent is the kernel's with the next flush, and its time is known. */
static void ping_begin(wring_machine *machine, uint64_t now_ns) {
    const wring_frame ping = {.opcode = WRING_PING};
    machine->ping_sent = true;
    machine->ping_ns = now_ns;
    machine->ping_withheld = machine->tx_waits;
    machine->tx_moved = false;
    if (!machine->ping_withheld && wring_machine_send(machine, &ping) == WRING_ERR_NO_MEMORY) {
        wring__machine_end(machine, WRING_ERR_NO_MEMORY, WRING_CLOSE_ABNORMAL, false);
    }
}

/* Nothing was received: that the peer takes what was queued is a sign of life as well. */
static bool is_taking(const wring_machine *machine) {
    return machine->ping_withheld && (machine->tx_moved || !machine->tx_waits);
}

static void silence_end(wring_machine *machine, enum wring__silence silence, const char *why) {
    wring__machine_close_frame(machine, WRING_CLOSE_GOING_AWAY, wring_str(why));
    machine->silence = (uint8_t)(silence & 3);
    wring__machine_end(machine, WRING_ERR_TIMEOUT, WRING_CLOSE_ABNORMAL, true);
}

static void end_text(const wring_machine *machine, char *text, size_t cap) {
    const wring_session_config *config = &machine->common->config;
    switch ((enum wring__silence)machine->silence) {
    case WRING__SILENCE_NONE:
        if (machine->end_result == WRING_OK) {
            (void)snprintf(text, cap, "closed%s with %u (%s)",
                           machine->end_by_peer ? " by the peer" : "", machine->end_code,
                           wring_close_reason_name(machine->end_code));
        } else {
            (void)snprintf(text, cap, "%s", wring_result_text((wring_result)machine->end_result));
        }
        break;
    case WRING__SILENCE_CLOSE:
        (void)snprintf(text, cap, "no close frame within %u ms", config->close_timeout_ms);
        break;
    case WRING__SILENCE_IDLE:
        (void)snprintf(text, cap, "no bytes for %u ms (idle timeout)", config->idle_timeout_ms);
        break;
    case WRING__SILENCE_PING:
        (void)snprintf(text, cap, "%s within %u ms",
                       machine->ping_withheld ? "nothing of what was queued was taken"
                                              : "no answer to a ping",
                       config->pong_timeout_ms);
        break;
    }
}

uint64_t wring_machine_deadline_ns(const wring_machine *machine) {
    switch ((wring_machine_state)machine->state) {
    case WRING_MACHINE_READY:
    case WRING_MACHINE_CLOSED:
        return WRING_TIME_NEVER;
    case WRING_MACHINE_CLOSING:
        return machine->activity_ns == 0
                   ? 0
                   : after(machine->activity_ns, machine->common->config.close_timeout_ms);
    case WRING_MACHINE_OPEN:
        break;
    }
    uint64_t idle = after(machine->activity_ns, machine->common->config.idle_timeout_ms);
    uint64_t ping = machine->ping_sent ? pong_deadline(machine) : ping_due(machine);
    uint64_t first = wring__min_u64(idle, ping);
    if (machine->deflate != NULL) {
        first =
            wring__min_u64(first, wring__deflate_deadline(machine->deflate, machine->activity_ns));
    }
    return first;
}

void wring_machine_expire(wring_machine *machine, uint64_t now_ns) {
    if (now_ns < wring_machine_deadline_ns(machine)) {
        return;
    }
    if (machine->state == WRING_MACHINE_CLOSING && machine->activity_ns == 0) {
        machine->activity_ns = now_ns;
        return;
    }
    if (machine->state == WRING_MACHINE_CLOSING) {
        machine->silence = WRING__SILENCE_CLOSE;
        wring__machine_end(machine, WRING_ERR_TIMEOUT, WRING_CLOSE_ABNORMAL, true);
        return;
    }
    if (now_ns >= after(machine->activity_ns, machine->common->config.idle_timeout_ms)) {
        silence_end(machine, WRING__SILENCE_IDLE, "idle timeout");
        return;
    }
    if (machine->ping_sent && now_ns >= pong_deadline(machine)) {
        if (is_taking(machine)) {
            ping_begin(machine, now_ns);
        } else {
            silence_end(machine, WRING__SILENCE_PING, "a ping was not answered");
        }
        return;
    }
    if (machine->deflate != NULL) {
        wring__deflate_expire(machine->deflate, machine->activity_ns, now_ns);
    }
    if (machine->ping_sent || now_ns < ping_due(machine)) {
        return;
    }
    ping_begin(machine, now_ns);
}

wring_result wring_machine_get_end(const wring_machine *machine, wring_end *out) {
    if (machine->state != WRING_MACHINE_CLOSED) {
        return WRING_ERR_INVALID_STATE;
    }
    const wring_end end = wring__machine_end_of(machine);
    return wring__sized_give(out, &end, sizeof end);
}

wring_end wring__machine_end_of(const wring_machine *machine) {
    wring_end end = {.struct_size = sizeof end,
                     .result = (wring_result)machine->end_result,
                     .close_code = machine->end_code,
                     .by_peer = machine->end_by_peer};
    end_text(machine, end.text, sizeof end.text);
    return end;
}

wring_machine_state wring_machine_get_state(const wring_machine *machine) {
    return (wring_machine_state)machine->state;
}

bool wring_machine_is_finished(const wring_machine *machine) {
    return machine->state == WRING_MACHINE_CLOSED && wring__machine_out(machine)->bytes == 0;
}
