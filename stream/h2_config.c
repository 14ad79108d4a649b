/* SPDX-License-Identifier: Apache-2.0
 *
 * Defaults and checks of wring_http2_config. See wring/http2.h.
 */
#include <stddef.h>

#include "core/base.h"
#include "core/sized.h"
#include "wring/http2.h"

static void default_u32(uint32_t *field, uint32_t value) {
    *field = *field == 0 ? value : *field;
}

static void default_u64(uint64_t *field, uint64_t value) {
    *field = *field == 0 ? value : *field;
}

static wring_result bad(wring_error *error, const char *field, const char *why) {
    return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0, "http2: %s %s", field, why);
}

static bool rate_is_legal(uint64_t rate) {
    return rate == WRING_UNLIMITED || rate <= 1000000000;
}

static wring_result check(const wring_http2_config *config, wring_error *error) {
    if (config->requests_max > INT32_MAX / 2 || config->sessions_max > INT32_MAX / 2) {
        return bad(error, "requests_max or sessions_max", "is above 1,073,741,823");
    }
    if (config->window_bytes < 64 || config->window_bytes > INT32_MAX) {
        return bad(error, "window_bytes", "is below 64 or above 2,147,483,647");
    }
    if (config->connection_window_bytes < 65535 || config->connection_window_bytes > INT32_MAX) {
        return bad(error, "connection_window_bytes", "is below 65,535 or above 2,147,483,647");
    }
    if (!rate_is_legal(config->resets_per_second)) {
        return bad(error, "resets_per_second", "is above 1,000,000,000");
    }
    if (!rate_is_legal(config->controls_per_second)) {
        return bad(error, "controls_per_second", "is above 1,000,000,000");
    }
    return WRING_OK;
}

wring_result wring_http2_config_adopt(const wring_http2_config *in, wring_http2_config *out,
                                      wring_error *error) {
    static const wring_http2_config none = {.struct_size = sizeof none};
    wring_http2_config own;
    wring_result result =
        wring__sized_adopt(&own, sizeof own, in == NULL ? &none : in,
                           offsetof(wring_http2_config, requests_max), "wring_http2_config", error);
    if (result != WRING_OK) {
        return result;
    }
    default_u32(&own.requests_max, 100);
    default_u32(&own.sessions_max, 1000);
    default_u32(&own.window_bytes, 256u << 10);
    default_u32(&own.connection_window_bytes, 1u << 20);
    default_u32(&own.idle_timeout_ms, 1000);
    default_u64(&own.resets_per_second, 33);
    default_u64(&own.resets_burst, 1000);
    default_u64(&own.controls_per_second, 100);
    default_u64(&own.controls_burst, 1000);
    result = check(&own, error);
    return result == WRING_OK
               ? wring__sized_give_told(out, &own, sizeof own, "wring_http2_config", error)
               : result;
}
