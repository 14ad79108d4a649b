/* SPDX-License-Identifier: Apache-2.0
 *
 * Defaults, inheritance and checks of policies. See policy.h.
 */
#include "server/policy.h"

#include "core/sized.h"

static void take_u32(uint32_t *field, uint32_t value) {
    *field = *field == 0 ? value : *field;
}

static void take_u64(uint64_t *field, uint64_t value) {
    *field = *field == 0 ? value : *field;
}

static uint64_t twice(uint64_t value) {
    return value > UINT64_MAX / 2 ? WRING_UNLIMITED : 2 * value;
}

static wring_result bad(wring_error *error, const char *field, const char *why) {
    return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0, "policy: %s %s", field, why);
}

/* ---- as it was given ------------------------------------------------------------------------- */

static wring_result pointees_keep(wring__policy_given *out, wring_error *error) {
    wring_result result = WRING_OK;
    if (out->config.session != NULL) {
        result = wring__sized_adopt(&out->session, sizeof out->session, out->config.session,
                                    offsetof(wring_session_config, frame_bytes_max),
                                    "wring_session_config", error);
        out->config.session = &out->session;
    }
    if (result == WRING_OK && out->config.deflate != NULL) {
        result = wring__sized_adopt(&out->deflate, sizeof out->deflate, out->config.deflate,
                                    offsetof(wring_deflate_config, message_bytes_min),
                                    "wring_deflate_config", error);
        out->config.deflate = &out->deflate;
    }
    return result;
}

wring_result wring__policy_keep(const wring_policy *in, wring__policy_given *out,
                                wring_error *error) {
    const wring_policy none = {.struct_size = sizeof none};
    const wring_result result =
        wring__sized_adopt(&out->config, sizeof out->config, in == NULL ? &none : in,
                           offsetof(wring_policy, no_deflate), "wring_policy", error);
    return result == WRING_OK ? pointees_keep(out, error) : result;
}

/* ---- defaults: the base's, or the library's -------------------------------------------------- */

static void rates_take(wring_policy *out, const wring_policy *base) {
    if (base != NULL && out->messages_per_second == 0) {
        take_u64(&out->messages_burst, base->messages_burst);
    }
    take_u64(&out->messages_per_second, base == NULL ? WRING_UNLIMITED : base->messages_per_second);
    take_u64(&out->messages_burst, twice(out->messages_per_second));
    take_u64(&out->controls_per_second, base == NULL ? 100 : base->controls_per_second);
    take_u64(&out->controls_burst, base == NULL ? 500 : base->controls_burst);
}

static void sending_take(wring_policy *out, const wring_policy *base, uint64_t pause_bytes) {
    take_u64(&out->send_soft_bytes, base == NULL ? 64 * 1024 : base->send_soft_bytes);
    if (out->send_hard_bytes == 0) {
        const uint64_t hard = base == NULL ? twice(pause_bytes) : base->send_hard_bytes;
        out->send_hard_bytes = hard > out->send_soft_bytes ? hard : twice(out->send_soft_bytes);
    }
    if (out->slow_policy == WRING_SLOW_DEFAULT) {
        out->slow_policy = base == NULL ? WRING_SLOW_DISCONNECT : base->slow_policy;
    }
    take_u32(&out->slow_timeout_ms, base == NULL ? WRING_OFF : base->slow_timeout_ms);
}

/* What it leaves open is the base's; but the memory of fragments follows its own messages. */
static void session_take(wring_session_config *out, const wring_session_config *base) {
    if (out->message_bytes_max == 0) {
        take_u64(&out->fragment_bytes_max, base->fragment_bytes_max);
    }
    take_u64(&out->frame_bytes_max, base->frame_bytes_max);
    take_u64(&out->message_bytes_max, base->message_bytes_max);
    take_u32(&out->close_timeout_ms, base->close_timeout_ms);
    take_u32(&out->idle_timeout_ms, base->idle_timeout_ms);
    take_u32(&out->ping_interval_ms, base->ping_interval_ms);
    take_u32(&out->pong_timeout_ms, base->pong_timeout_ms);
    out->allow_iana_close_codes |= base->allow_iana_close_codes;
}

static wring_result session_adopt(const wring_session_config *in, const wring__policy *base,
                                  wring_session_config *out, wring_error *error) {
    wring_session_config own = {.struct_size = sizeof own};
    const wring_result result =
        in == NULL ? WRING_OK
                   : wring__sized_adopt(&own, sizeof own, in,
                                        offsetof(wring_session_config, frame_bytes_max),
                                        "wring_session_config", error);
    if (result == WRING_OK && base != NULL) {
        session_take(&own, &base->session);
    }
    return result == WRING_OK ? wring__session_config_adopt(&own, out, error) : result;
}

static wring_result deflate_adopt(const wring__policy *base, wring__policy *out,
                                  wring_error *error) {
    out->has_deflate = !out->config.no_deflate &&
                       (out->config.deflate != NULL || (base != NULL && base->has_deflate));
    if (out->has_deflate && out->config.deflate == NULL) {
        out->deflate = base->deflate;
        return WRING_OK;
    }
    return out->has_deflate ? wring__deflate_config_adopt(out->config.deflate, &out->deflate, error)
                            : WRING_OK;
}

/* ---- checks ---------------------------------------------------------------------------------- */

static bool rate_is_legal(uint64_t rate) {
    return rate == WRING_UNLIMITED || rate <= 1000000000;
}

static wring_result check(const wring_policy *config, wring_error *error) {
    if (config->send_hard_bytes <= config->send_soft_bytes) {
        return bad(error, "send_hard_bytes", "is not above send_soft_bytes");
    }
    if (config->slow_policy < WRING_SLOW_DISCONNECT ||
        config->slow_policy > WRING_SLOW_KEEP_LATEST) {
        return bad(error, "slow_policy", "is none of wring_slow_policy");
    }
    if (!rate_is_legal(config->messages_per_second)) {
        return bad(error, "messages_per_second", "is above 1,000,000,000");
    }
    if (!rate_is_legal(config->controls_per_second)) {
        return bad(error, "controls_per_second", "is above 1,000,000,000");
    }
    return WRING_OK;
}

wring_result wring__policy_adopt(const wring_policy *in, const wring__policy *base,
                                 uint64_t pause_bytes, wring__policy *out, wring_error *error) {
    const wring_policy none = {.struct_size = sizeof none};
    const wring_policy *base_config = base == NULL ? NULL : &base->config;
    memset(out, 0, sizeof *out);
    wring_result result =
        wring__sized_adopt(&out->config, sizeof out->config, in == NULL ? &none : in,
                           offsetof(wring_policy, no_deflate), "wring_policy", error);
    if (result == WRING_OK) {
        rates_take(&out->config, base_config);
        sending_take(&out->config, base_config, pause_bytes);
        take_u32(&out->config.age_max_ms, base == NULL ? WRING_OFF : base_config->age_max_ms);
        take_u64(&out->config.subscriptions_max,
                 base == NULL ? 1024 : base_config->subscriptions_max);
        result = check(&out->config, error);
    }
    if (result == WRING_OK) {
        result = session_adopt(out->config.session, base, &out->session, error);
    }
    return result == WRING_OK ? deflate_adopt(base, out, error) : result;
}

wring_result wring_policy_adopt(const wring_policy *in, uint64_t pause_bytes, wring_policy *out,
                                wring_session_config *session, wring_error *error) {
    wring__policy policy;
    const wring_result result = wring__policy_adopt(in, NULL, pause_bytes, &policy, error);
    if (result != WRING_OK) {
        return result;
    }
    policy.config.session = session;
    const wring_result given = wring__sized_give_told(
        session, &policy.session, sizeof policy.session, "wring_session_config", error);
    return given == WRING_OK ? wring__sized_give_told(out, &policy.config, sizeof policy.config,
                                                      "wring_policy", error)
                             : given;
}
