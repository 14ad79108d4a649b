/* SPDX-License-Identifier: Apache-2.0
 *
 * Defaults and checks of wring_server_config. One function adopts, one names the first bad field.
 */
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "core/sized.h"
#include "io/registry.h"
#include "proto/machine.h"
#include "server/cgroup.h"
#include "server/proxies.h"
#include "server/server.h"

#define MEMORY_BUDGET_MIN       (1024 * 1024)
#define HANDSHAKE_BYTES_DEFAULT (64u * 1024)
#define TARGET_BYTES_DEFAULT    (8u * 1024)

static uint32_t cpus_allowed(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 1;
    }
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : count > WRING__WORKERS_MAX ? WRING__WORKERS_MAX : (uint32_t)count;
}

static void default_u32(uint32_t *field, uint32_t value) {
    *field = *field == 0 ? value : *field;
}

static void default_u64(uint64_t *field, uint64_t value) {
    *field = *field == 0 ? value : *field;
}

static wring_result bad(wring_error *error, const char *field, const char *why) {
    return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0, "server config: %s %s", field, why);
}

static bool is_power_of_two(uint32_t value) {
    return value != 0 && (value & (value - 1)) == 0;
}

static wring_result limits_check(const wring_server_config *config, wring_error *error) {
    if (config->memory_budget_bytes < MEMORY_BUDGET_MIN) {
        return bad(error, "memory_budget_bytes", "is below 1 MiB");
    }
    if (config->handshakes_max != WRING_UNLIMITED && config->handshakes_max > WRING__SLOT_MAX) {
        return bad(error, "handshakes_max", "is above 16,777,215");
    }
    if (config->tls_handshakes_per_second != WRING_UNLIMITED &&
        config->tls_handshakes_per_second > 1000000000) {
        return bad(error, "tls_handshakes_per_second", "is above 1,000,000,000");
    }
    if (config->connections_max > WRING__SLOT_MAX) {
        return bad(error, "connections_max", "is above 16,777,215");
    }
    return WRING_OK;
}

static wring_result sizes_check(const wring_server_config *config, wring_error *error) {
    if (config->backlog > INT32_MAX || config->ring_entries > (1u << 15) ||
        config->mailbox_items > (1u << 24)) {
        return bad(error, "backlog, ring_entries or mailbox_items", "is out of range");
    }
    if (config->workers > WRING__WORKERS_MAX) {
        return bad(error, "workers", "is above 255");
    }
    if (config->handshake_bytes_max < 64 || config->handshake_bytes_max > (1u << 24)) {
        return bad(error, "handshake_bytes_max", "is below 64 bytes or above 16 MiB");
    }
    if (config->target_bytes_max > UINT16_MAX) {
        return bad(error, "target_bytes_max", "is above 65,535");
    }
    if (config->target_bytes_max > config->handshake_bytes_max) {
        return wring_error_set(
            error, WRING_ERR_INVALID_CONFIG, 0,
            "server config: target_bytes_max is %u (default %u) and "
            "handshake_bytes_max is %u (default %u), but a head has its target "
            "in it: set target_bytes_max to less, or handshake_bytes_max to more",
            config->target_bytes_max, TARGET_BYTES_DEFAULT, config->handshake_bytes_max,
            HANDSHAKE_BYTES_DEFAULT);
    }
    if (!is_power_of_two(config->receive_buffers) || config->receive_buffers > 32768) {
        return bad(error, "receive_buffers", "is not a power of two up to 32,768");
    }
    if (config->busy_poll_us != WRING_OFF && config->busy_poll_us > 1000000) {
        return bad(error, "busy_poll_us", "is above a second");
    }
    if (config->receive_buffer_bytes < 64 || config->receive_buffer_bytes > (1u << 24)) {
        return bad(error, "receive_buffer_bytes", "is below 64 bytes or above 16 MiB");
    }
    return WRING_OK;
}

static wring_result list_check(const void *list, size_t count, const char *field,
                               const char *count_field, wring_error *error) {
    wring_error why = {.text = ""};
    const wring_result result = wring__list_check(list, count, field, count_field, &why);
    return result == WRING_OK ? WRING_OK
                              : wring_error_set(error, result, 0, "server config: %s", why.text);
}

static wring_result tls_check(const wring_server_config *config, wring_error *error) {
    wring_tls_server_config tls;
    if (config->tls == NULL) {
        return WRING_OK;
    }
    const wring_result sized =
        wring__sized_adopt(&tls, sizeof tls, config->tls, offsetof(wring_tls_server_config, sni),
                           "wring_tls_server_config", error);
    if (sized != WRING_OK) {
        return sized;
    }
    if (tls.cert_file == NULL || tls.key_file == NULL) {
        return bad(error, "tls", "needs cert_file and key_file");
    }
    return list_check(tls.sni, tls.sni_count, "tls.sni", "tls.sni_count", error);
}

/* The server parses them again, to keep them. */
static wring_result proxies_check(const wring_server_config *config, wring_error *error) {
    wring__proxies *proxies;
    const wring_result result =
        wring__proxies_init(config->trusted_proxies, config->trusted_proxy_count, &proxies, error);
    wring__proxies_free(proxies);
    return result;
}

static bool alpn_has_h2(const wring_tls_server_config *tls) {
    for (size_t i = 0; i < tls->alpn_count; i++) {
        if (strcmp(tls->alpn[i], "h2") == 0) {
            return true;
        }
    }
    return false;
}

/* What ALPN promises has to be there, and what is there to be promised. */
static wring_result alpn_check(const wring_server_config *config, wring_error *error) {
    wring_tls_server_config tls;
    if (config->tls == NULL ||
        wring__sized_adopt(&tls, sizeof tls, config->tls, offsetof(wring_tls_server_config, sni),
                           "wring_tls_server_config", error) != WRING_OK ||
        tls.alpn == NULL || tls.alpn_count == 0) {
        return WRING_OK;
    }
    const bool has_h2 = alpn_has_h2(&tls);
    if (has_h2 && config->http2 == NULL) {
        return bad(error, "tls.alpn", "has \"h2\", but http2 is not set");
    }
    return has_h2 || config->http2 == NULL
               ? WRING_OK
               : bad(error, "tls.alpn",
                     "has no \"h2\", so http2 would never be used: leave "
                     "tls.alpn out, or put \"h2\" into it");
}

static wring_result http2_check(const wring_server_config *config, wring_error *error) {
    wring_http2_config http2 = {.struct_size = sizeof http2};
    const wring_result result =
        config->http2 == NULL ? WRING_OK : wring_http2_config_adopt(config->http2, &http2, error);
    return result == WRING_OK ? alpn_check(config, error) : result;
}

static wring_result config_check(const wring_server_config *config, wring_error *error) {
    if (wring_backend_name(config->backend)[0] == 0) {
        return bad(error, "backend", "is none of wring_backend");
    }
    wring_result result = tls_check(config, error);
    if (result == WRING_OK) {
        result = sizes_check(config, error);
    }
    if (result == WRING_OK) {
        result = limits_check(config, error);
    }
    if (result == WRING_OK) {
        result = list_check(config->topic_rules, config->topic_rule_count, "topic_rules",
                            "topic_rule_count", error);
    }
    if (result == WRING_OK) {
        result = http2_check(config, error);
    }
    return result == WRING_OK ? proxies_check(config, error) : result;
}

/* Of the machine's memory, or of what its control groups leave the process. */
static uint64_t half_of_memory(void) {
    const long pages = sysconf(_SC_PHYS_PAGES);
    const long page = sysconf(_SC_PAGESIZE);
    const uint64_t machine =
        pages <= 0 || page <= 0 ? WRING_UNLIMITED : (uint64_t)pages * (uint64_t)page;
    const uint64_t group = wring__cgroup_memory_max("/proc/self/cgroup", "/sys/fs/cgroup");
    const uint64_t memory = wring__min_u64(machine, group);
    if (memory == WRING_UNLIMITED) {
        return WRING_UNLIMITED;
    }
    return memory / 2 < MEMORY_BUDGET_MIN ? MEMORY_BUDGET_MIN : memory / 2;
}

static void limits_defaults(wring_server_config *out) {
    default_u64(&out->memory_budget_bytes, half_of_memory());
    default_u64(&out->connections_max, 1u << 20);
    if (out->connections_max == WRING_UNLIMITED) {
        out->connections_max = WRING__SLOT_MAX; /* as many as can be named */
    }
    default_u64(&out->connections_total_max, WRING_UNLIMITED);
    default_u64(&out->connections_per_source_max, WRING_UNLIMITED);
    default_u64(&out->handshakes_max, 16384);
    default_u64(&out->handshakes_per_source_max, WRING_UNLIMITED);
    default_u64(&out->tls_handshakes_per_second, WRING_UNLIMITED);
    default_u64(&out->pause_bytes, UINT64_C(1) << 20);
}

static void exchanges_defaults(wring_server_config *out) {
    default_u32(&out->keep_alive_timeout_ms, 60000);
    default_u32(&out->body_timeout_ms, 30000);
    default_u32(&out->answer_timeout_ms, 60000);
    default_u64(&out->body_bytes_max, UINT64_C(1) << 20);
    default_u64(&out->exchanges_max, WRING_UNLIMITED);
}

wring_result wring__server_config_adopt(const wring_server_config *in, wring_server_config *out,
                                        wring_error *error) {
    const wring_server_config none = {.struct_size = sizeof none};
    const wring_result sized =
        wring__sized_adopt(out, sizeof *out, in == NULL ? &none : in,
                           offsetof(wring_server_config, host), "wring_server_config", error);
    if (sized != WRING_OK) {
        return sized;
    }
    out->host = out->host == NULL ? "127.0.0.1" : out->host;
    default_u32(&out->workers, cpus_allowed());
    default_u32(&out->handshake_timeout_ms, 15000);
    default_u32(&out->handshake_bytes_max, HANDSHAKE_BYTES_DEFAULT);
    default_u32(&out->target_bytes_max, TARGET_BYTES_DEFAULT);
    default_u32(&out->backlog, 4096);
    default_u32(&out->receive_buffers, 1024);
    default_u32(&out->receive_buffer_bytes, WRING__BUFFER_SIZE_DEFAULT);
    default_u32(&out->ring_entries, 1024);
    default_u32(&out->mailbox_items, 65536);
    default_u32(&out->busy_poll_us, WRING_OFF);
    default_u32(&out->coalesce_us, WRING_OFF);
    limits_defaults(out);
    exchanges_defaults(out);
    return config_check(out, error);
}

wring_result wring_server_config_adopt(const wring_server_config *in, wring_server_config *out,
                                       wring_error *error) {
    wring_server_config adopted;
    const wring_result result = wring__server_config_adopt(in, &adopted, error);
    return result == WRING_OK
               ? wring__sized_give_told(out, &adopted, sizeof adopted, "wring_server_config", error)
               : result;
}
